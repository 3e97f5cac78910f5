#ifndef NIGHTMAIL_CLI_MAILQ_H
#define NIGHTMAIL_CLI_MAILQ_H

/* What the files of mailq share: one call of it, and the commands. */

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/term.h"
#include "cli/mailq_source.h"
#include "config/settings.h"
#include "queue/filter.h"

struct mailq {
	const char *config;
	bool all, json, body, repair, flush; /* options */
	enum term_color color;
	char *flush_id; /* of -qI */
	char **ids; /* operands behind the command */
	size_t count;
	struct filter filter; /* operands that are filters */
	struct buf changes;   /* of edit: words of the request, each with a blank before it */
	struct settings settings;
	bool deliverable; /* the configuration is sound */
};

/* The commands; each returns the exit code. */
int mailq_list(struct mailq *m);
int mailq_show(struct mailq *m);
int mailq_check(struct mailq *m);
int mailq_edit(struct mailq *m);
/* flush, hold, release, delete, bounce: of messages named, of those that pass the filter, or of
 * all */
int mailq_apply(struct mailq *m, const char *verb);

#endif
