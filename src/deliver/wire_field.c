/* Members of structs as words of a line, both ways. */

#include "deliver/wire_field.h"

#include <stdlib.h>

#include "base/codec.h"
#include "deliver/wire.h"

#define VALUE_MAX 16384u /* a route: three values of the configuration, and names */
#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const char *const tls_words[] = {
	[CONFIG_TLS_STARTTLS] = "starttls",
	[CONFIG_TLS_IMPLICIT] = "implicit",
	[CONFIG_TLS_OPPORTUNISTIC] = "opportunistic",
	[CONFIG_TLS_NONE] = "none",
	[CONFIG_TLS_DANE] = "dane",
};

static const char *const why_words[] = {
	[WIRE_SKIP_BUSY] = "busy",
	[WIRE_SKIP_GONE] = "gone",
	[WIRE_SKIP_DAMAGED] = "damaged",
	[WIRE_SKIP_LOOP] = "loop",
};

static void write_hosts(struct buf *out, const struct config_relay *r) {
	for (size_t i = 0; i < r->host_count; i++)
		codec_word_add(out, "host", span_str(r->host[i]));
}

void wire_route_release(struct route_rule *r) {
	free(r->name);
	free(r->relay);
	free(r->sender);
	free(r->recipient);
	free(r->user);
}

/* name, relay, sender, recipient, user, user ids: with tabs between them, which none has. */
static void write_routes(struct buf *out, const struct wire_worker *w) {
	for (size_t i = 0; i < w->route_count; i++) {
		AUTO_BUF struct buf b = BUF_INIT(VALUE_MAX);
		const struct route_rule *r = &w->route[i];
		buf_addf(&b, "%s\t%s\t%s\t%s\t%s\t", r->name, r->relay,
			 r->sender ? r->sender : "", r->recipient ? r->recipient : "",
			 r->user ? r->user : "");
		for (size_t k = 0; k < r->uid_count; k++)
			buf_addf(&b, " %u", (unsigned)r->uid[k]);
		codec_word_add(out, "route", buf_span(&b));
	}
}

static bool parse_route(struct span s, struct wire_worker *w) {
	struct span part, rest, word;
	uint64_t uid;
	if (w->route_count == ROUTE_RULES_MAX || memchr(s.p, '\0', s.len))
		return false;
	if (!w->route)
		w->route = calloc(ROUTE_RULES_MAX, sizeof(*w->route));
	if (!w->route)
		return false;
	struct route_rule *r = &w->route[w->route_count++];
	char **const texts[] = { &r->name, &r->relay, &r->sender, &r->recipient, &r->user };
	for (size_t i = 0; i < COUNT(texts); i++) {
		if (!span_take_until(&s, '\t', &part))
			return false;
		if ((part.len > 0 || i < 2) && (*texts[i] = span_dup(part)) == NULL)
			return false;
	}
	rest = s;
	while (span_take_word(&rest, &word)) {
		if (r->uid_count == ROUTE_USERS_MAX || !span_uint(word, UINT32_MAX, &uid))
			return false;
		r->uid[r->uid_count++] = (uint32_t)uid;
	}
	return true;
}

static void write_field(struct buf *out, const void *from, const struct wire_field *f) {
	const void *p = (const char *)from + f->offset;
	switch (f->kind) {
	case FIELD_STRING:
		if (*(char *const *)p)
			codec_word_add(out, f->key, span_str(*(char *const *)p));
		break;
	case FIELD_CHARS:
		codec_word_add(out, f->key, span_str(p));
		break;
	case FIELD_HOST:
		write_hosts(out, &((const struct wire_worker *)from)->relay);
		break;
	case FIELD_ROUTE:
		write_routes(out, from);
		break;
	case FIELD_INT64:
		codec_word_add_int(out, f->key, *(const int64_t *)p);
		break;
	case FIELD_UNSIGNED:
		codec_word_add_int(out, f->key, *(const unsigned *)p);
		break;
	case FIELD_INT:
		codec_word_add_int(out, f->key, *(const int *)p);
		break;
	case FIELD_PORT:
		codec_word_add_int(out, f->key, *(const uint16_t *)p);
		break;
	case FIELD_BOOL:
		codec_word_add_int(out, f->key, *(const bool *)p);
		break;
	case FIELD_TLS:
		codec_word_add(out, f->key,
			       span_str(tls_words[*(const enum config_tls *)p]));
		break;
	case FIELD_ID:
		codec_word_add(out, f->key, span_str(queue_id_text(p).s));
		break;
	case FIELD_WHY:
		codec_word_add(out, f->key,
			       span_str(why_words[*(const enum wire_skip *)p]));
		break;
	}
}

