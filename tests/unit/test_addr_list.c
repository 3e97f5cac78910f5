/* Address lists of header fields: what stands there, written anew in canonical form. */

#include "mail/addr.h"

#include "tap.h"

/* Joins the addresses with "|"; with a display name as name:address. */
static int join(void *ctx, struct span address, struct span display_name) {
	struct buf *out = ctx;
	if (out->len > 0)
		buf_addc(out, '|');
	buf_add(out, display_name);
	if (display_name.len > 0)
		buf_addc(out, ':');
	buf_add(out, address);
	return 0;
}

static const struct {
	const char *input;
	const char *want; /* NULL: cannot be read */
} lists[] = {
	{ "bob@example.org", "bob@example.org" },
	{ " bob@example.org ,\r\n\talice@example.org\r\n",
	  "bob@example.org|alice@example.org" },
	{ "Bob <bob@x.org>, \"A, B\" <a@x.org>", "Bob:bob@x.org|\"A, B\":a@x.org" },
	{ "Joe Q. Public <j@x.org>", "Joe Q. Public:j@x.org" },
	{ "j@x.org <j@x.org>", "j@x.org:j@x.org" },
	{ "[list] x <j@x.org>", "[list] x:j@x.org" },
	{ "[list <j@x.org>", "[list:j@x.org" },
	{ "=?UTF-8?Q?J=C3=BC?= <j@x.org>", "=?UTF-8?Q?J=C3=BC?=:j@x.org" },
	{ "root", "root" },
	{ "root (Cron Daemon)", "root" },
	{ "\"root\"", "root" },
	{ "\"a b\"@x.org", "\"a b\"@x.org" },
	{ "\"bob\"@x.org", "bob@x.org" },
	{ "\"b\\ob\".c@x.org", "bob.c@x.org" },
	{ "\"a\\\"b\"@x.org", "\"a\\\"b\"@x.org" },
	{ "\"a\\\\b\"@x.org", "\"a\\\\b\"@x.org" },
	{ "\"a..b\"@x.org", "\"a..b\"@x.org" },
	{ "a . b @ x . org", "a.b@x.org" },
	{ "Pete(A \\) chap) <pete(his (own) account)@silly.test(host)>",
	  "Pete(A \\) chap):pete@silly.test" },
	{ "<@a.org,@b.org:bob@c.org>", "bob@c.org" },
	{ "bob@[ 192.0.2.1 ]", "bob@[192.0.2.1]" },
	{ "bob@[IPv6:2001:db8::1]", "bob@[IPv6:2001:db8::1]" },
	{ ",, bob@x.org ,,", "bob@x.org" },
	{ "a@x.org; b@x.org", "a@x.org|b@x.org" },
	{ "Group: a@x.org, B <b@x.org>; c@x.org", "a@x.org|B:b@x.org|c@x.org" },
	{ "undisclosed-recipients:;", "" },
	{ "Group: a@x.org", "a@x.org" },
	{ "", "" },
	{ " (nobody) ", "" },
	{ "<a@b.org> (comment) Doe", "a@b.org" },
	{ "j\xc3\xbc@x.org", "j\xc3\xbc@x.org" },
	{ "J\xfcrgen <j@x.org>", "J\xfcrgen:j@x.org" },
	{ "John Smith", NULL },
	{ "a@x.org b@x.org", NULL },
	{ "<a@x.org> <b@x.org>", NULL },
	{ "<a@x.org> b@x.org", NULL },
	{ "<a@x.org", NULL },
	{ "Bob <>", NULL },
	{ "\"Bob <a@x.org>", NULL },
	{ "(Bob <a@x.org>", NULL },
	{ "a@b@c", NULL },
	{ "a@", NULL },
	{ "@b", NULL },
	{ "a..b@x.org", NULL },
	{ "a@x..org", NULL },
	{ "a@[1.2.3]", NULL },
	{ "\"a\nb\x01\"@x.org", NULL },
	{ "j\xfc@x.org", NULL },
};

static void test_lists(void) {
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		AUTO_BUF struct buf got = BUF_INIT(4096);
		struct err err = ERR_INIT;
		int rc = addr_list(span_str(lists[i].input), join, &got, &err);
		if (lists[i].want)
			is_str(rc == 0 ? buf_str(&got) : err.msg, lists[i].want,
			       "list \"%s\"", lists[i].input);
		else
			ok(rc == -1 && err.kind == ERR_SYNTAX && err.msg[0],
			   "list \"%s\" is refused with words", lists[i].input);
	}
}

static int stop_at_second(void *ctx, struct span address, struct span display_name) {
	(void)address, (void)display_name;
	return ++*(int *)ctx == 2 ? 7 : 0;
}

static void test_stop(void) {
	int calls = 0;
	is_int(addr_list(SPAN("a@x, b@x, c@x"), stop_at_second, &calls, NULL), 7,
	       "the value of the function comes back");
	is_int(calls, 2, "and the walk stopped there");
}

/* Long inputs that invite to look at the rest again and again. */
static void test_hostile(void) {
	static const char *const pieces[] = { "[",    "(",  "<@", "\"\"", "a,",
					      "((a)", "a:", "<",  "\\" };
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		AUTO_BUF struct buf in = BUF_INIT(4 << 20), got = BUF_INIT(8 << 20);
		while (in.len < 1 << 20)
			buf_adds(&in, pieces[i]);
		int rc = addr_list(buf_span(&in), join, &got, NULL);
		ok(rc == 0 || rc == -1, "a megabyte of \"%s\" ends", pieces[i]);
	}
}

int main(void) {
	test_lists();
	test_stop();
	test_hostile();
	return done_testing();
}
