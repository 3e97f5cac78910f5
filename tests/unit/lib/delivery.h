#ifndef NIGHTMAIL_TESTS_DELIVERY_H
#define NIGHTMAIL_TESTS_DELIVERY_H

/* A spool, a scripted server, and a real worker process between them. */

#include "base/buf.h"
#include "deliver/wire.h"
#include "lib/peer.h"
#include "queue/queue.h"
#include "queue/segment.h"

struct delivery {
	const char *dir;
	struct queue *q;
	struct wire_worker params;
	struct peer peer;
	const char *password;
	unsigned next_id;

	/* of the last run */
	struct buf reports; /* lines as in wire.h, ids as #N, ages left out */
	int status;         /* wait status of the worker */
	unsigned busy_segments;
};

/* Spool and server; the worker knows one host, no TLS, no login. */
void delivery_open(struct delivery *d, const char *extensions,
		   const struct peer_rule *rules);
void delivery_close(struct delivery *d);

/* Queues a message of sender@example.org; returns its number. recipients: separated by
 * commas; the content may be NULL. */
unsigned delivery_queue(struct delivery *d, const char *recipients, const char *content);
/* Queues any envelope; its id is chosen here. */
unsigned delivery_queue_envelope(struct delivery *d, struct envelope *e,
				 struct span content);

/* What a run waits for. */
enum delivery_end {
	DELIVERY_ANSWERED, /* all messages answered; then the channel is closed */
	DELIVERY_LEFT,     /* the worker leaves by itself */
	DELIVERY_DESERTED, /* nothing: our end is closed behind the first messages */
};
/* Runs a worker over messages [first, first+count), then replays what it left. in_child (may
 * be NULL) is called in the worker's process first. */
void delivery_run(struct delivery *d, unsigned first, unsigned count,
		  enum delivery_end end, void (*in_child)(void *ctx), void *ctx);

/* True when the reports have a line that begins so. */
bool delivery_reported(const struct delivery *d, const char *line);
/* How many report lines begin so. */
unsigned delivery_count(const struct delivery *d, const char *begin);
/* Reads a message of the queue. False: it is gone. */
bool delivery_read(struct delivery *d, unsigned n, struct queue_message *ret);
bool delivery_gone(struct delivery *d, unsigned n);
/* True when it is still there and may go out twice. */
bool delivery_flagged(struct delivery *d, unsigned n);
/* How often the server took a message for this address. */
unsigned delivery_taken(const struct delivery *d, const char *address);
/* For in_child: the process dies at the n-th file operation; ctx is an unsigned n. */
void delivery_die_at(void *ctx);
struct queue_id delivery_id(unsigned n);

#endif