int wire_line_write(struct buf *out, const char *word, const void *from,
		    const struct wire_field *fields, size_t count) {
	buf_adds(out, word);
	for (size_t i = 0; i < count; i++)
		write_field(out, from, &fields[i]);
	return buf_addc(out, '\n');
}

/* "-5" and "5": wait statuses and waits may be negative. */
static bool parse_int(struct span s, int64_t max, int64_t *ret) {
	uint64_t n;
	bool negative = span_take_char(&s, '-');
	if (!span_uint(s, (uint64_t)max, &n))
		return false;
	*ret = negative ? -(int64_t)n : (int64_t)n;
	return true;
}

static bool parse_word(struct span s, const char *const *words, size_t count,
		       unsigned *ret) {
	for (unsigned i = 0; i < count; i++)
		if (span_eq(s, span_str(words[i]))) {
			*ret = i;
			return true;
		}
	return false;
}

/* A string with a NUL inside would be another one for C. */
static bool parse_string(struct span s, char **ret) {
	if (memchr(s.p, '\0', s.len))
		return false;
	free(*ret);
	*ret = span_dup(s);
	return *ret != NULL;
}

static bool parse_host(struct span s, struct config_relay *r) {
	if (r->host_count == CONFIG_HOSTS_MAX)
		return false;
	r->host[r->host_count] = NULL;
	if (!parse_string(s, &r->host[r->host_count]))
		return false;
	r->host_count++;
	return true;
}

static void parse_chars(struct span s, char *p, size_t size) {
	size_t n = s.len < size - 1 ? s.len : size - 1;
	memcpy(p, s.p, n);
	p[n] = '\0';
}

static bool parse_number(struct span s, const struct wire_field *f, void *p) {
	int64_t n;
	switch (f->kind) {
	case FIELD_INT64:
		return parse_int(s, INT64_MAX, p);
	case FIELD_UNSIGNED:
		if (!parse_int(s, UINT32_MAX, &n) || n < 0)
			return false;
		*(unsigned *)p = (unsigned)n;
		return true;
	case FIELD_INT:
		if (!parse_int(s, INT32_MAX, &n))
			return false;
		*(int *)p = (int)n;
		return true;
	case FIELD_PORT:
		if (!parse_int(s, UINT16_MAX, &n) || n < 0)
			return false;
		*(uint16_t *)p = (uint16_t)n;
		return true;
	case FIELD_BOOL:
		if (!parse_int(s, 1, &n) || n < 0)
			return false;
		*(bool *)p = n == 1;
		return true;
	case FIELD_STRING:
	case FIELD_CHARS:
	case FIELD_HOST:
	case FIELD_ROUTE:
	case FIELD_TLS:
	case FIELD_ID:
	case FIELD_WHY:
		break;
	}
	return false;
}

static bool parse_field(struct span s, const struct wire_field *f, void *into) {
	void *p = (char *)into + f->offset;
	unsigned word;
	switch (f->kind) {
	case FIELD_STRING:
		return parse_string(s, p);
	case FIELD_CHARS:
		parse_chars(s, p, f->size);
		return true;
	case FIELD_HOST:
		return parse_host(s, &((struct wire_worker *)into)->relay);
	case FIELD_ROUTE:
		return parse_route(s, into);
	case FIELD_TLS:
		if (!parse_word(s, tls_words, COUNT(tls_words), &word))
			return false;
		*(enum config_tls *)p = (enum config_tls)word;
		return true;
	case FIELD_WHY:
		if (!parse_word(s, why_words, COUNT(why_words), &word))
			return false;
		*(enum wire_skip *)p = (enum wire_skip)word;
		return true;
	case FIELD_ID:
		return queue_id_parse(s, p);
	case FIELD_INT64:
	case FIELD_UNSIGNED:
	case FIELD_INT:
	case FIELD_PORT:
	case FIELD_BOOL:
		return parse_number(s, f, p);
	}
	return false;
}

static const struct wire_field *find_field(const struct wire_field *fields, size_t count,
					   struct span key) {
	for (size_t i = 0; i < count; i++)
		if (span_eq(span_str(fields[i].key), key))
			return &fields[i];
	return NULL;
}

bool wire_fields_read(struct span line, void *into, const struct wire_field *fields,
		      size_t count) {
	AUTO_BUF struct buf value = BUF_INIT(VALUE_MAX);
	struct span key, coded;
	while (codec_word_take(&line, &key, &coded)) {
		const struct wire_field *f = find_field(fields, count, key);
		buf_reset(&value);
		if (!f || !coded.p || codec_percent_decode(&value, coded) != 0)
			return false;
		if (!parse_field(span_of(buf_str(&value), value.len), f, into))
			return false;
	}
	return true;
}
