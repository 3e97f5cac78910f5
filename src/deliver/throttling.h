#ifndef NIGHTMAIL_DELIVER_THROTTLING_H
#define NIGHTMAIL_DELIVER_THROTTLING_H

/* The manager's rates and quotas: what was used of each, and which message was charged what. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "deliver/throttle.h"

struct control_client;
struct lane;
struct manager;
struct message;

struct throttling {
	struct throttling_entry *entry;
	size_t count;
	struct throttling_charge *charge;
	size_t charge_count, charge_cap;
	int64_t retry_ms; /* boot time: the disk did not take what was used, nothing goes before */
};

/* Reads what was used before us. */
void throttling_restore(struct manager *m);
/* There are new settings: what was put off is looked at again. */
void throttling_settings(struct manager *m);
/* Writes what was used, and frees all. */
void throttling_free(struct manager *m);

/* How long this lane has to wait; 0: it may be given a message. */
int64_t throttling_wait_ms(struct manager *m, const struct lane *lane,
			   const struct moment *now);
/* How long an address has to wait for its domain's limits at a relay with hosts of its own. */
int64_t throttling_domain_wait_ms(struct manager *m, const struct config_relay *relay,
				  struct span address, const struct moment *now);
/* Puts off what is due and whose recipients all have to wait for their domain, up to a message of
 * which some may go. True: it is not through yet. */
bool throttling_sift(struct manager *m, struct lane *lane, const struct moment *now);
/* Charges a message that is handed over. Appends the domains whose recipients have to wait, with
 * blanks between them, and sets msg->partial when there are some. */
void throttling_take(struct manager *m, const struct lane *lane, struct message *msg,
		     const struct moment *now, struct buf *except);
/* Before what was charged leaves: 0 when it stands on disk. */
int throttling_commit(struct manager *m);
/* An attempt is over; so many recipients were taken by the server. */
void throttling_settled(struct manager *m, const struct message *msg, bool tried,
			unsigned sent);
/* The attempt's end is not known: it stays charged. */
void throttling_forget(struct manager *m, const struct message *msg);

/* Appends "waits for the quota of relay office: 500 a day, free again at 00:00". msg NULL: for
 * the lane alone. False: it does not. */
bool throttling_words(struct manager *m, const struct lane *lane,
		      const struct message *msg, struct buf *out);

/* The same for quotas and warm-up alone, of which people want to hear. */
bool throttling_quota_words(struct manager *m, const struct lane *lane, struct buf *out);

/* The request `limits` (control/control.h). */
void throttling_request(struct manager *m, struct control_client *c, struct span line);

#endif
