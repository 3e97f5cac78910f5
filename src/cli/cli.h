#ifndef NIGHTMAIL_CLI_CLI_H
#define NIGHTMAIL_CLI_CLI_H

/* What the command line programs share: usage errors, the version, other programs of
 * ours. */

#include <stdio.h>

#include "base/err.h"
#include "config/settings.h"
#include "mail/wishes.h"

struct option;

/* Prints "name: words" and "try 'name --help'" to stderr; returns EX_USAGE. */
int cli_usage(const char *program, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Prints "name: words" to stderr; foreign bytes are made safe. Returns `status`. */
int cli_fail(const char *program, int status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Complains about what getopt_long() just found wrong: opt is '?' or ':', and the option
 * string begins with ':'. longs: its table, of which the nearest one is named; or NULL. Returns
 * EX_USAGE. */
int cli_bad_option(const char *program, int opt, char *const argv[],
		   const struct option *longs);
/* "name (nightmail) VERSION"; returns 0. */
int cli_version(const char *program);
/* For a program that meets strangers: changes no file and starts no program from now on but that
 * helper (proc_helper(), NULL: none), and asks of the kernel only what talking to them needs
 * (base/sandbox.h). Returns 0 or an exit code. */
int cli_confine(const char *program, const char *helper);
/* Ends standard output: returns `status`, or EX_IOERR with words when it cannot be written. That
 * nobody reads on is no failure worth words: that is how 'mailq | head' ends. */
int cli_close_output(const char *program, int status);
/* Prints each line of the configuration's complaints to stderr. */
void cli_complaints(const char *program, const struct buf *errors);

/* Loads the settings of a program that queues mail. Errors are told only when there is
 * no queue at all: then EX_TEMPFAIL. Release *ret in both cases. */
int cli_load(const char *program, const char *config, struct settings *ret);

/* Replaces this process with another program of ours: the one beside us, else the
 * installed one; never with itself by another name. Returns only on failure: EX_OSERR. */
int cli_exec(const char *program, const char *name, const char *const argv[]);
/* Complains of a relay that is asked for by --relay and is not there: EX_USAGE. 0: it is, or the
 * configuration has none at all, or the name is empty. */
int cli_check_relay(const char *program, const struct settings *settings, const char *name);
/* Becomes `nightmail explain`, for mail from one to others; from "": the null sender. config may
 * be NULL, and wishes too (what the sender asks for). Returns only on failure, as cli_exec(). */
enum cli_explain_form { CLI_EXPLAIN_WORDS, CLI_EXPLAIN_JSON };
int cli_exec_explain(const char *program, const char *config, enum cli_explain_form form,
		     const struct mail_wishes *wishes, const char *from, char *const to[],
		     size_t count);

/*
 * Prepares to touch the spool: as root acting for another owner, takes that owner's
 * effective user and group (the real ones stay, for Received and rights). -1: cannot.
 */
int cli_become_owner(const struct settings *settings, struct err *err);

#endif
