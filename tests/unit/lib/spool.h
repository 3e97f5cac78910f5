#ifndef NIGHTMAIL_TESTS_SPOOL_H
#define NIGHTMAIL_TESTS_SPOOL_H

/* A spool in a directory of its own, for tests of the queue. */

#include "base/span.h"
#include "queue/queue.h"

/* Makes a directory (in memory when there is one) and a spool with drop/ in it; the path is static.
 * Ends the program when that fails. */
const char *spool_make(void);
/* Removes a directory and all in it. */
void spool_remove(const char *dir);

/* A message from a@example.org to rcpt0@..., rcpt1@... Free to->. */
struct envelope spool_envelope(struct queue_id id, unsigned recipients);
/* Accepts such a message. 0 or -1. */
int spool_accept(struct queue *q, struct queue_id id, unsigned recipients,
		 struct span content);
/* The same into drop/, as nightmail-drop does. */
int spool_drop(const char *dir, struct queue_id id, unsigned recipients, struct span content);
/* Takes everything out of drop/; the queue must be owned. Returns what stays claimed, or NULL. */
struct queue_claim *spool_pick_up(struct queue *q);
/* The id with this number; numbers sort. */
struct queue_id spool_id(unsigned n);

#endif
