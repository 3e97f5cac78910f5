/*
 * Responses, read for one question: the chain of CNAMEs is followed from the name that was
 * asked, and only the records at its end count, wherever the message has them. A compression
 * pointer must lead backwards, so every name ends.
 */

#include "net/dns_message.h"

#define HEAD_BYTES 12u
#define RDATA_MAX (256u << 10)
#define TYPE_SOA_TAIL \
	20u /* five numbers, the last of them the TTL of what is not there */

/* Where a reader stands; the names need the whole packet. */
struct reader {
	struct span packet;
	size_t at;
};

/* A resource record. */
struct rr {
	char owner[256];
	uint16_t type, class;
	uint32_t ttl;
	size_t rdata, len; /* in the packet */
};

static bool take_number(struct reader *r, size_t bytes, uint32_t *ret) {
	if (r->packet.len - r->at < bytes)
		return false;
	*ret = 0;
	while (bytes-- > 0)
		*ret = *ret << 8 | (uint8_t)r->packet.p[r->at++];
	return true;
}

static bool take_u16(struct reader *r, uint16_t *ret) {
	uint32_t number;
	if (!take_number(r, 2, &number))
		return false;
	*ret = (uint16_t)number;
	return true;
}

/* Appends the name at r->at in the form without compression. */
static bool take_wire_name(struct reader *r, struct buf *out) {
	size_t at = r->at, end = 0, total = 0, limit = r->at;
	for (;;) {
		if (at >= r->packet.len)
			return false;
		uint8_t len = (uint8_t)r->packet.p[at];
		if (len >= 0xc0) {
			if (at + 2 > r->packet.len)
				return false;
			size_t to = (len & 0x3fu) << 8 | (uint8_t)r->packet.p[at + 1];
			if (to >= limit)
				return false;
			end = end > 0 ? end : at + 2;
			at = limit = to;
			continue;
		}
		total += (size_t)len + 1;
		if (len > 63 || total > DNS_WIRE_NAME_MAX ||
		    r->packet.len - at < (size_t)len + 1)
			return false;
		buf_addm(out, r->packet.p + at, (size_t)len + 1);
		at += (size_t)len + 1;
		if (len == 0)
			break;
	}
	r->at = end > 0 ? end : at;
	return !buf_failed(out);
}

static bool take_host(struct reader *r, char ret[256]) {
	AUTO_BUF struct buf wire = BUF_INIT(DNS_WIRE_NAME_MAX + 1);
	return take_wire_name(r, &wire) && dns_host(buf_span(&wire), ret);
}

static bool take_rr(struct reader *r, struct rr *ret) {
	uint16_t len;
	if (!take_host(r, ret->owner) || !take_u16(r, &ret->type) ||
	    !take_u16(r, &ret->class) || !take_number(r, 4, &ret->ttl) ||
	    !take_u16(r, &len) || r->packet.len - r->at < len)
		return false;
	ret->rdata = r->at;
	ret->len = len;
	r->at += len;
	return true;
}

/* Appends the rdata with its names written out. */
static bool add_rdata(struct reader r, const struct rr *rr, struct buf *out) {
	size_t end = rr->rdata + rr->len;
	r.packet = span_head(r.packet, end);
	r.at = rr->rdata;
	for (const char *f = dns_rdata_layout((enum dns_type)rr->type); *f; f++) {
		size_t bytes = (size_t)(*f - '0');
		if (*f == 'n') {
			if (!take_wire_name(&r, out))
				return false;
		} else if (*f >= '1' && *f <= '4') {
			if (end - r.at < bytes)
				return false;
			buf_addm(out, r.packet.p + r.at, bytes);
			r.at += bytes;
		} else {
			break;
		}
	}
	return buf_addm(out, r.packet.p + r.at, end - r.at) == 0;
}

static void lower_ttl(struct dns_message *m, uint32_t ttl, bool *set) {
	if (!*set || ttl < m->ttl)
		m->ttl = ttl;
	*set = true;
}

/* One step of the chain: true when the name is an alias. */
static bool follow(struct reader r, unsigned answers, enum dns_type type,
		   struct dns_message *m, bool *ttl_set) {
	struct rr rr;
	char to[256];
	for (unsigned i = 0; i < answers && take_rr(&r, &rr); i++) {
		struct reader inner = { r.packet, rr.rdata };
		if (rr.type != DNS_CNAME || type == DNS_CNAME || rr.class != 1 ||
		    strcmp(rr.owner, m->canonical) != 0 || !take_host(&inner, to))
			continue;
		lower_ttl(m, rr.ttl, ttl_set);
		memcpy(m->canonical, to, sizeof(to));
		m->cnames++;
		return true;
	}
	return false;
}

static bool collect(struct reader *r, unsigned answers, enum dns_type type,
		    struct dns_message *m, bool *ttl_set) {
	size_t at = 0, before;
	struct rr rr;
	for (unsigned i = 0; i < answers; i++) {
		if (!take_rr(r, &rr))
			return false;
		if (rr.type != (uint16_t)type || rr.class != 1 ||
		    m->count == DNS_MESSAGE_RECORDS_MAX ||
		    strcmp(rr.owner, m->canonical) != 0)
			continue;
		before = m->rdata.len;
		if (!add_rdata(*r, &rr, &m->rdata))
			return false;
		m->record[m->count].len = m->rdata.len - before;
		m->count++;
		lower_ttl(m, rr.ttl, ttl_set);
	}
	for (size_t i = 0; i < m->count; at += m->record[i++].len)
		m->record[i].p = buf_str(&m->rdata) + at;
	return true;
}

/* How long nothing is there: RFC 2308 §5. */
static void read_authority(struct reader *r, unsigned count, struct dns_message *m,
			   bool *ttl_set) {
	struct rr rr;
	for (unsigned i = 0; i < count && take_rr(r, &rr); i++) {
		struct reader tail = { r->packet, rr.rdata + rr.len - 4 };
		uint32_t least;
		if (rr.type != DNS_SOA || rr.len < TYPE_SOA_TAIL ||
		    !take_number(&tail, 4, &least))
			continue;
		lower_ttl(m, rr.ttl < least ? rr.ttl : least, ttl_set);
	}
}

bool dns_message_read(struct span packet, const char *name, enum dns_type type,
		      struct dns_message *ret) {
	struct reader r = { packet, 2 };
	uint16_t flags, questions, answers, authority, more;
	bool ttl_set = false;
	ret->rcode = ret->cnames = 0;
	ret->ttl = 0;
	ret->count = 0;
	buf_init(&ret->rdata, RDATA_MAX);
	snprintf(ret->canonical, sizeof(ret->canonical), "%s", name);
	if (packet.len < HEAD_BYTES || !take_u16(&r, &flags) ||
	    !take_u16(&r, &questions) || !take_u16(&r, &answers) ||
	    !take_u16(&r, &authority) || !take_u16(&r, &more) || !(flags & 0x8000u))
		return false;
	ret->rcode = flags & 15u;
	for (unsigned i = 0; i < questions; i++) {
		char asked[256];
		uint32_t type_and_class;
		if (!take_host(&r, asked) || !take_number(&r, 4, &type_and_class))
			return false;
	}
	while (ret->cnames <= DNS_CNAMES_MAX && follow(r, answers, type, ret, &ttl_set))
		;
	if (!collect(&r, answers, type, ret, &ttl_set))
		return false;
	if (ret->count == 0)
		read_authority(&r, authority, ret, &ttl_set);
	return true;
}
