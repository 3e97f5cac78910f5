/*
 * Actions. The IDs go out in batches, each a request of its own, so that a long action shows
 * how far it is. One message that is gone makes a whole request fail before anything was
 * done: it is noted as a failure, and the rest of its batch is asked for again.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/codec.h"
#include "control/control.h"
#include "tui/model_state.h"

static const char *const names[] = {
	[MODEL_FLUSH] = "flush",   [MODEL_HOLD] = "hold",     [MODEL_RELEASE] = "release",
	[MODEL_DELETE] = "delete", [MODEL_BOUNCE] = "bounce", [MODEL_EDIT] = "edit",
};

const char *model_act_name(enum model_act act) {
	return names[act];
}

int model_may_act(const struct model *m, enum model_act act, struct err *err) {
	if (m->read_only)
		return err_set(err, ERR_DENIED, "%s: not with --read-only", names[act]);
	if (m->to == SOURCE_SPOOL)
		return err_set(err, ERR_DENIED,
			       "%s: nightmaild is not running; 'mailq %s' can",
			       names[act], names[act]);
	if (m->to != SOURCE_DAEMON || m->stale)
		return err_set(err, ERR_MISSING, "%s: nightmaild %s", names[act],
			       m->stale ? "does not answer" : "has not answered yet");
	if (m->job.running)
		return err_set(err, ERR_LIMIT, "%s: the last action is not finished yet",
			       names[act]);
	return 0;
}

void model_job_release(struct model *m) {
	free(m->job_id);
	m->job_id = NULL;
	buf_reset(&m->job_edit);
}

static void begin(struct model *m, enum model_act act, size_t count) {
	m->job = (struct model_job){
		.act = act, .running = true, .total = count, .ended_ms = NO_TIME
	};
	m->job_next = m->job_asked = 0;
	m->changed = true;
	model_job_go(m);
}

int model_act(struct model *m, enum model_act act, const char *const ids[], size_t count,
	      struct err *err) {
	if (model_may_act(m, act, err) != 0)
		return -1;
	if (count == 0)
		return err_set(err, ERR_MISSING, "%s: no message is selected",
			       names[act]);
	model_job_release(m);
	m->job_id = calloc(count, sizeof(*m->job_id));
	if (!m->job_id)
		return err_set(err, ERR_MEMORY, "out of memory");
	for (size_t i = 0; i < count; i++)
		memcpy(m->job_id[i], ids[i], strnlen(ids[i], MODEL_ID_SIZE - 1));
	begin(m, act, count);
	return 0;
}

/* " to=OLD new=NEW", or " remove=OLD" when there is no new one. */
static int add_changes(struct buf *out, struct span old, struct span new,
		       struct err *err) {
	struct span from, to;
	while (span_take_line(&old, &from)) {
		if (span_take_line(&new, &to)) {
			codec_word_add(out, "to", from);
			codec_word_add(out, "new", to);
		} else {
			codec_word_add(out, "remove", from);
		}
	}
	if (new.len)
		return err_set(err, ERR_LIMIT,
			       "edit replaces or removes recipients, it adds none");
	return buf_failed(out) ? err_set(err, ERR_LIMIT, "edit: too many recipients") : 0;
}

int model_edit(struct model *m, const char *id, struct span old, struct span new,
	       struct err *err) {
	if (model_may_act(m, MODEL_EDIT, err) != 0)
		return -1;
	if (old.len == 0)
		return err_set(err, ERR_MISSING, "edit: no recipient was changed");
	model_job_release(m);
	if (add_changes(&m->job_edit, old, new, err) != 0)
		return -1;
	m->job_id = calloc(1, sizeof(*m->job_id));
	if (!m->job_id)
		return err_set(err, ERR_MEMORY, "out of memory");
	memcpy(m->job_id[0], id, strnlen(id, MODEL_ID_SIZE - 1));
	begin(m, MODEL_EDIT, 1);
	return 0;
}

static void end(struct model *m, const char *words) {
	if (words && !m->job.error[0])
		snprintf(m->job.error, sizeof(m->job.error), "%s", words);
	m->job.running = false;
	m->job.ended_ms = clock_boot_ms();
	m->changed = true;
}

void model_job_go(struct model *m) {
	AUTO_BUF struct buf request = BUF_INIT(CONTROL_REQUEST_MAX);
	struct err err = ERR_INIT;
	if (!m->job.running || model_wire_is_open(&m->link[ASK_JOB]))
		return;
	if (m->job_next == m->job.total) {
		end(m, NULL);
		return;
	}
	buf_adds(&request, names[m->job.act]);
	m->job_asked = 0;
	while (m->job_asked < MODEL_BATCH && m->job_next + m->job_asked < m->job.total)
		codec_word_add(&request, "id",
			       span_str(m->job_id[m->job_next + m->job_asked++]));
	buf_add(&request, buf_span(&m->job_edit));
	if (m->to != SOURCE_DAEMON ||
	    model_ask(m, ASK_JOB, buf_span(&request), &err) != 0) {
		m->job.failed += m->job.total - m->job_next;
		end(m, err.msg[0] ? err.msg : "nightmaild does not answer");
	}
}

static void note_failure(struct model *m, const char *id, const char *words) {
	if (m->job.failed++ == 0)
		snprintf(m->job.error, sizeof(m->job.error), "%s: %s", id, words);
}

void model_job_line(struct model *m, struct span line) {
	struct model_read_done d;
	if (!model_read_done(&d, line))
		return;
	if (d.error[0])
		note_failure(m, d.id, d.error);
	else
		m->job.done++;
	m->job.later += d.pending;
	if (d.new_id[0])
		memcpy(m->job.new_id, d.new_id, sizeof(m->job.new_id));
	model_ask_about(m, d.id);
	m->changed = true;
}

/* The one that is gone becomes the first of the batch and is passed over. */
static bool pass_over(struct model *m, const struct err *err) {
	char(*batch)[MODEL_ID_SIZE] = m->job_id + m->job_next;
	size_t i = model_ask_named((const char(*)[MODEL_ID_SIZE])batch, m->job_asked,
				   err->msg);
	if (err->kind != ERR_MISSING || i == m->job_asked)
		return false;
	note_failure(m, batch[i], "it is not in the queue any more");
	memmove(batch[i], batch[0], MODEL_ID_SIZE);
	m->job_next++;
	return true;
}

void model_job_ended(struct model *m, int r, const struct err *err) {
	m->changed = true;
	if (r == 0)
		m->job_next += m->job_asked;
	else if (!pass_over(m, err)) {
		m->job.failed = m->job.total - m->job.done;
		end(m, err->msg);
	}
	m->job_asked = 0;
}
