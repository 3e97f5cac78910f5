/*
 * rtnetlink tells of everything, also of what is not news: routers renew IPv6 addresses every
 * few minutes, and each radio link tells of its quality. So only three things count: the
 * running flag of a link that changed to set, an address that was not there before, and a
 * default route.
 *
 * A resume sets the wall clock, which a timer with TFD_TIMER_CANCEL_ON_SET hears at once; that
 * the time in suspend has grown tells it from somebody who only set the clock.
 */

#include "net/netwatch.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/list.h"

#define ADDRESSES_MAX 256u
#define SUSPEND_MIN_MS 1000
#define FRAMES_A_ROUND 32
#define GROUPS                                                                       \
	(RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | \
	 RTMGRP_IPV6_ROUTE)

/* An address that is there. */
struct known {
	unsigned link;
	uint8_t family, byte[16];
};

struct netwatch {
	netwatch_fn *fn;
	void *ctx;
	int netlink, clock; /* -1: none */
	struct loop_watch *netlink_watch, *clock_watch;
	struct loop_timer *settle;
	const char *why; /* NULL: nothing happened */
	int64_t suspended_ms;
	struct known known[ADDRESSES_MAX];
	unsigned known_count;
};

static void happened(struct netwatch *w, const char *why) {
	if (w->why)
		return;
	w->why = why;
	loop_timer_set(w->settle, NETWATCH_SETTLE_MS);
}

static void on_settled(void *ctx) {
	struct netwatch *w = ctx;
	const char *why = w->why;
	w->why = NULL;
	w->fn(w->ctx, why);
}

/* --- the kernel's messages --- */

static void on_link(struct netwatch *w, struct nlmsghdr *h) {
	const struct ifinfomsg *link = NLMSG_DATA(h);
	if (h->nlmsg_len < NLMSG_LENGTH(sizeof(*link)) ||
	    (link->ifi_flags & IFF_LOOPBACK))
		return;
	if ((link->ifi_change & IFF_RUNNING) && (link->ifi_flags & IFF_RUNNING) &&
	    (link->ifi_flags & IFF_UP))
		happened(w, "a link is up");
}

static bool read_address(struct nlmsghdr *h, struct known *ret) {
	struct ifaddrmsg *addr = NLMSG_DATA(h);
	if (h->nlmsg_len < NLMSG_LENGTH(sizeof(*addr)) ||
	    addr->ifa_scope == RT_SCOPE_HOST)
		return false;
	*ret = (struct known){ .link = addr->ifa_index, .family = addr->ifa_family };
	int len = (int)IFA_PAYLOAD(h);
	for (struct rtattr *a = IFA_RTA(addr); RTA_OK(a, len); a = RTA_NEXT(a, len)) {
		size_t bytes = RTA_PAYLOAD(a);
		if (a->rta_type == IFA_ADDRESS && bytes <= sizeof(ret->byte))
			memcpy(ret->byte, RTA_DATA(a), bytes);
	}
	return true;
}

/* Its place in the list, or the end of it. */
static unsigned find(const struct netwatch *w, const struct known *k) {
	for (unsigned i = 0; i < w->known_count; i++)
		if (w->known[i].link == k->link && w->known[i].family == k->family &&
		    memcmp(w->known[i].byte, k->byte, sizeof(k->byte)) == 0)
			return i;
	return w->known_count;
}

static void on_address(struct netwatch *w, struct nlmsghdr *h) {
	struct known k;
	if (!read_address(h, &k))
		return;
	unsigned at = find(w, &k);
	if (h->nlmsg_type == RTM_DELADDR) {
		if (at < w->known_count)
			w->known[at] = w->known[--w->known_count];
		return;
	}
	if (at < w->known_count)
		return;
	if (w->known_count < ADDRESSES_MAX)
		w->known[w->known_count++] = k;
	happened(w, "there is a new address");
}

static void on_route(struct netwatch *w, struct nlmsghdr *h) {
	const struct rtmsg *route = NLMSG_DATA(h);
	if (h->nlmsg_len >= NLMSG_LENGTH(sizeof(*route)) && route->rtm_dst_len == 0 &&
	    route->rtm_type == RTN_UNICAST)
		happened(w, "a default route is there");
}

static void take_message(struct netwatch *w, struct nlmsghdr *h) {
	switch (h->nlmsg_type) {
	case RTM_NEWLINK:
		on_link(w, h);
		break;
	case RTM_NEWADDR:
	case RTM_DELADDR:
		on_address(w, h);
		break;
	case RTM_NEWROUTE:
		on_route(w, h);
		break;
	default:
		break;
	}
}

