/*
 * A notice in plain words: what happened, to whom, what the other side said, what to do.
 * Written for the person who sent the mail, not for the one who runs the relay. Only the
 * first recipients are described at length; the machine's part lists every one.
 */

#include "mail/dsn_words.h"

#include <string.h>

#include "base/term.h"
#include "mail/addr.h"
#include "mail/date.h"

#define DESCRIBED_MAX 50
#define LINE_GOOD 75
#define QUOTE_MAX 600 /* bytes of one reply or address */

#define ANY 1000

struct advice {
	unsigned subject, detail;
	const char *text;
};

/* What the sender can do about a failure; the first row that matches. */
static const struct advice advices[] = {
	{ 1, 1,
	  "Check the address for a typing mistake, or ask the recipient for the\n"
	  "    current one." },
	{ 1, 2, "Check the part behind the @ for a typing mistake." },
	{ 1, 6, "The recipient has moved: ask for the new address." },
	{ 1, 7, "Your own address was refused: check the sender address." },
	{ 1, 8, "The domain of your own address was refused: check the sender address." },
	{ 1, 10, "This domain never receives mail: check the part behind the @." },
	{ 1, ANY, "Check the address for a typing mistake." },
	{ 2, 1, "Try to reach the recipient in another way." },
	{ 2, 2,
	  "The recipient has to make room; send it again later, or reach them in\n"
	  "    another way." },
	{ 2, 3, "Send a shorter message, or a link to the large part." },
	{ 3, 4, "Send a shorter message, or a link to the large part." },
	{ 4, 6,
	  "The mail went round in a circle: tell the administrator of the\n"
	  "    recipient's domain." },
	{ 4, 7,
	  "If the recipient's domain is spelled right, send it again later or reach\n"
	  "    them in another way." },
	{ 4, ANY, "Check the part behind the @; if it is right, send it again later." },
	{ 7, 8, "Tell the administrator of this machine: the relay's own login failed." },
	{ 7, ANY,
	  "The other side refused the mail by its rules. Show its words to your\n"
	  "    administrator, or ask the recipient to let your mail pass." },
	{ ANY, ANY, "Show the words above to your administrator." },
};

static const char *advice_for(struct mail_status s) {
	const struct advice *a = advices;
	while (!(a->subject == ANY || (a->subject == s.subject &&
				       (a->detail == ANY || a->detail == s.detail))))
		a++;
	return a->text;
}

/* The action that names the whole notice: a failure before a delay before good news. */
static enum dsn_action main_action(const struct dsn_recipient *r, size_t count) {
	enum dsn_action worst = DSN_RELAYED;
	for (size_t i = 0; i < count; i++)
		if (r[i].action < worst)
			worst = r[i].action;
	return worst;
}

void dsn_words_subject(struct buf *out, const struct dsn_recipient *r, size_t count) {
	static const char *const words[] = {
		[DSN_FAILED] = "Mail could not be delivered",
		[DSN_DELAYED] = "Mail is delayed",
		[DSN_DELIVERED] = "Mail was delivered",
		[DSN_RELAYED] = "Mail was passed on",
	};
	enum dsn_action action = main_action(r, count);
	size_t same = 0, which = 0;
	for (size_t i = count; i > 0; i--) {
		if (r[i - 1].action != action)
			continue;
		same++;
		which = i - 1;
	}
	buf_adds(out, words[action]);
	if (same > 1)
		buf_addf(out, ": %zu recipients", same);
	else if (same == 1 && r[which].address.len < 50 &&
		 !addr_is_utf8(r[which].address)) {
		buf_adds(out, ": ");
		term_safe_again(out, r[which].address);
	}
}

