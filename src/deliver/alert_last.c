/*
 * The last resort: mail cannot tell that mail is broken. When a relay is held for days, what
 * waits there for root is also appended to a mailbox on this machine (mboxrd: "From " lines of the
 * text get a ">"). The messages stay in the queue. A message is written once: those up to the
 * ID that the state remembers have been.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "base/auto.h"
#include "base/file.h"
#include "base/log.h"
#include "deliver/state.h"

#define MAILBOX_MAX (20u << 20) /* bytes; then it is full */
#define MESSAGE_MAX (MAILBOX_MAX / 4) /* one that is larger must not keep the others out */
#define PIECE 65536u
#define FROM_LINE "From "

static bool is_for_root(const struct manager *m, const struct queue_message *q) {
	struct span root = m->settings.root ? span_str(m->settings.root) : SPAN("root");
	for (size_t i = 0; i < q->env.to_count; i++) {
		struct span a = q->env.to[i].address,
			    local = span_head(a, span_find(a, '@'));
		if (span_eq_nocase(a, root) || span_eq_nocase(local, SPAN("root")))
			return true;
	}
	return false;
}

/* Lines with LF, and "From " behind any number of ">" gets one more. */
static void add_body(struct buf *out, struct span wire) {
	struct span line;
	while (span_take_line(&wire, &line)) {
		struct span rest = line;
		while (span_take_char(&rest, '>'))
			;
		if (span_starts(rest, SPAN(FROM_LINE)))
			buf_addc(out, '>');
		buf_add(out, line);
		buf_addc(out, '\n');
	}
	buf_addc(out, '\n');
}

static int read_wire(struct manager *m, const struct queue_message *q, struct buf *wire,
		     struct err *err) {
	char piece[PIECE];
	AUTO_FD int fd = queue_open_content(m->queue, &q->env.id, false);
	for (uint64_t at = 0; at < q->content_len;) {
		uint64_t left = q->content_len - at;
		size_t n = left < sizeof(piece) ? (size_t)left : sizeof(piece);
		ssize_t got = fd < 0 ? -1
				     : file_pread_all(fd, piece, n,
						      (int64_t)(q->content_offset + at));
		if (got != (ssize_t)n)
			return err_sys(err, "it cannot be read");
		if (buf_add(wire, span_of(piece, n)) != 0)
			return err_set(err, ERR_LIMIT, "it is too long");
		at += n;
	}
	return 0;
}

static int append(const char *path, struct span text, struct err *err) {
	struct stat st;
	AUTO_FD int fd = file_openat(AT_FDCWD, path,
				     O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) != 0)
		return err_sys(err, "%s", path);
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	if (fcntl(fd, F_SETLK, &lock) != 0 || fstat(fd, &st) != 0)
		return err_sys(err, "%s", path);
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size + text.len > MAILBOX_MAX)
		return err_set(err, ERR_LIMIT, "%s is full, or no file", path);
	if (file_pwrite_all(fd, text.p, text.len, st.st_size) != 0 || file_fsync(fd) != 0)
		return err_sys(err, "%s", path);
	return 0;
}

static int keep(struct manager *m, const struct queue_message *q, struct err *err) {
	AUTO_BUF struct buf wire = BUF_INIT(MAILBOX_MAX),
			    text = BUF_INIT(MAILBOX_MAX + (1u << 20));
	time_t when = (time_t)(q->env.created.wall_ms / 1000);
	struct tm tm;
	char date[64];
	if (read_wire(m, q, &wire, err) != 0)
		return -1;
	if (!gmtime_r(&when, &tm) ||
	    strftime(date, sizeof(date), "%a %b %e %H:%M:%S %Y", &tm) == 0)
		return err_set(err, ERR_SYNTAX, "its date");
	buf_addf(&text, FROM_LINE "MAILER-DAEMON %s\nX-Nightmail-Waiting: %s\n", date,
		 queue_id_text(&q->env.id).s);
	add_body(&text, buf_span(&wire));
	return buf_failed(&text)
		       ? err_set(err, ERR_LIMIT, "it is too long")
		       : append(m->settings.notify.mailbox, buf_span(&text), err);
}

static int by_id(const void *a, const void *b) {
	return queue_id_cmp(a, b);
}

/* What waits in lanes that are held for that long. */
static void collect(struct manager *m, struct id_list *list,
		    const struct queue_id *after) {
	struct moment now = clock_now();
	for (size_t i = 0; i < m->lanes.end; i++) {
		const struct lane *lane = m->lanes.at[i];
		if (!lane || !lane->state.held || lane_is_direct(lane) ||
		    clock_elapsed_ms(&lane->state.since, &now) <
			    m->settings.notify.last_resort_ms)
			continue;
		for (size_t k = 0; k < lane->heap.count; k++) {
			const struct message *msg = heap_nth(&lane->heap, k);
			if (queue_id_cmp(&msg->id, after) > 0)
				id_list_add(list, &msg->id);
		}
	}
	if (list->count > 0)
		qsort(list->id, list->count, sizeof(*list->id), by_id);
}

/* Stays among what is told as long as the relay is held, so that nothing is written twice. */
void alert_last_resort(struct manager *m) {
	struct id_list list = { .id = NULL };
	struct alerts *a = &m->alerts;
	if (m->settings.notify.last_resort_ms == 0 || !m->settings.notify.mailbox)
		return;
	collect(m, &list, &a->written);
	for (size_t i = 0; i < list.count; i++) {
		struct queue_message q;
		struct err err = ERR_INIT;
		if (queue_read(m->queue, &list.id[i], false, &q, NULL, &err) != 0)
			continue;
		bool large = q.content_len > MESSAGE_MAX;
		bool mine = !large && is_for_root(m, &q);
		int r = mine ? keep(m, &q, &err) : 0;
		queue_message_release(&q);
		if (r != 0) {
			log_warn(
				"id=%s is not kept in the mailbox of the last resort: %s",
				queue_id_text(&list.id[i]).s, err.msg);
			break;
		}
		a->written = list.id[i];
		a->written_changed = true;
		if (mine)
			log_warn("id=%s waits for days: a copy is in %s",
				 queue_id_text(&list.id[i]).s,
				 m->settings.notify.mailbox);
	}
	id_list_release(&list);
	if (a->written_changed)
		alert_save(m);
}
