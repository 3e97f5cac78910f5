/*
 * The shape of a notice (RFC 3464, 6522, 6533): a header, a part for people, a part for
 * machines, and the frame of the third part, whose bytes the caller puts in between. The
 * boundary holds the notice's own queue ID, which neither a server nor the sender could
 * know when it wrote its bytes. Every value from elsewhere goes through add_text() or
 * add_address(), which let no line end and no control character pass.
 */

#include "mail/dsn_write.h"

#include "mail/addr.h"
#include "mail/date.h"
#include "mail/dsn_words.h"
#include "mail/eol.h"
#include "mail/qp.h"

#define TEXT_MAX (1u << 20) /* far above what dsn_words_text() can need */
#define ADDRESS_MAX 800     /* octets of an address when escaped */
#define FOLD_COLUMN 76
#define CHUNK_MAX 200 /* octets without a blank until a line is broken by force */

static const char *const action_names[] = {
	[DSN_FAILED] = "failed",
	[DSN_DELAYED] = "delayed",
	[DSN_DELIVERED] = "delivered",
	[DSN_RELAYED] = "relayed",
};

static void add_boundary(struct buf *out, const struct dsn_params *p) {
	buf_adds(out, "=_");
	buf_add(out, p->id);
	buf_adds(out, "/report");
}

static void add_date_field(struct buf *out, const char *name, int64_t wall_s) {
	buf_addf(out, "%s: ", name);
	date_add_rfc5322(out, wall_s);
	buf_adds(out, "\r\n");
}

static bool is_blank(char c) {
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Appends text of one field in ASCII, folded: blanks and line ends become one space,
 * other bytes that are not printable ASCII \xNN. A line that cannot be broken at a blank
 * is broken anywhere, for 998 octets is a hard limit. */
static void add_text(struct buf *out, struct span text, size_t column) {
	size_t run = 0;
	text = span_trim(text);
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.p[i];
		bool blank = is_blank(text.p[i]);
		if (blank && is_blank(text.p[i - 1])) /* trimmed: the first is no blank */
			continue;
		run = blank ? 0 : run + 1;
		size_t ahead = blank ? span_find(span_from(text, i + 1), ' ') : 0;
		if ((blank && column + ahead > FOLD_COLUMN) || run > CHUNK_MAX) {
			buf_adds(out, "\r\n ");
			column = run = 1;
		} else if (blank) {
			buf_addc(out, ' ');
		}
		if (!blank && c >= 0x20 && c < 0x7f)
			buf_addc(out, (char)c);
		else if (!blank)
			buf_addf(out, "\\x%02X", c);
		column += !blank && (c < 0x20 || c >= 0x7f) ? 4 : 1;
	}
}

/* utf-8-addr-xtext of RFC 6533 section 3: \x{HEX} for what is not printable ASCII, and for
 * the signs of xtext in an address that needs it. Where the part may hold UTF-8 itself,
 * well-formed characters stay. An ORCPT may be so long
 * that it passes the limit of a line, which cannot be folded here: then it is cut. */
static void add_address(struct buf *out, struct span address, bool raw_utf8) {
	size_t start = out->len;
	bool xtext = !raw_utf8 && addr_is_utf8(address);
	while (address.len > 0 && out->len - start < ADDRESS_MAX) {
		struct span before = address;
		uint32_t cp;
		if (!span_take_utf8(&address, &cp)) {
			address = span_from(address, 1);
			buf_adds(out, "\\x{FFFD}");
		} else if (xtext && (cp == '+' || cp == '=' || cp == '\\')) {
			buf_addf(out, "\\x{%X}", (unsigned)cp);
		} else if (cp > 0x20 && cp < 0x7f) {
			buf_addc(out, (char)cp);
		} else if (cp == 0x20 || (raw_utf8 && cp > 0x9f)) {
			buf_add(out, span_head(before, before.len - address.len));
		} else {
			buf_addf(out, "\\x{%X}", (unsigned)cp);
		}
	}
}

static void add_header(struct buf *out, const struct dsn_params *p,
		       const struct dsn_recipient *r, size_t count) {
	buf_adds(out, "Message-ID: <");
	add_address(out, p->id, false);
	buf_addc(out, '@');
	add_address(out, p->host, false);
	buf_adds(out, ">\r\n");
	add_date_field(out, "Date", p->now_s);
	buf_adds(out, "From: Mail Delivery System <MAILER-DAEMON@");
	add_address(out, p->host, false);
	buf_adds(out, ">\r\nTo: <");
	add_address(out, p->to, true);
	buf_adds(out, ">\r\nSubject: ");
	dsn_words_subject(out, r, count);
	buf_adds(out, "\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
		      "Content-Type: multipart/report; report-type=delivery-status;\r\n"
		      "\tboundary=\"");
	add_boundary(out, p);
	buf_adds(out, "\"\r\n");
	if (p->return_full || p->original_utf8)
		buf_adds(out, "Content-Transfer-Encoding: 8bit\r\n");
	buf_adds(out, "\r\nThis is a delivery report in several parts (MIME).\r\n");
}

static void begin_part(struct buf *out, const struct dsn_params *p) {
	buf_adds(out, "\r\n--");
	add_boundary(out, p);
	buf_adds(out, "\r\n");
}

static bool has_long_line(struct span text) {
	struct span line;
	while (span_take_line(&text, &line))
		if (line.len > 998)
			return true;
	return false;
}

