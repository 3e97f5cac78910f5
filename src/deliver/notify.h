#ifndef NIGHTMAIL_DELIVER_NOTIFY_H
#define NIGHTMAIL_DELIVER_NOTIFY_H

/*
 * Notices about a message (RFC 3464), by the order that no crash can break: the record that
 * asks for the notice is in the message's journal first; then the notice is accepted under
 * its derived ID and kept claimed; then `noticed` is recorded (or the message removed) and
 * made durable; then the notice is released to be delivered.
 */

#include "base/err.h"
#include "config/settings.h"
#include "queue/queue.h"

/* Makes every notice the journal asks for and does not have yet, then removes the message
 * if nothing remains. The claim is freed in every case. *ret_finished: the message is gone. fn (may be NULL) is told each notice made, so that it is scheduled. */
typedef void notify_made_fn(void *ctx, const struct queue_id *notice);
int notify_settle(struct queue *q, struct queue_claim *c, const struct settings *settings,
	notify_made_fn *fn, void *ctx, bool *ret_finished, struct err *err);

/* Fails all unsettled recipients with the words (expired, bounced by hand) and records which
 * notice must exist; null senders get none: the message is to be buried by the caller when
 * *ret_bury. notify_settle() follows. fn (may be NULL) is told each recipient that failed, when
 * that is recorded. */
typedef void notify_failed_fn(void *ctx, const struct queue_message *m, size_t recipient);
int notify_fail_rest(struct queue_claim *c, const char *reply, notify_failed_fn *fn, void *ctx,
	bool *ret_bury, struct err *err);

/* The same for those alone for which keep() is false. */
typedef bool notify_keep_fn(void *ctx, const struct queue_message *m, size_t recipient);
int notify_fail_some(struct queue_claim *c, const char *reply, notify_keep_fn *keep,
	notify_failed_fn *fn, void *ctx, bool *ret_bury, struct err *err);

/* Records that a delay notice must exist, if the sender wants one and had none. */
int notify_delay(struct queue_claim *c, bool *ret_wanted, struct err *err);

#endif
