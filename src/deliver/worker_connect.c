/*
 * From nothing to a session that takes mail: the relay's hosts in order, all addresses of
 * each, TLS by the relay's policy, EHLO, AUTH. A host that cannot is passed over; a login
 * that was refused ends the round at once, because the next host would refuse the same
 * password, and servers lock accounts for that.
 *
 * A password that the server would see goes only to a server whose certificate was
 * verified: with opportunistic TLS and an unverified certificate, the mechanisms are those
 * of a connection without TLS.
 */

#include <stdlib.h>
#include <string.h>

#include "deliver/worker_state.h"

#define PORT_SUBMISSION 587
#define PORT_SUBMISSIONS 465

struct worker_auth {
	struct smtp_auth *sasl;
	const struct conn *conn;
};

static const char *auth_choose(void *ctx, const char *offered, bool tls,
			       struct err *err) {
	struct worker_auth *a = ctx;
	const struct tls_info *info = conn_tls_info(a->conn);
	bool verified = tls && info && info->verified;
	const char *name = smtp_auth_client_ops.choose(a->sasl, offered, verified, err);
	if (!name && tls && info && !info->verified)
		err_set(err, ERR_DENIED,
			"the certificate is not verified (%s), and the login mechanisms that are "
			"left would show the password",
			info->why_not);
	return name;
}

static int auth_step(void *ctx, struct span challenge, struct buf *response,
		     bool *ret_has, struct err *err) {
	struct worker_auth *a = ctx;
	return smtp_auth_client_ops.step(a->sasl, challenge, response, ret_has, err);
}

static int auth_finish(void *ctx, struct err *err) {
	struct worker_auth *a = ctx;
	return smtp_auth_client_ops.finish(a->sasl, err);
}

static const struct smtp_auth_ops auth_ops = {
	.choose = auth_choose,
	.step = auth_step,
	.finish = auth_finish,
};

static void set_fault(struct worker *w, enum smtp_stage stage, struct smtp_reply reply) {
	w->fault = (struct worker_fault){ true, stage, reply };
}

void worker_disconnect(struct worker *w) {
	smtp_client_free(w->client);
	conn_free(w->conn);
	if (w->auth)
		smtp_auth_free(w->auth->sasl);
	free(w->auth);
	w->client = NULL;
	w->conn = NULL;
	w->auth = NULL;
	w->ready = w->quitting = false;
	w->sending = NULL;
	w->begun_here = w->accepted_here = w->finished_here = 0;
	w->silent = false;
}

static uint16_t port_of(const struct config_relay *r) {
	if (r->port > 0)
		return r->port;
	return r->tls == CONFIG_TLS_IMPLICIT ? PORT_SUBMISSIONS : PORT_SUBMISSION;
}

static void name_peer(struct worker *w, const char *host, const struct net_addr *peer) {
	AUTO_BUF struct buf b = BUF_INIT(sizeof(w->peer) - 1);
	buf_add(&b, span_head(span_str(host), 240));
	if (peer && !net_is_literal(host)) {
		buf_addc(&b, '[');
		net_addr_add(&b, peer);
		buf_addc(&b, ']');
	}
	memcpy(w->peer, buf_str(&b), b.len);
	w->peer[b.len] = '\0';
}

/* TCP, and TLS where it comes first. */
static int open_stream(struct worker *w, const char *host, struct err *err) {
	const struct config_relay *r = &w->params->relay;
	struct net_addrs addrs, source;
	struct net_addr peer;
	if (net_lookup(host, w->port, &addrs, err) != 0)
		return -1;
	if (r->source && net_lookup(r->source, 0, &source, err) != 0)
		return -1;
	w->conn = conn_open(&addrs, r->source ? &source.at[0] : NULL,
			    r->connect_timeout_ms, &peer, err);
	if (!w->conn)
		return net_is_literal(host) ? -1 : err_prefix(err, "%s", host);
	name_peer(w, host, &peer);
	return 0;
}

static int shake_hands(struct worker *w) {
	const struct config_relay *r = &w->params->relay;
	const struct tls_policy policy = {
		.host = w->host,
		.verify = r->tls != CONFIG_TLS_OPPORTUNISTIC,
	};
	struct err err = ERR_INIT;
	worker_may_die(true);
	int result = conn_start_tls(w->conn, w->tls, &policy, r->connect_timeout_ms,
				    &err);
	worker_may_die(false);
	if (result == 0)
		return 0;
	set_fault(w, SMTP_STAGE_TLS,
		  smtp_reply_local(454, 7, err.kind == ERR_DENIED ? 5 : 0, "%s: %s",
				   w->peer, err.msg));
	return -1;
}

void worker_secure(struct worker *w) {
	if (shake_hands(w) == 0) {
		smtp_client_tls_done(w->client);
		return;
	}
	worker_disconnect(w);
}

