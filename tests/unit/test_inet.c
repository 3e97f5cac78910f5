/* Addresses, networks and ports: what is one, what is in one, and what is refused in words. */

#include "base/inet.h"

#include <arpa/inet.h>

#include "tap.h"

static const struct {
	const char *label, *text, *want, *words; /* words: of the error, NULL: none */
} nets[] = {
	{ "an IPv4 network", "192.0.2.0/24", "192.0.2.0/24", NULL },
	{ "an IPv6 network", "2001:DB8::/32", "2001:db8::/32", NULL },
	{ "an address alone", "192.0.2.7", "192.0.2.7", NULL },
	{ "an IPv6 address alone", "::1", "::1", NULL },
	{ "a prefix of all bits is the address", "192.0.2.7/32", "192.0.2.7", NULL },
	{ "everybody, in plain sight", "0.0.0.0/0", "0.0.0.0/0", NULL },
	{ "everybody by IPv6", "::/0", "::/0", NULL },
	{ "a mapped address is the IPv4 address", "::ffff:192.0.2.7", "192.0.2.7", NULL },
	{ "the private IPv6 networks", "fc00::/7", "fc00::/7", NULL },
	{ "the link", "fe80::/10", "fe80::/10", NULL },
	{ "half the world", "128.0.0.0/1", NULL,
	  "\"128.0.0.0/1\" is larger than any network; everybody is 0.0.0.0/0" },
	{ "all of global IPv6", "2000::/3", NULL,
	  "\"2000::/3\" is larger than any network; everybody is ::/0" },
	{ "bits behind the prefix", "192.0.2.7/24", NULL,
	  "\"192.0.2.7/24\": the address has bits behind the prefix; did you mean 192.0.2.0/24, "
	  "or the address alone?" },
	{ "bits behind a prefix that no network has", "10.0.0.0/4", NULL,
	  "\"10.0.0.0/4\" is larger than any network; everybody is 0.0.0.0/0" },
	{ "a prefix that is too long", "192.0.2.0/33", NULL,
	  "\"192.0.2.0/33\": behind the / stand 0 to 32 bits" },
	{ "a mapped network has the bits of IPv4", "::ffff:0.0.0.0/96", NULL,
	  "\"::ffff:0.0.0.0/96\": behind the / stand 0 to 32 bits" },
	{ "no prefix behind the slash", "192.0.2.0/", NULL,
	  "\"192.0.2.0/\": behind the / stand 0 to 32 bits" },
	{ "a netmask", "192.0.2.0/255.255.255.0", NULL,
	  "\"192.0.2.0/255.255.255.0\": behind the / stand 0 to 32 bits" },
	{ "a name", "lan.example", NULL,
	  "\"lan.example\" is no network; write it like 192.0.2.0/24 or 2001:db8::/32, with "
	  "blanks between several" },
	{ "half an address", "192.0.2", NULL,
	  "\"192.0.2\" is no network; write it like 192.0.2.0/24 or 2001:db8::/32, with blanks "
	  "between several" },
};

static void test_nets(void) {
	for (size_t i = 0; i < sizeof nets / sizeof nets[0]; i++) {
		struct inet_net net;
		struct err err = ERR_INIT;
		AUTO_BUF struct buf out = BUF_INIT(200);
		int r = inet_net_parse(span_str(nets[i].text), &net, &err);
		if (r == 0)
			inet_net_add(&out, &net);
		is_str(r == 0 ? buf_str(&out) : err.msg,
		       nets[i].want ? nets[i].want : nets[i].words, "%s", nets[i].label);
	}
}

static const struct {
	const char *net, *addr;
	bool in;
} members[] = {
	{ "192.0.2.0/24", "192.0.2.255", true },   { "192.0.2.0/24", "192.0.3.0", false },
	{ "192.0.2.0/25", "192.0.2.128", false },  { "0.0.0.0/0", "203.0.113.9", true },
	{ "0.0.0.0/0", "2001:db8::1", false },     { "::/0", "2001:db8::1", true },
	{ "::/0", "::ffff:192.0.2.1", false },     { "192.0.2.7", "::ffff:192.0.2.7", true },
	{ "2001:db8::/33", "2001:db8:8000::", false }, { "fe80::/10", "febf::1", true },
};

static void test_members(void) {
	for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
		struct inet_net net;
		struct inet_addr addr;
		inet_net_parse(span_str(members[i].net), &net, NULL);
		inet_addr_parse(span_str(members[i].addr), &addr);
		ok(inet_net_has(&net, &addr) == members[i].in, "%s %s %s", members[i].addr,
		   members[i].in ? "is in" : "is not in", members[i].net);
	}
}

static const struct {
	const char *label, *text, *want;
} ports[] = {
	{ "IPv4 with a port", "127.0.0.1:25", "127.0.0.1:25" },
	{ "IPv6 with a port", "[::1]:587", "[::1]:587" },
	{ "port 0", "127.0.0.1:0", "127.0.0.1:0" },
	{ "a port too high", "127.0.0.1:65536",
	  "\"127.0.0.1:65536\": a port is a number up to 65535" },
	{ "no port", "127.0.0.1",
	  "\"127.0.0.1\" is no address with a port; write it like 127.0.0.1:25 or [::1]:25, with "
	  "blanks between several" },
	{ "IPv6 without brackets", "::1:25",
	  "\"::1:25\" is no address with a port; write it like 127.0.0.1:25 or [::1]:25, with "
	  "blanks between several" },
	{ "IPv4 in brackets", "[127.0.0.1]:25",
	  "\"[127.0.0.1]:25\" is no address with a port; write it like 127.0.0.1:25 or [::1]:25, "
	  "with blanks between several" },
	{ "a name", "localhost:25",
	  "\"localhost:25\" is no address with a port; write it like 127.0.0.1:25 or [::1]:25, "
	  "with blanks between several" },
};

