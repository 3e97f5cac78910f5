/* Two questions that want a connection of their own: what a port speaks that was asked wrongly, and
 * whether a server takes for encrypted what came in clear. */

#include <poll.h>
#include <string.h>

#include "base/clock.h"
#include "check/probe_state.h"

static bool open_one(struct probe *p, const struct probe_plan *plan,
		     const struct net_addrs *addrs, struct probe_result *r) {
	struct net_addr peer;
	struct err err = ERR_INIT;
	*r = (struct probe_result){ .connected = false };
	*p = (struct probe){ .plan = plan, .r = r };
	buf_init(&p->in, 65536);
	buf_init(&p->line_in, 8192);
	buf_init(&p->line_out, 8192);
	p->conn = conn_open(addrs, NULL, plan->timeout_ms, &peer, &err);
	return p->conn != NULL;
}

static void close_one(struct probe *p) {
	conn_free(p->conn);
	buf_release(&p->in);
	buf_release(&p->line_in);
	buf_release(&p->line_out);
}

enum probe_mode probe_mode(const struct probe_plan *plan, const struct net_addrs *addrs) {
	struct probe_plan quiet = *plan;
	struct probe_result r;
	struct probe p;
	struct smtp_reply reply;
	struct err err = ERR_INIT;
	enum probe_mode mode = PROBE_MODE_OTHER;
	quiet.said = NULL;
	if (open_one(&p, &quiet, addrs, &r)) {
		if (plan->tls == PROBE_TLS_IMPLICIT)
			mode = probe_reply(&p, &reply) ? PROBE_MODE_CLEAR
						       : PROBE_MODE_OTHER;
		else if (plan->trust && conn_start_tls(p.conn, plan->trust, &plan->policy,
						       plan->timeout_ms, &err) == 0)
			mode = probe_reply(&p, &reply) ? PROBE_MODE_TLS
						       : PROBE_MODE_OTHER;
		if (mode != PROBE_MODE_OTHER)
			(void)probe_command(&p, SPAN("QUIT"), &reply);
	}
	close_one(&p);
	return mode;
}

static int answer_to_injection(struct probe *p) {
	struct smtp_reply reply;
	struct err err = ERR_INIT;
	char bytes[512];
	const char helo[] = "EHLO ";
	struct buf line;
	int result = -1;
	buf_init(&line, 512);
	buf_adds(&line, helo);
	buf_adds(&line, p->plan->helo);
	if (probe_reply(p, &reply) && reply.code == 220 &&
	    probe_command(p, buf_span(&line), &reply) && reply.code / 100 == 2 &&
	    probe_write(p, SPAN("STARTTLS\r\nNOOP\r\n"))) {
		/* A server that refuses this, or ends the session over it, has understood. */
		bool answered = probe_reply(p, &reply);
		if (!answered || reply.code != 220 ||
		    conn_start_tls(p->conn, p->plan->trust, &p->plan->policy,
				   p->plan->timeout_ms, &err) != 0) {
			buf_release(&line);
			return answered && reply.code / 100 == 4 ? -1 : 0;
		}
		/* Under TLS the server speaks first only if it took the NOOP for ours. */
		int64_t deadline = clock_boot_ms() + 1500;
		ssize_t n = 0;
		while (n == 0 && probe_wait(p, POLLIN, deadline))
			n = conn_read(p->conn, bytes, sizeof(bytes), &err);
		result = n > 0;
		(void)probe_command(p, SPAN("QUIT"), &reply);
	}
	buf_release(&line);
	return result;
}

int probe_injection(const struct probe_plan *plan, const struct net_addrs *addrs) {
	struct probe_plan quiet = *plan;
	struct probe_result r;
	struct probe p;
	int result = -1;
	quiet.said = NULL;
	if (open_one(&p, &quiet, addrs, &r) && plan->trust)
		result = answer_to_injection(&p);
	close_one(&p);
	return result;
}
