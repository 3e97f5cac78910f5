/*
 * The parts of dns-check that answer one question: what SPF or DMARC says of a message, which
 * domain is the organisational one, whether a record is right. Codes: 0 good, 1 neither, 2 bad,
 * 3 not known.
 */

#include <stdio.h>
#include <sysexits.h>
#include <time.h>

#include "authres/dmarc.h"
#include "authres/psl.h"
#include "authres/spf.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/term.h"
#include "check/lint.h"
#include "cli/cli.h"
#include "cli/dns_check.h"
#include "net/dns_table.h"
#include "net/dns_unbound.h"

#define OUTPUT_MAX (1u << 20)
#define TABLE_MAX (16u << 20)
#define SPF_TIME_MS 20000

const char dns_check_program[] = "dns-check";

/* --- DNS --- */

static struct dns *open_replay(const char *path) {
	AUTO_BUF struct buf text = BUF_INIT(TABLE_MAX);
	struct err err = ERR_INIT;
	struct dns *dns = NULL;
	if (file_read(AT_FDCWD, path, &text, &err) == 0)
		dns = dns_table_open(buf_span(&text), &err);
	if (!dns)
		cli_fail(dns_check_program, EX_NOINPUT, "--replay %s: %s", path, err.msg);
	return dns;
}

struct dns *dns_check_open(const struct dns_check *c) {
	struct err err = ERR_INIT;
	struct dns_unbound_options o = {
		.server = c->server,
		.trust_anchor = c->trust_anchor,
		.iterate = c->authoritative,
		.deadline_ms = c->deadline_ms,
	};
	if (c->replay)
		return open_replay(c->replay);
	struct dns *dns = dns_unbound_open(&o, &err);
	if (!dns)
		cli_fail(dns_check_program, EX_UNAVAILABLE, "%s", err.msg);
	return dns;
}

void dns_check_close(const struct dns_check *c, struct dns *dns) {
	AUTO_BUF struct buf text = BUF_INIT(TABLE_MAX);
	struct err err = ERR_INIT;
	if (dns && c->record &&
	    (dns_table_write(dns, &text) != 0 ||
	     file_replace(AT_FDCWD, c->record, 0644, buf_span(&text), &err) != 0))
		cli_fail(dns_check_program, EX_CANTCREAT, "--record %s: %s", c->record,
			 err.msg);
	dns_close(dns);
}

static void print_json(struct buf *out) {
	fwrite(buf_str(out), 1, out->len, stdout);
	putchar('\n');
}

/* --- SPF --- */

static void print_spf(const struct dns_check *c, const struct spf_report *r,
		      enum spf_result lenient) {
	AUTO_BUF struct buf out = BUF_INIT(OUTPUT_MAX);
	struct json j = json_into(&out);
	if (!c->json) {
		printf("%s", spf_result_name(r->result));
		if (r->why[0])
			printf(": %s", r->why);
		else if (r->term[0]) {
			fputs(" by ", stdout);
			term_print(stdout, span_str(r->term));
		}
		printf("  (%u of %d lookups, %u void)\n", r->lookups, SPF_LOOKUPS_MAX,
		       r->voids);
		if (lenient != r->result)
			printf("by a lenient count of void lookups: %s\n",
			       spf_result_name(lenient));
		if (r->explanation[0]) {
			fputs("the domain explains: ", stdout);
			term_print(stdout, span_str(r->explanation));
			putchar('\n');
		}
		return;
	}
	json_object(&j, NULL);
	json_str(&j, "result", span_str(spf_result_name(r->result)));
	json_str_or_null(&j, "explanation",
			 r->explanation[0] ? span_str(r->explanation)
					   : (struct span){ 0 });
	json_str(&j, "domain", span_str(r->domain));
	json_str_or_null(&j, "term", r->term[0] ? span_str(r->term) : (struct span){ 0 });
	json_str_or_null(&j, "reason", r->why[0] ? span_str(r->why) : (struct span){ 0 });
	json_str(&j, "result_lenient", span_str(spf_result_name(lenient)));
	json_int(&j, "lookups", r->lookups);
	json_int(&j, "void_lookups", r->voids);
	json_int(&j, "void_lookups_lenient", r->voids_lenient);
	json_end(&j);
	print_json(&out);
}

static int spf_status(enum spf_result r) {
	switch (r) {
	case SPF_PASS:
		return 0;
	case SPF_NONE:
	case SPF_NEUTRAL:
	case SPF_SOFTFAIL:
		return 1;
	case SPF_FAIL:
	case SPF_PERMERROR:
		return 2;
	case SPF_TEMPERROR:
	case SPF_PENDING:
		break;
	}
	return 3;
}