static void test_ports(void) {
	for (size_t i = 0; i < sizeof ports / sizeof ports[0]; i++) {
		struct inet_port port;
		struct err err = ERR_INIT;
		AUTO_BUF struct buf out = BUF_INIT(200);
		int r = inet_port_parse(span_str(ports[i].text), &port, &err);
		if (r == 0)
			inet_port_add(&out, &port);
		is_str(r == 0 ? buf_str(&out) : err.msg, ports[i].want, "%s", ports[i].label);
	}
}

static void test_sockaddr(void) {
	static const char *const texts[] = { "192.0.2.7:25", "[2001:db8::7]:25" };
	for (size_t i = 0; i < 2; i++) {
		struct inet_port p, back;
		struct sockaddr_storage sa;
		inet_port_parse(span_str(texts[i]), &p, NULL);
		is_int(inet_to_sockaddr(&p, &sa),
		       i ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in),
		       "%s as the kernel has it", texts[i]);
		ok(inet_from_sockaddr(&sa, &back) && back.port == 25 &&
			   inet_same(&p.addr, &back.addr),
		   "and back");
	}
	struct sockaddr_storage local = { .ss_family = AF_UNIX };
	struct inet_port none;
	ok(!inet_from_sockaddr(&local, &none), "a Unix socket has no address");
	struct sockaddr_in6 mapped = { .sin6_family = AF_INET6 };
	struct sockaddr_storage sa = { 0 };
	inet_pton(AF_INET6, "::ffff:127.0.0.1", &mapped.sin6_addr);
	memcpy(&sa, &mapped, sizeof mapped);
	ok(inet_from_sockaddr(&sa, &none) && none.addr.bits == 32 &&
		   inet_is_loopback(&none.addr),
	   "a mapped loopback is loopback");
}

static void test_servers(void) {
	static const struct {
		const char *text, *want; /* NULL: refused */
	} cases[] = {
		{ "192.0.2.1", "192.0.2.1:53" },	{ "@192.0.2.1", "192.0.2.1:53" },
		{ "192.0.2.1:5353", "192.0.2.1:5353" }, { "192.0.2.1@5353", "192.0.2.1:5353" },
		{ "@192.0.2.1@5353", "192.0.2.1:5353" }, { "2001:db8::1", "[2001:db8::1]:53" },
		{ "[2001:db8::1]", "[2001:db8::1]:53" }, { "[2001:db8::1]:99", "[2001:db8::1]:99" },
		{ "2001:db8::1@99", "[2001:db8::1]:99" }, { "[2001:db8::1]@99", "[2001:db8::1]:99" },
		{ "localhost", NULL },			{ "192.0.2.1:", NULL },
		{ "192.0.2.1:0", NULL },		{ "192.0.2.1:65536", NULL },
		{ "192.0.2.1:53x", NULL },		{ "[192.0.2.1", NULL },
		{ "[2001:db8::1]99", NULL },		{ "", NULL },
		{ "@", NULL },				{ ":53", NULL },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO_BUF struct buf shown = BUF_INIT(100);
		struct inet_port p;
		bool good = inet_server_parse(span_str(cases[i].text), 53, &p);
		if (good)
			inet_port_add(&shown, &p);
		is_str(good ? buf_str(&shown) : NULL, cases[i].want, "the server \"%s\"",
		       cases[i].text);
	}
}

static const struct {
	const char *a, *b;
	unsigned prefix;
	bool share;
} prefixes[] = {
	{ "192.0.2.1", "192.0.2.254", 24, true },  { "192.0.2.1", "192.0.3.1", 24, false },
	{ "192.0.2.1", "192.0.3.1", 23, true },	   { "192.0.2.1", "10.0.0.1", 0, true },
	{ "192.0.2.1", "192.0.2.1", 32, true },	   { "192.0.2.1", "192.0.2.1", 33, false },
	{ "2001:db8::1", "2001:db8::2", 126, true }, { "2001:db8::1", "2001:db8::2", 127, false },
	{ "2001:db8::1", "192.0.2.1", 0, false },
};

static void test_share_prefix(void) {
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		struct inet_addr a, b;
		inet_addr_parse(span_str(prefixes[i].a), &a);
		inet_addr_parse(span_str(prefixes[i].b), &b);
		ok(inet_share_prefix(&a, &b, prefixes[i].prefix) == prefixes[i].share,
		   "%s and %s %s %u bits", prefixes[i].a, prefixes[i].b,
		   prefixes[i].share ? "share" : "do not share", prefixes[i].prefix);
	}
}

int main(void) {
	struct inet_addr a;
	test_servers();
	test_nets();
	test_members();
	test_ports();
	test_sockaddr();
	ok(inet_addr_parse(SPAN("127.8.9.1"), &a) && inet_is_loopback(&a), "all of 127/8 is loopback");
	ok(inet_addr_parse(SPAN("::2"), &a) && !inet_is_loopback(&a), "::2 is not");
	ok(inet_addr_parse(SPAN("::"), &a) && !inet_is_loopback(&a), "nor is ::");
	ok(!inet_addr_parse(SPAN("fe80::1%eth0"), &a), "an address has no zone");
	ok(!inet_addr_parse(span_of("::1\0x", 5), &a), "and no NUL");
	test_share_prefix();
	return done_testing();
}
