/* See downgrade.h. Only fields with bytes >= 0x80 are touched. */

#include "mail/downgrade.h"

#include "base/utf8.h"
#include "mail/addr.h"
#include "mail/fixup.h"
#include "mail/header.h"

#define VALUE_MAX (64u << 10)

static const struct span address_fields[] = {
	SPAN_INIT("From"),
	SPAN_INIT("Sender"),
	SPAN_INIT("Reply-To"),
	SPAN_INIT("To"),
	SPAN_INIT("Cc"),
	SPAN_INIT("Bcc"),
	SPAN_INIT("Resent-From"),
	SPAN_INIT("Resent-Sender"),
	SPAN_INIT("Resent-To"),
	SPAN_INIT("Resent-Cc"),
	SPAN_INIT("Resent-Bcc"),
	SPAN_INIT("Mail-Followup-To"),
	SPAN_INIT("Mail-Reply-To"),
	SPAN_INIT("Resent-Reply-To"),
};

/* Neither text nor addresses; a name that ends in '-' is the beginning of several. */
static const struct span other_fields[] = {
	SPAN_INIT("Received"),
	SPAN_INIT("Message-ID"),
	SPAN_INIT("In-Reply-To"),
	SPAN_INIT("References"),
	SPAN_INIT("Resent-Message-ID"),
	SPAN_INIT("Return-Path"),
	SPAN_INIT("Content-"),
	SPAN_INIT("MIME-Version"),
	SPAN_INIT("Date"),
	SPAN_INIT("ARC-"),
	SPAN_INIT("DKIM-Signature"),
	SPAN_INIT("Resent-Date"),
	SPAN_INIT("List-"),
	SPAN_INIT("Authentication-Results"),
};

static bool is_one_of(struct span name, const struct span *names, size_t count) {
	for (size_t i = 0; i < count; i++) {
		bool many = names[i].p[names[i].len - 1] == '-';
		if (many ? span_starts_nocase(name, names[i])
			 : span_eq_nocase(name, names[i]))
			return true;
	}
	return false;
}

#define IS_ONE_OF(name, names) \
	is_one_of((name), (names), sizeof(names) / sizeof((names)[0]))

bool downgrade_is_8bit(struct span s) {
	return !utf8_is_ascii(s);
}

static bool is_utf8(struct span s) {
	uint32_t cp;
	while (s.len > 0)
		if (!span_take_utf8(&s, &cp))
			return false;
	return true;
}

struct list {
	struct buf *out;
	struct span field;
	size_t count;
	struct err *err;
};

/* The name without its quotes, as text. */
static int add_phrase(struct buf *out, struct span name) {
	AUTO_BUF struct buf line = BUF_INIT(VALUE_MAX), text = BUF_INIT(VALUE_MAX);
	if (header_unfold(name, &line) != 0)
		return -1;
	struct span s = buf_span(&line);
	bool quoted = s.len > 1 && s.p[0] == '"' && s.p[s.len - 1] == '"';
	if (quoted)
		s = span_head(span_from(s, 1), s.len - 2);
	for (size_t i = 0; i < s.len; i++) {
		if (quoted && s.p[i] == '\\' && i + 1 < s.len)
			i++;
		buf_addc(&text, s.p[i]);
	}
	return buf_failed(&text) ? -1 : fixup_phrase(out, buf_span(&text));
}

static int add_mailbox(void *ctx, struct span address, struct span name) {
	struct list *l = ctx;
	struct addr parts;
	buf_adds(l->out, l->count++ > 0 ? ",\r\n\t" : " ");
	if (name.len > 0) {
		if (!downgrade_is_8bit(name))
			buf_add(l->out, name);
		else if (add_phrase(l->out, name) != 0)
			return err_set(l->err, ERR_MEMORY, "out of memory");
		buf_addc(l->out, ' ');
	}
	buf_addc(l->out, '<');
	if (!downgrade_is_8bit(address)) {
		buf_add(l->out, address);
	} else {
		if (addr_parse(address, ADDR_SUBMITTED, &parts, NULL) != 0 ||
		    downgrade_is_8bit(parts.local))
			return err_set(l->err, ERR_SYNTAX,
				       "an address in its %.*s field needs SMTPUTF8",
				       (int)l->field.len, l->field.p);
		buf_add(l->out, parts.local);
		buf_addc(l->out, '@');
		if (addr_domain_ascii(parts.domain, l->out, l->err) != 0)
			return -1;
	}
	return buf_addc(l->out, '>');
}

static int add_addresses(const struct header_field *f, struct buf *out, struct err *err) {
	struct list l = { .out = out, .field = f->name, .err = err };
	struct err unread = ERR_INIT;
	size_t before = out->len;
	buf_add(out, f->name);
	buf_addc(out, ':');
	int r = addr_list(f->value, add_mailbox, &l, &unread);
	if (r == 0)
		return buf_adds(out, "\r\n");
	if (unread.kind == ERR_NONE) /* add_mailbox() has said why */
		return -1;
	buf_truncate(out, before);
	return buf_add(out, f->raw);
}

static int add_text(const struct header_field *f, struct buf *out) {
	AUTO_BUF struct buf line = BUF_INIT(VALUE_MAX);
	if (header_unfold(f->value, &line) != 0)
		return -1;
	buf_add(out, f->name);
	buf_adds(out, ": ");
	fixup_text(out, buf_span(&line), f->name.len + 2);
	return buf_adds(out, "\r\n");
}

int downgrade_header(struct span block, struct buf *out, struct err *err) {
	struct header_field f;
	struct span rest = block;
	while (header_take(&rest, &f)) {
		int r = 0;
		bool text = !IS_ONE_OF(f.name, other_fields);
		if (!text || !downgrade_is_8bit(f.value) || !is_utf8(f.value) ||
		    f.value.len > VALUE_MAX)
			r = buf_add(out, f.raw);
		else if (header_is_signed(block))
			return err_set(err, ERR_SYNTAX,
				       "its %.*s field has characters beyond ASCII, and "
				       "converting them would break its signature",
				       (int)f.name.len, f.name.p);
		else if (IS_ONE_OF(f.name, address_fields))
			r = add_addresses(&f, out, err);
		else
			r = add_text(&f, out);
		if (buf_failed(out) || (r != 0 && err->kind == ERR_NONE))
			return err_set(err, ERR_MEMORY, "out of memory");
		if (r != 0)
			return -1;
	}
	return buf_add(out, rest) == 0 ? 0 : err_set(err, ERR_MEMORY, "out of memory");
}
