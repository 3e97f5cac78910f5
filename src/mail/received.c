/*
 * Reading Received. A value is words and comments. "from", "by", "via", "with", "id" and "for"
 * begin a clause; a comment belongs to the clause it stands in (received_comment.c).
 */

#include "mail/received_state.h"

#include "mail/chars.h"
#include "mail/date.h"
#include "mail/header.h"

#define VALUE_MAX (64u << 10)

enum clause { NONE, FROM, BY, VIA, WITH, ID, FOR };

struct reader {
	struct received *r;
	struct span in;
	enum clause clause;
	bool wants; /* the clause has no value yet */
	bool peer;  /* there is a "from" clause: nobody handed it over on that machine */
};

/* --- clauses --- */

/* A comment with what stands in it; nested ones are part of it. One that does not end goes to
 * the end. */
static struct span take_comment(struct span *in) {
	unsigned depth = 0;
	size_t n = 0;
	for (; n < in->len; n++) {
		if (in->p[n] == '(')
			depth++;
		else if (in->p[n] == ')' && --depth == 0)
			break;
		else if (in->p[n] == '\\')
			n++;
	}
	struct span comment = span_from(span_head(*in, n), 1);
	*in = span_from(*in, n + 1);
	return comment;
}

static enum clause keyword(struct span word) {
	static const struct {
		struct span word;
		enum clause clause;
	} known[] = {
		{ SPAN_INIT("from"), FROM }, { SPAN_INIT("by"), BY },
		{ SPAN_INIT("via"), VIA },   { SPAN_INIT("with"), WITH },
		{ SPAN_INIT("id"), ID },     { SPAN_INIT("for"), FOR },
	};
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (span_eq_nocase(word, known[i].word))
			return known[i].clause;
	return NONE;
}

static void set_value(struct reader *rd, struct span word) {
	struct received *r = rd->r;
	struct span ip;
	switch (rd->clause) {
	case FROM:
		if (received_is_ip(word, &ip))
			received_set(&r->from, ip);
		else if (!span_starts(word, SPAN("[<"))) /* an address for bounces */
			received_set(&r->from, received_bare(word));
		break;
	case BY:
		received_set(&r->by,
			     received_is_ip(word, &ip) ? ip : received_bare(word));
		break;
	case VIA:
		received_set(&r->via, word);
		break;
	case WITH:
		received_set(&r->with, word);
		break;
	case ID:
		received_set(&r->id, received_bare(word));
		break;
	case FOR:
		received_set(&r->for_, received_bare(word));
		break;
	case NONE:
		break;
	}
}

/* More words behind the value: "with Microsoft SMTP Server", "from name [192.0.2.1]". */
static void more_value(struct reader *rd, struct span word) {
	struct received *r = rd->r;
	struct span ip;
	if (rd->clause == WITH && r->with.len && word.p > r->with.p && word.len < 40)
		r->with.len = (size_t)(word.p + word.len - r->with.p);
	else if (rd->clause == FROM && word.p[0] == '[' && received_is_ip(word, &ip))
		received_set(&r->ip, ip);
}

static void read_clauses(struct reader *rd);

/* "(Postfix, from userid 1000)", "(nightmail, uid 1000)", "(qmail 7 invoked by uid 1000)" */
static void take_local(struct received *r, struct span comment) {
	struct span word;
	while ((word = received_word(&comment)).len > 0) {
		if (!span_eq_nocase(word, SPAN("uid")) && !span_eq_nocase(word, SPAN("userid")))
			continue;
		struct span number = received_word(&comment);
		uint64_t uid;
		if (span_uint(number, UINT32_MAX, &uid))
			received_set(&r->local,
				     span_of(word.p, (size_t)(number.p + number.len - word.p)));
		return;
	}
}

static void take_clause_comment(struct reader *rd) {
	struct span comment = take_comment(&rd->in), probe = comment;
	struct span word = received_word(&probe);
	struct received *r = rd->r;
	if (rd->clause == NONE &&
	    span_eq_nocase(word, SPAN("from"))) { /* (from x) by y */
		struct reader inner = { .r = r, .in = comment };
		read_clauses(&inner);
		rd->clause = FROM;
		return;
	}
	if (rd->clause == NONE && span_eq_nocase(word, SPAN("qmail"))) {
		/* (qmail 84907 invoked from network) */
		take_local(r, comment);
		while ((word = received_word(&probe)).len > 0)
			if (span_eq_nocase(word, SPAN("from")))
				received_set(&r->from, received_word(&probe));
		return;
	}
	received_tls(r, comment);
	if (rd->clause == BY)
		take_local(r, comment);
	if (rd->clause == FROM) {
		received_from(r, comment);
		rd->wants = false; /* "from ([192.0.2.1]) by": there is no name */
	} else if (rd->clause == BY && span_find(comment, '@') < comment.len &&
		   span_starts_nocase(comment, SPAN("envelope-from ")))
		received_set(&r->ident, received_bare(received_word(&probe)));
	else if (rd->clause == BY && r->from.len == 0)
		for (; word.len > 0;
		     word = received_word(&probe)) /* Postfix, from userid 1002 */
			if (span_eq_nocase(word, SPAN("from")))
				received_set(&r->from, received_word(&probe));
}

/* A word at the top: up to a blank, a ";" or a comment. */
static struct span take_top(struct span *in) {
	size_t n = 0;
	while (n < in->len && (in->p[n] == '\0' || !strchr(" \t;(", in->p[n])))
		n++;
	if (n > 0 && in->p[0] == '[' && n < in->len &&
	    in->p[n] == '(') /* [(192.0.2.1)] */
		while (n < in->len && in->p[n] != ' ')
			n++;
	struct span word = span_head(*in, n);
	*in = span_from(*in, n);
	return word;
}

