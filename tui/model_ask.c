/*
 * What is asked when. With a daemon its events say what happens; the rows are listed once,
 * and after that only messages are asked for of which an event spoke. The status is asked
 * for every few seconds: that it is answered is the proof that what is shown is true.
 * Without a daemon a child lists the queue again and again, the more seldom the longer it
 * takes.
 */

#include "tui/model_state.h"

#include <errno.h>
#include <string.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/codec.h"
#include "tui/model_spool.h"

#define RETRY_FIRST_MS 300  /* to the first of these tries */
#define EVENTS_GOOD_MS 5000 /* a subscription that lasted so long was understood */
#define STATUS_MS 2000      /* from one status to the next */
#define ANSWER_MS 8000      /* without an answer to it things are not fresh */
#define LISTING_MS 30000    /* between two lines of a listing */
#define RELIST_MS 600000    /* a listing that only makes sure */
#define RELIST_POLL_MS 5000 /* without events */
#define RELIST_SOON_MS 1500 /* something happened to many messages */
#define RELIST_SHARE 50     /* a listing may take this part of the time */
#define SHOW_DELAY_MS 60    /* while the cursor moves on, nothing is asked */

int model_ask(struct model *m, enum model_ask ask, struct span request, struct err *err) {
	struct model_wire *l = &m->link[ask];
	int fd;
	pid_t pid;
	if (m->to != SOURCE_SPOOL)
		return model_wire_ask(l, m->control, request, err);
	if (m->children == MODEL_CHILDREN_MAX)
		return err_set(err, ERR_LIMIT, "%s: reading takes too long", m->queue);
	if (model_spool_ask(m->queue, m->deliverable, request, &fd, &pid, err) != 0)
		return -1;
	m->child[m->children++] = pid;
	model_wire_adopt(l, fd, pid);
	return 0;
}

/* --- who is asked --- */

static void close_all(struct model *m) {
	for (int i = 0; i < ASKS; i++)
		if (i != ASK_JOB)
			model_wire_close(&m->link[i]);
	m->dirty_count = m->some_count = 0;
	m->listed = m->live = false;
	m->list_at = m->status_at = m->show_at = MODEL_NEVER;
	m->status.known = false;
}

static void begin_asking(struct model *m, enum model_source to, int64_t now_ms) {
	m->to = to;
	m->live = to == SOURCE_DAEMON;
	m->list_at = now_ms;
	m->status_at = to == SOURCE_DAEMON ? now_ms : MODEL_NEVER;
	m->connect_at = to == SOURCE_DAEMON ? MODEL_NEVER : now_ms + MODEL_RETRY_MS;
	m->show_at = m->wanted[0] ? now_ms : MODEL_NEVER;
	m->changed = true;
}

/* Nobody answers any more: tries again soon. */
static void lost(struct model *m, const char *words, int64_t now_ms) {
	close_all(m);
	m->to = SOURCE_NONE;
	m->stale = true;
	m->connect_at = now_ms + RETRY_FIRST_MS;
	m->changed = true;
	model_say(m, words);
}

/* Tries the daemon; while there is none, the spool serves. */
static void connect_now(struct model *m, int64_t now_ms) {
	struct err err = ERR_INIT;
	struct model_wire l;
	model_wire_init(&l);
	m->connect_at = now_ms + MODEL_RETRY_MS;
	if (model_wire_ask(&l, m->control, SPAN("events"), &err) == 0) {
		close_all(m);
		m->link[ASK_EVENTS] = l;
		m->shown_link = MODEL_DAEMON;
		model_say(m, "");
		begin_asking(m, SOURCE_DAEMON, now_ms);
		return;
	}
	if (m->to == SOURCE_SPOOL)
		return;
	model_say(m, err.msg);
	m->changed |= m->shown_link != MODEL_LOST;
	m->shown_link = MODEL_LOST;
	if (err.kind == ERR_MISSING && m->queue)
		begin_asking(m, SOURCE_SPOOL, now_ms);
}

/* --- the whole list --- */

void model_refresh(struct model *m) {
	int64_t now = clock_boot_ms();
	int64_t rest = m->link[ASK_LIST].asked_ms + m->list_cost_ms * RELIST_SHARE;
	int64_t at = now + RELIST_SOON_MS;
	if (m->to == SOURCE_NONE) {
		m->connect_at = now;
		return;
	}
	if (m->list_cost_ms < 100 || rest < at)
		rest = at;
	if (rest < m->list_at)
		m->list_at = rest;
	m->status_at = m->to == SOURCE_DAEMON ? now : MODEL_NEVER;
}

