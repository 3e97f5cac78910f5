/*
 * Mail from users: the socket `submit`, where each client gets a process of its own (so
 * commits run in parallel, and what a client sends is parsed where it can harm nobody), and
 * drop/, which is emptied here because only the spool's owner may tell whether a message is
 * in the queue already. Who somebody is, the kernel says.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/file.h"
#include "base/log.h"
#include "base/proc.h"
#include "control/address.h"
#include "deliver/state.h"
#include "submit/pickup.h"
#include "submit/session.h"

#define SESSIONS_MAX 128u
#define SESSIONS_A_USER 32u
#define BACKLOG 512
#define CLIENT_FD 3
#define FIRST_PASSED_FD 3
#define PASSED_FDS_MAX 16u
#define SUBMIT_NAME "submit"
#define ACCEPT_PAUSE_MS 1000

struct session_slot {
	pid_t pid; /* 0: free */
	uid_t uid;
};

struct listener {
	int fd;
	struct loop_watch *watch;
	struct loop_timer *pause; /* ends the pause after a failed accept */
	unsigned count;
	struct session_slot slot[SESSIONS_MAX];
	struct pickup pickup;
};

/* --- in the session's process --- */

static struct way_place place_of(const struct manager *m) {
	const struct settings *s = &m->settings;
	return (struct way_place){ s->dir, s->rundir, s->size_limit, s->reserve_bytes,
				   s->reserve_inodes,
				   s->long_lines == CONFIG_LONG_LINES_SEND };
}

static struct submit_host host_of(const struct manager *m, uid_t uid) {
	const struct settings *s = &m->settings;
	return (struct submit_host){ s->hostname, s->domain, s->from, uid };
}

/* Root and the spool's owner could write the files themselves. */
static struct limit_table *limits_for(const struct manager *m, uid_t uid) {
	return uid == 0 || uid == geteuid() ? NULL : m->limits;
}

static int serve_client(const struct manager *m, uid_t uid, struct err *err) {
	AUTO_BUF struct buf wake = BUF_INIT(4096);
	struct way_place place = place_of(m);
	struct submit_host host = host_of(m, uid);
	struct queue *q = queue_open(place.dir, err);
	struct way *way = q ? way_open_queue(&place, q, WAY_QUEUE_OWN, err) : NULL;
	buf_addf(&wake, "%s/wake", place.rundir);
	struct session_params p = {
		.in = CLIENT_FD,
		.out = CLIENT_FD,
		.host = &host,
		.way = way,
		.size_limit = place.size_limit,
		.wake_path = buf_str(&wake),
		.via = "socket",
		.limits = limits_for(m, uid),
	};
	int result = way ? session_run(&p, err) : -1;
	way_free(way);
	return result;
}

static void become_session(const struct manager *m, int fd, uid_t uid, pid_t parent) {
	struct err err = ERR_INIT;
	loop_signals_reset();
	signal(SIGPIPE, SIG_IGN);
	closelog(); /* its descriptor goes with the others */
	if (fd != CLIENT_FD && dup2(fd, CLIENT_FD) < 0)
		_exit(1);
	proc_close_from(CLIENT_FD + 1);
	proc_die_with(parent, SIGTERM);
	if (serve_client(m, uid, &err) == 0)
		_exit(0);
	log_error("a session of uid %u cannot work: %s", (unsigned)uid, err.msg);
	static const char busy[] = "421 4.3.0 the relay cannot take mail now\r\n";
	_exit(write(CLIENT_FD, busy, sizeof(busy) - 1) > 0 ? 1 : 2);
}

/* --- in the manager --- */

static unsigned sessions_of(const struct listener *l, uid_t uid) {
	unsigned n = 0;
	for (unsigned i = 0; i < SESSIONS_MAX; i++)
		n += l->slot[i].pid > 0 && l->slot[i].uid == uid;
	return n;
}

