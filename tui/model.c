/*
 * The model's outside: what is polled, what was heard, what is true. model_ask.c decides what
 * is asked, model_read.c reads the answers, model_job.c does actions.
 */

#include "tui/model.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "tui/model_state.h"

#define EDIT_MAX 60000u

struct model *model_new(const struct model_options *options) {
	struct model *m = calloc(1, sizeof(*m));
	if (!m)
		return NULL;
	for (int i = 0; i < ASKS; i++)
		model_wire_init(&m->link[i]);
	model_read_detail_init(&m->detail);
	model_read_detail_init(&m->coming);
	buf_init(&m->job_edit, EDIT_MAX);
	m->control = strdup(options->control);
	m->queue = options->queue ? strdup(options->queue) : NULL;
	if (!m->control || (options->queue && !m->queue)) {
		model_free(m);
		return NULL;
	}
	m->deliverable = options->deliverable;
	m->read_only = options->read_only;
	m->as_of_s = NO_TIME;
	m->list_at = m->status_at = m->show_at = MODEL_NEVER;
	m->status.paused_until = m->status.since = NO_TIME;
	m->counted_version = UINT64_MAX;
	m->job.ended_ms = NO_TIME;
	if (m->queue)
		snprintf(m->status.queue, sizeof(m->status.queue), "%s", m->queue);
	return m;
}

/* Reaps children that ended; `all`: makes them end and waits for it. */
static void reap(struct model *m, bool all) {
	size_t kept = 0;
	for (size_t i = 0; i < m->children; i++) {
		pid_t pid = m->child[i];
		if (all)
			kill(pid, SIGKILL);
		if (waitpid(pid, NULL, all ? 0 : WNOHANG) == 0)
			m->child[kept++] = pid;
	}
	m->children = kept;
}

void model_free(struct model *m) {
	if (!m)
		return;
	for (int i = 0; i < ASKS; i++)
		model_wire_close(&m->link[i]);
	reap(m, true);
	model_rows_release(&m->rows);
	model_read_detail_release(&m->detail);
	model_read_detail_release(&m->coming);
	model_job_release(m);
	buf_release(&m->job_edit);
	free(m->control);
	free(m->queue);
	free(m);
}

void model_say(struct model *m, const char *words) {
	if (strcmp(m->words, words) == 0)
		return;
	snprintf(m->words, sizeof(m->words), "%s", words);
	m->changed = true;
}

/* --- what was heard --- */

static void keep_event(struct model *m, const struct model_event *e) {
	m->event[m->event_next] = *e;
	m->event_next = (m->event_next + 1) % MODEL_EVENTS_MAX;
	if (m->events < MODEL_EVENTS_MAX)
		m->events++;
	m->changed = true;
}

static bool went_to_dead(const struct model_read_event *e) {
	return strcmp(e->outcome, "dead") == 0 || strcmp(e->outcome, "deleted") == 0;
}

/* What an event says of its message; the rest is asked for. */
static void apply_event(struct model *m, const struct model_read_event *e) {
	const char *kind = e->event.kind, *id = e->event.id;
	struct model_row *row = model_rows_find(&m->rows, id);
	if (strcmp(id, m->wanted) == 0)
		m->show_at = clock_boot_ms() + 100;
	if (strcmp(kind, "gone") == 0 && !went_to_dead(e)) {
		model_rows_remove(&m->rows, id);
		if (model_wire_is_open(&m->link[ASK_LIST])) /* which may name it yet */
			model_ask_about(m, id);
		else
			model_ask_not(m, id);
		return;
	}
	if (e->has_row && !row)
		model_rows_put(&m->rows, &e->row, &e->text);
	if (row && strcmp(kind, "started") == 0) {
		row->state = MODEL_ACTIVE;
		row->next = NO_TIME;
		m->rows.version++;
	}
	if (row && strcmp(kind, "deferred") == 0) {
		row->state = MODEL_DEFERRED;
		row->next = e->next;
		m->rows.version++;
	}
	model_ask_about(m, id);
}

static void event_line(struct model *m, struct span line) {
	struct model_read_event e;
	if (!model_read_event(&e, line))
		return;
	if (strcmp(e.event.kind, "gone") != 0) /* what became of it was said before */
		keep_event(m, &e.event);
	if (e.event.id[0])
		apply_event(m, &e);
	else
		model_refresh(
			m); /* of a relay, or a reload: many messages wait otherwise */
	m->changed = true;
	model_read_event_release(&e);
}

struct heard {
	struct model *m;
	enum model_ask ask;
	bool ended;
	int result;
	struct err err;
};

