#ifndef NIGHTMAIL_TESTS_CRASH_H
#define NIGHTMAIL_TESTS_CRASH_H

/*
 * Crash tests of the queue. A scenario does something to a spool as the programs do, and
 * says by marks what the world outside knows: what was acknowledged, what a server has got,
 * what a person was told. It is broken off at every file operation; then a start-up like
 * the manager's runs, and what the spool says must agree with the marks.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "queue/queue.h"

enum crash_what {
	CRASH_ACKED,   /* the submitter was told: queued */
	CRASH_SENT,    /* a server may have these recipients' copy from now on */
	CRASH_REFUSED, /* a server refused these for good */
	CRASH_HOLDING,
	CRASH_HELD,
	CRASH_RELEASING,
	CRASH_RELEASED,
	CRASH_DELETING,
	CRASH_DELETED,
	CRASH_BURYING,
	CRASH_BURIED,
	CRASH_REVIVING,
	CRASH_REVIVED,
};

struct crash_mark {
	enum crash_what what;
	unsigned message;      /* spool_id() of it */
	unsigned first, count; /* recipients */
	unsigned at;           /* file operations before it */
};

#define CRASH_MARKS_MAX 128
struct crash_marks {
	unsigned count;
	struct crash_mark mark[CRASH_MARKS_MAX];
};

/* One run of a scenario. */
struct crash_run {
	const char *dir;
	struct queue *q;
	struct crash_marks *marks; /* may be shared with a parent process */
	bool named;                /* as on a file system without unnamed files */
	void (*begin)(struct crash_run *run); /* called when the setup is done */
	unsigned operations;                  /* since then; counted by the test's hook */
};

struct crash_scenario {
	const char *name;
	void (*play)(struct crash_run *run);
	bool makes_files; /* so that it matters whether the file system has unnamed ones */
};
extern const struct crash_scenario crash_scenarios[];
extern const size_t crash_scenarios_count;

/* Opens the spool and plays a scenario in it. */
void crash_play(const struct crash_scenario *s, struct crash_run *run);

/* What a start does: replay, put aside what cannot be read, make the notices that are missing,
 * remove what is finished. */
int crash_recover(const char *dir, struct err *err);
/* Recovers twice and compares the spool with the marks made before operation `until`. Appends
 * a line for each contradiction. */
void crash_check(const char *dir, const struct crash_marks *marks, unsigned until,
		 struct buf *problems);

/* --- a disk that loses power: records operations and makes what may be left of them --- */

struct crash_disk;
/* An empty recording, in memory that children share. */
struct crash_disk *crash_disk_new(void);
void crash_disk_free(struct crash_disk *d);
/* Takes the run's spool as durable, and records all file operations of this process from now
 * on, until the hook is removed or the process ends; counts them in run. */
void crash_disk_record(struct crash_disk *d, struct crash_run *run);
/* Ends the process right behind its n-th recorded operation. */
void crash_disk_die_at(struct crash_disk *d, unsigned operation);
#define CRASH_DIED 99
/* Goes on with the recording in another process. */
void crash_disk_go_on(struct crash_disk *d);
unsigned crash_disk_operations(const struct crash_disk *d);
/* How many different remains a cut before operation `cut` can leave; at most max are made. */
size_t crash_disk_states(const struct crash_disk *d, unsigned cut, size_t max);
/* Makes remains number `state` in an empty directory. */
void crash_disk_make(const struct crash_disk *d, unsigned cut, size_t state, size_t max,
		     const char *dir);
/* Cuts the power before operation `first` and each one after it, checks the remains, at most max
 * of a cut, and adds how many they were; returns how many are wrong, and stops at the fifth. */
unsigned crash_cut_from(const struct crash_disk *d, const char *scenario,
			const struct crash_marks *marks, unsigned first, size_t max,
			size_t *states);

#endif
