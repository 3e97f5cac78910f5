/*
 * When the network comes: in a network namespace of its own, where a link is made by ip(8).
 * Needs root and a kernel that lets it.
 */

#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/proc.h"
#include "net/netwatch.h"
#include "tap.h"

#define PATIENCE_MS 20000

struct seen {
	struct loop *loop;
	struct loop_timer *late;
	unsigned calls;
	const char *why;
};

static void on_network(void *ctx, const char *why) {
	struct seen *s = ctx;
	s->calls++;
	s->why = why;
	loop_stop(s->loop, 1);
}

static void on_late(void *ctx) {
	loop_stop(((struct seen *)ctx)->loop, 0);
}

/* Runs the loop until something was told; false: nothing within the time. */
static bool told(struct seen *s, int64_t ms) {
	loop_timer_set(s->late, ms);
	bool r = loop_run(s->loop) == 1;
	loop_timer_stop(s->late);
	return r;
}

/* Runs "ip ARGS", words between blanks. */
static bool ip(const char *args) {
	const char *argv[16] = { "ip" };
	char words[200];
	size_t n = 1;
	AUTO_BUF struct buf out = BUF_INIT(65536);
	struct err err = ERR_INIT;
	snprintf(words, sizeof(words), "%s", args);
	for (char *w = words; *w && n < 15; n++) {
		argv[n] = w;
		w += strcspn(w, " ");
		if (*w)
			*w++ = '\0';
	}
	if (proc_capture(argv, PATIENCE_MS, &out, &err) == 0)
		return true;
	printf("# ip %s: %s\n", args, err.msg);
	return false;
}

static void test_network(struct seen *s) {
	ok(ip("addr add 192.0.2.1/24 dev one0"), "a link gets an address");
	ok(told(s, PATIENCE_MS), "a new address is told");
	is_str(s->why, "there is a new address", "in words");
	ok(ip("link set two0 up") && ip("link set one0 up"), "the link comes up");
	ok(told(s, PATIENCE_MS), "that is told");
	while (told(s, 5 * NETWATCH_SETTLE_MS))
		; /* addresses that the kernel gives a link when it comes up */
	unsigned calls = s->calls;
	ok(ip("route add default via 192.0.2.254"), "a default route is made");
	ok(told(s, PATIENCE_MS), "and told");
	is_str(s->why, "a default route is there", "in words");
	is_int(s->calls, calls + 1, "once");
	ok(ip("addr change 192.0.2.1/24 dev one0"), "an address is renewed");
	ok(ip("route add 198.51.100.0/24 via 192.0.2.254"), "and another route made");
	ok(!told(s, 3 * NETWATCH_SETTLE_MS), "which is no news");
	ok(ip("addr del 192.0.2.1/24 dev one0"), "an address goes");
	ok(ip("addr add 192.0.2.1/24 dev one0"), "and comes back");
	ok(told(s, PATIENCE_MS), "which is news");
}

int main(void) {
	struct seen s = { .calls = 0 };
	struct err err = ERR_INIT;
	if (geteuid() != 0 || unshare(CLONE_NEWNET) != 0) {
		skip("a network of its own", "needs root and network namespaces");
		return done_testing();
	}
	s.loop = loop_new();
	s.late = loop_timer(s.loop, 0, on_late, &s);
	struct netwatch *w = netwatch_new(s.loop, on_network, &s, &err);
	ok(w != NULL, "the network is watched");
	/* What was there before is not news to the daemon, but may be told once. */
	while (told(&s, 3 * NETWATCH_SETTLE_MS))
		;
	if (ip("link add one0 type veth peer name two0"))
		test_network(&s);
	else
		skip("links and addresses", "no ip(8), or a kernel without veth");
	netwatch_free(w);
	netwatch_free(NULL);
	loop_timer_free(s.late);
	loop_free(s.loop);
	return done_testing();
}
