/* All addresses of all hosts are tried at once, so that a network without port 25 costs one
 * time-out; the session itself is smtp-probe's (check/probe.h). */

#include "cli/dns_check_connect.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "check/probe.h"
#include "net/lookup.h"

#define CONNECT_MS 5000
#define SMTP_PORT 25
#define TRIES_MAX 32

struct attempt {
	int fd; /* -1: failed, or not begun */
	size_t host;
	bool open, failed;
	int error;
};

static void begin(struct attempt *t, const struct net_addr *to) {
	t->fd = socket(to->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (t->fd >= 0 &&
	    connect(t->fd, (const struct sockaddr *)&to->sa, to->len) != 0 &&
	    errno != EINPROGRESS) {
		t->error = errno;
		t->failed = true;
	} else if (t->fd < 0) {
		t->error = errno;
		t->failed = true;
	}
}

static void look(struct attempt *t) {
	socklen_t len = sizeof(t->error);
	if (getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &t->error, &len) != 0)
		t->error = errno;
	t->open = t->error == 0;
	t->failed = !t->open;
}

/* Until each is open or has failed, or the time is over. */
static void wait_all(struct attempt *list, size_t count, int64_t until_ms) {
	for (;;) {
		struct pollfd p[TRIES_MAX];
		struct attempt *of[TRIES_MAX];
		nfds_t n = 0;
		for (size_t i = 0; i < count; i++)
			if (!list[i].open && !list[i].failed) {
				p[n] = (struct pollfd){ .fd = list[i].fd,
							.events = POLLOUT };
				of[n++] = &list[i];
			}
		int64_t left = until_ms - clock_boot_ms();
		if (n == 0 || left <= 0 || poll(p, n, (int)left) == 0)
			return;
		for (nfds_t i = 0; i < n; i++)
			if (p[i].revents)
				look(of[i]);
	}
}

static void keep_certificate(struct dnscheck *check, const struct dnscheck_reach *host,
			     const struct probe_result *r) {
	if (r->certs == 0 || check->cert_count == DNSCHECK_CERTS_MAX)
		return;
	struct dnscheck_cert *cert = &check->cert[check->cert_count++];
	memcpy(cert->name, host->name, sizeof(cert->name));
	cert->cert = r->cert[0];
}

/* One host, one of whose addresses may be open. */
static void talk(struct dnscheck *check, struct dnscheck_reach *host,
		 const struct dns_check *c, const struct tls_client *trust, int fd) {
	struct probe_result *r = calloc(1, sizeof(*r));
	struct probe_plan plan = {
		.helo = c->helo ? c->helo : "localhost",
		.tls = trust ? PROBE_TLS_OPTIONAL : PROBE_TLS_NONE,
		.stop = PROBE_STOP_TLS,
		.trust = trust,
		.policy = { .host = host->name },
		.timeout_ms = c->deadline_ms > 0 ? c->deadline_ms : CONNECT_MS,
	};
	host->reached = true;
	if (!r) {
		close(fd);
		return;
	}
	probe_run_on(&plan, fd, r);
	keep_certificate(check, host, r);
	free(r);
}

/* Each host gets a share of the attempts, so that none with many addresses leaves others without. */
static size_t begin_all(struct dnscheck *check, struct attempt *list) {
	size_t count = 0, share = TRIES_MAX / DNSCHECK_MX_MAX;
	if (check->facts.mx_count > 0)
		share = TRIES_MAX / check->facts.mx_count;
	for (size_t i = 0; i < check->facts.mx_count; i++) {
		struct dnscheck_reach *host = &check->reach[check->reach_count++];
		struct net_addrs addrs;
		struct err err = ERR_INIT;
		*host = (struct dnscheck_reach){ .reached = false };
		memcpy(host->name, check->facts.mx[i], sizeof(host->name));
		if (net_lookup_dns(check->dns, host->name, SMTP_PORT, &addrs, &err) !=
		    0) {
			check->reach_count--; /* the check of MX says so */
			continue;
		}
		for (size_t k = 0; k < addrs.count && k < share; k++) {
			list[count] = (struct attempt){ .fd = -1,
							.host = check->reach_count - 1 };
			begin(&list[count++], &addrs.at[k]);
		}
	}
	return count;
}

void dns_check_connect(const struct dns_check *c, struct dnscheck *check) {
	struct attempt list[TRIES_MAX];
	struct err err = ERR_INIT;
	int64_t timeout_ms = c->deadline_ms > 0 ? c->deadline_ms : CONNECT_MS;
	check->reach_count = 0;
	size_t count = begin_all(check, list);
	struct tls_client *trust = tls_client_new(c->ca_file, &err);
	wait_all(list, count, clock_boot_ms() + timeout_ms);
	for (size_t i = 0; i < count; i++) {
		struct dnscheck_reach *host = &check->reach[list[i].host];
		if (list[i].open && !host->reached) {
			talk(check, host, c, trust, list[i].fd);
			continue;
		}
		if (list[i].fd >= 0)
			close(list[i].fd);
		snprintf(host->why, sizeof(host->why), "%s",
			 list[i].error ? strerror(list[i].error) : "no answer in time");
	}
	tls_client_free(trust);
}
