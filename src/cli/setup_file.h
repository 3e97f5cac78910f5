#ifndef NIGHTMAIL_CLI_SETUP_FILE_H
#define NIGHTMAIL_CLI_SETUP_FILE_H

/*
 * Files that setup changes, and how a change is taken back: before a file is replaced, what it
 * held goes to FILE.before-setup, which is empty when there was no such file.
 */

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

/* Appends the file's text; one that is not there is empty. */
int setup_file_read(const char *path, struct buf *out, struct err *err);
/* Makes the folder of the path where it is missing, with those above it. */
int setup_file_make_folder(const char *path, struct err *err);
/* Keeps what is there now, with the given mode. */
int setup_file_keep(const char *path, unsigned mode, struct err *err);
/* Forgets what was kept. */
void setup_file_forget(const char *path);
/* Puts back what was kept. 1: done; 0: nothing was kept; -1: failed. */
int setup_file_restore(const char *path, unsigned mode, struct err *err);

#endif