static void on_netlink(void *ctx, int fd, short revents) {
	struct netwatch *w = ctx;
	union {
		struct nlmsghdr head;
		char bytes[16384];
	} frame;
	(void)revents;
	for (int i = 0; i < FRAMES_A_ROUND; i++) {
		struct sockaddr_nl from = { .nl_pid = 1 };
		socklen_t from_len = sizeof(from);
		ssize_t n = recvfrom(fd, &frame, sizeof(frame), 0,
				     (struct sockaddr *)(void *)&from, &from_len);
		if (n < 0 && errno == ENOBUFS)
			happened(w, "much has changed in the network");
		if (n <= 0)
			return;
		size_t left = (size_t)n;
		if (from.nl_pid != 0) /* of another process */
			continue;
		for (struct nlmsghdr *h = &frame.head; NLMSG_OK(h, left);
		     h = NLMSG_NEXT(h, left))
			take_message(w, h);
	}
}

/* Asks for the addresses that are there; the answers come like news. */
static void ask_addresses(const struct netwatch *w) {
	struct {
		struct nlmsghdr head;
		struct ifaddrmsg addr;
	} ask = {
		.head = { .nlmsg_len = sizeof(ask),
			  .nlmsg_type = RTM_GETADDR,
			  .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
	};
	(void)!send(w->netlink, &ask, sizeof(ask), 0);
}

static int watch_netlink(struct netwatch *w, struct loop *loop) {
	struct sockaddr_nl at = { .nl_family = AF_NETLINK, .nl_groups = GROUPS };
	w->netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
			    NETLINK_ROUTE);
	if (w->netlink < 0 ||
	    bind(w->netlink, (const struct sockaddr *)(void *)&at, sizeof(at)) != 0)
		return 0;
	ask_addresses(w);
	w->netlink_watch = loop_watch(loop, w->netlink, POLLIN, on_netlink, w);
	return w->netlink_watch ? 0 : -1;
}

/* --- suspend --- */

static int64_t ms_of(clockid_t id) {
	struct timespec t;
	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t in_suspend_ms(void) {
	return ms_of(CLOCK_BOOTTIME) - ms_of(CLOCK_MONOTONIC);
}

static int arm_clock(const struct netwatch *w) {
	const struct itimerspec never = { .it_value.tv_sec = (time_t)1 << 40 };
	return timerfd_settime(w->clock, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET,
			       &never, NULL);
}

static void on_clock(void *ctx, int fd, short revents) {
	struct netwatch *w = ctx;
	uint64_t count;
	(void)revents;
	if (read(fd, &count, sizeof(count)) < 0 && errno == EAGAIN)
		return;
	arm_clock(w);
	int64_t suspended_ms = in_suspend_ms();
	if (suspended_ms - w->suspended_ms >= SUSPEND_MIN_MS)
		happened(w, "this machine woke up");
	w->suspended_ms = suspended_ms;
}

static int watch_clock(struct netwatch *w, struct loop *loop) {
	w->suspended_ms = in_suspend_ms();
	w->clock = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (w->clock < 0 || arm_clock(w) != 0)
		return 0;
	w->clock_watch = loop_watch(loop, w->clock, POLLIN, on_clock, w);
	return w->clock_watch ? 0 : -1;
}

struct netwatch *netwatch_new(struct loop *loop, netwatch_fn *fn, void *ctx,
			      struct err *err) {
	struct netwatch *w = calloc(1, sizeof(*w));
	if (w) {
		*w = (struct netwatch){
			.fn = fn, .ctx = ctx, .netlink = -1, .clock = -1
		};
		w->settle = loop_timer(loop, 0, on_settled, w);
	}
	if (!w || !w->settle || watch_netlink(w, loop) != 0 ||
	    watch_clock(w, loop) != 0) {
		err_set(err, ERR_MEMORY, "out of memory");
		netwatch_free(w);
		return NULL;
	}
	loop_timer_stop(w->settle);
	return w;
}

void netwatch_free(struct netwatch *w) {
	if (!w)
		return;
	loop_unwatch(w->netlink_watch);
	loop_unwatch(w->clock_watch);
	loop_timer_free(w->settle);
	if (w->netlink >= 0)
		close(w->netlink);
	if (w->clock >= 0)
		close(w->clock);
	free(w);
}