/* Indented, folded at blanks; a word longer than a line stands alone. */
static void add_quote(struct buf *out, struct span text, const char *indent) {
	AUTO_BUF struct buf safe = BUF_INIT(QUOTE_MAX * 8);
	term_safe_again(&safe, span_head(text, QUOTE_MAX));
	struct span rest = buf_span(&safe), word;
	size_t column = 0;
	while (span_take_word(&rest, &word)) {
		if (column > 0 && column + 1 + word.len > LINE_GOOD) {
			buf_addc(out, '\n');
			column = 0;
		}
		column += column == 0 ? strlen(indent) : 1;
		buf_adds(out, column == strlen(indent) ? indent : " ");
		buf_add(out, word);
		column += word.len;
	}
	buf_addc(out, '\n');
}

static void add_reply(struct buf *out, const struct dsn_recipient *r) {
	if (r->reply.len == 0)
		return;
	if (r->is_remote && r->remote.len > 0) {
		buf_adds(out, "    ");
		term_safe_again(out, span_head(r->remote, 255));
		buf_adds(out, " said:\n");
	} else {
		buf_adds(out, r->is_remote ? "    The other side said:\n"
					   : "    This relay found:\n");
	}
	add_quote(out, r->reply, "        ");
}

static void add_headline(struct buf *out, const struct dsn_recipient *r) {
	static const char *const words[] = {
		[DSN_FAILED] = "not delivered",
		[DSN_DELAYED] = "not delivered yet",
		[DSN_DELIVERED] = "delivered",
		[DSN_RELAYED] = "passed on to a system that does not confirm deliveries",
	};
	add_quote(out, r->address, "  ");
	buf_addf(out, "    %s", words[r->action]);
	if ((r->action == DSN_FAILED || r->action == DSN_DELAYED) && r->status.klass != 0)
		buf_addf(out, ": %s (%u.%u.%u)", mail_status_words(r->status),
			 r->status.klass, r->status.subject, r->status.detail);
	buf_addc(out, '\n');
}

static void add_recipient(struct buf *out, const struct dsn_recipient *r) {
	add_headline(out, r);
	add_reply(out, r);
	if (r->action == DSN_FAILED) {
		buf_addf(out, "    %s\n", advice_for(r->status));
	} else if (r->action == DSN_DELAYED && r->retry_until_s > 0) {
		buf_adds(out, "    This relay goes on trying until ");
		date_add_rfc5322(out, r->retry_until_s);
		buf_adds(out, ".\n");
	}
	buf_addc(out, '\n');
}

static const char *introduction(const struct dsn_recipient *r, size_t count) {
	enum dsn_action action = main_action(r, count);
	size_t same = 0;
	for (size_t i = 0; i < count; i++)
		same += r[i].action == action;
	switch (action) {
	case DSN_FAILED:
		if (same == count)
			return "could not be delivered. This relay does not try again.";
		return "could not be delivered to everybody. This relay does not try again\n"
		       "for those who are listed as not delivered.";
	case DSN_DELAYED:
		return "could not be delivered yet. You need not send it again: it is kept\n"
		       "and tried until it goes through or its time runs out.";
	case DSN_DELIVERED:
		return "was delivered, as you asked to be told.";
	case DSN_RELAYED:
		break;
	}
	return "was passed on. You asked to be told of its delivery, but the next\n"
	       "system sends no such confirmations, so this is the last news of it.";
}

void dsn_words_text(struct buf *out, const struct dsn_params *p,
		    const struct dsn_recipient *r, size_t count) {
	buf_adds(out, "This is the mail relay on ");
	term_safe_again(out, p->host);
	buf_adds(out, ".\n\nYour message of ");
	date_add_rfc5322(out, p->arrival_s);
	buf_adds(out, " (queue ID ");
	term_safe_again(out, p->original_id);
	buf_addf(out, ")\n%s\n\n", introduction(r, count));
	for (size_t i = 0; i < count && i < DESCRIBED_MAX; i++)
		add_recipient(out, &r[i]);
	if (count > DESCRIBED_MAX)
		buf_addf(
			out,
			"  and %zu more recipients; the next part lists all of them.\n\n",
			count - DESCRIBED_MAX);
	buf_adds(out, p->return_full ? "Your message follows.\n"
				     : "The header of your message follows.\n");
}
