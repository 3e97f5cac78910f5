#ifndef NIGHTMAIL_CLI_MAILQ_SOURCE_H
#define NIGHTMAIL_CLI_MAILQ_SOURCE_H

/*
 * Where mailq gets its answers: from the running daemon by its control socket, or, when
 * none runs, from the spool itself, whose owner mailq then becomes for as long as it
 * works. Both answer the same requests with the same JSON lines (control/control.h).
 */

#include <stdbool.h>

#include "base/err.h"
#include "base/span.h"
#include "config/settings.h"
#include "control/control.h"
#include "queue/queue.h"

struct mailq_source {
	const struct settings *settings;
	bool deliverable;         /* the configuration is sound */
	struct queue *q;          /* without a daemon: the spool, owned */
	unsigned long unreadable; /* files that a listing without a daemon left out */
};

/* Finds the daemon or takes the spool. ERR_DENIED: no right to; ERR_MISSING: no spool
 * there (then nothing was ever queued). */
int mailq_source_open(struct mailq_source *s, const struct settings *settings,
		      bool deliverable, struct err *err);
void mailq_source_close(struct mailq_source *s);

/* Lists messages: those whose IDs end in one of the words, or all; dead ones too if
 * asked. */
int mailq_source_list(struct mailq_source *s, const char *const ids[], size_t count,
		      bool dead, control_line_fn *fn, void *ctx, struct err *err);
/* Applies a verb ("hold") to messages, or to all, or with both to those of them that are there
 * still. fn sees {"id":...,"pending":bool} or {"id":...,"error":"..."} for each. */
int mailq_source_apply(struct mailq_source *s, const char *verb, const char *const ids[],
		       size_t count, bool all, control_line_fn *fn, void *ctx,
		       struct err *err);

/* Shows one message: fn sees its object with uid, origin and journal, then lines
 * {"content":BASE64}: its header, or all of it. */
int mailq_source_show(struct mailq_source *s, const char *id, bool body, control_line_fn *fn,
		      void *ctx, struct err *err);
/* Edits one message; `changes` are the words of the request behind the ID, each with a blank
 * before it. fn sees the answer {"id":...,"new":...,"pending":bool}. */
int mailq_source_edit(struct mailq_source *s, const char *id, struct span changes,
		      control_line_fn *fn, void *ctx, struct err *err);

#endif
