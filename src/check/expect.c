/*
 * Expected records. The lines become a table of DNS (net/dns_table.h), and each name and type of
 * it is asked there and in DNS; the two answers are then compared record by record.
 */

#include "check/expect.h"

#include <stdlib.h>

#include "base/auto.h"
#include "check/servers.h"
#include "net/dns_direct.h"
#include "net/dns_table.h"

#define TABLE_MAX (4u << 20)
#define TXT_MAX 65536

struct item {
	char name[256];
	enum dns_type type;
};

struct expect {
	struct dns *table;
	struct item *item;
	size_t count;
};

/* --- reading --- */

static bool is_number(struct span s) {
	uint64_t n;
	return span_uint(s, UINT32_MAX, &n);
}

/* Takes one record: a line, or as many as its parentheses reach over (RFC 1035 section 5.1).
 * Comments and parentheses are left out of what is appended. False at the end. */
static bool take_record(struct span *text, unsigned *lines, struct buf *out) {
	bool quoted = false, comment = false;
	unsigned depth = 0;
	size_t i = 0;
	if (text->len == 0)
		return false;
	for (; i < text->len; i++) {
		char c = text->p[i];
		if (c == '\n') {
			++*lines;
			comment = false;
			if (depth == 0)
				break;
			c = ' ';
		}
		if (comment)
			continue;
		if (c == '\\' && i + 1 < text->len && text->p[i + 1] != '\n') {
			buf_addc(out, c);
			c = text->p[++i];
		} else if (c == '"') {
			quoted = !quoted;
		} else if (!quoted && (c == ';' || c == '#')) {
			comment = true;
			continue;
		} else if (!quoted && (c == '(' || c == ')')) {
			depth = c == '(' ? depth + 1 : depth > 0 ? depth - 1 : 0;
			c = ' ';
		}
		buf_addc(out, c);
	}
	*text = span_from(*text, i + 1);
	return true;
}

/* One line as the table has it: "NAME TYPE RDATA". False: it is no record. */
static bool convert(struct span line, const char *domain, struct item *ret,
		    struct buf *out) {
	struct span name, word;
	if (!span_take_word(&line, &name))
		return false;
	if (span_eq(name, SPAN("@")))
		name = span_str(domain);
	if (!dns_name_parse(name, ret->name))
		return false;
	do
		if (!span_take_word(&line, &word))
			return false;
	while (is_number(word) || span_eq_nocase(word, SPAN("IN")));
	if (!dns_type_parse(word, &ret->type) || span_trim(line).len == 0)
		return false;
	buf_addf(out, "%s %s ", ret->name, dns_type_name(ret->type));
	buf_add(out, span_trim(line));
	buf_addc(out, '\n');
	return true;
}

static bool has_item(const struct expect *e, const struct item *item) {
	for (size_t i = 0; i < e->count; i++)
		if (e->item[i].type == item->type &&
		    strcmp(e->item[i].name, item->name) == 0)
			return true;
	return false;
}

static int add_item(struct expect *e, const struct item *item, struct err *err) {
	if (has_item(e, item))
		return 0;
	struct item *more = reallocarray(e->item, e->count + 1, sizeof(*more));
	if (!more)
		return err_set(err, ERR_MEMORY, "out of memory");
	e->item = more;
	e->item[e->count++] = *item;
	return 0;
}

struct expect *expect_open(struct span text, const char *domain, struct err *err) {
	AUTO_BUF struct buf table = BUF_INIT(TABLE_MAX), line = BUF_INIT(TABLE_MAX);
	struct expect *e = calloc(1, sizeof(*e));
	unsigned number = 0;
	bool good = e != NULL;
	if (!e)
		err_set(err, ERR_MEMORY, "out of memory");
	for (unsigned at = 1; good && take_record(&text, &number, &line);
	     at = number + 1) {
		struct item item;
		struct span record = span_trim(buf_span(&line));
		if (record.len > 0 && !convert(record, domain, &item, &table)) {
			err_set(err, ERR_SYNTAX, "line %u is no record (NAME TYPE DATA)",
				at);
			good = false;
		} else if (record.len > 0) {
			good = add_item(e, &item, err) == 0;
		}
		buf_reset(&line);
	}
	if (good)
		e->table = dns_table_open(buf_span(&table), err);
	if (e && !e->table) {
		expect_close(e);
		e = NULL;
	}
	return e;
}

void expect_close(struct expect *e) {
	if (!e)
		return;
	dns_close(e->table);
	free(e->item);
	free(e);
}

/* --- comparing --- */

/* What two records that mean the same have in common: names in any case, strings joined. */
static void canonical(struct span rdata, enum dns_type type, struct buf *out) {
	if (type == DNS_TXT && dns_txt(rdata, out))
		return;
	for (size_t i = 0; i < rdata.len; i++)
		buf_addc(out, type == DNS_CAA || type == DNS_TLSA || type == DNS_A ||
					      type == DNS_AAAA
				      ? rdata.p[i]
				      : span_lower(rdata.p[i]));
}

