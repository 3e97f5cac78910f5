#ifndef NIGHTMAIL_DELIVER_ALERT_H
#define NIGHTMAIL_DELIVER_ALERT_H

/*
 * Telling people what is wrong by other ways than mail: a command, a webhook, the desktop, a
 * file for motd ([notify] in nightmail.conf(5)).
 *
 * Two sorts: something happened (a message bounced), which is told once; and something is
 * wrong (a relay is held), which is told when it begins, once a day as long as it lasts, also over
 * restarts, and stands in the motd file meanwhile. What ends one day (a certificate, a grant) is
 * told when little is left of it, and once more when next to nothing is; that it was told is
 * remembered also while nobody can look.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/span.h"
#include "deliver/validity.h"
#include "queue/alertstate.h"
#include "queue/id.h"

enum alert_kind {
	ALERT_BOUNCED,
	ALERT_DELAYED,
	ALERT_DEAD,
	ALERT_RELAY_HELD,
	ALERT_RELAY_OK,
	ALERT_QUEUE_AGE,
	ALERT_QUEUE_SIZE,
	ALERT_QUOTA,
	ALERT_CERTIFICATE,
	ALERT_TOKEN,
	ALERT_DKIM,
	ALERT_DISK,
	ALERT_DOMAIN_BAD,
	ALERT_DOMAIN_CHANGED,
	ALERT_DOMAIN_OK,
	ALERT_DOMAIN_UNKNOWN,
	ALERT_KINDS
};
const char *alert_name(enum alert_kind kind); /* "relay-held" */

struct manager;
struct event;
struct json;

/* What is told; members that are empty are left out. */
struct alert_facts {
	enum alert_kind kind;
	const char *text; /* a sentence: foreign bytes in it are as they came */
	const char *relay;
	const struct queue_id *id;
	struct span from, to, reply;
	bool again; /* it was told before, a day ago or more */
	const char *domain, *verdict; /* of [watch] */
};

/* Something that is wrong now. */
struct alert_standing {
	enum alert_kind kind;
	bool seen, told;
	struct alertstate state;
	char text[600], relay[64];
};

/* A key that mail cannot be signed with (alert_dkim.c). */
struct alert_key {
	char name[256], text[300];
	int64_t told_ms; /* boot time of the last word of it */
};

struct alert_job;

#define ALERT_KEYS_MAX 64u
#define ALERT_RETIRED_MAX 8u

struct alerts {
	struct alert_standing *standing; /* ALERTSTATE_MAX */
	size_t count;
	struct alert_job *jobs; /* oldest first */
	size_t job_count;
	pid_t retired[ALERT_RETIRED_MAX]; /* helpers that were told to end; 0: free */
	struct queue_id *bounced;         /* told last: one alert a message */
	size_t bounced_at;
	struct alert_key *keys; /* ALERT_KEYS_MAX, or NULL */
	size_t key_count;
	struct buf motd; /* what stands in the file */
	bool motd_known, changed;
	bool size_high;
	struct queue_id written; /* by the last resort, up to this one */
	bool written_changed;
};

/* --- alert.c --- */
void alert_restore(struct manager *m);
void alert_free(struct manager *m);
/* An event that is told to followers is told here as well when it is one of ours. */
void alert_event(struct manager *m, const struct event *e);
void alert_delayed(struct manager *m, const struct queue_id *id, struct span from);
/* Tells it by all ways that are configured. */
void alert_tell(struct manager *m, const struct alert_facts *f);
/* Between alert_begin() and alert_end(): everything that is wrong now, each by its key. */
void alert_begin(struct manager *m);
void alert_raise(struct manager *m, enum alert_kind kind, const char *key,
		 const char *relay, const char *text);
/* The same for something that ends; key: which one. Nothing happens while enough is left. */
void alert_raise_end(struct manager *m, enum alert_kind kind, const char *key,
		     const char *relay, struct span what, const struct validity *v);
void alert_end(struct manager *m);
/* Writes down what was told. */
void alert_save(struct manager *m);

/* --- alert_look.c --- */
/* Finds out what is wrong: once a minute, and when a relay's state changed. */
void alert_look(struct manager *m);
/* What is wrong beyond relays that are held and quotas, as one JSON array. */
void alert_json(const struct manager *m, struct json *j, const char *key);

/* --- alert_ends.c --- */
/* Raises what ends soon: certificates and the grants of tokens. */
void alert_ends(struct manager *m);

/* --- alert_dkim.c --- */
/* A worker could not sign with a key ("DOMAIN SELECTOR"), or (no words) could. */
void alert_unsigned(struct manager *m, const char *name, struct span words);
/* One that was told before a restart stands until a worker says more of it, for a day. */
void alert_dkim_restore(struct manager *m, const struct alertstate *s);
/* Raises those that stand. */
void alert_dkim(struct manager *m);

/* --- alert_last.c: the last resort --- */
void alert_last_resort(struct manager *m);

/* --- alert_job.c --- */
enum alert_way { ALERT_COMMAND, ALERT_WEBHOOK, ALERT_DESKTOP };
/* Queues one; the texts are copied. */
void alert_job_add(struct manager *m, enum alert_way way, enum alert_kind kind,
		   struct span json, const char *title, const char *text);
/* SIGCHLD. */
void alert_reap(struct manager *m);
/* Starts what is due. Returns when to come again, or INT64_MAX. */
int64_t alert_jobs_step(struct manager *m, int64_t now_ms);
void alert_jobs_free(struct manager *m);

#endif
