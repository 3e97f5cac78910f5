/*
 * What clients connect to: the users' socket, those of [listen], and those the service manager
 * opened for us (sd_listen_fds(3)), which are all taken: a Unix socket is one for users, a
 * TCP socket one of [listen]. What cannot be opened, because the address is not there yet or
 * somebody else has the port, is tried again and keeps nothing else from working.
 */

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/file.h"
#include "base/log.h"
#include "control/address.h"
#include "deliver/listener.h"

#define BACKLOG 512
#define FIRST_PASSED_FD 3
#define SUBMIT_NAME "submit"
#define RETRY_MS 10000

static mode_t socket_mode(const struct manager *m) {
	return m->settings.mode == CONFIG_SYSTEM ? 0666 : 0600;
}

/* Takes the descriptor over. */
static struct listen_socket *add(struct manager *m, int fd, struct err *err) {
	struct listen_socket *s = m->listener->socket;
	const struct listen_socket *end = s + LISTEN_SOCKETS;
	while (s < end && s->fd >= 0)
		s++;
	if (s == end) {
		close(fd);
		err_set(err, ERR_LIMIT, "more than %d sockets", LISTEN_SOCKETS);
		return NULL;
	}
	*s = (struct listen_socket){ .manager = m, .fd = fd };
	s->watch = loop_watch(m->loop, fd, POLLIN, listener_accept, s);
	if (s->watch)
		return s;
	close(fd);
	s->fd = -1;
	err_set(err, ERR_MEMORY, "out of memory");
	return NULL;
}

static void drop(struct listen_socket *s) {
	loop_unwatch(s->watch);
	close(s->fd);
	free(s->path);
	*s = (struct listen_socket){ .fd = -1 };
}

/* --- passed --- */

static int option(int fd, int name) {
	int value = -1;
	socklen_t len = sizeof(value);
	return getsockopt(fd, SOL_SOCKET, name, &value, &len) == 0 ? value : -1;
}

static bool bound_to(int fd, struct inet_port *ret) {
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	return getsockname(fd, (struct sockaddr *)&sa, &len) == 0 && inet_from_sockaddr(&sa, ret);
}

/* False: it is no socket for us. */
static bool take(struct manager *m, int fd) {
	int domain = option(fd, SO_DOMAIN);
	struct inet_port bound = { .port = 0 };
	if (option(fd, SO_TYPE) != SOCK_STREAM || option(fd, SO_ACCEPTCONN) != 1 ||
	    (domain != AF_UNIX && !bound_to(fd, &bound)) ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
		return false;
	struct listen_socket *s = add(m, fd, NULL);
	if (s) {
		s->passed = true;
		s->tcp = domain != AF_UNIX;
		s->wanted = bound;
	}
	return true;
}

/* Returns whether the users' socket is among them: the one of that name, or the only Unix
 * socket. */
static bool take_passed(struct manager *m) {
	struct span names = span_str(getenv("LISTEN_FDNAMES")), name;
	uint64_t pid, count = 0;
	unsigned unix_sockets = 0;
	bool named = false;
	if (!span_uint(span_str(getenv("LISTEN_PID")), INT32_MAX, &pid) ||
	    (pid_t)pid != getpid() ||
	    !span_uint(span_str(getenv("LISTEN_FDS")), LISTEN_PASSED_MAX, &count))
		count = 0;
	for (int fd = FIRST_PASSED_FD; fd < FIRST_PASSED_FD + (int)count; fd++) {
		if (!span_take_until(&names, ':', &name)) {
			name = names;
			names = SPAN("");
		}
		bool local = option(fd, SO_DOMAIN) == AF_UNIX;
		if (take(m, fd)) {
			unix_sockets += local;
			named |= local && span_eq(name, SPAN(SUBMIT_NAME));
			continue;
		}
		log_warn("a socket named \"%.*s\" was passed and is not used: wanted are "
			 "listening stream sockets, Unix or TCP",
			 (int)name.len, name.p);
		close(fd);
	}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return named || unix_sockets == 1;
}

/* --- our own --- */

static int open_unix(struct manager *m, const char *path, struct err *err) {
	struct sockaddr_un addr;
	socklen_t len;
	AUTO_FD int fd = control_socket(path, SOCK_STREAM, &addr, &len, err);
	if (fd < 0)
		return -1;
	if ((file_unlink(AT_FDCWD, path) != 0 && errno != ENOENT) ||
	    bind(fd, (struct sockaddr *)&addr, len) != 0 || chmod(path, socket_mode(m)) != 0 ||
	    listen(fd, BACKLOG) != 0)
		return err_sys(err, "%s: cannot listen", path);
	AUTO_FREE char *copy = strdup(path);
	if (!copy)
		return err_set(err, ERR_MEMORY, "out of memory");
	struct listen_socket *s = add(m, take_fd(&fd), err);
	if (!s)
		return -1;
	s->path = take_ptr(&copy);
	return 0;
}

static int cannot_bind(const struct inet_port *p, struct err *err) {
	AUTO_BUF struct buf where = BUF_INIT(100);
	inet_port_add(&where, p);
	if (errno == EACCES && p->port < 1024)
		return err_set(err, ERR_DENIED,
			       "%s: cannot listen: ports below 1024 need a socket unit "
			       "(nightmail.socket) or the capability CAP_NET_BIND_SERVICE",
			       buf_str(&where));
	return err_sys(err, "%s: cannot listen", buf_str(&where));
}

static int open_tcp(struct manager *m, const struct inet_port *p, struct err *err) {
	AUTO_BUF struct buf where = BUF_INIT(100);
	struct sockaddr_storage sa;
	socklen_t len = inet_to_sockaddr(p, &sa);
	struct inet_port bound;
	int on = 1;
	AUTO_FD int fd =
		socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
	if (fd < 0)
		return cannot_bind(p, err);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (sa.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&sa, len) != 0 || listen(fd, BACKLOG) != 0 ||
	    !bound_to(fd, &bound))
		return cannot_bind(p, err);
	struct listen_socket *s = add(m, take_fd(&fd), err);
	if (!s)
		return -1;
	s->tcp = true;
	s->wanted = *p;
	inet_port_add(&where, &bound);
	log_info("listening on %s", buf_str(&where));
	return 0;
}

