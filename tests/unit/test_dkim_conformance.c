/*
 * DKIM and ARC against the suites that other people wrote (read where they are, skipped loudly
 * where they are not), with DNS from a table.
 */

#include "authres/dkim_verify.h"

#include <stdlib.h>

#include <jansson.h>

#include "authres/arc.h"
#include "base/file.h"
#include "mail/header.h"
#include "net/dns_table.h"

#include "tap.h"

#define NOW 1790000000 /* all of these messages are older */

static const char *shared(void) {
	const char *dir = getenv("NIGHTMAIL_SHARED");
	return dir ? dir : "../shared";
}

/* The zone of the suites as lines of dns_table.h. */
static void add_zone(struct buf *out, const json_t *zone) {
	const char *name;
	json_t *records, *record;
	size_t i;
	json_object_foreach((json_t *)(uintptr_t)zone, name, records) {
		json_array_foreach(records, i, record) {
			const char *type = json_string_value(json_array_get(record, 0));
			const char *text = json_string_value(json_array_get(record, 1));
			if (type && text && strcmp(type, "TXT") == 0)
				buf_addf(out, "%s TXT \"%s\"\n", name, text);
		}
	}
}

static struct dns *open_zone(const json_t *zone, const json_t *more) {
	AUTO_BUF struct buf text = BUF_INIT(1u << 20);
	struct err err = ERR_INIT;
	add_zone(&text, zone);
	add_zone(&text, more);
	struct dns *dns = dns_table_open(buf_span(&text), &err);
	if (!dns)
		printf("# %s\n", err.msg);
	return dns;
}

static struct dkim_verify *verify(struct span message, struct dns *dns) {
	struct span header = span_head(message, header_block_len(message));
	struct span body = span_from(message, header.len);
	struct dkim_verify *v = dkim_verify_new(header, NOW, NULL);
	if (!v)
		return NULL;
	header_take_empty(&body);
	for (size_t at = 0; at < body.len; at += 7)
		dkim_verify_feed(v, span_head(span_from(body, at), 7));
	dkim_verify_end(v);
	while (!dkim_verify_run(v, dns) && dns_run(dns) > 0)
		;
	return v;
}

/* How all signatures of a message came out. */
struct tally {
	size_t count, passed, expired;
};

static const struct dkim_result *find(const struct dkim_verify *v, struct span domain,
				      struct span selector) {
	for (size_t i = 0; i < dkim_verify_count(v); i++) {
		const struct dkim_result *r = dkim_verify_result(v, i);
		if (span_eq(r->sig.domain, domain) && span_eq(r->sig.selector, selector))
			return r;
	}
	return NULL;
}

/* The suite does not list them in the order of the header. */
static void check_expected(const struct dkim_verify *v, const json_t *expect,
			   const char *file) {
	json_t *want;
	size_t i;
	if (!expect)
		return;
	is_int((int64_t)dkim_verify_count(v), (int64_t)json_array_size(expect),
	       "%s: as many signatures as expected", file);
	json_array_foreach((json_t *)(uintptr_t)expect, i, want) {
		const char *result = json_string_value(json_object_get(want, "result"));
		const char *domain = json_string_value(json_object_get(want, "domain"));
		const char *selector = json_string_value(
			json_object_get(want, "selector"));
		const struct dkim_result *r = find(v, span_str(domain),
						   span_str(selector));
		is_str(r ? dkim_verdict_name(r->verdict) : "not there", result,
		       "%s: %s of %s", file, selector, domain);
	}
}

static struct tally count(const struct dkim_verify *v, const char *file) {
	struct tally t = { dkim_verify_count(v), 0, 0 };
	for (size_t i = 0; i < t.count; i++) {
		const struct dkim_result *r = dkim_verify_result(v, i);
		t.passed += r->verdict == DKIM_PASS;
		t.expired += strstr(r->reason, "expired") != NULL;
		if (r->verdict != DKIM_PASS)
			printf("# %s: %s: %s\n", file, dkim_verdict_name(r->verdict),
			       r->reason);
	}
	return t;
}

