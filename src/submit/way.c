/*
 * The face of the three ways; see way.h. What goes any of them has no line that SMTP does not
 * carry.
 */

#include "submit/way.h"

#include <stdlib.h>

#include "base/buf.h"
#include "mail/longline.h"

#define STEP 65536u
#define OUT_MAX (64u << 20)

static void forget_lines(struct way *w) {
	if (w->lines)
		longline_release(w->lines);
	free(w->lines);
	w->lines = NULL;
}

void way_free(struct way *w) {
	if (!w)
		return;
	forget_lines(w);
	w->ops->free(w);
}

void way_keep_long_lines(struct way *w) {
	w->keep_long_lines = true;
}

void way_has_short_lines(struct way *w) {
	w->short_lines = true;
}

bool way_is_traced(const struct way *w) {
	return w->ops->traced;
}

int way_room(struct way *w, uint64_t bytes, struct err *err) {
	return w->ops->room ? w->ops->room(w, bytes, err) : 0;
}

int way_begin(struct way *w, const struct envelope *e, uint64_t size, struct err *err) {
	forget_lines(w);
	bool any = !w->keep_long_lines && !w->short_lines;
	w->short_lines = false;
	if (any) {
		w->lines = malloc(sizeof(*w->lines));
		if (!w->lines)
			return err_set(err, ERR_MEMORY, "out of memory");
		longline_init(w->lines);
	}
	return w->ops->begin(w, e, size, err);
}

static int write_some(struct way *w, struct span wire, struct err *err) {
	return wire.len > 0 ? w->ops->write(w, wire, err) : 0;
}

int way_write(struct way *w, struct span wire, struct err *err) {
	AUTO_BUF struct buf out = BUF_INIT(OUT_MAX);
	if (!w->lines)
		return write_some(w, wire, err);
	for (; wire.len > 0; wire = span_from(wire, STEP)) {
		if (longline_feed(w->lines, span_head(wire, STEP), &out, err) != 0 ||
		    write_some(w, buf_span(&out), err) != 0)
			return -1;
		buf_reset(&out);
	}
	return 0;
}

int way_finish(struct way *w, struct err *err) {
	AUTO_BUF struct buf out = BUF_INIT(OUT_MAX);
	if (!w->lines)
		return 0;
	int r = longline_finish(w->lines, &out, err);
	forget_lines(w);
	return r == 0 ? write_some(w, buf_span(&out), err) : -1;
}

int way_commit(struct way *w, struct queue_id *ret, struct err *err) {
	return way_finish(w, err) == 0 ? w->ops->commit(w, ret, err) : -1;
}

void way_abort(struct way *w) {
	forget_lines(w);
	w->ops->abort(w);
}
