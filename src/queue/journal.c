/*
 * Replaying a journal. A record is first read into one struct whatever its kind, by a table
 * of words; the table of kinds says which words each needs, and what it does to the state.
 * A record that is not whole, or means nothing, ends the journal: what follows it was
 * written by a process that lost power in the middle.
 */

#include "queue/journal.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/codec.h"
#include "queue/words.h"

/* The words of a record; bits 0 to 2 are those of a moment (queue/words.h). */
enum {
	W_WALL = 1,
	W_MOMENT = 7,
	W_AGE = 1 << 3,
	W_WAIT = 1 << 4,
	W_RELAY = 1 << 5,
	W_FIRST = 1 << 6,
	W_COUNT = 1 << 7,
	W_STATE = 1 << 8,
	W_REPLY = 1 << 9,
	W_HOST = 1 << 10,
	W_NOTICE = 1 << 11,
	W_REASON = 1 << 12, W_KEEP = 1 << 13,
	W_ADDRESS = 1 << 14,
	W_HELD = 1 << 15,
	W_LAST = 1 << 16,
	W_RANGE = W_FIRST | W_COUNT,
};

struct record {
	unsigned has;
	struct moment at;
	int64_t age_ms, wait_ms, first, count, keep_ms, held;
	struct span relay, state, reply, host, reason, notice_text, address, last_text;
	struct queue_id notice, last;
	enum recipient_state state_value;
};

static const struct {
	const char *key;
	unsigned bit;
	size_t number; /* where it goes: an int64_t, or else */
	size_t text;   /* a span, decoded */
} word_table[] = {
	{ "age_ms", W_AGE, offsetof(struct record, age_ms), 0 },
	{ "wait_ms", W_WAIT, offsetof(struct record, wait_ms), 0 },
	{ "first", W_FIRST, offsetof(struct record, first), 0 },
	{ "count", W_COUNT, offsetof(struct record, count), 0 },
	{ "keep_ms", W_KEEP, offsetof(struct record, keep_ms), 0 },
	{ "held", W_HELD, offsetof(struct record, held), 0 },
	{ "relay", W_RELAY, 0, offsetof(struct record, relay) },
	{ "state", W_STATE, 0, offsetof(struct record, state) },
	{ "reply", W_REPLY, 0, offsetof(struct record, reply) },
	{ "host", W_HOST, 0, offsetof(struct record, host) },
	{ "reason", W_REASON, 0, offsetof(struct record, reason) },
	{ "address", W_ADDRESS, 0, offsetof(struct record, address) },
	{ "last", W_LAST, 0, offsetof(struct record, last_text) },
	{ "notice", W_NOTICE, 0, offsetof(struct record, notice_text) },
};

static bool read_word(struct record *r, char *base, struct span key, struct span value) {
	if (words_moment(key, value, &r->at, &r->has))
		return true;
	size_t i = 0;
	while (i < sizeof(word_table) / sizeof(word_table[0]) &&
	       !span_eq(key, span_str(word_table[i].key)))
		i++;
	if (i == sizeof(word_table) / sizeof(word_table[0]) || !value.p ||
	    (r->has & word_table[i].bit))
		return false;
	r->has |= word_table[i].bit;
	if (word_table[i].number) {
		int64_t v;
		bool valid = words_int(value, &v);
		if (valid)
			memcpy((char *)r + word_table[i].number, &v, sizeof(v));
		return valid;
	}
	bool valid = words_decode(base, &value);
	if (valid)
		memcpy((char *)r + word_table[i].text, &value, sizeof(value));
	return valid;
}

static bool find_state(struct span name, enum recipient_state *ret) {
	for (unsigned i = RECIPIENT_PENDING; i <= RECIPIENT_FAILED; i++) {
		*ret = (enum recipient_state)i;
		if (span_eq(name, span_str(recipient_state_name(*ret))))
			return true;
	}
	return false;
}

/* Gives the words with a meaning of their own that meaning. */
static bool interpret(struct record *r, size_t to_count) {
	if ((r->has & W_STATE) && !find_state(r->state, &r->state_value))
		return false;
	if ((r->has & W_NOTICE) && !queue_id_parse(r->notice_text, &r->notice))
		return false;
	if ((r->has & W_LAST) && !queue_id_parse(r->last_text, &r->last))
		return false;
	if (!(r->has & W_RANGE))
		return true;
	return r->first >= 0 && r->count > 0 && (uint64_t)r->first < to_count &&
	       (uint64_t)r->count <= to_count - (size_t)r->first;
}

static void copy_text(char *out, size_t size, struct span s) {
	s = span_head(s, size - 1);
	if (s.len > 0)
		memcpy(out, s.p, s.len);
	out[s.len] = '\0';
}

