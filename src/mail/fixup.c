/*
 * The header at acceptance. The fields are walked twice: the first walk only looks names
 * up, because Resent- fields anywhere change what To means, and because what is missing
 * goes to the top, where a trace and a Resent- block belong. The second walk copies. Of
 * a field's bytes only the line ends are changed.
 */

#include "mail/fixup.h"

#include "mail/addr.h"
#include "mail/chars.h"
#include "mail/date.h"
#include "mail/eol.h"
#include "mail/header.h"

enum {
	FIELD_DATE = 1,
	FIELD_FROM = 2,
	FIELD_ID = 4,
	FIELD_ONCE = FIELD_DATE | FIELD_FROM | FIELD_ID,
	FIELD_RECIPIENTS = 8,
	FIELD_DROP = 16,
	FIELD_RESENT = 32,
	FIELD_TRACE = 64,
	FIELD_HOP = 128,
	FIELD_WISHES = 256,
};

struct known {
	struct span name;
	unsigned flags;
};

static const struct known known_fields[] = {
	{ SPAN_INIT("Date"), FIELD_DATE },
	{ SPAN_INIT("From"), FIELD_FROM },
	{ SPAN_INIT("Message-ID"), FIELD_ID },
	{ SPAN_INIT("To"), FIELD_RECIPIENTS },
	{ SPAN_INIT("Cc"), FIELD_RECIPIENTS },
	{ SPAN_INIT("Bcc"), FIELD_RECIPIENTS | FIELD_DROP },
	{ SPAN_INIT("Resent-Date"), FIELD_RESENT | FIELD_DATE },
	{ SPAN_INIT("Resent-From"), FIELD_RESENT | FIELD_FROM },
	{ SPAN_INIT("Resent-Message-ID"), FIELD_RESENT | FIELD_ID },
	{ SPAN_INIT("Resent-To"), FIELD_RESENT | FIELD_RECIPIENTS },
	{ SPAN_INIT("Resent-Cc"), FIELD_RESENT | FIELD_RECIPIENTS },
	{ SPAN_INIT("Resent-Bcc"), FIELD_RESENT | FIELD_RECIPIENTS | FIELD_DROP },
	{ SPAN_INIT("Resent-Sender"), FIELD_RESENT },
	{ SPAN_INIT("Resent-Reply-To"), FIELD_RESENT },
	{ SPAN_INIT("Received"), FIELD_TRACE | FIELD_HOP },
	{ SPAN_INIT("Return-Path"), FIELD_TRACE },
	{ SPAN_INIT(WISHES_FIELD), FIELD_WISHES },
};

/* What the first walk found. */
struct survey {
	unsigned seen;        /* FIELD_ONCE bits outside of Resent- */
	unsigned resent_seen; /* the same in the topmost Resent- block */
	bool resent;
	const char *resent_end; /* where that block ends, NULL while it may go on */
	struct span id, resent_id;
	size_t count, hops;
};

struct job {
	const struct fixup_params *params;
	struct fixup_recipients *recipients;
	struct survey survey;
	struct buf *out;
	struct err *err;
};

static unsigned look_up(struct span name) {
	for (size_t i = 0; i < sizeof(known_fields) / sizeof(known_fields[0]); i++)
		if (name.len == known_fields[i].name.len &&
		    span_eq_nocase(name, known_fields[i].name))
			return known_fields[i].flags;
	return 0;
}

/* The topmost block ends where a trace field says that the message travelled after the
 * block below was made, or where a field comes again that a block has once. Without this
 * a message resent twice would go to those who got it the first time. */
static void survey_resent(struct survey *v, const struct header_field *f,
			  unsigned flags) {
	bool trace = (flags & FIELD_TRACE) != 0;
	if (v->resent_end || (trace && !v->resent))
		return;
	if (trace || (v->resent_seen & flags & FIELD_ONCE)) {
		v->resent_end = f->raw.p;
		return;
	}
	v->resent = true;
	v->resent_seen |= flags & FIELD_ONCE;
	if (flags & FIELD_ID)
		v->resent_id = f->value;
}

