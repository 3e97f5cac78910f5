/*
 * The settings in words: what is in force, where it came from, and what is odd about it.
 */

#include <errno.h>
#include <unistd.h>

#include "base/term.h"
#include "config/source.h"

static void each_in_section(const struct settings *s, enum config_section_id id,
			    size_t i, config_value_fn *fn, void *ctx) {
	const struct config_section *section = config_section(s, id, i);
	for (size_t k = 0; k < config_key_count; k++) {
		const struct config_key *key = &config_keys[k];
		const struct config_origin *at = &section->key[k];
		AUTO_BUF struct buf value = BUF_INIT(CONFIG_VALUE_MAX);
		if (key->section != id)
			continue;
		key->type->show(key, config_base(s, id, i), &value);
		struct config_shown shown = {
			.section = config_sections[id].word,
			.name = id == CONFIG_RELAY   ? s->relay[i].name
				: id == CONFIG_ROUTE ? s->route[i].name
				: id == CONFIG_DKIM  ? s->dkim[i].domain
						     : NULL,
			.key = key->name,
			.value = buf_span(&value),
			.is_default = !at->file || at->unset || at->broken,
			.file = at->file ? s->source->file[at->file - 1] : NULL,
			.line = at->line,
		};
		fn(ctx, &shown);
	}
}

void config_each(const struct settings *s, config_value_fn *fn, void *ctx) {
	each_in_section(s, CONFIG_TOP, 0, fn, ctx);
	for (size_t i = 0; i < s->relay_count; i++)
		each_in_section(s, CONFIG_RELAY, i, fn, ctx);
	each_in_section(s, CONFIG_IDENTITY, 0, fn, ctx);
	each_in_section(s, CONFIG_QUEUE, 0, fn, ctx);
	each_in_section(s, CONFIG_LISTEN, 0, fn, ctx);
	each_in_section(s, CONFIG_NOTIFY, 0, fn, ctx);
	each_in_section(s, CONFIG_WATCH, 0, fn, ctx);
	for (size_t i = 0; i < s->route_count; i++)
		each_in_section(s, CONFIG_ROUTE, i, fn, ctx);
	for (size_t i = 0; i < s->dkim_count; i++)
		each_in_section(s, CONFIG_DKIM, i, fn, ctx);
}

static void show_one(void *ctx, const struct config_shown *v) {
	struct buf *out = ctx;
	AUTO_BUF struct buf line = BUF_INIT(CONFIG_VALUE_MAX * 2);
	buf_addf(&line, "%s%s%s%s%s =%s%.*s  # ", v->section, v->name ? " " : "",
		 v->name ? v->name : "", v->section[0] ? " " : "", v->key, v->value.len ? " " : "",
		 (int)v->value.len, v->value.len ? v->value.p : "");
	if (v->is_default)
		buf_adds(&line, v->file ? "default, not " : "default");
	if (v->file)
		buf_addf(&line, "%s:%u", v->file, v->line);
	term_safe_again(out, buf_span(&line));
	buf_addc(out, '\n');
}

int config_show(const struct settings *s, struct buf *out) {
	config_each(s, show_one, out);
	return buf_failed(out) ? -1 : 0;
}

void config_warn_at(const struct settings *s, const struct config_origin *at,
		    struct buf *out) {
	term_safe_again(out, span_str(s->source->label[at->file - 1]));
	buf_addf(out, ":%u:%u: warning: ", at->line, at->column);
}

static void warn_login(const struct settings *s, size_t i, struct buf *out) {
	const struct config_relay *relay = &s->relay[i];
	const struct config_origin *key = s->source->relay[i].key;
	int tls = config_key_find(CONFIG_RELAY, SPAN("tls"));
	int login = config_key_find(CONFIG_RELAY, SPAN("login"));
	if (!relay->login ||
	    (relay->tls != CONFIG_TLS_NONE && relay->tls != CONFIG_TLS_OPPORTUNISTIC))
		return;
	/* nobody wrote tls where host chose it */
	config_warn_at(s, &key[key[tls].file > 0 ? tls : login], out);
	buf_addf(out,
		 "[relay %s] logs in %s; only mechanisms that do not show the password "
		 "are used then (SCRAM, CRAM-MD5)\n",
		 relay->name,
		 relay->tls == CONFIG_TLS_NONE
			 ? "without TLS"
			 : "even where TLS or a trusted certificate is missing");
}

void config_relay_place(const struct settings *s, size_t i, const char *key, struct buf *out) {
	int k = config_key_find(CONFIG_RELAY, span_str(key));
	config_warn_at(s, &s->source->relay[i].key[k < 0 ? 0 : k], out);
}

