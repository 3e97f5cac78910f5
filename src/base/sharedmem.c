/* Memory files (memfd_create(2)): they have no name, and go with their last user. */

#include "base/sharedmem.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"

static void *map(int fd, size_t size) {
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return p == MAP_FAILED ? NULL : p;
}

void *sharedmem_new(size_t size, int *ret_fd) {
	AUTO_FD int fd = memfd_create("nightmail", MFD_CLOEXEC);
	/* fallocate(2) makes room here and now: a write to the memory must not fail later. */
	int sys = fd < 0 ? errno : posix_fallocate(fd, 0, (off_t)size);
	if (sys != 0) {
		errno = sys;
		return NULL;
	}
	void *p = map(fd, size);
	if (p)
		*ret_fd = take_fd(&fd);
	return p;
}

void *sharedmem_open(int fd, size_t size) {
	struct stat st;
	if (fstat(fd, &st) != 0)
		return NULL;
	if (!S_ISREG(st.st_mode) || (size_t)st.st_size != size) {
		errno = EINVAL;
		return NULL;
	}
	return map(fd, size);
}

void sharedmem_free(void *p, size_t size) {
	if (p)
		munmap(p, size);
}
