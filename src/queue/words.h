#ifndef NIGHTMAIL_QUEUE_WORDS_H
#define NIGHTMAIL_QUEUE_WORDS_H

/*
 * Inside src/queue only: the values that envelope, journal and relay records share. All of
 * them are words of base/codec.h; a parser copies its bytes once and decodes in place.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/span.h"

/* Numbers beyond this are not ours; sums of a few of them cannot overflow. */
#define WORDS_INT_MAX (INT64_C(1) << 53)

/* Decodes a percent-encoded value that lies in the writable bytes at `base`; *s becomes the
 * decoded part, at the same place. False when it is no valid encoding. */
bool words_decode(char *base, struct span *s);
/* Parses a whole value as a decimal number, with a '-' when negative. */
bool words_int(struct span s, int64_t *ret);
/* Appends " wall_ms=... boot_ms=... boot_id=..." */
int words_add_moment(struct buf *out, const struct moment *m);
/* When key is one of the three words above: parses the value into *m, sets its bit (1, 2, 4)
 * in *seen, and returns true. False for other keys, repeated ones and bad values. */
bool words_moment(struct span key, struct span value, struct moment *m, unsigned *seen);
#define WORDS_MOMENT_ALL 7u

/*
 * A record is a line that carries its own CRC-32C: "xxxxxxxx text LF", the checksum is that
 * of the text. words_record_begin() returns the place that words_record_end() needs.
 */
size_t words_record_begin(struct buf *out, const char *kind);
int words_record_end(struct buf *out, size_t begin);
/* Takes one sound record from the front; *ret is its text. False, and *in unchanged, when
 * the line is cut or its checksum is wrong. */
bool words_record_take(struct span *in, struct span *ret);

#endif
