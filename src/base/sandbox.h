#ifndef NIGHTMAIL_BASE_SANDBOX_H
#define NIGHTMAIL_BASE_SANDBOX_H

/*
 * What a process gives up for good before it reads bytes of strangers: it changes files
 * below some directories only and starts no program, or one (Landlock), and asks nothing of the
 * kernel that mail does not need (seccomp). What the kernel cannot do is left out.
 *
 * Prepared once, entered by each process that is forked afterwards: entering costs a few
 * system calls and no memory.
 */

#include <stddef.h>

#include "base/err.h"

struct sandbox;

enum {
	SANDBOX_CONNECT = 1, /* may open connections to other hosts */
};

/* writable: directories below which files may be made, changed and removed; reading is not
 * limited. uses: SANDBOX_*. program: what the process may become all the same, and is confined
 * as before, or NULL; allowed is its directory and its loader's, since an update puts new files
 * there. NULL: one of them is not there, or no memory. */
struct sandbox *sandbox_new(const char *const writable[], size_t count, unsigned uses,
			    const char *program, struct err *err);
void sandbox_free(struct sandbox *s);
/* From now on; also no privileges by execve, and no core. -1: it could not be made so, and the
 * process must not go on. */
int sandbox_enter(const struct sandbox *s, struct err *err);
/* What will be in force: "Landlock and seccomp", "seccomp", ... */
const char *sandbox_words(const struct sandbox *s);

#include "base/banned.h"

#endif
