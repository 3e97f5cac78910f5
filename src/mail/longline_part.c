/* Content-Type and Content-Transfer-Encoding (RFC 2045 sections 5 and 6); see
 * longline_part.h. */

#include "mail/longline_part.h"

#include "mail/chars.h"
#include "mail/header.h"

#define VALUE_MAX (64u << 10)

static const char sealed[] = "in a signed or encrypted part, which may not be changed";

/* Types that are not to be touched; a name that ends in '*' is the beginning of several. */
static const struct {
	struct span type;
	const char *why;
} closed_types[] = {
	{ SPAN_INIT("multipart/signed"), sealed },
	{ SPAN_INIT("multipart/encrypted"), sealed },
	{ SPAN_INIT("application/pkcs7-*"), sealed },
	{ SPAN_INIT("application/x-pkcs7-*"), sealed },
	{ SPAN_INIT("application/pgp*"), sealed },
	{ SPAN_INIT("message/*"),
	  "in a report or a partial message, which cannot be encoded" },
};

/* The first word of a field's value, up to a blank, a comment or a parameter. */
static struct span take_token(struct span *in) {
	size_t n = 0;
	*in = span_trim(*in);
	while (n < in->len && !strchr(" \t\r\n;(", in->p[n]))
		n++;
	struct span token = span_head(*in, n);
	*in = span_from(*in, n);
	return token;
}

static const char *closed_why(struct span type) {
	for (size_t i = 0; i < sizeof(closed_types) / sizeof(*closed_types); i++) {
		struct span t = closed_types[i].type;
		bool many = t.p[t.len - 1] == '*';
		if (many ? span_starts_nocase(type, span_head(t, t.len - 1))
			 : span_eq_nocase(type, t))
			return closed_types[i].why;
	}
	return NULL;
}

static bool copy_boundary(struct span value, struct longline_level *level) {
	bool quoted = span_take_char(&value, '"');
	level->len = 0;
	for (size_t i = 0; i < value.len; i++) {
		if (quoted ? value.p[i] == '"' : strchr(" \t(", value.p[i]) != NULL)
			break;
		if (quoted && value.p[i] == '\\' && i + 1 < value.len)
			i++;
		if (level->len == sizeof(level->boundary))
			return false;
		level->boundary[level->len++] = value.p[i];
	}
	return level->len > 0;
}

/* Takes one parameter, with the semicolon that ends it. */
static struct span take_parameter(struct span *in) {
	size_t n = 0;
	bool quoted = false;
	for (; n < in->len && (quoted || in->p[n] != ';'); n++) {
		if (in->p[n] == '"')
			quoted = !quoted;
		else if (quoted && in->p[n] == '\\')
			n++;
	}
	struct span parameter = span_trim(span_head(*in, n));
	*in = span_from(*in, n + 1);
	return parameter;
}

static bool find_boundary(struct span parameters, struct longline_level *level) {
	while (parameters.len > 0) {
		struct span value = take_parameter(&parameters), name;
		if (span_take_until(&value, '=', &name) &&
		    span_eq_nocase(span_trim(name), SPAN("boundary")))
			return copy_boundary(span_trim(value), level);
	}
	return false;
}

static struct longline_part closed(const char *why) {
	return (struct longline_part){ LONGLINE_CLOSED, why };
}

static struct longline_part judge(struct span type, struct span parameters,
				  struct span encoding, struct longline_level *level) {
	bool plain = encoding.len == 0 || span_eq_nocase(encoding, SPAN("7bit")) ||
		     span_eq_nocase(encoding, SPAN("8bit"));
	bool message = span_eq_nocase(type, SPAN("message/rfc822")) ||
		       span_eq_nocase(type, SPAN("message/global"));
	const char *why = message ? NULL : closed_why(type);
	if (why)
		return closed(why);
	if (span_starts_nocase(type, SPAN("multipart/"))) {
		if (!plain || !level || !find_boundary(parameters, level))
			return closed("in a multipart that cannot be read");
		level->digest = span_eq_nocase(type, SPAN("multipart/digest"));
		return (struct longline_part){ .kind = LONGLINE_MULTIPART };
	}
	if (message && plain)
		return (struct longline_part){ .kind = LONGLINE_MESSAGE };
	if (plain)
		return (struct longline_part){ .kind = LONGLINE_LEAF };
	if (span_eq_nocase(encoding, SPAN("base64")))
		return (struct longline_part){ .kind = LONGLINE_BASE64 };
	return closed("in a part that has an encoding already");
}

int longline_part_read(struct span head, bool in_digest, struct longline_part *ret,
		       struct longline_level *level) {
	AUTO_BUF struct buf value = BUF_INIT(VALUE_MAX), coded = BUF_INIT(VALUE_MAX);
	struct span type = in_digest ? SPAN("message/rfc822") : SPAN("text/plain");
	struct span parameters = SPAN(""), encoding = SPAN("");
	struct header_field f;
	if (header_find(head, "Content-Type", &f)) {
		if (f.value.len > VALUE_MAX) {
			*ret = closed("in a part whose Content-Type cannot be read");
			return 0;
		}
		if (header_unfold(f.value, &value) != 0)
			return -1;
		parameters = buf_span(&value);
		type = take_token(&parameters);
	}
	if (header_find(head, "Content-Transfer-Encoding", &f)) {
		if (header_unfold(span_head(f.value, VALUE_MAX), &coded) != 0)
			return -1;
		encoding = buf_span(&coded);
		encoding = take_token(&encoding);
	}
	*ret = judge(type, parameters, encoding, level);
	return 0;
}

/* A character that the end of what is known cuts in two counts as well-formed. */
static bool is_utf8(struct span s) {
	uint32_t cp;
	while (s.len > 3)
		if (!span_take_utf8(&s, &cp))
			return false;
	return true;
}

void longline_part_fields(struct span head, struct span body, bool is_message,
			  struct buf *out) {
	struct header_field f;
	if (is_message && !header_find(head, "MIME-Version", &f))
		buf_adds(out, "MIME-Version: 1.0\r\n");
	if (!header_find(head, "Content-Type", &f))
		buf_addf(out, "Content-Type: text/plain; charset=%s\r\n",
			 is_utf8(body) ? "utf-8" : "unknown-8bit");
	buf_adds(out, "Content-Transfer-Encoding: quoted-printable\r\n");
}
