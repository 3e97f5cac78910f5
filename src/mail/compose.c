/*
 * Building a message from parts. Addresses are parsed and written anew, so no option can
 * smuggle a second field into the header; the text is looked at once to choose its
 * transfer encoding.
 */

#include "mail/compose.h"

#include <string.h>

#include "mail/addr.h"
#include "mail/chars.h"
#include "mail/fixup.h"
#include "mail/mime.h"

#define LIST_MAX (4u << 20)
#define SUBJECT_MAX 8192u
#define FIELDS_MAX (256u << 10)
#define FIELD_NAME_MAX 76 /* a line holds it whatever follows */
#define FOLD_COLUMN 78
#define URL_MAX 900u /* stands in one line */

static const char *const list_names[COMPOSE_LISTS] = { "From", "To", "Cc", "Bcc",
						       "Reply-To" };

/* Fields that come from options of their own or are ours to write. */
static const char *const own_fields[] = {
	"From",         "To",           "Cc",
	"Bcc",          "Reply-To",     "Subject",
	"MIME-Version", "Content-Type", "Content-Transfer-Encoding",
	"Received",     "Return-Path"
};

void compose_init(struct compose *c) {
	for (size_t i = 0; i < COMPOSE_LISTS; i++)
		buf_init(&c->list[i], LIST_MAX);
	buf_init(&c->subject, SUBJECT_MAX);
	buf_init(&c->fields, FIELDS_MAX);
	buf_init(&c->unsubscribe, FIELDS_MAX);
	c->one_click = false;
	c->used = false;
}

void compose_release(struct compose *c) {
	for (size_t i = 0; i < COMPOSE_LISTS; i++)
		buf_release(&c->list[i]);
	buf_release(&c->subject);
	buf_release(&c->fields);
	buf_release(&c->unsubscribe);
}

bool compose_used(const struct compose *c) {
	return c->used;
}

/* Where the last line of a buffer stands. */
static size_t column_of(const struct buf *b, size_t first_line_indent) {
	const char *nl = b->len ? memrchr(b->data, '\n', b->len) : NULL;
	return nl ? (size_t)(b->data + b->len - nl - 1) : first_line_indent + b->len;
}

/* Appends what a display name says: the content of quoted strings, without their quotes. */
static void add_plain_name(struct buf *out, struct span name) {
	for (size_t i = 0; i < name.len; i++) {
		if (name.p[i] == '"')
			continue;
		if (name.p[i] == '\\' && i + 1 < name.len)
			i++;
		buf_addc(out, name.p[i]);
	}
}

/* Such a name is header text already; encoded words (RFC 2047) are atoms too. */
static bool is_atoms(struct span name) {
	struct span word;
	if (addr_is_utf8(name))
		return false;
	while (span_take_word(&name, &word))
		if (chars_run(word, CHARS_ATEXT) != word.len)
			return false;
	return true;
}

static void add_name(struct buf *out, struct span display_name) {
	AUTO_BUF struct buf plain = BUF_INIT(LIST_MAX);
	if (is_atoms(display_name)) {
		buf_add(out, display_name);
		return;
	}
	add_plain_name(&plain, display_name);
	fixup_phrase(out, buf_span(&plain));
}

static int add_mailbox(void *ctx, struct span address, struct span display_name) {
	struct buf *list = ctx;
	AUTO_BUF struct buf one = BUF_INIT(LIST_MAX);
	add_name(&one, display_name);
	bool named = one.len > 0;
	if (named)
		buf_adds(&one, " <");
	buf_add(&one, address);
	if (named)
		buf_addc(&one, '>');
	if (list->len)
		buf_adds(list,
			 column_of(list, 10) + one.len + 2 > FOLD_COLUMN ? ",\n " : ", ");
	buf_add(list, buf_span(&one));
	return buf_failed(list) || buf_failed(&one) ? 1 : 0;
}

int compose_address(struct compose *c, enum compose_list list, struct span text,
		    struct err *err) {
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
	return name.len > 0 && name.len <= FIELD_NAME_MAX;
}