void worker_ready(struct worker *w) {
	const struct tls_info *tls = conn_tls_info(w->conn);
	const char *mechanism = smtp_client_auth_mechanism(w->client);
	struct wire_report r = { .kind = WIRE_UP, .verified = tls && tls->verified };
	w->ready = true;
	w->ext = *smtp_client_extensions(w->client);
	w->connected_ms = clock_boot_ms();
	snprintf(w->tls_version, sizeof(w->tls_version), "%s",
		 tls ? tls->version : "none");
	snprintf(w->mechanism, sizeof(w->mechanism), "%s", mechanism ? mechanism : "");
	if (w->told_up)
		return;
	w->told_up = true;
	snprintf(r.host, sizeof(r.host), "%s", w->peer);
	snprintf(r.tls, sizeof(r.tls), "%s", tls ? tls->version : "");
	snprintf(r.cipher, sizeof(r.cipher), "%s", tls ? tls->cipher : "");
	snprintf(r.auth, sizeof(r.auth), "%s", w->mechanism);
	worker_report(w, &r);
	worker_send_reports(w);
}

static enum smtp_starttls starttls_of(enum config_tls tls, bool in_clear) {
	switch (tls) {
	case CONFIG_TLS_STARTTLS:
		return SMTP_STARTTLS_REQUIRED;
	case CONFIG_TLS_OPPORTUNISTIC:
		return in_clear ? SMTP_STARTTLS_NEVER : SMTP_STARTTLS_IF_OFFERED;
	case CONFIG_TLS_IMPLICIT:
	case CONFIG_TLS_NONE:
		break;
	}
	return SMTP_STARTTLS_NEVER;
}

static int make_auth(struct worker *w, const char *host, struct err *err) {
	const struct config_relay *r = &w->params->relay;
	if (!r->login)
		return 0;
	w->auth = calloc(1, sizeof(*w->auth));
	if (!w->auth)
		return err_set(err, ERR_MEMORY, "out of memory");
	w->auth->conn = w->conn;
	w->auth->sasl = smtp_auth_new(r->login, w->password, r->auth, host, err);
	return w->auth->sasl ? 0 : -1;
}

static int make_session(struct worker *w, const char *host, bool in_clear) {
	const struct config_relay *r = &w->params->relay;
	struct err err = ERR_INIT;
	if (make_auth(w, host, &err) != 0) {
		set_fault(w, SMTP_STAGE_AUTH,
			  smtp_reply_local(454, 7, 0, "%s: %s", w->peer, err.msg));
		return -1;
	}
	const struct smtp_client_params params = {
		.helo = w->params->helo,
		.starttls = starttls_of(r->tls, in_clear),
		.tls = r->tls == CONFIG_TLS_IMPLICIT,
		.auth = w->auth ? &auth_ops : NULL,
		.auth_ctx = w->auth,
	};
	w->client = smtp_client_new(&params);
	if (w->client)
		return 0;
	set_fault(w, SMTP_STAGE_CONNECT, smtp_reply_local(451, 3, 0, "out of memory"));
	return -1;
}

/* Greeting, EHLO, STARTTLS, AUTH. */
static void hold_session(struct worker *w) {
	w->progress_ms = clock_boot_ms();
	while (w->client && !w->ready && !w->over) {
		worker_advance(w);
		if (w->client && !w->ready)
			worker_wait(w);
		if (w->stopping && !w->ready) {
			worker_disconnect(w);
			w->over = true;
		}
	}
}

/* True when the session is ready; else w->fault says why not. */
static bool try_host(struct worker *w, const char *host, bool in_clear) {
	struct err err = ERR_INIT;
	int64_t begun = clock_boot_ms();
	w->host = host;
	name_peer(w, host, NULL);
	w->port = port_of(&w->params->relay);
	worker_may_die(true);
	int result = open_stream(w, host, &err);
	worker_may_die(false);
	if (result != 0) {
		set_fault(w, SMTP_STAGE_CONNECT,
			  smtp_reply_local(451, 4, 1, "%s", err.msg));
		return false;
	}
	if ((w->params->relay.tls == CONFIG_TLS_IMPLICIT && shake_hands(w) != 0) ||
	    make_session(w, host, in_clear) != 0) {
		worker_disconnect(w);
		return false;
	}
	hold_session(w);
	w->connect_took_ms = clock_boot_ms() - begun;
	return w->ready;
}

/* With opportunistic TLS, TLS that does not work is as good as none. */
static bool try_host_both_ways(struct worker *w, const char *host) {
	if (try_host(w, host, false))
		return true;
	if (w->over || w->params->relay.tls != CONFIG_TLS_OPPORTUNISTIC ||
	    w->fault.stage != SMTP_STAGE_TLS)
		return false;
	return try_host(w, host, true);
}

bool worker_connect(struct worker *w) {
	const struct config_relay *r = &w->params->relay;
	struct worker_fault worst = { .set = false };
	for (size_t i = 0; i < r->host_count && !w->over; i++) {
		w->fault.set = false;
		if (try_host_both_ways(w, r->host[i])) {
			w->fault.set = false;
			return true;
		}
		/* The host that came furthest tells most. */
		if (w->fault.set && (!worst.set || w->fault.stage > worst.stage))
			worst = w->fault;
		if (w->fault.set && w->fault.stage == SMTP_STAGE_AUTH)
			break;
	}
	w->fault = worst;
	w->over = true;
	return false;
}
