/*
 * An envelope that nightmail-drop or the daemon gets from a user has the form of an envelope
 * already; here every value is held against its own grammar.
 */

#include "submit/envelope_words.h"

#include "mail/addr.h"

#define ENVID_MAX 100 /* RFC 3461 section 4.4 */
#define ORCPT_MAX 500 /* section 4.2 */

static const struct {
	const char *word;
	unsigned bit;
} words[] = {
	{ "NEVER", NOTIFY_NEVER },
	{ "SUCCESS", NOTIFY_SUCCESS },
	{ "FAILURE", NOTIFY_FAILURE },
	{ "DELAY", NOTIFY_DELAY },
};
#define WORDS (sizeof(words) / sizeof(words[0]))

int submit_notify_add(struct buf *out, unsigned notify) {
	const char *before = "";
	for (size_t i = 0; i < WORDS; i++) {
		if (!(notify & words[i].bit))
			continue;
		buf_adds(out, before);
		buf_adds(out, words[i].word);
		before = ",";
	}
	return buf_failed(out) ? -1 : 0;
}

bool submit_notify_parse(struct span text, unsigned *ret) {
	unsigned bits = 0;
	while (text.len > 0) {
		struct span word = span_head(text, span_find(text, ','));
		size_t i = 0;
		while (i < WORDS && !span_eq_nocase(word, span_str(words[i].word)))
			i++;
		if (i == WORDS)
			return false;
		bits |= words[i].bit;
		text = span_from(text, word.len + 1);
	}
	if (bits == 0 || ((bits & NOTIFY_NEVER) && bits != NOTIFY_NEVER))
		return false;
	*ret = bits;
	return true;
}

static bool is_printable(struct span s, size_t max) {
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] < 0x20 || s.p[i] > 0x7e)
			return false;
	return s.len <= max;
}

static bool is_address(struct span s) {
	struct addr parts;
	return s.len <= ADDR_MAX && addr_parse(s, ADDR_SUBMITTED, &parts, NULL) == 0;
}

static int bad(struct err *err, const char *what) {
	return err_set(err, ERR_SYNTAX, "the envelope has %s", what);
}

int submit_envelope_check(const struct envelope *e, struct err *err) {
	if (e->from.len > 0 && !is_address(e->from))
		return bad(err, "a sender that is no address");
	if (e->ret.len > 0 && !span_eq(e->ret, SPAN("FULL")) &&
	    !span_eq(e->ret, SPAN("HDRS")))
		return bad(err, "a RET that is neither FULL nor HDRS");
	if (!is_printable(e->envid, ENVID_MAX))
		return bad(err, "an ENVID that is none");
	for (size_t i = 0; i < e->to_count; i++) {
		unsigned notify = e->to[i].notify;
		if (!is_address(e->to[i].address))
			return bad(err, "a recipient that is no address");
		if ((notify & NOTIFY_NEVER) && notify != NOTIFY_NEVER)
			return bad(err, "a NOTIFY of NEVER and more");
		if (!is_printable(e->to[i].orcpt, ORCPT_MAX))
			return bad(err, "an ORCPT that is none");
	}
	return e->to_count > 0 ? 0 : bad(err, "no recipient");
}
