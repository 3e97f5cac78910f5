#ifndef NIGHTMAIL_NET_DNS_BACKEND_H
#define NIGHTMAIL_NET_DNS_BACKEND_H

/* Inside of net/dns*.c: what stands behind a struct dns, and how it hands answers over. */

#include "net/dns.h"

#define DNS_DEADLINE_MS 5000
#define DNS_CNAMES_MAX 16u
#define DNS_WIRE_NAME_MAX 255u

/* What a backend found; everything is copied. */
struct dns_found {
	enum dns_status status;
	bool secure;
	uint32_t ttl;
	const char *canonical; /* NULL: the name itself */
	unsigned cnames;
	const struct span *record;
	size_t count;
	const char *why; /* NULL: the name of the status */
};

/* Asked, or to be asked. A backend reads answer.name and answer.type. */
struct dns_question {
	struct dns_answer answer;
	struct dns_question *next_asked; /* in the order of dns_get() */
	struct dns_question *next_alike; /* in its bucket */
	uint32_t hash;
	int64_t asked_ms; /* boot time */
	char *storage;    /* behind the strings and records of the answer */
};

struct dns_backend {
	/* Answers as many as it can by dns_settle(); the others are time-outs. */
	void (*ask)(void *ctx, struct dns_question *const *question, size_t count);
	void (*forget)(void *ctx); /* drops a cache of its own; NULL: has none */
	void (*close)(void *ctx);
	const char *(*warning)(void *ctx); /* dns_warning(); NULL: never has one */
};

/* NULL: no memory, and ctx was closed. deadline_ms is for the words of a time-out. */
struct dns *dns_new(const struct dns_backend *backend, void *ctx, int64_t deadline_ms);
void dns_settle(struct dns_question *q, const struct dns_found *found);
/* The answer to a checked name, or NULL; notes nothing. */
const struct dns_answer *dns_known(const struct dns *d, const char *name,
				   enum dns_type type);

/* A checked name (dns_name_parse) as it is on the wire, not compressed. */
int dns_name_wire(struct buf *out, const char *name);

/* The fields of a type's rdata, "" for one that is not known. 1 2 4: a number of so many bytes;
 * a, A: an IPv4, IPv6 address; n: a name; s: a string; t: strings to the end; v: bytes to the
 * end, written as one string; x, b: bytes to the end, written in hexadecimal, base64. */
const char *dns_rdata_layout(enum dns_type type);

#include "base/banned.h"

#endif
