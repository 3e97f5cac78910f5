/* The face of the three ways; see way.h. */

#include "submit/way.h"

void way_free(struct way *w) {
	if (w)
		w->ops->free(w);
}

bool way_is_traced(const struct way *w) {
	return w->ops->traced;
}

int way_room(struct way *w, uint64_t bytes, struct err *err) {
	return w->ops->room ? w->ops->room(w, bytes, err) : 0;
}

int way_begin(struct way *w, const struct envelope *e, uint64_t size, struct err *err) {
	return w->ops->begin(w, e, size, err);
}

int way_write(struct way *w, struct span wire, struct err *err) {
	return wire.len > 0 ? w->ops->write(w, wire, err) : 0;
}

int way_commit(struct way *w, struct queue_id *ret, struct err *err) {
	return w->ops->commit(w, ret, err);
}

void way_abort(struct way *w) {
	w->ops->abort(w);
}
