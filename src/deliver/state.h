#ifndef NIGHTMAIL_DELIVER_STATE_H
#define NIGHTMAIL_DELIVER_STATE_H

/*
 * The manager's state, shared by its parts: messages.c (what is known of each message), place.c
 * and lanes.c (where it waits), care.c (what the manager does with one itself), scan.c (reading the queue), wake.c (new mail),
 * throttling.c and throttling_domains.c (how much may go), deliverer.c, pool.c and crash.c
 * (processes), dispatch.c (handing over), dispatch_report.c (what comes back), relays.c
 * (held or not), requests.c, requests_find.c, status.c, show.c, wishes.c (control socket),
 * events.c and events_happen.c (who is told what happens), storm_watch.c (mail that repeats
 * itself), watch.c (domains that are watched).
 *
 * One rule joins them: whatever changes something calls manager_kick(), and the next round
 * does what is due then, in one place (manager.c), and sets the one timer for the next.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/loop.h"
#include "config/settings.h"
#include "control/control.h"
#include "deliver/alert.h"
#include "deliver/breaker.h"
#include "deliver/counts.h"
#include "deliver/events.h"
#include "deliver/heap.h"
#include "deliver/lanes.h"
#include "deliver/manager.h"
#include "deliver/rules.h"
#include "deliver/storm_count.h"
#include "deliver/throttling.h"
#include "deliver/trouble.h"
#include "deliver/verb.h"
#include "deliver/watch.h"
#include "deliver/wire.h"
#include "net/netwatch.h"
#include "queue/queue.h"
#include "queue/relaystate.h"
#include "queue/segment.h"
#include "submit/limit.h"

#define RELAYS_MAX 64u
#define DEAD_KEEP_MS (30 * 24 * 3600 * 1000LL)

/* One nightmail-deliver process; after a reload the old one lives on until its workers left. */
struct deliverer {
	struct deliverer *next;
	struct manager *manager;
	pid_t pid;
	int fd; /* -1: closed */
	struct loop_watch *watch;
	bool leaving, reaped;
	int status;
};

/* A worker; its number is that of its segment. Free when `manager` is NULL. */
struct slot {
	struct manager *manager;
	unsigned number;
	struct lane *lane;    /* NULL: its relay's settings were replaced */
	struct deliverer *by; /* NULL: gone */
	int fd;               /* -1: it closed its end */
	struct loop_watch *watch;
	bool up, excused, exited, alone;
	bool token_over;      /* it was refused at login, and the next one gets another */
	int status;           /* wait status, 0 if not known */
	unsigned answered;
	unsigned count;       /* messages it has */
	struct message *message[WIRE_BATCH];
};

struct id_list {
	struct queue_id *id;
	size_t count, cap;
};

/* Which lane a message goes to (place.c). */
struct placing {
	struct route_table routes;
	struct buf relays; /* their names */
	struct rules rules;
	bool plain; /* all mail has one lane, whoever gets it */
	uint8_t generation;
	struct buf signature; /* of all that the answer depends on */
	struct id_list again; /* messages to be placed anew */
};

struct manager {
	struct loop *loop;
	char *file;
	struct settings settings;
	uint8_t generation;    /* counts reloads that changed the settings */
	struct buf complaints; /* against the settings in use; empty: they are fine */
	char complaint[512];   /* the first of them */
	char rejected[512];    /* the first against those of a reload that was refused; or "" */
	struct queue *queue;
	struct control_server *control;
	int wake_fd;
	struct loop_watch *wake_watch;
	struct loop_timer *work_timer, *rescan_timer, *shout_timer, *stop_timer, *doze_timer;
	bool kicked;
	bool dozing;    /* wake-ups wait in their socket */
	bool names_due; /* wake-ups may have been lost */
	struct moment started;

	struct table messages;
	struct heap care;
	struct id_list pending; /* names to be read */
	struct id_list late;    /* bounces found at the start, before all originals are settled */
	bool replayed;          /* completion journals of the time before us */
	bool scanned;           /* the queue was read once */
	bool bounces_free;      /* no notice of the time before us can be made twice any more */
	int64_t replay_at_ms;
	int64_t rescan_cost_ms, rescanned_ms;
	int64_t hourly_at_ms;
	int64_t daily_day; /* of the last daily_work() */

	struct lanes lanes; /* the first is that of relay "default", always there */

	struct placing placing;

	struct slot slot[SEGMENT_MAX];
	struct deliverer *deliverers;
	int64_t finish_at_ms;   /* a dead worker's segment waits for its replay; NEVER_MS: none */
	bool blocked;           /* such a replay failed: nothing is delivered meanwhile */
	int64_t crash_ms[5];    /* boot times of the last five */
	int64_t paused_until_ms;
	bool stopping;

