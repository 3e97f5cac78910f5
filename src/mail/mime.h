#ifndef NIGHTMAIL_MAIL_MIME_H
#define NIGHTMAIL_MAIL_MIME_H

/*
 * Writing MIME (RFC 2045, 2046, 2231): how bytes travel, the fields of a part, what stands
 * between the parts. All with LF line ends. Pure.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/span.h"

enum mime_encoding { MIME_7BIT, MIME_8BIT, MIME_QP, MIME_BASE64 };

/* What is known of some bytes; start with zeros. */
struct mime_facts {
	bool has_nul, has_cr, not_utf8, has_long_line; /* long: over 998 octets */
	size_t octets, octets_8bit;
	size_t line; /* octets of the line that is not ended yet */
};

/* Looks at the next piece. A character must not be torn between two (mime_whole()). */
void mime_look(struct mime_facts *f, struct span piece);
/* How much of a piece ends with a whole character; less than 4 octets stay behind. */
size_t mime_whole(struct span piece);
/* "us-ascii", "utf-8", or "unknown-8bit" (RFC 1428). */
const char *mime_charset(const struct mime_facts *f);

/* QP or base64, whichever suits a text that cannot go as it is. */
enum mime_encoding mime_text_encoding(const struct mime_facts *f);
/* The same, or 7bit where it can go as it is through a transport of ASCII. */
enum mime_encoding mime_ascii_encoding(const struct mime_facts *f);
/* "7bit", "quoted-printable" ... */
const char *mime_encoding_name(enum mime_encoding e);
/* Appends base64 in lines of 76; all pieces but the last are a multiple of MIME_LINE_BYTES. */
#define MIME_LINE_BYTES 57
int mime_base64(struct span piece, struct buf *out);
/* Appends text in that encoding. As base64 it gets CRLF, the canonical line end of text
 * (RFC 2045 section 6.8). */
int mime_encode_text(struct span text, enum mime_encoding e, struct buf *out);

/* Appends ";\n name=value": quoted, or by RFC 2231 where it is long or not ASCII. The value is
 * UTF-8. */
int mime_param(struct buf *out, const char *name, struct span value);
/* Appends what a receiver is told of a file's name: without folders, control characters and
 * bytes that are not UTF-8 replaced. */
int mime_file_name(struct buf *out, struct span path);
/* Appends a name in the form that Content-ID and cid: have in common: letters, digits and ". _ -",
 * others become "_". */
int mime_content_id(struct buf *out, struct span file_name);

/* Finds the type of a file name's extension in lines "type/subtype ext ext", which is also
 * the form of /etc/mime.types. False: not there. */
bool mime_type_find(struct span types, struct span file_name, struct span *ret);
/* Such lines for what people send. */
struct span mime_types_known(void);

/*
 * Multiparts, nested.
 *
 *     mime_open(t, "mixed", "")         appends the fields of a multipart to t->out
 *     mime_next(t)                      a delimiter: the fields of a part come next,
 *                                       or another mime_open()
 *     mime_close(t)                     ends the innermost
 */
#define MIME_DEPTH_MAX 4
struct mime_tree {
	struct buf *out;
	const char *seed; /* random letters and digits, so that no part has a delimiter */
	unsigned depth;
};
void mime_open(struct mime_tree *t, const char *subtype, const char *params);
void mime_next(struct mime_tree *t);
void mime_close(struct mime_tree *t);

#endif
