#ifndef NIGHTMAIL_CHECK_SVG_H
#define NIGHTMAIL_CHECK_SVG_H

/*
 * Logos as BIMI wants them: SVG Tiny 1.2 Portable/Secure (draft-svg-tiny-ps-abrotman), which has
 * no scripts, nothing that moves, no pictures of dots and no word of anything outside. Pure.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/span.h"

#define SVG_SIZE_MAX 32768u /* bytes; more is refused */

/* True when nothing is wrong. One line a complaint, safe to show, is appended to errors, and what
 * is only advised to notes. */
bool svg_check(struct span text, struct buf *errors, struct buf *notes);
/* True for a file that gzip made (.svgz), which cannot be looked into. */
bool svg_is_packed(struct span bytes);

#include "base/banned.h"

#endif
