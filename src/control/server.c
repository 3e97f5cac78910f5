/*
 * The answering side of the control socket, inside the daemon's loop: who is let in. The
 * kernel says who somebody is. Everybody is accepted at once, so that the socket's backlog
 * is never full of those who have to be sent away; only when administrators have all the
 * places does the next one wait.
 */

#include "control/control.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/file.h"
#include "control/address.h"
#include "control/connection.h"

#define BACKLOG 512
#define ACCEPTS_A_ROUND 64
#define ACCEPT_PAUSE_MS 1000
#define GROUPS_MAX 1024u

static bool is_in_group(int fd, gid_t group, gid_t primary) {
	gid_t groups[GROUPS_MAX];
	socklen_t len = sizeof(groups);
	if (group == CONTROL_NO_GROUP)
		return false;
	if (primary == group)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) != 0)
		return false;
	for (size_t i = 0; i < len / sizeof(groups[0]); i++)
		if (groups[i] == group)
			return true;
	return false;
}

static int identify(const struct control_server *s, int fd, struct control_peer *ret) {
	struct ucred who;
	socklen_t len = sizeof(who);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) != 0)
		return -1;
	ret->uid = who.uid;
	ret->admin = who.uid == 0 || who.uid == geteuid() ||
		     is_in_group(fd, s->rules.admin_group, who.gid);
	return 0;
}

static void send_away(int fd, const char *line) {
	if (send(fd, line, strlen(line), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		shutdown(fd, SHUT_WR);
	close(fd);
}

static void let_in(struct control_server *s, int fd) {
	struct control_peer peer;
	struct account *account = NULL;
	if (identify(s, fd, &peer) != 0) {
		close(fd);
		return;
	}
	if (!peer.admin) {
		account = account_of(&s->accounts, peer.uid, clock_boot_ms());
		if (account && account->clients >= CONTROL_CLIENTS_A_USER) {
			send_away(fd, "{\"ok\":false,\"error\":\"this user asks too many "
				      "things at a time; try again in a moment\"}\n");
			return;
		}
		if (!account ||
		    s->client_count >= CONTROL_CLIENTS_MAX - CONTROL_RESERVED) {
			send_away(fd, "{\"ok\":false,\"error\":\"nightmaild has too many "
				      "clients; try again in a moment\"}\n");
			return;
		}
	}
	connection_new(s, fd, &peer, account);
}

/* Without a free descriptor a client goes on waiting in the socket, which stays readable:
 * polled all the time, it would keep the processor busy. */
static void accept_clients(void *ctx, int fd, short revents) {
	struct control_server *s = ctx;
	(void)revents;
	for (int i = 0; i < ACCEPTS_A_ROUND && s->client_count < CONTROL_CLIENTS_MAX;
	     i++) {
		int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (client < 0 && errno != EAGAIN && errno != EINTR) {
			loop_watch_events(s->watch, 0);
			loop_timer_set(s->pause, ACCEPT_PAUSE_MS);
		}
		if (client < 0)
			return;
		let_in(s, client);
	}
	if (s->client_count >= CONTROL_CLIENTS_MAX)
		loop_watch_events(s->watch, 0);
}

void server_has_room(struct control_server *s) {
	if (s->client_count == CONTROL_CLIENTS_MAX - 1)
		loop_watch_events(s->watch, POLLIN);
}

static void end_pause(void *ctx) {
	struct control_server *s = ctx;
	if (s->client_count < CONTROL_CLIENTS_MAX)
		loop_watch_events(s->watch, POLLIN);
}

static int bind_at(const char *path, unsigned mode, struct err *err) {
	struct sockaddr_un addr;
	socklen_t addr_len;
	AUTO_FD int fd = control_socket(path, SOCK_STREAM, &addr, &addr_len, err);
	if (fd < 0)
		return -1;
	if (file_unlink(AT_FDCWD, path) != 0 && errno != ENOENT)
		return err_sys(err, "%s: cannot replace it", path);
	if (bind(fd, (struct sockaddr *)&addr, addr_len) != 0 || chmod(path, mode) != 0 ||
	    listen(fd, BACKLOG) != 0)
		return err_sys(err, "%s: cannot listen", path);
	return take_fd(&fd);
}

struct control_server *control_listen(struct loop *loop, const char *path,
				      const struct control_rules *rules,
				      control_request_fn *fn, void *ctx,
				      struct err *err) {
	struct control_server *s = calloc(1, sizeof(*s));
	if (!s || !(s->path = span_dup(span_str(path)))) {
		free(s);
		err_set(err, ERR_MEMORY, "out of memory");
		return NULL;
	}
	s->loop = loop;
	s->rules = *rules;
	s->fn = fn;
	s->ctx = ctx;
	list_init(&s->clients);
	s->fd = bind_at(path, rules->mode, err);
	if (s->fd >= 0) {
		s->watch = loop_watch(loop, s->fd, POLLIN, accept_clients, s);
		s->pause = loop_timer(loop, 0, end_pause, s);
	}
	if (s->watch && s->pause)
		return s;
	if (s->fd >= 0)
		err_set(err, ERR_MEMORY, "out of memory");
	control_server_free(s);
	return NULL;
}

void control_server_free(struct control_server *s) {
	if (!s)
		return;
	connection_free_all(s);
	loop_unwatch(s->watch);
	loop_timer_free(s->pause);
	if (s->fd >= 0) {
		close(s->fd);
		file_unlink(AT_FDCWD, s->path);
	}
	free(s->path);
	free(s);
}