	struct listener *listener;
	struct limit_table *limits;
	bool drop_due; /* there may be something in drop/ */
	struct storm_table *storms; /* NULL: there is nothing to count, and no storm */
	struct id_list uncounted;   /* new mail, while the storms of before are not all known */

	struct netwatch *netwatch;
	struct throttling throttling;
	struct alerts alerts;
	struct watches watches;

	/* what the control socket tells */
	struct events *events;
	struct counts counts;
	struct troubles troubles;
	struct wish *wishes;     /* edits that wait for the end of an attempt */
	int64_t dead_counted_ms; /* boot time at which status counted dead/; 0: never */
};

/* --- manager.c --- */
void manager_kick(struct manager *m);
/* Loads the settings again: 0, or -1 with all complaints, one a line. */
int manager_reload(struct manager *m, struct buf *complaints);

/* Tells the service manager how things are. */
void manager_tell(struct manager *m);

/* --- messages.c: each message is in one heap, with a worker, or held --- */
/* Takes the message out of its heap. */
void message_take(struct manager *m, struct message *msg, enum message_state state);
/* Puts it into the heap of a lane. */
void message_enter(struct manager *m, struct message *msg, struct lane *lane, int64_t due_ms);
/* The lane that it waits in or is being delivered from; else that of the default relay. msg may
 * be NULL. */
struct lane *message_lane(const struct manager *m, const struct message *msg);
/* Puts it into its lane's heap, or for `care` into that of the manager's own work. */
void message_due(struct manager *m, struct message *msg, bool care, int64_t due_ms);
void message_forget(struct manager *m, struct message *msg);
/* The same for one that has left the queue; whoever follows is told so. */
void message_gone(struct manager *m, struct message *msg, const char *outcome,
		  const struct queue_id *replacement);
/* Reads its record and puts it where that says. Forgotten when gone. */
void message_load(struct manager *m, const struct queue_id *id);
/* Tries what waits for a local name to be known: there is a new configuration. */
void messages_try_names(struct manager *m);
int id_list_add(struct id_list *l, const struct queue_id *id);
void id_list_release(struct id_list *l);

/* --- place.c: which lane --- */
/* There are new settings: what was placed by other rules is placed anew. */
void place_rules_changed(struct manager *m);
void place_release(struct manager *m);
/* The lane where a message waits, and when it is due there (boot time). Sets msg->multi. NULL:
 * no memory, or there are too many lanes. */
struct lane *place_message(struct manager *m, struct message *msg,
			   const struct queue_message *q, int64_t *due_ms);
/* Calls fn for each address that a recipient becomes and that has not got the message. */
typedef void place_address_fn(void *ctx, size_t recipient, struct span address);
void place_addresses(struct manager *m, const struct queue_message *q, size_t recipient,
		     place_address_fn *fn, void *ctx);
/* Reads the aliases again if they were changed: before place_addresses(). */
void place_refresh(struct manager *m);
/* The relay for an address of a message whose sender is that on the wire; NULL: there is none. */
const struct config_relay *place_relay(struct manager *m, const struct queue_message *q,
				       struct span sender, struct span address);
/* How long until this recipient is to be tried again after its last failure. */
int64_t place_pause_ms(const struct queue_message *q, size_t recipient,
		       const struct moment *now);
/* True when the time of this recipient stands still: its relay is held, while the message has
 * grown old at others. */
bool place_spares(struct manager *m, const struct message *msg, const struct queue_message *q,
		  size_t recipient);
/* Why its lane does not work; NULL: it does. */
const char *place_failure(struct manager *m, struct message *msg,
			  const struct queue_message *q);
/* A message that waits is to be placed anew; place_step() does a bounded number of them and is
 * true when there are more. */
void place_again(struct manager *m, struct message *msg);
bool place_step(struct manager *m);
/* It failed: messages with several lanes go to another one, and those behind a destination may be
 * too old now. Of a relay that had failed before (!starts) all that could go elsewhere has gone, but
 * for what it was probed with. */
void place_lane_failed(struct manager *m, struct lane *lane, bool starts);
/* Those with several lanes alone: this one has to wait for its quota. */
void place_lane_waits(struct manager *m, struct lane *lane);
/* A held lane with nothing in it while mail for it may wait in other lanes: fetches some to probe it
 * with. Returns when to look again. */
int64_t place_seed(struct manager *m, struct lane *lane, int64_t now_ms);
/* A lane is held no more. */
void place_lane_works(struct manager *m);