/* A client that is not served at once asks again. */
static void send_away(int fd, const char *words) {
	if (send(fd, words, strlen(words), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_debug("a client left before its refusal");
}

static void start_session(struct manager *m, int fd, uid_t uid) {
	struct listener *l = m->listener;
	struct session_slot *slot = l->slot;
	if (sessions_of(l, uid) >= SESSIONS_A_USER) {
		send_away(fd, "421 4.7.0 too many sessions of this user\r\n");
		return;
	}
	while (slot->pid > 0)
		slot++;
	limit_know(m->limits, uid);
	pid_t parent = getpid(), pid = fork();
	if (pid == 0)
		become_session(m, fd, uid, parent);
	if (pid < 0) {
		log_error("cannot start a session: %s", strerror(errno));
		send_away(fd, "421 4.3.0 no process for this session\r\n");
		return;
	}
	*slot = (struct session_slot){ pid, uid };
	if (++l->count == SESSIONS_MAX)
		loop_watch_events(l->watch,
				  0); /* the others wait in the socket's queue */
}

static void end_pause(void *ctx) {
	struct listener *l = ctx;
	if (l->watch && l->count < SESSIONS_MAX)
		loop_watch_events(l->watch, POLLIN);
}

/* Without a free descriptor a client goes on waiting in the socket, which stays readable:
 * polled all the time, it would keep the processor busy. */
static void client_came(void *ctx, int fd, short revents) {
	struct manager *m = ctx;
	struct ucred who = { .uid = (uid_t)-1 };
	socklen_t len = sizeof(who);
	(void)revents;
	AUTO_FD int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (client < 0 && errno != EAGAIN && errno != EINTR) {
		loop_watch_events(m->listener->watch, 0);
		loop_timer_set(m->listener->pause, ACCEPT_PAUSE_MS);
	}
	if (client < 0)
		return;
	if (getsockopt(client, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0)
		start_session(m, client, who.uid);
}

void listener_reap(struct manager *m) {
	struct listener *l = m->listener;
	for (unsigned i = 0; l && i < SESSIONS_MAX; i++) {
		int status;
		if (l->slot[i].pid == 0 ||
		    waitpid(l->slot[i].pid, &status, WNOHANG) != l->slot[i].pid)
			continue;
		if (WIFSIGNALED(status) && WTERMSIG(status) != SIGTERM &&
		    WTERMSIG(status) != SIGKILL)
			log_error("a session of uid %u ended: signal %d",
				  (unsigned)l->slot[i].uid, WTERMSIG(status));
		l->slot[i].pid = 0;
		if (l->count-- == SESSIONS_MAX && l->watch)
			loop_watch_events(l->watch, POLLIN);
	}
}

static bool is_listening(int fd) {
	int domain = 0, type = 0, listening = 0;
	socklen_t len = sizeof(int);
	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 &&
	       domain == AF_UNIX &&
	       getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
	       type == SOCK_STREAM &&
	       getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) == 0 &&
	       listening;
}

/* What the service manager opened for us (sd_listen_fds(3)): the socket named submit, or the
 * only one. Returns it, or -1. */
static int take_passed(void) {
	struct span names = span_str(getenv("LISTEN_FDNAMES")), name;
	uint64_t pid, count = 0;
	int found = -1;
	if (!span_uint(span_str(getenv("LISTEN_PID")), INT32_MAX, &pid) ||
	    (pid_t)pid != getpid() ||
	    !span_uint(span_str(getenv("LISTEN_FDS")), PASSED_FDS_MAX, &count))
		count = 0;
	for (int i = 0; i < (int)count; i++) {
		int fd = FIRST_PASSED_FD + i;
		if (!span_take_until(&names, ':', &name)) {
			name = names;
			names = SPAN("");
		}
		if (found < 0 && (count == 1 || span_eq(name, SPAN(SUBMIT_NAME))) &&
		    is_listening(fd) && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 &&
		    fcntl(fd, F_SETFL, O_NONBLOCK) == 0) {
			found = fd;
			continue;
		}
		log_warn(
			"a socket named \"%.*s\" was passed and is not used: wanted is a "
			"listening Unix stream socket named " SUBMIT_NAME,
			(int)name.len, name.p);
		close(fd);
	}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return found;
}

static int make_socket(const char *path, mode_t mode, struct err *err) {
	struct sockaddr_un addr;
	socklen_t len;
	if (control_address(path, &addr, &len, err) != 0)
		return -1;
	AUTO_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || (file_unlink(AT_FDCWD, path) != 0 && errno != ENOENT) ||
	    bind(fd, (struct sockaddr *)&addr, len) != 0 || chmod(path, mode) != 0 ||
	    listen(fd, BACKLOG) != 0)
		return err_sys(err, "%s: cannot listen", path);
	return take_fd(&fd);
}

int listener_start(struct manager *m, struct err *err) {
	AUTO_BUF struct buf path = BUF_INIT(4096);
	m->listener = calloc(1, sizeof(*m->listener));
	if (!m->listener)
		return err_set(err, ERR_MEMORY, "out of memory");
	m->listener->fd = -1;
	m->limits = limit_new();
	m->listener->pause = loop_timer(m->loop, 0, end_pause, m->listener);
	if (!m->limits || !m->listener->pause)
		return err_set(err, ERR_MEMORY, "out of memory");
	listener_settings(m);
	buf_addf(&path, "%s/" SUBMIT_NAME, m->settings.rundir);
	m->listener->fd = take_passed();
	if (m->listener->fd < 0)
		m->listener->fd =
			make_socket(buf_str(&path),
				    m->settings.mode == CONFIG_SYSTEM ? 0666 : 0600, err);
	if (m->listener->fd < 0)
		return -1;
	m->listener->watch = loop_watch(m->loop, m->listener->fd, POLLIN, client_came, m);
	return m->listener->watch ? 0 : err_set(err, ERR_MEMORY, "out of memory");
}

void listener_settings(struct manager *m) {
	limit_set(m->limits, m->settings.user_limit.per_hour,
		  m->settings.user_limit.bytes);
	m->drop_due = true; /* what was over the limit may not be any more */
}

void listener_stop(struct manager *m) {
	struct listener *l = m->listener;
	loop_unwatch(l->watch);
	l->watch = NULL;
	loop_timer_free(l->pause);
	l->pause = NULL;
	auto_close(&l->fd);
	l->fd = -1;
	for (unsigned i = 0; i < SESSIONS_MAX; i++)
		if (l->slot[i].pid > 0)
			kill(l->slot[i].pid, SIGTERM);
}

void listener_free(struct manager *m) {
	if (m->listener) {
		listener_stop(m);
		pickup_release(&m->listener->pickup);
	}
	free(m->listener);
	m->listener = NULL;
	limit_free(m->limits);
	m->limits = NULL;
}

static void dropped(void *ctx, const struct queue_id *id) {
	scan_note(ctx, id);
}

bool listener_pick_up(struct manager *m) {
	struct pickup *p = &m->listener->pickup;
	if (!m->drop_due)
		return false;
	p->queue = m->queue;
	p->place = place_of(m);
	p->host = host_of(m, 0);
	p->limits = m->limits;
	p->found = dropped;
	p->ctx = m;
	return m->drop_due = pickup_one(p);
}