static void ask_list(struct model *m, int64_t now_ms) {
	struct err err = ERR_INIT;
	m->list_at = MODEL_NEVER;
	if (model_ask(m, ASK_LIST, SPAN("list all=1"), &err) != 0) {
		lost(m, err.msg, now_ms);
		return;
	}
	model_rows_begin(&m->rows);
}

static void list_ended(struct model *m, int r, const struct err *err, int64_t now_ms) {
	int64_t pause = m->live ? RELIST_MS : RELIST_POLL_MS;
	if (r != 0) {
		bool spool = m->to == SOURCE_SPOOL;
		model_say(m, err->msg);
		m->stale = m->changed = true;
		m->list_at = now_ms + MODEL_RETRY_MS;
		if (spool && !m->listed)
			m->shown_link = MODEL_LOST;
		return;
	}
	m->list_cost_ms = now_ms - m->link[ASK_LIST].asked_ms;
	if (pause < m->list_cost_ms * RELIST_SHARE)
		pause = m->list_cost_ms * RELIST_SHARE;
	model_rows_end(&m->rows);
	if (!m->live && m->wanted[0])
		m->show_at = now_ms;
	if (m->to == SOURCE_SPOOL) {
		m->shown_link = MODEL_SPOOL;
		model_say(m, "");
	}
	m->listed = m->changed = true;
	m->stale = false;
	m->as_of_s = clock_wall_ms() / 1000;
	m->list_at = now_ms + pause;
}

/* --- the others --- */

static void ask_status(struct model *m, int64_t now_ms) {
	m->status_at = MODEL_NEVER;
	if (model_ask(m, ASK_STATUS, SPAN("status"), NULL) != 0)
		m->status_at = now_ms + STATUS_MS;
}

static void status_ended(struct model *m, int r, const struct err *err, int64_t now_ms) {
	m->status_at = now_ms + STATUS_MS;
	if (r != 0) {
		model_say(m, err->msg);
		m->stale = m->changed = true;
		return;
	}
	m->changed |= m->stale || m->words[0];
	m->stale = false;
	if (m->live)
		m->as_of_s = clock_wall_ms() / 1000;
	model_say(m, "");
}

static void ask_show(struct model *m, int64_t now_ms) {
	AUTO_BUF struct buf request = BUF_INIT(256);
	struct err err = ERR_INIT;
	m->show_at = MODEL_NEVER;
	buf_adds(&request, "show");
	codec_word_add(&request, "id", span_str(m->wanted));
	codec_word_add_int(&request, "body", 1);
	model_read_detail_release(&m->coming);
	memcpy(m->coming.detail.id, m->wanted, MODEL_ID_SIZE);
	if (model_ask(m, ASK_SHOW, buf_span(&request), &err) != 0)
		m->show_at = now_ms + MODEL_RETRY_MS;
}

/* What came takes the place of what was shown. */
static void show_ended(struct model *m, int r, const struct err *err) {
	struct model_read_detail old = m->detail;
	struct model_detail *d = &m->coming.detail;
	if (r == 0 && !m->coming.owner)
		r = -1;
	d->state = r == 0 ? MODEL_DETAIL_READY : MODEL_DETAIL_FAILED;
	if (r != 0) {
		buf_adds(&m->coming.words, err->msg[0] ? err->msg : "there is no answer");
		d->words = buf_str(&m->coming.words);
	}
	d->content = buf_span(&m->coming.content);
	d->cut = m->coming.full;
	m->detail = m->coming;
	m->coming = old;
	model_read_detail_release(&m->coming);
	m->detail_version++;
	m->changed = true;
}

/* A daemon that ended; or one that found us too slow and may be asked again; or one that has
 * no events for us, whose rows are then listed again and again. */
static void events_ended(struct model *m, const struct err *err, int64_t now_ms) {
	if (err->sys == EPIPE || now_ms - m->link[ASK_EVENTS].asked_ms > EVENTS_GOOD_MS) {
		lost(m, err->msg, now_ms);
		return;
	}
	m->live = false;
	model_refresh(m);
}

