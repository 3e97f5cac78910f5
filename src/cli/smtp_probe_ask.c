/* Before the first connection, and the connections: one after another, politely. */

#include "cli/smtp_probe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/file.h"
#include "cli/cli.h"
#include "cli/setup_ask.h"
#include "mail/addr.h"
#include "net/dns_unbound.h"

#define COMPLAINTS_MAX 65536
#define MESSAGE_MAX (64u << 20)

void smtp_probe_name(const struct smtp_probe_target *t, char *out, size_t size) {
	if (t->host[0] && strcmp(t->host, t->where) != 0)
		snprintf(out, size, "%s[%s]", t->host, t->where);
	else
		snprintf(out, size, "%s", t->where);
}

/* As swaks has them: -> sent, <- received, ** refused, with ~ under TLS; === about the connection,
 * *** what went wrong with it. */
void smtp_probe_said(void *ctx, char direction, bool tls, struct span line) {
	AUTO_BUF struct buf safe = BUF_INIT(65536);
	bool refused = line.len > 0 && (line.p[0] == '4' || line.p[0] == '5');
	const char *arrow = direction == '='   ? "==="
			    : direction == '*' ? "***"
			    : direction == '>' ? (tls ? " ~>" : " ->")
			    : refused	       ? (tls ? "<~*" : "<**")
					       : (tls ? "<~ " : "<- ");
	(void)ctx;
	term_safe(&safe, line);
	fprintf(stderr, "%s %s\n", arrow, buf_str(&safe));
}

static int read_secret(struct smtp_probe_run *run) {
	struct err err = ERR_INIT;
	AUTO_BUF struct buf typed = BUF_INIT(SECRET_MAX);
	char question[256];
	if (run->p->secret_file) {
		AUTO_BUF struct buf ref = BUF_INIT(4096);
		buf_addf(&ref, "file:%s", run->p->secret_file);
		return creds_fetch(buf_span(&ref), &run->secret, &err) == 0
			       ? 0
			       : cli_fail(smtp_probe_program, EX_NOINPUT, "%s", err.msg);
	}
	snprintf(question, sizeof(question), "password of %.200s", run->p->user);
	if (!buf_room(&typed, SECRET_MAX) || setup_ask_secret(question, &typed) != 0)
		return cli_fail(smtp_probe_program, EX_NOINPUT, "no password was given");
	run->secret = (struct secret){ .p = span_dup(buf_span(&typed)), .len = typed.len };
	buf_wipe(&typed);
	return run->secret.p ? 0 : cli_fail(smtp_probe_program, EX_OSERR, "out of memory");
}

static bool has_secretless_mechanism(const char *list) {
	struct span rest = span_str(list ? list : ""), word;
	while (span_take_word(&rest, &word))
		if (smtp_auth_needs_no_secret(word))
			return true;
	return false;
}

static int prepare_login(struct smtp_probe_run *run) {
	struct smtp_probe *p = run->p;
	if (p->user)
		p->log_in = true;
	if (!p->log_in)
		return 0;
	if (!p->user && !has_secretless_mechanism(p->mechanisms))
		return cli_usage(smtp_probe_program, "a login needs -au USER");
	if (p->user && !has_secretless_mechanism(p->mechanisms)) {
		int r = read_secret(run);
		if (r != 0)
			return r;
	}
	run->auth = (struct smtp_auth_options){
		.login = p->user,
		.secret = run->secret.p ? span_of(run->secret.p, run->secret.len)
					: (struct span){ NULL, 0 },
		.only = p->mechanisms,
	};
	if (p->stop == PROBE_STOP_EHLO && !p->stop_given)
		p->stop = PROBE_STOP_AUTH;
	return 0;
}

