#ifndef NIGHTMAIL_CONFIG_IMPORT_H
#define NIGHTMAIL_CONFIG_IMPORT_H

/*
 * Settings of other mail relays, read from their own files: bytes in, a draft of our
 * configuration out, with words for everything that cannot be carried over. No I/O: the
 * caller reads the files.
 *
 *     struct import in;
 *     import_init(&in, import_peer_find("msmtp"))
 *     for each file i of in.peer that there is:
 *             import_parse(&in, i, path, text)     in the order of the table
 *     import_finish(&in)
 *     in.draft, in.secret, in.notes ...
 *     import_release(&in)
 *
 * The password never gets into the draft or the notes; it stands in `secret` alone, which is
 * wiped on release. The caller wipes the texts that it gave.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/span.h"
#include "config/draft.h"

#define IMPORT_FILES_MAX 11
#define IMPORT_FILE_SIZE_MAX (1u << 20)
#define IMPORT_SECRET_MAX 1024u
#define IMPORT_NOTES_MAX 65536u

struct import;

struct import_file {
	const char *path; /* where it usually is */
	void (*parse)(struct import *in, struct span text);
};

struct import_peer {
	const char *name;
	const char *home; /* a person's own file, below the home directory, or NULL */
	const char *home_other;
	struct import_file
		file[IMPORT_FILES_MAX];    /* the first is the one that must be there */
	void (*finish)(struct import *in); /* after the last file */
};

/* All peers; the last one has no name. */
extern const struct import_peer import_peers[];
/* Returns the peer of that name, or NULL. */
const struct import_peer *import_peer_find(const char *name);

/* How a peer secures its connection, before it is known whether it logs in. */
enum import_tls {
	IMPORT_TLS_UNKNOWN,
	IMPORT_TLS_NONE,
	IMPORT_TLS_OPPORTUNISTIC,
	IMPORT_TLS_STARTTLS,
	IMPORT_TLS_IMPLICIT,
};

struct import {
	const struct import_peer *peer;
	struct config_draft draft;
	char *named[IMPORT_FILES_MAX]; /* where the first file says that another one is */
	struct buf secret;
	bool has_secret;         /* also when it could not be taken over */
	struct buf secret_place; /* "/etc/msmtprc:12", where it stands */
	struct buf login_place;  /* "main.cf:12", which says that the login is in file 1 */
	bool login_lost;         /* there is a login, and it cannot be carried over */
	struct buf notes;        /* "FILE:LINE: words" lines, safe to show */
	struct buf unneeded;     /* names of settings that change nothing here */
	/* while parsing: */
	const char *file; /* what notes call the file */
	unsigned line;    /* 0: none */
	struct buf host;  /* the relay as the peer writes it */
	enum import_tls tls;
	unsigned port; /* 0: not given */
	unsigned usual_port;
};

void import_init(struct import *in, const struct import_peer *peer);
void import_release(struct import *in);
/* Reads one file of the peer. label: what notes call it; valid until import_finish(). */
void import_parse(struct import *in, size_t file, const char *label, struct span text);
/* The login that login_place tells of cannot be carried over: a note that says why. */
void import_lose_login(struct import *in, const char *why);
/* Draws the conclusions. */
void import_finish(struct import *in);

#endif
