/*
 * Which servers a worker tries: those of the configuration, or what the DNS says now. For a
 * relay of ours a DNS that fails is trouble of the relay, as a server that does not answer
 * is; where each domain's own servers are asked it is the answer to the message.
 */

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/auto.h"
#include "deliver/worker_state.h"
#include "mail/addr.h"

#define PORT_SMTP 25

static uint64_t random_bits(void) {
	uint64_t r = 0;
	return getrandom(&r, sizeof(r), GRND_NONBLOCK) == sizeof(r) ? r : (uint64_t)clock_boot_ms();
}

/* An address is ours when a socket can be bound to it. */
static bool is_local(void *ctx, const struct inet_addr *a) {
	struct inet_port p = { .addr = *a };
	struct sockaddr_storage sa;
	socklen_t len = inet_to_sockaddr(&p, &sa);
	AUTO_FD int fd = socket(sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	(void)ctx;
	return fd >= 0 && bind(fd, (struct sockaddr *)&sa, len) == 0;
}

static void refuse(struct worker *w, enum target_result r, const struct target *t) {
	struct smtp_reply reply = r == TARGET_FOUND || t->code == 0
					  ? smtp_reply_local(451, 4, 3, "name service: no answer")
					  : smtp_reply_local(t->code, t->subject, t->detail, "%s",
							     t->words);
	snprintf(w->peer, sizeof(w->peer), "DNS");
	if (w->params->destination && r == TARGET_REFUSED) {
		w->has_answer = true;
		w->answer = reply;
		return;
	}
	if (reply.code >= 500) /* a relay of ours: that will be mended */
		reply = smtp_reply_local(451, t->subject, t->detail, "%s", t->words);
	w->fault = (struct worker_fault){ true, SMTP_STAGE_CONNECT, reply };
}

static bool ask_mx(struct worker *w, struct dns *dns, const char *domain, struct target *ret) {
	const struct wire_worker *p = w->params;
	struct target_self self = { .names = { p->hostname, p->helo } };
	uint64_t bits = random_bits();
	enum target_result r;
	if (p->relay.port == PORT_SMTP) /* on another port we are no mail exchanger */
		self.has = is_local;
	worker_may_die(true);
	do
		r = target_mx(dns, domain, &self, bits, ret);
	while (r == TARGET_PENDING && dns_run(dns) > 0);
	worker_may_die(false);
	if (r != TARGET_FOUND)
		refuse(w, r, ret);
	return r == TARGET_FOUND;
}

static bool ask_srv(struct worker *w, struct dns *dns, const char *domain, struct target *ret) {
	enum config_tls tls = w->params->relay.tls;
	unsigned which = tls == CONFIG_TLS_IMPLICIT   ? TARGET_SUBMISSIONS
			 : tls == CONFIG_TLS_STARTTLS ? TARGET_SUBMISSIONS | TARGET_SUBMISSION
						      : TARGET_SUBMISSION;
	uint64_t bits = random_bits();
	enum target_result r;
	worker_may_die(true);
	do
		r = target_srv(dns, domain, which, bits, ret);
	while (r == TARGET_PENDING && dns_run(dns) > 0);
	worker_may_die(false);
	if (r != TARGET_FOUND)
		refuse(w, r, ret);
	return r == TARGET_FOUND;
}

/* The domain as the DNS knows it. */
static bool to_ascii(struct worker *w, const char *domain, struct buf *out) {
	struct target t = { .code = 553, .subject = 1, .detail = 2 };
	struct err err = ERR_INIT;
	if (domain[0] == '[')
		return buf_adds(out, domain) == 0;
	if (domain[0] && addr_domain_ascii(span_str(domain), out, &err) == 0)
		return true;
	snprintf(t.words, sizeof(t.words), "%s", domain[0] ? err.msg : "an address without domain");
	refuse(w, TARGET_REFUSED, &t);
	return false;
}

/* "HOST:PORT", or the path of a socket. */
static void set_lmtp(const char *target, struct target *ret) {
	struct target_host *h = &ret->host[0];
	struct span s = span_str(target);
	size_t colon = s.len;
	uint64_t port = 0;
	*ret = (struct target){ .count = 1 };
	while (target[0] != '/' && colon > 0 && s.p[colon - 1] != ':')
		colon--;
	if (target[0] != '/' && colon > 0) {
		span_uint(span_from(s, colon), UINT16_MAX, &port);
		s = span_head(s, colon - 1);
		if (s.len > 2 && s.p[0] == '[')
			s = span_of(s.p + 1, s.len - 2);
	}
	h->port = (uint16_t)port;
	snprintf(h->name, sizeof(h->name), "%.*s", (int)s.len, s.p);
}

bool worker_targets(struct worker *w, struct target *ret) {
	const struct config_relay *r = &w->params->relay;
	AUTO_BUF struct buf domain = BUF_INIT(1024);
	const char *target;
	enum config_way way = config_way(r, &target);
	struct dns *dns = NULL;
	*ret = (struct target){ .count = 0 };
	w->lmtp = way == CONFIG_WAY_LMTP;
	if (way == CONFIG_WAY_MX || way == CONFIG_WAY_SRV)
		dns = worker_dns(w);
	else if (w->lmtp)
		set_lmtp(target, ret);
	else
		target_list(r->host, r->host_count, random_bits(), ret);
	if (way != CONFIG_WAY_MX && way != CONFIG_WAY_SRV)
		return true;
	if (w->params->destination)
		target = w->params->destination;
	if (!dns)
		refuse(w, TARGET_LATER, ret);
	else if (to_ascii(w, target, &domain))
		return way == CONFIG_WAY_MX ? ask_mx(w, dns, buf_str(&domain), ret)
					    : ask_srv(w, dns, buf_str(&domain), ret);
	return false;
}