/* The daemon's own settings and secret. */
static int prepare_relay(struct smtp_probe_run *run) {
	struct smtp_probe *p = run->p;
	const struct config_relay *r = config_relay(&run->settings, p->relay);
	struct err err = ERR_INIT;
	if (!r)
		return cli_usage(smtp_probe_program, "there is no [relay %s] in the configuration",
				 p->relay);
	if (config_way(r, NULL) != CONFIG_WAY_HOSTS)
		return cli_usage(smtp_probe_program, "[relay %s] names no servers to connect to",
				 p->relay);
	run->relay = r;
	if (!p->port)
		p->port = r->port;
	if (!p->tls_given)
		p->tls = r->tls == CONFIG_TLS_IMPLICIT	       ? PROBE_TLS_IMPLICIT
			 : r->tls == CONFIG_TLS_NONE	       ? PROBE_TLS_NONE
			 : r->tls == CONFIG_TLS_OPPORTUNISTIC ? PROBE_TLS_OPTIONAL
							       : PROBE_TLS_STARTTLS;
	if (!p->ca_file)
		p->ca_file = r->ca;
	if (!p->cert)
		p->cert = r->cert.certificate, p->key = r->cert.key;
	if (r->login && r->password &&
	    creds_fetch(span_str(r->password), &run->secret, &err) != 0)
		return cli_fail(smtp_probe_program, EX_NOPERM, "%s", err.msg);
	if (!p->stop_given)
		p->stop = PROBE_STOP_AUTH;
	run->auth = (struct smtp_auth_options){
		.login = r->login,
		.secret = run->secret.p ? span_of(run->secret.p, run->secret.len)
					: (struct span){ NULL, 0 },
		.token = r->password && creds_is_token(span_str(r->password)),
		.only = r->auth,
	};
	p->log_in = r->login != NULL || config_needs_no_secret(r);
	return 0;
}

static int prepare_trust(struct smtp_probe_run *run) {
	struct err err = ERR_INIT;
	if (run->p->tls == PROBE_TLS_NONE)
		return 0;
	run->trust = tls_client_new(run->p->ca_file, &err);
	if (run->trust && (!run->p->cert || tls_client_use(run->trust, run->p->cert, run->p->key,
							   &err) == 0))
		return 0;
	return cli_fail(smtp_probe_program, EX_NOINPUT, "%s", err.msg);
}

static int prepare_dns(struct smtp_probe_run *run) {
	const struct smtp_probe *p = run->p;
	struct err err = ERR_INIT;
	bool by_config = run->relay && (run->settings.resolver || run->relay->tls == CONFIG_TLS_DANE);
	if (!p->mx && !p->dane && !p->server && !by_config)
		return 0;
	const struct dns_unbound_options o = {
		.server = p->server ? p->server : run->relay ? run->settings.resolver : NULL,
		.trust_anchor = p->trust_anchor	 ? p->trust_anchor
				: run->relay ? run->settings.trust_anchor
						 : NULL,
		.deadline_ms = p->timeout_ms < 10000 ? p->timeout_ms : 10000,
	};
	run->dns = dns_unbound_open(&o, &err);
	return run->dns ? 0 : cli_fail(smtp_probe_program, EX_OSERR, "%s", err.msg);
}

/* The message in wire form. */
static int read_message(struct smtp_probe_run *run) {
	AUTO_BUF struct buf raw = BUF_INIT(MESSAGE_MAX);
	struct err err = ERR_INIT;
	char piece[65536];
	ssize_t n;
	if (strcmp(run->p->send, "-") == 0) {
		while ((n = read(STDIN_FILENO, piece, sizeof(piece))) > 0)
			buf_addm(&raw, piece, (size_t)n);
		if (n < 0)
			return cli_fail(smtp_probe_program, EX_IOERR, "standard input: %s",
					strerror(errno));
	} else if (file_read(AT_FDCWD, run->p->send, &raw, &err) != 0) {
		return cli_fail(smtp_probe_program, EX_NOINPUT, "%s", err.msg);
	}
	buf_init(&run->content, 2 * MESSAGE_MAX);
	struct span rest = buf_span(&raw), line;
	while (span_take_line(&rest, &line)) {
		buf_add(&run->content, line);
		buf_adds(&run->content, "\r\n");
	}
	if (buf_failed(&run->content) || buf_failed(&raw))
		return cli_fail(smtp_probe_program, EX_DATAERR, "the message is too long");
	run->p->stop = PROBE_STOP_NEVER;
	return 0;
}

static void prepare_stop(struct smtp_probe *p) {
	if (p->stop_given || p->send)
		return;
	if (p->to_count > 0 || p->catchall || p->open_relay)
		p->stop = PROBE_STOP_RCPT;
	else if (p->from)
		p->stop = PROBE_STOP_MAIL;
}

