/*
 * Frames between manager, nightmail-deliver and workers: lines of words (base/codec.h). One
 * table per line kind says which words it has and where they live, so that writing and
 * reading cannot differ. Unknown words are an error: both ends come from one build.
 */

#include "deliver/wire.h"

#include <stdlib.h>

#include "base/codec.h"
#include "deliver/wire_field.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define W(key, kind, member) \
	{ key, kind, offsetof(struct wire_worker, member), 0 }

static const struct wire_field worker_fields[] = {
	W("slot", FIELD_UNSIGNED, slot),
	W("dir", FIELD_STRING, dir),
	W("helo", FIELD_STRING, helo),
	W("domain", FIELD_STRING, domain),
	W("hostname", FIELD_STRING, hostname),
	W("root", FIELD_STRING, root),
	W("from", FIELD_STRING, from),
	W("envelope_from", FIELD_STRING, envelope_from),
	W("masquerade", FIELD_STRING, masquerade),
	W("aliases", FIELD_STRING, aliases),
	W("retry_min_ms", FIELD_INT64, retry_min_ms),
	W("retry_max_ms", FIELD_INT64, retry_max_ms),
	W("idle_ms", FIELD_INT64, idle_ms),
	W("refused", FIELD_UNSIGNED, refused),
	W("refused_from", FIELD_STRING, refused_from),
	W("sandbox", FIELD_BOOL, sandbox),
	W("resolve", FIELD_BOOL, resolve),
	W("resolver", FIELD_STRING, resolver),
	W("trust_anchor", FIELD_STRING, trust_anchor),
	W("dkim", FIELD_STRING, dkim),
	W("destination", FIELD_STRING, destination),
	W("relays", FIELD_STRING, relays),
	W("route", FIELD_ROUTE, route),
	W("relay", FIELD_STRING, relay.name),
	W("host", FIELD_HOST, relay.host),
	W("port", FIELD_PORT, relay.port),
	W("tls", FIELD_TLS, relay.tls),
	W("login", FIELD_STRING, relay.login),
	W("password", FIELD_STRING, relay.password),
	W("ca", FIELD_STRING, relay.ca),
	W("pin", FIELD_STRING, relay.pin),
	W("cert", FIELD_STRING, relay.cert.certificate),
	W("cert_key", FIELD_STRING, relay.cert.key),
	W("min_tls", FIELD_UNSIGNED, relay.min_tls),
	W("priority", FIELD_STRING, relay.priority),
	W("auth", FIELD_STRING, relay.auth),
	W("source", FIELD_STRING, relay.source),
	W("per_connection", FIELD_UNSIGNED, relay.per_connection),
	W("stream", FIELD_BOOL, stream),
	W("alone", FIELD_BOOL, alone),
	W("auth_seen", FIELD_STRING, auth_seen),
	W("auth_hold", FIELD_BOOL, auth_hold),
	W("tls_optional", FIELD_BOOL, tls_optional),
	W("connect_ms", FIELD_INT64, relay.connect_timeout_ms),
	W("reply_ms", FIELD_INT64, relay.reply_timeout_ms),
	W("data_ms", FIELD_INT64, relay.data_timeout_ms),
};

#define R(key, kind, member)                                               \
	{                                                                  \
		key, kind, offsetof(struct wire_report, member),           \
			sizeof(((const struct wire_report *)NULL)->member) \
	}

static const struct wire_field up_fields[] = {
	R("host", FIELD_CHARS, host),        R("tls", FIELD_CHARS, tls),
	R("cipher", FIELD_CHARS, cipher),    R("auth", FIELD_CHARS, auth),
	R("verified", FIELD_BOOL, verified), R("auth_host", FIELD_CHARS, auth_host),
	R("auth_best", FIELD_CHARS, auth_best), R("resumed", FIELD_BOOL, resumed),
	R("name", FIELD_CHARS, name),        R("cert_from", FIELD_INT64, cert_from_s),
	R("cert_until", FIELD_INT64, cert_until_s),
};
static const struct wire_field down_fields[] = {
	R("stage", FIELD_CHARS, stage),
	R("code", FIELD_INT, code),
	R("text", FIELD_CHARS, text),
	R("words", FIELD_CHARS, words),
};
static const struct wire_field busy_fields[] = { R("text", FIELD_CHARS, text),
						 R("words", FIELD_CHARS, words) };
