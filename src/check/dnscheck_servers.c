/*
 * Each name server of the domain, asked by itself: whether it answers at all, and whether it says
 * of the mail what the others say. The questions go out as soon as the servers' addresses are
 * known, and are waited for when nothing else is left to do.
 */

#include <stdlib.h>

#include "base/auto.h"
#include "check/dnscheck_state.h"
#include "check/servers.h"
#include "net/dns_direct.h"

#define TEXT_MAX 65536

/* What is compared. */
static const struct {
	const char *prefix;
	enum dns_type type;
	const char *id;
	enum finding_severity severity;
	const char *what;
	const char *version; /* of the TXT records that count, NULL: all records */
} subjects[] = {
	{ "", DNS_MX, "mx.ns_disagree", FINDING_WARN, "MX", NULL },
	{ "", DNS_TXT, "ns.disagree", FINDING_WARN, "SPF", "v=spf1" },
	{ "_dmarc", DNS_TXT, "ns.disagree", FINDING_WARN, "DMARC", "v=DMARC1" },
	{ "", DNS_SOA, "ns.serial", FINDING_NOTICE, "SOA", NULL },
};
#define SUBJECTS (sizeof(subjects) / sizeof(subjects[0]))

/* --- asking --- */

static void ask_one(struct dnscheck *c, struct dnscheck_server *s,
		    const struct inet_port *at) {
	for (size_t i = 0; i < SUBJECTS; i++) {
		char name[300];
		snprintf(name, sizeof(name), "%s%s%s", subjects[i].prefix,
			 subjects[i].prefix[0] ? "." : "", c->domain);
		s->number[i] = dns_direct_ask(c->direct, at, name, subjects[i].type);
	}
}

static void ask_all(struct dnscheck *c, const struct servers *list) {
	c->direct = dns_direct_new();
	for (size_t i = 0; i < list->count && c->direct; i++) {
		struct dnscheck_server *s = &c->server[c->server_count++];
		memcpy(s->host, list->server[i].host, sizeof(s->host));
		s->known = list->server[i].known;
		if (s->known)
			ask_one(c, s, &list->server[i].at);
	}
}

/* --- comparing --- */

