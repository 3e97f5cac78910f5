/*
 * The file `relays`: one checksummed line (queue/words.h) for each relay. Reading
 * stops at a damaged line; what is lost is only that held time does not count.
 *
 *   relay NAME held=0|1 since=WALL,BOOT,ID until=WALL,BOOT,ID reason=TEXT out_of_step=WALL,BOOT,ID
 *         offers=TEXT certs=TEXT
 */

#include "queue/relaystate.h"

#include <stdlib.h>
#include <string.h>

#include "base/codec.h"
#include "base/file.h"
#include "queue/spool.h"
#include "queue/words.h"

#define FILE_MAX (1u << 20)

static void add_moment(struct buf *out, const char *key, const struct moment *m) {
	buf_addf(out, " %s=%lld,%lld,%08lx", key, (long long)m->wall_ms,
		 (long long)m->boot_ms, (unsigned long)m->boot_id);
}

static bool read_moment(struct span s, struct moment *ret) {
	struct span wall, boot;
	uint64_t id;
	if (!span_take_until(&s, ',', &wall) || !words_int(wall, &ret->wall_ms) ||
	    !span_take_until(&s, ',', &boot) || !words_int(boot, &ret->boot_ms) ||
	    !span_take_hex(&s, 8, &id) || s.len > 0)
		return false;
	ret->boot_id = (uint32_t)id;
	return true;
}

/* Decodes into an array; false when it is no encoding, too long, or holds a NUL. */
static bool read_text(struct span value, char *out, size_t size) {
	AUTO_BUF struct buf plain = BUF_INIT(size - 1);
	if (codec_percent_decode(&plain, value) != 0)
		return false;
	size_t nul = span_find(buf_span(&plain), '\0');
	memcpy(out, buf_str(&plain), plain.len + 1);
	return nul == plain.len;
}

static bool read_word(struct span key, struct span value, struct relaystate *r) {
	if (!value.p)
		return false;
	if (span_eq(key, SPAN("since")))
		return read_moment(value, &r->since);
	if (span_eq(key, SPAN("until")))
		return read_moment(value, &r->until);
	if (span_eq(key, SPAN("out_of_step")))
		return read_moment(value, &r->out_of_step);
	if (span_eq(key, SPAN("reason")))
		return read_text(value, r->reason, sizeof(r->reason));
	if (span_eq(key, SPAN("offers")))
		return read_text(value, r->offers, sizeof(r->offers));
	if (span_eq(key, SPAN("certs")))
		return read_text(value, r->certs, sizeof(r->certs));
	r->held = span_eq(value, SPAN("1"));
	return span_eq(key, SPAN("held")) && (r->held || span_eq(value, SPAN("0")));
}

static bool read_relay(struct span line, struct relaystate *ret) {
	struct span word, value;
	*ret = (struct relaystate){ .held = false };
	if (!codec_word_take(&line, &word, &value) || value.p ||
	    !span_eq(word, SPAN("relay")) || !codec_word_take(&line, &word, &value) ||
	    value.p || !read_text(word, ret->relay, sizeof(ret->relay)))
		return false;
	while (codec_word_take(&line, &word, &value))
		if (!read_word(word, value, ret))
			return false;
	return true;
}

size_t relaystate_parse(struct span bytes, struct relaystate *ret, size_t max) {
	size_t n = 0;
	struct span line;
	while (n < max && words_record_take(&bytes, &line))
		n += read_relay(line, &ret[n]);
	return n;
}

size_t relaystate_read(struct queue *q, struct relaystate *ret, size_t max) {
	AUTO_BUF struct buf bytes = BUF_INIT(FILE_MAX);
	if (file_read(q->dir, SPOOL_RELAYS, &bytes, NULL) != 0)
		return 0;
	return relaystate_parse(buf_span(&bytes), ret, max);
}

int relaystate_write(struct queue *q, const struct relaystate *r, size_t count,
		     struct err *err) {
	AUTO_BUF struct buf out = BUF_INIT(FILE_MAX);
	for (size_t i = 0; i < count; i++) {
		size_t begin = words_record_begin(&out, "relay ");
		codec_percent_add(&out, span_str(r[i].relay));
		codec_word_add_int(&out, "held", r[i].held);
		add_moment(&out, "since", &r[i].since);
		add_moment(&out, "until", &r[i].until);
		codec_word_add(&out, "reason", span_str(r[i].reason));
		if (r[i].out_of_step.boot_id != 0)
			add_moment(&out, "out_of_step", &r[i].out_of_step);
		if (r[i].offers[0])
			codec_word_add(&out, "offers", span_str(r[i].offers));
		if (r[i].certs[0])
			codec_word_add(&out, "certs", span_str(r[i].certs));
		if (words_record_end(&out, begin) != 0)
			return err_set(err, ERR_LIMIT, "%s: too many relays",
				       SPOOL_RELAYS);
	}
	return file_replace(q->dir, SPOOL_RELAYS, 0600, buf_span(&out), err);
}

int64_t relaystate_overlap_ms(const struct relaystate *r, const struct moment *from,
			      const struct moment *now) {
	int64_t from_ago = clock_elapsed_ms(from, now);
	int64_t since_ago = clock_elapsed_ms(&r->since, now);
	int64_t until_ago = r->held ? 0 : clock_elapsed_ms(&r->until, now);
	int64_t begin_ago = from_ago < since_ago ? from_ago : since_ago;
	return begin_ago > until_ago ? begin_ago - until_ago : 0;
}
