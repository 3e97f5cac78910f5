/*
 * Mail from users and from clients by TCP: each client gets a process of its own (so commits
 * run in parallel, and what a client sends is parsed where it can harm nobody); and drop/,
 * which is emptied here because only the spool's owner may tell whether a message is in the
 * queue already. Who somebody is, the kernel says.
 *
 * Sessions are counted in two pools, so that nobody who comes by TCP can take the users'
 * socket away. In a pool that is full the session that has had no message in hand for longest
 * makes room for the next client.
 */

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/sharedmem.h"
#include "deliver/listener.h"
#include "submit/access.h"

#define ACCEPT_PAUSE_MS 1000
#define FULL_TELL_MS 60000
#define LOOK_MS 200
/* Idle for less, a session has only just begun, or ended a message. */
#define IDLE_UNIX_MS 10000
#define IDLE_TCP_MS 1000
#define BOARD_SIZE (LISTEN_SLOTS * sizeof(_Atomic int64_t))
#define SPARE_SIZE ((LISTEN_SLOTS + 1) * sizeof(_Atomic int))

static bool same_client(const struct listen_client *a, const struct listen_client *b) {
	if (a->tcp != b->tcp || a->has_uid != b->has_uid)
		return false;
	return a->has_uid ? a->uid == b->uid : inet_same(&a->addr, &b->addr);
}

/* Sessions of the pool; with `one` only those of the same client. */
static unsigned count_sessions(const struct listener *l, const struct listen_client *like,
			       bool one) {
	unsigned n = 0;
	for (size_t i = 0; i < l->top; i++) {
		const struct listen_slot *s = &l->slot[i];
		n += s->pid > 0 && !s->leaving && s->client.tcp == like->tcp &&
		     !listener_spare_waits(l, i) &&
		     (!one || same_client(&s->client, like));
	}
	return n;
}

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

/* Tells the session that is idle for longest to go, of this client alone with `one`. */
static bool make_room(struct listener *l, const struct listen_client *like, bool one) {
	int64_t now = clock_boot_ms(), least = like->tcp ? IDLE_TCP_MS : IDLE_UNIX_MS;
	int64_t oldest = now - least + 1;
	struct listen_slot *found = NULL;
	for (size_t i = 0; i < l->top; i++) {
		struct listen_slot *s = &l->slot[i];
		int64_t since = l->idle_since[i];
		if (s->pid == 0 || s->leaving || since == 0 || since >= oldest ||
		    listener_spare_waits(l, i) ||
		    s->client.tcp != like->tcp || (one && !same_client(&s->client, like)))
			continue;
		oldest = since;
		found = s;
	}
	if (!found || kill(found->pid, SIGUSR1) != 0)
		return false;
	found->leaving = true;
	return true;
}

/* Is there room for one more session of this client? */
static bool has_room(struct manager *m, const struct listen_client *client,
		     const char **ret_why) {
	struct listener *l = m->listener;
	const struct config_sessions *tcp = &m->settings.listen.sessions;
	unsigned all = client->tcp ? tcp->all : LISTEN_UNIX_SESSIONS;
	unsigned each = client->tcp ? tcp->each : LISTEN_UNIX_EACH;
	*ret_why = "421 4.7.0 too many sessions of this client\r\n";
	if (count_sessions(l, client, true) >= each &&
	    (!client->tcp || !make_room(l, client, true)))
		return false;
	*ret_why = "421 4.3.2 too many sessions\r\n";
	return count_sessions(l, client, false) < all || make_room(l, client, false);
}

static struct plan plan_for(const struct manager *m) {
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
		.limited = true,
	};
}

static void set_user(struct plan *p, uid_t uid) {
	p->uid = uid;
	/* Root and the spool's owner could write the files themselves. */
	p->limited = uid != 0 && uid != geteuid();
}

/* Starts the process; the descriptor stays ours. */
static void start_session(struct manager *m, int fd, const struct listen_client *client,
			  struct plan *plan) {
	struct listener *l = m->listener;
	const char *why;
	int other;
	size_t i = 0;
	while (i < LISTEN_SLOTS && l->slot[i].pid > 0)
		i++;
	if (!has_room(m, client, &why) || i == LISTEN_SLOTS) {
		tell_full(l, client->tcp ? "too many sessions by TCP"
					 : "too many sessions of a user");
		send_away(fd, why);
		return;
	}
	limit_know(m->limits, (uid_t)plan->uid);
	wake_rouse(m);
	if (listener_spare_pass(l, client, fd))
		return;
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
					   .channel = take_fd(&channel),
					   .client = *client };
	l->count++;
	if (i >= l->top)
		l->top = i + 1;
}

