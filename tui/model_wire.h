#ifndef NIGHTMAIL_TUI_MODEL_WIRE_H
#define NIGHTMAIL_TUI_MODEL_WIRE_H

/*
 * One question to the control socket, or to a child that reads the queue in its stead: a
 * line goes out, lines come back, nothing waits.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

struct model_wire {
	int fd;    /* -1: closed */
	pid_t pid; /* of the child that answers, 0: the daemon does */
	struct buf in, out;
	size_t scanned;   /* bytes of `in` known to hold no line end */
	int64_t asked_ms; /* boot time of the question */
	int64_t heard_ms; /* of the last bytes */
};

void model_wire_init(struct model_wire *l);
/* Closes it; what was not read is lost. */
void model_wire_close(struct model_wire *l);
static inline bool model_wire_is_open(const struct model_wire *l) {
	return l->fd >= 0;
}
/* Asks the daemon. ERR_MISSING: none runs; ERR_DENIED; ERR_TIMEOUT: it is too busy. */
int model_wire_ask(struct model_wire *l, const char *path, struct span request,
		   struct err *err);
/* Takes over a connected socket on which a child answers. */
void model_wire_adopt(struct model_wire *l, int fd, pid_t pid);
/* What to poll for. */
short model_wire_events(const struct model_wire *l);

enum model_wire_end {
	MODEL_WIRE_OPEN,
	MODEL_WIRE_ENDED, /* the other side closed, or it broke */
	MODEL_WIRE_LEFT,  /* fn returned non-zero, or closed the link */
};
/* Sends and reads what goes now, a bounded amount, and calls fn for each whole line. */
typedef int model_wire_fn(void *ctx, struct span line);
enum model_wire_end model_wire_pump(struct model_wire *l, model_wire_fn *fn, void *ctx);

#endif