static bool same_port(const struct inet_port *a, const struct inet_port *b) {
	return a->port == b->port && inet_same(&a->addr, &b->addr);
}

/* Is this one (still) wanted by the settings? */
static bool is_wanted(const struct manager *m, const struct listen_socket *s) {
	const struct config_listen *c = &m->settings.listen;
	AUTO_BUF struct buf submit = BUF_INIT(4096);
	if (s->passed)
		return true;
	for (size_t i = 0; s->tcp && i < c->tcp_count; i++)
		if (same_port(&c->tcp[i], &s->wanted))
			return true;
	buf_addf(&submit, "%s/" SUBMIT_NAME, m->settings.rundir);
	return s->path && (strcmp(s->path, buf_str(&submit)) == 0 ||
			   (c->unix_path && strcmp(s->path, c->unix_path) == 0));
}

static unsigned count_open(const struct listener *l, const struct inet_port *p) {
	unsigned n = 0;
	for (size_t i = 0; i < LISTEN_SOCKETS; i++)
		n += l->socket[i].fd >= 0 && l->socket[i].tcp &&
		     same_port(&l->socket[i].wanted, p);
	return n;
}

static bool is_open(const struct listener *l, const char *path) {
	for (size_t i = 0; i < LISTEN_SOCKETS; i++)
		if (l->socket[i].path && strcmp(l->socket[i].path, path) == 0)
			return true;
	return false;
}

/* Opens what is missing: 0, or -1 with the first reason. */
static int open_missing(struct manager *m, struct err *err) {
	const struct config_listen *c = &m->settings.listen;
	struct err why = ERR_INIT;
	int result = 0;
	for (size_t i = 0; i < c->tcp_count; i++) {
		unsigned wanted = 0;
		for (size_t k = 0; k <= i; k++)
			wanted += same_port(&c->tcp[k], &c->tcp[i]);
		if (count_open(m->listener, &c->tcp[i]) < wanted &&
		    open_tcp(m, &c->tcp[i], result ? NULL : &why) != 0)
			result = -1;
	}
	if (c->unix_path && !is_open(m->listener, c->unix_path) &&
	    open_unix(m, c->unix_path, result ? NULL : &why) != 0)
		result = -1;
	if (result != 0 && err)
		*err = why;
	return result;
}

static void try_again(void *ctx) {
	struct manager *m = ctx;
	struct listener *l = m->listener;
	struct err err = ERR_INIT;
	if (open_missing(m, &err) == 0) {
		l->failed = false;
		return;
	}
	if (!l->failed)
		log_error("%s; it is tried again", err.msg);
	l->failed = true;
	loop_timer_set(l->retry, RETRY_MS);
}

static void warn_open_relay(const struct config_listen *c) {
	for (size_t i = 0; i < c->allow_count; i++) {
		AUTO_BUF struct buf net = BUF_INIT(100);
		inet_net_add(&net, &c->allow[i]);
		if (c->allow[i].prefix == 0)
			log_warn("this is an open relay: allow = %s in [listen] lets everybody "
				 "send mail through it",
				 buf_str(&net));
	}
}

void listener_sockets_update(struct manager *m) {
	struct listener *l = m->listener;
	if (!l->retry) /* we are closing */
		return;
	for (size_t i = 0; i < LISTEN_SOCKETS; i++)
		if (l->socket[i].fd >= 0 && !is_wanted(m, &l->socket[i]))
			drop(&l->socket[i]);
	warn_open_relay(&m->settings.listen);
	l->failed = false;
	try_again(m);
}

int listener_sockets_start(struct manager *m, struct err *err) {
	AUTO_BUF struct buf path = BUF_INIT(4096);
	struct listener *l = m->listener;
	for (size_t i = 0; i < LISTEN_SOCKETS; i++)
		l->socket[i].fd = -1;
	l->retry = loop_timer(m->loop, RETRY_MS, try_again, m);
	if (!l->retry)
		return err_set(err, ERR_MEMORY, "out of memory");
	loop_timer_stop(l->retry);
	buf_addf(&path, "%s/" SUBMIT_NAME, m->settings.rundir);
	return take_passed(m) ? 0 : open_unix(m, buf_str(&path), err);
}

void listener_sockets_close(struct listener *l) {
	loop_timer_free(l->retry);
	l->retry = NULL;
	for (size_t i = 0; i < LISTEN_SOCKETS; i++)
		if (l->socket[i].fd >= 0)
			drop(&l->socket[i]);
}
