/*
 * What is wrong now: relays that are held, quotas that are used up while mail waits for them,
 * mail that waits for long, much of it, a disk that is full. And the file for motd, which says so
 * as long as it lasts.
 */

#include <errno.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/term.h"
#include "deliver/state.h"

#define TEXT_MAX 600u
#define KEY_MAX 400u

static void look_at_relays(struct manager *m) {
	for (size_t i = 0; i < m->lanes.end; i++) {
		const struct lane *lane = m->lanes.at[i];
		AUTO_BUF struct buf key = BUF_INIT(KEY_MAX), text = BUF_INIT(TEXT_MAX);
		if (!lane || !lane->state.held || lane_is_direct(lane))
			continue;
		buf_addf(&key, "relay %s", lane->relay);
		buf_addf(&text, "relay %s is held: ", lane->relay);
		term_safe(&text, span_head(span_str(lane->state.reason), 200));
		buf_adds(&text, "; mail waits and nothing is lost");
		alert_raise(m, ALERT_RELAY_HELD, buf_str(&key), lane->relay,
			    buf_str(&text));
	}
}

static void look_at_quotas(struct manager *m) {
	for (size_t i = 0; i < m->lanes.end; i++) {
		const struct lane *lane = m->lanes.at[i];
		AUTO_BUF struct buf key = BUF_INIT(KEY_MAX), text = BUF_INIT(TEXT_MAX);
		if (!lane || lane->heap.count == 0 ||
		    !throttling_quota_words(m, lane, &text))
			continue;
		buf_addf(&key, "quota %s", lane->name);
		alert_raise(m, ALERT_QUOTA, buf_str(&key), lane->relay, buf_str(&text));
	}
}

struct oldest {
	struct moment now;
	const struct message *message;
	int64_t age_ms;
};

static void compare_age(void *ctx, struct message *msg) {
	struct oldest *o = ctx;
	if (msg->state == MESSAGE_HELD || msg->scheduled)
		return;
	int64_t age = (int64_t)msg->age_s * 1000 + clock_elapsed_ms(&msg->last, &o->now);
	if (o->message && age <= o->age_ms)
		return;
	o->message = msg;
	o->age_ms = age;
}

static void look_at_queue(struct manager *m) {
	const struct config_notify *n = &m->settings.notify;
	struct oldest o = { .now = clock_now() };
	AUTO_BUF struct buf text = BUF_INIT(TEXT_MAX);
	if (n->age_ms > 0)
		table_each(&m->messages, compare_age, &o);
	if (o.message && o.age_ms >= n->age_ms) {
		buf_addf(&text, "message %s waits for ", queue_id_text(&o.message->id).s);
		term_duration(&text, o.age_ms);
		alert_raise(m, ALERT_QUEUE_AGE, "queue-age", NULL, buf_str(&text));
	}
	/* not on and off with every message */
	size_t limit = m->alerts.size_high ? n->size - n->size / 5 : n->size;
	m->alerts.size_high = m->messages.count > limit;
	if (m->alerts.size_high) {
		buf_reset(&text);
		buf_addf(&text, "%zu messages wait", m->messages.count);
		alert_raise(m, ALERT_QUEUE_SIZE, "queue-size", NULL, buf_str(&text));
	}
}

static void look_at_disk(struct manager *m) {
	struct statvfs v;
	if (statvfs(m->settings.dir, &v) != 0)
		return;
	uint64_t bytes = (uint64_t)v.f_bavail * v.f_frsize;
	bool inodes = v.f_files > 0 && v.f_favail < m->settings.reserve_inodes;
	if (bytes >= m->settings.reserve_bytes && !inodes)
		return;
	AUTO_BUF struct buf text = BUF_INIT(TEXT_MAX);
	buf_addf(&text, "no mail is accepted: %s on the disk of %s",
		 inodes ? "there are too few inodes free" : "there is too little space",
		 m->settings.dir);
	alert_raise(m, ALERT_DISK, "disk", NULL, buf_str(&text));
}

/* --- motd --- */

static void write_motd(const struct manager *m, struct buf *out) {
	const struct alerts *a = &m->alerts;
	if (m->complaints.len > 0) {
		buf_adds(out, "  nothing can be delivered: ");
		term_safe(out, span_str(m->complaint));
		buf_addc(out, '\n');
	}
	bool any = false;
	watch_motd(m, out);
	for (size_t i = 0; i < a->count; i++) {
		if (!a->standing[i].seen)
			continue;
		any = true;
		buf_addf(out, "  %s\n", a->standing[i].text);
	}
	if (any && m->settings.notify.last_resort_ms > 0)
		buf_addf(out, "  root's mail may stand in %s; see 'nightmail status'\n",
			 m->settings.notify.mailbox);
}

/* Where only the file is ours, and not its directory, it is written over; empty is gone. */
static int write_over(const char *path, struct span text) {
	AUTO_FD int fd = file_openat(AT_FDCWD, path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW,
				     0);
	if (fd < 0)
		return errno == ENOENT && text.len == 0 ? 0 : -1;
	return file_truncate(fd, 0) == 0 && file_pwrite_all(fd, text.p, text.len, 0) == 0
		       ? 0
		       : -1;
}

static int put_motd(const char *path, struct span text) {
	struct err err = ERR_INIT;
	if (text.len == 0 && (file_unlink(AT_FDCWD, path) == 0 || errno == ENOENT))
		return 0;
	if (text.len > 0 && file_replace(AT_FDCWD, path, 0644, text, &err) == 0)
		return 0;
	return write_over(path, text);
}

static void update_motd(struct manager *m) {
	struct alerts *a = &m->alerts;
	AUTO_BUF struct buf text = BUF_INIT(1u << 16), lines = BUF_INIT(1u << 16);
	if (!m->settings.notify.motd)
		return;
	write_motd(m, &lines);
	if (lines.len > 0)
		buf_addf(&text, "Mail of %s (nightmail):\n%s", m->settings.hostname,
			 buf_str(&lines));
	if (a->motd_known && span_eq(buf_span(&text), buf_span(&a->motd)))
		return;
	if (put_motd(m->settings.notify.motd, buf_span(&text)) != 0)
		log_warn("%s cannot be written: %s", m->settings.notify.motd,
			 strerror(errno));
	a->motd_known = true;
	buf_reset(&a->motd);
	buf_add(&a->motd, buf_span(&text));
}

void alert_json(const struct manager *m, struct json *j, const char *key) {
	const struct alerts *a = &m->alerts;
	json_array(j, key);
	for (size_t i = 0; i < a->count; i++) {
		const struct alert_standing *s = &a->standing[i];
		if (s->seen && s->kind != ALERT_RELAY_HELD && s->kind != ALERT_QUOTA)
			json_str(j, NULL, span_str(s->text));
	}
	json_end(j);
}

void alert_look(struct manager *m) {
	alert_begin(m);
	look_at_relays(m);
	look_at_quotas(m);
	if (m->scanned)
		look_at_queue(m);
	look_at_disk(m);
	alert_dkim(m);
	alert_ends(m);
	if (m->scanned) /* else what waits is not all known */
		alert_end(m);
	m->alerts.changed = !m->scanned;
	alert_last_resort(m);
	update_motd(m);
}
