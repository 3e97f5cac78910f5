#ifndef NIGHTMAIL_QUEUE_QUEUE_H
#define NIGHTMAIL_QUEUE_QUEUE_H

/*
 * The spool: the only code that knows its file names.
 *
 *     queue/ID       one file a message: first line, envelope, message, journal
 *     delivered/N    completion journals of the workers (segment.h)
 *     dead/ID        what needs a person
 *     lock           held by the process that owns the spool
 *     relays         since when which relay is held (relaystate.h)
 *
 * Accepting needs no ownership: anybody who may write the directory may queue_accept.
 * Delivering, editing and repairing need the message's claim; whoever changes a message on
 * a person's wish must own the spool (queue_own) or ask the owner by its control socket.
 *
 * A queue file's life (every step is an atomic change of a name, an append, or an unlink):
 *
 *   state        on disk                                   moved on by
 *   -----        -------                                   -----------
 *   (writing)    unnamed or tmp file, locked                acceptor: link, fsync, fsync dir
 *   (incomplete) queue/ID shorter than declared, unlocked   start-up: dead/, gone after 36 h
 *   queued       queue/ID, no attempt recorded              worker
 *   active       queue/ID, locked                           the lock's holder
 *   deferred     queue/ID, last record an attempt, wait     worker, when due
 *   held         queue/ID, hold without release             person: release, delete
 *   finished     queue/ID, nothing left to do               whoever sees it: unlink
 *   dead         dead/ID                                    person, or age (30 d)
 *
 * What a crash leaves and who mends it stands in nightmail-queue(5).
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "queue/envelope.h"
#include "queue/id.h"
#include "queue/journal.h"

struct queue;

/* Makes the directory, those above it and what belongs in it, all 0700; existing parts stay. */
int queue_create(const char *dir, struct err *err);
/* Opens a spool. Refuses file systems without proper flock or durable names (NFS, CIFS,
 * FUSE, 9p). ERR_MISSING: no spool there. */
struct queue *queue_open(const char *dir, struct err *err);
void queue_free(struct queue *q);
/* Takes `lock` and writes host, boot id and pid into it. ERR_DENIED names the owner. The
 * lock is freed by queue_free() or death; children never hold it. */
int queue_own(struct queue *q, struct err *err);
/* True when the spool directory belongs to this process' effective uid, or that is 0. */
bool queue_may_own(const struct queue *q);
/* fsync of queue/: after it every earlier unlink and link is durable. */
int queue_sync(struct queue *q, struct err *err);

/* Free space: 0, or -1 with ERR_LIMIT when less than the reserve would be left after
 * `bytes` more. reserve of 0: do not ask. */
int queue_space(const struct queue *q, uint64_t bytes, uint64_t reserve_bytes,
	uint64_t reserve_inodes, struct err *err);

/* --- accept --- */

struct queue_accept;

/*
 * Starts a new queue file for e->id. Message bytes follow in wire form by
 * queue_accept_write(). Small messages are written in one piece.
 * Errors: ERR_SYSTEM with errno (ENOSPC, EDQUOT, EACCES...).
 */
struct queue_accept *queue_accept_begin(struct queue *q, const struct envelope *e, struct err *err);
int queue_accept_write(struct queue_accept *a, struct span wire, struct err *err);
uint64_t queue_accept_size(const struct queue_accept *a);

struct queue_claim;
/*
 * Makes it durable: link, fsync, fsync of the directory. 0: on disk, survives a power cut.
 * After a failure nothing is left that could be taken for an accepted message. `a` is
 * freed in both cases. With ret_claim the new message stays claimed (locked).
 * EEXIST (err->sys): a message of this ID exists already, is whole and durable; nothing was
 * changed. (A remainder of a crash under that name is put aside first.)
 */
int queue_accept_commit(struct queue_accept *a, struct queue_claim **ret_claim, struct err *err);
void queue_accept_abort(struct queue_accept *a); /* NULL is fine */

/* --- read --- */

enum queue_state { QUEUE_QUEUED, QUEUE_ACTIVE, QUEUE_DEFERRED, QUEUE_HELD, QUEUE_DEAD };
const char *queue_state_name(enum queue_state s); /* "queued" ... */

struct queue_message {
	struct envelope env;
	struct journal journal;
	uint64_t content_offset; /* where the message begins in the file */
	uint64_t content_len;    /* bytes, wire form */
	uint32_t crc;            /* CRC-32C of envelope and message as declared */
	uint32_t envelope_crc;   /* CRC-32C of the envelope bytes: start value for the content */
};
void queue_message_release(struct queue_message *m);

