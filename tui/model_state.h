#ifndef NIGHTMAIL_TUI_MODEL_STATE_H
#define NIGHTMAIL_TUI_MODEL_STATE_H

/*
 * Inside the model only: model.c (polling, what was heard), model_ask.c (what is asked when),
 * model_some.c (messages that changed), model_job.c (actions).
 */

#include "tui/model.h"
#include "tui/model_wire.h"
#include "tui/model_read.h"
#include "tui/model_rows.h"

/* The questions, each over a connection of its own. */
enum model_ask { ASK_EVENTS, ASK_STATUS, ASK_LIST, ASK_SOME, ASK_SHOW, ASK_JOB, ASKS };

#define MODEL_SOME_MAX 64u    /* messages asked for at once */
#define MODEL_DIRTY_MAX 4096u /* beyond: everything is listed anew */
#define MODEL_BATCH 200u      /* messages of one request of an action */
#define MODEL_CHILDREN_MAX 16u

/* A message of which an event spoke: what it looks like now has to be asked. */
struct model_dirty {
	char id[MODEL_ID_SIZE];
	int64_t since_ms;
};

struct model {
	char *control, *queue;
	bool deliverable, read_only;

	struct model_wire link[ASKS];
	enum model_source {
		SOURCE_NONE,
		SOURCE_DAEMON,
		SOURCE_SPOOL
	} to; /* who is asked */
	enum model_link shown_link;
	char words[ERR_MSG_SIZE];
	pid_t child[MODEL_CHILDREN_MAX]; /* that ended or will soon */
	size_t children;

	struct model_rows rows;
	bool listed; /* a whole listing came since the connection was made */
	bool stale;  /* something that should have answered did not */
	bool live;   /* events come */
	int64_t as_of_s;
	int64_t list_cost_ms;

	struct model_status status;
	uint64_t counted_version; /* of the rows that status.count is about */

	struct model_event event[MODEL_EVENTS_MAX];
	size_t events, event_next;

	struct model_dirty dirty[MODEL_DIRTY_MAX]; /* a ring */
	size_t dirty_first, dirty_count;
	char some[MODEL_SOME_MAX][MODEL_ID_SIZE]; /* asked for now */
	size_t some_count;

	/* boot times of what is due; INT64_MAX: not */
	int64_t connect_at, list_at, status_at, show_at;

	struct model_read_detail detail, coming;
	char wanted[MODEL_ID_SIZE];
	uint64_t detail_version;

	struct model_job job;
	char (*job_id)[MODEL_ID_SIZE]; /* those not answered yet are from job_next on */
	size_t job_next, job_asked;    /* job_asked: in the request under way */
	struct buf job_edit;           /* the words of an edit */

	bool changed; /* since model_ready() began */
};

#define MODEL_NEVER INT64_MAX
#define MODEL_RETRY_MS 2000 /* from one try to ask to the next */
#define MODEL_SETTLE_MS 250 /* from an event to the question */

/* --- model.c --- */
/* Sets the words that say what is wrong; "" when all is well. */
void model_say(struct model *m, const char *words);

/* --- model_ask.c --- */
/* Asks what is due. */
void model_ask_due(struct model *m, int64_t now_ms);
/* Opens the question; a failure is kept in the model's words. */
int model_ask(struct model *m, enum model_ask ask, struct span request, struct err *err);
/* The connection that an answer came by is at its end: r as model_read_verdict(), or -1 with
 * the error that it broke off. */
void model_ask_ended(struct model *m, enum model_ask ask, int r, const struct err *err);
/* The earliest time at which something is due. */
int64_t model_ask_next(const struct model *m);

/* --- model_some.c --- */
/* A message changed, or may have. */
void model_ask_about(struct model *m, const char *id);
/* It is gone: it need not be asked about any more. */
void model_ask_not(struct model *m, const char *id);
/* The ID among these that the words of an error name; `count` when none is. */
size_t model_ask_named(const char (*ids)[MODEL_ID_SIZE], size_t count, const char *words);
/* Asks for those whose event is a moment old, and takes the end of the answer. */
void model_some_go(struct model *m, int64_t now_ms);
void model_some_ended(struct model *m, int r, const struct err *err);

/* --- model_job.c --- */
/* Asks for the next batch of the action under way. */
void model_job_go(struct model *m);
void model_job_line(struct model *m, struct span line);
void model_job_ended(struct model *m, int r, const struct err *err);
void model_job_release(struct model *m);

#endif
