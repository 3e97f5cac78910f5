/*
 * The words of a filter. Each key is of one type (a state, a text, a number with its units, a
 * list of flags), and the type says which operators and values there are. filter_match.c
 * compares.
 */

#include "queue/filter.h"

#include <string.h>

#include "base/suggest.h"
#include "base/term.h"

#define KEY_SHOWN 60u /* bytes of a word in an error message */

enum type { TYPE_STATE, TYPE_TEXT, TYPE_SIZE, TYPE_TIME, TYPE_COUNT, TYPE_FLAGS };

static const struct {
	const char *name, *help;
	enum type type;
} keys[] = {
	[FILTER_STATE] = { "state",
			   "queued, active, deferred, held, dead; several with commas",
			   TYPE_STATE },
	[FILTER_ID] = { "id", "the ID or its ending", TYPE_TEXT },
	[FILTER_FROM] = { "from", "the sender's address", TYPE_TEXT },
	[FILTER_TO] = { "to", "a recipient's address", TYPE_TEXT },
	[FILTER_RELAY] = { "relay", "the relay's name", TYPE_TEXT },
	[FILTER_REASON] = { "reason", "who holds it, or the last reply", TYPE_TEXT },
	[FILTER_WHY] = { "why", "what the message waits for, in words", TYPE_TEXT },
	[FILTER_SIZE] = { "size", "bytes, or with K, M, G", TYPE_SIZE },
	[FILTER_AGE] = { "age", "time in the queue, with s, m, h, d, w", TYPE_TIME },
	[FILTER_ATTEMPTS] = { "attempts", "how often it was tried", TYPE_COUNT },
	[FILTER_NEXT] = { "next", "time until the next try, or none", TYPE_TIME },
	[FILTER_FLAGS] = { "flags", "possibly-twice, requiretls, tls-optional, storm=ID, or none", TYPE_FLAGS },
};
#define KEYS (sizeof(keys) / sizeof(keys[0]))

static const struct {
	const char *text;
	enum filter_op op;
} ops[] = {
	{ "=", FILTER_IS },       { "!=", FILTER_IS_NOT },   { "~", FILTER_HAS },
	{ "!~", FILTER_HAS_NOT }, { "<", FILTER_BELOW },     { ">", FILTER_ABOVE },
	{ "<=", FILTER_AT_MOST }, { ">=", FILTER_AT_LEAST },
};
#define OPS (sizeof(ops) / sizeof(ops[0]))
#define OP_CHARS "=!~<>"

const char *filter_key_name(size_t i) {
	return i < KEYS ? keys[i].name : NULL;
}

static size_t op_at(struct span word) {
	size_t n = 0;
	while (n < word.len && (word.p[n] == '\0' || !strchr(OP_CHARS, word.p[n])))
		n++;
	return n;
}

bool filter_is_term(struct span word) {
	return op_at(word) < word.len;
}

/* A word as an error message shows it: safe, and not too long. */
static const char *shown(struct buf *b, struct span word) {
	term_safe(b, span_head(word, KEY_SHOWN));
	if (word.len > KEY_SHOWN)
		buf_adds(b, "...");
	return buf_str(b);
}

/* Appends "a, b, c". */
static void add_item(struct buf *list, const char *item) {
	if (list->len)
		buf_adds(list, ", ");
	buf_adds(list, item);
}

/* "WORD: there is no KIND 'NAME'; did you mean 'X'?" or with all there are. */
static int unknown(struct span word, const char *kind, struct span name, const char *near,
		   const char *possible, struct err *err) {
	AUTO_BUF struct buf w = BUF_INIT(512), n = BUF_INIT(512);
	shown(&w, word);
	shown(&n, name);
	if (near)
		return err_set(err, ERR_SYNTAX,
			       "%s: there is no %s '%s'; did you mean '%s'?", buf_str(&w),
			       kind, buf_str(&n), near);
	return err_set(err, ERR_SYNTAX, "%s: there is no %s '%s'; possible: %s",
		       buf_str(&w), kind, buf_str(&n), possible);
}

static int bad(struct span word, const char *words, struct err *err) {
	AUTO_BUF struct buf w = BUF_INIT(512);
	return err_set(err, ERR_SYNTAX, "%s: %s", shown(&w, word), words);
}

