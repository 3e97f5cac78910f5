/*
 * nightmail-session: takes the place of a session of nightmaild whose client asks for TLS; see
 * deliver/handover.h.
 */

#include <fcntl.h>
#include <sys/socket.h>

#include "base/proc.h"
#include "cli/helper.h"
#include "deliver/handover.h"

#define PROGRAM "nightmail-session"

int main(int argc, char **argv) {
	int status = helper_start(
		PROGRAM,
		"Serves a client that asked for TLS. nightmaild(8) starts it for "
		"such a client;",
		argc, argv);
	if (status >= 0)
		return status;
	if (!helper_has_socket(HANDOVER_CLIENT_FD, SOCK_STREAM) ||
	    fcntl(HANDOVER_PLAN_FD, F_GETFD) < 0)
		return helper_refuse(PROGRAM);
	for (int fd = HANDOVER_CLIENT_FD; fd <= HANDOVER_PLAN_FD; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	proc_harden();
	return handover_take();
}
