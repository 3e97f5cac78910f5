/*
 * Messages of which an event spoke: they are asked for some at a time, a moment later, since
 * what just changed often changes again.
 */

#include <string.h>

#include "base/clock.h"
#include "base/codec.h"
#include "tui/model_state.h"

static struct model_dirty *find_dirty(struct model *m, const char *id) {
	for (size_t i = 0; i < m->dirty_count; i++) {
		struct model_dirty *d = &m->dirty[(m->dirty_first + i) % MODEL_DIRTY_MAX];
		if (strcmp(d->id, id) == 0)
			return d;
	}
	return NULL;
}

void model_ask_about(struct model *m, const char *id) {
	if (find_dirty(m, id))
		return;
	if (m->dirty_count == MODEL_DIRTY_MAX) {
		model_refresh(m);
		return;
	}
	struct model_dirty *d =
		&m->dirty[(m->dirty_first + m->dirty_count++) % MODEL_DIRTY_MAX];
	memcpy(d->id, id, sizeof(d->id));
	d->since_ms = clock_boot_ms();
}

void model_ask_not(struct model *m, const char *id) {
	struct model_dirty *d = find_dirty(m, id);
	if (d)
		d->id[0] = '\0';
}

/* When the oldest event is a moment old, all the others go with it. */
void model_some_go(struct model *m, int64_t now_ms) {
	AUTO_BUF struct buf request = BUF_INIT(8192);
	m->some_count = 0;
	if (m->dirty[m->dirty_first].since_ms + MODEL_SETTLE_MS > now_ms)
		return;
	buf_adds(&request, "list");
	while (m->dirty_count && m->some_count < MODEL_SOME_MAX) {
		struct model_dirty *d = &m->dirty[m->dirty_first];
		if (d->id[0]) {
			memcpy(m->some[m->some_count++], d->id, MODEL_ID_SIZE);
			codec_word_add(&request, "id", span_str(d->id));
		}
		m->dirty_first = (m->dirty_first + 1) % MODEL_DIRTY_MAX;
		m->dirty_count--;
	}
	if (m->some_count && model_ask(m, ASK_SOME, buf_span(&request), NULL) != 0)
		m->list_at = now_ms + MODEL_RETRY_MS;
}

size_t model_ask_named(const char (*ids)[MODEL_ID_SIZE], size_t count,
		       const char *words) {
	for (size_t i = 0; i < count; i++)
		if (strstr(words, ids[i]))
			return i;
	return count;
}

/* One that is gone makes the whole request fail; the others are asked for again. */
void model_some_ended(struct model *m, int r, const struct err *err) {
	const char(*ids)[MODEL_ID_SIZE] = (const char(*)[MODEL_ID_SIZE])m->some;
	size_t count = m->some_count;
	m->some_count = 0;
	if (r == 0)
		return;
	size_t gone = model_ask_named(ids, count, err->msg);
	if (err->kind != ERR_MISSING || gone == count) {
		model_refresh(m);
		return;
	}
	model_rows_remove(&m->rows, ids[gone]);
	for (size_t i = 0; i < count; i++)
		if (i != gone)
			model_ask_about(m, ids[i]);
}
