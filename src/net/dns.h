#ifndef NIGHTMAIL_NET_DNS_H
#define NIGHTMAIL_NET_DNS_H

/*
 * The one door to DNS: questions with a deadline, answers with what DNSSEC says of them.
 *
 * Every answer is kept in the `struct dns` until dns_close(), so a question is asked once.
 * Code that follows names (SPF, DMARC, MX, TLSA ...) is written as if everything were known:
 * it calls dns_get(), and where the answer is DNS_PENDING it returns "pending" to its caller.
 * Whoever runs it does
 *
 *     do
 *             result = spf_check(...);
 *     while (result is pending && dns_run(dns) > 0);
 *
 * dns_run() asks everything that was noted, in parallel. Many checks that are run in turn
 * before each dns_run() thus take together only as long as the longest chain of them. Code that
 * needs one answer only uses dns_ask().
 *
 * Behind it stands one of: libunbound in this process (dns_unbound.h; tools), nightmail-resolve
 * on a descriptor (dns_channel.h; workers), or a table (dns_table.h; tests and replays).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/inet.h"
#include "base/span.h"

enum dns_type {
	DNS_A = 1,
	DNS_NS = 2,
	DNS_CNAME = 5,
	DNS_SOA = 6,
	DNS_PTR = 12,
	DNS_MX = 15,
	DNS_TXT = 16,
	DNS_AAAA = 28,
	DNS_SRV = 33,
	DNS_DS = 43,
	DNS_DNSKEY = 48,
	DNS_TLSA = 52,
	DNS_CAA = 257
};

enum dns_status {
	DNS_PENDING,  /* noted; dns_run() will ask */
	DNS_FOUND,    /* at least one record of the type */
	DNS_NODATA,   /* the name exists, without such a record */
	DNS_NXDOMAIN, /* the name does not exist */
	DNS_SERVFAIL, /* SERVFAIL, REFUSED and every other rcode */
	DNS_BOGUS,    /* DNSSEC validation failed: there are no records in the answer */
	DNS_TIMEOUT,  /* no answer before our deadline */
	DNS_BADNAME   /* not a name that DNS can hold: was not asked */
};

/* Owned by the struct dns, valid until dns_close(). */
struct dns_answer {
	const char *name; /* as asked: lower case, no dot at the end */
	enum dns_type type;
	enum dns_status status;
	bool secure;           /* validated by DNSSEC; a proven NODATA or NXDOMAIN too */
	uint32_t ttl;          /* seconds, 0 when there is none */
	const char *canonical; /* where the chain of CNAMEs ends; `name` without one */
	unsigned
		cnames; /* length of the chain, 0 when there is none or it is not known */
	const struct span *record; /* uncompressed rdata, in the order of the answer */
	size_t count;
	const char *
		why; /* FOUND: ""; else a few words: "NXDOMAIN", "no answer in 5 s", why bogus */
	unsigned
		round; /* the call of dns_run() that answered it, from 1: length of its chain */
	int64_t took_ms;
};

struct dns;

/* The answer, or DNS_PENDING, which notes the question. Never NULL (DNS_TIMEOUT with words
 * when out of memory). name: with or without the last dot; A-labels. */
const struct dns_answer *dns_get(struct dns *d, struct span name, enum dns_type type);
/* Asks all noted questions in parallel; returns how many of them were answered (a time-out is
 * an answer), 0 when nothing was noted. */
size_t dns_run(struct dns *d);
/* dns_get() and, when pending, dns_run(). */
const struct dns_answer *dns_ask(struct dns *d, struct span name, enum dns_type type);
/* Drops what is known, but not the noted questions: a long-living process asks anew. Answers
 * handed out before are gone. */
void dns_forget(struct dns *d);
void dns_close(struct dns *d); /* NULL is fine */

/* "", or why `secure` is false whatever is signed: known after dns_run(). */
const char *dns_warning(struct dns *d);

/* Calls fn for each answer, in the order they were asked. */
typedef void dns_each_fn(void *ctx, const struct dns_answer *a);
void dns_each(struct dns *d, dns_each_fn *fn, void *ctx);

/* True for SERVFAIL, BOGUS and TIMEOUT: nothing can be concluded, try again later. */
bool dns_is_temporary(const struct dns_answer *a);
/* "MX", "TLSA" ...; "TYPE99" in a static buffer for others. */
const char *dns_type_name(enum dns_type type);
/* "mx", "TYPE99": 1 to 65535, of any case. */
bool dns_type_parse(struct span s, enum dns_type *ret);
const char *dns_status_name(enum dns_status status); /* "NXDOMAIN", "timeout" ... */

/* --- records: all return false for rdata that is cut or too long --- */

/* A name in rdata as text without the last dot ("" is the root); non-printing bytes and dots
 * in a label as \DDD. Takes it off *rdata. */
bool dns_take_name(struct span *rdata, struct buf *out);
/* TXT: the strings joined without a space (RFC 7208 §3.3). */
bool dns_txt(struct span rdata, struct buf *out);
bool dns_addr(const struct dns_answer *a, size_t i, struct inet_addr *ret); /* A, AAAA */

struct dns_mx {
	uint16_t preference;
	char host[256]; /* "" is the null MX (RFC 7505) */
};
bool dns_mx(struct span rdata, struct dns_mx *ret);

struct dns_srv {
	uint16_t priority, weight, port;
	char host[256]; /* "": decidedly not available (RFC 2782) */
};
bool dns_srv(struct span rdata, struct dns_srv *ret);

struct dns_tlsa {
	uint8_t usage, selector, matching;
	struct span data;
};
bool dns_tlsa(struct span rdata, struct dns_tlsa *ret);
/* PTR, CNAME, NS: the one name. */
bool dns_host(struct span rdata, char ret[256]);

/* Appends "4.3.2.1.in-addr.arpa" or "1.0.…ip6.arpa". */
int dns_reverse_name(struct buf *out, const struct inet_addr *a);
/* Checks and normalises a name: lower case, no last dot, labels of 1-63, at most 253. A byte
 * that does not print, and \C and \DDD, become \DDD; "." is the root, "". */
bool dns_name_parse(struct span s, char ret[256]);

/* Appends a record's text as zone files have it ("10 mx1.example.org", "\"v=spf1\" \"-all\""),
 * and \# LENGTH HEX (RFC 3597) where the type is not known or the rdata not as it should be. */
int dns_rdata_add(struct buf *out, enum dns_type type, struct span rdata);
/* Appends the rdata of such a text; strings longer than 255 are split. ERR_SYNTAX. */
int dns_rdata_parse(struct span text, enum dns_type type, struct buf *out,
		    struct err *err);

#include "base/banned.h"

#endif
