/*
 * TLSA look-up. The order matters: addresses that are not validated mean that the zone is not
 * signed, and then no TLSA question is asked, because servers of such zones often fail to answer
 * it (RFC 7672 section 2.2.2). A host that is an alias has its records at the end of the chain,
 * if that is signed all the way, else at its own name (section 2.2.3).
 */
#include "tlspolicy/dane.h"

#include <stdio.h>
#include <string.h>

#include "net/tls.h"

static enum dane_status end(struct dane_result *ret, enum dane_status status,
			    const char *words, const char *name, const char *more) {
	ret->status = status;
	snprintf(ret->reason, sizeof(ret->reason), "%s%s%.120s%s%.60s", words,
		 name[0] ? " " : "", name, more[0] ? ": " : "", more);
	return status;
}

/* The addresses of the host: validated ones are what everything else stands on. */
static enum dane_status addresses(struct dns *d, struct span host,
				  const struct dns_answer **ret_secure,
				  struct dane_result *ret) {
	const struct dns_answer *a = dns_get(d, host, DNS_A), *b = dns_get(d, host, DNS_AAAA);
	const struct dns_answer *found = a->status == DNS_FOUND ? a : b;
	if (a->status == DNS_PENDING || b->status == DNS_PENDING)
		return ret->status = DANE_PENDING;
	if (dns_is_temporary(a) && b->status != DNS_FOUND)
		return end(ret, DANE_TEMPORARY, "the addresses cannot be looked up", a->name,
			   a->why);
	if (dns_is_temporary(b) && a->status != DNS_FOUND)
		return end(ret, DANE_TEMPORARY, "the addresses cannot be looked up", b->name,
			   b->why);
	if (found->status != DNS_FOUND)
		return end(ret, DANE_NO_HOST, "no address of", a->name, "");
	*ret_secure = a->status == DNS_FOUND && a->secure ? a : b;
	if ((*ret_secure)->status != DNS_FOUND || !(*ret_secure)->secure)
		return end(ret, DANE_NONE, "the zone of the host is not signed:", a->name, "");
	return DANE_RECORDS;
}

static void take_records(const struct dns_answer *t, struct dane_result *ret) {
	size_t usable = 0;
	for (size_t i = 0; i < t->count && ret->count < DANE_RECORDS_MAX; i++) {
		struct dns_tlsa *r = &ret->record[ret->count];
		if (!dns_tlsa(t->record[i], r))
			continue;
		ret->count++;
		usable += tls_tlsa_usable(r);
	}
	if (usable > 0)
		(void)end(ret, DANE_RECORDS, "TLSA records are published and validated at", t->name,
			  "");
	else
		(void)end(ret, DANE_UNUSABLE, "no TLSA record that can be used at", t->name, "");
}

/* One place where records may stand. DANE_NONE: there are none here. */
static enum dane_status look_at(struct dns *d, const char *base, uint16_t port,
				struct dane_result *ret) {
	char name[280];
	snprintf(name, sizeof(name), "_%u._tcp.%.255s", port, base);
	const struct dns_answer *t = dns_get(d, span_str(name), DNS_TLSA);
	if (t->status == DNS_PENDING)
		return ret->status = DANE_PENDING;
	if (dns_is_temporary(t))
		return end(ret, DANE_TEMPORARY, "TLSA records cannot be looked up:", t->name,
			   t->why);
	if (t->status != DNS_FOUND)
		return end(ret, DANE_NONE, "no TLSA record at", name, "");
	if (!t->secure)
		return end(ret, DANE_NONE, "TLSA records without a valid signature at", t->name,
			   "");
	snprintf(ret->base, sizeof(ret->base), "%.255s", base);
	take_records(t, ret);
	return ret->status;
}

enum dane_status dane_lookup(struct dns *d, struct span host, uint16_t port,
			     struct dane_result *ret) {
	const struct dns_answer *secure = NULL;
	*ret = (struct dane_result){ .status = DANE_NONE };
	if (addresses(d, host, &secure, ret) != DANE_RECORDS)
		return ret->status;
	snprintf(ret->base, sizeof(ret->base), "%.255s", secure->canonical);
	if (look_at(d, secure->canonical, port, ret) != DANE_NONE ||
	    strcmp(secure->canonical, secure->name) == 0)
		return ret->status;
	return look_at(d, secure->name, port, ret);
}
