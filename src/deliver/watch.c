/*
 * When which domain is checked, and who hears of the result. The first check after a start comes
 * after a random while, and later ones do not keep step either: many machines may have the same
 * configuration. After a check that did not tell all the next one comes sooner.
 */

#include "deliver/watch.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/auto.h"
#include "base/log.h"
#include "deliver/state.h"

#define FILE_MAX (16u << 20)
#define TEXT_MAX 6000u
#define FIRST_PART 60 /* the first check comes within that part of `every` */
#define SILENT_PART 6 /* and those after one without an answer after that part of it, */
#define SILENT_MIN_MS (10 * 60 * 1000LL) /* if that is not too soon */

/* Up to below that. */
static int64_t random_ms(int64_t below) {
	uint32_t r;
	if (getrandom(&r, sizeof(r), GRND_NONBLOCK) != sizeof(r))
		r = (uint32_t)(clock_wall_us() * 2654435761u);
	return below > 0 ? (int64_t)(r % (uint64_t)below) : 0;
}

static int64_t earlier(int64_t a, int64_t b) {
	return a < b ? a : b;
}

/* From one check to the next: 0.95 to 1.05 of what was configured. */
static int64_t pause_ms(const struct manager *m, const struct watchstate *s) {
	int64_t every = m->settings.watch.every_ms, sooner = every / SILENT_PART;
	if (s->silent > 0)
		every = earlier(every, sooner > SILENT_MIN_MS ? sooner : SILENT_MIN_MS);
	return every - every / 20 + random_ms(every / 10);
}

static int64_t first_due_ms(const struct manager *m, const struct watchstate *s) {
	struct moment now = clock_now();
	int64_t soon = random_ms(m->settings.watch.every_ms / FIRST_PART);
	if (s->checked.wall_ms == 0)
		return now.boot_ms + soon;
	int64_t left = pause_ms(m, s) - clock_elapsed_ms(&s->checked, &now);
	return now.boot_ms + (left > soon ? left : soon);
}

/* --- the domains --- */

static struct watch_domain *find(struct watches *w, const char *name) {
	for (size_t i = 0; i < w->count; i++)
		if (strcmp(w->at[i].state.domain, name) == 0)
			return &w->at[i];
	return NULL;
}

static void save(struct manager *m) {
	AUTO_BUF struct buf bytes = BUF_INIT(FILE_MAX);
	struct err err = ERR_INIT;
	int r = 0;
	for (size_t i = 0; r == 0 && i < m->watches.count; i++)
		r = watchstate_add(&bytes, &m->watches.at[i].state);
	if (r != 0)
		err_set(&err, ERR_LIMIT, "there is too much of it");
	if (r != 0 || watchstate_write(m->queue, buf_span(&bytes), &err) != 0)
		log_error("watch: what was found cannot be kept: %s", err.msg);
}

static void add(struct manager *m, const char *name, struct watchstate *known,
		size_t count) {
	struct watches *w = &m->watches;
	struct watch_domain *d = &w->at[w->count++];
	*d = (struct watch_domain){ .asked = false };
	for (size_t i = 0; i < count; i++)
		if (strcmp(known[i].domain, name) == 0) {
			d->state = known[i];
			known[i] = (struct watchstate){ .change = NULL };
		}
	memcpy(d->state.domain, name, strlen(name) + 1);
	d->due_ms = first_due_ms(m, &d->state);
}

/* The domains of the settings, with what is known of them. */
static void take(struct manager *m, struct watchstate *known, size_t count) {
	const struct config_watch *c = &m->settings.watch;
	struct watches *w = &m->watches;
	w->at = c->domain_count > 0 ? calloc(c->domain_count, sizeof(*w->at)) : NULL;
	w->count = w->next = 0;
	if (c->domain_count > 0 && !w->at)
		log_error("watch: out of memory");
	for (size_t i = 0; w->at && i < c->domain_count; i++)
		add(m, c->domain[i], known, count);
	manager_kick(m);
}

void watch_restore(struct manager *m) {
	struct watchstate *known = calloc(CONFIG_WATCH_MAX, sizeof(*known));
	size_t count = known ? watchstate_read(m->queue, known, CONFIG_WATCH_MAX) : 0;
	take(m, known, count);
	for (size_t i = 0; i < count; i++)
		watchstate_release(&known[i]);
	free(known);
}

static void release(struct watches *w) {
	for (size_t i = 0; i < w->count; i++)
		watchstate_release(&w->at[i].state);
	free(w->at);
	w->at = NULL;
	w->count = 0;
}

