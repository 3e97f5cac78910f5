/* What is told, once for each cause: what happened, and what is wrong. */

#include "deliver/alert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/json.h"
#include "base/log.h"
#include "base/term.h"
#include "deliver/state.h"
#include "mail/template.h"

#define BOUNCED_REMEMBERED 256u
#define AGAIN_MS (24 * 3600 * 1000LL)
#define JSON_MAX 16384u
#define TEXT_MAX 2048u
#define WRITTEN "last-resort " /* the key that remembers its last message */
#define ENDS "ends " /* how keys begin of what is told once */
#define ENDS_REMEMBERED_MS (400 * AGAIN_MS)

static const struct {
	const char *name, *title;
} kinds[ALERT_KINDS] = {
	[ALERT_BOUNCED] = { "bounced", "Mail was not delivered" },
	[ALERT_DELAYED] = { "delayed", "Mail is late" },
	[ALERT_DEAD] = { "dead", "Mail was put aside" },
	[ALERT_RELAY_HELD] = { "relay-held", "Mail cannot leave" },
	[ALERT_RELAY_OK] = { "relay-ok", "Mail leaves again" },
	[ALERT_QUEUE_AGE] = { "queue-age", "Mail waits for long" },
	[ALERT_QUEUE_SIZE] = { "queue-size", "Much mail waits" },
	[ALERT_QUOTA] = { "quota", "Mail waits for a quota" },
	[ALERT_CERTIFICATE] = { "certificate", "A certificate ends" },
	[ALERT_TOKEN] = { "token", "A login ends" },
	[ALERT_DKIM] = { "dkim", "Mail cannot be signed" },
	[ALERT_DISK] = { "disk", "The disk is full" },
	[ALERT_DOMAIN_BAD] = { "domain-bad", "A mail domain has trouble" },
	[ALERT_DOMAIN_CHANGED] = { "domain-changed", "A mail domain changed" },
	[ALERT_DOMAIN_OK] = { "domain-ok", "A mail domain is fine again" },
	[ALERT_DOMAIN_UNKNOWN] = { "domain-unknown", "A mail domain cannot be checked" },
};

const char *alert_name(enum alert_kind kind) {
	return kinds[kind].name;
}

/* --- telling --- */

static void write_json(const struct manager *m, const struct alert_facts *f,
		       struct buf *out) {
	struct json j = json_into(out);
	json_object(&j, NULL);
	json_str(&j, "kind", span_str(kinds[f->kind].name));
	json_int(&j, "time", clock_wall_ms() / 1000);
	json_str(&j, "host", span_str(m->settings.hostname));
	json_str(&j, "title", span_str(kinds[f->kind].title));
	json_str(&j, "text", span_str(f->text));
	if (f->relay)
		json_str(&j, "relay", span_str(f->relay));
	if (f->id)
		json_str(&j, "id", span_str(queue_id_text(f->id).s));
	if (f->from.len > 0)
		json_str(&j, "from", f->from);
	if (f->to.len > 0)
		json_str(&j, "to", f->to);
	if (f->reply.len > 0)
		json_str(&j, "reply", f->reply);
	if (f->domain)
		json_str(&j, "domain", span_str(f->domain));
	if (f->verdict)
		json_str(&j, "verdict", span_str(f->verdict));
	json_bool(&j, "again", f->again);
	json_end(&j);
	buf_addc(out, '\n');
}

/* Desktops take the text for markup, and some of it is by strangers. */
static void tell_desktop(struct manager *m, const struct alert_facts *f, struct span json) {
	AUTO_BUF struct buf text = BUF_INIT(4 * JSON_MAX);
	template_html(&text, span_str(f->text));
	alert_job_add(m, ALERT_DESKTOP, f->kind, json, kinds[f->kind].title, buf_str(&text));
}

void alert_tell(struct manager *m, const struct alert_facts *f) {
	const struct config_notify *n = &m->settings.notify;
	AUTO_BUF struct buf json = BUF_INIT(JSON_MAX);
	if (!n->command && !n->webhook && !n->desktop)
		return;
	write_json(m, f, &json);
	if (buf_failed(&json))
		return;
	if (n->command)
		alert_job_add(m, ALERT_COMMAND, f->kind, buf_span(&json), "", "");
	if (n->webhook)
		alert_job_add(m, ALERT_WEBHOOK, f->kind, buf_span(&json), "", "");
	if (n->desktop)
		tell_desktop(m, f, buf_span(&json));
}

/* --- what happened --- */

