#ifndef NIGHTMAIL_SUBMIT_ACCESS_H
#define NIGHTMAIL_SUBMIT_ACCESS_H

/* What a client by TCP may do, and which user of this machine it is, if one. */

#include <sys/types.h>

#include "base/inet.h"
#include "submit/session.h"

struct access_rules {
	const struct inet_net *allow;
	size_t allow_count;
	bool trust_local; /* loopback may send */
	bool logins;      /* there are users who may log in */
};

enum session_right access_right(const struct access_rules *rules,
				const struct inet_addr *client);

/*
 * Whose socket the other end of a loopback connection is, by the kernel's table of them. False
 * where that cannot be told for sure: another machine's, or nobody has it open any more.
 */
bool access_uid(const struct inet_port *client, const struct inet_port *us, uid_t *ret);
/* The same in a text of proc(5)'s net/tcp or (mapped: IPv4 as IPv6) net/tcp6. */
bool access_uid_in(struct span table, const struct inet_port *client,
		   const struct inet_port *us, bool mapped, uid_t *ret);

#endif
