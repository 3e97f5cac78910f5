/*
 * The macro language of SPF (RFC 7208 section 7). Values are bytes that the client chose, so
 * nothing here is shown to anybody without being made safe first.
 */

#include "authres/spf_state.h"

#include "base/auto.h"

#define VALUE_MAX 2048
#define PARTS_MAX 256
#define NAME_MAX_LEN 253

static void add_ip(struct buf *out, const struct inet_addr *ip) {
	static const char hex[] = "0123456789ABCDEF";
	if (ip->bits == 32) {
		inet_addr_add(out, ip);
		return;
	}
	for (unsigned i = 0; i < 32; i++) {
		unsigned byte = ip->byte[i / 2];
		if (i > 0)
			buf_addc(out, '.');
		buf_addc(out, hex[i % 2 ? byte & 15 : byte >> 4]);
	}
}

/* --- the validated name of the client --- */

struct best_name {
	struct span domain;
	unsigned rank; /* 3: the domain itself, 2: below it, 1: another */
	char name[256];
};

static bool take_best(void *ctx, const char *name) {
	struct best_name *best = ctx;
	struct span n = span_str(name);
	unsigned rank = 1;
	if (span_eq_nocase(n, best->domain))
		rank = 3;
	else if (n.len > best->domain.len && span_ends_nocase(n, best->domain) &&
		 n.p[n.len - best->domain.len - 1] == '.')
		rank = 2;
	if (rank > best->rank) {
		best->rank = rank;
		snprintf(best->name, sizeof(best->name), "%s", name);
	}
	return best->rank == 3;
}

static bool add_validated(struct spf_state *s, const char *domain, struct buf *out) {
	struct best_name best = { .domain = span_str(domain) };
	if (!spf_validated_names(s, take_best, &best))
		return false;
	buf_adds(out, best.rank > 0 ? best.name : "unknown");
	return true;
}

/* --- values --- */

static bool add_value(struct spf_state *s, char letter, const char *domain,
		      struct buf *out) {
	const struct spf_query *q = s->q;
	switch (letter) {
	case 's':
		buf_add(out, s->sender_shown);
		break;
	case 'l':
		buf_add(out, s->local);
		break;
	case 'o':
		buf_adds(out, s->sender_domain);
		break;
	case 'd':
		buf_adds(out, domain);
		break;
	case 'i':
		add_ip(out, &q->ip);
		break;
	case 'p':
		return add_validated(s, domain, out);
	case 'v':
		buf_adds(out, q->ip.bits == 32 ? "in-addr" : "ip6");
		break;
	case 'h':
		buf_add(out, q->helo);
		break;
	case 'c':
		inet_addr_add(out, &q->ip);
		break;
	case 'r':
		buf_add(out, q->receiver.len > 0 ? q->receiver : SPAN("unknown"));
		break;
	default: /* 't' */
		buf_addf(out, "%lld", (long long)q->now_s);
		break;
	}
	return true;
}

/* URL-escapes what is not unreserved (RFC 3986 section 2.3). */
static void add_part(struct buf *out, struct span part, bool escape) {
	for (size_t i = 0; i < part.len; i++) {
		char c = part.p[i];
		if (!escape || span_is_alnum(c) || (c && strchr("-._~", c)))
			buf_addc(out, c);
		else
			buf_addf(out, "%%%02X", (unsigned)(unsigned char)c);
	}
}

/* Splits the value, reverses, keeps right-hand parts, joins with dots. */
static void transform(const struct spf_macro *m, struct span value, struct buf *out) {
	struct span part[PARTS_MAX];
	struct span delimiters = m->delimiters.len > 0 ? m->delimiters : SPAN(".");
	size_t count = 0, start = 0;
	if (!m->reverse && m->digits == 0 && m->delimiters.len == 0) {
		add_part(out, value, m->escape);
		return;
	}
	for (size_t i = 0; i <= value.len && count < PARTS_MAX; i++) {
		bool end = i == value.len ||
			   span_find(delimiters, value.p[i]) < delimiters.len;
		if (!end)
			continue;
		part[count++] = span_of(value.p + start, i - start);
		start = i + 1;
	}
	size_t keep = m->digits > 0 && m->digits < count ? m->digits : count;
	for (size_t i = count - keep; i < count; i++) {
		/* Kept are the last parts of what the reversal leaves. */
		size_t at = m->reverse ? count - 1 - i : i;
		if (i > count - keep)
			buf_addc(out, '.');
		add_part(out, part[at], m->escape);
	}
}

bool spf_expand(struct spf_state *s, struct span in, enum spf_macro_where where,
		const char *domain, struct buf *out) {
	struct spf_macro m;
	while (spf_take_macro(&in, where, &m) > 0) {
		AUTO_BUF struct buf value = BUF_INIT(VALUE_MAX);
		if (m.letter == 0) {
			buf_add(out, m.text);
			continue;
		}
		if (strchr("%_-", m.letter)) {
			buf_adds(out, m.letter == '%'   ? "%"
				      : m.letter == '_' ? " "
							: "%20");
			continue;
		}
		if (!add_value(s, m.letter, domain, &value))
			return false;
		transform(&m, buf_span(&value), out);
	}
	return true;
}

/* What a backslash of the client means in a name is not his to say. */
static bool escape_backslashes(struct buf *out) {
	AUTO_BUF struct buf plain = BUF_INIT(out->max);
	if (span_find(buf_span(out), '\\') == out->len)
		return true;
	buf_add(&plain, buf_span(out));
	buf_reset(out);
	for (size_t i = 0; i < plain.len; i++)
		buf_adds(out,
			 plain.data[i] == '\\' ? "\\092" : (char[]){ plain.data[i], 0 });
	return true;
}

bool spf_expand_domain(struct spf_state *s, struct span in, const char *domain,
		       struct buf *out) {
	if (!spf_expand(s, in, SPF_MACRO_DOMAIN, domain, out))
		return false;
	if (out->len > 0 && out->data[out->len - 1] == '.')
		buf_truncate(out, out->len - 1);
	while (out->len > NAME_MAX_LEN) {
		size_t dot = span_find(buf_span(out), '.');
		if (dot == out->len)
			break;
		buf_consume(out, dot + 1);
	}
	return escape_backslashes(out);
}
