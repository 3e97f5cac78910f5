#ifndef NIGHTMAIL_DELIVER_LISTENER_H
#define NIGHTMAIL_DELIVER_LISTENER_H

/*
 * Inside of the listener: listener.c begins and ends it, listener_sockets.c opens and closes
 * what clients connect to, listener_accept.c finds out who they are, listener_room.c counts
 * their sessions, listener_session.c is the process that serves one, and listener_spare.c lets
 * it serve the same user again.
 */

#include "base/inet.h"
#include "base/sandbox.h"
#include "deliver/state.h"
#include "submit/pickup.h"
#include "submit/plan.h"

#define LISTEN_UNIX_SESSIONS 128u
#define LISTEN_UNIX_EACH 32u
#define LISTEN_TCP_SESSIONS_MAX 1000u
/* Those that were told to make room count no more, but are there for a moment. */
#define LISTEN_LEAVING_MAX 128u
#define LISTEN_PASSED_MAX 16
/* Processes that may wait for a next client: in all, of one user by one way. */
#define LISTEN_SPARE_MAX 48u
#define LISTEN_SPARE_EACH 16u
#define LISTEN_SLOTS                                                                     \
	(LISTEN_UNIX_SESSIONS + LISTEN_TCP_SESSIONS_MAX + LISTEN_LEAVING_MAX +           \
	 LISTEN_SPARE_MAX)
#define LISTEN_SOCKETS (LISTEN_PASSED_MAX + CONFIG_TCP_MAX + 2)

/* Who a session is counted for: a uid, or where there is none an address. */
struct listen_client {
	bool tcp, has_uid;
	uid_t uid;
	struct inet_addr addr; /* of TCP; IPv6 without its last 64 bits */
};

struct listen_slot {
	pid_t pid; /* 0: free */
	bool leaving, limited;
	int channel; /* by which it gets its next client; -1: it will have none */
	struct listen_client client;
};

struct listen_socket {
	struct manager *manager;
	int fd; /* -1: free */
	struct loop_watch *watch;
	bool tcp, passed;
	struct inet_port wanted; /* tcp: as configured; passed: as bound */
	char *path;              /* Unix, not passed */
};

struct listener {
	struct listen_socket socket[LISTEN_SOCKETS];
	struct loop_timer *pause; /* ends the pause after a failed accept */
	struct loop_timer *retry; /* opens what could not be opened */
	struct loop_timer *look;  /* for what a session that was killed had queued */
	bool look_due;
	bool failed;              /* that was told already */
	unsigned count;           /* of slots in use */
	size_t top;               /* all of them are below */
	int64_t full_told_ms;
	struct listen_slot slot[LISTEN_SLOTS];
	void *board;                 /* shared with the sessions: */
	_Atomic int64_t *idle_since; /* LISTEN_SLOTS of them */
	_Atomic int *spare; /* shared: which of them wait, and whether there is no room to */
	int idle_fd, limits_fd;
	struct pickup pickup;
	struct sandbox *box;     /* of sessions that stay this program; NULL: sandbox = off */
	struct sandbox *tls_box; /* of those that may become nightmail-session; or NULL */
};

/* listener_accept.c: clients wait at the socket. */
void listener_accept(void *ctx, int fd, short revents);
/* Lets users in, or not while their pool is full. */
void listener_watch_users(struct listener *l);
/* For the timer that ends a pause of accepting. */
void listener_end_pause(void *ctx);

/* listener_room.c: is there room for one more session of this client? *ret_why is a reply. */
bool listener_has_room(struct manager *m, const struct listen_client *client,
		       const char **ret_why);
bool listener_is_full_of_users(const struct listener *l);
/* Tells the user's session to go that is idle for longest. */
void listener_make_room_for_users(struct listener *l);

/* listener_sockets.c: takes over what was passed, opens the socket of the users. */
int listener_sockets_start(struct manager *m, struct err *err);
/* Opens and closes by the settings; what cannot be opened is told and tried again. */
void listener_sockets_update(struct manager *m);
void listener_sockets_close(struct listener *l);

/* listener_spare.c, in the daemon. Does the process of this slot wait for a client? */
bool listener_spare_waits(const struct listener *l, size_t i);
/* Our end of a channel to a process that may wait later; -1: this one is not to. */
int listener_spare_channel(const struct listener *l, const struct listen_client *client,
			   int *ret_other);
/* Passes the connection to one that waits for this user; false: there is none. */
bool listener_spare_pass(struct listener *l, const struct listen_client *client, int fd);
/* It gets no more client: one, all; and while crowded, none of them begins to wait. */
void listener_spare_forget(struct listener *l, size_t i);
void listener_spare_end(struct listener *l);
void listener_spare_crowded(struct listener *l, bool crowded);

/* In the process: ends the connection and waits for another one in its place. */
struct listen_spare {
	int client, channel;
	unsigned served; /* clients so far */
	_Atomic int *state, *crowded;
};
bool listener_spare_next(void *ctx);

/* listener_session.c: makes ready what sessions from now on are put into. */
void listener_session_boxes(struct manager *m);
void listener_session_boxes_free(struct listener *l);
/* In the process of a session. Does not return. channel: where further
 * clients may come from, or -1. */
void listener_session(const struct manager *m, int fd, int channel, const struct plan *plan,
		      pid_t parent) __attribute__((noreturn));

#endif
