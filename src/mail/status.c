/*
 * Enhanced status codes and their words. The table is the registry of RFC 3463 and its
 * successors; the words are ours, written for somebody who never read it.
 */

#include "mail/status.h"

#define ANY 1000 /* matches every detail: the words of a subject */

struct words {
	unsigned subject, detail;
	const char *text;
};

/* Sorted by subject; ANY ends each subject. */
static const struct words table[] = {
	{ 1, 1, "bad destination mailbox address" },
	{ 1, 2, "bad destination domain" },
	{ 1, 3, "destination address is malformed" },
	{ 1, 4, "destination address is ambiguous" },
	{ 1, 6, "mailbox has moved, no forwarding address" },
	{ 1, 7, "sender address is malformed" },
	{ 1, 8, "bad sender domain" },
	{ 1, 9, "passed on to a mail system without status codes" },
	{ 1, 10, "domain accepts no mail (null MX)" },
	{ 1, ANY, "problem with an address" },
	{ 2, 1, "mailbox is disabled" },
	{ 2, 2, "mailbox is full" },
	{ 2, 3, "message is longer than the mailbox accepts" },
	{ 2, 4, "mailing list could not be expanded" },
	{ 2, ANY, "problem with the mailbox" },
	{ 3, 1, "mail system is full" },
	{ 3, 2, "mail system accepts no mail at present" },
	{ 3, 3, "mail system lacks a needed feature" },
	{ 3, 4, "message is too big" },
	{ 3, 5, "mail system is wrongly configured" },
	{ 3, 6, "priority of the message was changed" },
	{ 3, ANY, "problem of the mail system" },
	{ 4, 1, "host does not answer" },
	{ 4, 2, "connection broke off" },
	{ 4, 3, "directory or name server failed" },
	{ 4, 4, "no route to the domain" },
	{ 4, 5, "mail system is overloaded" },
	{ 4, 6, "mail loop" },
	{ 4, 7, "time for delivery ran out" },
	{ 4, ANY, "problem of the network or of routing" },
	{ 5, 1, "command not accepted" },
	{ 5, 2, "syntax error in a command" },
	{ 5, 3, "too many recipients" },
	{ 5, 4, "bad argument of a command" },
	{ 5, 5, "wrong version of the protocol" },
	{ 5, 6, "authentication line is too long" },
	{ 5, ANY, "problem with the mail protocol" },
	{ 6, 1, "kind of content not supported" },
	{ 6, 2, "content had to be converted, which is forbidden" },
	{ 6, 3, "content had to be converted, which is not supported" },
	{ 6, 4, "content was converted with losses" },
	{ 6, 5, "content could not be converted" },
	{ 6, 6, "content is not available" },
	{ 6, 7, "addresses beyond ASCII are not accepted" },
	{ 6, 8, "an answer beyond ASCII was needed and not permitted" },
	{ 6, 9, "header beyond ASCII cannot be passed on" },
	{ 6, ANY, "problem with the content" },
	{ 7, 1, "refused by policy" },
	{ 7, 2, "sender may not post to this mailing list" },
	{ 7, 3, "security conversion needed and not possible" },
	{ 7, 4, "security feature not supported" },
	{ 7, 5, "cryptographic failure" },
	{ 7, 6, "cryptographic algorithm not supported" },
	{ 7, 7, "message was changed on its way" },
	{ 7, 8, "login name or password is wrong" },
	{ 7, 9, "authentication mechanism is too weak" },
	{ 7, 10, "encryption needed" },
	{ 7, 11, "authentication needs encryption" },
	{ 7, 12, "password has to be renewed" },
	{ 7, 13, "account is disabled" },
	{ 7, 14, "trust relationship needed" },
	{ 7, 15, "priority of the message is too low" },
	{ 7, 16, "message is too big for its priority" },
	{ 7, 17, "mailbox has a new owner" },
	{ 7, 18, "domain has a new owner" },
	{ 7, 19, "ownership of the mailbox cannot be checked" },
	{ 7, 20, "no valid DKIM signature" },
	{ 7, 21, "no acceptable DKIM signature" },
	{ 7, 22, "no valid DKIM signature of the author's domain" },
	{ 7, 23, "SPF does not permit this sender" },
	{ 7, 24, "SPF record cannot be evaluated" },
	{ 7, 25, "sending address has no valid reverse name" },
	{ 7, 26, "several authentication checks failed" },
	{ 7, 27, "sender domain accepts no mail (null MX)" },
	{ 7, 28, "too much mail at once" },
	{ 7, 29, "ARC chain is not valid" },
	{ 7, 30, "REQUIRETLS not supported" },
	{ 7, ANY, "refused for security or policy" },
};

/* One to three digits, no leading zero (RFC 3463 section 2). */
static bool take_number(struct span *in, unsigned *ret) {
	struct span s = *in;
	uint64_t v;
	if (!span_take_uint(&s, 999, &v) || (in->p[0] == '0' && in->len - s.len > 1))
		return false;
	*ret = (unsigned)v;
	*in = s;
	return true;
}

bool mail_status_take(struct span *in, struct mail_status *ret) {
	struct span s = *in;
	struct mail_status st;
	if (!take_number(&s, &st.klass) ||
	    (st.klass != 2 && st.klass != 4 && st.klass != 5))
		return false;
	if (!span_take_char(&s, '.') || !take_number(&s, &st.subject) ||
	    !span_take_char(&s, '.') || !take_number(&s, &st.detail))
		return false;
	/* 5.6.7.8 is an address of a host */
	if (s.len > 1 && s.p[0] == '.' && s.p[1] >= '0' && s.p[1] <= '9')
		return false;
	*ret = st;
	*in = s;
	return true;
}

int mail_status_add(struct buf *out, struct mail_status s) {
	if (s.klass == 0)
		return 0;
	return buf_addf(out, "%u.%u.%u", s.klass, s.subject, s.detail);
}

static const char *class_words(unsigned klass) {
	switch (klass) {
	case 2:
		return "accepted";
	case 4:
		return "temporary failure";
	case 5:
		return "permanent failure";
	default:
		return "no status";
	}
}

/* In class 2 the subject says nothing: 2.6.0 is how some servers accept any mail. */
const char *mail_status_words(struct mail_status s) {
	bool has_words = s.klass == 4 || s.klass == 5;
	for (size_t i = 0; has_words && i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].subject == s.subject &&
		    (table[i].detail == s.detail || table[i].detail == ANY))
			return table[i].text;
	return class_words(s.klass);
}
