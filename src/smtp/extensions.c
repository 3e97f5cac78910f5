/*
 * What a server says it can do (RFC 5321 section 4.1.1.1):
 *
 *     ehlo-line = ehlo-keyword *( SP ehlo-param )
 *
 * "AUTH=LOGIN" is what servers of the last century say; some say both forms. LIMITS has
 * words NAME=VALUE (RFC 9422 section 4); what is not known there is passed over.
 */

#include <stddef.h>
#include <string.h>

#include "smtp/client_machine.h"
#include "smtp/syntax.h"

static const struct {
	const char *keyword;
	size_t flag; /* where in struct smtp_extensions */
} keywords[] = {
	{ "PIPELINING", offsetof(struct smtp_extensions, pipelining) },
	{ "8BITMIME", offsetof(struct smtp_extensions, eightbitmime) },
	{ "SMTPUTF8", offsetof(struct smtp_extensions, smtputf8) },
	{ "DSN", offsetof(struct smtp_extensions, dsn) },
	{ "STARTTLS", offsetof(struct smtp_extensions, starttls) },
	{ "SIZE", offsetof(struct smtp_extensions, size) },
	{ "ENHANCEDSTATUSCODES", offsetof(struct smtp_extensions, enhanced) },
	{ "CHUNKING", offsetof(struct smtp_extensions, chunking) },
	{ "REQUIRETLS", offsetof(struct smtp_extensions, requiretls) },
};

/* Mechanism names are letters, digits, "-" and "_" (RFC 4422 section 3.1). A list too long
 * for us loses its last ones. */
static void add_mechanism(struct smtp_extensions *e, struct span name) {
	size_t len = strlen(e->auth), need = name.len + (len > 0);
	if (len + need >= sizeof e->auth || smtp_list_has(e->auth, name))
		return;
	if (len > 0)
		e->auth[len++] = ' ';
	for (size_t i = 0; i < name.len; i++) {
		char ch = name.p[i];
		e->auth[len++] = ch >= 'a' && ch <= 'z' ? (char)(ch - 'a' + 'A') : ch;
	}
	e->auth[len] = '\0';
}

static void read_limits(struct smtp_extensions *e, struct span words) {
	const struct {
		struct span name;
		unsigned *value;
	} limits[] = {
		{ SPAN("MAILMAX="), &e->mail_max },
		{ SPAN("RCPTMAX="), &e->rcpt_max },
		{ SPAN("RCPTDOMAINMAX="), &e->rcpt_domain_max },
	};
	struct span word;
	while (span_take_word(&words, &word)) {
		for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
			struct span number = span_from(word, limits[i].name.len);
			uint64_t n;
			if (span_starts_nocase(word, limits[i].name) &&
			    span_uint(number, 999999, &n))
				*limits[i].value = (unsigned)n;
		}
	}
}

void smtp_extensions_line(struct smtp_extensions *e, struct span line) {
	struct span keyword, word;
	if (!smtp_take_keyword(&line, &keyword))
		return;
	for (size_t i = 0; i < sizeof keywords / sizeof keywords[0]; i++) {
		if (!span_eq_nocase(keyword, span_str(keywords[i].keyword)))
			continue;
		bool *flag = (bool *)((char *)e + keywords[i].flag);
		*flag = true;
	}
	if (span_eq_nocase(keyword, SPAN("SIZE"))) {
		if (!span_take_word(&line, &word) ||
		    !span_uint(word, UINT64_MAX, &e->size_max))
			e->size_max = 0;
	} else if (span_eq_nocase(keyword, SPAN("LIMITS"))) {
		read_limits(e, line);
	} else if (span_eq_nocase(keyword, SPAN("AUTH"))) {
		span_take_char(&line, '=');
		while (span_take_word(&line, &word))
			if (smtp_is_clean(word))
				add_mechanism(e, word);
	}
}
