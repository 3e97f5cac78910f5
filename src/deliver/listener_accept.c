/*
 * Who comes: a client is accepted, the kernel says who it is, and then it is sent away, passed
 * to a process that has served the same user and waits, or gets a process of its own.
 */

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "deliver/listener.h"
#include "submit/access.h"

#define ACCEPT_PAUSE_MS 1000
#define ACCEPTS_A_ROUND 8 /* then others have their turn */
#define FULL_TELL_MS 60000

/* A client that is not served at once asks again. */
static void send_away(int fd, const char *words) {
	if (send(fd, words, strlen(words), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_debug("a client left before its refusal");
}

static void tell_full(struct listener *l, const char *words) {
	int64_t now = clock_boot_ms();
	if (l->full_told_ms > 0 && now - l->full_told_ms < FULL_TELL_MS)
		return;
	l->full_told_ms = now;
	log_warn("a client was sent away: %s", words);
}

/* Sends the client away, or passes it to a process that waits for this user; false: it needs a
 * process of its own. */
static bool is_settled(struct manager *m, int fd, const struct listen_client *client, uid_t uid,
		       bool limited) {
	const char *why;
	if (!listener_has_room(m, client, &why)) {
		tell_full(m->listener, client->tcp ? "too many sessions by TCP"
						   : "too many sessions of a user");
		send_away(fd, why);
		return true;
	}
	if (limited) {
		limit_know(m->limits, uid);
		wake_rouse(m);
	}
	return listener_spare_pass(m->listener, client, fd);
}

static struct plan plan_for(const struct manager *m, uid_t uid, bool limited) {
	const struct settings *s = &m->settings;
	return (struct plan){
		.dir = s->dir,
		.rundir = s->rundir,
		.hostname = s->hostname,
		.domain = s->domain,
		.from = s->from,
		.size_limit = s->size_limit,
		.reserve_bytes = s->reserve_bytes,
		.reserve_inodes = s->reserve_inodes,
		.keep_long_lines = s->long_lines == CONFIG_LONG_LINES_SEND,
		.lenient_newlines = s->listen.lenient_newlines,
		.sandbox = s->sandbox == CONFIG_SANDBOX_AUTO,
		.recipients_max = ENVELOPE_RECIPIENTS_MAX,
		.errors_max = s->listen.errors,
		.timeout_ms = (uint64_t)s->listen.timeout_ms,
		.right = SESSION_MAY,
		.uid = uid,
		.limited = limited,
	};
}

/* Root and the spool's owner could write the files themselves. */
static bool is_limited(uid_t uid) {
	return uid != 0 && uid != geteuid();
}

/* Starts the process; the descriptor stays ours. */
static void start_session(struct manager *m, int fd, const struct listen_client *client,
			  struct plan *plan) {
	struct listener *l = m->listener;
	int other;
	size_t i = 0;
	while (i < LISTEN_SLOTS && l->slot[i].pid > 0)
		i++;
	if (i == LISTEN_SLOTS) {
		tell_full(l, "too many sessions");
		send_away(fd, "421 4.3.2 too many sessions\r\n");
		return;
	}
	plan->slot = i;
	l->idle_since[i] = clock_boot_ms();
	AUTO_FD int channel = listener_spare_channel(l, client, &other);
	AUTO_FD int others = other;
	pid_t parent = getpid(), pid = fork();
	if (pid == 0)
		listener_session(m, fd, others, plan, parent);
	if (pid < 0) {
		log_error("cannot start a session: %s", strerror(errno));
		send_away(fd, "421 4.3.0 no process for this session\r\n");
		return;
	}
	l->slot[i] = (struct listen_slot){ .pid = pid,
					   .limited = plan->limited,
					   .channel = take_fd(&channel),
					   .client = *client };
	l->count++;
	if (i >= l->top)
		l->top = i + 1;
}

static void user_came(struct manager *m, int fd) {
	struct ucred who = { .uid = (uid_t)-1 };
	socklen_t len = sizeof(who);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) != 0)
		return;
	const struct listen_client client = { .has_uid = true, .uid = who.uid };
	bool limited = is_limited(who.uid);
	if (is_settled(m, fd, &client, who.uid, limited))
		return;
	struct plan plan = plan_for(m, who.uid, limited);
	start_session(m, fd, &client, &plan);
}

/* One of a network counts as one client. */
static struct listen_client client_at(const struct inet_addr *addr) {
	struct listen_client c = { .tcp = true, .addr = *addr };
	if (addr->bits == 128)
		memset(c.addr.byte + 8, 0, 8);
	return c;
}

