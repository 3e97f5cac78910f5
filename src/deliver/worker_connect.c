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
#include <sys/un.h>

#include "deliver/worker_state.h"
#include "net/lookup.h"

#define PORT_SUBMISSION 587
#define PORT_SUBMISSIONS 465

struct worker_auth {
	struct worker *worker;
	struct smtp_auth *sasl;
	const struct conn *conn;
};

static const char *auth_choose(void *ctx, const char *offered, bool tls,
			       struct err *err) {
	struct worker_auth *a = ctx;
	const struct tls_info *info = conn_tls_info(a->conn);
	bool verified = tls && info && info->verified;
	if (!worker_offers_enough(a->worker, offered, err))
		return NULL;
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

static int auth_binding(void *ctx, enum smtp_auth_binding kind, struct buf *out) {
	return conn_tls_binding(ctx, kind == SMTP_AUTH_TLS_EXPORTER, out);
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

/* The system looks names up, unless the configuration names a resolver. */
static int look_up(struct worker *w, const char *host, struct net_addrs *ret,
		   struct err *err) {
	struct dns *dns = w->params->resolver ? worker_dns(w) : NULL;
	if (!dns)
		return net_lookup(host, w->port, ret, err);
	return net_lookup_dns(dns, host, w->port, ret, err);
}

static int socket_address(const char *path, struct net_addrs *ret, struct err *err) {
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(sa.sun_path))
		return err_set(err, ERR_LIMIT, "the path of a socket is over %zu bytes",
			       sizeof(sa.sun_path) - 1);
	memcpy(sa.sun_path, path, strlen(path) + 1);
	memset(&ret->at[0], 0, sizeof(ret->at[0]));
	memcpy(&ret->at[0].sa, &sa, sizeof(sa));
	ret->at[0].len = sizeof(sa);
	ret->count = 1;
	return 0;
}

/* Those that the DNS has named already, a socket's, or what the name stands for. */
static int find_addresses(struct worker *w, const struct target_host *t, struct net_addrs *ret,
			  struct err *err) {
	if (t->name[0] == '/')
		return socket_address(t->name, ret, err);
	if (t->addrs == 0)
		return look_up(w, t->name, ret, err);
	for (ret->count = 0; ret->count < t->addrs; ret->count++) {
		struct inet_port p = { t->addr[ret->count], w->port };
		struct net_addr *a = &ret->at[ret->count];
		memset(a, 0, sizeof(*a));
		a->len = inet_to_sockaddr(&p, &a->sa);
	}
	return 0;
}

/* TCP, and TLS where it comes first. */
static int open_stream(struct worker *w, const struct target_host *t, struct err *err) {
	const struct config_relay *r = &w->params->relay;
	const char *host = t->name;
	struct net_addrs addrs;
	struct net_addr peer;
	bool socket = t->name[0] == '/';
	if (find_addresses(w, t, &addrs, err) != 0)
		return -1;
	w->conn = conn_open_from(&addrs, socket ? NULL : r->source, r->connect_timeout_ms, &peer,
				 err);
	if (!w->conn)
		return net_is_literal(host) ? -1 : err_prefix(err, "%s", host);
	name_peer(w, host, &peer);
	worker_tlsrpt_connected(w);
	return 0;
}

static int shake_hands(struct worker *w) {
	const struct config_relay *r = &w->params->relay;
	struct err err = ERR_INIT;
	worker_may_die(true);
	int result = conn_start_tls(w->conn, w->tls, &w->tls_plan.policy,
				    r->connect_timeout_ms, &err);
	worker_may_die(false);
	worker_tlsrpt_handshake(w, result == 0, err.msg);
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

/* Of a server that is known by its key, the dates of the certificate do not matter (RFC 7672
 * section 3.1.1). */
static void report_certificate(const struct tls_info *tls, struct wire_report *r) {
	bool dates_count = tls && (strcmp(tls->method, "pkix") == 0 ||
				   strcmp(tls->method, "dane-ta") == 0);
	if (!dates_count)
		return;
	r->cert_from_s = tls->not_before_s;
	r->cert_until_s = tls->not_after_s;
}

void worker_ready(struct worker *w) {
	const struct tls_info *tls = conn_tls_info(w->conn);
	const char *mechanism = smtp_client_auth_mechanism(w->client);
	struct wire_report r = { .kind = WIRE_UP, .verified = tls && tls->verified,
				 .resumed = tls && tls->resumed };
	w->ext = *smtp_client_extensions(w->client);
	if (!worker_strict_accepts(w))
		return;
	w->strict.on = false;
	w->ready = true;
	w->rcpt_max = 0;
	w->connected_ms = clock_boot_ms();
	snprintf(w->tls_version, sizeof(w->tls_version), "%s",
		 tls ? tls->version : "none");
	w->tls_resumed = tls && tls->resumed;
	snprintf(w->mechanism, sizeof(w->mechanism), "%s", mechanism ? mechanism : "");
	if (w->told_up)
		return;
	w->told_up = true;
	snprintf(r.host, sizeof(r.host), "%s", w->peer);
	snprintf(r.tls, sizeof(r.tls), "%s", tls ? tls->version : "");
	snprintf(r.cipher, sizeof(r.cipher), "%s", tls ? tls->cipher : "");
	snprintf(r.auth, sizeof(r.auth), "%s", w->mechanism);
	snprintf(r.name, sizeof(r.name), "%s", w->host);
	report_certificate(tls, &r);
	if (w->best_offer) {
		snprintf(r.auth_host, sizeof(r.auth_host), "%s", w->host);
		snprintf(r.auth_best, sizeof(r.auth_best), "%s", w->best_offer);
	}
	worker_report(w, &r);
	worker_send_reports(w);
}

static enum smtp_starttls starttls_of(const struct worker *w, bool in_clear) {
	enum tlspolicy_level level = w->tls_plan.decision.level;
	if (w->implicit || level == TLSPOLICY_CLEAR)
		return SMTP_STARTTLS_NEVER;
	if (level == TLSPOLICY_MAY)
		return in_clear ? SMTP_STARTTLS_NEVER : SMTP_STARTTLS_IF_OFFERED;
	return SMTP_STARTTLS_REQUIRED;
}

static int make_auth(struct worker *w, const char *host, struct err *err) {
	const struct config_relay *r = &w->params->relay;
	if (!r->login && !config_needs_no_secret(r))
		return 0;
	w->auth = calloc(1, sizeof(*w->auth));
	if (!w->auth)
		return err_set(err, ERR_MEMORY, "out of memory");
	w->auth->worker = w;
	w->auth->conn = w->conn;
	w->auth->sasl = smtp_auth_new(
		&(struct smtp_auth_options){
			.login = r->login,
			.secret = w->secret.text,
			.token = w->secret.token,
			.only = r->auth,
			.host = host,
			.port = w->port,
			.binding = auth_binding,
			.binding_ctx = w->conn,
		},
		err);
	return w->auth->sasl ? 0 : -1;
}

static int make_session(struct worker *w, const char *host, bool in_clear) {
	struct err err = ERR_INIT;
	if (make_auth(w, host, &err) != 0) {
		set_fault(w, SMTP_STAGE_AUTH,
			  smtp_reply_local(454, 7, 0, "%s: %s", w->peer, err.msg));
		return -1;
	}
	const struct smtp_client_params params = {
		.helo = w->params->helo,
		.starttls = starttls_of(w, in_clear),
		.tls = w->implicit,
		.stream = w->params->stream && !w->no_stream,
		.auth = w->auth ? &auth_ops : NULL,
		.auth_ctx = w->auth,
		.lmtp = w->lmtp,
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

/* The configuration itself names the host, and what is asked for is DANE. */
static bool is_named_for_dane(const struct config_relay *r) {
	return r->tls == CONFIG_TLS_DANE && config_way(r, NULL) == CONFIG_WAY_HOSTS;
}

/* True when the session is ready; else w->fault says why not. */
static bool try_host(struct worker *w, const struct target_host *t, bool in_clear) {
	const char *host = t->name;
	struct err err = ERR_INIT;
	int64_t begun = clock_boot_ms();
	w->host = host;
	name_peer(w, host, NULL);
	if (!in_clear)
		worker_tlsrpt_begin(w);
	w->port = t->name[0] == '/' ? 0 : t->port ? t->port : port_of(&w->params->relay);
	w->implicit = t->implicit || (!t->plain && w->params->relay.tls == CONFIG_TLS_IMPLICIT);
	if (!worker_tls_plan(w, host, t->secure || is_named_for_dane(&w->params->relay)))
		return false;
	worker_may_die(true);
	int result = open_stream(w, t, &err);
	worker_may_die(false);
	if (result != 0) {
		set_fault(w, SMTP_STAGE_CONNECT,
			  smtp_reply_local(451, 4, 1, "%s", err.msg));
		return false;
	}
	if ((w->implicit && shake_hands(w) != 0) ||
	    make_session(w, host, in_clear) != 0) {
		worker_disconnect(w);
		return false;
	}
	w->strict.lacks_here = false;
	hold_session(w);
	if (w->ready && !conn_tls_info(w->conn))
		worker_tlsrpt_no_tls(w, NULL);
	else if (!w->ready && w->fault.set && w->fault.stage == SMTP_STAGE_TLS)
		worker_tlsrpt_no_tls(w, &w->fault.reply);
	if (w->strict.lacks_here)
		set_fault(w, SMTP_STAGE_EHLO,
			  smtp_reply_local(451, 7, 30, "%s does not offer REQUIRETLS", w->peer));
	w->connect_took_ms = clock_boot_ms() - begun;
	return w->ready;
}

/* With opportunistic TLS, TLS that does not work is as good as none. */
static bool try_host_both_ways(struct worker *w, const struct target_host *t) {
	if (try_host(w, t, false))
		return true;
	if (w->over || w->tls_plan.decision.level != TLSPOLICY_MAY ||
	    w->fault.stage != SMTP_STAGE_TLS)
		return false;
	return try_host(w, t, true);
}

/* Where each domain's own servers are asked, that none can be reached is an answer. */
static void give_up_destination(struct worker *w, const struct worker_fault *worst) {
	struct smtp_reply reply = worst->reply;
	if (!w->params->destination || !worst->set || w->stopping)
		return;
	if (reply.code >= 500)
		reply.code = 451;
	worker_answer(w, &reply);
}

static bool leave(struct worker *w) {
	w->over = true;
	return false;
}

bool worker_connect(struct worker *w) {
	struct worker_fault worst = { .set = false };
	if (worker_local(w))
		return false;
	if (w->dns)
		dns_forget(w->dns); /* asked anew; what still holds is in the cache of its resolver */
	w->sts_asked = w->has_sts;
	if (!worker_targets(w, &w->targets))
		worst = w->fault;
	for (size_t i = 0; i < w->targets.count && !w->over; i++) {
		w->fault.set = false;
		if (try_host_both_ways(w, &w->targets.host[i])) {
			w->fault.set = false;
			return true;
		}
		/* The host that came furthest tells most. */
		if (w->fault.set && (!worst.set || w->fault.stage > worst.stage))
			worst = w->fault;
		if (w->fault.set && w->fault.stage == SMTP_STAGE_AUTH)
			break;
	}
	w->fault.set = false;
	if (w->has_answer)
		worker_answer(w, &w->answer);
	else if (w->strict.on && !w->over)
		return worker_strict_failed(w, &worst) ? worker_connect(w) : leave(w);
	else
		give_up_destination(w, &worst);
	if (!w->fault.set)
		w->fault = worst;
	return leave(w);
}
