/* TLS reports: what is counted as the same, days, and the JSON. */

#include "tlspolicy/tlsrpt.h"

#include <stdlib.h>

#include "base/utcday.h"
#include "tap.h"

static void test_bag(void) {
	struct bag b = { .max = 100 };
	char text[16];
	bool added = true;
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "k%u", i % 50);
		added &= bag_add(&b, span_str(text), 2) == 0;
	}
	bag_sort(&b);
	ok(added && b.count == 50 && b.at[7].n == 40, "equal keys are one, with all their numbers");
	is_str(b.at[1].key, "k1", "sorted");
	is_str(b.at[2].key, "k10", "by their bytes");
	added = true;
	for (unsigned i = 0; i < 1000 && added; i++) {
		snprintf(text, sizeof(text), "other%u", i);
		added = bag_add(&b, span_str(text), 1) == 0;
	}
	ok(!added && b.full && b.count <= 200, "there is a limit");
	bag_release(&b);
	ok(b.count == 0 && bag_add(&b, SPAN(""), 1) == 0 && b.at[0].len == 0,
	   "an empty one may be used again");
	bag_release(&b);
}

static void test_days(void) {
	static const struct {
		const char *name;
		int64_t day;
	} rows[] = {
		{ "1970-01-01", 0 },      { "1970-01-02", 1 },      { "2000-02-29", 11016 },
		{ "2026-11-22", 20779 },  { "1969-12-31", -1 },     { "2026-02-30", INT64_MIN },
		{ "2026-13-01", INT64_MIN }, { "2026-1-01", INT64_MIN }, { "2026-11-2", INT64_MIN },
		{ "", INT64_MIN },        { "20261122", INT64_MIN }, { "0026-11-22", INT64_MIN },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct span s = span_str(rows[i].name);
		int64_t day = INT64_MIN;
		ok(utcday_take(&s, &day) == (rows[i].day != INT64_MIN) && day == rows[i].day,
		   "day %s", rows[i].name);
		if (rows[i].day != INT64_MIN)
			is_str(utcday_name(day).s, rows[i].name, "and back");
	}
	ok(utcday_of(-1) == -1 && utcday_of(0) == 0 && utcday_of(UTCDAY_MS - 1) == 0 &&
		   utcday_of(UTCDAY_MS) == 1,
	   "a day begins at midnight");
}

#define POLICY "version: STSv1\r\nmode: enforce\r\nmx: *.example\r\nmx: mx.example.net\r\nmax_age: 86400\r\n"

static const struct tlsrpt_session sessions[] = {
	{ .type = TLSRPT_STS, .domain = SPAN_INIT("b.example"), .policy = SPAN_INIT(POLICY) },
	{ .type = TLSRPT_STS, .domain = SPAN_INIT("b.example"), .policy = SPAN_INIT(POLICY),
	  .mx = SPAN_INIT("mx.b.example"), .receiving_ip = SPAN_INIT("192.0.2.7") },
	{ .type = TLSRPT_STS, .domain = SPAN_INIT("b.example"), .policy = SPAN_INIT(POLICY),
	  .result = TLSRPT_EXPIRED, .mx = SPAN_INIT("mx.b.example"),
	  .sending_ip = SPAN_INIT("2001:db8::1"), .receiving_ip = SPAN_INIT("192.0.2.7"),
	  .reason = SPAN_INIT("it \"expired\" = 100 %\n") },
	{ .type = TLSRPT_TLSA, .domain = SPAN_INIT("mx.example"),
	  .policy = SPAN_INIT("_25._tcp.mx.example. IN TLSA 3 1 1 00\n"),
	  .result = TLSRPT_TLSA_INVALID },
	{ .type = TLSRPT_NO_POLICY, .domain = SPAN_INIT("c.example") },
};
#define SESSIONS (sizeof(sessions) / sizeof(sessions[0]))

static void add(struct bag *b, const struct tlsrpt_session *s, unsigned n) {
	AUTO_BUF struct buf line = BUF_INIT(65536);
	if (tlsrpt_line_add(&line, s) == 0)
		bag_add(b, buf_span(&line), n);
}

