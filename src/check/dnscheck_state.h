#ifndef NIGHTMAIL_CHECK_DNSCHECK_STATE_H
#define NIGHTMAIL_CHECK_DNSCHECK_STATE_H

/* The checks, and what they share; nobody else includes it. */

#include "check/dnscheck.h"

/* Where even this one has a record, every name has one. */
#define DNSCHECK_NO_SELECTOR "no-such-selector-x7"

/* Each returns false when an answer is pending: its findings are then dropped. */
bool dnscheck_mx(struct dnscheck *c);
bool dnscheck_ptr(struct dnscheck *c);
bool dnscheck_spf(struct dnscheck *c);
bool dnscheck_dkim(struct dnscheck *c);
bool dnscheck_dmarc(struct dnscheck *c);
bool dnscheck_sts(struct dnscheck *c);
bool dnscheck_tlsrpt(struct dnscheck *c);
bool dnscheck_dane(struct dnscheck *c);
bool dnscheck_dnssec(struct dnscheck *c);
bool dnscheck_bimi(struct dnscheck *c);
bool dnscheck_caa(struct dnscheck *c);
bool dnscheck_lists(struct dnscheck *c);
bool dnscheck_parked(struct dnscheck *c);
bool dnscheck_dangling(struct dnscheck *c);
bool dnscheck_servers(struct dnscheck *c);

/* The hosts of the MX records in the order of preference; the domain itself without any. A record
 * that only proves to Microsoft whose domain it is counts when there is no other. False: pending. */
struct dnscheck_hosts {
	char name[DNSCHECK_MX_MAX][256];
	size_t count;
	bool implicit, null;
};
bool dnscheck_hosts(struct dnscheck *c, struct dnscheck_hosts *ret);

/* dns_get() of "prefix.DOMAIN"; prefix "" for the domain itself. */
const struct dns_answer *dnscheck_get(struct dnscheck *c, const char *prefix,
				      const char *name, enum dns_type type);
/* The TXT records of an answer that begin with `version` (no case) and end there or go on with
 * ';' or a blank; the first one is copied to text. Returns how many there are. */
size_t dnscheck_txt(const struct dns_answer *a, struct span version, struct buf *text);
/* "ms123.msv1.invalid": no host, but a proof of ownership. */
bool dnscheck_is_msv1(const char *host);
/* Whether the domain above a name that does not exist can be registered by anybody. False:
 * pending. */
bool dnscheck_is_unregistered(struct dnscheck *c, const char *name, bool *ret);
/* Not reachable from elsewhere (RFC 6890). */
bool dnscheck_is_private(const struct inet_addr *a);
/* True when the domain takes or sends no mail, as it says itself or as the caller says. False
 * too while it is not known. */
bool dnscheck_is_parked(struct dnscheck *c);

#include "base/banned.h"

#endif
