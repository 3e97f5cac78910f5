#ifndef NIGHTMAIL_NET_DNS_SERVER_H
#define NIGHTMAIL_NET_DNS_SERVER_H

/* How a name server is written: inet_server_parse() with port 53. */

#include <stdbool.h>

#include "base/inet.h"

bool dns_server_parse(struct span server, struct inet_port *ret);
bool dns_server_ok(struct span server);

#include "base/banned.h"

#endif
