#ifndef NIGHTMAIL_CLI_DNS_CHECK_H
#define NIGHTMAIL_CLI_DNS_CHECK_H

/* dns-check: the command line as its parts see it. */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/term.h"
#include "net/dns.h"

#define DNS_CHECK_LIST_MAX 64

struct dns_check_list {
	const char *at[DNS_CHECK_LIST_MAX];
	size_t count;
};

enum dns_check_mode {
	DNS_CHECK_DOMAIN,
	DNS_CHECK_SPF,
	DNS_CHECK_DMARC,
	DNS_CHECK_ORG,
	DNS_CHECK_LINT,
	DNS_CHECK_MTA_STS,
	DNS_CHECK_EXPLAIN
};

struct dns_check {
	enum dns_check_mode mode;
	bool json, plain, nagios, verbose, zone, sandbox;
	enum term_color color;
	/* where answers come from */
	const char *server, *trust_anchor, *replay, *record;
	bool authoritative, connect;
	int64_t deadline_ms;
	/* what is asked about */
	const char *domain; /* of DOMAIN, --org-domain, --mta-sts */
	const char *config; /* NULL: where it usually is */
	const char *expect; /* a file of zone lines */
	const char *state;  /* a file of what was seen before */
	struct dns_check_list ip, selector, key, header_from, dkim_pass, spf_pass;
	bool from_config, wait, parked, tree_walk;
	int64_t wait_ms; /* how long at most */
	const char *mail_from, *helo;
	const char *lint;    /* kind of record */
	const char *explain; /* id of a finding */
	const char *sts_connect, *ca_file;
};

extern const char dns_check_program[];

/* Opens what answers: the replay, or libunbound. Says why not and returns NULL. */
struct dns *dns_check_open(const struct dns_check *c);
/* Writes the record, if there is to be one, and closes. */
void dns_check_close(const struct dns_check *c, struct dns *dns);

/* The parts: each prints its answer and returns the exit code (0 1 2 3 or EX_*). */
int dns_check_spf(const struct dns_check *c);
int dns_check_dmarc(const struct dns_check *c);
int dns_check_org(const struct dns_check *c);
int dns_check_lint(const struct dns_check *c);
int dns_check_domain(const struct dns_check *c); /* --mta-sts and --expect too */

#include "base/banned.h"

#endif