/* What messages and limits of a client are counted for whose user nobody knows. */
static uid_t uid_of_address(const struct inet_addr *addr) {
	AUTO_BUF struct buf name = BUF_INIT(200);
	buf_adds(&name, "tcp:");
	if (inet_is_loopback(addr))
		buf_adds(&name, "loopback");
	else
		inet_addr_add(&name, addr);
	return session_client_uid(buf_span(&name));
}

static void tcp_came(struct manager *m, int fd, const struct sockaddr_storage *from) {
	const struct config_listen *c = &m->settings.listen;
	AUTO_BUF struct buf address = BUF_INIT(100), who = BUF_INIT(64);
	struct sockaddr_storage own;
	socklen_t len = sizeof(own);
	struct inet_port peer, us;
	int on = 1;
	if (!inet_from_sockaddr(from, &peer) ||
	    getsockname(fd, (struct sockaddr *)&own, &len) != 0 || !inet_from_sockaddr(&own, &us))
		return;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	struct listen_client client = client_at(&peer.addr);
	client.has_uid = access_uid(&peer, &us, &client.uid);
	uid_t uid = client.has_uid ? client.uid : uid_of_address(&peer.addr);
	bool limited = !client.has_uid || is_limited(uid);
	if (is_settled(m, fd, &client, uid, limited))
		return;
	struct plan plan = plan_for(m, uid, limited);
	const struct access_rules rules = {
		.allow = c->allow,
		.allow_count = c->allow_count,
		.trust_local = c->trust_local || m->settings.mode == CONFIG_SYSTEM,
		.logins = c->users && c->tls.certificate,
	};
	plan.right = access_right(&rules, &peer.addr);
	inet_addr_add(&address, &peer.addr);
	plan.address = address.data;
	if (client.has_uid)
		buf_addf(&who, "uid %u", (unsigned)uid);
	plan.who = who.data;
	plan.certificate = c->tls.certificate;
	plan.key = c->tls.key;
	plan.users = c->users;
	plan.recipients_max = c->recipients;
	start_session(m, fd, &client, &plan);
}

/* --- the sockets they wait in --- */

static void watch_all(struct listener *l, short events) {
	for (size_t i = 0; i < LISTEN_SOCKETS; i++)
		if (l->socket[i].watch)
			loop_watch_events(l->socket[i].watch, events);
}

/* Users wait in the socket while their pool is full; clients by TCP are told. */
void listener_watch_users(struct listener *l) {
	bool full = listener_is_full_of_users(l);
	listener_spare_crowded(l, full);
	for (size_t i = 0; i < LISTEN_SOCKETS; i++)
		if (l->socket[i].watch && !l->socket[i].tcp)
			loop_watch_events(l->socket[i].watch, full ? 0 : POLLIN);
	if (full && l->pause)
		loop_timer_set(l->pause, ACCEPT_PAUSE_MS);
}

/* Room is made only for somebody. */
static void look_for_users(struct listener *l) {
	for (size_t i = 0; listener_is_full_of_users(l) && i < LISTEN_SOCKETS; i++) {
		struct pollfd p = { .fd = l->socket[i].fd, .events = POLLIN };
		if (l->socket[i].watch && !l->socket[i].tcp && poll(&p, 1, 0) > 0) {
			listener_make_room_for_users(l);
			return;
		}
	}
}

void listener_end_pause(void *ctx) {
	struct listener *l = ctx;
	watch_all(l, POLLIN);
	look_for_users(l);
	listener_watch_users(l);
}

/* False: nobody else is to be accepted now. Without a free descriptor a client goes on waiting
 * in the socket, which stays readable: polled all the time, it would keep the processor busy. */
static bool accept_one(struct listen_socket *s) {
	struct manager *m = s->manager;
	struct sockaddr_storage from = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof(from);
	AUTO_FD int client =
		accept4(s->fd, (struct sockaddr *)&from, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (client < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
		watch_all(m->listener, 0);
		loop_timer_set(m->listener->pause, ACCEPT_PAUSE_MS);
	}
	if (client < 0)
		return false;
	if (s->tcp) {
		tcp_came(m, client, &from);
		return true;
	}
	user_came(m, client);
	listener_watch_users(m->listener);
	return !listener_is_full_of_users(m->listener);
}

void listener_accept(void *ctx, int fd, short revents) {
	(void)fd;
	(void)revents;
	for (int i = 0; i < ACCEPTS_A_ROUND && accept_one(ctx); i++)
		;
}
