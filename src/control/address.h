#ifndef NIGHTMAIL_CONTROL_ADDRESS_H
#define NIGHTMAIL_CONTROL_ADDRESS_H

/* Addresses of Unix sockets, and sockets for them. */

#include <sys/socket.h>
#include <sys/un.h>

#include "base/err.h"

/* Fills the address for a path; -1 with ERR_LIMIT when it is too long. */
int control_address(const char *path, struct sockaddr_un *ret, socklen_t *ret_len,
		    struct err *err);
/* The same, and a socket of that type (SOCK_STREAM, SOCK_DGRAM), closed by exec and not
 * blocking; returns it, or -1. */
int control_socket(const char *path, int type, struct sockaddr_un *ret, socklen_t *ret_len,
		   struct err *err);

#endif