static void warn_file(const struct settings *s, size_t i, const char *name,
		      const char *path, struct buf *out) {
	if (!path || access(path, F_OK) == 0 || errno != ENOENT)
		return;
	config_relay_place(s, i, name, out);
	buf_addf(out, "%s: there is no file ", name);
	term_safe_again(out, span_str(path));
	buf_addc(out, '\n');
}

void config_listen_place(const struct settings *s, const char *key, struct buf *out) {
	int k = config_key_find(CONFIG_LISTEN, span_str(key));
	config_warn_at(s, &s->source->listen.key[k < 0 ? 0 : k], out);
}

static void warn_listen_file(const struct settings *s, const char *key, const char *path,
			     struct buf *out) {
	if (!path || access(path, F_OK) == 0 || errno != ENOENT)
		return;
	config_listen_place(s, key, out);
	buf_addf(out, "%s: there is no file ", key);
	term_safe_again(out, span_str(path));
	buf_addc(out, '\n');
}

static void warn_listen(const struct settings *s, struct buf *out) {
	const struct config_listen *l = &s->listen;
	bool beyond = l->tcp_count == 0;
	for (size_t i = 0; i < l->tcp_count; i++)
		beyond |= !inet_is_loopback(&l->tcp[i].addr);
	for (size_t i = 0; i < l->allow_count; i++) {
		if (l->allow[i].prefix > 0)
			continue;
		config_listen_place(s, "allow", out);
		buf_adds(out, "allow: ");
		inet_net_add(out, &l->allow[i]);
		buf_adds(out, " makes this an open relay: whoever reaches it sends mail "
			      "through it\n");
	}
	if (l->allow_count > 0 && !beyond) {
		config_listen_place(s, "allow", out);
		buf_adds(out, "allow: tcp listens on the loopback alone, where other machines "
			      "cannot come\n");
	}
	if (l->tcp_count > 0 && beyond && l->allow_count == 0 && !l->users) {
		config_listen_place(s, "tcp", out);
		buf_adds(out, "tcp: without allow or users other machines are refused "
			      "here\n");
	}
	warn_listen_file(s, "tls", l->tls.certificate, out);
	if (l->tls.key && strcmp(l->tls.key, l->tls.certificate) != 0)
		warn_listen_file(s, "tls", l->tls.key, out);
	warn_listen_file(s, "users", l->users, out);
}

/* Behind a forged SRV record stands a server whose certificate holds for its own name. */
static void warn_srv(const struct settings *s, size_t i, struct buf *out) {
	const struct config_relay *r = &s->relay[i];
	const char *domain;
	if (config_way(r, &domain) != CONFIG_WAY_SRV || !r->login || r->pin || r->ca)
		return;
	config_relay_place(s, i, "host", out);
	buf_adds(out, "host: unless ");
	term_safe_again(out, span_str(domain));
	buf_adds(out, " is signed by DNSSEC, who can forge its SRV records gets the login; with "
		      "pin, ca or the servers' names nobody does\n");
}

/* A delay notice that would come after the mail was given up never comes. */
static void warn_delay(const struct settings *s, struct buf *out) {
	const struct config_origin *key = s->source->queue.key;
	int warning = config_key_find(CONFIG_QUEUE, SPAN("warning"));
	int lifetime = config_key_find(CONFIG_QUEUE, SPAN("lifetime"));
	if (s->warning_ms == 0 || s->warning_ms < s->lifetime_ms || warning < 0 || lifetime < 0)
		return;
	config_warn_at(s, &key[key[warning].file > 0 ? warning : lifetime], out);
	buf_adds(out, "mail is returned at the age of lifetime, before the sender would hear at "
		      "that of warning that it is late; 'warning = never' does without\n");
}

int config_warnings(const struct settings *s, struct buf *out) {
	warn_delay(s, out);
	warn_listen(s, out);
	config_warn_routes(s, out);
	config_warn_dkim(s, out);
	config_warn_watch(s, out);
	for (size_t i = 0; i < s->relay_count; i++) {
		const struct config_relay *relay = &s->relay[i];
		const char *password = relay->password ? relay->password : "";
		warn_login(s, i, out);
		warn_srv(s, i, out);
		warn_file(s, i, "ca", relay->ca, out);
		warn_file(s, i, "cert", relay->cert.certificate, out);
		if (relay->cert.key && strcmp(relay->cert.key, relay->cert.certificate) != 0)
			warn_file(s, i, "cert", relay->cert.key, out);
		warn_file(s, i, "password",
			  strncmp(password, "file:", 5) ? NULL : password + 5, out);
	}
	if (s->mode == CONFIG_PRIVATE && geteuid() == 0)
		buf_adds(out,
			 "warning: running as root; a private instance needs no root\n");
	return buf_failed(out) ? -1 : 0;
}
