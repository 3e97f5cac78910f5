/* See validity.h. The list is one of deliver/offers.h, with times in place of mechanisms. */

#include "deliver/validity.h"

#include "base/buf.h"
#include "deliver/offers.h"

#define SEEN_AGAIN_S 86400
#define FORGOTTEN_S (14 * (int64_t)86400)
#define TIME_MAX_S ((uint64_t)INT64_MAX / 2000)

enum validity_level validity_level(const struct validity *v, int64_t now_s) {
	int64_t life = v->until_s - v->from_s, left = v->until_s - now_s;
	if (v->until_s <= 0 || life <= 0)
		return VALIDITY_FINE;
	if (left < life / 20)
		return VALIDITY_LAST;
	return left < life / 5 ? VALIDITY_LOW : VALIDITY_FINE;
}

static bool parse(struct span text, struct validity *ret, int64_t *ret_seen_s) {
	uint64_t from, until, seen;
	if (!span_take_uint(&text, TIME_MAX_S, &from) || !span_take_char(&text, ',') ||
	    !span_take_uint(&text, TIME_MAX_S, &until) || !span_take_char(&text, ',') ||
	    !span_take_uint(&text, TIME_MAX_S, &seen) || text.len > 0)
		return false;
	*ret = (struct validity){ (int64_t)from, (int64_t)until };
	*ret_seen_s = (int64_t)seen;
	return true;
}

bool validity_note(char *list, size_t size, struct span host, const struct validity *v,
		   int64_t now_s) {
	AUTO_BUF struct buf value = BUF_INIT(80);
	struct validity old = { 0, 0 };
	int64_t seen_s = 0;
	bool known = parse(offers_find(span_str(list), host), &old, &seen_s);
	if (host.len == 0 || v->from_s < 0 || v->until_s < 0 || (!known && v->until_s == 0))
		return false;
	if (known && old.from_s == v->from_s && old.until_s == v->until_s &&
	    now_s - seen_s < SEEN_AGAIN_S)
		return false;
	buf_addf(&value, "%lld,%lld,%lld", (long long)v->from_s, (long long)v->until_s,
		 (long long)now_s);
	offers_set(list, size, host, buf_span(&value));
	return true;
}

bool validity_next(struct span *list, int64_t now_s, struct span *ret_host,
		   struct validity *ret) {
	struct span value;
	int64_t seen_s;
	while (span_take_word(list, ret_host) && span_take_word(list, &value))
		if (parse(value, ret, &seen_s) && ret->until_s > 0 &&
		    now_s - seen_s < FORGOTTEN_S)
			return true;
	return false;
}
