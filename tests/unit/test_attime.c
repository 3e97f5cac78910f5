/* Points in time as people write them, and how a message asks to be treated. */

#include "mail/attime.h"

#include <stdlib.h>
#include <time.h>

#include "mail/wishes.h"
#include "tap.h"

/* Sunday 2026-11-22 12:00:00 in Berlin, 11:00 UTC */
#define NOW INT64_C(1795345200)

static void test_times(void) {
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "30m", "2026-11-22T12:30:00+01:00" },
		{ "+2h30m", "2026-11-22T14:30:00+01:00" },
		{ "in 3d", "2026-11-25T12:00:00+01:00" },
		{ "1w", "2026-11-29T12:00:00+01:00" },
		{ "18:30", "2026-11-22T18:30:00+01:00" },
		{ "08:00", "2026-11-23T08:00:00+01:00" },
		{ "12:00", "2026-11-23T12:00:00+01:00" },
		{ "today 18:30", "2026-11-22T18:30:00+01:00" },
		{ "tomorrow 08:00", "2026-11-23T08:00:00+01:00" },
		{ "Monday 9:00", "2026-11-23T09:00:00+01:00" },
		{ "sun 13:00", "2026-11-22T13:00:00+01:00" },
		{ "sunday 11:00", "2026-11-29T11:00:00+01:00" },
		{ "sat 23:59:59", "2026-11-28T23:59:59+01:00" },
		{ "2026-11-23 08:00", "2026-11-23T08:00:00+01:00" },
		{ "2027-07-01 08:00", "2027-07-01T08:00:00+02:00" },
		{ "2026-11-23T08:00:00Z", "2026-11-23T09:00:00+01:00" },
		{ "2026-11-23t08:00:00-05:30", "2026-11-23T14:30:00+01:00" },
		{ " @1795345260 ", "2026-11-22T12:01:00+01:00" },
		{ "2020-02-29 00:00", "2020-02-29T00:00:00+01:00" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO_BUF struct buf out = BUF_INIT(64);
		struct err err = ERR_INIT;
		int64_t ms = 0;
		is_int(attime_parse(span_str(rows[i].text), NOW * 1000, &ms, &err), 0,
		       "\"%s\" is a time %s", rows[i].text, err.msg);
		attime_add(&out, ms);
		is_str(buf_str(&out), rows[i].want, "\"%s\"", rows[i].text);
	}
}

static void test_no_times(void) {
	static const char *const rows[] = {
		"",
		"tomorrow",
		"yesterday 08:00",
		"25:00",
		"08:60",
		"2026-11-31 08:00",
		"2026-13-01 08:00",
		"2026-11-23",
		"2h30",
		"2x",
		"m",
		"-2h",
		"monday",
		"08:00 monday",
		"2026-11-23T08:00:00+1:00",
		"2026-11-23 08:00 CET",
		"@",
		"@x",
		"in",
		"99999999999999w",
		"2y",
		"400d",
		"@99999999999",
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t ms;
		is_int(attime_parse(span_str(rows[i]), NOW * 1000, &ms, NULL), -1,
		       "\"%s\" is none", rows[i]);
	}
}

static void test_priority(void) {
	static const struct {
		const char *header, *want;
	} rows[] = {
		{ "Subject: urgent\n", "normal" },
		{ "Priority: urgent\n", "high" },
		{ "Priority: normal\n", "normal" },
		{ "Priority: Non-Urgent\n", "low" },
		{ "X-Priority: 1 (Highest)\n", "high" },
		{ "x-priority: 3\n", "normal" },
		{ "X-Priority: 5\n", "low" },
		{ "X-Priority: 12\n", "normal" },
		{ "Importance: high\n", "high" },
		{ "X-MSMail-Priority: Low\n", "low" },
		{ "Precedence: bulk\n", "low" },
		{ "X-Priority: 1\nPrecedence: list\n", "low" },
		{ "Precedence: junk\nImportance: high\n", "low" },
		{ "Importance: high\nX-Priority: 5\n", "high" },
		{ "X-Nightmail: priority=high\nPrecedence: bulk\n", "high" },
		{ "Precedence: bulk\nX-Nightmail: priority=normal\n", "normal" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct mail_wishes w = { .at_ms = 0 };
		struct span rest = span_str(rows[i].header), line, name;
		while (span_take_line(&rest, &line) && span_take_until(&line, ':', &name))
			wishes_take(&w, name, line, NOW * 1000, NULL);
		is_str(priority_name(w.priority), rows[i].want, "%s", rows[i].header);
	}
}

static void test_own(void) {
	AUTO_BUF struct buf out = BUF_INIT(256);
	struct mail_wishes w = { .at_ms = 0 };
	struct err err = ERR_INIT;
	is_int(wishes_take(
		       &w, SPAN("x-nightmail"),
		       SPAN(" priority=low\r\n\tat=2026-11-23T08:00:00+01:00 relay=office.2"),
		       NOW * 1000, &err),
	       0, "our own field is read, also when it is folded: %s", err.msg);
	is_int(wishes_take(&w, SPAN("X-Nightmail"), SPAN("relay=other TLS=required"),
			   NOW * 1000, &err),
	       0, "a second one");
	wishes_add_field(&out, &w);
	is_str(buf_str(&out),
	       "X-Nightmail: priority=low at=2026-11-23T08:00:00+01:00 relay=office.2 "
	       "tls=required\r\n",
	       "adds what is not said yet, and it is written as it was read");
	static const char *const bad[] = {
		"priority=urgent", "at=never", "relay=a/b", "relay=", "high",
		"colour=red",      "at=",        "tls=never"
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		is_int(wishes_take(&w, SPAN("X-Nightmail"), span_str(bad[i]), NOW * 1000,
				   NULL),
		       -1, "%s is refused", bad[i]);
}

int main(void) {
	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
	test_times();
	test_no_times();
	test_priority();
	test_own();
	return done_testing();
}