/* Asked on request only: a name that nobody has, and an address that is none of the server's. */
static void prepare_questions(struct smtp_probe_run *run) {
	struct smtp_probe *p = run->p;
	const char *domain = p->mx ? p->mx : p->host ? p->host : "localhost";
	if (p->catchall && p->to_count < PROBE_RECIPIENTS_MAX) {
		const char *at = p->to_count > 0 ? strrchr(p->to[0], '@') : NULL;
		snprintf(run->catchall_to, sizeof(run->catchall_to), "no-such-user-%08x@%.200s",
			 (unsigned)clock_boot_ms() * 2654435761u, at ? at + 1 : domain);
		p->to[p->to_count++] = run->catchall_to;
	}
	if (p->open_relay && p->to_count < PROBE_RECIPIENTS_MAX) {
		snprintf(run->open_to, sizeof(run->open_to), "open-relay-test@example.com");
		snprintf(run->open_from, sizeof(run->open_from), "open-relay-test@example.net");
		p->to[p->to_count++] = run->open_to;
		if (!p->from)
			p->from = run->open_from;
	}
	if (p->to_count > 0 && !p->from)
		p->from = "";
}

/* DNS, SNI and certificates know A-labels only (RFC 5891 section 4.4). */
static int to_ascii(const char **name, char out[256]) {
	AUTO_BUF struct buf ascii = BUF_INIT(1024);
	struct err err = ERR_INIT;
	if (!*name || !addr_is_utf8(span_str(*name)))
		return 0;
	if (addr_domain_ascii(span_str(*name), &ascii, &err) != 0 || ascii.len > 255)
		return cli_usage(smtp_probe_program, "%s: %s", *name,
				 err.msg[0] ? err.msg : "not a host name");
	snprintf(out, 256, "%s", buf_str(&ascii));
	*name = out;
	return 0;
}

static void close_port(struct smtp_probe *p) {
	if (p->port == 0)
		p->port = p->tls == PROBE_TLS_IMPLICIT ? 465 : 25;
}

int smtp_probe_prepare(struct smtp_probe_run *run) {
	struct smtp_probe *p = run->p;
	AUTO_BUF struct buf complaints = BUF_INIT(COMPLAINTS_MAX);
	run->begun_ms = clock_boot_ms();
	buf_init(&run->sts_text, 65536);
	run->configured = config_load(p->config, &run->settings, &complaints) == 0;
	if (!run->configured && (p->relay || p->config)) {
		cli_complaints(smtp_probe_program, &complaints);
		return EX_CONFIG;
	}
	if (!p->helo)
		p->helo = run->settings.helo ? run->settings.helo : "localhost";
	int r = smtp_probe_is_socket(p) ? 0 : to_ascii(&p->host, run->host_ascii);
	if (r == 0)
		r = to_ascii(&p->verify_name, run->name_ascii);
	if (r == 0)
		r = p->relay ? prepare_relay(run) : prepare_login(run);
	close_port(p);
	prepare_stop(p);
	prepare_questions(run);
	if (r == 0)
		r = prepare_trust(run);
	if (r == 0)
		r = prepare_dns(run);
	if (r == 0 && p->send)
		r = read_message(run);
	return r;
}

/* --- the connections --- */

static int connect_socket(const char *path, struct err *err) {
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	AUTO_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (strlen(path) >= sizeof(sa.sun_path))
		return err_set(err, ERR_LIMIT, "the path is longer than %zu bytes",
			       sizeof(sa.sun_path) - 1);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) != 0)
		return err_sys(err, "%s", path);
	return take_fd(&fd);
}