/* --- care.c --- */
/* Does what is due in the care heap, a bounded part of it. Returns the next due time. */
int64_t care_step(struct manager *m, int64_t now_ms);
/* Moves a file that cannot be read as a message to dead/. */
void care_bury_damaged(struct manager *m, const struct queue_id *id, enum queue_damage damage,
	const char *words);

/* --- storm_watch.c: storm control --- */
/* Takes new settings over. */
void storm_settings(struct manager *m);
/* Counts a message that was not known; sets msg->storm when it is one too many, or held for
 * being that. */
void storm_note(struct manager *m, struct message *msg, const struct queue_message *q);
/* True when it cannot be told yet whether that is one too many; storm_step() has it read
 * again. */
bool storm_must_wait(struct manager *m, const struct queue_message *q);
/* Care: holds one that is too many. 0: the claim is freed; -1. */
int storm_hold(struct manager *m, struct message *msg, struct queue_claim *c, struct err *err);
/* Care: records that the digest of the storm that it began must exist. */
int storm_ask_digest(struct manager *m, struct message *msg, struct queue_claim *c,
		     struct err *err);
/* Has digests made that are due. Returns when to come again, or NEVER_MS. */
int64_t storm_step(struct manager *m, int64_t now_ms);
/* Has buried what was held for too long. */
void storm_hourly(struct manager *m);

/* --- scan.c --- */
/* Replays what workers of the time before us left. Returns when to come again, or NEVER_MS. */
int64_t scan_replay(struct manager *m, int64_t now_ms);
/* Reads a bounded number of pending names. True: more are waiting. */
bool scan_step(struct manager *m);
/* Looks for names that are not known. */
void scan_names(struct manager *m);
/* Once an hour: removes from dead/ what is past its time, and buries what has waited behind a
 * held relay for a month. */
void scan_hourly(struct manager *m);

/* --- daily.c --- */
/* Writes the TLS reports of days that are over, and removes what the spool keeps for some time only:
 * at the start, once an hour, and (daily_step) when a day has begun. */
void daily_work(struct manager *m);
void daily_step(struct manager *m);

/* A message that is in the queue now. */
void scan_note(struct manager *m, const struct queue_id *id);

/* --- wake.c --- */
int wake_listen(struct manager *m, struct err *err);
/* Takes and reads at once what waits in the socket. */
void wake_rouse(struct manager *m);
/* Reads also what did not get in: somebody asks for what is known. */
void wake_catch_up(struct manager *m);
/* The same when a new message would be delivered now. */
void wake_step(struct manager *m);

/* --- listener.c: the socket submit, and drop/ --- */
int listener_start(struct manager *m, struct err *err);
/* Takes new settings over. */
void listener_settings(struct manager *m);
/* Takes one message out of drop/ when something may be there; true: do it again. */
bool listener_pick_up(struct manager *m);
void listener_reap(struct manager *m);
/* True while there is a session. */
bool listener_serves(const struct manager *m);
/* True while there is one whose user may have only so much in the queue. */
bool listener_counts(const struct manager *m);
/* Nobody is let in any more; sessions end when nothing is half done. */
void listener_stop(struct manager *m);
void listener_free(struct manager *m);

/* --- relays.c --- */
/* Makes lanes of the settings' relays; messages and holds of those that stay are kept. */
void relays_update(struct manager *m);
/* The lane, made when it is not there; NULL: it cannot be. */
struct lane *relays_lane(struct manager *m, const struct lane_key *key);
/* Reads since when which relay is held. */
void relays_restore(struct manager *m);
void relay_failed(struct manager *m, struct lane *lane, const char *words, const char *text);
/* False when the settings, replies out of place within the last day, or relay_goes_alone() forbid
 * it. */
bool relay_may_stream(const struct lane *lane);
/* True for a day after two connections broke with several messages on the way: there are servers
 * that die of a command which comes before their last reply has left, and each time what they
 * were taking goes twice. */
bool relay_goes_alone(const struct lane *lane);
/* How long the relay gets its mail more slowly than it could, and why; 0: it does not. */
int64_t relay_slow_ms(const struct lane *lane, const struct moment *now, const char **ret_words);
/* A connection broke with mail on the way that was not alone. */
void relay_broken(struct lane *lane, const char *text);
/* Replies were out of place: no streaming for a day. */
void relay_out_of_step(struct manager *m, struct lane *lane, const char *text);
/* A server of it offers a stronger login mechanism than ever before. */
void relay_offers(struct manager *m, struct lane *lane, const char *host, const char *mechanism);
/* How long the certificate holds that a server of it showed (seconds since 1970; until_s 0: that
 * does not matter). */
