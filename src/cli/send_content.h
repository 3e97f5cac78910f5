#ifndef NIGHTMAIL_CLI_SEND_CONTENT_H
#define NIGHTMAIL_CLI_SEND_CONTENT_H

/*
 * The content of a message that is more than a text: HTML beside it, pictures in it, files
 * attached. It is made piece by piece while the message is queued, so that a file of any size
 * passes through a small buffer. All of it is 7bit.
 *
 *     send_content_init(); send_content_add()...
 *     send_content_begin(); send_content_read()...   again for every message
 *     send_content_release()
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "mail/mime.h"

enum send_file_use { SEND_INLINE, SEND_ATTACH }; /* in the order in which they stand */

struct send_file {
	enum send_file_use use;
	int fd;
	struct buf name; /* what the receiver is told */
};

/* One part of the message, told when it is complete; a multipart when it begins. */
struct send_part {
	unsigned depth;       /* 0: the message itself */
	struct span type;     /* with its charset */
	struct span name;     /* of the file, else empty */
	const char *encoding; /* NULL: a multipart */
	uint64_t octets;      /* of its content before encoding */
};
typedef void send_part_fn(void *ctx, const struct send_part *part);

enum send_stage { SEND_STAGE_TEXT, SEND_STAGE_HTML, SEND_STAGE_FILES, SEND_STAGE_DONE };

struct send_content {
	struct send_file *files;
	size_t count, cap;
	send_part_fn *seen; /* may be NULL */
	void *seen_ctx;
	/* of one message */
	struct span text, html;
	char seed[33];
	struct mime_tree tree;
	enum send_stage stage;
	enum send_file_use use; /* of the files that come now */
	size_t at;              /* next file */
	bool in_file;           /* the current one has more */
	struct send_part part;  /* the current file */
	struct buf type;        /* what part.type points to */
	struct buf out;         /* made, not read yet */
	size_t taken;           /* of out */
	struct buf piece;       /* of the current file */
	struct buf mime_types;  /* of the system */
	bool looked_at_types;
};

void send_content_init(struct send_content *c);
void send_content_release(struct send_content *c);
/* Opens a file. ERR_SYSTEM: cannot; ERR_SYNTAX: a folder, or a second inline file with the same
 * Content-ID. */
int send_content_add(struct send_content *c, enum send_file_use use, const char *path,
		     struct err *err);
/* True when a text alone needs nothing of this (then see compose_finish()). */
bool send_content_is_text(const struct send_content *c, struct span html);
/* True when a file cannot be read for a second message (a pipe). */
bool send_content_is_once(const struct send_content *c);
/* Starts a message: appends its Content- fields. An empty text is left out where something
 * else is there. text and html live until the last read. ERR_SYNTAX: a NUL. */
int send_content_begin(struct send_content *c, struct span text, struct span html,
		       struct buf *header, struct err *err);
/* The source for submission.h; ctx is the struct send_content. */
ssize_t send_content_read(void *ctx, char *room, size_t size, struct err *err);

/* --- for those who make one part (send_file.c) --- */

#define SEND_PIECE (MIME_LINE_BYTES * 4096u) /* of a file, in memory */

static inline void send_content_tell(const struct send_content *c,
				     const struct send_part *part) {
	if (c->seen)
		c->seen(c->seen_ctx, part);
}
/* Begins the part of the file c->at, and goes on with it; at its end c->in_file is false. */
int send_file_begin(struct send_content *c, struct err *err);
int send_file_continue(struct send_content *c, struct err *err);

#endif