static void user_came(struct manager *m, int fd) {
	struct ucred who = { .uid = (uid_t)-1 };
	socklen_t len = sizeof(who);
	struct plan plan = plan_for(m);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) != 0)
		return;
	const struct listen_client client = { .has_uid = true, .uid = who.uid };
	set_user(&plan, who.uid);
	start_session(m, fd, &client, &plan);
}

/* One of a network counts as one client. */
static struct listen_client client_at(const struct inet_addr *addr) {
	struct listen_client c = { .tcp = true, .addr = *addr };
	if (addr->bits == 128)
		memset(c.addr.byte + 8, 0, 8);
	return c;
}

static void tcp_came(struct manager *m, int fd, const struct sockaddr_storage *from) {
	const struct config_listen *c = &m->settings.listen;
	AUTO_BUF struct buf address = BUF_INIT(100), name = BUF_INIT(200), who = BUF_INIT(64);
	struct sockaddr_storage own;
	socklen_t len = sizeof(own);
	struct inet_port peer, us;
	struct plan plan = plan_for(m);
	uid_t uid;
	int on = 1;
	if (!inet_from_sockaddr(from, &peer) ||
	    getsockname(fd, (struct sockaddr *)&own, &len) != 0 || !inet_from_sockaddr(&own, &us))
		return;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	const struct access_rules rules = {
		.allow = c->allow,
		.allow_count = c->allow_count,
		.trust_local = c->trust_local || m->settings.mode == CONFIG_SYSTEM,
		.logins = c->users && c->tls.certificate,
	};
	struct listen_client client = client_at(&peer.addr);
	bool local = inet_is_loopback(&peer.addr);
	inet_addr_add(&address, &peer.addr);
	buf_addf(&name, "tcp:%s", local ? "loopback" : buf_str(&address));
	plan.right = access_right(&rules, &peer.addr);
	plan.uid = session_client_uid(buf_span(&name));
	if (local && access_uid(&peer, &us, &uid)) {
		set_user(&plan, uid);
		client.has_uid = true;
		client.uid = uid;
		buf_addf(&who, "uid %u", (unsigned)uid);
		plan.who = who.data;
	}
	plan.address = address.data;
	plan.certificate = c->tls.certificate;
	plan.key = c->tls.key;
	plan.users = c->users;
	plan.recipients_max = c->recipients;
	start_session(m, fd, &client, &plan);
}

static void watch_all(struct listener *l, short events) {
	for (size_t i = 0; i < LISTEN_SOCKETS; i++)
		if (l->socket[i].watch)
			loop_watch_events(l->socket[i].watch, events);
}

static const struct listen_client any_user = { .tcp = false };

/* Users wait in the socket while their pool is full; clients by TCP are told. */
static void watch_users(struct listener *l) {
	bool full = count_sessions(l, &any_user, false) >= LISTEN_UNIX_SESSIONS;
	listener_spare_crowded(l, full);
	for (size_t i = 0; i < LISTEN_SOCKETS; i++)
		if (l->socket[i].watch && !l->socket[i].tcp)
			loop_watch_events(l->socket[i].watch, full ? 0 : POLLIN);
	if (full && l->pause)
		loop_timer_set(l->pause, ACCEPT_PAUSE_MS);
}

/* Room is made only for somebody. */
static void look_for_users(struct listener *l) {
	bool full = count_sessions(l, &any_user, false) >= LISTEN_UNIX_SESSIONS;
	for (size_t i = 0; full && i < LISTEN_SOCKETS; i++) {
		struct pollfd p = { .fd = l->socket[i].fd, .events = POLLIN };
		if (l->socket[i].watch && !l->socket[i].tcp && poll(&p, 1, 0) > 0 &&
		    make_room(l, &any_user, false))
			return;
	}
}

static void end_pause(void *ctx) {
	struct listener *l = ctx;
	watch_all(l, POLLIN);
	look_for_users(l);
	watch_users(l);
}

/* Without a free descriptor a client goes on waiting in the socket, which stays readable:
 * polled all the time, it would keep the processor busy. */