static void survey_header(struct survey *v, struct span block) {
	struct header_field f;
	while (header_take(&block, &f)) {
		unsigned flags = look_up(f.name);
		v->count++;
		v->hops += (flags & FIELD_HOP) != 0;
		if (flags & (FIELD_RESENT | FIELD_TRACE)) {
			survey_resent(v, &f, flags);
			continue;
		}
		if ((flags & FIELD_ID) && !(v->seen & FIELD_ID))
			v->id = f.value;
		v->seen |= flags & FIELD_ONCE;
	}
}

/* Appends bytes that come from configuration or the system into a place where only an
 * atom may stand; anything else becomes "-". */
static void add_atom(struct buf *out, struct span s) {
	for (size_t i = 0; i < s.len; i++)
		buf_addc(out,
			 chars_is(s.p[i], CHARS_ATEXT) || s.p[i] == '.' ? s.p[i] : '-');
}

/* Inside of a comment (RFC 5322 section 3.2.2) nothing may open, close or escape. */
static void add_comment(struct buf *out, struct span s) {
	for (size_t i = 0; i < s.len; i++) {
		bool plain = s.p[i] >= 0x20 && s.p[i] < 0x7f && s.p[i] != '(' &&
			     s.p[i] != ')' && s.p[i] != '\\';
		buf_addc(out, plain ? s.p[i] : '-');
	}
}

/* A client's own name for itself, and the address we know it by: what cannot stand in a
 * domain or an address literal becomes "-". */
static void add_client(struct buf *out, struct span s) {
	for (size_t i = 0; i < s.len; i++)
		buf_addc(out, chars_is(s.p[i], CHARS_ATEXT) || strchr(".:[]() ", s.p[i])
				      ? s.p[i]
				      : '-');
}

static void add_received(const struct job *j) {
	bool client = j->params->client.len > 0;
	buf_adds(j->out, "Received: ");
	if (client) {
		buf_adds(j->out, "from ");
		add_client(j->out, j->params->client);
		buf_adds(j->out, "\r\n\t");
	}
	buf_adds(j->out, "by ");
	add_atom(j->out, j->params->host);
	buf_adds(j->out, " (nightmail, ");
	add_comment(j->out, j->params->received);
	buf_adds(j->out, ")");
	if (client) {
		buf_adds(j->out, "\r\n\twith ");
		add_atom(j->out, j->params->protocol);
	}
	buf_adds(j->out, " id ");
	add_atom(j->out, j->params->id);
	buf_adds(j->out, ";\r\n\t");
	date_add_rfc5322(j->out, j->params->wall_s);
	buf_adds(j->out, "\r\n");
}

static void add_message_id(struct buf *out, const struct fixup_params *params) {
	buf_addc(out, '<');
	add_atom(out, params->id);
	buf_addc(out, '@');
	add_atom(out, params->host);
	buf_addc(out, '>');
}

/* The address comes from the system or the command line and may be anything: it is added
 * only when it is an address, for a field without one is worse than none. */
static void add_from(const struct job *j, const char *prefix) {
	const struct fixup_params *p = j->params;
	struct addr parts;
	if (addr_parse(p->from, ADDR_SUBMITTED, &parts, NULL) != 0)
		return;
	buf_addf(j->out, "%sFrom: ", prefix);
	fixup_phrase(j->out, p->from_name);
	buf_adds(j->out, p->from_name.len > 0 ? " <" : "");
	buf_add(j->out, p->from);
	buf_adds(j->out, p->from_name.len > 0 ? ">\r\n" : "\r\n");
}

static void add_missing(const struct job *j) {
	const struct survey *v = &j->survey;
	const char *prefix = v->resent ? "Resent-" : "";
	unsigned missing = FIELD_ONCE & ~(v->resent ? v->resent_seen : v->seen);
	if (missing & FIELD_ID) {
		buf_addf(j->out, "%sMessage-ID: ", prefix);
		add_message_id(j->out, j->params);
		buf_adds(j->out, "\r\n");
	}
	if (missing & FIELD_DATE) {
		buf_addf(j->out, "%sDate: ", prefix);
		date_add_rfc5322(j->out, j->params->wall_s);
		buf_adds(j->out, "\r\n");
	}
	if (missing & FIELD_FROM)
		add_from(j, prefix);
}

