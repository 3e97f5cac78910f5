#ifndef NIGHTMAIL_DELIVER_STORM_H
#define NIGHTMAIL_DELIVER_STORM_H

/*
 * Storm control: of mail of one user with the same sender and subject, what is beyond
 * storm-limit is held with the reason "storm=ID", ID being the first one held. When the storm
 * is over that message's journal asks for a notice, the digest, which is made by the order of
 * notify.h: so no crash loses it or makes it twice. This part needs no manager.
 */

#include "config/settings.h"
#include "deliver/storm_count.h"
#include "queue/queue.h"

#define STORM_KEEP_MS (7 * 24 * 3600 * 1000LL)

/* Which kind of mail it is: reads its header. -1: it cannot be read. */
int storm_key_of(struct queue *q, const struct queue_message *m, struct storm_key *ret,
		 struct err *err);
/* Records that the message is held as part of a storm. */
int storm_record_hold(struct queue_claim *c, const struct queue_id *storm, struct err *err);
/* Records that the digest must exist, if the claimed message began a storm, is held for it
 * still, and did not ask before. notify_settle() follows. */
int storm_record_digest(struct queue_claim *c, int64_t held, const struct queue_id *last,
			struct err *err);
/* Accepts the digest that the claimed message's journal asks for, addressed as that message is.
 * As queue_accept_commit(): EEXIST when it is there already. */
int storm_make_digest(struct queue *q, struct queue_claim *c, const struct settings *settings,
		      const struct queue_id *notice, struct queue_claim **ret, struct err *err);
/* True when what is held for a storm since then has waited for long enough. */
bool storm_is_stale(const struct moment *since, const struct moment *now);

#endif
