#include "queue/id.h"

#include "base/clock.h"
#include "tap.h"

static void test_new(void) {
	int64_t before = clock_wall_us();
	struct queue_id a = queue_id_new(), b = queue_id_new();
	int64_t after = clock_wall_us();
	ok(queue_id_us(&a) >= before && queue_id_us(&a) <= after,
	   "a new id carries the time");
	ok(queue_id_cmp(&a, &b) != 0, "two new ids differ");
	struct queue_id_text t = queue_id_text(&a);
	is_int((int64_t)strlen(t.s), QUEUE_ID_LEN, "the text has 16 characters");
	struct queue_id back;
	ok(queue_id_parse(span_str(t.s), &back) && queue_id_cmp(&a, &back) == 0,
	   "text parses back to the same id");
}

static void test_order(void) {
	struct queue_id older = queue_id_new();
	clock_shift_for_test(1, 0, 0);
	struct queue_id newer = queue_id_new();
	clock_shift_for_test(1000, 0, 0);
	struct queue_id newest = queue_id_new();
	clock_shift_for_test(0, 0, 0);
	ok(strcmp(queue_id_text(&older).s, queue_id_text(&newer).s) < 0 &&
		   strcmp(queue_id_text(&newer).s, queue_id_text(&newest).s) < 0,
	   "texts sort as times do");
	ok(queue_id_cmp(&older, &newest) < 0 && queue_id_cmp(&newest, &older) > 0,
	   "comparing sorts as times do");
}

static void test_parse(void) {
	static const struct {
		const char *label, *input;
		bool want;
	} cases[] = {
		{ "16 digits", "0123456789ABCDEF", true },
		{ "lower case", "0123456789abcdef", true },
		{ "the last letter", "VVVVVVVVVVVVVVVV", true },
		{ "a letter past V", "0123456789ABCDEW", false },
		{ "15 characters", "0123456789ABCDE", false },
		{ "17 characters", "0123456789ABCDEFG", false },
		{ "a slash", "../../etc/passwd", false },
		{ "nothing", "", false },
	};
	struct queue_id id;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ok(queue_id_parse(span_str(cases[i].input), &id) == cases[i].want,
		   "%s %s", cases[i].label, cases[i].want ? "is an id" : "is no id");
	ok(!queue_id_parse(span_of("0123456\0"
				   "9ABCDEF0",
				   16),
			   &id),
	   "NUL is no id");
}

static void test_notice(void) {
	struct queue_id of = queue_id_new(), all[65];
	all[64] = of;
	bool distinct = true, same_time = true;
	for (unsigned i = 0; i < 64; i++) {
		all[i] = queue_id_notice(&of, i);
		same_time = same_time && queue_id_us(&all[i]) == queue_id_us(&of);
	}
	for (unsigned i = 0; i < 65; i++)
		for (unsigned k = 0; k < i; k++)
			distinct = distinct && queue_id_cmp(&all[i], &all[k]) != 0;
	ok(distinct, "64 notices and their message have 65 ids");
	ok(same_time, "a notice carries its message's time");
	struct queue_id again = queue_id_notice(&of, 7);
	ok(queue_id_cmp(&again, &all[7]) == 0, "the same notice always has the same id");
}

int main(void) {
	test_new();
	test_order();
	test_parse();
	test_notice();
	return done_testing();
}
