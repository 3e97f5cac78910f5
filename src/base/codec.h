#ifndef NIGHTMAIL_BASE_CODEC_H
#define NIGHTMAIL_BASE_CODEC_H

/*
 * Encodings without allocation surprises: percent (our queue files and sockets), base64,
 * base32hex, CRC-32C. All pure.
 *
 * "Words" are the one line format of queue envelopes, journals, control requests and
 * worker frames: words separated by one space, ended by LF, where every byte that is not
 * printable ASCII, and space, '%', '=' inside a value, stands as %XX. So no byte of an
 * address or a reply can make a word or a line. A word may be `key=value`.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

/* Appends s percent-encoded: bytes 0x21..0x7e except '%' and '=' stand for themselves, all
 * others become %XX (upper-case hexadecimal). The empty string becomes a single "%". */
int codec_percent_add(struct buf *out, struct span s);
/* Appends the decoded bytes; returns -1 (out unchanged) on a '%' without two hexadecimal
 * digits behind it (a lone "%" is the empty string) or a byte outside 0x21..0x7e. */
int codec_percent_decode(struct buf *out, struct span s);

/* Appends " key=value" with the value percent-encoded. */
int codec_word_add(struct buf *out, const char *key, struct span value);
/* Appends " key=number". */
int codec_word_add_int(struct buf *out, const char *key, int64_t value);

/* Takes the next word (one leading space is skipped). For `key=value` *ret_key is the key
 * and *ret_value the still encoded value; otherwise *ret_key is the word and ret_value->p
 * is NULL. False at the end of the line. */
bool codec_word_take(struct span *line, struct span *ret_key, struct span *ret_value);

/* Appends base64 (RFC 4648 section 4, padded, no line breaks). */
int codec_base64_add(struct buf *out, struct span s);
/* Appends the decoded bytes of strict base64 (padding required, no white space); -1 on any
 * deviation, and out is unchanged. */
int codec_base64_decode(struct buf *out, struct span s);

/* Writes 16 characters of base32hex (RFC 4648 section 7, upper case, no padding, no NUL)
 * for 80 bits, big-endian, so that the text sorts as the number does. */
void codec_base32hex_80(char out[16], const uint8_t bits[10]);
/* Reverses it; lower case is accepted. Returns -1 on any other character. */
int codec_base32hex_80_decode(uint8_t bits[10], struct span s);

/* CRC-32C (Castagnoli, RFC 3720 B.4), continued: start with crc = 0. */
uint32_t codec_crc32c(uint32_t crc, const void *p, size_t len);
/* The same without special instructions: what runs on processors that have none. */
uint32_t codec_crc32c_portable(uint32_t crc, const void *p, size_t len);

/* Appends n lower-case hexadecimal digits of v (most significant first). */
int codec_hex_add(struct buf *out, uint64_t v, unsigned n);

#endif
