#ifndef NIGHTMAIL_TESTS_SPOOL_H
#define NIGHTMAIL_TESTS_SPOOL_H

/* A spool in a directory of its own, for tests of the queue. */

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"
#include "queue/queue.h"

/* Makes a directory (in memory when there is one) and a spool with drop/ in it; the path is static.
 * Ends the program when that fails. */
const char *spool_make(void);
/* The spool there; ends the program when it cannot be opened. */
struct queue *spool_open(const char *dir);
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
/* How many names are in the queue. */
int spool_count(struct queue *q);
/* The content of a message as a text; "" when it is not there, or longer than size - 1. */
void spool_text(struct queue *q, const struct queue_id *id, char *text, size_t size);
/*
 * Does something to the spool in a process of its own, in which operation number `at` on files, from
 * 1, fails with this error (FILE_SHORT: a short write); 0: the process dies there instead. False
 * when it never came to that operation.
 */
typedef void spool_act_fn(struct queue *q, void *ctx);
bool spool_with_fault(const char *dir, unsigned at, int error, spool_act_fn *act, void *ctx);
/* The id with this number; numbers sort. */
struct queue_id spool_id(unsigned n);

#endif
