#ifndef NIGHTMAIL_CHECK_DNSCHECK_H
#define NIGHTMAIL_CHECK_DNSCHECK_H

/*
 * Everything that DNS says about the mail of a domain, as findings. Each check is a function
 * that reads answers and, where one is pending, says so; all of them run in turn before each
 * round of questions, so that the whole takes no longer than the longest chain of them.
 */

#include "authres/spf.h"
#include "check/finding.h"
#include "check/servers.h"
#include "net/dns.h"
#include "net/crypto.h"
#include "net/tls_cert.h"
#include "tlspolicy/sts_record.h"

#define DNSCHECK_IPS_MAX 64
#define DNSCHECK_SELECTORS_MAX 64
#define DNSCHECK_MX_MAX 16

struct dnscheck_selector {
	const char *name;
	const char *file;                 /* of the private key, NULL: none is compared */
	const struct crypto_private *key; /* NULL: none, or it cannot be read */
	char why[200];                    /* why it cannot */
};

/* A policy that was fetched, or not. */
enum dnscheck_fetch { DNSCHECK_NOT_FETCHED, DNSCHECK_FETCHED, DNSCHECK_FETCH_FAILED };

/* A file that a record names. */
struct dnscheck_file {
	char url[512]; /* set by the check; "": none */
	enum dnscheck_fetch fetch;
	struct span bytes;
	const char *why; /* FAILED: the words */
	bool silent;     /* FAILED: for want of an answer, or because nobody here could ask */
};

enum dnscheck_dnssec {
	DNSCHECK_DNSSEC_UNKNOWN,
	DNSCHECK_SECURE,
	DNSCHECK_INSECURE,
	DNSCHECK_BOGUS
};

/* What programs want to know besides the findings. */
struct dnscheck_facts {
	enum dnscheck_dnssec dnssec;
	bool null_mx;
	char mx[DNSCHECK_MX_MAX][256];
	size_t mx_count;
	const char *spf; /* the record: "found", "none", "permerror", "temperror" */
	unsigned spf_lookups;
	const char *dmarc;      /* policy, or NULL */
	char org_walk[256];     /* organisational domain by RFC 9989; "" when not known */
	char org_list[256];     /* and by the public suffix list */
	bool sts_record;        /* there is one: the policy should be fetched */
	const char *sts_status; /* "valid", "none", "invalid" */
	const char *sts_mode;   /* or NULL */
	char sts_id[STS_ID_MAX + 1]; /* of the record, "" without one */
	struct crypto_digest sts_hash; /* of the policy, where sts_status is "valid" */
	int64_t slowest_ms;     /* of the name servers that were asked by themselves */
	struct {
		enum spf_result result;
		char term[128];
	} ip[DNSCHECK_IPS_MAX];
};

/* A certificate that is in use under a name. */
struct dnscheck_cert {
	char name[256];
	struct tls_cert cert;
};
#define DNSCHECK_CERTS_MAX (DNSCHECK_MX_MAX + 1)

/* An MX host to which somebody tried to connect. */
struct dnscheck_reach {
	char name[256];
	bool reached;
	char why[100]; /* it was not */
};

/* A name server of the domain, asked by itself. */
struct dnscheck_server {
	char host[256];
	bool known;    /* it has an address */
	int number[4]; /* of its answers */
};

struct dns_direct;

struct dnscheck {
	/* by the caller */
	struct dns *dns;
	char domain[256];                      /* A-labels, lower case */
	struct inet_addr ip[DNSCHECK_IPS_MAX]; /* from which mail is sent */
	size_t ip_count;
	struct dnscheck_selector selector[DNSCHECK_SELECTORS_MAX];
	size_t selector_count;
	const char *helo; /* how the server greets, NULL: not known */
	bool smarthost;   /* mail goes through somebody else's server */
	bool parked;      /* the domain is to have no mail */
	int64_t direct_ms; /* how long each name server of the domain has for an answer; 0: none is
			      asked by itself */
	enum dnscheck_fetch sts_fetch;
	struct span sts_policy;
	const char *sts_why; /* FAILED: the words */
	bool sts_silent;     /* FAILED: for want of an answer */
	char sts_before_id[STS_ID_MAX + 1];   /* when this was checked before; "": not known */
	struct crypto_digest sts_before_hash; /* the policy of then */
	int64_t sts_left_s;  /* FETCHED: until the certificate of its server ends; -1: not known */
	struct dnscheck_file bimi_logo, bimi_mark;
	struct dnscheck_cert cert[DNSCHECK_CERTS_MAX];
	size_t cert_count;
	struct dnscheck_reach reach[DNSCHECK_MX_MAX];
	size_t reach_count; /* 0: nobody tried */
	/* by the checks */
	struct dnscheck_facts facts;
	struct findings *out; /* of the check that runs */
	bool idle;            /* DNS has no question left: time to wait for other things */
	struct dns_direct *direct;
	struct dnscheck_server server[SERVERS_MAX];
	size_t server_count;
};

/* Runs all checks, round after round. Findings are added to *ret. */
void dnscheck_run(struct dnscheck *c, struct findings *ret);
/* What the checks hold. */
void dnscheck_release(struct dnscheck *c);
/* The check of MTA-STS alone; facts.sts_* are set. */
void dnscheck_run_sts(struct dnscheck *c, struct findings *ret);

/* One record of the domain. */
struct dnscheck_record {
	const char *name, *type; /* no dot at the end; "MX" */
	const char *value;       /* as zone files have it; NULL: there is none */
	const char *why;         /* not NULL: there was no answer, why not */
};
typedef void dnscheck_record_fn(void *ctx, const struct dnscheck_record *r);
/* After dnscheck_run(): calls fn for what the mail of the domain depends on, in the order in which it
 * was asked. A name and type without a record is told once, without a value. */
void dnscheck_records(const struct dnscheck *c, dnscheck_record_fn *fn, void *ctx);
/* Number of the last round: the length of the longest chain of questions; and of questions. */
void dnscheck_chain(struct dns *dns, unsigned *ret_rounds, unsigned *ret_questions,
		    int64_t *ret_slowest_ms);

#include "base/banned.h"

#endif