static void test_lines(void) {
	AUTO_BUF struct buf line = BUF_INIT(65536), storage = BUF_INIT(65536);
	struct tlsrpt_session s;
	for (size_t i = 0; i < SESSIONS; i++) {
		bool failed = sessions[i].result != TLSRPT_SUCCESS;
		buf_reset(&line);
		ok(tlsrpt_line_add(&line, &sessions[i]) == 0 &&
			   !memchr(line.data, '\n', line.len) &&
			   tlsrpt_line_parse(buf_span(&line), &storage, &s),
		   "session %zu is a line", i);
		ok(s.type == sessions[i].type && s.result == sessions[i].result &&
			   span_eq(s.domain, sessions[i].domain) &&
			   span_eq(s.policy, sessions[i].policy) &&
			   span_eq(s.reason, sessions[i].reason) &&
			   span_eq(s.mx, failed ? sessions[i].mx : SPAN("")),
		   "and back; a success has no details");
	}
	static const char *const bad[] = {
		"", "sts", "sts domain=", "other domain=a result=success", "sts domain=a result=none",
		"sts domain=a more=b", "sts domain=%4", "sts domain=a word",
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ok(!tlsrpt_line_parse(span_str(bad[i]), &storage, &s), "'%s' is none", bad[i]);
	AUTO_BUF struct buf many = BUF_INIT(1u << 20);
	for (unsigned i = 0; i < 1000; i++)
		buf_addf(&many, "mx: host%u.example\n", i);
	s = (struct tlsrpt_session){ .type = TLSRPT_STS, .domain = SPAN("a"), .policy = buf_span(&many) };
	buf_reset(&line);
	ok(tlsrpt_line_add(&line, &s) == 0 && line.len < 16384 &&
		   tlsrpt_line_parse(buf_span(&line), &storage, &s) && s.policy.len > 3000 &&
		   s.policy.p[s.policy.len - 1] == '\n',
	   "of a long policy whole lines are kept");
}

static void test_report(void) {
	AUTO_BUF struct buf out = BUF_INIT(65536), small = BUF_INIT(100);
	struct bag counts = { .max = 100 };
	struct err err = ERR_INIT;
	const struct tlsrpt_about about = { .organization = SPAN("home.example"),
					    .contact = SPAN("postmaster@home.example"),
					    .host = SPAN("me.home.example"),
					    .day = 20779 };
	for (size_t i = 0; i < SESSIONS; i++)
		add(&counts, &sessions[i], (unsigned)i + 1);
	bag_add(&counts, SPAN("not a line"), 1);
	is_int(tlsrpt_report_add(&out, &counts, &about, &err), 0, "a report %s", err.msg);
	is_str(buf_str(&out),
	       "{\"organization-name\":\"home.example\",\"date-range\":{"
	       "\"start-datetime\":\"2026-11-22T00:00:00Z\","
	       "\"end-datetime\":\"2026-11-22T23:59:59Z\"},"
	       "\"contact-info\":\"postmaster@home.example\","
	       "\"report-id\":\"2026-11-22@me.home.example\",\"policies\":["
	       "{\"policy\":{\"policy-type\":\"no-policy-found\",\"policy-domain\":\"c.example\"},"
	       "\"summary\":{\"total-successful-session-count\":5,"
	       "\"total-failure-session-count\":0}},"
	       "{\"policy\":{\"policy-type\":\"sts\",\"policy-string\":[\"version: STSv1\","
	       "\"mode: enforce\",\"mx: *.example\",\"mx: mx.example.net\",\"max_age: 86400\"],"
	       "\"policy-domain\":\"b.example\",\"mx-host\":[\"*.example\",\"mx.example.net\"]},"
	       "\"summary\":{\"total-successful-session-count\":3,"
	       "\"total-failure-session-count\":3},"
	       "\"failure-details\":[{\"result-type\":\"certificate-expired\","
	       "\"sending-mta-ip\":\"2001:db8::1\",\"receiving-mx-hostname\":\"mx.b.example\","
	       "\"receiving-ip\":\"192.0.2.7\",\"failed-session-count\":3,"
	       "\"failure-reason-code\":\"it \\\"expired\\\" = 100 %\\n\"}]},"
	       "{\"policy\":{\"policy-type\":\"tlsa\",\"policy-string\":["
	       "\"_25._tcp.mx.example. IN TLSA 3 1 1 00\"],\"policy-domain\":\"mx.example\"},"
	       "\"summary\":{\"total-successful-session-count\":0,"
	       "\"total-failure-session-count\":4},"
	       "\"failure-details\":[{\"result-type\":\"tlsa-invalid\",\"failed-session-count\":4}]}"
	       "]}\n",
	       "all policies with their sums, and what is no line left out");
	ok(tlsrpt_report_add(&small, &counts, &about, &err) != 0 && err.kind == ERR_LIMIT,
	   "one that is too long is none");
	bag_release(&counts);
}

int main(void) {
	test_bag();
	test_days();
	test_lines();
	test_report();
	return done_testing();
}
