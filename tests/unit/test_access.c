/* Who may send by TCP, and whose socket a connection over the loopback is. */

#include "submit/access.h"

#include <stdio.h>
#include <unistd.h>

#include "base/auto.h"
#include "submit/plan.h"
#include "tap.h"

static struct inet_port port(const char *text) {
	struct inet_port p = { .port = 0 };
	inet_port_parse(span_str(text), &p, NULL);
	return p;
}

static const struct {
	const char *label, *client;
	bool trust_local, allow, logins;
	enum session_right want;
} rights[] = {
	{ "nobody may", "192.0.2.7:1", false, false, false, SESSION_MAY_NOT },
	{ "the loopback may not where that is not trusted", "127.0.0.1:1", false, false, false,
	  SESSION_MAY_NOT },
	{ "it may where it is", "127.0.0.1:1", true, false, false, SESSION_MAY },
	{ "so may ::1", "[::1]:1", true, false, true, SESSION_MAY },
	{ "and nobody else", "192.0.2.7:1", true, false, false, SESSION_MAY_NOT },
	{ "a network that is allowed may", "192.0.2.7:1", false, true, false, SESSION_MAY },
	{ "its neighbour may not", "192.0.3.7:1", false, true, false, SESSION_MAY_NOT },
	{ "unless it logs in", "192.0.3.7:1", true, true, true, SESSION_AFTER_AUTH },
	{ "as the loopback must where it is not trusted", "127.0.0.1:1", false, true, true,
	  SESSION_AFTER_AUTH },
};

static void test_rights(void) {
	struct inet_net net;
	inet_net_parse(SPAN("192.0.2.0/24"), &net, NULL);
	for (size_t i = 0; i < sizeof rights / sizeof rights[0]; i++) {
		const struct access_rules rules = {
			.allow = &net,
			.allow_count = rights[i].allow,
			.trust_local = rights[i].trust_local,
			.logins = rights[i].logins,
		};
		struct inet_port client = port(rights[i].client);
		is_int(access_right(&rules, &client.addr), rights[i].want, "%s",
		       rights[i].label);
	}
}

#define HEAD "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"

/* The table as a little-endian machine writes it; elsewhere these are other addresses. */
static const struct {
	const char *label, *table;
	bool mapped;
	int want; /* uid, -1: cannot be told */
} tables[] = {
	{ "the owner of the client's end",
	  HEAD "   0: 0100007F:0019 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 11 1\n"
	       "   1: 0100007F:9C40 0100007F:0019 01 00000000:00000000 00:00000000 00000000  1000        0 4711 1\n",
	  false, 1000 },
	{ "the client has closed its end: nobody's",
	  HEAD "   1: 0100007F:9C40 0100007F:0019 05 00000000:00000000 00:00000000 00000000     0        0 0 1\n",
	  false, -1 },
	{ "one who listens there is not the client",
	  HEAD "   1: 0100007F:9C40 0100007F:0019 0A 00000000:00000000 00:00000000 00000000  1000        0 9 1\n",
	  false, -1 },
	{ "another port", HEAD "   1: 0100007F:9C41 0100007F:0019 01 00000000:00000000 00:00000000 00000000  1000        0 4711 1\n",
	  false, -1 },
	{ "a line cut off", HEAD "   1: 0100007F:9C40 0100007F:0019 01 00000000:00000000 00:000",
	  false, -1 },
	{ "an IPv4 client with a socket of IPv6",
	  HEAD "   7: 0000000000000000FFFF00000100007F:9C40 0000000000000000FFFF00000100007F:0019 01 00000000:00000000 00:00000000 00000000   33        0 12 1\n",
	  true, 33 },
	{ "an empty table", HEAD, true, -1 },
};

static void test_tables(void) {
	const struct inet_port client = port("127.0.0.1:40000"), us = port("127.0.0.1:25");
	for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
		uid_t uid = (uid_t)-1;
		bool told = access_uid_in(span_str(tables[i].table), &client, &us,
					  tables[i].mapped, &uid);
		is_int(told ? (int)uid : -1, tables[i].want, "%s", tables[i].label);
	}
}

