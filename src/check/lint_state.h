#ifndef NIGHTMAIL_CHECK_LINT_STATE_H
#define NIGHTMAIL_CHECK_LINT_STATE_H

/* What the files of the linter share; nobody else includes it. */

#include "check/lint.h"

/* "what: why"; what is foreign text and may be empty. */
void lint_error(struct lint *l, struct span what, const char *why);
void lint_note(struct lint *l, struct span what, const char *why);

void lint_dmarc(struct span text, struct lint *l);

#include "base/banned.h"

#endif
