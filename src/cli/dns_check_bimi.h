#ifndef NIGHTMAIL_CLI_DNS_CHECK_BIMI_H
#define NIGHTMAIL_CLI_DNS_CHECK_BIMI_H

/* dns-check: the files that a BIMI record names. */

#include "check/dnscheck.h"
#include "cli/dns_check.h"
#include "net/http.h"

struct dns_check_fetch {
	struct dnscheck_file *file;
	struct http_call *call; /* NULL: none is under way */
	int64_t until_ms;
	struct http_answer answer;
	bool answered;
	struct err err;
};
struct dns_check_bimi {
	struct dns_check_fetch file[2];
};

/* After dnscheck_run(): starts to fetch what the record names; true when it names anything. */
bool dns_check_bimi_begin(struct dns_check_bimi *b, const struct dns_check *c,
			  struct dnscheck *check);
/* Waits for the files and hands them to the check, which must then run again. */
void dns_check_bimi_finish(struct dns_check_bimi *b);
/* The files are gone. */
void dns_check_bimi_release(struct dns_check_bimi *b);

#include "base/banned.h"

#endif
