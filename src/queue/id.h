#ifndef NIGHTMAIL_QUEUE_ID_H
#define NIGHTMAIL_QUEUE_ID_H

/*
 * Queue IDs: 80 bits, 52 of microseconds since 1970 and 28 random, shown as 16 characters
 * of base32hex, so that names sort by time. Never reused. People may type any unique
 * ending of four or more characters.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

#define QUEUE_ID_LEN 16

struct queue_id {
	uint8_t bits[10];
};

/* The 16 characters and a NUL. */
struct queue_id_text {
	char s[QUEUE_ID_LEN + 1];
};

/* A new ID: now, and random bits of getrandom(2). */
struct queue_id queue_id_new(void);
/* The ID of the seq-th notice about a message: the same every time it is asked for. */
struct queue_id queue_id_notice(const struct queue_id *of, unsigned seq);
struct queue_id_text queue_id_text(const struct queue_id *id);
/* Parses 16 characters; lower case is accepted. */
bool queue_id_parse(struct span s, struct queue_id *ret);
/* Microseconds since 1970 that are in the ID. */
int64_t queue_id_us(const struct queue_id *id);
int queue_id_cmp(const struct queue_id *a, const struct queue_id *b);

#endif
