#ifndef NIGHTMAIL_CHECK_PROBE_STATE_H
#define NIGHTMAIL_CHECK_PROBE_STATE_H

/* Inside of probe*.c only: a session under way. */

#include "check/probe.h"

struct probe {
	const struct probe_plan *plan;
	struct probe_result *r;
	struct conn *conn;
	struct smtp_client *client;
	struct smtp_auth *auth;
	bool ready, over, in_auth;
	int64_t begun_ms, phase_ms;   /* boot time */
	struct buf line_out, line_in; /* unfinished lines of the transcript */
	struct buf in;                /* read, and not given to the machine */
	struct smtp_reply_parser parser;
	size_t content_given;
};

/* probe_io.c */
/* Tells of bytes that passed by, line by line. */
void probe_said(struct probe *p, char direction, struct span bytes);
void probe_say(struct probe *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Waits for events of the socket until the deadline. False: too late. */
bool probe_wait(struct probe *p, short events, int64_t deadline_ms);
/* Writes all of it. False: the connection is gone, or too late. */
bool probe_write(struct probe *p, struct span bytes);
/* Reads what comes next. > 0 bytes; 0: too late; -1: the end, with words. */
ssize_t probe_read(struct probe *p, char *to, size_t size, struct err *err);
/* Sends a line and reads its reply, outside of the machine. False: there was none; ret says why. */
bool probe_command(struct probe *p, struct span line, struct smtp_reply *ret);
/* Reads one reply. */
bool probe_reply(struct probe *p, struct smtp_reply *ret);
/* A phase is over: notes its time. */
void probe_phase_done(struct probe *p, enum probe_phase phase);

#endif