/* Remembers a notice; settled ones make room. False when none is settled. */
static bool add_notice(struct journal *j, const struct queue_id *id, bool delayed) {
	size_t n = journal_notice_slots(j), slot = 0;
	for (size_t i = 0; i < n; i++)
		if (queue_id_cmp(&j->notice[i].id, id) == 0)
			return true;
	while (slot < n && !j->notice[slot].done)
		slot++;
	if (n < JOURNAL_NOTICES_MAX)
		slot = n;
	if (slot == JOURNAL_NOTICES_MAX)
		return false;
	j->notice[slot].id = *id;
	j->notice[slot].delayed = delayed;
	j->notice[slot].digest = false;
	j->notice[slot].done = false;
	j->notices++;
	return true;
}

static bool apply_attempt(struct journal *j, const struct record *r) {
	j->attempts++;
	j->last = r->at;
	j->age_ms = r->age_ms;
	j->wait_ms = r->wait_ms;
	copy_text(j->relay, sizeof(j->relay), r->relay);
	return true;
}

/* What was delivered stays delivered, and what failed can only fail again: a record that
 * comes late or twice must not bring a recipient back. */
static bool apply_result(struct journal *j, const struct record *r) {
	bool failed = r->state_value == RECIPIENT_FAILED;
	if ((r->has & W_NOTICE) && !add_notice(j, &r->notice, false))
		return false;
	for (int64_t i = r->first; i < r->first + r->count; i++) {
		struct journal_recipient *to = &j->to[i];
		if (to->last.state == RECIPIENT_DELIVERED ||
		    (to->last.state == RECIPIENT_FAILED && !failed))
			continue;
		to->last.state = r->state_value;
		to->last.reply = r->reply;
		to->last.host = r->host;
		to->wall_ms = r->at.wall_ms;
		if (r->has & W_NOTICE)
			to->notice = r->notice;
	}
	return true;
}

static bool apply_reached(struct journal *j, const struct record *r) {
	if (j->reached_count == j->reached_cap) {
		size_t cap = j->reached_cap ? j->reached_cap * 2 : 16;
		struct journal_reached *grown = reallocarray(j->reached, cap, sizeof(*grown));
		if (!grown) {
			j->no_memory = true;
			return false;
		}
		j->reached = grown;
		j->reached_cap = cap;
	}
	j->reached[j->reached_count++] =
		(struct journal_reached){ (size_t)r->first, r->address };
	return true;
}

static bool apply_twice(struct journal *j, const struct record *r) {
	for (int64_t i = r->first; i < r->first + r->count; i++)
		j->to[i].maybe_twice = true;
	j->maybe_twice = true;
	return true;
}

static bool apply_delayed(struct journal *j, const struct record *r) {
	j->delay_noticed = true;
	return add_notice(j, &r->notice, true);
}

static bool apply_digest(struct journal *j, const struct record *r) {
	if (r->held < 1 || !add_notice(j, &r->notice, false))
		return false;
	for (size_t i = 0; i < journal_notice_slots(j); i++)
		if (queue_id_cmp(&j->notice[i].id, &r->notice) == 0)
			j->notice[i].digest = true;
	j->digest.asked = true;
	j->digest.held = r->held;
	j->digest.last = r->last;
	return true;
}

static bool apply_noticed(struct journal *j, const struct record *r) {
	for (size_t i = 0; i < journal_notice_slots(j); i++)
		if (queue_id_cmp(&j->notice[i].id, &r->notice) == 0)
			j->notice[i].done = true;
	return true;
}

static bool apply_hold(struct journal *j, const struct record *r) {
	j->held = true;
	copy_text(j->hold_reason, sizeof(j->hold_reason), r->reason);
	return true;
}

static bool apply_edited(struct journal *j, const struct record *r) {
	j->edited = true;
	j->replacement = r->notice;
	return true;
}

static bool apply_release(struct journal *j, const struct record *r) {
	(void)r;
	j->held = false;
	j->hold_reason[0] = '\0';
	return true;
}

static bool apply_flush(struct journal *j, const struct record *r) {
	j->last = r->at;
	j->age_ms = r->age_ms;
	j->wait_ms = 0;
	j->flushed = true;
	return true;
}

static bool apply_dead(struct journal *j, const struct record *r) {
	copy_text(j->dead_reason, sizeof(j->dead_reason),
		  r->reason.len > 0 ? r->reason : SPAN("?"));
	j->dead_wall_ms = r->at.wall_ms;
	j->dead_keep_ms = r->keep_ms;
	return true;
}

