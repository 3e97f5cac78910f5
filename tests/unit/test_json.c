/* The JSON writer: commas, escapes, invalid UTF-8, depth. */

#include "base/json.h"

#include "tap.h"

static void test_structure(void) {
	AUTO_BUF struct buf b = BUF_INIT(1000);
	struct json j = json_into(&b);
	json_object(&j, NULL);
	json_str(&j, "id", SPAN("4F2A1"));
	json_int(&j, "size", -12);
	json_array(&j, "flags");
	json_end(&j);
	json_array(&j, "to");
	json_object(&j, NULL);
	json_bool(&j, "ok", true);
	json_end(&j);
	json_object(&j, NULL);
	json_end(&j);
	json_int(&j, NULL, INT64_MIN);
	json_null(&j, NULL);
	json_end(&j);
	json_str_or_null(&j, "reason", span_str(NULL));
	json_str_or_null(&j, "text", SPAN(""));
	json_end(&j);
	is_str(buf_str(&b),
	       "{\"id\":\"4F2A1\",\"size\":-12,\"flags\":[],\"to\":[{\"ok\":true},{},"
	       "-9223372036854775808,null],\"reason\":null,\"text\":\"\"}",
	       "objects, arrays and commas stand where they belong");
	ok(j.depth == 0 && !buf_failed(&b), "and everything is closed");
	json_end(&j);
	ok(j.depth == 0, "one end too many does nothing");
}

static void test_strings(void) {
	static const struct {
		const char *label;
		struct span input;
		const char *want;
	} cases[] = {
		{ "quotes and backslashes", SPAN_INIT("a\"b\\c"), "\"a\\\"b\\\\c\"" },
		{ "control characters", SPAN_INIT("\n\r\t\x1b"), "\"\\n\\r\\t\\u001b\"" },
		{ "NUL", SPAN_INIT("a\0b"), "\"a\\u0000b\"" },
		{ "UTF-8", SPAN_INIT("\xc3\xa9\xf0\x9f\x93\xa7"),
		  "\"\xc3\xa9\xf0\x9f\x93\xa7\"" },
		{ "an invalid byte",
		  SPAN_INIT("a\xff"
			    "b"),
		  "\"a\xef\xbf\xbd"
		  "b\"" },
		{ "a cut character", SPAN_INIT("\xe2\x82"),
		  "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ "what a terminal would act on", SPAN_INIT("\xc2\x9b\xe2\x80\xae\x7f"),
		  "\"\\u009b\\u202e\\u007f\"" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO_BUF struct buf b = BUF_INIT(100);
		struct json j = json_into(&b);
		json_str(&j, NULL, cases[i].input);
		is_str(buf_str(&b), cases[i].want, "a string with %s", cases[i].label);
	}
}

static void test_depth(void) {
	AUTO_BUF struct buf b = BUF_INIT(1000);
	struct json j = json_into(&b);
	for (int i = 0; i < JSON_DEPTH_MAX; i++)
		json_array(&j, NULL);
	ok(!buf_failed(&b), "%d levels are fine", JSON_DEPTH_MAX);
	json_object(&j, NULL);
	json_int(&j, "x", 1);
	ok(buf_failed(&b), "one more makes the buffer failed");
	for (int i = 0; i <= JSON_DEPTH_MAX; i++)
		json_end(&j);
	is_int(j.depth, 0, "and the ends still match");
}

int main(void) {
	test_structure();
	test_strings();
	test_depth();
	return done_testing();
}