void model_ask_ended(struct model *m, enum model_ask ask, int r, const struct err *err) {
	int64_t now = clock_boot_ms();
	model_wire_close(&m->link[ask]);
	switch (ask) {
	case ASK_EVENTS:
		events_ended(m, err, now);
		return;
	case ASK_STATUS:
		status_ended(m, r, err, now);
		return;
	case ASK_LIST:
		list_ended(m, r, err, now);
		return;
	case ASK_SOME:
		model_some_ended(m, r, err);
		return;
	case ASK_SHOW:
		show_ended(m, r, err);
		return;
	case ASK_JOB:
		model_job_ended(m, r, err);
		return;
	case ASKS:
		return;
	}
}

/* An answer that does not come. */
static void lose_patience(struct model *m, int64_t now_ms) {
	static const int64_t patience_ms[ASKS] = {
		[ASK_EVENTS] = MODEL_NEVER, [ASK_STATUS] = ANSWER_MS,
		[ASK_LIST] = LISTING_MS,    [ASK_SOME] = LISTING_MS,
		[ASK_SHOW] = LISTING_MS,    [ASK_JOB] = LISTING_MS,
	};
	for (int i = 0; i < ASKS; i++) {
		struct model_wire *l = &m->link[i];
		struct err err = ERR_INIT;
		if (!model_wire_is_open(l) || now_ms - l->heard_ms < patience_ms[i])
			continue;
		err_set(&err, ERR_TIMEOUT, "%s does not answer",
			l->pid ? m->queue : "nightmaild");
		model_ask_ended(m, (enum model_ask)i, -1, &err);
	}
}

static bool is_open(const struct model *m, enum model_ask ask) {
	return model_wire_is_open(&m->link[ask]);
}

/* Not while a listing is under way: its lines may be older than what would be answered. */
static bool some_due(const struct model *m) {
	return m->dirty_count && m->listed && !is_open(m, ASK_SOME) &&
	       !is_open(m, ASK_LIST);
}

void model_ask_due(struct model *m, int64_t now_ms) {
	lose_patience(m, now_ms);
	if (m->connect_at <= now_ms)
		connect_now(m, now_ms);
	if (m->to == SOURCE_NONE)
		return;
	if (m->list_at <= now_ms && !is_open(m, ASK_LIST))
		ask_list(m, now_ms);
	if (m->status_at <= now_ms && !is_open(m, ASK_STATUS))
		ask_status(m, now_ms);
	if (m->show_at <= now_ms)
		ask_show(m, now_ms);
	if (some_due(m))
		model_some_go(m, now_ms);
	model_job_go(m);
}

static int64_t earlier(int64_t a, int64_t b) {
	return a < b ? a : b;
}

int64_t model_ask_next(const struct model *m) {
	int64_t next = m->connect_at;
	for (int i = 0; i < ASKS; i++) /* roughly: a late patience is no harm */
		if (i != ASK_EVENTS && is_open(m, (enum model_ask)i))
			next = earlier(next, m->link[i].heard_ms + ANSWER_MS);
	if (m->to == SOURCE_NONE)
		return next;
	if (!is_open(m, ASK_LIST))
		next = earlier(next, m->list_at);
	if (!is_open(m, ASK_STATUS))
		next = earlier(next, m->status_at);
	if (some_due(m))
		next = earlier(next, m->dirty[m->dirty_first].since_ms + MODEL_SETTLE_MS);
	return earlier(next, m->show_at);
}

/* --- one message in detail --- */

void model_want(struct model *m, const char *id) {
	if (!id)
		id = "";
	if (strncmp(m->wanted, id, sizeof(m->wanted)) == 0)
		return;
	size_t len = strnlen(id, MODEL_ID_SIZE - 1);
	model_wire_close(&m->link[ASK_SHOW]);
	memcpy(m->wanted, id, len);
	m->wanted[len] = '\0';
	model_read_detail_release(&m->detail);
	m->detail.detail.state = len ? MODEL_DETAIL_LOADING : MODEL_DETAIL_NONE;
	memcpy(m->detail.detail.id, m->wanted, MODEL_ID_SIZE);
	m->detail_version++;
	m->show_at = len ? clock_boot_ms() + SHOW_DELAY_MS : MODEL_NEVER;
}
