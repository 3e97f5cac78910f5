/* Tells the service manager how we are: one datagram to the socket it named. */

#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/log.h"
#include "deliver/state.h"

void supervisor_tell(const char *state) {
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct span path = span_str(secure_getenv("NOTIFY_SOCKET"));
	if (path.len == 0 || path.len >= sizeof(addr.sun_path))
		return;
	memcpy(addr.sun_path, path.p, path.len);
	if (addr.sun_path[0] == '@') /* an abstract name */
		addr.sun_path[0] = '\0';
	AUTO_FD int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.len);
	if (fd < 0 || sendto(fd, state, strlen(state), MSG_NOSIGNAL,
			     (struct sockaddr *)&addr, len) < 0)
		log_debug("the service manager could not be told \"%s\"", state);
}
