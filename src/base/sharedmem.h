#ifndef NIGHTMAIL_BASE_SHAREDMEM_H
#define NIGHTMAIL_BASE_SHAREDMEM_H

/* Memory that a process shares with its children, also with those that execute another
 * program: they map it again by the descriptor they are given. */

#include <stddef.h>

/* Zeroed memory; *ret_fd is close-on-exec. NULL with errno. */
void *sharedmem_new(size_t size, int *ret_fd);
/* Maps what a parent made; NULL with errno, also when it has another size. */
void *sharedmem_open(int fd, size_t size);
void sharedmem_free(void *p, size_t size);

#endif
