/* How a message is to be treated: the fields are those of the header's comment. */

#include "mail/wishes.h"

#include "mail/attime.h"
#include "mail/header.h"

#define OWN_MAX 1024u /* bytes of our own field */

static const char *const names[] = {
	[PRIORITY_NORMAL] = "normal",
	[PRIORITY_HIGH] = "high",
	[PRIORITY_LOW] = "low",
};

/* What the usual fields say; RFC 2156 has Priority, RFC 4021 lists the others. */
static const struct {
	const char *field;
	const char *word; /* the value's first word */
	enum mail_priority priority;
	bool bulk;
} hints[] = {
	{ "Priority", "urgent", PRIORITY_HIGH, false },
	{ "Priority", "non-urgent", PRIORITY_LOW, false },
	{ "X-Priority", "1", PRIORITY_HIGH, false },
	{ "X-Priority", "2", PRIORITY_HIGH, false },
	{ "X-Priority", "4", PRIORITY_LOW, false },
	{ "X-Priority", "5", PRIORITY_LOW, false },
	{ "X-MSMail-Priority", "high", PRIORITY_HIGH, false },
	{ "X-MSMail-Priority", "low", PRIORITY_LOW, false },
	{ "Importance", "high", PRIORITY_HIGH, false },
	{ "Importance", "low", PRIORITY_LOW, false },
	{ "Precedence", "bulk", PRIORITY_LOW, true },
	{ "Precedence", "list", PRIORITY_LOW, true },
	{ "Precedence", "junk", PRIORITY_LOW, true },
};

const char *priority_name(enum mail_priority p) {
	return names[p];
}

bool priority_parse(struct span word, enum mail_priority *ret) {
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!span_eq_nocase(word, span_str(names[i])))
			continue;
		*ret = (enum mail_priority)i;
		return true;
	}
	return false;
}

bool wishes_is_relay(struct span s) {
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];
		if (!span_is_alnum(c) && c != '-' && c != '_' && c != '.')
			return false;
	}
	return s.len > 0 && s.len < WISHES_RELAY_SIZE;
}

static int take_word(struct mail_wishes *w, struct span key, struct span value,
		     int64_t now_ms, struct err *err) {
	enum mail_priority priority;
	int64_t at;
	if (span_eq_nocase(key, SPAN("priority")) && priority_parse(value, &priority)) {
		if (!w->has_priority)
			w->priority = priority;
		w->has_priority = true;
		return 0;
	}
	if (span_eq_nocase(key, SPAN("at"))) {
		if (attime_parse(value, now_ms, &at, err) != 0)
			return -1;
		if (w->at_ms == 0)
			w->at_ms = at;
		return 0;
	}
	if (span_eq_nocase(key, SPAN("relay")) && wishes_is_relay(value)) {
		if (!w->relay[0])
			snprintf(w->relay, sizeof(w->relay), "%.*s", (int)value.len,
				 value.p);
		return 0;
	}
	if (span_eq_nocase(key, SPAN("tls")) && span_eq_nocase(value, SPAN("required"))) {
		w->require_tls = true;
		return 0;
	}
	return err_set(err, ERR_SYNTAX,
		       "it takes priority=high, normal or low, at=TIME, relay=NAME and "
		       "tls=required");
}

static int take_own(struct mail_wishes *w, struct span value, int64_t now_ms,
		    struct err *err) {
	AUTO_BUF struct buf plain = BUF_INIT(OWN_MAX);
	struct span rest, word, key;
	if (header_unfold(value, &plain) != 0)
		return err_set(err, ERR_LIMIT, "header field " WISHES_FIELD ": too long");
	rest = buf_span(&plain);
	while (span_take_word(&rest, &word)) {
		if (!span_take_until(&word, '=', &key)) {
			err_set(err, ERR_SYNTAX, "it is words like priority=high");
			return err_prefix(err, "header field " WISHES_FIELD);
		}
		if (take_word(w, key, word, now_ms, err) != 0)
			return err_prefix(err, "header field " WISHES_FIELD);
	}
	return 0;
}

int wishes_take(struct mail_wishes *w, struct span name, struct span value,
		int64_t now_ms, struct err *err) {
	if (span_eq_nocase(name, SPAN(WISHES_FIELD)))
		return take_own(w, value, now_ms, err);
	if (span_eq_nocase(name, SPAN("TLS-Required"))) {
		w->tls_fields++;
		w->tls_fields_no += span_eq_nocase(span_trim(value), SPAN("No"));
		return 0;
	}
	struct span word = span_trim(value);
	size_t end = 0;
	while (end < word.len && (span_is_alnum(word.p[end]) || word.p[end] == '-'))
		end++;
	word = span_head(word, end);
	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
		if (!span_eq_nocase(name, span_str(hints[i].field)) ||
		    !span_eq_nocase(word, span_str(hints[i].word)))
			continue;
		if (!w->has_priority && (!w->hinted || (hints[i].bulk && !w->bulk)))
			w->priority = hints[i].priority;
		w->hinted = true;
		w->bulk |= hints[i].bulk;
	}
	return 0;
}

bool wishes_tls_optional(const struct mail_wishes *w) {
	return w->tls_fields == 1 && w->tls_fields_no == 1 && !w->require_tls;
}

bool wishes_any(const struct mail_wishes *w) {
	return w->has_priority || w->at_ms > 0 || w->relay[0] || w->require_tls;
}

int wishes_add_field(struct buf *out, const struct mail_wishes *w) {
	buf_adds(out, WISHES_FIELD ":");
	if (w->has_priority)
		buf_addf(out, " priority=%s", priority_name(w->priority));
	if (w->at_ms > 0) {
		buf_adds(out, " at=");
		attime_add(out, w->at_ms);
	}
	if (w->relay[0])
		buf_addf(out, " relay=%s", w->relay);
	if (w->require_tls)
		buf_adds(out, " tls=required");
	return buf_adds(out, "\r\n");
}
