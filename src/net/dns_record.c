/*
 * Records and names, between their bytes in a message (RFC 1035 §3) and what the rest of the
 * program reads. Rdata comes uncompressed from every backend, so a compression pointer in a
 * name is an error here.
 */

#include <stdio.h>

#include "base/codec.h"
#include "net/dns.h"
#include "net/dns_backend.h"

static const struct {
	enum dns_type type;
	const char *name;
} types[] = {
	{ DNS_A, "A" },     { DNS_NS, "NS" },     { DNS_CNAME, "CNAME" },
	{ DNS_SOA, "SOA" }, { DNS_PTR, "PTR" },   { DNS_MX, "MX" },
	{ DNS_TXT, "TXT" }, { DNS_AAAA, "AAAA" }, { DNS_SRV, "SRV" },
	{ DNS_DS, "DS" },   { DNS_TLSA, "TLSA" }, { DNS_DNSKEY, "DNSKEY" },
	{ DNS_CAA, "CAA" },
};
#define TYPES (sizeof(types) / sizeof(types[0]))

static const char *const statuses[] = {
	[DNS_PENDING] = "not asked yet", [DNS_FOUND] = "found",
	[DNS_NODATA] = "no such record", [DNS_NXDOMAIN] = "NXDOMAIN",
	[DNS_SERVFAIL] = "SERVFAIL",     [DNS_BOGUS] = "bogus",
	[DNS_TIMEOUT] = "timeout",       [DNS_BADNAME] = "bad name",
};

const char *dns_type_name(enum dns_type type) {
	static char other[16];
	for (size_t i = 0; i < TYPES; i++)
		if (types[i].type == type)
			return types[i].name;
	snprintf(other, sizeof(other), "TYPE%u", (unsigned)type & 0xffffu);
	return other;
}

bool dns_type_parse(struct span s, enum dns_type *ret) {
	uint64_t number;
	for (size_t i = 0; i < TYPES; i++)
		if (span_eq_nocase(s, span_str(types[i].name))) {
			*ret = types[i].type;
			return true;
		}
	if (!span_take_lit_nocase(&s, SPAN("TYPE")) ||
	    !span_uint(s, UINT16_MAX, &number) || number == 0)
		return false;
	*ret = (enum dns_type)number;
	return true;
}

const char *dns_status_name(enum dns_status status) {
	return statuses[status];
}

/* A byte of a label as text. */
static int add_byte(struct buf *out, uint8_t c) {
	if (c <= 0x20 || c >= 0x7f || c == '.' || c == '\\')
		return buf_addf(out, "\\%03u", c);
	return buf_addc(out, (char)c);
}

/* Takes a byte of a name's text: 1, 0 for a dot between labels, -1 for a bad escape. */
static int take_byte(struct span *in, uint8_t *ret) {
	uint64_t number;
	uint8_t c = (uint8_t)in->p[0];
	*in = span_from(*in, 1);
	*ret = c;
	if (c != '\\')
		return c == '.' ? 0 : 1;
	if (in->len == 0)
		return -1;
	if (in->p[0] < '0' || in->p[0] > '9') {
		*ret = (uint8_t)in->p[0];
		*in = span_from(*in, 1);
		return 1;
	}
	if (in->len < 3 || !span_uint(span_head(*in, 3), UINT8_MAX, &number))
		return -1;
	*ret = (uint8_t)number;
	*in = span_from(*in, 3);
	return 1;
}

bool dns_name_parse(struct span s, char ret[256]) {
	AUTO_BUF struct buf out = BUF_INIT(255);
	size_t label = 0, wire = 1;
	bool is_root = span_eq(s, SPAN("."));
	ret[0] = '\0';
	if (s.len == 0 || s.len > 4 * DNS_WIRE_NAME_MAX)
		return false;
	while (s.len > 0 && !is_root) {
		uint8_t c;
		int kind = take_byte(&s, &c);
		if (kind < 0)
			return false;
		if (kind == 0) {
			if (label == 0)
				return false;
			wire += label + 1;
			label = 0;
			if (s.len > 0)
				buf_addc(&out, '.');
		} else {
			add_byte(&out, (uint8_t)span_lower((char)c));
			if (++label > 63)
				return false;
		}
	}
	wire += label > 0 ? label + 1 : 0;
	if (buf_failed(&out) || wire > DNS_WIRE_NAME_MAX)
		return false;
	memcpy(ret, buf_str(&out), out.len + 1);
	return true;
}

