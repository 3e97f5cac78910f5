#ifndef NIGHTMAIL_AUTHRES_SPF_PARSE_H
#define NIGHTMAIL_AUTHRES_SPF_PARSE_H

/*
 * The grammar of an SPF record (RFC 7208 sections 4.6.1, 5, 6, 7.1 and 12). Pure; nothing is
 * allocated: a record stays text, and its terms are taken from the front one after another.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/inet.h"
#include "base/span.h"

enum spf_kind {
	SPF_ALL,
	SPF_INCLUDE,
	SPF_A,
	SPF_MX,
	SPF_PTR,
	SPF_IP4,
	SPF_IP6,
	SPF_EXISTS,
	SPF_REDIRECT, /* modifiers from here on */
	SPF_EXP,
	SPF_OTHER
};

struct spf_term {
	enum spf_kind kind;
	char qualifier;        /* '+' '-' '~' '?'; 0 for a modifier */
	struct span text;      /* the whole term, as written */
	struct span domain;    /* domain-spec with its macros; p is NULL without one */
	struct inet_addr addr; /* IP4 (32 bits), IP6 (128 bits, never taken for IPv4) */
	uint8_t prefix4;       /* A, MX, IP4: 32 without one */
	uint8_t prefix6;       /* A, MX, IP6: 128 without one */
};

/* A record whose every term is right. */
struct spf_record {
	struct span terms;    /* what follows the version */
	struct span redirect; /* domain-specs; p is NULL without one */
	struct span exp;
	bool has_all;
};

/* True when the text begins with the version of SPF (section 4.5): "v=spf1" in any case, then
 * a space or the end. */
bool spf_is_record(struct span text);
/* Checks all of the text. -1: ERR_SYNTAX with words, and *ret_at (may be NULL) is the offset of
 * the term that is wrong. */
int spf_record_parse(struct span text, struct spf_record *ret, size_t *ret_at,
		     struct err *err);
/* Takes the next term: 1, 0 at the end, -1 with ERR_SYNTAX (*rest then stands at the term). */
int spf_take_term(struct span *rest, struct spf_term *ret, struct err *err);

/* True for include, a, mx, ptr, exists and redirect, of which ten may be evaluated (4.6.4). */
bool spf_asks_dns(enum spf_kind kind);

/* One element of a macro-string (section 7.1). */
struct spf_macro {
	char letter;    /* 's' 'l' ...; '%' '_' '-' for %% %_ %-; 0: the literal text */
	bool escape;    /* upper-case letter: URL-escape the value */
	bool reverse;   /* 'r' */
	uint8_t digits; /* right-hand parts to keep, 0: all of them */
	struct span delimiters; /* empty: "." */
	struct span text;       /* as written */
};

/* What may stand in a macro-string. */
enum spf_macro_where {
	SPF_MACRO_DOMAIN,  /* domain-spec: not c, r, t */
	SPF_MACRO_OTHER,   /* value of an unknown modifier */
	SPF_MACRO_EXPLAIN, /* explanation: all letters, and spaces */
};

/* Takes the next element: 1, 0 at the end, -1 for what is no macro-string. */
int spf_take_macro(struct span *rest, enum spf_macro_where where, struct spf_macro *ret);
/* True when a domain-spec holds a macro, so that its value depends on the message. */
bool spf_has_macro(struct span domain);

#include "base/banned.h"

#endif