static bool is_day(struct span word) {
	static const char days[] = "MonTueWedThuFriSatSun";
	if (word.len && word.p[word.len - 1] == ',')
		word.len--;
	for (size_t i = 0; word.len == 3 && i < 7; i++)
		if (span_eq_nocase(word, span_of(days + 3 * i, 3)))
			return true;
	return false;
}

/* Some forget the ";": a day's name with a date behind it ends the clauses. */
static bool ends_here(struct reader *rd, struct span word) {
	if (!is_day(word))
		return false;
	struct span date = span_of(word.p, word.len + rd->in.len);
	rd->r->has_time = date_parse(date, &rd->r->time_s);
	return rd->r->has_time;
}

static void read_clauses(struct reader *rd) {
	while (rd->in.len > 0 && rd->in.p[0] != ';') {
		if (chars_blank(rd->in.p[0])) {
			rd->in = span_from(rd->in, 1);
			continue;
		}
		if (rd->in.p[0] == '(') {
			take_clause_comment(rd);
			continue;
		}
		struct span word = take_top(&rd->in);
		enum clause begins = keyword(word);
		if (ends_here(rd, word))
			return;
		if (begins != NONE && !(rd->wants && rd->clause != NONE)) {
			rd->clause = begins;
			rd->wants = true;
			rd->peer |= begins == FROM;
		} else if (rd->wants) {
			set_value(rd, word);
			rd->wants = false;
		} else {
			more_value(rd, word);
		}
	}
}

/* --- protocols --- */

/* The standard spelling of what is known by other names. */
static const struct {
	const char *word, *protocol;
} protocols[] = {
	{ "SMTP", "SMTP" },
	{ "ESMTP", "ESMTP" },
	{ "ESMTPS", "ESMTPS" },
	{ "ESMTPA", "ESMTPA" },
	{ "ESMTPSA", "ESMTPSA" },
	{ "LMTP", "LMTP" },
	{ "LMTPS", "LMTPS" },
	{ "LMTPA", "LMTPA" },
	{ "LMTPSA", "LMTPSA" },
	{ "UTF8SMTP", "UTF8SMTP" },
	{ "UTF8SMTPS", "UTF8SMTPS" },
	{ "UTF8SMTPA", "UTF8SMTPA" },
	{ "UTF8SMTPSA", "UTF8SMTPSA" },
	{ "UTF8LMTP", "UTF8LMTP" },
	{ "UTF8LMTPS", "UTF8LMTPS" },
	{ "HTTP", "HTTP" },
	{ "HTTPS", "HTTPS" },
	{ "HTTPREST", "HTTP" },
	{ "MMS", "MMS" },
	{ "POP3", "POP3" },
	{ "IMAP", "IMAP" },
	{ "LOCAL", "local" },
	{ "BSMTP", "SMTP" },
	{ "SMTPSVC", "SMTP" },
	{ "ASMTP", "ESMTPA" },
	{ "SMTPS", "ESMTPS" },
	{ "SMTPA", "ESMTPA" },
	{ "SMTPSA", "ESMTPSA" },
	{ "ESMTP-TLS", "ESMTPS" },
};

static const char *protocol_of(struct span word) {
	for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++)
		if (span_eq_nocase(word, span_str(protocols[i].word)))
			return protocols[i].protocol;
	return NULL;
}

/* "esmtps", "Microsoft SMTP Server", "local-bsmtp", "ESMTP/TLS/cipher" */
static void read_protocol(struct received *r) {
	struct span rest = r->with, word;
	while (!r->protocol[0] && (word = received_word(&rest)).len > 0) {
		struct span first = span_head(word, span_find(word, '/'));
		const char *known = protocol_of(first);
		if (!known && span_starts_nocase(first, SPAN("local-")))
			known = protocol_of(span_from(first, 6));
		if (!known)
			continue;
		snprintf(r->protocol, sizeof(r->protocol), "%s", known);
		struct span more = span_from(word, first.len + 1);
		if (span_take_lit_nocase(&more, SPAN("TLS/")))
			received_set(&r->cipher, more);
		r->with = first;
	}
}

int received_parse(struct span value, struct received *ret) {
	*ret = (struct received){ .has_time = false };
	buf_init(&ret->text, VALUE_MAX);
	if (header_unfold(span_head(value, VALUE_MAX / 2), &ret->text) != 0)
		return -1;
	struct reader rd = { .r = ret, .in = buf_span(&ret->text) };
	read_clauses(&rd);
	if (rd.peer)
		ret->local = SPAN("");
	if (!ret->has_time)
		ret->has_time = date_parse(rd.in, &ret->time_s);
	read_protocol(ret);
	return 0;
}

void received_release(struct received *r) {
	buf_release(&r->text);
}

bool received_is_tls(const struct received *r) {
	struct span protocol = span_str(r->protocol);
	return r->tls.len > 0 || r->cipher.len > 0 || span_eq(protocol, SPAN("ESMTPS")) ||
	       span_eq(protocol, SPAN("ESMTPSA")) || span_eq(protocol, SPAN("LMTPS")) ||
	       span_eq(protocol, SPAN("LMTPSA")) ||
	       span_eq(protocol, SPAN("UTF8SMTPS")) ||
	       span_eq(protocol, SPAN("UTF8SMTPSA")) ||
	       span_eq(protocol, SPAN("UTF8LMTPS")) || span_eq(protocol, SPAN("HTTPS"));
}
