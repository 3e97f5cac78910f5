/*
 * Parameters of MAIL and RCPT (RFC 1870, 6152, 6531, 3461, 4954, 8689): a table for each command.
 * A parameter of an extension that was not offered is as unknown as any other.
 */

#include <string.h>

#include "smtp/server_machine.h"
#include "smtp/syntax.h"

#define ENVID_MAX 100 /* RFC 3461 section 4.4 */
#define ORCPT_MAX 500 /* section 4.2 */

typedef const char *param_fn(struct smtp_server *s, struct span value,
			     struct smtp_server_note *note);

struct param {
	const char *key;
	bool (*offered)(const struct smtp_server *s);
	param_fn *take; /* NULL, or the reply that refuses */
};

static bool always(const struct smtp_server *s) {
	(void)s;
	return true;
}
static bool with_8bitmime(const struct smtp_server *s) {
	return s->params.eightbitmime;
}
static bool with_smtputf8(const struct smtp_server *s) {
	return s->params.smtputf8;
}
static bool with_dsn(const struct smtp_server *s) {
	return s->params.dsn;
}
static bool with_requiretls(const struct smtp_server *s) {
	return s->params.requiretls && s->tls;
}
static bool with_auth(const struct smtp_server *s) {
	return smtp_server_mechanisms(s) != NULL;
}

static const char *take_size(struct smtp_server *s, struct span value,
			     struct smtp_server_note *note) {
	if (value.len > 20 || !span_uint(value, UINT64_MAX, &note->size))
		return "501 5.5.4 SIZE is no number";
	if (s->params.size_max > 0 && note->size > s->params.size_max)
		return "552 5.3.4 message too big";
	return NULL;
}

static const char *take_body(struct smtp_server *s, struct span value,
			     struct smtp_server_note *note) {
	(void)s;
	note->body_8bit = span_eq_nocase(value, SPAN("8BITMIME"));
	if (!note->body_8bit && !span_eq_nocase(value, SPAN("7BIT")))
		return "501 5.5.4 BODY is 7BIT or 8BITMIME";
	return NULL;
}

static const char *take_smtputf8(struct smtp_server *s, struct span value,
				 struct smtp_server_note *note) {
	(void)s;
	note->smtputf8 = true;
	return value.p ? "501 5.5.4 SMTPUTF8 has no value" : NULL;
}

static const char *take_requiretls(struct smtp_server *s, struct span value,
				   struct smtp_server_note *note) {
	(void)s;
	note->requiretls = true;
	return value.p ? "501 5.5.4 REQUIRETLS has no value" : NULL;
}

static const char *take_ret(struct smtp_server *s, struct span value,
			    struct smtp_server_note *note) {
	(void)s;
	note->ret = value;
	if (!span_eq_nocase(value, SPAN("FULL")) && !span_eq_nocase(value, SPAN("HDRS")))
		return "501 5.5.4 RET is FULL or HDRS";
	return NULL;
}

static const char *take_envid(struct smtp_server *s, struct span value,
			      struct smtp_server_note *note) {
	buf_reset(&s->decoded);
	if (value.len == 0 || value.len > ENVID_MAX ||
	    smtp_xtext_decode(&s->decoded, value) < 0 ||
	    !smtp_is_clean(buf_span(&s->decoded)))
		return "501 5.5.4 ENVID is no xtext";
	note->envid = buf_span(&s->decoded);
	return NULL;
}

/* RFC 4954 section 5: checked and not used, nobody here relies on what others say. */
static const char *take_auth(struct smtp_server *s, struct span value,
			     struct smtp_server_note *note) {
	(void)s, (void)note;
	return value.len > 0 ? NULL : "501 5.5.4 AUTH has no value";
}

static const char *take_notify(struct smtp_server *s, struct span value,
			       struct smtp_server_note *note) {
	struct span rest = value, word;
	(void)s;
	note->notify = value;
	if (span_eq_nocase(value, SPAN("NEVER")))
		return NULL;
	do {
		if (!span_take_until(&rest, ',', &word)) {
			word = rest;
			rest.len = 0;
		}
		if (!smtp_list_has("SUCCESS FAILURE DELAY", word))
			return "501 5.5.4 NOTIFY is NEVER, or SUCCESS, FAILURE, DELAY";
	} while (rest.len > 0);
	return NULL;
}

static const char *take_orcpt(struct smtp_server *s, struct span value,
			      struct smtp_server_note *note) {
	buf_reset(&s->decoded);
	if (value.len > ORCPT_MAX || smtp_orcpt_decode(&s->decoded, value) < 0 ||
	    !smtp_is_clean(buf_span(&s->decoded)))
		return "501 5.5.4 ORCPT is no type;xtext";
	note->orcpt = buf_span(&s->decoded);
	return NULL;
}

static const struct param mail_params[] = {
	{ "SIZE", always, take_size },
	{ "BODY", with_8bitmime, take_body },
	{ "SMTPUTF8", with_smtputf8, take_smtputf8 },
	{ "REQUIRETLS", with_requiretls, take_requiretls },
	{ "RET", with_dsn, take_ret },
	{ "ENVID", with_dsn, take_envid },
	{ "AUTH", with_auth, take_auth },
	{ NULL, NULL, NULL },
};

static const struct param rcpt_params[] = {
	{ "NOTIFY", with_dsn, take_notify },
	{ "ORCPT", with_dsn, take_orcpt },
	{ NULL, NULL, NULL },
};

static const char *take_params(struct smtp_server *s, const struct param *table,
			       struct span in, struct smtp_server_note *note) {
	struct span key, value;
	unsigned seen = 0;
	while (smtp_take_param(&in, &key, &value)) {
		unsigned i = 0;
		while (table[i].key && !span_eq_nocase(key, span_str(table[i].key)))
			i++;
		if (!table[i].key || !table[i].offered(s))
			return "555 5.5.4 unknown parameter";
		if (seen & 1u << i)
			return "501 5.5.4 parameter given twice";
		seen |= 1u << i;
		const char *refusal = table[i].take(s, value, note);
		if (refusal)
			return refusal;
	}
	return span_trim(in).len > 0 ? "501 5.5.4 syntax error in the parameters" : NULL;
}

const char *smtp_server_mail_params(struct smtp_server *s, struct span in,
				    struct smtp_server_note *note) {
	return take_params(s, mail_params, in, note);
}

const char *smtp_server_rcpt_params(struct smtp_server *s, struct span in,
				    struct smtp_server_note *note) {
	return take_params(s, rcpt_params, in, note);
}
