/*
 * nightmail-deliver: started by nightmaild with one end of a channel as descriptor 3; see
 * deliver/parent.h.
 */

#include <fcntl.h>
#include <sys/socket.h>

#include "base/proc.h"
#include "cli/helper.h"
#include "deliver/parent.h"

#define PROGRAM "nightmail-deliver"
#define CHANNEL_FD 3

int main(int argc, char **argv) {
	int status = helper_start(
		PROGRAM,
		"Delivers queued mail. nightmaild(8) starts it when there is mail "
		"to deliver;",
		argc, argv);
	if (status >= 0)
		return status;
	if (!helper_has_socket(CHANNEL_FD, SOCK_SEQPACKET))
		return helper_refuse(PROGRAM);
	fcntl(CHANNEL_FD, F_SETFD, FD_CLOEXEC);
	proc_harden();
	return deliver_parent(CHANNEL_FD);
}
