#ifndef NIGHTMAIL_DELIVER_EVENTS_H
#define NIGHTMAIL_DELIVER_EVENTS_H

/*
 * The live stream of what happens, for the control socket's request `events`
 * (control/control.h says what goes over it). Without anybody who follows an event costs
 * nothing but what the counts of `status` need. What became of the messages that left last
 * is remembered, because who has just submitted one may ask too late.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "control/control.h"
#include "deliver/wire.h"
#include "queue/queue.h"

struct manager;
struct message;
struct lane;
struct events; /* followers, and what left */

/* Members that are empty or zero are left out. */
struct event {
	const char *what;
	const struct queue_id *id; /* a message's; NULL: everybody may know of it */
	uint32_t uid;              /* whose it is */
	bool has_from;             /* an empty reverse-path is one, too */
	struct span from, to;
	size_t recipients;
	uint64_t size;
	const char *relay;        /* the lane's name: "default to example.org" */
	const char *config_relay; /* the relay's as it is configured */
	struct span host, status, reply;
	struct span words; /* instead of the reply for other users than administrators */
	int64_t next_s;
	bool timed;
	int64_t queue_ms, connect_ms, send_ms;
	const char *by, *outcome, *state;
	const struct queue_id *replacement;
};

/* NULL: no memory. */
struct events *events_new(void);
void events_free(struct events *e); /* behind the last follower */

void events_emit(struct manager *m, const struct event *e);
/* The request: adds the client to those who follow. id: of one message that the peer may see;
 * NULL: of all of them. */
void events_follow(struct manager *m, struct control_client *c,
		   const struct control_peer *peer, const struct queue_id *id, bool dead,
		   bool words);
/* The message left the queue a moment ago: its last event as an answer. False: not known. */
bool events_recall(struct manager *m, struct control_client *c,
		   const struct control_peer *peer, struct span ending, bool words);

/* It is not in the queue any more. */
void events_gone(struct manager *m, const struct message *msg, const char *outcome,
		 const struct queue_id *replacement);
/* What was said last of this message: goes with its `gone`. */
void events_remember(struct manager *m, const struct queue_id *id, struct span reply);

/* --- events_happen.c --- */

/* A message came into the queue. */
void events_queued(struct manager *m, const struct message *msg, const struct queue_message *q);
void events_started(struct manager *m, const struct message *msg, const struct lane *lane);
/* One recipient's result, as a worker reports it; counts it as well. */
void events_result(struct manager *m, struct message *msg, const struct lane *lane,
		   const struct wire_report *report);
/* A recipient was given up by a person or by age: counts, log line and event. */
void events_given_up(struct manager *m, const struct queue_message *q, size_t recipient);
/* It may leave the queue now because of its failures: what is told then are their words. */
void events_note_failure(struct manager *m, const struct queue_message *q);
/* Held, released, flushed, deleted, expired... by "admin", "user" or "daemon". */
void events_act(struct manager *m, const struct message *msg, const char *what, const char *by,
		const char *reply);
/* It was tried, and will be again. */
void events_waits(struct manager *m, const struct message *msg, int64_t wait_ms);
/* relay-held or relay-ok, as its state is now. */
void events_relay(struct manager *m, const struct lane *lane);
void events_reload(struct manager *m);

#endif