void relay_certificate(struct manager *m, struct lane *lane, const char *host, int64_t from_s,
		       int64_t until_s);
/* What its servers have offered is forgotten, and it is tried at once. ERR_MISSING: no such
 * relay. */
int relay_trust(struct manager *m, const char *name, struct err *err);
void relay_succeeded(struct manager *m, struct lane *lane);
/* There is a network again: what failed for want of one is tried at once. A refused login is not:
 * an account may be locked for many of them. */
void relays_network_up(struct manager *m, const char *why);
/* Adds words for systemctl status. */
void relays_summary(struct manager *m, struct buf *out);
/* Why it is held, in the few words that everybody may see. */
struct span relays_words(const struct lane *lane);

/* --- pool.c --- */
/* Starts a worker for the relay; on failure its restart is put off. */
void pool_start(struct manager *m, struct lane *lane);
/* Lets all workers and their parents go: they finish what is in flight. */
void pool_let_go(struct manager *m);
/* True when no worker is left. */
bool pool_empty(const struct manager *m);
/* Replays segments of workers that ended. Returns when to come again, or NEVER_MS. */
int64_t pool_finish(struct manager *m, int64_t now_ms);
void pool_free(struct manager *m);

/* --- deliverer.c --- */
/* The one that takes orders, started when there is none. NULL: it cannot be. */
struct deliverer *deliverer_current(struct manager *m, struct err *err);
/* SIGCHLD: notes which have ended. */
void deliverer_reap(struct manager *m);
/* Drops those that have ended and whose last words were read. */
void deliverer_forget(struct manager *m);
void deliverer_close(struct deliverer *d);

/* --- crash.c --- */
/* No new worker for this relay for a while, longer each time. */
void crash_put_off(struct lane *lane);
/* Counts one crash; the fifth within a minute pauses delivery. */
void crash_count(struct manager *m);
/* How a process ended by its wait status: not as it should (SIGKILL and SIGTERM are somebody
 * else's doing); by a fault of its own. */
bool crash_is(int status);
bool crash_is_fault(int status);

/* --- dispatch.c --- */
/* Hands due messages to workers and starts more of them. Returns the next time to do so. */
int64_t dispatch(struct manager *m, int64_t now_ms);
/* Could a message that comes now be handed over, or have a worker started for it? */
bool dispatch_can_take(const struct manager *m, int64_t now_ms);

/* --- dispatch_report.c --- */
void dispatch_report(struct manager *m, struct slot *s, const struct wire_report *r);
/* Notes how old a message is. True: it has expired, or its sender is to hear of it: care. */
bool dispatch_note_age(struct manager *m, struct message *msg, int64_t age_ms);
/* A request or a care result that waited for the end of an attempt. */
void dispatch_verb(struct manager *m, struct message *msg);

/* --- requests.c --- */
void requests_take(void *ctx, struct control_client *c, struct span line,
		   const struct control_peer *peer);
/* What only the manager knows of a message; the strings live until the next event. */
struct verb_live requests_live(struct manager *m, const struct queue_id *id,
			       const struct control_peer *peer);

/* A message that is being delivered: may this one say what follows? ERR_DENIED: not what an
 * administrator has said already. */
int requests_may_wish(const struct message *msg, enum verb_by by, struct err *err);
/* Does a verb to a message that nobody delivers now, and says so in log and events. */
int requests_act(struct manager *m, enum verb_act act, enum verb_by by,
		 const struct queue_id *id, bool dead, struct err *err);

/* --- requests_find.c: what a peer may see --- */
/* Finds the message whose ID ends so. To other users than administrators the messages of
 * others are not there. */
int find_message(struct manager *m, const struct control_peer *peer, struct span ending,
		 struct queue_id *ret, bool *ret_dead, struct err *err);
bool find_may_see(struct manager *m, const struct control_peer *peer,
		  const struct queue_id *id, bool dead);

/* --- status.c, show.c, wishes.c: the requests of these names; `words` is what follows --- */
void status_request(struct manager *m, struct control_client *c,
		    const struct control_peer *peer);
void show_request(struct manager *m, struct control_client *c, const struct control_peer *peer,
		  struct span words);
void edit_request(struct manager *m, struct control_client *c, const struct control_peer *peer,
		  struct span words);
/* Does what was wished while the message was being delivered. */
void wishes_fulfil(struct manager *m, struct message *msg);
void wishes_release(struct manager *m);
#define WISH_EDIT 0x7fu /* in message.verb: the wish stands in the list */
#define WISH_BY_USER 0x80u

/* --- supervisor.c: the protocol of sd_notify(3) --- */
void supervisor_tell(const char *state);

#endif
