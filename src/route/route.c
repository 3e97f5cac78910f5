/* Matching of routes: words with stars against addresses, and nothing remembered. */

#include "route/route.h"

#include <string.h>

/* --- patterns --- */

static char lower(char c) {
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* One star is tried again from one character further on, and only the last one met: linear
 * in pattern times text. */
static bool matches(struct span pattern, struct span text) {
	size_t p = 0, t = 0, star = SIZE_MAX, from = 0;
	while (t < text.len) {
		if (p < pattern.len && pattern.p[p] == '*') {
			star = p++;
			from = t;
		} else if (p < pattern.len && lower(pattern.p[p]) == lower(text.p[t])) {
			p++;
			t++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			t = ++from;
		} else {
			return false;
		}
	}
	while (p < pattern.len && pattern.p[p] == '*')
		p++;
	return p == pattern.len;
}

static bool matches_one(struct span pattern, struct span address) {
	if (address.len == 0) /* a star alone is everybody */
		return span_eq(pattern, SPAN("<>")) || span_eq(pattern, SPAN("*"));
	return matches(pattern, address);
}

bool route_matches(const char *patterns, struct span address) {
	struct span rest = span_str(patterns), word;
	while (span_take_word(&rest, &word))
		if (matches_one(word, address))
			return true;
	return false;
}

bool route_pattern_ok(struct span pattern) {
	size_t at = span_find(pattern, '@');
	if (span_eq(pattern, SPAN("*")) || span_eq(pattern, SPAN("<>")))
		return true;
	return at > 0 && at + 1 < pattern.len;
}

/* --- rules --- */

static bool has_user(const struct route_rule *r, uint32_t uid) {
	for (size_t i = 0; i < r->uid_count; i++)
		if (r->uid[i] == uid)
			return true;
	return false;
}

static bool rule_matches(const struct route_rule *r, const struct route_query *q) {
	return (!r->sender || route_matches(r->sender, q->sender)) &&
	       (!r->recipient || route_matches(r->recipient, q->recipient)) &&
	       (!r->user || has_user(r, q->uid));
}

static bool exists(const struct route_table *t, struct span relay) {
	struct span rest = span_str(t->relays), word;
	if (!t->relays)
		return true;
	while (span_take_word(&rest, &word))
		if (span_eq(word, relay))
			return true;
	return false;
}

struct route_choice route_find(const struct route_table *t, const struct route_query *q) {
	struct route_choice c = { .reason = ROUTE_BY_DEFAULT, .relay = ROUTE_DEFAULT };
	if (q->relay.len > 0 && exists(t, q->relay)) {
		c.reason = ROUTE_BY_WISH;
		c.relay = NULL;
		c.name = q->relay;
		return c;
	}
	for (size_t i = 0; i < t->count; i++) {
		if (!rule_matches(&t->rule[i], q))
			continue;
		c.reason = ROUTE_BY_RULE;
		c.rule = &t->rule[i];
		c.relay = c.rule->relay;
		break;
	}
	c.name = span_str(c.relay);
	return c;
}

bool route_is_plain(const struct route_table *t) {
	return t->count == 0;
}

/* --- what earlier rules leave to later ones --- */

/* Every word of `later` is matched by one of `earlier`; its stars count as characters, so that
 * *@example.org covers *.lan@example.org but not the other way round. */
static bool patterns_cover(const char *earlier, const char *later) {
	struct span rest = span_str(later ? later : "*"), word;
	if (!earlier)
		return true;
	while (span_take_word(&rest, &word)) {
		struct span all = span_str(earlier), one;
		bool covered = false;
		while (!covered && span_take_word(&all, &one))
			covered = span_eq_nocase(one, word) ||
				  (span_eq(word, SPAN("<>")) ? span_eq(one, SPAN("*"))
							     : matches(one, word));
		if (!covered)
			return false;
	}
	return true;
}

static bool users_cover(const struct route_rule *earlier, const struct route_rule *later) {
	if (!earlier->user)
		return true;
	if (!later->user || later->uid_count == 0)
		return false;
	for (size_t i = 0; i < later->uid_count; i++)
		if (!has_user(earlier, later->uid[i]))
			return false;
	return true;
}

bool route_covers(const struct route_rule *earlier, const struct route_rule *later) {
	return patterns_cover(earlier->sender, later->sender) &&
	       patterns_cover(earlier->recipient, later->recipient) &&
	       users_cover(earlier, later);
}

/* --- the rest --- */

bool route_destination(struct span address, char ret[ROUTE_DESTINATION_MAX + 1]) {
	size_t at = address.len;
	while (at > 0 && address.p[at - 1] != '@')
		at--;
	struct span domain = span_from(address, at);
	ret[0] = '\0';
	if (at == 0 || domain.len == 0 || domain.len > ROUTE_DESTINATION_MAX)
		return false;
	for (size_t i = 0; i < domain.len; i++)
		ret[i] = lower(domain.p[i]);
	ret[domain.len] = '\0';
	return true;
}

void route_words(const struct route_choice *c, struct buf *out) {
	const struct route_rule *r = c->rule;
	if (c->reason == ROUTE_BY_WISH) {
		buf_adds(out, "its sender asked for it");
		return;
	}
	if (!r) {
		buf_adds(out, "no route matches");
		return;
	}
	const struct {
		const char *key, *value;
	} keys[] = {
		{ "sender", r->sender }, { "recipient", r->recipient }, { "user", r->user }
	};
	const char *between = ": ";
	buf_addf(out, "[route %s]", r->name);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (!keys[i].value)
			continue;
		buf_addf(out, "%s%s = %s", between, keys[i].key, keys[i].value);
		between = ", ";
	}
}
