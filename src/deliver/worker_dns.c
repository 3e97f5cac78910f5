/* The worker's DNS: a channel to nightmail-resolve that it was born with. */

#include "deliver/worker.h"
#include "deliver/worker_state.h"
#include "net/dns_channel.h"

struct dns *worker_dns(struct worker *w) {
	struct err err = ERR_INIT;
	if (w->dns || !w->params->resolve)
		return w->dns;
	w->dns = dns_channel_open(WORKER_DNS_FD, 0, &err);
	if (!w->dns)
		log_error("name server: %s", err.msg);
	return w->dns;
}