static void connect_and_ask(const char *address, int family) {
	struct inet_port at = port(address), us, peer;
	struct sockaddr_storage sa;
	socklen_t len = inet_to_sockaddr(&at, &sa);
	AUTO_FD int server = socket(sa.ss_family, SOCK_STREAM, 0);
	AUTO_FD int client = socket(family, SOCK_STREAM, 0);
	if (server < 0 || client < 0 || bind(server, (struct sockaddr *)&sa, len) != 0 ||
	    listen(server, 1) != 0) {
		ok(true, "%s # SKIP not here", address);
		return;
	}
	len = sizeof(sa);
	getsockname(server, (struct sockaddr *)&sa, &len);
	if (family == AF_INET6 && at.addr.bits == 32) {
		struct sockaddr_in6 mapped = { .sin6_family = AF_INET6 };
		inet_from_sockaddr(&sa, &us);
		mapped.sin6_port = htons(us.port);
		mapped.sin6_addr.s6_addr[10] = mapped.sin6_addr.s6_addr[11] = 0xff;
		memcpy(&mapped.sin6_addr.s6_addr[12], us.addr.byte, 4);
		memcpy(&sa, &mapped, len = sizeof mapped);
	}
	ok(connect(client, (struct sockaddr *)&sa, len) == 0, "connected to %s", address);
	len = sizeof(sa);
	AUTO_FD int accepted = accept(server, (struct sockaddr *)&sa, &len);
	inet_from_sockaddr(&sa, &peer);
	len = sizeof(sa);
	getsockname(accepted, (struct sockaddr *)&sa, &len);
	inet_from_sockaddr(&sa, &us);
	uid_t uid = (uid_t)-1;
	ok(access_uid(&peer, &us, &uid) && uid == geteuid(), "the kernel tells whose it is");
	const struct inet_port other = { .addr = us.addr, .port = 1 };
	ok(!access_uid(&peer, &other, &uid), "nobody's where there is no connection");
	uid = geteuid() + 1;
	ok(access_uid(&peer, &us, &uid) && uid == geteuid(), "and asked again it tells the same");
	close(take_fd(&client));
	ok(!access_uid(&peer, &us, &uid), "and nobody's once it is closed");
}

static void test_plan(void) {
	char dir[] = "/q", host[] = "h", weird[] = "a b=%\n", address[] = "::1";
	const struct plan p = { .dir = dir,
				.rundir = dir,
				.hostname = host,
				.domain = host,
				.from = weird,
				.address = address,
				.size_limit = 5,
				.uid = 0x80000001u,
				.right = SESSION_MAY_NOT };
	struct plan back;
	struct err err = ERR_INIT;
	AUTO_BUF struct buf line = BUF_INIT(PLAN_MAX);
	is_int(plan_write(&p, &line), 0, "a plan is written");
	is_int(plan_parse(buf_span(&line), &back, &err), 0, "and read");
	is_str(back.from, weird, "whatever bytes it has");
	ok(back.uid == p.uid && back.right == p.right && back.size_limit == 5 && !back.users,
	   "with all its members");
	plan_release(&back);
	is_int(plan_parse(span_head(buf_span(&line), line.len - 1), &back, &err), -1,
	       "one that was cut off is none");
	is_int(plan_parse(SPAN("plan dir=/q\n"), &back, &err), -1, "nor one that lacks something");
	is_int(plan_parse(SPAN("plan dir=/q size_limit=x\n"), &back, &err), -1,
	       "nor one with a number that is none");
	ok(session_client_uid(SPAN("user:a")) >= 0x80000000u &&
		   session_client_uid(SPAN("user:a")) == session_client_uid(SPAN("user:a")) &&
		   session_client_uid(SPAN("user:a")) != session_client_uid(SPAN("user:b")),
	   "a client's uid is above those of users, and its own");
}

int main(void) {
	test_rights();
	if (*(const unsigned char *)&(const uint32_t){ 1 } == 1)
		test_tables();
	connect_and_ask("127.0.0.1:0", AF_INET);
	connect_and_ask("127.0.0.1:0", AF_INET6);
	connect_and_ask("[::1]:0", AF_INET6);
	test_plan();
	return done_testing();
}
