/* Addresses of Unix sockets. The length counts the path's NUL, as unix(7) wants it. */

#include "control/address.h"

#include <stddef.h>
#include <string.h>

int control_address(const char *path, struct sockaddr_un *ret, socklen_t *ret_len,
		    struct err *err) {
	size_t len = strlen(path);
	if (len >= sizeof(ret->sun_path))
		return err_set(err, ERR_LIMIT, "%s: longer than a socket path may be",
			       path);
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(ret->sun_path, path, len + 1);
	*ret_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
	return 0;
}

int control_socket(const char *path, int type, struct sockaddr_un *ret,
		   socklen_t *ret_len, struct err *err) {
	if (control_address(path, ret, ret_len, err) != 0)
		return -1;
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return fd < 0 ? err_sys(err, "%s: cannot make a socket", path) : fd;
}