static bool told_before(struct manager *m, const struct queue_id *id) {
	struct alerts *a = &m->alerts;
	if (!a->bounced)
		a->bounced = calloc(BOUNCED_REMEMBERED, sizeof(*a->bounced));
	for (size_t i = 0; a->bounced && i < BOUNCED_REMEMBERED; i++)
		if (queue_id_cmp(&a->bounced[i], id) == 0)
			return true;
	if (a->bounced)
		a->bounced[a->bounced_at++ % BOUNCED_REMEMBERED] = *id;
	return false;
}

static void tell_bounced(struct manager *m, const struct event *e) {
	AUTO_BUF struct buf text = BUF_INIT(TEXT_MAX);
	if (told_before(m, e->id))
		return;
	buf_adds(&text, "mail to ");
	term_safe(&text, e->to);
	buf_adds(&text, " was not delivered: ");
	term_safe(&text, span_head(e->reply, 300));
	alert_tell(m, &(struct alert_facts){ .kind = ALERT_BOUNCED,
					     .text = buf_str(&text),
					     .relay = e->config_relay,
					     .id = e->id,
					     .from = e->from,
					     .to = e->to,
					     .reply = e->reply });
}

static void tell_dead(struct manager *m, const struct event *e) {
	AUTO_BUF struct buf text = BUF_INIT(TEXT_MAX);
	buf_addf(&text,
		 "message %s was put aside and needs a person: ", queue_id_text(e->id).s);
	term_safe(&text, span_head(e->reply, 300));
	alert_tell(m, &(struct alert_facts){ .kind = ALERT_DEAD,
					     .text = buf_str(&text),
					     .id = e->id,
					     .reply = e->reply });
}

void alert_event(struct manager *m, const struct event *e) {
	if (e->id && strcmp(e->what, "bounced") == 0)
		tell_bounced(m, e);
	else if (e->id && strcmp(e->what, "dead") == 0)
		tell_dead(m, e);
	else if (strcmp(e->what, "relay-held") == 0 || strcmp(e->what, "relay-ok") == 0 ||
		 strcmp(e->what, "reload") == 0)
		m->alerts.changed = true; /* the manager's next round looks */
}

void alert_delayed(struct manager *m, const struct queue_id *id, struct span from) {
	AUTO_BUF struct buf text = BUF_INIT(TEXT_MAX);
	AUTO_BUF struct buf time = BUF_INIT(64);
	term_duration(&time, m->settings.warning_ms);
	buf_addf(&text, "message %s waits for more than %s; its sender was told",
		 queue_id_text(id).s, buf_str(&time));
	alert_tell(m, &(struct alert_facts){ .kind = ALERT_DELAYED,
					     .text = buf_str(&text),
					     .id = id,
					     .from = from });
}

/* --- what is wrong --- */

void alert_restore(struct manager *m) {
	struct alerts *a = &m->alerts;
	struct alertstate *all = calloc(ALERTSTATE_MAX, sizeof(*all));
	a->standing = calloc(ALERTSTATE_MAX, sizeof(*a->standing));
	buf_init(&a->motd, 1u << 16);
	size_t n = all && a->standing ? alertstate_read(m->queue, all, ALERTSTATE_MAX)
				      : 0;
	for (size_t i = 0; i < n; i++) {
		struct span key = span_str(all[i].key);
		if (span_take_lit(&key, SPAN(WRITTEN))) {
			queue_id_parse(key, &a->written);
			continue;
		}
		alert_dkim_restore(m, &all[i]);
		a->standing[a->count++] =
			(struct alert_standing){ .told = true, .state = all[i] };
	}
	free(all);
	a->changed = true;
}

void alert_save(struct manager *m) {
	static const struct queue_id none;
	struct alerts *a = &m->alerts;
	struct alertstate *all = calloc(a->count + 1, sizeof(*all));
	struct err err = ERR_INIT;
	size_t n = 0;
	for (; all && n < a->count; n++)
		all[n] = a->standing[n].state;
	if (all && queue_id_cmp(&a->written, &none) != 0) {
		snprintf(all[n].key, sizeof(all[n].key), WRITTEN "%s",
			 queue_id_text(&a->written).s);
		all[n++].told = clock_now();
	}
	a->written_changed = false;
	if (all && alertstate_write(m->queue, all, n, &err) != 0)
		log_error("what was told cannot be kept: %s", err.msg);
	free(all);
}

/* By the key, since that is all that is known after a restart. */
static bool tells_once(const struct alert_standing *s) {
	return span_starts(span_str(s->state.key), SPAN(ENDS));
}

