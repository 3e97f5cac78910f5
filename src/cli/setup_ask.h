#ifndef NIGHTMAIL_CLI_SETUP_ASK_H
#define NIGHTMAIL_CLI_SETUP_ASK_H

/* Questions to the person at the terminal: asked on stderr, answered on stdin. */

#include <stdbool.h>

#include "base/buf.h"

/* Asks; an empty answer is the fallback (NULL: an empty one is empty). The answer, without
 * blanks around it, replaces what is in out. -1: the input has ended. */
int setup_ask(const char *question, const char *fallback, struct buf *out);
/* Asks for yes or no; the end of the input is no. */
bool setup_ask_yes(const char *question, bool fallback);
/* The same as setup_ask() with nothing shown of the answer. -1 also for ^C. */
int setup_ask_secret(const char *question, struct buf *out);

#endif
