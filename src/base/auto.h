#ifndef NIGHTMAIL_BASE_AUTO_H
#define NIGHTMAIL_BASE_AUTO_H

/*
 * Cleanup at the end of a scope. AUTO_FD int fd = -1; closes a descriptor >= 0 (errno is
 * kept), AUTO_FREE char *p = NULL; frees. Ownership leaves by return take_ptr(&p) or
 * take_fd(&fd).
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/banned.h"

static inline void auto_close(int *fd) {
	if (*fd >= 0) {
		int saved = errno;
		close(*fd);
		errno = saved;
	}
}
/* p points to a pointer of any type, so it is read as bytes. */
static inline void auto_free(void *p) {
	void *owned;
	memcpy(&owned, p, sizeof(owned));
	free(owned);
}
static inline int take_fd(int *fd) {
	int r = *fd;
	*fd = -1;
	return r;
}

#define AUTO_FD __attribute__((cleanup(auto_close)))
#define AUTO_FREE __attribute__((cleanup(auto_free)))
#define take_ptr(pp)                              \
	__extension__({                           \
		__typeof__(*(pp)) taken_ = *(pp); \
		*(pp) = NULL;                     \
		taken_;                           \
	})

#endif