static int compare_lines(const void *a, const void *b) {
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool counts(struct span rdata, const char *version) {
	AUTO_BUF struct buf text = BUF_INIT(TEXT_MAX);
	return !version || (dns_txt(rdata, &text) &&
			    span_starts_nocase(buf_span(&text), span_str(version)));
}

/* The number of a SOA, or the whole record. */
static void add_record(struct buf *out, struct span rdata, enum dns_type type) {
	AUTO_BUF struct buf text = BUF_INIT(TEXT_MAX);
	struct span rest, word;
	dns_rdata_add(&text, type, rdata);
	rest = buf_span(&text);
	if (type != DNS_SOA) {
		buf_add(out, rest);
		return;
	}
	for (int i = 0; i < 3; i++)
		span_take_word(&rest, &word);
	buf_add(out, word);
}

/* What a server says of a subject, in one line: records in order. */
static void describe(const struct dns_direct_answer *a, size_t subject, struct buf *out) {
	char *line[64] = { NULL };
	size_t count = 0;
	for (size_t i = 0; i < a->count && count < 64; i++) {
		AUTO_BUF struct buf one = BUF_INIT(TEXT_MAX), same = BUF_INIT(TEXT_MAX);
		if (!counts(a->record[i], subjects[subject].version))
			continue;
		add_record(&one, a->record[i], subjects[subject].type);
		for (size_t k = 0; k < one.len; k++) {
			char ch = buf_str(&one)[k];
			bool exact = subjects[subject].type == DNS_TXT;
			buf_addc(&same, exact ? ch : span_lower(ch));
		}
		line[count] = buf_take(&same);
		count += line[count] != NULL;
	}
	qsort(line, count, sizeof(line[0]), compare_lines);
	for (size_t i = 0; i < count; i++) {
		buf_addf(out, "%s%s", i > 0 ? ", " : "", line[i]);
		free(line[i]);
	}
	if (count == 0)
		buf_adds(out, "none");
}

static void check_subject(struct dnscheck *c, size_t subject) {
	AUTO_BUF struct buf first = BUF_INIT(TEXT_MAX), seen = BUF_INIT(1u << 20);
	bool differ = false;
	size_t count = 0;
	for (size_t i = 0; i < c->server_count; i++) {
		const struct dnscheck_server *s = &c->server[i];
		AUTO_BUF struct buf text = BUF_INIT(TEXT_MAX);
		if (!s->known || s->number[subject] < 0)
			continue;
		const struct dns_direct_answer *a = dns_direct_answer(c->direct,
								      s->number[subject]);
		if (!a->authoritative ||
		    (a->status != DNS_FOUND && a->status != DNS_NODATA &&
		     a->status != DNS_NXDOMAIN))
			continue;
		describe(a, subject, &text);
		buf_addf(&seen, "%s%s: %s", count > 0 ? "\n" : "", s->host,
			 buf_str(&text));
		if (count++ == 0)
			buf_add(&first, buf_span(&text));
		else
			differ |= !span_eq(buf_span(&first), buf_span(&text));
	}
	if (differ)
		finding_show(finding_add(c->out, subjects[subject].id,
					 subjects[subject].severity, c->domain,
					 "the name servers differ in %s",
					 subjects[subject].what),
			     buf_span(&seen));
}

/* --- one server --- */

/* True when it answered. */
static bool check_server(struct dnscheck *c, const struct dnscheck_server *s) {
	if (!s->known) {
		finding_add(c->out, "ns.silent", FINDING_WARN, s->host,
			    "it has no address");
		return false;
	}
	const struct dns_direct_answer *a = dns_direct_answer(c->direct, s->number[0]);
	for (size_t i = 0; i < SUBJECTS; i++) {
		int64_t took_ms = dns_direct_answer(c->direct, s->number[i])->took_ms;
		c->facts.slowest_ms = took_ms > c->facts.slowest_ms ? took_ms
								    : c->facts.slowest_ms;
	}
	if (a->status == DNS_TIMEOUT)
		return false;
	if (!a->authoritative || a->status == DNS_SERVFAIL)
		finding_add(c->out, "ns.lame", FINDING_WARN, s->host,
			    "it does not know the zone (%s)",
			    a->status == DNS_SERVFAIL ? a->why : "no authority");
	return true;
}

static void judge(struct dnscheck *c) {
	bool answered[SERVERS_MAX] = { false };
	size_t good = 0;
	for (size_t i = 0; i < c->server_count; i++)
		good += answered[i] = check_server(c, &c->server[i]);
	for (size_t i = 0; i < c->server_count; i++)
		if (!answered[i] && c->server[i].known)
			finding_add(
				c->out, "ns.silent",
				good > 0 ? FINDING_WARN : FINDING_INFO, c->server[i].host,
				"asked directly: %s%s",
				dns_direct_answer(c->direct, c->server[i].number[0])->why,
				good > 0 ? "" : " (port 53 outwards may be closed)");
	for (size_t i = 0; i < SUBJECTS && good > 1; i++)
		check_subject(c, i);
	if (good == c->server_count && c->out->count == 0)
		finding_add(c->out, "ns.ok", FINDING_OK, c->domain,
			    "%zu name server%s answer%s alike", good,
			    good == 1 ? "" : "s", good == 1 ? "s" : "");
}

bool dnscheck_servers(struct dnscheck *c) {
	struct servers list;
	if (c->direct_ms == 0)
		return true;
	if (!c->direct) {
		if (!servers_of(c->dns, c->domain, &list))
			return false;
		if (list.count == 0)
			return true;
		ask_all(c, &list);
	}
	if (!c->idle)
		return false;
	if (c->direct) {
		dns_direct_wait(c->direct, c->direct_ms);
		judge(c);
	}
	return true;
}

void dnscheck_release(struct dnscheck *c) {
	dns_direct_free(c->direct);
	c->direct = NULL;
	c->server_count = 0;
}
