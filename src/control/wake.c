/*
 * Wake-ups: one datagram "there is new mail" from whoever queued it to the manager. It is
 * a hint only: the manager looks into the queue by itself once a minute, so a wake-up may
 * be lost, forged or late. Kept apart from the rest of control/ because every submission
 * links it.
 */

#include "control/control.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/file.h"
#include "control/address.h"

void control_wake(const char *wake_path, struct span id) {
	AUTO_FD int fd = control_wake_socket();
	control_wake_by(fd, wake_path, id);
}

int control_wake_socket(void) {
	return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

void control_wake_by(int fd, const char *wake_path, struct span id) {
	struct sockaddr_un addr;
	socklen_t addr_len;
	if (control_address(wake_path, &addr, &addr_len, NULL) != 0)
		return;
	const void *p = id.len ? id.p : "";
	if (sendto(fd, p, id.len, MSG_NOSIGNAL, (struct sockaddr *)&addr, addr_len) < 0)
		return; /* nobody there, or busy: the queue is looked through anyway */
}

int control_wake_listen(const char *wake_path, struct err *err) {
	struct sockaddr_un addr;
	socklen_t addr_len;
	AUTO_FD int fd = control_socket(wake_path, SOCK_DGRAM, &addr, &addr_len, err);
	if (fd < 0)
		return -1;
	if (file_unlink(AT_FDCWD, wake_path) != 0 && errno != ENOENT)
		return err_sys(err, "%s: cannot replace it", wake_path);
	if (bind(fd, (struct sockaddr *)&addr, addr_len) != 0)
		return err_sys(err, "%s: cannot bind", wake_path);
	return take_fd(&fd);
}

bool control_wake_take(int fd, char *ret, size_t max, size_t *ret_len) {
	ssize_t n;
	do
		n = recv(fd, ret, max, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return false;
	*ret_len = (size_t)n;
	return true;
}
