#ifndef NIGHTMAIL_CLI_HELPER_H
#define NIGHTMAIL_CLI_HELPER_H

/*
 * What the programs have in common that nightmaild starts and nobody else: how they begin, and
 * the few options they have. A person who starts one gets a sentence that says so.
 */

#include <stdbool.h>

/* First call of main(). does: what it is for, for --help, in lines. -1: goes on; else it is to end
 * with this status. */
int helper_start(const char *program, const char *does, int argc, char **argv);
/* Complains that it was started by hand; returns the status. */
int helper_refuse(const char *program);
/* Is this descriptor a socket of that type (SOCK_STREAM, ...)? */
bool helper_has_socket(int fd, int type);

#endif
