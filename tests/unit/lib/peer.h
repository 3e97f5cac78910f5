#ifndef NIGHTMAIL_TESTS_PEER_H
#define NIGHTMAIL_TESTS_PEER_H

/*
 * A scripted SMTP server in a process of its own, for tests of what delivers. It says yes to
 * everything, except where a rule speaks; what it saw stands in shared memory.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define PEER_TEXT_MAX (1u << 20)

struct peer_rule {
	const char *stage; /* greeting ehlo auth rset mail rcpt data bdat content dot idle quit,
			    * unknown: any other command */
	const char *match; /* bytes the command must contain, or NULL */
	unsigned times;    /* how often, 0: always */
	const char *
		reply; /* whole lines without the last CRLF; NULL: closes; "": stays silent */
};
/* Replies that are none: the usual one is lost, or said twice. */
#define PEER_LOSES "(loses)"
#define PEER_REPEATS "(repeats)"

/* Counters and texts; read them when the worker is done. */
struct peer_seen {
	unsigned connections, messages, auth_tries, quits;
	unsigned used[16]; /* by rule */
	size_t accepted_len, flights_len;
	char accepted
		[PEER_TEXT_MAX]; /* "<from> <to>,<to> bytes\n" each message with a 2xx */
	char flights[PEER_TEXT_MAX]; /* what each read gave, ended by "|" */
};

struct peer {
	pid_t pid;
	uint16_t port;
	struct peer_seen *seen;
};

/* Starts one on a free port of 127.0.0.1. extensions: lines of the EHLO reply, separated by
 * LF, may be NULL. rules end with a NULL stage; they live as long as the peer. */
struct peer peer_start(const char *extensions, const struct peer_rule *rules);
/* Ends it; `seen` stays readable until peer_release(). */
void peer_stop(struct peer *p);
void peer_release(struct peer *p);
/* A port that nothing listens on. */
uint16_t peer_closed_port(void);

#endif