static const struct wire_field text_fields[] = { R("text", FIELD_CHARS, text) };
static const struct wire_field unsigned_fields[] = { R("name", FIELD_CHARS, name),
						     R("text", FIELD_CHARS, text) };
static const struct wire_field id_fields[] = { R("id", FIELD_ID, id) };
static const struct wire_field end_fields[] = { R("id", FIELD_ID, id),
						R("sent", FIELD_UNSIGNED, sent) };
static const struct wire_field later_fields[] = {
	R("id", FIELD_ID, id),
	R("wait_ms", FIELD_INT64, wait_ms),
	R("age_ms", FIELD_INT64, age_ms),
	R("recorded", FIELD_BOOL, recorded),
	R("sent", FIELD_UNSIGNED, sent),
};
static const struct wire_field skip_fields[] = { R("id", FIELD_ID, id),
						 R("why", FIELD_WHY, why) };
static const struct wire_field refused_fields[] = { R("count", FIELD_UNSIGNED, count),
						    R("text", FIELD_CHARS, text) };
static const struct wire_field result_fields[] = {
	R("id", FIELD_ID, id),
	R("state", FIELD_CHARS, state),
	R("from", FIELD_CHARS, from),
	R("to", FIELD_CHARS, to),
	R("host", FIELD_CHARS, host),
	R("text", FIELD_CHARS, text),
	R("dsn", FIELD_CHARS, dsn),
	R("queue_ms", FIELD_INT64, queue_ms),
	R("connect_ms", FIELD_INT64, connect_ms),
	R("send_ms", FIELD_INT64, send_ms),
};
static const struct wire_field exited_fields[] = {
	R("slot", FIELD_UNSIGNED, slot),
	R("status", FIELD_INT, status),
};
static const struct wire_field trouble_fields[] = {
	R("slot", FIELD_UNSIGNED, slot),
	R("text", FIELD_CHARS, text),
};

static const struct {
	const char *word;
	const struct wire_field *fields;
	size_t count;
} reports[] = {
	[WIRE_UP] = { "up", up_fields, COUNT(up_fields) },
	[WIRE_DOWN] = { "down", down_fields, COUNT(down_fields) },
	[WIRE_BUSY] = { "busy", busy_fields, COUNT(busy_fields) },
	[WIRE_TOKEN_OVER] = { "token-over", NULL, 0 },
	[WIRE_DONE] = { "done", end_fields, COUNT(end_fields) },
	[WIRE_LATER] = { "later", later_fields, COUNT(later_fields) },
	[WIRE_NOTICE] = { "notice", end_fields, COUNT(end_fields) },
	[WIRE_HELD] = { "held", end_fields, COUNT(end_fields) },
	[WIRE_BACK] = { "back", id_fields, COUNT(id_fields) },
	[WIRE_ELSEWHERE] = { "elsewhere", end_fields, COUNT(end_fields) },
	[WIRE_SKIP] = { "skip", skip_fields, COUNT(skip_fields) },
	[WIRE_WINDOW_CLEAN] = { "window", NULL, 0 },
	[WIRE_REFUSED] = { "refused", refused_fields, COUNT(refused_fields) },
	[WIRE_NO_STREAM] = { "no-stream", text_fields, COUNT(text_fields) },
	[WIRE_BROKEN] = { "broken", text_fields, COUNT(text_fields) },
	[WIRE_UNSIGNED] = { "unsigned", unsigned_fields, COUNT(unsigned_fields) },
	[WIRE_RESULT] = { "result", result_fields, COUNT(result_fields) },
	[WIRE_EXITED] = { "exited", exited_fields, COUNT(exited_fields) },
	[WIRE_TROUBLE] = { "trouble", trouble_fields, COUNT(trouble_fields) },
};

