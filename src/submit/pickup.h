#ifndef NIGHTMAIL_SUBMIT_PICKUP_H
#define NIGHTMAIL_SUBMIT_PICKUP_H

/*
 * The spool's owner takes messages from drop/ (queue/drop.h) into queue/. Each is checked as
 * if it came from the network; its submitter is the file's owner, whatever it says.
 */

#include "submit/limit.h"
#include "submit/incoming.h"

struct pickup {
	struct queue *queue; /* owned (queue_own) */
	struct way_place place;
	struct submit_host host;    /* uid is set for each message */
	struct limit_table *limits; /* or NULL */
	/* Told of each new message. */
	void (*found)(void *ctx, const struct queue_id *id);
	void *ctx;
	/* A message whose file in drop/ could not be removed for certain stays claimed, and nothing
	 * else is taken, until it is: NULL at the start, and pickup_release() at the end. */
	struct queue_claim *kept;
	struct queue_id kept_id;
};

/* Takes at most one message in. Returns true when there may be more to do at once. Logs what it
 * does. */
bool pickup_one(struct pickup *p);
void pickup_release(struct pickup *p);

#endif