static int add_recipient(void *ctx, struct span address, struct span display_name) {
	struct job *j = ctx;
	(void)display_name;
	return fixup_recipients_add(j->recipients, address, j->params->recipients_max,
				    j->err);
}

static int extract(struct job *j, const struct header_field *f, unsigned flags) {
	const struct survey *v = &j->survey;
	bool resent = (flags & FIELD_RESENT) != 0;
	bool past = resent && v->resent_end && f->raw.p >= v->resent_end;
	if (!j->params->extract || !(flags & FIELD_RECIPIENTS) || resent != v->resent ||
	    past)
		return 0;
	if (addr_list(f->value, add_recipient, j, j->err) != 0)
		return err_prefix(j->err, "%.*s", (int)f->name.len, f->name.p);
	return 0;
}

static int copy_fields(struct job *j, struct span block, struct fixup_result *ret) {
	struct header_field f;
	struct eol eol;
	eol_init(&eol);
	while (header_take(&block, &f)) {
		unsigned flags = look_up(f.name);
		if (extract(j, &f, flags) != 0 ||
		    wishes_take(&ret->wishes, f.name, f.value, j->params->wall_s * 1000, j->err) != 0)
			return -1;
		if (flags & FIELD_DROP || (flags & FIELD_WISHES && !j->params->keep_wishes))
			continue;
		if (eol_feed(&eol, f.raw, j->out, j->err) != 0)
			return err_prefix(j->err, "header");
		eol_finish(&eol, j->out);
	}
	ret->has_8bit |= eol.has_8bit;
	return 0;
}

/* The Message-ID that stands in the result, for logs. */
static void keep_message_id(const struct job *j, struct fixup_result *ret) {
	const struct survey *v = &j->survey;
	AUTO_BUF struct buf id = BUF_INIT(HEADER_BLOCK_MAX);
	struct span value = v->id.len > 0 ? v->id : v->resent_id;
	if (value.len > 0)
		header_unfold(value, &id);
	else
		add_message_id(&id, j->params);
	struct span s = span_head(span_trim(buf_span(&id)), sizeof(ret->message_id) - 1);
	if (s.len > 0)
		memcpy(ret->message_id, s.p, s.len);
	ret->message_id[s.len] = '\0';
}

int fixup_header(struct span block, const struct fixup_params *params,
		 struct fixup_recipients *recipients, struct buf *out,
		 struct fixup_result *ret, struct err *err) {
	struct job j = {
		.params = params, .recipients = recipients, .out = out, .err = err
	};
	struct fixup_result result = { .has_8bit = false };
	if (block.len > HEADER_BLOCK_MAX)
		return err_set(err, ERR_LIMIT, "header of more than %u octets",
			       HEADER_BLOCK_MAX);
	if (span_find(block, '\0') != block.len)
		return err_set(err, ERR_SYNTAX, "header has a NUL byte");

	header_take_mbox(&block);
	survey_header(&j.survey, block);
	result.has_header = j.survey.count > 0;
	result.received = j.survey.hops;
	size_t start = out->len;
	if (params->received.len > 0)
		add_received(&j);
	add_missing(&j);
	if (buf_failed(out))
		return err_set(err, ERR_LIMIT, "header of more than %zu octets",
			       out->max);
	result.has_8bit = addr_is_utf8(span_from(buf_span(out), start));
	if (copy_fields(&j, block, &result) != 0)
		return -1;
	keep_message_id(&j, &result);
	if (buf_adds(out, "\r\n") != 0)
		return err_set(err, ERR_LIMIT, "header of more than %zu octets",
			       out->max);
	*ret = result;
	return 0;
}
