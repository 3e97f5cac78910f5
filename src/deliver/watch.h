#ifndef NIGHTMAIL_DELIVER_WATCH_H
#define NIGHTMAIL_DELIVER_WATCH_H

/*
 * [watch]: the DNS of some domains is looked at again and again, by dns-check and, for the
 * certificates of their MX hosts, by smtp-probe; what has changed is told (deliver/alert.h). One
 * program runs at a time, with less priority and an end. What was found is written down before it
 * is told, so that nothing is told twice.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/json.h"
#include "control/control.h"
#include "deliver/watch_result.h"

struct manager;
struct watch_run; /* a check that is under way */

struct watch_domain {
	struct watchstate state;
	int64_t due_ms; /* boot time */
	bool asked;     /* somebody waits for it */
};

struct watches {
	struct watch_domain *at; /* those of the settings, in their order */
	size_t count;
	size_t next; /* whose turn it is when several are due */
	struct watch_run *run;
	bool missing_told; /* that the programs are not installed */
};

/* --- watch.c --- */
/* Reads what was known; after that, and after each reload, the domains are those of the
 * settings. */
void watch_restore(struct manager *m);
void watch_settings(struct manager *m);
/* Starts a check that is due. Returns when to come again, or NEVER_MS. */
int64_t watch_step(struct manager *m, int64_t now_ms);
/* SIGCHLD. */
void watch_reap(struct manager *m);
/* Ends the check that is under way; what it has said is forgotten. */
void watch_stop(struct manager *m);
void watch_free(struct manager *m);
/* The check of that domain is over: called once for each watch_run_start(), unless that is
 * freed. */
void watch_over(struct manager *m, const char *domain, struct watch_round *round);

/* --- watch_run.c --- */
/* NULL: it cannot be started; err->kind ERR_MISSING: the program is not installed. */
struct watch_run *watch_run_start(struct manager *m, const char *domain, struct err *err);
const char *watch_run_domain(const struct watch_run *r);
/* Has its program ended? */
void watch_run_reap(struct watch_run *r);
/* Kills what still runs. */
void watch_run_free(struct watch_run *r); /* NULL is fine */

/* --- watch_show.c --- */
/* The request `watch`; words is what follows. */
void watch_request(struct manager *m, struct control_client *c, struct span words);
/* A member "watch" with the domains and their verdicts. */
void watch_status(struct manager *m, struct json *j);
/* Appends lines about what is bad. */
void watch_motd(const struct manager *m, struct buf *out);

#endif