int compose_field(struct compose *c, struct span text, struct err *err) {
	struct span name, value = text;
	c->used = true;
	if (!span_take_until(&value, ':', &name) || !is_field_name(name) ||
	    !is_one_line(text))
		return err_set(err, ERR_SYNTAX,
			       "\"%.*s\" is not of the form NAME: VALUE on one line",
			       (int)(text.len < 100 ? text.len : 100), text.p);
	for (size_t i = 0; i < sizeof own_fields / sizeof *own_fields; i++)
		if (span_eq_nocase(name, span_str(own_fields[i])))
			return err_set(err, ERR_SYNTAX, "%s is written by send itself",
				       own_fields[i]);
	if (span_starts_nocase(name, SPAN("Resent-")))
		return err_set(err, ERR_SYNTAX, "a new message has no Resent- fields");
	buf_add(&c->fields, name);
	buf_adds(&c->fields, ": ");
	fixup_text(&c->fields, span_trim(value), name.len + 2);
	buf_addc(&c->fields, '\n');
	return buf_failed(&c->fields) ? err_set(err, ERR_LIMIT, "too many header fields")
				      : 0;
}

static bool is_url(struct span url) {
	for (size_t i = 0; i < url.len; i++)
		if (url.p[i] <= 0x20 || url.p[i] >= 0x7f || strchr("<>\"", url.p[i]))
			return false;
	return url.len <= URL_MAX;
}

int compose_unsubscribe(struct compose *c, struct span url, struct err *err) {
	bool by_post = span_starts_nocase(url, SPAN("https://"));
	int shown = (int)(url.len < 100 ? url.len : 100);
	c->used = true;
	if (!by_post && !span_starts_nocase(url, SPAN("mailto:")))
		return err_set(err, ERR_SYNTAX,
			       "\"%.*s\" begins neither with https:// nor with mailto:",
			       shown, url.p);
	if (!is_url(url))
		return err_set(
			err, ERR_SYNTAX,
			"\"%.*s\" is no URL: a byte of it has to be written as %%XX, "
			"or it is longer than %u",
			shown, url.p, URL_MAX);
	c->one_click |= by_post;
	buf_adds(&c->unsubscribe, c->unsubscribe.len ? ",\n <" : "<");
	buf_add(&c->unsubscribe, url);
	buf_addc(&c->unsubscribe, '>');
	return buf_failed(&c->unsubscribe)
		       ? err_set(err, ERR_LIMIT, "too many ways to unsubscribe")
		       : 0;
}

static void add_unsubscribe(const struct compose *c, struct buf *header) {
	if (!c->unsubscribe.len)
		return;
	buf_adds(header, "List-Unsubscribe: ");
	buf_add(header, buf_span(&c->unsubscribe));
	buf_addc(header, '\n');
	if (c->one_click)
		buf_adds(header, "List-Unsubscribe-Post: List-Unsubscribe=One-Click\n");
}

static void add_lists(const struct compose *c, struct buf *header) {
	for (size_t i = 0; i < COMPOSE_LISTS; i++)
		if (i != COMPOSE_BCC && c->list[i].len) {
			buf_addf(header, "%s: ", list_names[i]);
			buf_add(header, buf_span(&c->list[i]));
			buf_addc(header, '\n');
		}
}

int compose_head(const struct compose *c, struct buf *header, struct err *err) {
	add_lists(c, header);
	if (c->subject.len) {
		buf_adds(header, "Subject: ");
		buf_add(header, buf_span(&c->subject));
		buf_addc(header, '\n');
	}
	add_unsubscribe(c, header);
	buf_add(header, buf_span(&c->fields));
	buf_adds(header, "MIME-Version: 1.0\n");
	return buf_failed(header) ? err_set(err, ERR_LIMIT, "the header is too long") : 0;
}

static enum mime_encoding encoding_of(const struct mime_facts *f) {
	if (f->has_long_line)
		return mime_text_encoding(f);
	return f->octets_8bit > 0 ? MIME_8BIT : MIME_7BIT;
}

int compose_finish(struct compose *c, struct span text, struct buf *header,
		   struct buf *encoded, struct span *ret_body, struct err *err) {
	struct mime_facts f = { .octets = 0 };
	mime_look(&f, text);
	enum mime_encoding encoding = encoding_of(&f);
	struct span body = text;
	if (f.has_nul)
		return err_set(err, ERR_SYNTAX, "the text has a NUL byte");
	if (compose_head(c, header, err) != 0)
		return -1;
	buf_addf(header,
		 "Content-Type: text/plain; charset=%s\n"
		 "Content-Transfer-Encoding: %s\n",
		 mime_charset(&f), mime_encoding_name(encoding));
	if (buf_failed(header))
		return err_set(err, ERR_LIMIT, "the header is too long");
	if (f.has_long_line) {
		if (mime_encode_text(text, encoding, encoded) != 0)
			return err_set(err, ERR_MEMORY, "out of memory");
		body = buf_span(encoded);
	}
	*ret_body = body;
	return 0;
}