/* A slow chain of answers has its end (RFC 7208 section 4.6.4). */
static void give_up(struct spf_report *r) {
	if (r->result != SPF_PENDING)
		return;
	r->result = SPF_TEMPERROR;
	snprintf(r->why, sizeof(r->why), "no result within %d s", SPF_TIME_MS / 1000);
}

int dns_check_spf(const struct dns_check *c) {
	struct spf_query q = {
		.sender = span_str(c->mail_from ? c->mail_from : ""),
		.helo = span_str(c->helo ? c->helo : ""),
		.now_s = time(NULL),
	};
	struct spf_query lenient_q;
	struct spf_report r, lenient;
	if (c->ip.count != 1 || !inet_addr_parse(span_str(c->ip.at[0]), &q.ip))
		return cli_usage(dns_check_program, "--spf-eval needs one --ip ADDRESS");
	if (q.sender.len == 0 && q.helo.len == 0)
		return cli_usage(dns_check_program,
				 "--spf-eval needs --mail-from or --helo");
	struct dns *dns = dns_check_open(c);
	if (!dns)
		return EX_UNAVAILABLE;
	lenient_q = q;
	lenient_q.lenient_voids = true;
	int64_t until_ms = clock_boot_ms() + SPF_TIME_MS;
	do {
		spf_check(dns, &q, &r);
		spf_check(dns, &lenient_q, &lenient);
	} while ((r.result == SPF_PENDING || lenient.result == SPF_PENDING) &&
		 clock_boot_ms() < until_ms && dns_run(dns) > 0);
	give_up(&r);
	give_up(&lenient);
	dns_check_close(c, dns);
	print_spf(c, &r, lenient.result);
	return spf_status(r.result);
}

/* --- DMARC --- */

static void add_dmarc(struct json *j, const struct dmarc_report *r) {
	struct span none = { 0 };
	json_str(j, "result", span_str(dmarc_result_name(r->result)));
	json_str_or_null(j, "policy",
			 r->policy ? span_str(dmarc_policy_name(r->policy)) : none);
	json_str_or_null(j, "published",
			 r->published ? span_str(dmarc_policy_name(r->published)) : none);
	json_bool(j, "dkim_aligned", r->dkim_aligned);
	json_bool(j, "spf_aligned", r->spf_aligned);
	json_bool(j, "testing", r->testing);
	json_str_or_null(j, "record_domain",
			 r->record_domain[0] ? span_str(r->record_domain) : none);
	json_str_or_null(j, "org_domain", r->org[0] ? span_str(r->org) : none);
	json_str_or_null(j, "reason", r->why[0] ? span_str(r->why) : none);
}

static void print_dmarc_line(const char *rules, const struct dmarc_report *r) {
	printf("%s: %s", rules, dmarc_result_name(r->result));
	if (r->policy)
		printf(", policy %s of _dmarc.%s%s", dmarc_policy_name(r->policy),
		       r->record_domain,
		       r->testing ? " (t=y: one lower than published)" : "");
	if (r->why[0])
		printf(": %s", r->why);
	printf("; DKIM %s, SPF %s\n", r->dkim_aligned ? "aligned" : "not aligned",
	       r->spf_aligned ? "aligned" : "not aligned");
}

static void print_dmarc(const struct dns_check *c, const struct dmarc_report *r,
			const struct dmarc_report *old) {
	AUTO_BUF struct buf out = BUF_INIT(OUTPUT_MAX);
	struct json j = json_into(&out);
	if (!c->json) {
		print_dmarc_line("RFC 9989", r);
		print_dmarc_line("RFC 7489", old);
		return;
	}
	json_object(&j, NULL);
	add_dmarc(&j, r);
	json_object(&j, "rfc7489");
	add_dmarc(&j, old);
	json_end(&j);
	json_end(&j);
	print_json(&out);
}

static int dmarc_status(enum dmarc_result r) {
	static const int codes[] = {
		[DMARC_PENDING] = 3, [DMARC_NO_RECORD] = 1, [DMARC_PASS] = 0,
		[DMARC_FAIL] = 2,    [DMARC_TEMPERROR] = 3,
	};
	return codes[r];
}

static size_t spans_of(const struct dns_check_list *list, struct span *ret) {
	for (size_t i = 0; i < list->count; i++)
		ret[i] = span_str(list->at[i]);
	return list->count;
}