static int take_key(struct span word, struct span name, enum filter_key *ret,
		    struct err *err) {
	AUTO_BUF struct buf all = BUF_INIT(512);
	struct suggest near = { .word = name };
	if (name.len == 0)
		return bad(word, "nothing to compare stands before the operator", err);
	for (size_t i = 0; i < KEYS; i++) {
		if (span_eq_nocase(name, span_str(keys[i].name))) {
			*ret = (enum filter_key)i;
			return 0;
		}
		suggest_try(&near, keys[i].name);
		add_item(&all, keys[i].name);
	}
	return unknown(word, "key", name, near.best, buf_str(&all), err);
}

static bool fits(enum type type, enum filter_op op) {
	switch (type) {
	case TYPE_STATE:
		return op <= FILTER_IS_NOT;
	case TYPE_TEXT:
	case TYPE_FLAGS:
		return op <= FILTER_HAS_NOT;
	case TYPE_TIME:
		return op >= FILTER_BELOW;
	case TYPE_SIZE:
	case TYPE_COUNT:
		return op != FILTER_HAS && op != FILTER_HAS_NOT;
	}
	return false;
}

/* The run of operator characters must be one that the key takes. */
static int take_op(struct span word, struct span text, enum filter_key key, bool none,
		   enum filter_op *ret, struct err *err) {
	AUTO_BUF struct buf all = BUF_INIT(128), w = BUF_INIT(512);
	enum type type = keys[key].type;
	for (size_t i = 0; i < OPS; i++) {
		bool possible = none ? ops[i].op <= FILTER_IS_NOT : fits(type, ops[i].op);
		if (possible && span_eq(text, span_str(ops[i].text))) {
			*ret = ops[i].op;
			return 0;
		}
		if (possible)
			add_item(&all, ops[i].text);
	}
	return err_set(err, ERR_SYNTAX, "%s: %s does not take '%.*s'; possible: %s",
		       shown(&w, word), keys[key].name, (int)text.len, text.p,
		       buf_str(&all));
}

static int take_states(struct span word, struct span value, uint64_t *ret,
		       struct err *err) {
	uint64_t bits = 0;
	while (value.len) {
		AUTO_BUF struct buf all = BUF_INIT(128);
		struct span name = span_head(value, span_find(value, ','));
		struct suggest near = { .word = name };
		uint64_t bit = 0;
		value = span_from(value, name.len + 1);
		for (int s = QUEUE_QUEUED; s <= QUEUE_DEAD; s++) {
			const char *known = queue_state_name((enum queue_state)s);
			if (span_eq_nocase(name, span_str(known)))
				bit = UINT64_C(1) << s;
			suggest_try(&near, known);
			add_item(&all, known);
		}
		if (!bit)
			return unknown(word, "state", name, near.best, buf_str(&all),
				       err);
		bits |= bit;
	}
	*ret = bits;
	return 0;
}

/* "10K", "10k", "10KB", "10": bytes. */
static bool take_size(struct span value, uint64_t *ret) {
	static const char units[] = "bkmg";
	uint64_t n;
	if (!span_take_uint(&value, UINT64_C(1) << 30, &n))
		return false;
	if (value.len) {
		const char *unit = strchr(units, span_lower(value.p[0]));
		if (value.p[0] == '\0' || !unit)
			return false;
		n <<= 10 * (unit - units);
		value = span_from(value, 1);
		if (unit != units && value.len && span_lower(value.p[0]) == 'b')
			value = span_from(value, 1);
	}
	*ret = n;
	return value.len == 0;
}

/* "1h", "1h30m", "2d", "90s", "0": seconds. A number alone would be read in the unit that
 * everybody thinks of, so it needs one. */