static bool has_record(const struct dns_answer *a, struct span rdata) {
	AUTO_BUF struct buf want = BUF_INIT(TXT_MAX);
	canonical(rdata, a->type, &want);
	for (size_t i = 0; i < a->count; i++) {
		AUTO_BUF struct buf one = BUF_INIT(TXT_MAX);
		canonical(a->record[i], a->type, &one);
		if (span_eq(buf_span(&one), buf_span(&want)))
			return true;
	}
	return false;
}

static void add_text(struct buf *out, const struct dns_answer *a, size_t i) {
	buf_addf(out, "%s. %s ", a->name, dns_type_name(a->type));
	dns_rdata_add(out, a->type, a->record[i]);
}

/* at: words that say who gave the answer, "" for DNS as a whole. */
static void compare(const struct dns_answer *want, const struct dns_answer *got, const char *at,
		    struct findings *ret) {
	size_t good = 0;
	for (size_t i = 0; i < want->count; i++) {
		AUTO_BUF struct buf text = BUF_INIT(TXT_MAX);
		if (has_record(got, want->record[i])) {
			good++;
			continue;
		}
		add_text(&text, want, i);
		finding_fix(finding_add(ret, "expect.missing", FINDING_FAIL, want->name,
					"%s is not there%s (%s)",
					dns_type_name(want->type), at,
					got->status == DNS_FOUND ? "other records are"
								 : got->why),
			    "%s", buf_str(&text));
	}
	for (size_t i = 0; i < got->count; i++) {
		AUTO_BUF struct buf text = BUF_INIT(TXT_MAX);
		if (has_record(want, got->record[i]))
			continue;
		add_text(&text, got, i);
		finding_evidence(finding_add(ret, "expect.extra", FINDING_FAIL,
					     want->name,
					     "%s%s: a record that was not expected",
					     dns_type_name(want->type), at),
				 buf_span(&text));
	}
	if (good == want->count && good == got->count && !at[0])
		finding_add(ret, "expect.ok", FINDING_OK, want->name, "%s as expected",
			    dns_type_name(want->type));
}

bool expect_check(const struct expect *e, struct dns *dns, struct findings *ret) {
	bool all = true;
	for (size_t i = 0; i < e->count; i++) {
		struct span name = span_str(e->item[i].name);
		const struct dns_answer *got = dns_get(dns, name, e->item[i].type);
		if (got->status == DNS_PENDING) {
			all = false;
			continue;
		}
		if (dns_is_temporary(got))
			finding_add(ret, "expect.unknown", FINDING_UNKNOWN, got->name,
				    "%s: %s", dns_type_name(got->type), got->why);
		else
			compare(dns_ask(e->table, name, e->item[i].type), got, "", ret);
	}
	return all;
}

/* --- each server by itself --- */

static bool is_below(const char *name, const char *zone) {
	struct span n = span_str(name), z = span_str(zone);
	return span_eq(n, z) ||
	       (n.len > z.len && span_eq(span_from(n, n.len - z.len), z) &&
		n.p[n.len - z.len - 1] == '.');
}

/* What one server says; another that knows the name only from hearsay says nothing. */
static void judge(const struct expect *e, const struct item *item, const char *host,
		  const struct dns_direct_answer *a, struct findings *ret) {
	AUTO_BUF struct buf at = BUF_INIT(512);
	struct dns_answer got = { .name = item->name,
				  .type = item->type,
				  .status = a->status,
				  .record = a->record,
				  .count = a->count,
				  .why = a->why };
	buf_addf(&at, " at %s", host);
	if (a->status == DNS_TIMEOUT)
		finding_add(ret, "expect.unknown", FINDING_UNKNOWN, item->name, "%s%s: %s",
			    dns_type_name(item->type), buf_str(&at), a->why);
	else if (a->authoritative && a->status != DNS_SERVFAIL)
		compare(dns_ask(e->table, span_str(item->name), item->type), &got, buf_str(&at),
			ret);
}

static void ask_servers(const struct expect *e, const struct item *item,
			const struct servers *list, int64_t timeout_ms, struct findings *ret) {
	int number[SERVERS_MAX];
	struct dns_direct *d = dns_direct_new();
	for (size_t i = 0; d && i < list->count; i++)
		number[i] = list->server[i].known
				    ? dns_direct_ask(d, &list->server[i].at, item->name,
						     item->type)
				    : -1;
	if (d)
		dns_direct_wait(d, timeout_ms);
	for (size_t i = 0; d && i < list->count; i++)
		if (number[i] >= 0)
			judge(e, item, list->server[i].host, dns_direct_answer(d, number[i]), ret);
	dns_direct_free(d);
}

void expect_check_servers(const struct expect *e, struct dns *dns, const char *zone,
			  int64_t timeout_ms, struct findings *ret) {
	struct servers list;
	while (!servers_of(dns, zone, &list) && dns_run(dns) > 0)
		;
	for (size_t i = 0; i < e->count; i++)
		if (is_below(e->item[i].name, zone))
			ask_servers(e, &e->item[i], &list, timeout_ms, ret);
}
