#ifndef NIGHTMAIL_TUI_MODEL_H
#define NIGHTMAIL_TUI_MODEL_H

/*
 * What the dashboard knows of the queue: rows, the daemon's status, the details of one
 * message, and the action that is under way. It owns the connections to the control socket
 * and never waits: the application polls its descriptors and calls model_ready().
 *
 *     struct model *m = model_new(&options);
 *     for (;;) {
 *             n = model_fds(m, fds, MODEL_FDS_MAX);
 *             poll(fds, n, model_timeout_ms(m));
 *             if (model_ready(m, fds, n))
 *                     draw();
 *     }
 *
 * Everything read from a model stays as it is until the next call of model_ready() or of a
 * function below that takes a `struct model *` which is not const: so nothing moves while
 * a screen is drawn. Views keep IDs, no pointers.
 *
 * Where it comes from: from the daemon by its control socket; or, when none runs and we own
 * the spool, from a child process that reads the queue without changing anything and speaks
 * the same lines over a socket pair. Answers to questions nobody has any more (the person
 * went on to another message) are dropped by their generation.
 *
 * All texts are foreign bytes, cut but otherwise as they came, NUL-terminated: they go to
 * the screen through draw.h alone, which makes them safe. Times are seconds since 1970;
 * NO_TIME: there is none.
 */

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

#define MODEL_FDS_MAX 8
#define MODEL_ROWS_MAX 500000u
#define MODEL_ID_SIZE 17 /* with the NUL */
#define MODEL_EVENTS_MAX 256u
#define MODEL_RELAYS_MAX 64u
#define MODEL_DESTINATIONS_MAX 64u
#define MODEL_MINUTES_MAX 60u
#define MODEL_HOURS_MAX 48u
#define NO_TIME INT64_MIN

struct model;

struct model_options {
	const char *control; /* path of the control socket */
	const char *
		queue; /* directory of the spool, for when no daemon runs; NULL: do not look */
	bool deliverable; /* the configuration is sound */
	bool read_only;   /* --read-only: every action is refused */
};

/* Copies the options. NULL: no memory. The first connection is made by model_ready(). */
struct model *model_new(const struct model_options *options);
void model_free(struct model *m);

/* --- polling --- */

/* Fills in what to poll for; returns how many, at most max. */
size_t model_fds(struct model *m, struct pollfd *fds, size_t max);
/* How long poll may wait for the model's sake; -1: for ever. */
int model_timeout_ms(const struct model *m);
/* Takes what is there (a bounded amount) and does what is due, also with n = 0. True: what
 * is shown may have changed. */
bool model_ready(struct model *m, const struct pollfd *fds, size_t n);

/* --- how true it is --- */

enum model_link {
	MODEL_CONNECTING, /* nobody has answered yet */
	MODEL_DAEMON,     /* nightmaild answers */
	MODEL_SPOOL,      /* no daemon; the queue is read from the disk */
	MODEL_LOST,       /* no daemon, and no spool of ours to read; words say why */
};
enum model_link model_link(const struct model *m);
/* Why there is no daemon, or why the last refresh failed; "" when all is well. */
const char *model_link_words(const struct model *m);

enum model_truth {
	MODEL_NOTHING, /* nothing was read yet */
	MODEL_FRESH,   /* as it is now */
	MODEL_STALE, /* the connection broke, or the daemon does not answer: as it was then */
};
enum model_truth model_truth(const struct model *m);
/* When the rows were true the last time. NO_TIME: never. */
int64_t model_as_of(const struct model *m);
/* True while the first reading of all rows is under way. */
bool model_loading(const struct model *m);
/* Asks for everything anew (Ctrl-L, F5). */
void model_refresh(struct model *m);

/* --- rows: the messages, the oldest first --- */

enum model_state { MODEL_QUEUED, MODEL_ACTIVE, MODEL_DEFERRED, MODEL_HELD, MODEL_DEAD };
#define MODEL_STATES 5
const char *model_state_name(enum model_state s); /* "queued", "active", ... */

struct model_row {
	char id[MODEL_ID_SIZE];
	enum model_state state;
	int64_t created, next; /* next may be NO_TIME */
	uint64_t size;
	unsigned attempts;
	unsigned recipients; /* of the envelope */
	unsigned waiting;    /* of these still wait */
	const char *from;    /* "": the null sender */
	const char *to;      /* the first recipient that waits, else the first */
	const char *all_to;  /* all of them, one a line; of very many the first */
	const char *relay;   /* "": none yet */
	const char *reason;  /* who holds it, "admin"; or the last reply; or "" */
	const char *why;     /* the sentence that mailq prints */
	const char *flags;   /* "possibly-twice storm=ID", or "" */
};

size_t model_count(const struct model *m);
/* The i-th, the oldest is 0. */
const struct model_row *model_at(const struct model *m, size_t i);
/* NULL: it is gone. */
const struct model_row *model_find(const struct model *m, const char *id);
/* Counts up whenever a row comes, goes or changes: a view sorts and filters anew when it did.
 * Pointers to rows live until then. */
uint64_t model_rows_version(const struct model *m);
/* Messages beyond MODEL_ROWS_MAX, which are counted but not kept. */
size_t model_rows_beyond(const struct model *m);

/* --- status --- */

struct model_count {
	size_t messages;
	int64_t oldest; /* created; NO_TIME: there is none */
	int64_t next;   /* the earliest next try; NO_TIME */
};

