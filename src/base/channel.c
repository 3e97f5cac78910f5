/*
 * Framed messages between our processes: SOCK_SEQPACKET keeps the frames apart, so there
 * is no length prefix and no half frame.
 */

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/proc.h"

/* Room for the one descriptor that a frame may carry, aligned as the kernel wants it. */
union one_fd {
	struct cmsghdr head;
	char bytes[CMSG_SPACE(sizeof(int))];
};

int proc_channel(int ret_fds[2], struct err *err) {
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
		       ret_fds) != 0)
		return err_sys(err, "cannot make a socket pair");
	return 0;
}

int proc_send(int fd, struct span frame, int pass_fd) {
	if (frame.len == 0 || frame.len > PROC_FRAME_MAX) {
		errno = EMSGSIZE;
		return -1;
	}
	/* sendmsg() only reads; struct iovec has no const. */
	struct iovec iov = { .iov_base = (void *)(uintptr_t)frame.p,
			     .iov_len = frame.len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	union one_fd control;
	if (pass_fd >= 0) {
		memset(&control, 0, sizeof(control));
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &pass_fd, sizeof(int));
	}
	ssize_t n;
	do
		n = sendmsg(fd, &msg, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == ECONNRESET)
		errno = EPIPE; /* what a dead peer that left frames unread shows first */
	return n < 0 ? -1 : 0;
}

static int passed_fd(struct msghdr *msg) {
	int fd = -1;
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(c), sizeof(int));
	return fd;
}

int proc_recv(int fd, struct buf *out, int *ret_fd) {
	buf_reset(out);
	if (ret_fd)
		*ret_fd = -1;
	char *room = buf_room(out, out->max < PROC_FRAME_MAX ? out->max : PROC_FRAME_MAX);
	if (!room) {
		errno = ENOMEM;
		return -1;
	}
	struct iovec iov = {
		.iov_base = room,
		.iov_len = out->max < PROC_FRAME_MAX ? out->max : PROC_FRAME_MAX,
	};
	union one_fd control;
	/* Less than sizeof(control), whose padding has room for a second descriptor. */
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_LEN(sizeof(int)),
	};
	ssize_t n;
	do
		n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	/* A peer that died with unread frames of ours shows as a reset: also an end. */
	if (n < 0)
		return errno == ECONNRESET ? 0 : -1;

	int passed = passed_fd(&msg);
	bool whole = !(msg.msg_flags & MSG_TRUNC);
	if (passed >= 0 && (!ret_fd || !whole)) {
		close(passed);
		passed = -1;
	}
	if (!whole) {
		errno = EMSGSIZE;
		return -1;
	}
	if (ret_fd)
		*ret_fd = passed;
	buf_grew(out, (size_t)n);
	return n > 0;
}