static int take_line(void *ctx, struct span line) {
	struct heard *h = ctx;
	struct model *m = h->m;
	if (model_read_verdict(line, &h->result, &h->err)) {
		h->ended = true;
		return 1;
	}
	switch (h->ask) {
	case ASK_EVENTS:
		event_line(m, line);
		break;
	case ASK_STATUS:
		m->changed |= model_read_status(&m->status, line);
		break;
	case ASK_LIST:
	case ASK_SOME:
		m->changed |= model_read_row(&m->rows, line);
		break;
	case ASK_SHOW:
		if (model_read_detail(&m->coming, line) != 0)
			return 1;
		if (m->coming.full) { /* enough of it */
			h->ended = true;
			return 1;
		}
		break;
	case ASK_JOB:
		model_job_line(m, line);
		break;
	case ASKS:
		break;
	}
	/* An event may have ended all of this. */
	return model_wire_is_open(&m->link[h->ask]) ? 0 : 1;
}

static void hear(struct model *m, enum model_ask ask) {
	struct heard h = { .m = m, .ask = ask, .err = ERR_INIT };
	enum model_wire_end end = model_wire_pump(&m->link[ask], take_line, &h);
	if (end == MODEL_WIRE_OPEN || !model_wire_is_open(&m->link[ask]))
		return;
	if (!h.ended) {
		h.result = err_set(&h.err, ERR_REMOTE, "%s",
				   end == MODEL_WIRE_LEFT
					   ? "an answer cannot be read"
					   : "the connection to nightmaild broke off");
		h.err.sys = EPIPE;
	}
	model_ask_ended(m, ask, h.result, &h.err);
}

/* --- polling --- */

size_t model_fds(struct model *m, struct pollfd *fds, size_t max) {
	size_t n = 0;
	for (int i = 0; i < ASKS && n < max; i++) {
		const struct model_wire *l = &m->link[i];
		if (model_wire_is_open(l))
			fds[n++] = (struct pollfd){ .fd = l->fd,
						    .events = model_wire_events(l) };
	}
	return n;
}

int model_timeout_ms(const struct model *m) {
	int64_t left = model_ask_next(m) - clock_boot_ms();
	if (left > 60000)
		left = 60000;
	return left > 0 ? (int)left : 0;
}

static void count_states(struct model *m) {
	struct model_count *count = m->status.count;
	if (m->counted_version == m->rows.version)
		return;
	m->counted_version = m->rows.version;
	for (int s = 0; s < MODEL_STATES; s++)
		count[s] = (struct model_count){ .oldest = NO_TIME, .next = NO_TIME };
	for (size_t i = 0; i < m->rows.count; i++) {
		const struct model_row *r = model_rows_at(&m->rows, i);
		struct model_count *c = &count[r->state];
		if (c->messages++ == 0 || r->created < c->oldest)
			c->oldest = r->created;
		if (r->next != NO_TIME && (c->next == NO_TIME || r->next < c->next))
			c->next = r->next;
	}
}

bool model_ready(struct model *m, const struct pollfd *fds, size_t n) {
	uint64_t before = m->rows.version;
	m->changed = false;
	for (size_t i = 0; i < n; i++)
		for (int a = 0; fds[i].revents && a < ASKS; a++)
			if (m->link[a].fd == fds[i].fd) {
				hear(m, (enum model_ask)a);
				break;
			}
	if (m->children)
		reap(m, false);
	model_ask_due(m, clock_boot_ms());
	model_rows_settle(&m->rows);
	count_states(m);
	return m->changed || m->rows.version != before;
}

/* --- what is known --- */

enum model_link model_link(const struct model *m) {
	return m->shown_link;
}

const char *model_link_words(const struct model *m) {
	return m->words;
}

enum model_truth model_truth(const struct model *m) {
	if (m->listed && !m->stale)
		return MODEL_FRESH;
	return m->as_of_s == NO_TIME && m->rows.count == 0 ? MODEL_NOTHING : MODEL_STALE;
}

int64_t model_as_of(const struct model *m) {
	return m->as_of_s;
}

bool model_loading(const struct model *m) {
	return !m->listed && model_wire_is_open(&m->link[ASK_LIST]);
}

size_t model_count(const struct model *m) {
	return m->rows.count;
}

const struct model_row *model_at(const struct model *m, size_t i) {
	return model_rows_at(&m->rows, i);
}

const struct model_row *model_find(const struct model *m, const char *id) {
	return model_rows_find(&m->rows, id);
}

uint64_t model_rows_version(const struct model *m) {
	return m->rows.version;
}

size_t model_rows_beyond(const struct model *m) {
	return m->rows.beyond;
}

const struct model_status *model_status(const struct model *m) {
	return &m->status;
}

size_t model_events(const struct model *m) {
	return m->events;
}

const struct model_event *model_event(const struct model *m, size_t i) {
	return &m->event[(m->event_next + MODEL_EVENTS_MAX - 1 - i) % MODEL_EVENTS_MAX];
}

const struct model_detail *model_detail(const struct model *m) {
	return &m->detail.detail;
}

uint64_t model_detail_version(const struct model *m) {
	return m->detail_version;
}

const struct model_job *model_job(const struct model *m) {
	return &m->job;
}
