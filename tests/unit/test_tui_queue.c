/* What the Queue view shows of a message: its texts, its header, its history; and that nothing
 * of it acts on a terminal. */

#include <locale.h>
#include <stdlib.h>

#include "base/term.h"
#include "tui/draw.h"
#include "tui/queue_body.h"
#include "tui/queue_sort.h"
#include "tui/queue_state.h"
#include "tap.h"

#define OUT_MAX (8u << 20)

static void add_line(void *ctx, struct span line, bool heading) {
	struct buf *out = ctx;
	buf_adds(out, heading ? "# " : "");
	buf_add(out, line);
	buf_addc(out, '\n');
}

static void test_body(void) {
	static const struct {
		const char *name, *message, *want;
	} cases[] = {
		{ "a plain text", "Subject: x\n\none\ntwo\n", "one\ntwo\n" },
		{ "no text", "Subject: x\n\n", "# [the message has no text]\n" },
		{ "a text and an attachment",
		  "Content-Type: multipart/mixed; boundary=b\n\n--b\n\ntext\n--b\n"
		  "Content-Type: application/pdf; name=a.pdf\n\n12345\n--b--\n",
		  "text\n\n# [attachment: a.pdf, application/pdf, 5 bytes]\n" },
		{ "the same as text and as HTML",
		  "Content-Type: multipart/alternative; boundary=b\n\n--b\n\ntext\n--b\n"
		  "Content-Type: text/html\n\n<p>text\n--b--\n",
		  "text\n\n# [the same as: text/html, 7 bytes]\n" },
		{ "HTML alone", "Content-Type: text/html\n\n<p>text\n",
		  "# [text: text/html, 8 bytes]\n<p>text\n" },
		{ "a message that is passed on",
		  "Content-Type: message/rfc822\n\nFrom: =?utf-8?Q?=C3=84?= <a@x>\n"
		  "Subject: inner\n\ntext\n",
		  "# [message: message/rfc822, 52 bytes]\nFrom: \xc3\x84 <a@x>\nSubject: inner\n\ntext\n" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO_BUF struct buf out = BUF_INIT(OUT_MAX);
		queue_body(span_str(cases[i].message), false, add_line, &out);
		is_str(buf_str(&out), cases[i].want, "of %s this is shown",
		       cases[i].name);
	}
}

static void test_long_body(void) {
	AUTO_BUF struct buf message = BUF_INIT(OUT_MAX), out = BUF_INIT(OUT_MAX);
	buf_adds(&message, "Subject: x\n\n");
	while (message.len < 2 * QUEUE_BODY_MAX)
		buf_adds(&message, "a line of text\n");
	queue_body(buf_span(&message), false, add_line, &out);
	ok(out.len < QUEUE_BODY_MAX + 1000, "a long text is cut");
	ok(strstr(buf_str(&out), "# [the message is longer"), "and that is told");
	buf_reset(&out);
	queue_body(SPAN("Subject: x\n\ntext\n"), true, add_line, &out);
	ok(strstr(buf_str(&out), "# [the message is longer"),
	   "also when the bytes were cut before");
}

/* Every character is printable, or the end of a line. */
static bool is_safe(struct span s) {
	uint32_t cp;
	while (s.len) {
		if (!span_take_utf8(&s, &cp) || (cp != '\n' && term_unsafe(cp)))
			return false;
	}
	return true;
}

static void test_hostile(void) {
	static const char message[] =
		"Subject: =?utf-8?Q?=1B]0;x=07=E2=80=AE?=\r\n"
		"X\x1b[2J: \x9b"
		"31m\r\n"
		"From: \xff\xfe <a@x>\x1b[31m\r\n"
		"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
		"Content-Type: text/plain; charset=utf-8\r\n\r\n"
		"\x1b[31mred\x1b[0m \xe2\x80\xae"
		"bidi\xe2\x81\xa6 \x07\x08\x7f \xc2\x9b"
		"1m "
		"\xff\x00\xc3\r\n--b\r\n"
		"Content-Type: application/x; name=\"=?utf-8?Q?=1B[2J=E2=80=AE?=.txt\"\r\n\r\n"
		"x\r\n--b--\r\n";
	static const char *const locales[] = { "C.UTF-8", "C" };
	struct model_detail d = { .state = MODEL_DETAIL_READY,
				  .content = span_of(message, sizeof(message) - 1),
				  .words = "",
				  .origin = "" };
	for (size_t i = 0; i < 2; i++) {
		AUTO_BUF struct buf page = BUF_INIT(OUT_MAX);
		bool ascii = true;
		if (!setlocale(LC_ALL, locales[i])) {
			skip("what the pager gets is safe", "the locale is not there");
			continue;
		}
		draw_start();
		queue_text_page(&page, &d);
		ok(is_safe(buf_span(&page)), "what the pager gets is safe in %s",
		   locales[i]);
		ok(strstr(buf_str(&page), "\\x1b[31mred\\x1b[0m"),
		   "and shows what was there");
		for (size_t n = 0; n < page.len; n++)
			ascii &= (unsigned char)page.data[n] < 0x80;
		ok(i == 0 || ascii, "in ASCII where the terminal has nothing else");
	}
}

static void test_age(void) {
	static const struct {
		int64_t seconds;
		const char *want;
	} cases[] = {
		{ -5, "0:00" },
		{ 59, "0:00" },
		{ 60, "0:01" },
		{ 42480, "11:48" },
		{ 48 * 3600 - 1, "47:59" },
		{ 48 * 3600, "2d 00h" },
		{ 190800, "2d 05h" },
		{ 99 * 86400, "99d 00h" },
		{ 100 * 86400, "100d" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO_BUF struct buf out = BUF_INIT(64);
		queue_add_age(&out, cases[i].seconds);
		is_str(buf_str(&out), cases[i].want, "%lld seconds",
		       (long long)cases[i].seconds);
	}
}

/* The IDs of the rows a, b, c in each order. */
static void test_sort(void) {
	static const struct model_row rows[] = {
		{ .id = "a",
		  .state = MODEL_HELD,
		  .next = NO_TIME,
		  .size = 10,
		  .attempts = 1,
		  .to = "zoe@B.example" },
		{ .id = "b",
		  .state = MODEL_QUEUED,
		  .next = 900,
		  .size = 30,
		  .attempts = 3,
		  .to = "ann@b.example" },
		{ .id = "c",
		  .state = MODEL_HELD,
		  .next = 800,
		  .size = 20,
		  .attempts = 3,
		  .to = "bob@a.example" },
	};
	static const struct {
		const char *name, *want;
	} orders[] = {
		{ "age", "abc" },      { "newest", "cba" },    { "next try", "cba" },
		{ "size", "bca" },     { "recipient", "cba" }, { "state", "bac" },
		{ "attempts", "bca" },
	};
	is_int(queue_sort_count(), sizeof(orders) / sizeof(orders[0]),
	       "these are all orders");
	for (size_t s = 0; s < queue_sort_count(); s++) {
		struct queue_key key[3];
		char got[4] = "";
		is_str(queue_sort_name(s), orders[s].name, "order %zu has its name", s);
		for (size_t i = 0; i < 3; i++) {
			key[i] = (struct queue_key){ .row = &rows[i] };
			queue_sort_key(s, &key[i], i);
		}
		/* As a list does: what is equal stays as it was added. */
		for (size_t i = 0; i < 3; i++) {
			size_t before = 0;
			for (size_t j = 0; j < 3; j++) {
				int order = queue_sort_compare(&key[j], &key[i], NULL);
				before += order < 0 || (order == 0 && j < i);
			}
			got[before] = rows[i].id[0];
		}
		is_str(got, orders[s].want, "and sorts by it");
	}
}

int main(void) {
	test_sort();
	test_body();
	test_long_body();
	test_hostile();
	test_age();
	return done_testing();
}
