/*
 * A template's message for one row. Addresses and fields go through the same functions as those
 * of the command line, so a row cannot smuggle in what an option could not.
 */

#include "cli/send_merge.h"
#include "mail/addr.h"
#include "mail/header.h"

#define VALUE_MAX (1u << 20)

/* --- the template --- */

static int take_content_field(struct send_merge_template *t, struct span name,
			      struct span value, struct err *err) {
	struct span type = span_trim(span_head(value, span_find(value, ';')));
	bool is_type = span_eq_nocase(name, SPAN("Content-Type"));
	if (is_type && span_eq_nocase(type, SPAN("text/html"))) {
		t->body_is_html = true;
		return 0;
	}
	if (is_type ? span_eq_nocase(type, SPAN("text/plain"))
		    : span_eq_nocase(type, SPAN("7bit")) ||
			      span_eq_nocase(type, SPAN("8bit")))
		return 0;
	return err_set(err, ERR_SYNTAX,
		       "%.*s: %.*s: a template is text/plain or text/html, 7bit or 8bit",
		       (int)name.len, name.p, (int)span_head(type, 60).len, type.p);
}

int send_merge_template_read(struct send_merge_template *ret, const struct send_call *c,
			     struct span template, struct span html, struct err *err) {
	struct header_field f;
	(void)span_take_lit(&template, SPAN("\xef\xbb\xbf")); /* a BOM of some editors */
	size_t len = header_block_len(template);
	*ret = (struct send_merge_template){ .header = span_head(template, len),
					     .body = span_from(template, len),
					     .html = html,
					     .sender_given = c->s.from_set };
	if (len == 0)
		return err_set(
			err, ERR_SYNTAX,
			"no header: it begins with To: and Subject:, and an empty line "
			"ends them");
	header_take_empty(&ret->body);
	for (struct span rest = ret->header; header_take(&rest, &f);) {
		if ((span_eq_nocase(f.name, SPAN("Content-Type")) ||
		     span_eq_nocase(f.name, SPAN("Content-Transfer-Encoding"))) &&
		    take_content_field(ret, f.name, span_trim(f.value), err) != 0)
			return -1;
	}
	if (ret->body_is_html && c->html)
		return err_set(err, ERR_SYNTAX,
			       "it is text/html itself, so --html has no place");
	return 0;
}

/* --- a message --- */

void send_message_init(struct send_message *m) {
	buf_init(&m->text, SIZE_MAX / 8);
	buf_init(&m->html, SIZE_MAX / 8);
	m->has_html = false;
}

void send_message_release(struct send_message *m) {
	buf_release(&m->text);
	buf_release(&m->html);
}

/* "a b" of a table in To would be a mailbox "a b" on this machine. */
static int check_recipients(const struct send_call *c, struct err *err) {
	for (size_t i = 0; i < c->s.to.count; i++) {
		struct addr parts;
		struct span address = span_str(c->s.to.address[i]);
		if (addr_parse(address, ADDR_SUBMITTED, &parts, err) != 0)
			return -1;
		if (!parts.domain.p && address.p[0] == '"')
			return err_set(err, ERR_SYNTAX, "%s is not a recipient",
				       c->s.to.address[i]);
	}
	return c->s.to.count > 0 ? 0 : err_set(err, ERR_MISSING, "no recipient");
}

static const struct {
	char name[10];
	enum compose_list list;
} lists[] = {
	{ "To", COMPOSE_TO },     { "Cc", COMPOSE_CC },
	{ "Bcc", COMPOSE_BCC },   { "Reply-To", COMPOSE_REPLY_TO },
	{ "From", COMPOSE_FROM },
};

static int take_list(struct send_call *c, enum compose_list list, struct span value,
		     struct err *err) {
	if (value.len == 0)
		return 0; /* an optional Cc that this row does not have */
	if (list == COMPOSE_REPLY_TO && c->reply_to)
		return 0;
	if (list == COMPOSE_FROM && c->from)
		return 0;
	if (list == COMPOSE_FROM && !c->s.from_set &&
	    submission_from(&c->s, value, err) != 0)
		return -1;
	if (list != COMPOSE_REPLY_TO && list != COMPOSE_FROM &&
	    submission_add(&c->s, value, err) != 0)
		return -1;
	return compose_address(&c->mail, list, value, err);
}

