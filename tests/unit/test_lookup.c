/* Addresses of hosts by a struct dns: from tables, so that nobody is asked. */

#include "net/lookup.h"

#include <sys/socket.h>
#include <unistd.h>

#include "net/dns_table.h"
#include "tap.h"

static const char table[] =
	"both.lab A 127.0.0.2\n"
	"both.lab A 127.0.0.3\n"
	"both.lab AAAA ::ffff:127.0.0.9\n"
	"four.lab A 127.0.0.4\n"
	"alias.lab CNAME four.lab\n"
	"half.lab A 127.0.0.5\n"
	"half.lab AAAA !servfail\n"
	"late.lab A !timeout\n"
	"forged.lab A !bogus the signature has expired\n"
	"forged.lab AAAA !nodata\n"
	"empty.lab TXT x\n"
	"far.lab AAAA fe80::1\n" /* without a zone there is no way to it */
	"far.lab A 127.0.0.6\n";

static const struct {
	const char *host, *want; /* addresses, or the words of the error */
	enum err_kind kind;
} cases[] = {
	{ "both.lab", "127.0.0.9 127.0.0.2 127.0.0.3", ERR_NONE },
	{ "BOTH.lab.", "127.0.0.9 127.0.0.2 127.0.0.3", ERR_NONE },
	{ "four.lab", "127.0.0.4", ERR_NONE },
	{ "alias.lab", "127.0.0.4", ERR_NONE },
	{ "half.lab", "127.0.0.5", ERR_NONE },
	{ "far.lab", "127.0.0.6 fe80::1", ERR_NONE },
	{ "127.0.0.7", "127.0.0.7", ERR_NONE },
	{ "[::1]", "::1", ERR_NONE },
	{ "late.lab", "late.lab: the name server does not tell its address now: timeout",
	  ERR_TIMEOUT },
	{ "forged.lab",
	  "forged.lab: DNSSEC says that its address is forged: the signature has expired",
	  ERR_TIMEOUT },
	{ "empty.lab", "empty.lab: no such host, or it has no address", ERR_MISSING },
	{ "none.lab", "none.lab: no such host, or it has no address", ERR_MISSING },
	{ "a..b", "a..b: no such host, or it has no address", ERR_MISSING },
};

/* A kernel without IPv6 has no way to any such address. */
static bool has_ipv6(void) {
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

int main(void) {
	struct err err = ERR_INIT;
	struct dns *d = dns_table_open(SPAN(table), &err);
	struct net_addrs addrs;
	size_t first = has_ipv6() ? 0 : 2;
	if (first > 0)
		skip("IPv6 before IPv4", "this kernel has no IPv6");
	for (size_t i = first; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO_BUF struct buf got = BUF_INIT(1024);
		err = (struct err)ERR_INIT;
		bool good = net_lookup_dns(d, cases[i].host, 25, &addrs, &err) == 0;
		for (size_t k = 0; good && k < addrs.count; k++) {
			buf_adds(&got, k > 0 ? " " : "");
			net_addr_add(&got, &addrs.at[k]);
		}
		is_str(good ? buf_str(&got) : err.msg, cases[i].want, "%s",
		       cases[i].host);
		is_int(err.kind, cases[i].kind, "with the kind of its error");
	}
	ok(net_lookup_dns(d, "localhost", 25, &addrs, &err) == 0 && addrs.count == 2 &&
		   net_addr_is_loopback(&addrs.at[0]) &&
		   net_addr_is_loopback(&addrs.at[1]),
	   "localhost needs no question");
	is_int(net_addr_port(&addrs.at[0]), 25, "and the port is there");
	dns_close(d);
	return done_testing();
}
