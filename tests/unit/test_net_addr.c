/* Addresses: parsing, showing, loopback, look-ups that need no network. */
#include "net/addr.h"

#include "tap.h"

static const struct {
	const char *label, *input, *shown; /* shown NULL: refused */
	int port;
	bool loopback;
} parse_cases[] = {
	{ "IPv4 with port", "127.0.0.1:25", "127.0.0.1", 25, true },
	{ "port 0", "127.0.0.1:0", "127.0.0.1", 0, true },
	{ "highest port", "192.0.2.1:65535", "192.0.2.1", 65535, false },
	{ "IPv6 in brackets", "[::1]:25", "::1", 25, true },
	{ "IPv6 is shown in its short form", "[2001:0db8:0:0::0001]:587", "2001:db8::1",
	  587, false },
	{ "v4-mapped is shown as IPv4", "[::ffff:192.0.2.1]:25", "192.0.2.1", 25, false },
	{ "v4-mapped loopback is loopback", "[::ffff:127.1.2.3]:25", "127.1.2.3", 25,
	  true },
	{ "all of 127/8 is loopback", "127.255.255.254:1", "127.255.255.254", 1, true },
	{ "128.0.0.1 is not loopback", "128.0.0.1:1", "128.0.0.1", 1, false },
	{ "any address", "0.0.0.0:25", "0.0.0.0", 25, false },
	{ "port too high", "127.0.0.1:65536", NULL, 0, false },
	{ "no port", "127.0.0.1", NULL, 0, false },
	{ "empty port", "127.0.0.1:", NULL, 0, false },
	{ "negative port", "127.0.0.1:-1", NULL, 0, false },
	{ "port with text", "127.0.0.1:25x", NULL, 0, false },
	{ "no host", ":25", NULL, 0, false },
	{ "empty", "", NULL, 0, false },
	{ "a colon alone", ":", NULL, 0, false },
	{ "empty brackets", "[]:25", NULL, 0, false },
	{ "IPv6 without brackets", "::1:25", NULL, 0, false },
	{ "a name is not an address", "localhost:25", NULL, 0, false },
	{ "the old octal form", "0177.0.0.1:25", NULL, 0, false },
	{ "the old short form", "127.1:25", NULL, 0, false },
	{ "control bytes", "127.0.0.1\033[2J:25", NULL, 0, false },
};

static void test_parse(void) {
	for (size_t i = 0; i < sizeof(parse_cases) / sizeof(parse_cases[0]); i++) {
		AUTO_BUF struct buf shown = BUF_INIT(100);
		struct net_addr a;
		struct err err = ERR_INIT;
		int r = net_addr_parse(span_str(parse_cases[i].input), &a, &err);

		if (!parse_cases[i].shown) {
			ok(r == -1 && err.kind == ERR_SYNTAX && !strchr(err.msg, '\033'),
			   "refused: %s", parse_cases[i].label);
			continue;
		}
		ok(r == 0 && net_addr_add(&shown, &a) == 0 &&
			   strcmp(buf_str(&shown), parse_cases[i].shown) == 0 &&
			   net_addr_port(&a) == parse_cases[i].port &&
			   net_addr_is_loopback(&a) == parse_cases[i].loopback,
		   "parsed: %s", parse_cases[i].label);
	}
	ok(net_addr_parse(span_of("127.0.0.1\0:25", 13), &(struct net_addr){ .len = 0 },
			  NULL) == -1,
	   "refused: a NUL inside the host");
}

static void test_literal(void) {
	static const struct {
		const char *host;
		bool literal;
	} cases[] = {
		{ "192.0.2.1", true },     { "2001:db8::1", true },
		{ "[2001:db8::1]", true }, { "fe80::1%lo", true },
		{ "192.0.2.1%lo", false }, { "mx1.example", false },
		{ "192.0.2", false },      { "", false },
		{ "192.0.2.256", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ok(net_is_literal(cases[i].host) == cases[i].literal,
		   "'%s' is %s literal", cases[i].host, cases[i].literal ? "a" : "no");
}

static void test_lookup(void) {
	char longest[400];
	struct net_addrs list = { .count = 0 };
	struct err err = ERR_INIT;

	ok(net_lookup("192.0.2.7", 587, &list, &err) == 0 && list.count == 1 &&
		   net_addr_port(&list.at[0]) == 587,
	   "a literal is its own address, with the port");
	ok(net_lookup("[::1]", 25, &list, &err) == 0 && list.count == 1 &&
		   net_addr_is_loopback(&list.at[0]),
	   "a literal in brackets is taken too");
	ok(net_lookup("localhost", 25, &list, &err) == 0 && list.count >= 1 &&
		   net_addr_is_loopback(&list.at[0]),
	   "localhost is found");
	ok(net_lookup("no-such-host.invalid", 25, &list, &err) == -1 &&
		   (err.kind == ERR_MISSING || err.kind == ERR_TIMEOUT) &&
		   strstr(err.msg, "no-such-host.invalid: "),
	   "a name that cannot exist is missing (or the resolver is away); the words name it");
	ok(net_lookup("", 25, &list, &err) == -1 && err.kind == ERR_MISSING,
	   "the empty name is missing");
	ok(net_lookup("a\033]0;x\007b.invalid", 25, &list, &err) == -1 &&
		   !strchr(err.msg, '\033'),
	   "an error does not repeat control bytes");
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	ok(net_lookup(longest, 25, &list, &err) == -1 && err.kind == ERR_MISSING,
	   "a name of 399 bytes is missing without asking anybody");
}

int main(void) {
	test_parse();
	test_literal();
	test_lookup();
	return done_testing();
}
