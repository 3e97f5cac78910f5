/*
 * Building a message from parts. Addresses are parsed and written anew, so no option can
 * smuggle a second field into the header; the text is looked at once to choose its
 * transfer encoding.
 */

#include "mail/compose.h"

#include <string.h>

#include "mail/addr.h"
#include "mail/fixup.h"
#include "mail/qp.h"

#define LIST_MAX (4u << 20)
#define SUBJECT_MAX 8192u
#define FIELDS_MAX (256u << 10)
#define TEXT_LINE_MAX 998 /* RFC 5322 section 2.1.1 */
#define FOLD_COLUMN 78

static const char *const list_names[COMPOSE_LISTS] = { "From", "To", "Cc", "Bcc", "Reply-To" };

/* Fields that come from options of their own or are ours to write. */
static const char *const own_fields[] = { "From", "To", "Cc", "Bcc", "Reply-To", "Subject",
	"MIME-Version", "Content-Type", "Content-Transfer-Encoding", "Received" };

void compose_init(struct compose *c) {
	for (size_t i = 0; i < COMPOSE_LISTS; i++)
		buf_init(&c->list[i], LIST_MAX);
	buf_init(&c->subject, SUBJECT_MAX);
	buf_init(&c->fields, FIELDS_MAX);
	c->used = false;
}

void compose_release(struct compose *c) {
	for (size_t i = 0; i < COMPOSE_LISTS; i++)
		buf_release(&c->list[i]);
	buf_release(&c->subject);
	buf_release(&c->fields);
}

bool compose_used(const struct compose *c) {
	return c->used;
}

/* Where the last line of a buffer stands. */
static size_t column_of(const struct buf *b, size_t first_line_indent) {
	const char *nl = b->len ? memrchr(b->data, '\n', b->len) : NULL;
	return nl ? (size_t)(b->data + b->len - nl - 1) : first_line_indent + b->len;
}

static int add_mailbox(void *ctx, struct span address, struct span display_name) {
	struct buf *list = ctx;
	AUTO_BUF struct buf one = BUF_INIT(LIST_MAX);
	if (display_name.len) {
		fixup_phrase(&one, display_name);
		buf_adds(&one, " <");
	}
	buf_add(&one, address);
	if (display_name.len)
		buf_addc(&one, '>');
	if (list->len)
		buf_adds(list, column_of(list, 10) + one.len + 2 > FOLD_COLUMN ? ",\n " : ", ");
	buf_add(list, buf_span(&one));
	return buf_failed(list) || buf_failed(&one) ? 1 : 0;
}

int compose_address(struct compose *c, enum compose_list list, struct span text, struct err *err) {
	struct addr a;
	int r;
	c->used = true;
	if (addr_parse(text, ADDR_SUBMITTED, &a, NULL) == 0)
		r = add_mailbox(&c->list[list], text, SPAN(""));
	else
		r = addr_list(text, add_mailbox, &c->list[list], err);
	return r > 0 ? err_set(err, ERR_LIMIT, "too many addresses") : r;
}

static bool is_one_line(struct span text) {
	for (size_t i = 0; i < text.len; i++) {
		unsigned char ch = (unsigned char)text.p[i];
		if ((ch < 0x20 && ch != '\t') || ch == 0x7f)
			return false;
	}
	return true;
}

int compose_subject(struct compose *c, struct span text) {
	c->used = true;
	buf_reset(&c->subject);
	if (!is_one_line(text))
		return -1;
	return fixup_text(&c->subject, text, strlen("Subject: "));
}

static bool is_field_name(struct span name) {
	for (size_t i = 0; i < name.len; i++)
		if (name.p[i] <= 0x20 || name.p[i] >= 0x7f)
			return false;
	return name.len > 0;
}

