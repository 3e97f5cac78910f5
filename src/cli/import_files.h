#ifndef NIGHTMAIL_CLI_IMPORT_FILES_H
#define NIGHTMAIL_CLI_IMPORT_FILES_H

/* The files of other relays on this machine, for `nightmail config import` and `setup`. */

#include "base/err.h"
#include "config/import.h"

/*
 * Reads a peer's settings: from the files given (in the order of the peer's table, where their
 * names do not tell which they are; "-" is standard input, and a folder stands for the files
 * in it), or, with count 0, from where they usually are; a person's own file goes before the
 * system's. Release *ret in both cases.
 *
 * -1: ERR_MISSING when the peer's first file is not there, ERR_SYSTEM when it cannot be read,
 * else words. Other files that cannot be read become notes.
 */
int import_files_read(const struct import_peer *peer, char *const files[], size_t count,
		      struct import *ret, struct err *err);

/* The path of the peer's first file as it is on this machine (malloc), or NULL when none. */
char *import_files_find(const struct import_peer *peer);

/* Lets the draft say where the password is, when there is a login: in that file, unless a
 * command of the peer's gives it. */
int import_files_refer(struct import *in, const char *password_file, struct err *err);

#endif
