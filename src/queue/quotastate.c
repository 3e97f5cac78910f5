/*
 * The file `quotas`: one checksummed line (queue/words.h) for each relay, and for each
 * recipient domain of a relay that has limits for domains.
 *
 *   quota RELAY domain=NAME wall_ms= boot_ms= boot_id= wait=MS hour=MS,USED day=MS,USED
 *         start=DAY step=N
 */

#include "queue/quotastate.h"

#include <string.h>

#include "base/codec.h"
#include "base/file.h"
#include "queue/spool.h"
#include "queue/words.h"

#define FILE_MAX (2u << 20)

static bool read_window(struct span s, struct quotastate_window *ret) {
	struct span length;
	uint64_t used;
	if (!span_take_until(&s, ',', &length) || !words_int(length, &ret->length_ms) ||
	    ret->length_ms < 0 || !span_uint(s, WORDS_INT_MAX, &used))
		return false;
	ret->used = used;
	return true;
}

/* Decodes into an array; false when it is no encoding, too long, or holds a NUL. */
static bool read_text(struct span value, char *out, size_t size) {
	AUTO_BUF struct buf plain = BUF_INIT(size - 1);
	if (codec_percent_decode(&plain, value) != 0 ||
	    span_find(buf_span(&plain), '\0') < plain.len)
		return false;
	memcpy(out, buf_str(&plain), plain.len + 1);
	return true;
}

static bool read_word(struct span key, struct span value, struct quotastate *s,
		      unsigned *seen) {
	if (!value.p)
		return false;
	if (span_eq(key, SPAN("domain")))
		return read_text(value, s->domain, sizeof(s->domain));
	if (span_eq(key, SPAN("wait")))
		return words_int(value, &s->wait_ms) && s->wait_ms >= 0;
	if (span_eq(key, SPAN("hour")))
		return read_window(value, &s->hour);
	if (span_eq(key, SPAN("day")))
		return read_window(value, &s->day);
	if (span_eq(key, SPAN("start")))
		return words_int(value, &s->start_day);
	if (span_eq(key, SPAN("step")))
		return words_int(value, &s->step) && s->step >= 0;
	return words_moment(key, value, &s->at, seen);
}

static bool read_quota(struct span line, struct quotastate *ret) {
	struct span word, value;
	unsigned seen = 0;
	*ret = (struct quotastate){ .wait_ms = 0 };
	if (!codec_word_take(&line, &word, &value) || value.p ||
	    !span_eq(word, SPAN("quota")) || !codec_word_take(&line, &word, &value) ||
	    value.p || !read_text(word, ret->relay, sizeof(ret->relay)))
		return false;
	while (codec_word_take(&line, &word, &value))
		if (!read_word(word, value, ret, &seen))
			return false;
	return seen == WORDS_MOMENT_ALL;
}

size_t quotastate_parse(struct span bytes, struct quotastate *ret, size_t max) {
	size_t n = 0;
	struct span line;
	while (n < max && words_record_take(&bytes, &line))
		n += read_quota(line, &ret[n]);
	return n;
}

size_t quotastate_read(struct queue *q, struct quotastate *ret, size_t max) {
	AUTO_BUF struct buf bytes = BUF_INIT(FILE_MAX);
	if (file_read(q->dir, SPOOL_QUOTAS, &bytes, NULL) != 0)
		return 0;
	return quotastate_parse(buf_span(&bytes), ret, max);
}

static void add_window(struct buf *out, const char *key,
		       const struct quotastate_window *w) {
	buf_addf(out, " %s=%lld,%llu", key, (long long)w->length_ms,
		 (unsigned long long)w->used);
}

int quotastate_write(struct queue *q, const struct quotastate *s, size_t count,
		     struct err *err) {
	AUTO_BUF struct buf out = BUF_INIT(FILE_MAX);
	for (size_t i = 0; i < count; i++) {
		size_t begin = words_record_begin(&out, "quota ");
		codec_percent_add(&out, span_str(s[i].relay));
		if (s[i].domain[0])
			codec_word_add(&out, "domain", span_str(s[i].domain));
		words_add_moment(&out, &s[i].at);
		codec_word_add_int(&out, "wait", s[i].wait_ms);
		add_window(&out, "hour", &s[i].hour);
		add_window(&out, "day", &s[i].day);
		codec_word_add_int(&out, "start", s[i].start_day);
		codec_word_add_int(&out, "step", s[i].step);
		if (words_record_end(&out, begin) != 0)
			return err_set(err, ERR_LIMIT, "%s: too many quotas",
				       SPOOL_QUOTAS);
	}
	return file_replace(q->dir, SPOOL_QUOTAS, 0600, buf_span(&out), err);
}