static bool apply_revived(struct journal *j, const struct record *r) {
	static const struct queue_id none;
	j->dead_reason[0] = '\0';
	j->dead_wall_ms = j->dead_keep_ms = 0;
	j->age_ms = j->wait_ms = 0;
	j->last = r->at;
	for (size_t i = 0; i < j->to_count; i++)
		if (j->to[i].last.state == RECIPIENT_FAILED &&
		    queue_id_cmp(&j->to[i].notice, &none) == 0)
			j->to[i].last.state = RECIPIENT_PENDING;
	return apply_release(j, r);
}

static const struct {
	const char *name;
	unsigned needs, may;
	bool (*apply)(struct journal *j, const struct record *r);
} kind_table[] = {
	{ "attempt", W_MOMENT | W_AGE | W_WAIT | W_RELAY, 0, apply_attempt },
	{ "result", W_RANGE | W_STATE | W_WALL | W_REPLY | W_HOST, W_NOTICE,
	  apply_result },
	{ "twice", W_RANGE, 0, apply_twice },
	{ "reached", W_RANGE | W_ADDRESS, 0, apply_reached },
	{ "delayed", W_WALL | W_NOTICE, 0, apply_delayed },
	{ "digest", W_WALL | W_NOTICE | W_HELD | W_LAST, 0, apply_digest },
	{ "noticed", W_NOTICE, 0, apply_noticed },
	{ "hold", W_REASON, W_WALL, apply_hold },
	{ "edited", W_NOTICE, 0, apply_edited },
	{ "release", 0, W_WALL, apply_release },
	{ "flush", W_MOMENT | W_AGE, 0, apply_flush },
	{ "dead", W_WALL | W_REASON | W_KEEP, 0, apply_dead },
	{ "revived", W_MOMENT, 0, apply_revived },
};

/* Reads one record; its texts are decoded in place. *ret_kind: its row of the table. */
static bool read_record(char *storage, size_t to_count, struct span text, struct record *ret,
			size_t *ret_kind) {
	struct span kind, key, value;
	struct record r = { .has = 0 };
	if (!codec_word_take(&text, &kind, &value) || value.p)
		return false;
	size_t i = 0;
	while (i < sizeof(kind_table) / sizeof(kind_table[0]) &&
	       !span_eq(kind, span_str(kind_table[i].name)))
		i++;
	if (i == sizeof(kind_table) / sizeof(kind_table[0]))
		return false;
	while (codec_word_take(&text, &key, &value))
		if (!read_word(&r, storage, key, value))
			return false;
	if ((r.has & kind_table[i].needs) != kind_table[i].needs ||
	    (r.has & ~(kind_table[i].needs | kind_table[i].may)) != 0 ||
	    !interpret(&r, to_count))
		return false;
	*ret = r;
	*ret_kind = i;
	return true;
}

static bool replay_record(struct journal *j, struct span text) {
	struct record r;
	size_t kind;
	return read_record(j->storage, j->to_count, text, &r, &kind) &&
	       kind_table[kind].apply(j, &r);
}

int journal_parse(struct span bytes, size_t to_count, const struct moment *created,
		  struct journal *ret) {
	struct journal j = { .to_count = to_count, .last = *created };
	j.to = calloc(to_count ? to_count : 1, sizeof(*j.to));
	if (bytes.len > 0)
		j.storage = span_dup(bytes);
	if (!j.to || (bytes.len > 0 && !j.storage)) {
		journal_release(&j);
		return -1;
	}
	struct span rest = span_of(j.storage, bytes.len), text;
	while (words_record_take(&rest, &text) && replay_record(&j, text))
		j.valid = bytes.len - rest.len;
	if (j.no_memory) {
		journal_release(&j);
		return -1;
	}
	*ret = j;
	return 0;
}

int journal_each(struct span bytes, size_t to_count, journal_entry_fn *fn, void *ctx) {
	AUTO_FREE char *storage = span_dup(bytes);
	struct span rest = span_of(storage, bytes.len), text;
	struct record r;
	size_t kind;
	if (!storage)
		return -1;
	while (words_record_take(&rest, &text) &&
	       read_record(storage, to_count, text, &r, &kind)) {
		struct journal_entry e = {
			.kind = kind_table[kind].name,
			.wall_ms = r.at.wall_ms,
			.first = (size_t)r.first,
			.count = (size_t)r.count,
			.state = r.state,
			.reply = r.reply,
			.host = r.host,
			.relay = r.relay,
			.reason = r.reason,
			.wait_ms = r.wait_ms,
		};
		fn(ctx, &e);
	}
	return 0;
}

void journal_release(struct journal *j) {
	free(j->to);
	free(j->reached);
	free(j->storage);
	*j = (struct journal){ .to_count = 0 };
}
