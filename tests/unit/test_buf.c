/* The growing buffer: ceiling, sticky failure, the NUL behind the content. */

#include "base/buf.h"

#include <stdint.h>
#include <stdlib.h>

#include "tap.h"

static void test_ceiling(void) {
	AUTO_BUF struct buf b = BUF_INIT(5);
	is_str(buf_str(&b), "", "a buffer that was never used is an empty string");
	is_int(buf_adds(&b, "hello"), 0, "add up to the ceiling succeeds");
	is_int(buf_addc(&b, '!'), -1, "add past the ceiling fails");
	is_str(buf_str(&b), "hello", "and changes nothing");
	ok(buf_failed(&b), "and makes the buffer failed");
	buf_truncate(&b, 0);
	is_int(buf_addc(&b, 'x'), -1, "a failure sticks though there is room again");
	buf_reset(&b);
	ok(!buf_failed(&b) && b.len == 0, "reset empties and forgives");
	is_int(buf_addc(&b, 'x'), 0, "and then adding works");
	is_str(buf_str(&b), "x", "from the start");
}

static void test_zero_ceiling(void) {
	AUTO_BUF struct buf b = BUF_INIT(0);
	is_int(buf_adds(&b, ""), 0, "a buffer with ceiling 0 takes the empty string");
	is_str(buf_str(&b), "", "and is one");
	is_int(buf_addc(&b, 'x'), -1, "but no byte");
}

static void test_numbers(void) {
	static const struct {
		int64_t number;
		const char *want;
	} cases[] = {
		{ 0, "0" },
		{ 7, "7" },
		{ -1, "-1" },
		{ 1234567890, "1234567890" },
		{ INT64_MAX, "9223372036854775807" },
		{ INT64_MIN, "-9223372036854775808" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO_BUF struct buf b = BUF_INIT(20);
		is_int(buf_addi(&b, cases[i].number), 0, "%s is added", cases[i].want);
		is_str(buf_str(&b), cases[i].want, "as a decimal number");
	}
	AUTO_BUF struct buf small = BUF_INIT(2);
	is_int(buf_addi(&small, 123), -1, "a number past the ceiling fails");
	is_str(buf_str(&small), "", "and changes nothing");
}

static void test_formatted(void) {
	AUTO_BUF struct buf b = BUF_INIT(8);
	is_int(buf_addf(&b, "%s-%d", "abc", 42), 0, "formatted text is added");
	is_int(buf_addf(&b, "%d", 123), -1, "formatted text past the ceiling fails");
	is_str(buf_str(&b), "abc-42", "and changes nothing");
	buf_reset(&b);
	is_int(buf_addf(&b, "%s", "12345678"), 0,
	       "formatted text may fill it to the brim");
	is_int((int64_t)b.len, 8, "with the right length");
}

static void test_growth(void) {
	AUTO_BUF struct buf b = BUF_INIT(100000);
	for (int i = 0; i < 100000; i++)
		buf_addc(&b, (char)('a' + i % 26));
	bool same = b.len == 100000 && b.data[b.len] == '\0';
	for (int i = 0; same && i < 100000; i++)
		same = b.data[i] == 'a' + i % 26;
	ok(same, "100000 single bytes arrive in order, with a NUL behind");
	ok(b.cap <= 100001, "and no more memory than the ceiling and its NUL is kept");
	is_int(buf_addc(&b, 'x'), -1, "one more fails");
}

static void test_binary(void) {
	AUTO_BUF struct buf b = BUF_INIT(16);
	buf_add(&b, span_of("a\0b\xff", 4));
	ok(span_eq(buf_span(&b), span_of("a\0b\xff", 4)), "NUL and high bytes are kept");
	buf_consume(&b, 2);
	ok(span_eq(buf_span(&b), SPAN("b\xff")), "consume takes from the front");
	buf_consume(&b, 2);
	is_str(buf_str(&b), "", "consume of everything leaves an empty string");
}

static void test_room(void) {
	AUTO_BUF struct buf b = BUF_INIT(8);
	char *room = buf_room(&b, 4);
	ok(room != NULL, "room within the ceiling is given");
	memcpy(room, "wxyz", 4);
	is_int((int64_t)b.len, 0, "room alone adds nothing");
	buf_grew(&b, 2);
	is_str(buf_str(&b), "wx", "what was written counts after buf_grew()");
	ok(buf_room(&b, 7) == NULL && buf_failed(&b), "room past the ceiling fails");
	buf_reset(&b);
	ok(buf_room(&b, SIZE_MAX) == NULL, "room that would overflow fails");
	AUTO_BUF struct buf huge = BUF_INIT(SIZE_MAX);
	ok(buf_room(&huge, SIZE_MAX) == NULL, "so it does without a ceiling");
	ok(buf_addm(&huge, "x", 1) == -1 && huge.data == NULL,
	   "and leaves nothing behind");
}

static void test_take(void) {
	struct buf b = BUF_INIT(8);
	char *taken = buf_take(&b);
	is_str(taken, "", "taking an unused buffer gives the empty string");
	free(taken);
	buf_adds(&b, "abc");
	taken = buf_take(&b);
	is_str(taken, "abc", "taking gives the bytes");
	free(taken);
	ok(b.data == NULL && b.len == 0 && b.max == 8, "and leaves an empty buffer");
	buf_adds(&b, "123456789");
	ok(buf_take(&b) == NULL, "taking a failed buffer gives NULL");
	ok(!buf_failed(&b), "and the buffer may be used again");
	buf_release(&b);
}

static void test_wipe(void) {
	AUTO_BUF struct buf b = BUF_INIT(8);
	buf_wipe(&b);
	ok(b.len == 0 && !b.data, "wiping a buffer that was never used does nothing");
	buf_adds(&b, "secret");
	buf_truncate(&b, 2);
	buf_wipe(&b);
	is_str(buf_str(&b), "", "wiping empties");
	ok(!memchr(b.data, 'r', b.cap), "and leaves nothing in the memory");
	is_int(buf_addc(&b, 'x'), 0, "the buffer may be used again");
	buf_adds(&b, "123456789");
	buf_wipe(&b);
	ok(buf_failed(&b), "but a failure stays");
}

int main(void) {
	test_ceiling();
	test_zero_ceiling();
	test_numbers();
	test_formatted();
	test_growth();
	test_binary();
	test_room();
	test_take();
	test_wipe();
	return done_testing();
}
