#ifndef NIGHTMAIL_MAIL_ALIASES_H
#define NIGHTMAIL_MAIL_ALIASES_H

/*
 * The aliases(5) file: local names and where their mail goes.
 *
 *     name: address, "quoted name", :include:/path   # lists, over several lines when those
 *         that follow begin with a blank
 *
 * Read as bytes into a table; files of :include: come through a callback, so nothing here
 * does I/O. What cannot be honoured (commands, files, local mailboxes) makes its whole name
 * faulty: mail to it waits with these words, since half a list would lose mail.
 */

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

#define ALIASES_FILE_MAX (1u << 20) /* bytes of the file, and of each included one */
#define ALIASES_TEXT_MAX (8u << 20) /* bytes of all names and addresses */
#define ALIASES_NAMES_MAX 65536u
#define ALIASES_TARGETS_MAX 1000u /* addresses of one name */

/* One name. The offsets are those of C strings in the table's text. */
struct aliases_entry {
	size_t name;    /* lower case, without quotes */
	size_t targets; /* the first of `count` strings, one behind the other */
	size_t count;
	size_t fault; /* words, 0: none */
	unsigned line;
};

struct aliases {
	struct aliases_entry *entry; /* sorted by name */
	size_t count;
	struct buf text;
};

/* Appends the content of an included file. -1: cannot, with words. */
typedef int aliases_include_fn(void *ctx, struct span path, struct buf *out,
			       struct err *err);

/*
 * Reads the file's bytes; `label` is what complaints call it. include may be NULL: then
 * :include: is refused. Complaints ("aliases:12: ...", one a line, safe to show) are added
 * to `complaints` (may be NULL); they do not make it fail. Returns 0, or -1: no memory, or
 * over a limit. Release *ret with aliases_release().
 */
int aliases_parse(struct span bytes, const char *label, aliases_include_fn *include,
		  void *ctx, struct aliases *ret, struct buf *complaints,
		  struct err *err);
void aliases_release(struct aliases *a);

/* Finds a local name (unquoted; ASCII letters without case), or NULL. */
const struct aliases_entry *aliases_find(const struct aliases *a, struct span name);
/* What is wrong with the entry, or NULL. */
const char *aliases_fault(const struct aliases *a, const struct aliases_entry *e);
/* The i-th address of the entry, canonical. */
struct span aliases_target(const struct aliases *a, const struct aliases_entry *e,
			   size_t i);

#endif
