/* Comparing a message with the words of a filter; see filter.h. */

#include "queue/filter.h"

bool filter_contains(struct span text, struct span part) {
	if (part.len == 0)
		return true;
	char first = span_lower(part.p[0]);
	for (size_t i = 0; i + part.len <= text.len; i++)
		if (span_lower(text.p[i]) == first &&
		    span_starts_nocase(span_from(text, i), part))
			return true;
	return false;
}

static bool text_holds(struct span text, const struct filter_term *t, struct span want) {
	bool whole = t->op == FILTER_IS || t->op == FILTER_IS_NOT;
	if (t->none)
		return text.len == 0;
	return whole ? span_eq_nocase(text, want) : filter_contains(text, want);
}

/* True when it holds for one of the parts. */
static bool any_part(struct span parts, char between, const struct filter_term *t,
		     struct span want) {
	if (t->none)
		return parts.len == 0;
	while (parts.len) {
		struct span part = span_head(parts, span_find(parts, between));
		if (text_holds(part, t, want))
			return true;
		parts = span_from(parts, part.len + 1);
	}
	return false;
}

static bool anywhere(const struct filter_row *row, struct span want) {
	const struct span texts[] = { row->id,    row->from,   row->to,
				      row->relay, row->reason, row->why };
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (filter_contains(texts[i], want))
			return true;
	return false;
}

static bool number_holds(int64_t have, const struct filter_term *t) {
	int64_t want = (int64_t)t->number;
	switch (t->op) {
	case FILTER_BELOW:
		return have < want;
	case FILTER_ABOVE:
		return have > want;
	case FILTER_AT_MOST:
		return have <= want;
	case FILTER_AT_LEAST:
		return have >= want;
	case FILTER_IS:
	case FILTER_IS_NOT: /* turned round by the caller */
	case FILTER_HAS:
	case FILTER_HAS_NOT:
		break;
	}
	return have == want;
}

/* What has no next try is neither sooner nor later than anything. */
static bool next_holds(const struct filter_row *row, const struct filter_term *t,
		       int64_t now) {
	if (t->none || row->next == FILTER_NO_TIME)
		return t->none && row->next == FILTER_NO_TIME;
	return number_holds(row->next > now ? row->next - now : 0, t);
}

/* Whether the word holds, as if its operator were not turned round. */
static bool holds(const struct filter_row *row, const struct filter_term *t,
		  struct span want, int64_t now) {
	switch (t->key) {
	case FILTER_STATE:
		return (t->number >> row->state & 1) != 0;
	case FILTER_ID:
		return t->op == FILTER_HAS || t->op == FILTER_HAS_NOT
			       ? filter_contains(row->id, want)
			       : span_ends_nocase(row->id, want);
	case FILTER_FROM:
		return text_holds(row->from, t, want);
	case FILTER_TO:
		return any_part(row->to, '\n', t, want);
	case FILTER_RELAY:
		return text_holds(row->relay, t, want);
	case FILTER_REASON:
		return text_holds(row->reason, t, want);
	case FILTER_WHY:
		return text_holds(row->why, t, want);
	case FILTER_SIZE:
		return number_holds(row->size < INT64_MAX ? (int64_t)row->size
							  : INT64_MAX,
				    t);
	case FILTER_AGE:
		return number_holds(now > row->created ? now - row->created : 0, t);
	case FILTER_ATTEMPTS:
		return number_holds((int64_t)row->attempts, t);
	case FILTER_NEXT:
		return next_holds(row, t, now);
	case FILTER_FLAGS:
		return any_part(row->flags, ' ', t, want);
	case FILTER_ANY:
		return anywhere(row, want);
	}
	return false;
}

bool filter_match(const struct filter *f, const struct filter_row *row, int64_t now) {
	for (size_t i = 0; i < f->count; i++) {
		const struct filter_term *t = &f->term[i];
		struct span want = span_of(f->text + t->text_at, t->text_len);
		bool turned = t->op == FILTER_IS_NOT || t->op == FILTER_HAS_NOT;
		if (holds(row, t, want, now) == turned)
			return false;
	}
	return true;
}
