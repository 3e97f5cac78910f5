#ifndef NIGHTMAIL_DELIVER_HEAP_H
#define NIGHTMAIL_DELIVER_HEAP_H

/*
 * What the manager knows of each message, and the orders in which it looks at them: a table
 * by ID, and binary heaps by due time, one for each lane. At most 100 bytes a message: the
 * rest stands in its queue file. A message is in at most one heap.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "queue/id.h"

enum message_state {
	MESSAGE_WAITING, /* in a heap */
	MESSAGE_ACTIVE,  /* a worker has it, or its dead worker's segment is not replayed yet */
	MESSAGE_HELD,    /* by a person: in no heap */
};

struct message {
	struct queue_id id;
	uint16_t lane;      /* WAITING, ACTIVE: number of the lane, or LANE_CARE */
	uint8_t slot;       /* ACTIVE: of this worker */
	uint8_t verb;       /* enum verb_act + 1 to be done after the attempt; 0: none */
	uint8_t generation; /* of the settings it was last tried with */
	uint8_t placed;     /* generation of the rules that chose its lane */
	uint8_t state : 2;  /* enum message_state */
	uint8_t class : 2;  /* enum heap_class */
	uint8_t crashes : 4; /* workers that died with it */
	bool null_sender : 1;
	bool warned : 1;    /* a delay notice was made */
	bool suspect : 1;   /* a worker died: deliver it alone */
	bool expire : 1;    /* care: its lifetime is over */
	bool warn : 1;      /* care: a delay notice is due */
	bool damaged : 1;   /* care: its content fails the checksum */
	bool loops : 1;     /* care: it goes round in a circle */
	bool stuck : 1;     /* care: a month behind a held relay */
	bool attempted : 1; /* deferred at least once */
	bool owes : 1;      /* its record asks for a notice */
	bool nameless : 1;  /* HELD until the configuration knows its local names */
	bool failed : 1;    /* some recipient will not get it */
	bool edited : 1;    /* care: it replaces another message, or another one it */
	bool edit_known : 1; /* that was looked into: it may go */
	bool storm : 1;     /* HELD as part of a storm, or care: is to be */
	bool digest : 1;    /* care: the storm that it began is over */
	bool scheduled : 1; /* its time has not come: looked at again when due */
	bool throttled : 1; /* put off for its recipients' domain */
	bool partial : 1;   /* some were tried while others' domain had to wait: each in its time */
	bool multi : 1;     /* its open recipients have several lanes */
	bool lent : 1;      /* waits here to probe a held relay, while some have a lane that works */
	uint16_t open;      /* recipients that are to get it yet, UINT16_MAX at most */
	uint16_t trouble;   /* the destination it waits for (trouble.h); 0: none */
	uint32_t heap_at;
	uint32_t age_s;     /* its age at `last` */
	int64_t due_ms;     /* boot time */
	struct moment last; /* acceptance or last attempt */
	uint32_t uid;       /* who submitted it */
	uint32_t kib;       /* its size, as counted for this user */
	struct message *next; /* table chain, or free list */
};

#define LANE_CARE UINT16_MAX /* things the manager itself does with a message */

/* Who goes first of those that are due. No class starves: of 25 messages that go while all
 * wait, 16 are high, 6 normal, 2 low and 1 is a bounce. */
enum heap_class { HEAP_HIGH, HEAP_NORMAL, HEAP_LOW, HEAP_BOUNCE, HEAP_CLASSES };

/* One heap a class. Zero is empty. */
struct heap {
	struct heap_part {
		struct message **item;
		size_t count, cap;
	} part[HEAP_CLASSES];
	size_t count; /* of all */
	int8_t credit[HEAP_CLASSES];
};

void heap_release(struct heap *h);
/* -1: no memory; nothing changed. While it is in the heap its class must not change. */
int heap_push(struct heap *h, struct message *m);
/* The one that is due first; NULL when empty. */
struct message *heap_top(const struct heap *h);
/* The one to hand over at `now_ms`: of those that are due the first of the class whose turn it
 * is. NULL: none is due. */
struct message *heap_next(const struct heap *h, int64_t now_ms);
/* heap_next() is handed over: notes whose turn is next. Before it is removed. */
void heap_served(struct heap *h, const struct message *m, int64_t now_ms);
void heap_remove(struct heap *h, struct message *m);
/* Restores the order after due_ms of m changed. */
void heap_moved(struct heap *h, struct message *m);
/* How many are due at `now_ms`, counted up to max. */
size_t heap_count_due(const struct heap *h, int64_t now_ms, size_t max);
/* Number i of `count`, in no order that means anything; a removal changes it. */
struct message *heap_nth(const struct heap *h, size_t i);

struct table_chunk;

struct table {
	struct message **bucket;
	size_t bucket_count, count;
	struct table_chunk *chunks;
	struct message *unused;
};

void table_release(struct table *t);
struct message *table_find(const struct table *t, const struct queue_id *id);
/* Adds a zeroed message; NULL: no memory. The pointer is valid until table_remove(). */
struct message *table_add(struct table *t, const struct queue_id *id);
/* It must be in no heap. The last one frees all memory. */
void table_remove(struct table *t, struct message *m);
/* Calls fn for every message; fn may change but not add or remove. */
void table_each(const struct table *t, void (*fn)(void *ctx, struct message *m), void *ctx);

#endif