struct model_relay {
	char name[64];
	char state[16]; /* "up", "held", "unknown" */
	unsigned connections, connections_max;
	uint64_t messages; /* that wait for it */
	char host[256];    /* the one connected to last; "": none yet */
	char tls[64];      /* of the last connection: "TLS 1.3"; "": not known */
	char auth[32];     /* "SCRAM-SHA-256"; "": not known, or none */
	int64_t last_success, last_failure;
	char failure[256];    /* what was said at the last failure */
	char words[128];      /* held: why, in short */
	char waits[256];      /* for which rate or quota, if it does */
	char reason[256];     /* held: why, in full */
	int64_t since, next;  /* held: since when, and when it is tried again */
};

struct model_destination { /* with trouble */
	char name[256];    /* host or domain */
	size_t waiting;
	int64_t next;
	char reply[256]; /* the last */
};

struct model_event {
	int64_t at_ms; /* milliseconds since 1970 */
	char kind[16]; /* "queued", "delivered", "deferred", "failed", "held", ... */
	char id[MODEL_ID_SIZE]; /* "": of no message */
	char who[128];          /* recipient, sender or relay */
	char text[192];         /* reply or words */
};

struct model_bar {
	int64_t start;   /* of the minute or hour; NO_TIME in `total` */
	uint64_t queued; /* messages */
	uint64_t delivered, deferred, bounced; /* recipients */
};

struct model_status {
	bool known;    /* the daemon's part of it was read: all but `queue` and `count` */
	bool admin;    /* we may do and see everything; else our own mail alone */
	bool stopping; /* the daemon is about to end */
	int64_t paused_until; /* delivery pauses after crashes; NO_TIME: it does not */
	int64_t pid;
	char version[32];
	int64_t since;       /* when the daemon started */
	char queue[256];     /* directory */
	unsigned workers;    /* connections that are open */
	char complaint[256]; /* against the configuration */
	char warning[256];   /* the first of them */
	size_t warnings;
	struct model_count
		count[MODEL_STATES]; /* from the rows: index is enum model_state */
	struct model_relay relay[MODEL_RELAYS_MAX];
	size_t relays;
	struct model_destination destination[MODEL_DESTINATIONS_MAX];
	size_t destinations;
	struct model_bar total; /* since the daemon started */
	struct model_bar minute[MODEL_MINUTES_MAX],
		hour[MODEL_HOURS_MAX]; /* the latest first;
						those without anything are left out */
	size_t minutes, hours;
};
const struct model_status *model_status(const struct model *m);

size_t model_events(const struct model *m);
/* The i-th, the latest is 0. */
const struct model_event *model_event(const struct model *m, size_t i);

/* --- one message in detail --- */

enum model_detail_state {
	MODEL_DETAIL_NONE, /* nobody asked */
	MODEL_DETAIL_LOADING,
	MODEL_DETAIL_READY,
	MODEL_DETAIL_FAILED, /* words say why: gone, damaged, not allowed */
};

struct model_recipient {
	const char *address, *state, *status, *reply, *host;
};

struct model_try {
	unsigned number; /* 0: not counted, or no attempt */
	int64_t at;
	const char
		*what; /* "delivered", "deferred", "failed"; or "hold", "release", ... */
	const char *host;  /* who answered; "": ourselves */
	const char *reply; /* or, of what is no attempt, its reason */
	const char *to;    /* whom it was about; "": all */
};

struct model_detail {
	enum model_detail_state state;
	char id[MODEL_ID_SIZE];
	const char *words;  /* of FAILED */
	const char *origin; /* "local", "smtp", ...; "" not known */
	int64_t uid;        /* who submitted it, -1: not known */
	struct model_recipient *recipient;
	size_t recipients;
	struct model_try *attempt; /* the latest first */
	size_t attempts;
	struct span
		content; /* the message's bytes as they lie in the queue, from the start */
	bool cut;        /* it is longer than what is here */
};

/* Asks for this message's details, NULL or "": for none; the same ID again only when its row
 * changed. What another ID got is dropped. */
void model_want(struct model *m, const char *id);
const struct model_detail *model_detail(const struct model *m);
/* Counts up whenever the detail changes. */
uint64_t model_detail_version(const struct model *m);

/* --- actions --- */

enum model_act {
	MODEL_FLUSH,
	MODEL_HOLD,
	MODEL_RELEASE,
	MODEL_DELETE,
	MODEL_BOUNCE,
	MODEL_EDIT
};
const char *model_act_name(
	enum model_act act); /* "flush", ... as the control socket has it */

/* Whether an action can be asked for now; -1: no, and why in words. */
int model_may_act(const struct model *m, enum model_act act, struct err *err);
/* Starts it for these messages; the IDs are copied. -1: it cannot be, see model_may_act(). */
int model_act(struct model *m, enum model_act act, const char *const ids[], size_t count,
	      struct err *err);
/* Starts replacing recipients of one message, both lists of addresses, one a line: the first
 * of `old` by the first of `new`, and so on; what is left of `old` is removed. ERR_LIMIT:
 * there are more new ones than old ones. */
int model_edit(struct model *m, const char *id, struct span old, struct span new,
	       struct err *err);

/* The action under way, or the last one. */
struct model_job {
	enum model_act act;
	bool running;
	size_t total; /* messages it was asked for; 0: there was no action yet */
	size_t done;  /* answered well */
	size_t later; /* of these: after the attempt that is under way */
	size_t failed;
	char error[256]; /* the first failure: "<id>: words", or why all of it failed */
	char new_id[MODEL_ID_SIZE]; /* MODEL_EDIT: the message's new ID, else "" */
	int64_t ended_ms;           /* boot time */
};
const struct model_job *model_job(const struct model *m);

#endif
