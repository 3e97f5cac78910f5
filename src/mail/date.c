/*
 * Dates as text. Names of days and months stand here, because strftime() would take them
 * from the locale. Times before 1970 and after 9999 are shown as those limits, so a
 * broken clock cannot make a malformed field.
 */

#include "mail/date.h"

#include <stdlib.h>
#include <time.h>

#define LAST_S 253402214400 /* 9999-12-31 00:00:00, within that year in every zone */

static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
				    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

static time_t clamp(int64_t wall_s) {
	return wall_s < 0 ? 0 : wall_s > LAST_S ? LAST_S : wall_s;
}

static struct tm local_time(int64_t wall_s) {
	time_t t = clamp(wall_s);
	struct tm tm = { .tm_mday = 1 };
	localtime_r(&t, &tm);
	return tm;
}

int date_add_rfc5322(struct buf *out, int64_t wall_s) {
	struct tm tm = local_time(wall_s);
	long minutes = labs(tm.tm_gmtoff) / 60;
	return buf_addf(out, "%s, %d %s %d %02d:%02d:%02d %c%02ld%02ld", days[tm.tm_wday],
			tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour,
			tm.tm_min, tm.tm_sec, tm.tm_gmtoff < 0 ? '-' : '+', minutes / 60,
			minutes % 60);
}

int date_add_local(struct buf *out, int64_t wall_s) {
	struct tm tm = local_time(wall_s);
	return buf_addf(out, "%d-%02d-%02d %02d:%02d:%02d", tm.tm_year + 1900,
			tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
}