int wire_worker_write(struct buf *out, const struct wire_worker *w) {
	return wire_line_write(out, "worker", w, worker_fields, COUNT(worker_fields));
}

int wire_worker_parse(struct span line, struct wire_worker *ret, struct err *err) {
	struct wire_worker w = { .slot = 0 };
	struct span word, value, rest = line;
	if (rest.len > 0 && rest.p[rest.len - 1] == '\n')
		rest.len--;
	if (!codec_word_take(&rest, &word, &value) || !span_eq(word, SPAN("worker")) ||
	    value.p)
		return err_set(err, ERR_SYNTAX, "no worker line");
	if (!wire_fields_read(rest, &w, worker_fields, COUNT(worker_fields))) {
		wire_worker_release(&w);
		return err_set(err, ERR_SYNTAX,
			       "a word of a worker line is not understood");
	}
	if (!w.dir || !w.helo || !w.relay.name || w.relay.host_count == 0) {
		wire_worker_release(&w);
		return err_set(err, ERR_SYNTAX,
			       "a worker line without dir, helo, relay or host");
	}
	*ret = w;
	return 0;
}

void wire_worker_release(struct wire_worker *w) {
	free(w->dir);
	free(w->helo);
	free(w->domain);
	free(w->hostname);
	free(w->root);
	free(w->from);
	free(w->envelope_from);
	free(w->masquerade);
	free(w->aliases);
	free(w->refused_from);
	free(w->resolver);
	free(w->trust_anchor);
	free(w->auth_seen);
	free(w->dkim);
	free(w->destination);
	free(w->relays);
	for (size_t i = 0; i < w->route_count; i++)
		wire_route_release(&w->route[i]);
	free(w->route);
	free(w->relay.name);
	for (size_t i = 0; i < w->relay.host_count; i++)
		free(w->relay.host[i]);
	free(w->relay.login);
	free(w->relay.pin);
	free(w->relay.cert.certificate);
	free(w->relay.cert.key);
	free(w->relay.priority);
	free(w->relay.password);
	free(w->relay.ca);
	free(w->relay.auth);
	free(w->relay.source);
	*w = (struct wire_worker){ .slot = 0 };
}

int wire_report_write(struct buf *out, const struct wire_report *r) {
	return wire_line_write(out, reports[r->kind].word, r, reports[r->kind].fields,
			       reports[r->kind].count);
}

int wire_report_take(struct span *frame, struct wire_report *ret) {
	struct span line, word, value;
	if (!span_take_line(frame, &line))
		return 0;
	if (!codec_word_take(&line, &word, &value) || value.p)
		return -1;
	for (unsigned i = 0; i < COUNT(reports); i++) {
		if (!span_eq(word, span_str(reports[i].word)))
			continue;
		*ret = (struct wire_report){ .kind = (enum wire_kind)i };
		return wire_fields_read(line, ret, reports[i].fields, reports[i].count)
			       ? 1
			       : -1;
	}
	return -1;
}

static const struct wire_field message_fields[] = {
	{ "id", FIELD_ID, offsetof(struct wire_message, id), 0 },
	{ "held_ms", FIELD_INT64, offsetof(struct wire_message, held_ms), 0 },
	{ "except", FIELD_STRING, offsetof(struct wire_message, except), 0 },
};

int wire_message_write(struct buf *out, const struct wire_message *m) {
	return wire_line_write(out, "message", m, message_fields, COUNT(message_fields));
}

int wire_message_take(struct span *frame, struct wire_message *ret) {
	struct span line, word, value;
	*ret = (struct wire_message){ .held_ms = 0 };
	if (!span_take_line(frame, &line))
		return 0;
	if (!codec_word_take(&line, &word, &value) || !span_eq(word, SPAN("message")) ||
	    value.p)
		return -1;
	if (wire_fields_read(line, ret, message_fields, COUNT(message_fields)))
		return 1;
	free(ret->except);
	ret->except = NULL;
	return -1;
}
