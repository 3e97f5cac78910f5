#ifndef NIGHTMAIL_AUTHRES_SPF_H
#define NIGHTMAIL_AUTHRES_SPF_H

/*
 * check_host() of RFC 7208: may this address send mail of that sender? Pure but for the DNS it
 * is given; written as net/dns.h says: SPF_PENDING until all that is needed is known.
 */

#include <stdint.h>

#include "authres/spf_parse.h"
#include "net/dns.h"

#define SPF_LOOKUPS_MAX 10 /* terms that ask DNS, section 4.6.4 */
#define SPF_VOIDS_MAX 2    /* answers without a record, section 4.6.4 */
#define SPF_NAMES_MAX 10   /* names of one mx, one ptr */

enum spf_result {
	SPF_PENDING,
	SPF_NONE,
	SPF_NEUTRAL,
	SPF_PASS,
	SPF_FAIL,
	SPF_SOFTFAIL,
	SPF_TEMPERROR,
	SPF_PERMERROR
};
const char *spf_result_name(enum spf_result r); /* "none" ... */

struct spf_query {
	struct inet_addr ip;
	struct span
		sender; /* MAIL FROM; empty: postmaster@HELO; "@dom": postmaster@dom */
	struct span helo;
	struct span receiver; /* our name, for %{r}; empty: "unknown" */
	int64_t now_s;        /* for %{t} */
	/* Count an address that is missing in one family only as no void lookup: what some
	 * verifiers do. The literal reading makes voids of mail by IPv6 to hosts with IPv4. */
	bool lenient_voids;
};

struct spf_report {
	enum spf_result result;
	char domain[256]; /* whose record was asked for */
	char explanation
		[512];    /* of a fail, from the domain: foreign text; "" without one */
	char term[256];   /* the term that decided, as written; "" for the default */
	char why[256];    /* none, temperror, permerror: the reason, safe to show */
	unsigned lookups; /* terms evaluated that ask DNS */
	unsigned voids;   /* counted literally */
	unsigned voids_lenient;
};

/* Returns ret->result. */
enum spf_result spf_check(struct dns *dns, const struct spf_query *q,
			  struct spf_report *ret);

/* The one SPF record of a name's TXT records. Returns SPF_PENDING; SPF_PASS: *text has it (may
 * be 0 bytes of a buffer of the caller, replaced); SPF_NONE; SPF_PERMERROR: several;
 * SPF_TEMPERROR. */
enum spf_result spf_fetch(struct dns *dns, struct span domain, struct buf *text);

#include "base/banned.h"

#endif