/* "At the time of signing": what has expired since counts as passed there. */
static void check_overall(struct tally t, const char *overall, const char *file) {
	if (!overall)
		return;
	if (strcmp(overall, "not-pass") == 0)
		ok(t.passed == 0, "%s does not pass", file);
	else if (strcmp(overall, "expired") == 0)
		ok(t.expired > 0 && t.passed == 0, "%s has expired", file);
	else
		ok(t.count > 0 && t.passed + t.expired == t.count, "%s passes", file);
}

static void check_dkim(const json_t *suite, const json_t *c, const char *dir) {
	AUTO_BUF struct buf path = BUF_INIT(4096), message = BUF_INIT(1u << 22);
	const char *file = json_string_value(json_object_get(c, "file"));
	struct err err = ERR_INIT;
	buf_addf(&path, "%s/%s", dir, file);
	if (file_read(AT_FDCWD, buf_str(&path), &message, &err) != 0) {
		ok(false, "%s: %s", file, err.msg);
		return;
	}
	struct dns *dns = open_zone(json_object_get(suite, "zone"),
				    json_object_get(c, "zone"));
	struct dkim_verify *v = dns ? verify(buf_span(&message), dns) : NULL;
	if (ok(v != NULL, "%s is read", file)) {
		struct tally t = count(v, file);
		check_expected(v, json_object_get(c, "expect"), file);
		check_overall(t, json_string_value(json_object_get(c, "overall")), file);
	}
	dkim_verify_free(v);
	dns_close(dns);
}

static void test_dkim(void) {
	AUTO_BUF struct buf dir = BUF_INIT(4096), path = BUF_INIT(4096);
	json_t *c;
	size_t i;
	buf_addf(&dir, "%s/conformance/dkim", shared());
	buf_addf(&path, "%s/manifest.json", buf_str(&dir));
	json_t *suite = json_load_file(buf_str(&path), 0, NULL);
	if (!suite) {
		printf("ok %u - DKIM # SKIP not found: %s\n", ++tap_run, buf_str(&path));
		fprintf(stderr, "SKIPPED: %s is not there\n", buf_str(&path));
		return;
	}
	json_array_foreach(json_object_get(suite, "cases"), i, c)
		check_dkim(suite, c, buf_str(&dir));
	json_decref(suite);
}

static void check_arc(const json_t *scenario, const json_t *test) {
	const char *name = json_string_value(json_object_get(test, "name"));
	const char *want = json_string_value(json_object_get(test, "cv"));
	struct span message = span_str(
		json_string_value(json_object_get(test, "message")));
	struct span header = span_head(message, header_block_len(message));
	struct span body = span_from(message, header.len);
	struct err err = ERR_INIT;
	struct arc *a = arc_new(header, &err);
	struct dns *dns = open_zone(json_object_get(scenario, "zone"), NULL);
	if (!ok(a && dns, "ARC %s is read", name))
		return;
	header_take_empty(&body);
	arc_feed(a, body);
	arc_end(a);
	while (arc_run(a, dns) == ARC_PENDING && dns_run(dns) > 0)
		;
	const char *got = arc_verdict_name(arc_run(a, dns));
	if (want && !is_str(got, want, "ARC %s", name))
		printf("# %s\n# %s\n",
		       json_string_value(json_object_get(test, "description")),
		       arc_reason(a));
	else if (!want)
		ok(strcmp(got, "fail") == 0,
		   "ARC %s (no result given; RFC 8617 section 5.2): a chain that says it failed", name);
	arc_free(a);
	dns_close(dns);
}

static void test_arc(void) {
	AUTO_BUF struct buf path = BUF_INIT(4096);
	json_t *scenario, *test;
	size_t i, k;
	buf_addf(&path, "%s/conformance/arc/arc-validation-even.json", shared());
	json_t *suite = json_load_file(buf_str(&path), 0, NULL);
	if (!suite) {
		printf("ok %u - ARC # SKIP not found: %s\n", ++tap_run, buf_str(&path));
		fprintf(stderr, "SKIPPED: %s is not there\n", buf_str(&path));
		return;
	}
	json_array_foreach(suite, i, scenario)
		json_array_foreach(json_object_get(scenario, "tests"), k, test)
			check_arc(scenario, test);
	json_decref(suite);
}

int main(void) {
	test_dkim();
	test_arc();
	return done_testing();
}
