/* The text of a name server: addresses only, since looking one up would need another one. */

#include "net/dns_server.h"

#define DNS_PORT 53u

bool dns_server_parse(struct span server, struct inet_port *ret) {
	return inet_server_parse(server, DNS_PORT, ret);
}

bool dns_server_ok(struct span server) {
	struct inet_port at;
	return dns_server_parse(server, &at);
}
