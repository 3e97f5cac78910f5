/*
 * tlsprobe ADDR:PORT NAME CAFILE|system [verify|opportunistic]: one TLS handshake as the
 * delivery makes it. Prints one line: what was decided and the words for it.
 */
#include <stdio.h>
#include <string.h>

#include "base/proc.h"
#include "net/conn.h"

#define WAIT_MS 10000

static int failed(const struct err *err) {
	static const char *const kinds[] = {
		[ERR_NONE] = "none",     [ERR_SYSTEM] = "system",
		[ERR_MEMORY] = "memory", [ERR_SYNTAX] = "syntax",
		[ERR_LIMIT] = "limit",   [ERR_MISSING] = "missing",
		[ERR_DENIED] = "denied", [ERR_TIMEOUT] = "timeout",
		[ERR_REMOTE] = "remote",
	};

	printf("failed (%s): %s\n", kinds[err->kind], err->msg);
	return 1;
}

int main(int argc, char **argv) {
	struct net_addrs addrs = { .count = 1 };
	struct net_addr peer;
	struct err err = ERR_INIT;
	struct tls_client *tls;
	struct conn *c;

	proc_start();
	if (argc < 4 || net_addr_parse(span_str(argv[1]), &addrs.at[0], &err) < 0)
		return 64;
	struct tls_policy policy = {
		.host = argv[2],
		.verify = argc < 5 || strcmp(argv[4], "opportunistic") != 0,
	};
	tls = tls_client_new(strcmp(argv[3], "system") == 0 ? NULL : argv[3], &err);
	if (!tls)
		return failed(&err);
	c = conn_open(&addrs, NULL, WAIT_MS, &peer, &err);
	int r = c ? conn_start_tls(c, tls, &policy, WAIT_MS, &err) : -1;
	if (r == 0) {
		const struct tls_info *info = conn_tls_info(c);

		printf("%s %s%s%s\n", info->verified ? "verified" : "unverified",
		       info->version, info->why_not[0] ? ": " : "", info->why_not);
	}
	conn_free(c);
	tls_client_free(tls);
	return r == 0 ? 0 : failed(&err);
}