static int take_subject(struct send_call *c, struct span value, struct err *err) {
	if (compose_subject(&c->mail, value) != 0)
		return err_set(err, ERR_SYNTAX,
			       "Subject has a control character or is too long");
	return 0;
}

static bool is_content_field(struct span name) {
	return span_eq_nocase(name, SPAN("Content-Type")) ||
	       span_eq_nocase(name, SPAN("Content-Transfer-Encoding")) ||
	       span_eq_nocase(name, SPAN("MIME-Version"));
}

static int take_field(struct send_call *c, const struct header_field *f,
		      const struct row *row, struct err *err) {
	AUTO_BUF struct buf plain = BUF_INIT(VALUE_MAX), value = BUF_INIT(VALUE_MAX);
	if (is_content_field(f->name))
		return 0;
	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
		if (!span_eq_nocase(f->name, span_str(lists[i].name)))
			continue;
		header_unfold(f->value, &plain);
		if (template_expand(buf_span(&plain), TEMPLATE_ADDRESS, row, &value,
				    err) != 0)
			return -1;
		return take_list(c, lists[i].list, span_trim(buf_span(&value)), err);
	}
	bool subject = span_eq_nocase(f->name, SPAN("Subject"));
	header_unfold(f->value, &plain);
	if (!subject) {
		buf_add(&value, f->name);
		buf_adds(&value, ": ");
	}
	if (template_expand(buf_span(&plain), TEMPLATE_TEXT, row, &value, err) != 0)
		return -1;
	return subject ? take_subject(c, buf_span(&value), err)
		       : compose_field(&c->mail, buf_span(&value), err);
}

static int take_options(struct send_call *c, const struct row *row, struct err *err) {
	if (c->from &&
	    compose_address(&c->mail, COMPOSE_FROM, span_str(c->from), err) != 0)
		return err_prefix(err, "--from");
	if (c->reply_to &&
	    compose_address(&c->mail, COMPOSE_REPLY_TO, span_str(c->reply_to), err) != 0)
		return err_prefix(err, "--reply-to");
	for (size_t i = 0; i < c->field_count; i++) {
		AUTO_BUF struct buf value = BUF_INIT(VALUE_MAX);
		if (template_expand(span_str(c->fields[i]), TEMPLATE_TEXT, row, &value,
				    err) != 0 ||
		    compose_field(&c->mail, buf_span(&value), err) != 0)
			return err_prefix(err, "--header");
	}
	for (size_t i = 0; i < c->unsubscribe_count; i++) {
		AUTO_BUF struct buf value = BUF_INIT(VALUE_MAX);
		if (template_expand(span_str(c->unsubscribe[i]), TEMPLATE_URL, row,
				    &value, err) != 0 ||
		    compose_unsubscribe(&c->mail, buf_span(&value), err) != 0)
			return err_prefix(err, "--unsubscribe");
	}
	return 0;
}

static int make_texts(const struct send_merge_template *t, const struct row *row,
		      struct send_message *m, struct err *err) {
	buf_reset(&m->text);
	buf_reset(&m->html);
	m->has_html = t->body_is_html || t->html.p;
	if (template_expand(t->body, t->body_is_html ? TEMPLATE_HTML : TEMPLATE_TEXT, row,
			    t->body_is_html ? &m->html : &m->text, err) != 0)
		return err_prefix(err, "text");
	if (t->html.p && template_expand(t->html, TEMPLATE_HTML, row, &m->html, err) != 0)
		return err_prefix(err, "--html");
	return 0;
}

int send_message_make(struct send_call *c, const struct send_merge_template *t,
		      const struct row *row, struct send_message *m, struct err *err) {
	struct header_field f;
	fixup_recipients_release(&c->s.to);
	compose_release(&c->mail);
	compose_init(&c->mail);
	c->s.from_set = t->sender_given; /* what the row before said is over */
	for (struct span rest = t->header; header_take(&rest, &f);)
		if (take_field(c, &f, row, err) != 0)
			return -1;
	if (take_options(c, row, err) != 0 || check_recipients(c, err) != 0)
		return -1;
	return make_texts(t, row, m, err);
}

int send_message_build(struct send_call *c, const struct send_message *m,
		       struct send_built *b, struct err *err) {
	/* Without a byte it would look as if there were no HTML. */
	struct span html = m->has_html ? span_of(buf_str(&m->html), m->html.len)
				       : span_of(NULL, 0);
	return send_build(c, &c->mail, span_of(buf_str(&m->text), m->text.len), html, b,
			  err);
}
