#ifndef NIGHTMAIL_CLI_SETUP_H
#define NIGHTMAIL_CLI_SETUP_H

/*
 * Inside of nightmail setup: what the parts of it share.
 *
 *     setup_begin()      which file, and what it says now
 *     setup_plan()       what it is to say: import, options, questions
 *     setup_check()      is there a password, and does the relay let us in
 *     setup_write()      shown, agreed to, on disk
 */

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "config/draft.h"
#include "config/env.h"

#define SETUP_TEXT_MAX (1u << 20)

extern const char setup_program[];

struct setup_options {
	const char *config, *relay, *port, *tls, *ca, *login, *root, *password_file, *import,
		*test;
	bool yes, dry_run, undo, no_probe;
};

struct setup {
	struct setup_options o;
	bool asking; /* there is a person at a terminal, who was not told --yes */
	bool own;    /* a private instance: --config */
	struct config_env env;
	char *hostname;
	char *path, *folder; /* of the configuration */
	struct buf old, fresh;
	struct config_draft draft;
	struct buf secret; /* a password to write; empty: it is there already */
	bool refused;      /* the relay does not let us in; only a dry run goes on */
};

/* All of them return an exit code of sysexits.h, and have told what is wrong. */
int setup_begin(struct setup *s);
int setup_plan(struct setup *s);
int setup_check(struct setup *s);
int setup_write(struct setup *s);
int setup_undo(struct setup *s);
void setup_release(struct setup *s);

/* The file that holds the password, or NULL when it comes from elsewhere. */
const char *setup_password_path(const struct setup *s);

#endif
