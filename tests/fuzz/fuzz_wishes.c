/*
 * What a header wishes: our own field is read again from what is written of it, and times come
 * back as they were; the files of quotas and alerts are read whatever stands in them.
 */

#include "mail/attime.h"
#include "mail/wishes.h"

#include <stdlib.h>
#include <string.h>

#include "queue/alertstate.h"
#include "queue/quotastate.h"

#define NOW_MS INT64_C(1795345200000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_field(struct span s) {
	AUTO_BUF struct buf out = BUF_INIT(4096);
	struct mail_wishes w = { .at_ms = 0 }, again = { .at_ms = 0 };
	struct span line, name;
	wishes_take(&w, SPAN("Priority"), s, NOW_MS, NULL);
	wishes_take(&w, SPAN("X-Priority"), s, NOW_MS, NULL);
	w = (struct mail_wishes){ .at_ms = 0 };
	if (wishes_take(&w, SPAN(WISHES_FIELD), s, NOW_MS, NULL) != 0 ||
	    !wishes_any(&w) || w.at_ms < 0)
		return;
	wishes_add_field(&out, &w);
	line = buf_span(&out);
	if (!span_take_until(&line, ':', &name) ||
	    wishes_take(&again, name, line, NOW_MS, NULL) != 0 ||
	    again.at_ms != w.at_ms || again.priority != w.priority ||
	    strcmp(again.relay, w.relay) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	static struct quotastate quota[8];
	static struct alertstate alert[8];
	struct span s = span_of((const char *)data, size);
	int64_t ms;
	check_field(s);
	attime_parse(s, NOW_MS, &ms, NULL);
	quotastate_parse(s, quota, 8);
	alertstate_parse(s, alert, 8);
	return 0;
}