enum queue_damage {
	QUEUE_SOUND,
	QUEUE_INCOMPLETE, /* shorter than declared, or never written: was not acknowledged */
	QUEUE_DAMAGED,    /* bad first line, envelope, or checksum */
};

/* Reads a message without claiming it. dead: from dead/. ERR_MISSING: it is gone. ERR_SYNTAX:
 * *ret_damage (may be NULL) tells which. ret->journal.held and the rest give its state;
 * QUEUE_ACTIVE needs queue_is_claimed(). */
int queue_read(struct queue *q, const struct queue_id *id, bool dead, struct queue_message *ret,
	enum queue_damage *ret_damage, struct err *err);
/* Appends the valid part of its journal as it stands in the file. */
int queue_read_journal(struct queue *q, const struct queue_message *m, bool dead,
	struct buf *out, struct err *err);
/* True when somebody holds the claim now. */
bool queue_is_claimed(struct queue *q, const struct queue_id *id);
/* Opens the file for reading the content (pread at content_offset). -1 with errno. */
int queue_open_content(struct queue *q, const struct queue_id *id, bool dead);

/* Calls fn for every ID in queue/ (or dead/), in no order; stops when fn returns non-zero and
 * returns that. Names that are no IDs are skipped. */
typedef int queue_scan_fn(void *ctx, const struct queue_id *id);
int queue_scan(struct queue *q, bool dead, queue_scan_fn *fn, void *ctx, struct err *err);
/* Finds the one ID that ends in these characters (4 or more; 16: exact), in queue/ and dead/.
 * ERR_MISSING: none; ERR_LIMIT: several. */
int queue_find(struct queue *q, struct span ending, struct queue_id *ret, bool *ret_dead,
	struct err *err);
/* The same among those messages alone for which fn is true; the others are as if not there. */
typedef bool queue_pick_fn(void *ctx, const struct queue_id *id, bool dead);
int queue_find_if(struct queue *q, struct span ending, queue_pick_fn *fn, void *ctx,
	struct queue_id *ret, bool *ret_dead, struct err *err);

/* --- claim --- */

/*
 * Claims a message: exclusive right to deliver or change it, until released or the process
 * ends. *ret_damage as in queue_read(). ERR_DENIED: somebody else has it; ERR_MISSING: gone.
 * Do not fork while holding one.
 */
struct queue_claim *queue_claim(struct queue *q, const struct queue_id *id,
	enum queue_damage *ret_damage, struct err *err);
struct queue_message *queue_claim_message(struct queue_claim *c);
/* Releases it (the file stays). NULL is fine. */
void queue_claim_release(struct queue_claim *c);
/* Appends records: cuts behind the last valid one, writes in one piece, with sync also
 * fdatasync; then queue_claim_message()->journal is what the records say. Records that
 * end a recipient, flag one, or ask for a notice are always synced. ERR_LIMIT: the journal
 * cannot take the records (more than JOURNAL_NOTICES_MAX notices are outstanding, or a range
 * is none of the message's); nothing was written. */
int queue_claim_append(struct queue_claim *c, struct span records, bool sync, struct err *err);
/* Unlinks the file and releases the claim; freed in both cases. Not yet durable: queue_sync(). */
int queue_claim_remove(struct queue_claim *c, struct err *err);
/* Records the reason, moves the file to dead/ durably, releases and frees. */
int queue_claim_bury(struct queue_claim *c, const char *reason, int64_t keep_ms, struct err *err);
/* Reads the whole content and compares the checksum. ERR_SYNTAX: the file is damaged. */
int queue_claim_verify(struct queue_claim *c, struct err *err);
/* Reads content bytes [offset, offset+len) of the message. 0 or -1 (ERR_SYSTEM; ERR_SYNTAX: the
 * file is shorter). */
int queue_claim_content(struct queue_claim *c, uint64_t offset, void *p, size_t len, struct err *err);
/* Moves a file that cannot be read as a message (damage other than SOUND) to dead/. */
int queue_bury_damaged(struct queue *q, const struct queue_id *id, struct err *err);
/* Unlinks from dead/. */
int queue_dead_remove(struct queue *q, const struct queue_id *id, struct err *err);
/* Moves a sound message from dead/ back to queue/ as a new attempt (journal: released). */
int queue_dead_revive(struct queue *q, const struct queue_id *id, struct err *err);

#endif
