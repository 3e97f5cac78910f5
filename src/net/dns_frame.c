/* Frames of questions and answers. Either side may be broken into, so either side checks. */

#include "net/dns_frame.h"

static void put(struct buf *out, uint32_t number, unsigned bytes) {
	while (bytes-- > 0)
		buf_addc(out, (char)(number >> 8 * bytes & 0xff));
}

static bool take(struct span *in, unsigned bytes, uint32_t *ret) {
	if (in->len < bytes)
		return false;
	*ret = 0;
	for (unsigned i = 0; i < bytes; i++)
		*ret = *ret << 8 | (uint8_t)in->p[i];
	*in = span_from(*in, bytes);
	return true;
}

/* Bytes behind a length of one or two bytes. */
static bool take_bytes(struct span *in, unsigned bytes, struct span *ret) {
	struct span rest = *in;
	uint32_t len;
	if (!take(&rest, bytes, &len) || rest.len < len)
		return false;
	*ret = span_head(rest, len);
	*in = span_from(rest, len);
	return true;
}

static bool take_text(struct span *in, unsigned bytes, char *ret, size_t size) {
	struct span s;
	if (!take_bytes(in, bytes, &s) || s.len >= size || span_find(s, '\0') < s.len)
		return false;
	if (s.len > 0)
		memcpy(ret, s.p, s.len);
	ret[s.len] = '\0';
	return true;
}

int dns_frame_add_question(struct buf *frame, uint32_t id, const char *name,
			   enum dns_type type) {
	size_t len = strlen(name);
	if (len > 255)
		return -1;
	if (frame->len == 0)
		buf_addc(frame, DNS_FRAME_QUESTIONS);
	put(frame, id, 4);
	put(frame, type, 2);
	put(frame, (uint32_t)len, 1);
	return buf_addm(frame, name, len);
}

bool dns_frame_take_question(struct span *frame, struct dns_frame_question *ret) {
	struct span in = *frame, name;
	uint32_t type;
	if (!take(&in, 4, &ret->id) || !take(&in, 2, &type) || type == 0 ||
	    !take_bytes(&in, 1, &name) ||
	    !dns_name_parse(name.len > 0 ? name : SPAN("."), ret->name))
		return false;
	ret->type = (enum dns_type)type;
	*frame = in;
	return true;
}

int dns_frame_write_answer(struct buf *frame, uint32_t id, const struct dns_found *f) {
	static const struct dns_found too_large = {
		.status = DNS_SERVFAIL,
		.why = "an answer that is too large",
	};
	const char *canonical = f->canonical ? f->canonical : "";
	const char *why = f->why ? f->why : "";
	size_t why_len = strnlen(why, DNS_FRAME_WHY_MAX);
	bool whole = f->count <= DNS_FRAME_RECORDS_MAX;
	buf_reset(frame);
	buf_addc(frame, DNS_FRAME_ANSWER);
	put(frame, id, 4);
	put(frame, f->status, 1);
	put(frame, f->secure, 1);
	put(frame, f->ttl, 4);
	put(frame, f->cnames, 2);
	put(frame, (uint32_t)strlen(canonical), 1);
	buf_adds(frame, canonical);
	put(frame, (uint32_t)why_len, 2);
	buf_addm(frame, why, why_len);
	put(frame, (uint32_t)f->count, 2);
	for (size_t i = 0; whole && i < f->count; i++) {
		whole = f->record[i].len <= UINT16_MAX;
		put(frame, (uint32_t)f->record[i].len, 2);
		buf_add(frame, f->record[i]);
	}
	whole = whole && !buf_failed(frame) && frame->len <= PROC_FRAME_MAX;
	if (whole || f == &too_large)
		return whole ? 0 : -1;
	return dns_frame_write_answer(frame, id, &too_large);
}

bool dns_frame_read_answer(struct span frame, struct dns_frame_answer *ret) {
	struct dns_found *f = &ret->found;
	uint32_t status, secure, count;
	*f = (struct dns_found){ .record = ret->record };
	if (!take(&frame, 4, &ret->id) || !take(&frame, 1, &status) ||
	    status < DNS_FOUND || status > DNS_BADNAME || !take(&frame, 1, &secure) ||
	    !take(&frame, 4, &f->ttl) || !take(&frame, 2, &f->cnames) ||
	    !take_text(&frame, 1, ret->canonical, sizeof(ret->canonical)) ||
	    !take_text(&frame, 2, ret->why, sizeof(ret->why)) ||
	    !take(&frame, 2, &count) || count > DNS_FRAME_RECORDS_MAX)
		return false;
	f->status = (enum dns_status)status;
	f->secure = secure != 0;
	f->canonical = ret->canonical[0] ? ret->canonical : NULL;
	f->why = ret->why[0] ? ret->why : NULL;
	for (f->count = 0; f->count < count; f->count++)
		if (!take_bytes(&frame, 2, &ret->record[f->count]))
			return false;
	return frame.len == 0;
}
