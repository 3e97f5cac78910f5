/* Dates as text in several zones, and at the edges of time. */

#include "mail/date.h"

#include <stdlib.h>
#include <time.h>

#include "tap.h"

static const struct {
	const char *zone;
	int64_t wall_s;
	const char *rfc5322, *local;
} cases[] = {
	{ "UTC", 1795313189, "Sun, 22 Nov 2026 02:06:29 +0000", "2026-11-22 02:06:29" },
	{ "CET-1CEST,M3.5.0,M10.5.0/3", 1784000000, "Tue, 14 Jul 2026 05:33:20 +0200",
	  "2026-07-14 05:33:20" },
	{ "NST3:30", 1795313189, "Sat, 21 Nov 2026 22:36:29 -0330",
	  "2026-11-21 22:36:29" },
	{ "XXX-14", 0, "Thu, 1 Jan 1970 14:00:00 +1400", "1970-01-01 14:00:00" },
	{ "XXX0:30", 951782400, "Mon, 28 Feb 2000 23:30:00 -0030",
	  "2000-02-28 23:30:00" },
	{ "UTC", -5, "Thu, 1 Jan 1970 00:00:00 +0000", "1970-01-01 00:00:00" },
	{ "XXX-14", INT64_MAX, "Fri, 31 Dec 9999 14:00:00 +1400", "9999-12-31 14:00:00" },
};

int main(void) {
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO_BUF struct buf mail = BUF_INIT(100), local = BUF_INIT(100);
		setenv("TZ", cases[i].zone, 1);
		tzset();
		date_add_rfc5322(&mail, cases[i].wall_s);
		date_add_local(&local, cases[i].wall_s);
		is_str(buf_str(&mail), cases[i].rfc5322, "message date %zu in %s", i,
		       cases[i].zone);
		is_str(buf_str(&local), cases[i].local, "local date %zu in %s", i,
		       cases[i].zone);
	}
	AUTO_BUF struct buf small = BUF_INIT(10);
	is_int(date_add_rfc5322(&small, 0), -1, "a full buffer fails");
	return done_testing();
}