void watch_settings(struct manager *m) {
	struct watches *w = &m->watches;
	struct watchstate known[CONFIG_WATCH_MAX];
	size_t count = w->count;
	watch_stop(m);
	w->missing_told = false;
	for (size_t i = 0; i < count; i++) {
		known[i] = w->at[i].state;
		w->at[i].state = (struct watchstate){ .change = NULL };
	}
	release(w);
	take(m, known, count);
	for (size_t i = 0; i < count; i++)
		watchstate_release(&known[i]);
	if (count > 0)
		save(m);
}

void watch_free(struct manager *m) {
	watch_stop(m);
	release(&m->watches);
}

/* --- results --- */

static void tell(struct manager *m, const struct watchstate *s, enum watch_news news,
		 const char *words) {
	static const enum alert_kind kinds[] = {
		[WATCH_CHANGED] = ALERT_DOMAIN_CHANGED,
		[WATCH_BAD] = ALERT_DOMAIN_BAD,
		[WATCH_GOOD] = ALERT_DOMAIN_OK,
		[WATCH_SILENT] = ALERT_DOMAIN_UNKNOWN,
	};
	AUTO_BUF struct buf text = BUF_INIT(TEXT_MAX + 300);
	const char *verdict = watch_level_name(watch_verdict(s));
	buf_addf(&text, "%s: %s", s->domain, words);
	log_line(news == WATCH_GOOD || news == WATCH_CHANGED ? LOG_LEVEL_INFO
							     : LOG_LEVEL_WARN,
		 "watch domain=%s verdict=%s %s", s->domain, verdict, words);
	alert_tell(m, &(struct alert_facts){ .kind = kinds[news],
					     .text = buf_str(&text),
					     .domain = s->domain,
					     .verdict = verdict });
}

/* More than fits ends in dots. */
static void note_change(struct watchstate *s, struct buf *text) {
	free(s->change);
	s->change = span_dup(buf_span(text));
	s->changed_s = clock_wall_ms() / 1000;
}

void watch_over(struct manager *m, const char *domain, struct watch_round *round) {
	AUTO_BUF struct buf text = BUF_INIT(64 * TEXT_MAX), shown = BUF_INIT(TEXT_MAX);
	struct watch_domain *d = find(&m->watches, domain);
	if (!d)
		return;
	unsigned silent = d->state.silent;
	enum watch_news news = watch_compare(&d->state, round, &text);
	d->state.checked = clock_now();
	d->asked = false;
	d->due_ms = clock_boot_ms() + pause_ms(m, &d->state);
	buf_add(&shown, span_head(buf_span(&text), TEXT_MAX - 4));
	if (text.len > shown.len)
		buf_adds(&shown, " ...");
	if (news != WATCH_NOTHING)
		note_change(&d->state, &shown);
	save(m);
	if (silent == 0 && d->state.silent > 0)
		log_warn("watch domain=%s verdict=unknown %s", d->state.domain,
			 d->state.why);
	if (news != WATCH_NOTHING)
		tell(m, &d->state, news, buf_str(&shown));
	m->alerts.changed = true; /* the file for motd */
	manager_kick(m);
}

/* --- rounds --- */

/* The domain whose turn it is among those that are due; NULL: none is. */
static struct watch_domain *pick(struct watches *w, int64_t now_ms) {
	for (size_t i = 0; i < w->count; i++) {
		size_t k = (w->next + i) % w->count;
		if (!w->at[k].asked && w->at[k].due_ms > now_ms)
			continue;
		w->next = k + 1;
		return &w->at[k];
	}
	return NULL;
}

static void cannot_start(struct manager *m, const char *domain, const struct err *err) {
	struct watch_round round = { .failed = err->msg };
	if (err->kind != ERR_MISSING || !m->watches.missing_told)
		log_warn("watch: %s", err->msg);
	m->watches.missing_told |= err->kind == ERR_MISSING;
	watch_over(m, domain, &round);
}

int64_t watch_step(struct manager *m, int64_t now_ms) {
	struct watches *w = &m->watches;
	struct watch_domain *d;
	struct err err = ERR_INIT;
	int64_t next = NEVER_MS;
	if (w->run || m->complaints.len > 0)
		return NEVER_MS;
	while (!w->run && (d = pick(w, now_ms)) != NULL) {
		w->run = watch_run_start(m, d->state.domain, &err);
		if (!w->run)
			cannot_start(m, d->state.domain, &err);
	}
	for (size_t i = 0; !w->run && i < w->count; i++)
		next = earlier(next, w->at[i].due_ms);
	return next;
}

void watch_reap(struct manager *m) {
	if (m->watches.run)
		watch_run_reap(m->watches.run);
}

void watch_stop(struct manager *m) {
	watch_run_free(m->watches.run);
	m->watches.run = NULL;
}
