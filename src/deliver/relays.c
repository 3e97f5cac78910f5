/*
 * The relays: which are held, since when and why. Changes are written down at once, because
 * the time a relay is held never counts towards the lifetime of a message, also not across
 * restarts. Administrators hear of a hold when it begins and once a day.
 */

#include <stdio.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/term.h"
#include "deliver/state.h"

static void save(struct manager *m) {
	struct relaystate all[RELAYS_MAX];
	struct err err = ERR_INIT;
	size_t n = 0;
	for (size_t i = 0; i < m->relay_count; i++)
		if (m->relay[i].state.relay[0])
			all[n++] = m->relay[i].state;
	if (relaystate_write(m->queue, all, n, &err) != 0)
		log_error("the state of the relays cannot be kept: %s", err.msg);
}

static void set_name(char *out, size_t size, const char *name) {
	snprintf(out, size, "%s", name);
}

static void relay_init(struct relay *r, const char *name,
		       const struct config_relay *config) {
	*r = (struct relay){ .config = config };
	set_name(r->name, sizeof(r->name), name);
	breaker_init(&r->breaker, config ? config->connections : 1,
		     config ? config->probe_ms : 0);
}

static struct relay *find(struct relay *list, size_t count, const char *name) {
	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i].name, name) == 0)
			return &list[i];
	return NULL;
}

/* Takes over what a relay of the old settings has. */
static void inherit(struct relay *r, struct relay *old) {
	r->heap = old->heap;
	r->state = old->state;
	r->succeeded_ms = old->succeeded_ms;
	r->failed_ms = old->failed_ms;
	memcpy(r->last_reply, old->last_reply, sizeof(r->last_reply));
	memcpy(r->failure, old->failure, sizeof(r->failure));
	old->heap = (struct heap){ .item = NULL };
	if (r->state.held)
		breaker_restore_held(&r->breaker, clock_boot_ms());
}

/* Mail behind a relay that is not named any more goes to the default one. */
static void move_messages(struct relay *from, struct relay *to) {
	struct message *msg;
	while ((msg = heap_top(&from->heap)) != NULL) {
		heap_remove(&from->heap, msg);
		if (heap_push(&to->heap, msg) != 0)
			log_error("out of memory: id=%s waits until the next start",
				  queue_id_text(&msg->id).s);
	}
}

void relays_update(struct manager *m) {
	struct relay *old = calloc(RELAYS_MAX, sizeof(*old));
	size_t old_count = m->relay_count;
	if (!old) {
		log_error("out of memory: the relays stay as they were");
		return;
	}
	memcpy(old, m->relay, old_count * sizeof(*old));
	const struct settings *s = &m->settings;
	bool usable = m->complaints.len == 0;
	relay_init(&m->relay[0], "default", usable ? config_relay(s, "default") : NULL);
	m->relay_count = 1;
	for (size_t i = 0; usable && i < s->relay_count && m->relay_count < RELAYS_MAX;
	     i++)
		if (strcmp(s->relay[i].name, "default") != 0)
			relay_init(&m->relay[m->relay_count++], s->relay[i].name,
				   &s->relay[i]);
	for (size_t i = 0; i < m->relay_count; i++) {
		struct relay *before = find(old, old_count, m->relay[i].name);
		if (before)
			inherit(&m->relay[i], before);
	}
	for (size_t i = 0; i < old_count; i++) {
		move_messages(&old[i], &m->relay[0]);
		heap_release(&old[i].heap);
	}
	free(old);
	manager_kick(m);
}

void relays_restore(struct manager *m) {
	struct relaystate all[RELAYS_MAX];
	size_t n = relaystate_read(m->queue, all, RELAYS_MAX);
	for (size_t i = 0; i < n; i++) {
		struct relay *r = find(m->relay, m->relay_count, all[i].relay);
		if (!r)
			continue;
		r->state = all[i];
		if (r->state.held)
			breaker_restore_held(&r->breaker, clock_boot_ms());
	}
}

static void set_reason(struct relay *r, const char *words, const char *text) {
	if (words[0] && text[0])
		snprintf(r->state.reason, sizeof(r->state.reason), "%s: %s", words, text);
	else
		set_name(r->state.reason, sizeof(r->state.reason),
			 words[0] ? words : text);
}

void relay_failed(struct manager *m, struct relay *r, const char *words,
		  const char *text) {
	struct moment now = clock_now();
	bool starts = !r->state.held;
	AUTO_BUF struct buf line = BUF_INIT(4096);
	set_reason(r, words, text);
	r->failed_ms = now.wall_ms;
	snprintf(r->last_reply, sizeof(r->last_reply), "%.*s",
		 (int)sizeof(r->last_reply) - 1, text);
	snprintf(r->failure, sizeof(r->failure), "%.*s", (int)sizeof(r->failure) - 1,
		 text[0] ? text : words);
	if (starts) {
		set_name(r->state.relay, sizeof(r->state.relay), r->name);
		r->state.held = true;
		r->state.since = now;
	}
	bool alert = breaker_failure(&r->breaker, now.boot_ms);
	save(m);
	buf_addf(&line, "relay %s is held: ", r->name);
	term_safe(&line, span_str(r->state.reason));
	buf_adds(&line, "; tried again in ");
	term_duration(&line, r->breaker.probe_every_ms);
	log_line(alert ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG, "%s", buf_str(&line));
	if (starts)
		events_relay(m, r);
	manager_tell(m);
	manager_kick(m);
}

void relay_succeeded(struct manager *m, struct relay *r) {
	r->restart_delay_ms = 0;
	r->succeeded_ms = clock_wall_ms();
	if (r->breaker.state == BREAKER_UP)
		return;
	breaker_success(&r->breaker);
	if (r->state.held) {
		AUTO_BUF struct buf line = BUF_INIT(256);
		r->state.held = false;
		r->state.until = clock_now();
		save(m);
		buf_addf(&line, "relay %s works again after ", r->name);
		term_duration(&line, clock_elapsed_ms(&r->state.since, &r->state.until));
		log_info("%s", buf_str(&line));
		events_relay(m, r);
		manager_tell(m);
	}
	manager_kick(m);
}

struct span relays_words(const struct relay *r) {
	struct span reason = span_str(r->state.reason);
	for (size_t i = 0; i + 1 < reason.len; i++)
		if (reason.p[i] == ':' && reason.p[i + 1] == ' ')
			return span_head(reason, i);
	return reason;
}

void relays_summary(struct manager *m, struct buf *out) {
	buf_addf(out, "%zu messages", m->messages.count);
	if (!m->relay[0].config)
		buf_adds(out,
			 "; nothing can be delivered: the configuration is not usable");
	for (size_t i = 0; i < m->relay_count; i++) {
		if (!m->relay[i].state.held)
			continue;
		buf_addf(out, "; relay %s is held: ", m->relay[i].name);
		term_safe(out, span_str(m->relay[i].state.reason));
	}
}
