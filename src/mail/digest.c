/*
 * The words of a storm's digest. What comes from its messages is shown through term_safe(),
 * bounded in lines and bytes, and the text is quoted-printable, so that nothing in a message
 * can become a field, a line or a character set of the digest.
 */

#include "mail/digest.h"

#include "base/term.h"
#include "mail/date.h"
#include "mail/eol.h"
#include "mail/header.h"
#include "mail/qp.h"

#define TEXT_MAX (64u << 10)
#define EXCERPT_LINES 20u
#define EXCERPT_LINE 200u /* bytes */
#define VALUE_MAX 300u
#define ADDRESS_MAX 320u

/* An address that stands in a header as it is. */
static bool is_plain(struct span address) {
	for (size_t i = 0; i < address.len; i++)
		if (address.p[i] <= ' ' || address.p[i] > '~' || address.p[i] == '<' ||
		    address.p[i] == '>')
			return false;
	return address.len > 0 && address.len <= ADDRESS_MAX;
}

static void add_host(struct buf *out, const struct digest_params *p) {
	if (is_plain(p->host))
		buf_add(out, p->host);
	else
		buf_adds(out, "localhost");
}

static void add_header(struct buf *out, const struct digest_params *p) {
	buf_adds(out, "Message-ID: <");
	buf_add(out, p->id);
	buf_addc(out, '@');
	add_host(out, p);
	buf_adds(out, ">\r\nDate: ");
	date_add_rfc5322(out, p->now_s);
	buf_adds(out, "\r\nFrom: Mail Delivery System <MAILER-DAEMON@");
	add_host(out, p);
	if (is_plain(p->to)) {
		buf_adds(out, ">\r\nTo: <");
		buf_add(out, p->to);
		buf_adds(out, ">\r\nSubject: ");
	} else {
		buf_adds(out, ">\r\nTo: undisclosed-recipients:;\r\nSubject: ");
	}
	buf_addf(out, "Mail storm: %lld message%s held (storm ", (long long)p->held,
		 p->held == 1 ? "" : "s");
	buf_add(out, p->storm);
	buf_adds(out, ")\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
		      "Content-Type: text/plain; charset=utf-8\r\n"
		      "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
}

static void add_value(struct buf *text, const char *label, struct span value,
		      const char *none) {
	buf_adds(text, label);
	if (value.len == 0)
		buf_adds(text, none);
	else
		term_safe(text, span_head(value, VALUE_MAX));
	buf_adds(text, value.len > VALUE_MAX ? "...\n" : "\n");
}

static void add_sample_line(struct buf *text, const char *label,
			    const struct digest_sample *s) {
	buf_adds(text, label);
	date_add_rfc5322(text, s->queued_s);
	buf_adds(text, ", ");
	buf_add(text, s->id);
	buf_addc(text, '\n');
}

static void add_why(struct buf *text, const struct digest_params *p) {
	buf_adds(text, "Mail on ");
	add_host(text, p);
	buf_addf(text, " repeats itself: the user with the uid %u ", (unsigned)p->uid);
	if (p->limit > 0) {
		buf_addf(text,
			 "submitted more than %u\nmessage%s with the same sender "
			 "and subject within ",
			 p->limit, p->limit == 1 ? "" : "s");
		term_duration(text, p->window_ms);
		buf_adds(text, ".\n");
	} else {
		buf_adds(text,
			 "submitted many\nmessages with the same sender and subject.\n");
	}
	buf_addf(text,
		 "What is beyond that (storm-limit in nightmail.conf) was not delivered, "
		 "but is held:\n%lld message%s.\n\n",
		 (long long)p->held, p->held == 1 ? "" : "s");
}

static void add_ways_out(struct buf *text, const struct digest_params *p) {
	static const struct {
		const char *what, *command;
	} ways[] = {
		{ "To see them:     ", "mailq" },
		{ "To deliver them: ", "mailq release" },
		{ "To delete them:  ", "mailq delete" },
	};
	buf_addc(text, '\n');
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		buf_addf(text, "%s %s flags=storm=", ways[i].what, ways[i].command);
		buf_add(text, p->storm);
		buf_addc(text, '\n');
	}
	buf_adds(text, "\nWhat is still held after ");
	term_duration(text, p->keep_ms);
	buf_adds(text, " is put aside (mailq --all).\n");
}

/* The first lines of the body, quoted. */
static void add_excerpt(struct buf *text, const char *title,
			const struct digest_sample *s) {
	struct span body = span_from(s->content, header_block_len(s->content)), line;
	header_take_empty(&body);
	buf_addf(text, "\n%s\n\n", title);
	unsigned n = 0;
	for (; n < EXCERPT_LINES && span_take_line(&body, &line); n++) {
		buf_adds(text, "> ");
		term_safe(text, span_head(line, EXCERPT_LINE));
		buf_adds(text, line.len > EXCERPT_LINE ? "...\n" : "\n");
	}
	if (n == EXCERPT_LINES && body.len > 0)
		buf_adds(text, "> ...\n");
}

int digest_write(struct buf *out, const struct digest_params *p) {
	AUTO_BUF struct buf text = BUF_INIT(TEXT_MAX), encoded = BUF_INIT(TEXT_MAX * 4);
	struct eol eol;
	add_header(out, p);
	add_why(&text, p);
	add_value(&text, "Sender:  ", p->from, "(none)");
	add_value(&text, "Subject: ", p->subject, "(none)");
	add_sample_line(&text, "First:   ", &p->first);
	add_sample_line(&text, "Last:    ", &p->last);
	add_ways_out(&text, p);
	if (p->first.content.len > 0)
		add_excerpt(&text, "The first one:", &p->first);
	if (p->held > 1 && p->last.content.len > 0)
		add_excerpt(&text, "The last one:", &p->last);
	eol_init(&eol);
	if (buf_failed(&text) || qp_encode_text(buf_span(&text), &encoded) != 0 ||
	    eol_feed(&eol, buf_span(&encoded), out, NULL) != 0)
		return -1;
	return buf_failed(out) ? -1 : 0;
}