static bool take_time(struct span value, uint64_t *ret) {
	static const struct {
		char unit;
		uint32_t seconds;
	} units[] = {
		{ 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { 'w', 604800 }
	};
	uint64_t sum = 0, n;
	if (span_eq(value, SPAN("0"))) {
		*ret = 0;
		return true;
	}
	do {
		size_t i = 0, count = sizeof(units) / sizeof(units[0]);
		if (!span_take_uint(&value, UINT32_MAX, &n) || value.len == 0)
			return false;
		while (i < count && units[i].unit != span_lower(value.p[0]))
			i++;
		if (i == count || sum > UINT64_C(1) << 52)
			return false;
		sum += n * units[i].seconds;
		value = span_from(value, 1);
	} while (value.len);
	*ret = sum;
	return true;
}

static int take_value(struct span word, struct span value, struct filter_term *t,
		      struct err *err) {
	bool understood = true;
	switch (keys[t->key].type) {
	case TYPE_STATE:
		return take_states(word, value, &t->number, err);
	case TYPE_TEXT:
	case TYPE_FLAGS:
		return 0;
	case TYPE_SIZE:
		understood = take_size(value, &t->number);
		break;
	case TYPE_TIME:
		understood = take_time(value, &t->number);
		break;
	case TYPE_COUNT:
		understood = span_uint(value, UINT32_MAX, &t->number);
		break;
	}
	static const char *const wants[] = {
		[TYPE_STATE] = "",
		[TYPE_TEXT] = "",
		[TYPE_FLAGS] = "",
		[TYPE_SIZE] = "a size is a number, or one with K, M or G: 10K",
		[TYPE_TIME] = "a time is a number with s, m, h, d or w: 90s, 1h30m",
		[TYPE_COUNT] = "that takes a number",
	};
	return understood ? 0 : bad(word, wants[keys[t->key].type], err);
}

/* "next=none", "flags=none", "relay=none", "from=none". */
static bool means_none(enum filter_key key, struct span value) {
	return span_eq_nocase(value, SPAN("none")) &&
	       (key == FILTER_NEXT || key == FILTER_FLAGS || key == FILTER_RELAY ||
		key == FILTER_REASON || key == FILTER_FROM);
}

static struct span unquoted(struct span s) {
	if (s.len == 0 || s.p[0] != '"')
		return s;
	s = span_from(s, 1);
	if (s.len && s.p[s.len - 1] == '"')
		s.len--;
	return s;
}

static int keep(struct filter *f, struct filter_term t, struct span text,
		struct span word, struct err *err) {
	if (f->count == FILTER_TERMS_MAX || text.len > FILTER_TEXT_MAX - f->text_used) {
		AUTO_BUF struct buf w = BUF_INIT(512);
		return err_set(err, ERR_LIMIT, "%s: a filter has at most %u words",
			       shown(&w, word), FILTER_TERMS_MAX);
	}
	t.text_at = f->text_used;
	t.text_len = text.len;
	if (text.len)
		memcpy(f->text + f->text_used, text.p, text.len);
	f->text_used += text.len;
	f->term[f->count++] = t;
	return 0;
}

int filter_add(struct filter *f, struct span word, struct err *err) {
	size_t at = op_at(word), op_len = 0;
	struct filter_term t = { .key = FILTER_ANY, .op = FILTER_HAS };
	if (at == word.len || word.p[0] == '"')
		return keep(f, t, unquoted(word), word, err);
	while (at + op_len < word.len && word.p[at + op_len] != '\0' &&
	       strchr(OP_CHARS, word.p[at + op_len]))
		op_len++;
	struct span op = span_head(span_from(word, at), op_len);
	struct span value = unquoted(span_from(word, at + op_len));
	if (take_key(word, span_head(word, at), &t.key, err) != 0)
		return -1;
	t.none = means_none(t.key, value);
	if (take_op(word, op, t.key, t.none, &t.op, err) != 0)
		return -1;
	if (value.len == 0)
		return bad(word, keys[t.key].help, err);
	if (!t.none && take_value(word, value, &t, err) != 0)
		return -1;
	return keep(f, t, value, word, err);
}

/* Takes what stands before the next blank that is not in quotes. */
static bool take_word(struct span *in, struct span *ret) {
	bool quoted = false;
	size_t n = 0;
	while (in->len && (in->p[0] == ' ' || in->p[0] == '\t'))
		*in = span_from(*in, 1);
	for (; n < in->len && (quoted || (in->p[n] != ' ' && in->p[n] != '\t')); n++)
		quoted ^= in->p[n] == '"';
	*ret = span_head(*in, n);
	*in = span_from(*in, n);
	return n > 0;
}

int filter_parse(struct filter *f, struct span line, struct err *err) {
	struct filter parsed = FILTER_INIT;
	struct span word;
	while (take_word(&line, &word))
		if (filter_add(&parsed, word, err) != 0)
			return -1;
	*f = parsed;
	return 0;
}
