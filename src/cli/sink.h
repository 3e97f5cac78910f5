#ifndef NIGHTMAIL_CLI_SINK_H
#define NIGHTMAIL_CLI_SINK_H

/*
 * What the files of `nightmail sink` share: the options, the rules for injected answers, the
 * counters that all processes of one sink see, and the messages. One process listens
 * (nightmail_sink.c) and forks one for each connection (sink_session.c).
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "creds/creds.h"
#include "net/addr.h"
#include "net/tls.h"
#include "smtp/server.h"

#define SINK_RULES_MAX 64
#define SINK_TEXT_MAX 256

enum sink_stage {
	SINK_GREETING,
	SINK_EHLO,
	SINK_STARTTLS,
	SINK_AUTH,
	SINK_MAIL,
	SINK_RCPT,
	SINK_DATA,
	SINK_CONTENT, /* a reply: to the final dot; a close: at the first byte of content */
	SINK_DOT,     /* a close only: after the final dot, before its reply */
};

/* One --reply or --close-at. */
struct sink_rule {
	enum sink_stage stage;
	struct span address; /* empty: any; "@example.org": any of that domain */
	bool close;
	int code;
	char text[SINK_TEXT_MAX];
	uint64_t times; /* 0: always */
};

struct sink_options {
	struct net_addr listen;
	const char *name;
	const char *tls_dir, *cert_file, *key_file;
	bool implicit_tls, require_tls, require_auth, no_pipelining, chunking, requiretls, json, help;
	char login[256]; /* empty: no AUTH */
	const char *password_file;
	const char *dir;
	int64_t delay_ms;
	uint64_t max, size_max, connections_max;
	uint64_t busy_beyond; /* 0: never */
	struct sink_rule rules[SINK_RULES_MAX];
	size_t rule_count;
};

/* Counters in memory shared by every process of a sink. */
struct sink_shared {
	atomic_ulong messages;             /* taken so far */
	atomic_ulong connections;          /* begun so far */
	atomic_ulong used[SINK_RULES_MAX]; /* how often a rule with a limit was applied */
};

struct sink {
	const struct sink_options *options;
	struct sink_shared *shared;
	struct tls_server *tls; /* NULL: no TLS */
	struct secret password;
	int dirfd; /* where messages go, or -1 */
	unsigned long
		numbered; /* highest number of a message that was in dir at the start */
	int lock_fd;      /* held while a line is written to stdout */
};

/* Fills ret from the command line. Returns 0, or -1 after complaining on stderr. */
int sink_options_parse(int argc, char **argv, struct sink_options *ret);
void sink_options_help(void);

/* Parse the arguments of --reply and --close-at; ret->address points into s. */
int sink_rule_parse_reply(struct span s, struct sink_rule *ret, struct err *err);
int sink_rule_parse_close(struct span s, struct sink_rule *ret, struct err *err);
/* Returns the first rule that applies here and is not used up, and counts its use; NULL:
 * none. close says which of the two kinds is asked for. */
const struct sink_rule *sink_rule_apply(const struct sink *sink, enum sink_stage stage,
					bool close, struct span address);
const char *sink_stage_name(enum sink_stage stage);

/* An envelope and its message, as far as they came. */
struct sink_recipient {
	char *address, *notify, *orcpt;
};
struct sink_message {
	char *from, *ret, *envid;
	bool body_8bit, smtputf8, requiretls;
	struct sink_recipient *to;
	size_t to_count, to_room;
	uint64_t size;      /* bytes of content on the wire */
	struct buf content; /* only when messages are kept */
};

/* What is known of a session when a message is complete. */
struct sink_facts {
	unsigned long connection;
	const char *peer, *helo;
	const struct tls_info *tls; /* NULL in clear */
	const char *mechanism;      /* NULL without AUTH */
};

void sink_message_clear(struct sink_message *m);
/* -1: no memory. */
int sink_message_begin(struct sink_message *m, const struct smtp_server_note *note);
int sink_message_recipient(struct sink_message *m, const struct smtp_server_note *note);
/* Takes the last recipient out again. */
void sink_message_drop_last(struct sink_message *m);
int sink_message_content(struct sink_message *m, const struct sink *sink,
			 struct span data);
/* Writes N.json and N.eml, then tells the event. */
int sink_message_store(const struct sink_message *m, const struct sink *sink,
		       const struct sink_facts *facts, unsigned long number,
		       struct err *err);

/* Writes one event to stdout: JSON or words. */
struct sink_event {
	const char *name;         /* "opened" */
	unsigned long connection; /* 0: none */
	const char *stage;        /* the rest may be NULL or empty */
	int code;
	struct span words;
};
void sink_tell(const struct sink *sink, const struct sink_event *event);
/* Writes a whole line, not mixed with those of other processes. */
void sink_print(const struct sink *sink, struct span line);

/* Exit status of a session's process that took the last message of --max. */
#define SINK_EXIT_LAST 10

/* Serves one connection (owns fd); returns the exit status for its process. */
int sink_session(const struct sink *sink, int fd, const struct net_addr *peer);

#endif