static void fill_plan(const struct smtp_probe_run *run, const struct smtp_probe_target *t,
		      struct probe_plan *plan) {
	const struct smtp_probe *p = run->p;
	*plan = (struct probe_plan){
		.helo = p->helo,
		.tls = p->tls,
		.stop = p->stop,
		.trust = run->trust,
		.auth = p->log_in ? &run->auth : NULL,
		.lmtp = p->lmtp,
		.from = p->from,
		.to_count = p->to_count,
		.content = p->send ? buf_span(&run->content) : (struct span){ NULL, 0 },
		.timeout_ms = p->timeout_ms,
		.said = p->verbose ? smtp_probe_said : NULL,
	};
	memcpy(plan->to, p->to, sizeof(plan->to));
	plan->policy = (struct tls_policy){ .host = p->verify_name ? p->verify_name
						    : t->host[0]   ? t->host
								   : "localhost",
					    .verify = false };
	if (!run->relay)
		return;
	plan->policy.priority = run->relay->priority;
	plan->policy.min_version = run->relay->min_tls;
	plan->policy.pins = config_pins(run->relay, plan->policy.pin);
}

/* At most one connection a second to a host. */
static void be_polite(void) {
	usleep(1000000);
}

/* What ended the session, where it was no reply: that one was seen. */
static void say_end(const struct smtp_probe_run *run, const struct smtp_probe_target *t) {
	const struct probe_result *r = &t->r;
	const char *words = r->connect_error[0] ? r->connect_error
			    : r->tls_error[0]	? r->tls_error
						: r->reply.text;
	if (run->p->verbose && r->failed &&
	    (r->connect_error[0] || r->tls_error[0] || r->reply.local))
		smtp_probe_said(NULL, '*', false, span_str(words));
}

static void ask_one(struct smtp_probe_run *run, struct smtp_probe_target *t) {
	struct probe_plan plan;
	struct tls_policy dane = { .host = t->host, .verify = true };
	fill_plan(run, t, &plan);
	run->auth.host = t->host;
	run->auth.port = run->p->port;
	if (t->has_dane && (t->dane.status == DANE_RECORDS)) {
		dane.tlsa = t->dane.record;
		dane.tlsa_count = t->dane.count;
		dane.names[0] = t->dane.base;
		dane.names[1] = run->p->mx;
		plan.dane = &dane;
	}
	if (run->p->verbose) {
		AUTO_BUF struct buf line = BUF_INIT(512);
		buf_addf(&line, "connecting to %s", t->where);
		if (t->host[0])
			buf_addf(&line, ", port %u", run->p->port);
		smtp_probe_said(NULL, '=', false, buf_span(&line));
	}
	t->tried = true;
	if (t->host[0]) {
		probe_run(&plan, &t->addrs, &t->r);
		bool early = t->r.failed && (t->r.stage == SMTP_STAGE_GREETING ||
					     (t->r.stage == SMTP_STAGE_TLS &&
					      run->p->tls == PROBE_TLS_IMPLICIT));
		if (t->r.connected && early && t->r.banner.code == 0) {
			be_polite();
			t->r.mode = probe_mode(&plan, &t->addrs);
		}
		if (run->p->injection && t->r.before.ext.starttls) {
			be_polite();
			t->injection = probe_injection(&plan, &t->addrs);
		}
		return;
	}
	struct err err = ERR_INIT;
	int fd = connect_socket(t->where, &err);
	if (fd >= 0) {
		probe_run_on(&plan, fd, &t->r);
		return;
	}
	t->r.failed = true;
	t->r.stage = SMTP_STAGE_CONNECT;
	snprintf(t->r.connect_error, sizeof(t->r.connect_error), "%s", err.msg);
}

/* A 421 ends it for all of its addresses. */
void smtp_probe_ask(struct smtp_probe_run *run) {
	const char *last = "", *busy = "";
	for (size_t i = 0; i < run->count; i++) {
		struct smtp_probe_target *t = &run->target[i];
		if (t->host[0] && strcmp(t->host, busy) == 0)
			continue;
		if (t->host[0] && strcmp(t->host, last) == 0)
			be_polite();
		ask_one(run, t);
		say_end(run, t);
		last = t->host;
		if (t->r.banner.code == 421 || t->r.reply.code == 421)
			busy = t->host;
		if (run->p->first && !t->r.failed)
			break;
	}
	run->took_ms = clock_boot_ms() - run->begun_ms;
}

void smtp_probe_release(struct smtp_probe_run *run) {
	secret_release(&run->secret);
	dns_close(run->dns);
	tls_client_free(run->trust);
	buf_release(&run->sts_text);
	buf_release(&run->content);
	finding_clear(&run->findings);
	config_release(&run->settings);
}
