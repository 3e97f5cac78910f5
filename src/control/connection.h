#ifndef NIGHTMAIL_CONTROL_CONNECTION_H
#define NIGHTMAIL_CONTROL_CONNECTION_H

/*
 * Inside of src/control only: the server, and one connection of it. server.c listens and says
 * who comes in, connection.c reads the request and writes what answers it.
 */

#include "base/list.h"
#include "control/account.h"
#include "control/control.h"

struct control_server {
	struct loop *loop;
	char *path;
	int fd;
	struct loop_watch *watch;
	struct loop_timer *pause; /* ends the pause after a failed accept */
	struct list clients;
	unsigned client_count;
	struct accounts accounts;
	struct control_rules rules;
	control_request_fn *fn;
	void *ctx;
};

/* Takes the descriptor over. account: NULL for an administrator, whose work is not counted. */
void connection_new(struct control_server *s, int fd, const struct control_peer *peer,
		    struct account *account);
void connection_free_all(struct control_server *s);
/* A connection was closed: somebody else may have its place. */
void server_has_room(struct control_server *s);

#endif