void listener_accept(void *ctx, int fd, short revents) {
	struct listen_socket *s = ctx;
	struct manager *m = s->manager;
	struct sockaddr_storage from = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof(from);
	(void)revents;
	AUTO_FD int client =
		accept4(fd, (struct sockaddr *)&from, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (client < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
		watch_all(m->listener, 0);
		loop_timer_set(m->listener->pause, ACCEPT_PAUSE_MS);
	}
	if (client < 0)
		return;
	if (s->tcp) {
		tcp_came(m, client, &from);
		return;
	}
	user_came(m, client);
	watch_users(m->listener);
}

/* A session that was killed may have queued a message, and not yet have told so. */
static void look(void *ctx) {
	struct manager *m = ctx;
	m->listener->look_due = false;
	if (m->stopping)
		return;
	scan_names(m);
	manager_kick(m);
}

static void look_soon(struct listener *l) {
	if (l->look_due || !l->look)
		return;
	l->look_due = true;
	loop_timer_set(l->look, LOOK_MS);
}

void listener_reap(struct manager *m) {
	struct listener *l = m->listener;
	bool any = false;
	for (size_t i = 0; l && i < l->top; i++) {
		struct listen_slot *s = &l->slot[i];
		int status;
		if (s->pid == 0 || waitpid(s->pid, &status, WNOHANG) != s->pid)
			continue;
		if (WIFSIGNALED(status))
			look_soon(l);
		if (WIFSIGNALED(status) && WTERMSIG(status) != SIGTERM &&
		    WTERMSIG(status) != SIGKILL)
			log_error("a session of uid %u ended: signal %d",
				  (unsigned)s->client.uid, WTERMSIG(status));
		s->pid = 0;
		listener_spare_forget(l, i);
		l->count--;
		any |= !s->client.tcp;
	}
	while (l && l->top > 0 && l->slot[l->top - 1].pid == 0)
		l->top--;
	if (any)
		watch_users(l);
	if (m->stopping)
		manager_kick(m);
}

bool listener_serves(const struct manager *m) {
	return m->listener && m->listener->count > 0;
}

int listener_start(struct manager *m, struct err *err) {
	struct listener *l = m->listener = calloc(1, sizeof(*l));
	int spare_fd = -1;
	if (!l)
		return err_set(err, ERR_MEMORY, "out of memory");
	for (size_t i = 0; i < LISTEN_SOCKETS; i++)
		l->socket[i].fd = -1;
	l->idle_fd = l->limits_fd = -1;
	m->limits = limit_new(&l->limits_fd);
	l->idle_since = l->board = sharedmem_new(BOARD_SIZE, &l->idle_fd);
	l->spare = sharedmem_new(SPARE_SIZE, &spare_fd);
	auto_close(&spare_fd);
	l->pause = loop_timer(m->loop, ACCEPT_PAUSE_MS, end_pause, l);
	l->look = loop_timer(m->loop, LOOK_MS, look, m);
	if (!m->limits || !l->idle_since || !l->spare || !l->pause || !l->look)
		return err_set(err, ERR_MEMORY, "out of memory");
	loop_timer_stop(l->pause);
	loop_timer_stop(l->look);
	if (listener_sockets_start(m, err) != 0)
		return -1;
	listener_settings(m);
	return 0;
}

void listener_settings(struct manager *m) {
	limit_set(m->limits, m->settings.user_limit.per_hour,
		  m->settings.user_limit.bytes);
	listener_spare_end(m->listener);
	listener_session_boxes(m);
	listener_sockets_update(m);
	m->drop_due = true; /* what was over the limit may not be any more */
}

void listener_stop(struct manager *m) {
	struct listener *l = m->listener;
	listener_sockets_close(l);
	loop_timer_free(l->pause);
	loop_timer_free(l->look);
	l->pause = l->look = NULL;
	for (size_t i = 0; i < l->top; i++)
		if (l->slot[i].pid > 0)
			kill(l->slot[i].pid, SIGTERM);
}

void listener_free(struct manager *m) {
	struct listener *l = m->listener;
	if (l) {
		listener_stop(m);
		pickup_release(&l->pickup);
		listener_spare_end(l);
		sharedmem_free((void *)(uintptr_t)l->spare, SPARE_SIZE);
		sharedmem_free(l->board, BOARD_SIZE);
		auto_close(&l->idle_fd);
		auto_close(&l->limits_fd);
		listener_session_boxes_free(l);
	}
	free(l);
	m->listener = NULL;
	limit_free(m->limits);
	m->limits = NULL;
}

static void dropped(void *ctx, const struct queue_id *id) {
	scan_note(ctx, id);
}

bool listener_pick_up(struct manager *m) {
	const struct settings *s = &m->settings;
	struct pickup *p = &m->listener->pickup;
	if (!m->drop_due)
		return false;
	p->queue = m->queue;
	p->place = (struct way_place){ s->dir, s->rundir, s->size_limit, s->reserve_bytes,
				       s->reserve_inodes,
				       s->long_lines == CONFIG_LONG_LINES_SEND };
	p->host = (struct submit_host){ .hostname = s->hostname,
					.domain = s->domain,
					.from = s->from };
	p->limits = m->limits;
	p->found = dropped;
	p->ctx = m;
	return m->drop_due = pickup_one(p);
}
