#ifndef NIGHTMAIL_CREDS_KEYRING_H
#define NIGHTMAIL_CREDS_KEYRING_H

/*
 * The desktop's keyring, by nightmail-secret, a process that ends with its one request: what
 * speaks with the keyring brings a large library and threads. Request and answer are a frame
 * each (base/proc.h) of words (base/codec.h) on its descriptor 3:
 *
 *     get|test|delete ENTRY
 *     set ENTRY SECRET
 *
 *     ok [SECRET]
 *     error missing|denied|system TEXT
 */

#include "base/err.h"
#include "base/span.h"
#include "creds/creds.h"

enum keyring_act { KEYRING_GET, KEYRING_SET, KEYRING_TEST, KEYRING_DELETE };

/* secret: of SET; ret: of GET, else NULL. ERR_MISSING: no such entry; ERR_DENIED: the keyring is
 * locked; ERR_SYSTEM and others: there is none to be asked. */
int keyring_ask(enum keyring_act act, struct span entry, struct span secret,
		struct secret *ret, struct err *err);

/* --- the frames; pure --- */

int keyring_request_write(struct buf *out, enum keyring_act act, struct span entry,
			  struct span secret);
/* The decoded words replace what is in entry and secret. */
int keyring_request_parse(struct span frame, enum keyring_act *ret, struct buf *entry,
			  struct buf *secret, struct err *err);
/* error NULL: it worked. */
int keyring_answer_write(struct buf *out, struct span secret, const struct err *error);
/* -1 with the error that it holds. */
int keyring_answer_parse(struct span frame, struct secret *ret, struct err *err);

#define KEYRING_FRAME_MAX (16u << 10)
#define KEYRING_CHANNEL_FD 3

#endif