int dns_check_dmarc(const struct dns_check *c) {
	struct span dkim[DNS_CHECK_LIST_MAX], spf[DNS_CHECK_LIST_MAX];
	struct dmarc_query q = { .dkim = dkim, .spf = spf };
	struct dmarc_report r = { .result = DMARC_NO_RECORD }, old = r;
	q.dkim_count = spans_of(&c->dkim_pass, dkim);
	q.spf_count = spans_of(&c->spf_pass, spf);
	if (c->header_from.count == 0)
		return cli_usage(dns_check_program,
				 "--dmarc-eval needs --header-from DOMAIN");
	if (c->header_from.count > 1) { /* RFC 9989 section 5.3.1: not evaluated */
		snprintf(r.why, sizeof(r.why), "From has more than one domain");
		print_dmarc(c, &r, &r);
		return dmarc_status(r.result);
	}
	struct dns *dns = dns_check_open(c);
	if (!dns)
		return EX_UNAVAILABLE;
	q.from = span_str(c->header_from.at[0]);
	do {
		q.rules = DMARC_RFC9989;
		dmarc_check(dns, &q, &r);
		q.rules = DMARC_RFC7489;
		dmarc_check(dns, &q, &old);
	} while ((r.result == DMARC_PENDING || old.result == DMARC_PENDING) &&
		 dns_run(dns) > 0);
	dns_check_close(c, dns);
	print_dmarc(c, &r, &old);
	return dmarc_status(r.result);
}

/* --- organisational domains --- */

static bool walk_org(const struct dns_check *c, struct dns *dns, char ret[256],
		     bool *temporary) {
	struct dmarc_walk w;
	char name[256];
	(void)c;
	if (!dns_name_parse(span_str(c->domain), name))
		return false;
	while (!dmarc_walk(dns, name, &w) && dns_run(dns) > 0)
		;
	*temporary = w.temporary;
	memcpy(ret, w.org, 256);
	return w.org[0] != '\0' && !w.temporary;
}

int dns_check_org(const struct dns_check *c) {
	AUTO_BUF struct buf out = BUF_INIT(OUTPUT_MAX);
	struct json j = json_into(&out);
	char org[256] = "";
	bool found, temporary = false;
	if (c->tree_walk) {
		struct dns *dns = dns_check_open(c);
		if (!dns)
			return EX_UNAVAILABLE;
		found = walk_org(c, dns, org, &temporary);
		dns_check_close(c, dns);
	} else {
		found = psl_org_domain(span_str(c->domain), org);
	}
	json_object(&j, NULL);
	json_str_or_null(&j, "org_domain", found ? span_str(org) : (struct span){ 0 });
	json_end(&j);
	if (c->json) {
		print_json(&out);
	} else {
		term_print(stdout, found ? span_str(org) : SPAN("none"));
		putchar('\n');
	}
	return found ? 0 : temporary ? 3 : 1;
}

/* --- records --- */

static void add_lines(struct json *j, const char *key, const struct buf *lines) {
	struct span rest = buf_span(lines), line;
	json_array(j, key);
	while (span_take_line(&rest, &line))
		json_str(j, NULL, line);
	json_end(j);
}

static void print_lines(const char *what, const struct buf *lines) {
	struct span rest = buf_span(lines), line;
	while (span_take_line(&rest, &line)) /* safe already */
		printf("%s: %.*s\n", what, (int)line.len, line.p);
}

static int read_record(struct buf *text) {
	char *room;
	size_t n;
	while ((room = buf_room(text, 4096)) != NULL &&
	       (n = fread(room, 1, 4096, stdin)) > 0)
		buf_grew(text, n);
	return ferror(stdin) || buf_failed(text) ? -1 : 0;
}

int dns_check_lint(const struct dns_check *c) {
	AUTO_BUF struct buf text = BUF_INIT(OUTPUT_MAX), out = BUF_INIT(OUTPUT_MAX);
	struct json j = json_into(&out);
	struct lint l;
	enum lint_kind kind;
	if (!lint_kind_parse(span_str(c->lint), &kind))
		return cli_usage(
			dns_check_program,
			"--lint %s: not dmarc, spf, mta-sts-record, mta-sts-policy, "
			"tlsrpt, dkim-key or bimi",
			c->lint);
	if (read_record(&text) != 0)
		return cli_fail(dns_check_program, EX_NOINPUT,
				"cannot read the record, or it is too long");
	struct span record = buf_span(&text);
	if (kind != LINT_MTA_STS_POLICY && record.len > 0 &&
	    record.p[record.len - 1] == '\n')
		record.len -= record.len > 1 && record.p[record.len - 2] == '\r' ? 2 : 1;
	bool valid = lint_record(kind, record, &l);
	json_object(&j, NULL);
	json_bool(&j, "valid", valid);
	add_lines(&j, "errors", &l.errors);
	add_lines(&j, "notes", &l.notes);
	json_end(&j);
	if (c->json) {
		print_json(&out);
	} else {
		puts(valid ? "valid" : "not valid");
		print_lines("error", &l.errors);
		print_lines("note", &l.notes);
	}
	lint_release(&l);
	return valid ? 0 : 2;
}
