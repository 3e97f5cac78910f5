/*
 * Records as zone files write them (RFC 1035 §5, RFC 3597), in both directions by one table:
 * a type is a row of fields. Text of strangers comes out escaped, so that a line stays a line.
 */

#include "base/codec.h"
#include "base/term.h"
#include "net/dns.h"
#include "net/dns_backend.h"

#define RDATA_MAX 65535u

/* What the letters are: dns_backend.h. */
static const struct {
	enum dns_type type;
	const char *fields;
} layouts[] = {
	{ DNS_A, "a" },     { DNS_AAAA, "A" },      { DNS_NS, "n" },
	{ DNS_CNAME, "n" }, { DNS_PTR, "n" },       { DNS_MX, "2n" },
	{ DNS_TXT, "t" },   { DNS_SRV, "222n" },    { DNS_SOA, "nn44444" },
	{ DNS_DS, "211x" }, { DNS_DNSKEY, "211b" }, { DNS_TLSA, "111x" },
	{ DNS_CAA, "1sv" },
};

const char *dns_rdata_layout(enum dns_type type) {
	for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++)
		if (layouts[i].type == type)
			return layouts[i].fields;
	return "";
}

static void add_hex(struct buf *out, struct span s) {
	for (size_t i = 0; i < s.len; i++)
		codec_hex_add(out, (uint8_t)s.p[i], 2);
}

static void add_string(struct buf *out, struct span s) {
	buf_addc(out, '"');
	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = (uint8_t)s.p[i];
		if (c < 0x20 || c >= 0x7f)
			buf_addf(out, "\\%03u", c);
		else if (c == '"' || c == '\\')
			buf_addf(out, "\\%c", c);
		else
			buf_addc(out, (char)c);
	}
	buf_addc(out, '"');
}

static bool take_string(struct span *in, struct span *ret) {
	size_t len = in->len > 0 ? (uint8_t)in->p[0] : 0;
	if (in->len < len + 1)
		return false;
	*ret = span_of(in->p + 1, len);
	*in = span_from(*in, len + 1);
	return true;
}

static bool add_number(struct buf *out, struct span *in, size_t bytes) {
	uint32_t number = 0;
	if (in->len < bytes)
		return false;
	for (size_t i = 0; i < bytes; i++)
		number = number << 8 | (uint8_t)in->p[i];
	*in = span_from(*in, bytes);
	return buf_addf(out, "%lu", (unsigned long)number) == 0;
}

static bool add_address(struct buf *out, struct span *in, uint8_t bits) {
	struct inet_addr a = { .bits = bits };
	if (in->len < bits / 8u)
		return false;
	memcpy(a.byte, in->p, bits / 8u);
	*in = span_from(*in, bits / 8u);
	return inet_addr_add(out, &a) == 0;
}

static bool add_name(struct buf *out, struct span *in) {
	size_t before = out->len;
	/* A name of escapes may be longer than dns_name_parse() takes. */
	if (!dns_take_name(in, out) || out->len - before > 255)
		return false;
	return out->len > before || buf_addc(out, '.') == 0;
}

static bool add_strings(struct buf *out, struct span *in) {
	struct span s;
	for (bool first = true; in->len > 0; first = false) {
		if (!first)
			buf_addc(out, ' ');
		if (!take_string(in, &s))
			return false;
		add_string(out, s);
	}
	return true;
}

static bool add_field(struct buf *out, char field, struct span *in) {
	struct span s;
	switch (field) {
	case 'a':
		return add_address(out, in, 32);
	case 'A':
		return add_address(out, in, 128);
	case 'n':
		return add_name(out, in);
	case 't':
		return in->len > 0 && add_strings(out, in);
	case 's':
		if (!take_string(in, &s))
			return false;
		add_string(out, s);
		return true;
	case 'v':
		add_string(out, *in);
		break;
	case 'x':
		add_hex(out, *in);
		break;
	case 'b':
		codec_base64_add(out, *in);
		break;
	default:
		return add_number(out, in, (size_t)(field - '0'));
	}
	*in = span_from(*in, in->len);
	return true;
}

int dns_rdata_add(struct buf *out, enum dns_type type, struct span rdata) {
	size_t before = out->len;
	struct span in = rdata;
	const char *field = dns_rdata_layout(type);
	bool good = *field != '\0';
	for (; good && *field; field++) {
		if (out->len > before)
			buf_addc(out, ' ');
		good = add_field(out, *field, &in);
	}
	if ((good && in.len == 0) || buf_failed(out))
		return buf_failed(out) ? -1 : 0;
	buf_truncate(out, before);
	buf_addf(out, "\\# %zu", rdata.len);
	if (rdata.len > 0)
		buf_addc(out, ' ');
	add_hex(out, rdata);
	return buf_failed(out) ? -1 : 0;
}

