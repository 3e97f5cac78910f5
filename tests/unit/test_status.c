/* Enhanced status codes: what is one, and the words for it. */

#include "mail/status.h"

#include "tap.h"

static const struct {
	const char *input;
	bool taken;
	unsigned klass, subject, detail;
	const char *rest;
} codes[] = {
	{ "5.1.1 no such user", true, 5, 1, 1, " no such user" },
	{ "4.7.0", true, 4, 7, 0, "" },
	{ "2.0.0: ok", true, 2, 0, 0, ": ok" },
	{ "5.7.509.", true, 5, 7, 509, "." },
	{ "5.999.999", true, 5, 999, 999, "" },
	{ "5.1000.1", false, 0, 0, 0, "" },
	{ "5.1.1234", false, 0, 0, 0, "" },
	{ "5.6.7.8 is listed", false, 0, 0, 0, "" },
	{ "3.1.1", false, 0, 0, 0, "" },
	{ "50.1.1", false, 0, 0, 0, "" },
	{ "5.01.1", false, 0, 0, 0, "" },
	{ "5.1", false, 0, 0, 0, "" },
	{ "5..1", false, 0, 0, 0, "" },
	{ " 5.1.1", false, 0, 0, 0, "" },
	{ "-5.1.1", false, 0, 0, 0, "" },
	{ "", false, 0, 0, 0, "" },
};

static void test_take(void) {
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		struct span in = span_str(codes[i].input);
		struct mail_status got = { 9, 9, 9 };
		bool taken = mail_status_take(&in, &got);
		ok(taken == codes[i].taken, "\"%s\" %s", codes[i].input,
		   codes[i].taken ? "is a status" : "is none");
		if (taken)
			ok(got.klass == codes[i].klass &&
				   got.subject == codes[i].subject &&
				   got.detail == codes[i].detail &&
				   span_eq(in, span_str(codes[i].rest)),
			   "and its numbers and the rest are right");
		else
			ok(got.klass == 9 && in.p == codes[i].input,
			   "and nothing is taken");
	}
}

static void test_add(void) {
	AUTO_BUF struct buf out = BUF_INIT(100);
	mail_status_add(&out, (struct mail_status){ 5, 7, 30 });
	is_str(buf_str(&out), "5.7.30", "a status is written");
	buf_reset(&out);
	is_int(mail_status_add(&out, (struct mail_status){ 0, 7, 30 }), 0,
	       "class 0 is no error");
	is_int(out.len, 0, "and writes nothing");
}

static const struct {
	struct mail_status status;
	const char *want;
} words[] = {
	{ { 5, 1, 1 }, "bad destination mailbox address" },
	{ { 4, 2, 2 }, "mailbox is full" },
	{ { 5, 7, 999 }, "refused for security or policy" },
	{ { 5, 1, 5 }, "problem with an address" },
	{ { 4, 0, 0 }, "temporary failure" },
	{ { 5, 99, 1 }, "permanent failure" },
	{ { 2, 6, 0 }, "accepted" },
	{ { 2, 1, 1 }, "accepted" },
	{ { 0, 1, 1 }, "no status" },
	{ { 7, 1, 1 }, "no status" },
};

static void test_words(void) {
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		is_str(mail_status_words(words[i].status), words[i].want,
		       "words of %u.%u.%u", words[i].status.klass,
		       words[i].status.subject, words[i].status.detail);
}

int main(void) {
	test_take();
	test_add();
	test_words();
	return done_testing();
}