int dns_name_wire(struct buf *out, const char *name) {
	struct span s = span_str(name);
	char label[63];
	size_t len = 0;
	while (s.len > 0) {
		uint8_t c;
		int kind = take_byte(&s, &c);
		if (kind > 0 && len < sizeof(label))
			label[len++] = (char)c;
		if (kind <= 0 || s.len == 0) {
			buf_addc(out, (char)len);
			buf_addm(out, label, len);
			len = 0;
		}
	}
	return buf_addc(out, '\0');
}

bool dns_take_name(struct span *rdata, struct buf *out) {
	struct span in = *rdata;
	size_t wire = 0, before = out->len;
	for (;;) {
		uint8_t len = in.len > 0 ? (uint8_t)in.p[0] : 64;
		wire += (size_t)len + 1;
		if (len > 63 || in.len < (size_t)len + 1 || wire > DNS_WIRE_NAME_MAX)
			break;
		if (len == 0) {
			*rdata = span_from(in, 1);
			return !buf_failed(out);
		}
		if (wire > (size_t)len + 1)
			buf_addc(out, '.');
		for (size_t i = 1; i <= len; i++)
			add_byte(out, (uint8_t)in.p[i]);
		in = span_from(in, (size_t)len + 1);
	}
	buf_truncate(out, before);
	return false;
}

bool dns_txt(struct span rdata, struct buf *out) {
	struct span in = rdata;
	while (in.len > 0) {
		size_t len = (uint8_t)in.p[0];
		if (in.len < len + 1)
			return false;
		in = span_from(in, len + 1);
	}
	for (; rdata.len > 0; rdata = span_from(rdata, (size_t)(uint8_t)rdata.p[0] + 1))
		buf_addm(out, rdata.p + 1, (uint8_t)rdata.p[0]);
	return !buf_failed(out);
}

bool dns_addr(const struct dns_answer *a, size_t i, struct inet_addr *ret) {
	size_t want = a->type == DNS_A ? 4 : a->type == DNS_AAAA ? 16 : 0;
	*ret = (struct inet_addr){ .bits = 0 };
	if (want == 0 || i >= a->count || a->record[i].len != want)
		return false;
	ret->bits = (uint8_t)(want * 8);
	memcpy(ret->byte, a->record[i].p, want);
	return true;
}

static bool take_u16(struct span *in, uint16_t *ret) {
	if (in->len < 2)
		return false;
	*ret = (uint16_t)((uint8_t)in->p[0] << 8 | (uint8_t)in->p[1]);
	*in = span_from(*in, 2);
	return true;
}

bool dns_host(struct span rdata, char ret[256]) {
	AUTO_BUF struct buf name = BUF_INIT(255);
	ret[0] = '\0';
	if (!dns_take_name(&rdata, &name) || rdata.len > 0)
		return false;
	memcpy(ret, buf_str(&name), name.len + 1);
	for (char *c = ret; *c; c++)
		*c = span_lower(*c);
	return true;
}

bool dns_mx(struct span rdata, struct dns_mx *ret) {
	return take_u16(&rdata, &ret->preference) && dns_host(rdata, ret->host);
}

bool dns_srv(struct span rdata, struct dns_srv *ret) {
	return take_u16(&rdata, &ret->priority) && take_u16(&rdata, &ret->weight) &&
	       take_u16(&rdata, &ret->port) && dns_host(rdata, ret->host);
}

bool dns_tlsa(struct span rdata, struct dns_tlsa *ret) {
	if (rdata.len < 3)
		return false;
	ret->usage = (uint8_t)rdata.p[0];
	ret->selector = (uint8_t)rdata.p[1];
	ret->matching = (uint8_t)rdata.p[2];
	ret->data = span_from(rdata, 3);
	return true;
}

int dns_reverse_name(struct buf *out, const struct inet_addr *a) {
	for (size_t i = a->bits / 8; i-- > 0;)
		if (a->bits == 32)
			buf_addf(out, "%u.", a->byte[i]);
		else
			buf_addf(out, "%x.%x.", a->byte[i] & 15u, a->byte[i] >> 4);
	return buf_adds(out, a->bits == 32 ? "in-addr.arpa" : "ip6.arpa");
}