/* Takes a word, or what stands in quotes; true when there was one. */
static bool take_text(struct span *in, struct buf *ret, bool *ret_bad) {
	while (in->len > 0 && (in->p[0] == ' ' || in->p[0] == '\t'))
		*in = span_from(*in, 1);
	if (in->len == 0)
		return false;
	bool quoted = span_take_char(in, '"');
	buf_reset(ret);
	while (in->len > 0 &&
	       (quoted ? in->p[0] != '"' : in->p[0] != ' ' && in->p[0] != '\t')) {
		uint64_t number;
		char c = in->p[0];
		*in = span_from(*in, 1);
		if (c == '\\' && in->len > 0) {
			c = in->p[0];
			if (in->len >= 3 &&
			    span_uint(span_head(*in, 3), UINT8_MAX, &number)) {
				c = (char)number;
				*in = span_from(*in, 2);
			}
			*in = span_from(*in, 1);
		}
		buf_addc(ret, c);
	}
	*ret_bad |= (quoted && !span_take_char(in, '"')) || buf_failed(ret);
	return true;
}

static void put_strings(struct buf *out, struct span s) {
	do {
		struct span piece = span_head(s, 255);
		buf_addc(out, (char)piece.len);
		buf_add(out, piece);
		s = span_from(s, piece.len);
	} while (s.len > 0);
}

static bool put_number(struct buf *out, struct span word, size_t bytes) {
	uint64_t number;
	if (!span_uint(word, (1ull << 8 * bytes) - 1, &number))
		return false;
	while (bytes-- > 0)
		buf_addc(out, (char)(number >> 8 * bytes & 0xff));
	return true;
}

static bool put_address(struct buf *out, struct span word, uint8_t bits) {
	struct inet_addr a;
	if (!inet_addr_parse(word, &a))
		return false;
	/* The address values know no ::ffff:192.0.2.1, which a record may well have. */
	if (a.bits == 32 && bits == 128 && span_find(word, ':') < word.len)
		buf_addm(out, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
	else if (a.bits != bits)
		return false;
	buf_addm(out, a.byte, a.bits / 8);
	return true;
}

static bool put_name(struct buf *out, struct span word) {
	char name[256];
	return dns_name_parse(word, name) && dns_name_wire(out, name) == 0;
}

/* Hexadecimal and base64 may stand in several words. */
static bool put_coded(struct buf *out, struct span in, bool hex) {
	AUTO_BUF struct buf joined = BUF_INIT(2 * RDATA_MAX);
	struct span word, digits;
	uint64_t byte;
	while (span_take_word(&in, &word))
		buf_add(&joined, word);
	if (!hex)
		return codec_base64_decode(out, buf_span(&joined)) == 0;
	for (digits = buf_span(&joined); digits.len > 0;) {
		if (!span_take_hex(&digits, 2, &byte))
			return false;
		buf_addc(out, (char)byte);
	}
	return true;
}

static bool put_generic(struct buf *out, struct span in) {
	struct span word;
	uint64_t len;
	size_t before = out->len;
	return span_take_word(&in, &word) && span_uint(word, RDATA_MAX, &len) &&
	       put_coded(out, in, true) && out->len - before == len;
}

static bool put_field(struct buf *out, char field, struct span *in) {
	AUTO_BUF struct buf word = BUF_INIT(RDATA_MAX);
	bool bad = false;
	if (field == 'x' || field == 'b') {
		struct span all = *in;
		*in = span_from(*in, in->len);
		return put_coded(out, all, field == 'x');
	}
	struct span plain;
	if (field == 'n') {
		/* A name has escapes of its own. */
		return span_take_word(in, &plain) && put_name(out, plain);
	}
	if (!take_text(in, &word, &bad) || bad)
		return false;
	switch (field) {
	case 'a':
		return put_address(out, buf_span(&word), 32);
	case 'A':
		return put_address(out, buf_span(&word), 128);
	case 't':
		do
			put_strings(out, buf_span(&word));
		while (take_text(in, &word, &bad) && !bad);
		return !bad;
	case 's':
		put_strings(out, buf_span(&word));
		return word.len <= 255;
	case 'v':
		return buf_add(out, buf_span(&word)) == 0;
	default:
		return put_number(out, buf_span(&word), (size_t)(field - '0'));
	}
}

int dns_rdata_parse(struct span text, enum dns_type type, struct buf *out,
		    struct err *err) {
	AUTO_BUF struct buf rdata = BUF_INIT(RDATA_MAX), shown = BUF_INIT(512);
	struct span in = span_trim(text);
	const char *field = dns_rdata_layout(type);
	bool good;
	if (span_take_lit(&in, SPAN("\\#"))) {
		good = put_generic(&rdata, in);
	} else {
		good = *field != '\0';
		for (; good && *field; field++)
			good = put_field(&rdata, *field, &in);
		good = good && span_trim(in).len == 0;
	}
	if (good && !buf_failed(&rdata) && buf_add(out, buf_span(&rdata)) == 0)
		return 0;
	term_safe(&shown, span_head(text, 80));
	return err_set(err, ERR_SYNTAX, "not the text of a record of type %s: %s",
		       dns_type_name(type), buf_str(&shown));
}
