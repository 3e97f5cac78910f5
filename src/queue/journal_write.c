/*
 * Writing journal records. Words from servers are cut to what a person needs to see, so
 * that no reply can make a record grow without bound.
 */

#include "queue/journal.h"

#include "base/codec.h"
#include "queue/words.h"

#define REPLY_MAX 2048
#define NAME_MAX_SHOWN 512

static const char *const state_names[] = {
	[RECIPIENT_PENDING] = "pending",
	[RECIPIENT_DEFERRED] = "deferred",
	[RECIPIENT_DELIVERED] = "delivered",
	[RECIPIENT_FAILED] = "failed",
};

const char *recipient_state_name(enum recipient_state s) {
	return state_names[s];
}

static void add_id(struct buf *out, const struct queue_id *id) {
	buf_addf(out, " notice=%s", queue_id_text(id).s);
}

static void add_range(struct buf *out, size_t first, size_t count) {
	buf_addf(out, " first=%zu count=%zu", first, count);
}

int journal_add_attempt(struct buf *out, const struct moment *now, int64_t age_ms,
			int64_t wait_ms, struct span relay) {
	size_t begin = words_record_begin(out, "attempt");
	words_add_moment(out, now);
	codec_word_add_int(out, "age_ms", age_ms);
	codec_word_add_int(out, "wait_ms", wait_ms);
	codec_word_add(out, "relay", span_head(relay, NAME_MAX_SHOWN));
	return words_record_end(out, begin);
}

int journal_add_result(struct buf *out, const struct moment *now, size_t first,
		       size_t count, const struct journal_result *r,
		       const struct queue_id *notice) {
	size_t begin = words_record_begin(out, "result");
	add_range(out, first, count);
	codec_word_add(out, "state", span_str(recipient_state_name(r->state)));
	codec_word_add_int(out, "wall_ms", now->wall_ms);
	codec_word_add(out, "reply", span_head(r->reply, REPLY_MAX));
	codec_word_add(out, "host", span_head(r->host, NAME_MAX_SHOWN));
	if (notice)
		add_id(out, notice);
	return words_record_end(out, begin);
}

int journal_add_reached(struct buf *out, size_t to, struct span address) {
	size_t begin = words_record_begin(out, "reached");
	add_range(out, to, 1);
	codec_word_add(out, "address", address);
	return words_record_end(out, begin);
}

int journal_add_maybe_twice(struct buf *out, size_t first, size_t count) {
	size_t begin = words_record_begin(out, "twice");
	add_range(out, first, count);
	return words_record_end(out, begin);
}

int journal_add_delayed(struct buf *out, const struct moment *now,
			const struct queue_id *notice) {
	size_t begin = words_record_begin(out, "delayed");
	codec_word_add_int(out, "wall_ms", now->wall_ms);
	add_id(out, notice);
	return words_record_end(out, begin);
}

int journal_add_digest(struct buf *out, const struct moment *now,
		       const struct queue_id *notice, int64_t held,
		       const struct queue_id *last) {
	size_t begin = words_record_begin(out, "digest");
	codec_word_add_int(out, "wall_ms", now->wall_ms);
	add_id(out, notice);
	codec_word_add_int(out, "held", held);
	codec_word_add(out, "last", span_str(queue_id_text(last).s));
	return words_record_end(out, begin);
}

int journal_add_noticed(struct buf *out, const struct queue_id *notice) {
	size_t begin = words_record_begin(out, "noticed");
	add_id(out, notice);
	return words_record_end(out, begin);
}

int journal_add_hold(struct buf *out, const struct moment *now, const char *reason) {
	size_t begin = words_record_begin(out, "hold");
	codec_word_add_int(out, "wall_ms", now->wall_ms);
	codec_word_add(out, "reason", span_str(reason));
	return words_record_end(out, begin);
}

int journal_add_edited(struct buf *out, const struct queue_id *replacement) {
	size_t begin = words_record_begin(out, "edited");
	add_id(out, replacement);
	return words_record_end(out, begin);
}

int journal_add_release(struct buf *out, const struct moment *now) {
	size_t begin = words_record_begin(out, "release");
	codec_word_add_int(out, "wall_ms", now->wall_ms);
	return words_record_end(out, begin);
}

int journal_add_flush(struct buf *out, const struct moment *now, int64_t age_ms) {
	size_t begin = words_record_begin(out, "flush");
	words_add_moment(out, now);
	codec_word_add_int(out, "age_ms", age_ms);
	return words_record_end(out, begin);
}

int journal_add_dead(struct buf *out, const struct moment *now, const char *reason,
		     int64_t keep_ms) {
	size_t begin = words_record_begin(out, "dead");
	codec_word_add_int(out, "wall_ms", now->wall_ms);
	codec_word_add(out, "reason", span_str(reason));
	codec_word_add_int(out, "keep_ms", keep_ms);
	return words_record_end(out, begin);
}

int journal_add_revived(struct buf *out, const struct moment *now) {
	size_t begin = words_record_begin(out, "revived");
	words_add_moment(out, now);
	return words_record_end(out, begin);
}
