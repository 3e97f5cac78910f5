/*
 * A session that goes on under TLS: the certificate and the users are read here and now, so
 * that what changed counts for the next client; then the 220, the handshake, and the same
 * session as without TLS, over other reads and writes.
 */

#include "deliver/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "base/sharedmem.h"
#include "creds/creds.h"
#include "net/conn.h"
#include "smtp/auth.h"
#include "submit/plan.h"

#define HANDSHAKE_MS 30000

struct tls_session_state {
	struct conn *conn;
	struct tls_server *tls;
	bool users_known;
	struct smtp_auth_users users;
	struct smtp_auth_server *exchange; /* NULL: none is going on */
	char login[256];
};

static ssize_t read_tls(void *ctx, char *p, size_t len) {
	struct tls_session_state *s = ctx;
	return conn_read(s->conn, p, len, NULL);
}

static ssize_t write_tls(void *ctx, struct span bytes) {
	struct tls_session_state *s = ctx;
	return conn_write(s->conn, bytes, NULL);
}

static short wants_tls(void *ctx) {
	struct tls_session_state *s = ctx;
	return conn_wants(s->conn);
}

static void end_exchange(struct tls_session_state *s) {
	smtp_auth_server_free(s->exchange);
	s->exchange = NULL;
}

static void keep_login(struct tls_session_state *s, const char **ret) {
	const char *login = s->exchange ? smtp_auth_server_login(s->exchange) : NULL;
	*ret = NULL;
	if (!login)
		return;
	snprintf(s->login, sizeof(s->login), "%s", login);
	*ret = s->login;
}

static enum session_auth_result auth_step(void *ctx, struct span mechanism,
					  struct span response, struct buf *challenge,
					  const char **ret_login) {
	struct tls_session_state *s = ctx;
	char name[40];
	if (!s->users_known)
		return SESSION_AUTH_CANNOT;
	if (mechanism.len > 0) {
		end_exchange(s);
		snprintf(name, sizeof(name), "%.*s", (int)mechanism.len, mechanism.p);
		s->exchange = smtp_auth_server_for(name, &s->users, NULL);
	}
	if (!s->exchange)
		return SESSION_AUTH_CANNOT;
	int r = smtp_auth_server_step(s->exchange, response, challenge);
	if (r == 0)
		return SESSION_AUTH_GO_ON;
	keep_login(s, ret_login);
	end_exchange(s);
	return r > 0 && *ret_login ? SESSION_AUTH_YES : SESSION_AUTH_NO;
}

static int read_users(struct tls_session_state *s, const char *path, struct err *err) {
	struct secret text = { .p = NULL };
	if (creds_read(path, SMTP_AUTH_USERS_BYTES, &text, err) != 0)
		return -1;
	int r = smtp_auth_users_parse(span_of(text.p, text.len), &s->users, err);
	secret_release(&text);
	return r == 0 ? 0 : err_prefix(err, "%s", path);
}

static int read_plan(struct plan *ret, struct err *err) {
	AUTO_BUF struct buf line = BUF_INIT(PLAN_MAX);
	AUTO_FD int fd = HANDOVER_PLAN_FD;
	char *room = buf_room(&line, PLAN_MAX - 1);
	ssize_t n = room ? read(fd, room, PLAN_MAX - 1) : -1;
	if (n < 0)
		return err_sys(err, "the plan cannot be read");
	buf_grew(&line, (size_t)n);
	return plan_parse(buf_span(&line), ret, err);
}

/* The slot of the board, or NULL: then nobody can tell that we are idle. */
static _Atomic int64_t *idle_slot(uint64_t slot) {
	struct stat st;
	if (fstat(HANDOVER_IDLE_FD, &st) != 0 ||
	    slot >= (uint64_t)st.st_size / sizeof(_Atomic int64_t))
		return NULL;
	_Atomic int64_t *board = sharedmem_open(HANDOVER_IDLE_FD, (size_t)st.st_size);
	close(HANDOVER_IDLE_FD);
	return board ? board + slot : NULL;
}

static int say(const char *line) {
	size_t len = strlen(line);
	return write(HANDOVER_CLIENT_FD, line, len) == (ssize_t)len ? 0 : -1;
}

static int serve(struct tls_session_state *s, const struct plan *plan, struct err *err) {
	const struct session_io io = { s, read_tls, write_tls, wants_tls };
	const struct session_auth auth = {
		.mechanisms = s->users_known ? smtp_auth_users_mechanisms(&s->users)
					     : "PLAIN LOGIN",
		.ctx = s,
		.step = auth_step,
	};
	const struct plan_means means = {
		.fd = HANDOVER_CLIENT_FD,
		.io = &io,
		.tls = conn_tls_info(s->conn)->version,
		.auth = plan->users ? &auth : NULL,
		.limits = limit_open(HANDOVER_LIMITS_FD),
		.idle_since = idle_slot(plan->slot),
	};
	close(HANDOVER_LIMITS_FD);
	if (plan->limited && !means.limits)
		return err_sys(err, "the limits cannot be read");
	return plan_serve(plan, &means, err);
}

/* The key is read: from here on nothing but the queue is needed. */
static int enter_sandbox(const struct plan *plan, struct err *err) {
	const char *const writable[] = { plan->dir };
	if (!plan->sandbox)
		return 0;
	struct sandbox *box = sandbox_new(writable, 1, 0, NULL, err);
	int r = box ? sandbox_enter(box, err) : -1;
	sandbox_free(box);
	return r == 0 ? 0 : err_prefix(err, "sandbox ('sandbox = off' does without)");
}

/* The client is told nothing before TLS is sure: until then 454 is still true. */
static int accept_tls(struct tls_session_state *s, const struct plan *plan, struct err *err) {
	s->tls = tls_server_new(plan->certificate, plan->key, err);
	if (!s->tls) {
		say("454 4.7.0 TLS is not available now\r\n");
		return -1;
	}
	if (plan->users && read_users(s, plan->users, err) != 0) {
		log_error("nobody can log in: %s", err->msg);
	}
	s->users_known = s->users.count > 0;
	if (enter_sandbox(plan, err) != 0) {
		say("454 4.7.0 TLS is not available now\r\n");
		return -1;
	}
	if (say("220 2.0.0 go ahead\r\n") != 0)
		return err_sys(err, "the client has gone");
	s->conn = conn_adopt(HANDOVER_CLIENT_FD, err);
	if (!s->conn)
		return -1;
	if (conn_accept_tls(s->conn, s->tls, HANDSHAKE_MS, err) != 0)
		return err_prefix(err, "client %s", plan->address ? plan->address : "?");
	return 0;
}

int handover_take(void) {
	struct tls_session_state s = { .conn = NULL };
	struct plan plan;
	struct err err = ERR_INIT;
	if (read_plan(&plan, &err) != 0) {
		log_error("%s", err.msg);
		return EX_SOFTWARE;
	}
	bool ok = accept_tls(&s, &plan, &err) == 0 && serve(&s, &plan, &err) == 0;
	if (!ok)
		log_error("a session under TLS ends: %s", err.msg);
	end_exchange(&s);
	conn_free(s.conn);
	tls_server_free(s.tls);
	smtp_auth_users_release(&s.users);
	plan_release(&plan);
	return ok ? EX_OK : EX_TEMPFAIL;
}
