/* What status counts: the rings of minutes and hours, and destinations with trouble. */

#include "deliver/counts.h"

#include <stdio.h>

#include "deliver/trouble.h"
#include "tap.h"

#define START INT64_C(1795326840) /* a whole minute */

static const char *json_of(const struct counts *c, int64_t now_s) {
	static struct buf out = BUF_INIT(65536);
	buf_reset(&out);
	struct json j = json_into(&out);
	json_object(&j, NULL);
	counts_json(c, &j, now_s);
	json_end(&j);
	return buf_str(&out);
}

static void check_counts(void) {
	static struct counts c;
	is_str(json_of(&c, START),
	       "{\"since_start\":{\"queued\":0,\"delivered\":0,\"deferred\":0,\"bounced\":0},"
	       "\"minutes\":[],\"hours\":[]}", "at the start there is nothing");
	counts_add(&c, COUNTS_QUEUED, 1, START);
	counts_add(&c, COUNTS_DELIVERED, 3, START + 59);
	counts_add(&c, COUNTS_BOUNCED, 1, START + 60);
	is_str(json_of(&c, START + 60),
	       "{\"since_start\":{\"queued\":1,\"delivered\":3,\"deferred\":0,\"bounced\":1},"
	       "\"minutes\":[[1795326840,1,3,0,0],[1795326900,0,0,0,1]],"
	       "\"hours\":[[1795323600,1,3,0,1]]}", "a minute and the next");
	is_str(json_of(&c, START + 60 * 60),
	       "{\"since_start\":{\"queued\":1,\"delivered\":3,\"deferred\":0,\"bounced\":1},"
	       "\"minutes\":[[1795326900,0,0,0,1]],\"hours\":[[1795323600,1,3,0,1]]}",
	       "an hour later the first minute is over");
	counts_add(&c, COUNTS_DEFERRED, 2, START + 60 * 60);
	ok(strstr(json_of(&c, START + 60 * 60), "[1795330440,0,0,2,0]]"), "its slot begins anew");
	ok(strstr(json_of(&c, START + 100 * 3600), "\"minutes\":[],\"hours\":[]"),
	   "after two days all slots are over");
	counts_add(&c, COUNTS_QUEUED, 1, 5);
	ok(strstr(json_of(&c, 5), "\"hours\":[]"), "a clock in 1970 does no harm");
}

static const struct trouble *trouble_of(const struct troubles *t, uint16_t number) {
	return &t->list[number - 1];
}

static void check_troubles(void) {
	struct troubles t = { .list = NULL };
	uint16_t a = 0, b = 0, c = 0;
	trouble_drop(&t, &a);
	is_int(a, 0, "nobody waits for anything");
	trouble_set(&t, &a, SPAN("x@Example.ORG"), SPAN("450 later"));
	trouble_set(&t, &b, SPAN("\"y@z\"@example.org"), SPAN("451 4.7.1 greylisted"));
	is_int(a, b, "two messages for one domain");
	is_str(trouble_of(&t, a)->domain, "example.org", "in lower case");
	is_int(trouble_of(&t, a)->messages, 2, "are counted");
	is_str(trouble_of(&t, a)->reply, "451 4.7.1 greylisted", "with the last words");
	trouble_set(&t, &a, SPAN("x@other.example"), SPAN(""));
	is_int(trouble_of(&t, b)->messages, 1, "one waits for another now");
	trouble_set(&t, &c, SPAN("root"), SPAN("x"));
	is_str(trouble_of(&t, c)->domain, "root", "a local name is its own domain");
	trouble_drop(&t, &a);
	trouble_drop(&t, &b);
	trouble_drop(&t, &c);
	static uint16_t many[TROUBLES_MAX + 10];
	for (unsigned i = 0; i < TROUBLES_MAX + 10; i++) {
		char address[64];
		snprintf(address, sizeof(address), "x@d%u.example", i);
		trouble_set(&t, &many[i], span_str(address), SPAN("no"));
	}
	ok(many[0] > 0 && many[TROUBLES_MAX - 1] > 0, "as many domains as there is room for");
	is_int(many[TROUBLES_MAX], 0, "others are not counted");
	trouble_drop(&t, &many[7]);
	trouble_set(&t, &many[TROUBLES_MAX], SPAN("x@late.example"), SPAN("no"));
	is_str(trouble_of(&t, many[TROUBLES_MAX])->domain, "late.example", "until there is room");
	troubles_release(&t);
}

int main(void) {
	check_counts();
	check_troubles();
	return done_testing();
}