static void drop(struct alerts *a, size_t i) {
	for (size_t k = i + 1; k < a->count; k++)
		a->standing[k - 1] = a->standing[k];
	a->count--;
}

/* Where there is no room, what is only remembered goes. */
static void make_room(struct alerts *a) {
	for (size_t i = 0; i < a->count; i++) {
		if (a->standing[i].seen || !tells_once(&a->standing[i]))
			continue;
		drop(a, i);
		return;
	}
}

static struct alert_standing *standing_of(struct alerts *a, const char *key) {
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->standing[i].state.key, key) == 0)
			return &a->standing[i];
	if (a->count == ALERTSTATE_MAX)
		make_room(a);
	if (!a->standing || a->count == ALERTSTATE_MAX)
		return NULL;
	struct alert_standing *s = &a->standing[a->count++];
	*s = (struct alert_standing){ .told = false };
	snprintf(s->state.key, sizeof(s->state.key), "%s", key);
	return s;
}

void alert_begin(struct manager *m) {
	for (size_t i = 0; i < m->alerts.count; i++)
		m->alerts.standing[i].seen = false;
}

void alert_raise(struct manager *m, enum alert_kind kind, const char *key,
		 const char *relay, const char *text) {
	struct moment now = clock_now();
	struct alert_standing *s = standing_of(&m->alerts, key);
	if (!s)
		return;
	bool before = s->told;
	s->seen = true;
	s->kind = kind;
	snprintf(s->text, sizeof(s->text), "%s", text);
	snprintf(s->relay, sizeof(s->relay), "%s", relay ? relay : "");
	if (before &&
	    (tells_once(s) || clock_elapsed_ms(&s->state.told, &now) < AGAIN_MS))
		return;
	s->told = true;
	s->state.told = now;
	m->alerts.changed = true;
	alert_save(m); /* before it is told: rather not at all than twice */
	alert_tell(m,
		   &(struct alert_facts){
			   .kind = kind, .text = text, .relay = relay, .again = before });
	if (tells_once(s))
		log_warn("%s", text);
}

void alert_raise_end(struct manager *m, enum alert_kind kind, const char *key,
		     const char *relay, struct span what, const struct validity *v) {
	AUTO_BUF struct buf full = BUF_INIT(sizeof(((struct alertstate *)NULL)->key));
	AUTO_BUF struct buf text = BUF_INIT(TEXT_MAX);
	int64_t now_s = clock_wall_ms() / 1000;
	enum validity_level level = validity_level(v, now_s);
	if (level == VALIDITY_FINE)
		return;
	/* Another one in its place is another cause, and so is the second threshold. */
	buf_addf(&full, ENDS "%s %lld ", level == VALIDITY_LAST ? "last" : "low",
		 (long long)v->until_s);
	buf_add(&full, span_head(span_str(key), 300));
	buf_add(&text, what);
	buf_adds(&text, v->until_s > now_s ? " ends in " : " has ended");
	if (v->until_s > now_s)
		term_duration(&text, (v->until_s - now_s) * 1000);
	alert_raise(m, kind, buf_str(&full), relay, buf_str(&text));
}

static void cleared(struct manager *m, const struct alert_standing *s) {
	AUTO_BUF struct buf text = BUF_INIT(TEXT_MAX);
	struct span relay = span_str(s->state.key);
	const char *name = s->state.key + strlen("relay ");
	if (!span_take_lit(&relay, SPAN("relay ")) ||
	    !lane_of_relay(&m->lanes, name))
		return;
	buf_addf(&text, "relay %s works again", name);
	alert_tell(m, &(struct alert_facts){ .kind = ALERT_RELAY_OK,
					     .text = buf_str(&text),
					     .relay = name });
}

static bool is_kept(const struct alert_standing *s, const struct moment *now) {
	return s->seen ||
	       (tells_once(s) && clock_elapsed_ms(&s->state.told, now) < ENDS_REMEMBERED_MS);
}

void alert_end(struct manager *m) {
	struct alerts *a = &m->alerts;
	struct alert_standing gone;
	struct moment now = clock_now();
	for (size_t i = 0; i < a->count;) {
		if (is_kept(&a->standing[i], &now)) {
			i++;
			continue;
		}
		gone = a->standing[i];
		drop(a, i);
		alert_save(m);
		cleared(m, &gone);
	}
}

void alert_free(struct manager *m) {
	struct alerts *a = &m->alerts;
	alert_jobs_free(m);
	free(a->standing);
	free(a->bounced);
	free(a->keys);
	buf_release(&a->motd);
}
