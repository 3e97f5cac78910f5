#ifndef NIGHTMAIL_TUI_MODEL_READ_H
#define NIGHTMAIL_TUI_MODEL_READ_H

/*
 * The lines of the control socket (control/control.h) as parts of the model. What a line
 * lacks, or has of another type, stays empty: a dashboard may be older than its daemon.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "tui/model.h"
#include "tui/model_rows.h"

#define MODEL_CONTENT_MAX (4u << 20) /* bytes of a message that are kept */
#define MODEL_TRIES_MAX 1000u

/* True when the line is the last one of an answer: *ret is 0 or -1, the latter with the
 * error's kind and words. */
bool model_read_verdict(struct span line, int *ret, struct err *err);
/* A line of `list`. False: it is none. */
bool model_read_row(struct model_rows *rows, struct span line);
bool model_read_status(struct model_status *ret, struct span line);

/* A line of `events`. */
struct model_read_event {
	struct model_event event;
	struct model_row row;        /* `queued`: what is known of the message */
	struct model_rows_text text; /* points into `owner` */
	bool has_row;
	int64_t next;     /* `deferred`; else NO_TIME */
	char outcome[16]; /* `gone` */
	void *owner;
};
bool model_read_event(struct model_read_event *ret, struct span line);
void model_read_event_release(struct model_read_event *e);

/* A line that answers an action. */
struct model_read_done {
	char id[MODEL_ID_SIZE], new_id[MODEL_ID_SIZE];
	bool pending;
	char error[200]; /* "": it was done */
};
bool model_read_done(struct model_read_done *ret, struct span line);

/* A message's details, put together from the lines of `show`. */
struct model_read_detail {
	struct model_detail detail;
	void *owner; /* of the texts */
	struct buf content, words;
	bool full; /* there is no room for more content */
};
void model_read_detail_init(struct model_read_detail *d);
void model_read_detail_release(struct model_read_detail *d);
/* 0; -1: it cannot be read, or there is no memory. */
int model_read_detail(struct model_read_detail *d, struct span line);

#endif