int compose_field(struct compose *c, struct span text, struct err *err) {
	struct span name, value = text;
	c->used = true;
	if (!span_take_until(&value, ':', &name) || !is_field_name(name) || !is_one_line(text))
		return err_set(err, ERR_SYNTAX, "\"%.*s\" is not of the form NAME: VALUE on one line",
			(int)(text.len < 100 ? text.len : 100), text.p);
	for (size_t i = 0; i < sizeof own_fields / sizeof *own_fields; i++)
		if (span_eq_nocase(name, span_str(own_fields[i])))
			return err_set(err, ERR_SYNTAX, "%s is written by send itself", own_fields[i]);
	buf_add(&c->fields, name);
	buf_adds(&c->fields, ": ");
	fixup_text(&c->fields, span_trim(value), name.len + 2);
	buf_addc(&c->fields, '\n');
	return buf_failed(&c->fields) ? err_set(err, ERR_LIMIT, "too many header fields") : 0;
}

/* What decides the encoding of a text. */
struct text_facts {
	bool has_nul, has_8bit, is_utf8, has_long_line;
};

/* Length of the UTF-8 sequence at p, or 0 when it is none (RFC 3629). */
static size_t utf8_len(const unsigned char *p, size_t left) {
	static const unsigned char second_min[] = { [0xe0 - 0xc0] = 0xa0, [0xf0 - 0xc0] = 0x90 };
	size_t n = *p >= 0xf0 && *p <= 0xf4 ? 4 : *p >= 0xe0 && *p < 0xf0 ? 3 : 2;
	if (*p < 0xc2 || *p > 0xf4 || left < n)
		return 0;
	size_t lead = (size_t)(*p - 0xc0);
	unsigned char min = lead < sizeof second_min && second_min[lead] ? second_min[lead] : 0x80;
	unsigned char max = *p == 0xed ? 0x9f : *p == 0xf4 ? 0x8f : 0xbf;
	if (p[1] < min || p[1] > max)
		return 0;
	for (size_t i = 2; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

static struct text_facts look_at(struct span text) {
	struct text_facts f = { .is_utf8 = true };
	size_t line = 0;
	const unsigned char *p = (const unsigned char *)text.p;
	for (size_t i = 0; i < text.len;) {
		size_t n = 1;
		if (p[i] == '\n') {
			line = 0;
			i++;
			continue;
		}
		f.has_nul |= p[i] == 0;
		if (p[i] >= 0x80) {
			f.has_8bit = true;
			n = utf8_len(p + i, text.len - i);
			f.is_utf8 &= n > 0;
			n = n ? n : 1;
		}
		line += n;
		f.has_long_line |= line > TEXT_LINE_MAX;
		i += n;
	}
	return f;
}

static void add_lists(const struct compose *c, struct buf *header) {
	for (size_t i = 0; i < COMPOSE_LISTS; i++)
		if (i != COMPOSE_BCC && c->list[i].len) {
			buf_addf(header, "%s: ", list_names[i]);
			buf_add(header, buf_span(&c->list[i]));
			buf_addc(header, '\n');
		}
}

int compose_finish(struct compose *c, struct span text, struct buf *header, struct buf *body,
	struct err *err) {
	struct text_facts f = look_at(text);
	if (f.has_nul)
		return err_set(err, ERR_SYNTAX, "the text contains a NUL byte");
	bool encode = f.has_long_line;
	add_lists(c, header);
	buf_adds(header, "Subject: ");
	buf_add(header, buf_span(&c->subject));
	buf_addc(header, '\n');
	buf_add(header, buf_span(&c->fields));
	buf_addf(header,
		"MIME-Version: 1.0\nContent-Type: text/plain; charset=%s\n"
		"Content-Transfer-Encoding: %s\n",
		!f.has_8bit ? "us-ascii" : f.is_utf8 ? "utf-8" : "unknown-8bit",
		encode ? "quoted-printable" : f.has_8bit ? "8bit" : "7bit");
	if (encode)
		qp_encode_text(text, body);
	else
		buf_add(body, text);
	if (buf_failed(header) || buf_failed(body))
		return err_set(err, ERR_LIMIT, "the message is too big");
	return 0;
}