/* The words: as they are while they are ASCII in lines that SMTP carries. */
static void add_words(struct buf *out, const struct dsn_params *p,
		      const struct dsn_recipient *r, size_t count) {
	AUTO_BUF struct buf text = BUF_INIT(TEXT_MAX), encoded = BUF_INIT(TEXT_MAX * 4);
	struct eol eol;
	dsn_words_text(&text, p, r, count);
	bool plain = !addr_is_utf8(buf_span(&text)) && !has_long_line(buf_span(&text));
	if (!plain)
		qp_encode_text(buf_span(&text), &encoded);
	begin_part(out, p);
	buf_adds(out, plain ? "Content-Type: text/plain; charset=us-ascii\r\n\r\n"
			    : "Content-Type: text/plain; charset=utf-8\r\n"
			      "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
	eol_init(&eol);
	if (buf_failed(&text) || buf_failed(&encoded) ||
	    eol_feed(&eol, buf_span(plain ? &text : &encoded), out, NULL) != 0)
		out->failed = true;
}

/* A status of class 0 is none; RFC 3464 wants one, so the action decides. */
static void add_status(struct buf *out, const struct dsn_recipient *r) {
	static const unsigned classes[] = { [DSN_FAILED] = 5,
					    [DSN_DELAYED] = 4,
					    [DSN_DELIVERED] = 2,
					    [DSN_RELAYED] = 2 };
	struct mail_status s = r->status;
	if (s.klass == 0)
		s = (struct mail_status){ .klass = classes[r->action] };
	buf_adds(out, "Status: ");
	mail_status_add(out, s);
	buf_adds(out, "\r\n");
}

static void add_recipient(struct buf *out, const struct dsn_params *p,
			  const struct dsn_recipient *r) {
	buf_adds(out, "\r\n");
	if (r->orcpt.len > 0) {
		struct span value = r->orcpt, type;
		bool typed = span_take_until(&value, ';', &type);
		buf_adds(out, "Original-Recipient: ");
		add_address(out, typed ? span_head(type, 16) : SPAN("rfc822"), false);
		buf_adds(out, "; ");
		add_address(out, value, p->original_utf8);
		buf_adds(out, "\r\n");
	}
	buf_adds(out, addr_is_utf8(r->address) ? "Final-Recipient: utf-8; "
					       : "Final-Recipient: rfc822; ");
	add_address(out, r->address, p->original_utf8);
	buf_addf(out, "\r\nAction: %s\r\n", action_names[r->action]);
	add_status(out, r);
	if (r->is_remote && r->remote.len > 0) {
		buf_adds(out, "Remote-MTA: dns; ");
		add_text(out, r->remote, 17);
		buf_adds(out, "\r\n");
	}
	if (r->reply.len > 0) {
		buf_adds(out, "Diagnostic-Code: ");
		buf_adds(out, r->is_remote ? "smtp; " : "x-nightmail; ");
		add_text(out, r->reply, r->is_remote ? 23 : 30);
		buf_adds(out, "\r\n");
	}
	if (r->last_attempt_s > 0)
		add_date_field(out, "Last-Attempt-Date", r->last_attempt_s);
	if (r->action == DSN_DELAYED && r->retry_until_s > 0)
		add_date_field(out, "Will-Retry-Until", r->retry_until_s);
}

static void add_report(struct buf *out, const struct dsn_params *p,
		       const struct dsn_recipient *r, size_t count) {
	begin_part(out, p);
	buf_adds(out, p->original_utf8
			      ? "Content-Type: message/global-delivery-status\r\n"
				"Content-Transfer-Encoding: 8bit\r\n\r\n"
			      : "Content-Type: message/delivery-status\r\n\r\n");
	if (p->envid.len > 0) {
		buf_adds(out, "Original-Envelope-Id: ");
		add_text(out, p->envid, 22);
		buf_adds(out, "\r\n");
	}
	buf_adds(out, "Reporting-MTA: dns; ");
	add_text(out, p->host, 20);
	buf_adds(out, "\r\nX-Nightmail-Queue-ID: ");
	add_text(out, p->original_id, 22);
	buf_adds(out, "\r\n");
	add_date_field(out, "Arrival-Date", p->arrival_s);
	for (size_t i = 0; i < count; i++)
		add_recipient(out, p, &r[i]);
}

/* The third part's type, by what is returned and whether its header has UTF-8. */
static void begin_original(struct buf *out, const struct dsn_params *p) {
	static const char *const types[2][2] = {
		{ "text/rfc822-headers", "message/global-headers" },
		{ "message/rfc822", "message/global" },
	};
	begin_part(out, p);
	buf_addf(out, "Content-Type: %s\r\n", types[p->return_full][p->original_utf8]);
	if (p->return_full || p->original_utf8)
		buf_adds(out, "Content-Transfer-Encoding: 8bit\r\n");
	buf_adds(out, "\r\n");
}

int dsn_write_head(struct buf *out, const struct dsn_params *p,
		   const struct dsn_recipient *r, size_t count) {
	add_header(out, p, r, count);
	add_words(out, p, r, count);
	add_report(out, p, r, count);
	begin_original(out, p);
	return buf_failed(out) ? -1 : 0;
}

int dsn_write_tail(struct buf *out, const struct dsn_params *p) {
	buf_adds(out, "\r\n--");
	add_boundary(out, p);
	buf_adds(out, "--\r\n");
	return buf_failed(out) ? -1 : 0;
}
