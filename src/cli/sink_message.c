/*
 * Messages the sink has taken: collecting, keeping, telling. Files appear under their final
 * name complete, N.json before N.eml, so that whoever waits for N.eml finds both. Nothing is
 * synced: a sink keeps no promises.
 */
#include "cli/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/file.h"
#include "base/json.h"
#include "base/term.h"

#define LINE_MAX_BYTES (4u << 20)

void sink_message_drop_last(struct sink_message *m) {
	struct sink_recipient *r = &m->to[--m->to_count];

	free(r->address);
	free(r->notify);
	free(r->orcpt);
}

void sink_message_clear(struct sink_message *m) {
	while (m->to_count > 0)
		sink_message_drop_last(m);
	free(m->to);
	free(m->from);
	free(m->ret);
	free(m->envid);
	buf_release(&m->content);
	*m = (struct sink_message){ .from = NULL };
}

/* A copy, NULL for the empty span. */
static int copy(struct span s, char **ret) {
	if (s.len == 0)
		return 0;
	*ret = span_dup(s);
	return *ret ? 0 : -1;
}

int sink_message_begin(struct sink_message *m, const struct smtp_server_note *note) {
	sink_message_clear(m);
	m->from = span_dup(note->path);
	m->body_8bit = note->body_8bit;
	m->smtputf8 = note->smtputf8;
	m->requiretls = note->requiretls;
	return m->from && copy(note->ret, &m->ret) == 0 &&
			       copy(note->envid, &m->envid) == 0
		       ? 0
		       : -1;
}

int sink_message_recipient(struct sink_message *m, const struct smtp_server_note *note) {
	struct sink_recipient *r;

	if (m->to_count == m->to_room) {
		size_t room = m->to_room ? 2 * m->to_room : 4;
		struct sink_recipient *to = reallocarray(m->to, room, sizeof(*to));

		if (!to)
			return -1;
		m->to = to;
		m->to_room = room;
	}
	r = &m->to[m->to_count++];
	*r = (struct sink_recipient){ .address = span_dup(note->path) };
	return r->address && copy(note->notify, &r->notify) == 0 &&
			       copy(note->orcpt, &r->orcpt) == 0
		       ? 0
		       : -1;
}

int sink_message_content(struct sink_message *m, const struct sink *sink,
			 struct span data) {
	m->size += data.len;
	if (sink->dirfd < 0)
		return 0;
	if (m->content.max == 0)
		buf_init(&m->content, sink->options->size_max + 65536);
	return buf_add(&m->content, data);
}

static void put_text(struct json *j, const char *key, const char *text) {
	json_str_or_null(j, key, span_str(text));
}

static void put_recipients(struct json *j, const struct sink_message *m) {
	json_array(j, "to");
	for (size_t i = 0; i < m->to_count; i++) {
		json_object(j, NULL);
		put_text(j, "address", m->to[i].address);
		put_text(j, "notify", m->to[i].notify);
		put_text(j, "orcpt", m->to[i].orcpt);
		json_end(j);
	}
	json_end(j);
}

static void put_message(struct buf *out, const struct sink_message *m,
			const struct sink_facts *facts, unsigned long number) {
	struct json j = json_into(out);

	json_object(&j, NULL);
	put_text(&j, "event", "message");
	json_int(&j, "number", (int64_t)number);
	json_int(&j, "connection", (int64_t)facts->connection);
	put_text(&j, "peer", facts->peer);
	put_text(&j, "helo", facts->helo);
	put_text(&j, "from", m->from);
	put_recipients(&j, m);
	json_int(&j, "size", (int64_t)m->size);
	put_text(&j, "tls", facts->tls ? facts->tls->version : NULL);
	put_text(&j, "cipher", facts->tls ? facts->tls->cipher : NULL);
	put_text(&j, "mechanism", facts->mechanism);
	json_bool(&j, "8bitmime", m->body_8bit);
	json_bool(&j, "smtputf8", m->smtputf8);
	json_bool(&j, "requiretls", m->requiretls);
	put_text(&j, "ret", m->ret);
	put_text(&j, "envid", m->envid);
	json_end(&j);
	buf_addc(out, '\n');
}

static void put_words(struct buf *out, const struct sink_message *m,
		      const struct sink_facts *facts, unsigned long number) {
	buf_addf(out, "message %lu from <", number);
	term_safe(out, span_str(m->from));
	buf_adds(out, "> to");
	for (size_t i = 0; i < m->to_count; i++) {
		buf_adds(out, i > 0 ? ", <" : " <");
		term_safe(out, span_str(m->to[i].address));
		buf_adds(out, ">");
	}
	buf_addf(out, ", %llu bytes, %s, %s\n", (unsigned long long)m->size,
		 facts->tls ? facts->tls->version : "no TLS",
		 facts->mechanism ? facts->mechanism : "no login");
}

/* Appends the content with line ends as files have them. */
static int add_unix_lines(struct buf *out, struct span in) {
	while (in.len > 0) {
		size_t at = span_find(in, '\r');

		buf_add(out, span_head(in, at));
		in = span_from(in, at);
		if (in.len > 0 && !(in.len > 1 && in.p[1] == '\n'))
			buf_addc(out, '\r');
		in = span_from(in, 1);
	}
	return buf_failed(out) ? -1 : 0;
}

static int write_file(int dirfd, unsigned long number, const char *ending,
		      struct span content, struct err *err) {
	char name[40], hidden[48];
	AUTO_FD int fd = -1;

	snprintf(name, sizeof(name), "%lu.%s", number, ending);
	snprintf(hidden, sizeof(hidden), ".%s.new", name);
	if (file_unlink(dirfd, hidden) < 0 && errno != ENOENT)
		return err_sys(err, "%s: cannot remove", hidden);
	fd = file_openat(dirfd, hidden, O_WRONLY | O_CREAT | O_EXCL, 0644);
	if (fd < 0)
		return err_sys(err, "%s: cannot create", hidden);
	if (file_pwrite_all(fd, content.p, content.len, 0) < 0 ||
	    file_rename(dirfd, hidden, dirfd, name) < 0) {
		err_sys(err, "%s: cannot write", name);
		file_unlink(dirfd, hidden);
		return -1;
	}
	return 0;
}

static int keep(const struct sink_message *m, const struct sink *sink, struct span json,
		unsigned long number, struct err *err) {
	AUTO_BUF struct buf text = BUF_INIT(m->content.len);

	if (add_unix_lines(&text, buf_span(&m->content)) < 0)
		return err_set(err, ERR_MEMORY, "out of memory");
	if (write_file(sink->dirfd, number, "json", json, err) < 0)
		return -1;
	return write_file(sink->dirfd, number, "eml", buf_span(&text), err);
}

int sink_message_store(const struct sink_message *m, const struct sink *sink,
		       const struct sink_facts *facts, unsigned long number,
		       struct err *err) {
	AUTO_BUF struct buf json = BUF_INIT(LINE_MAX_BYTES),
			    words = BUF_INIT(LINE_MAX_BYTES);

	if (sink->options->json || sink->dirfd >= 0)
		put_message(&json, m, facts, number);
	if (!sink->options->json)
		put_words(&words, m, facts, number);
	if (buf_failed(&json) || buf_failed(&words))
		return err_set(err, ERR_LIMIT, "the envelope is too large to be told");
	if (sink->dirfd >= 0 && keep(m, sink, buf_span(&json), number, err) < 0)
		return -1;
	sink_print(sink, buf_span(sink->options->json ? &json : &words));
	return 0;
}

/* A record lock, since the kernel frees it when its holder is killed. A reader of stdout that
 * has gone away stops nothing. */
void sink_print(const struct sink *sink, struct span line) {
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	while (fcntl(sink->lock_fd, F_SETLKW, &lock) < 0 && errno == EINTR)
		;
	while (line.len > 0) {
		ssize_t n = write(STDOUT_FILENO, line.p, line.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		line = span_from(line, (size_t)n);
	}
	lock.l_type = F_UNLCK;
	(void)fcntl(sink->lock_fd, F_SETLK, &lock);
}

void sink_tell(const struct sink *sink, const struct sink_event *event) {
	AUTO_BUF struct buf line = BUF_INIT(16384);

	if (sink->options->json) {
		struct json j = json_into(&line);

		json_object(&j, NULL);
		put_text(&j, "event", event->name);
		if (event->connection > 0)
			json_int(&j, "connection", (int64_t)event->connection);
		if (event->stage)
			put_text(&j, "stage", event->stage);
		if (event->code > 0)
			json_int(&j, "code", event->code);
		if (event->words.p)
			json_str(&j, "text", event->words);
		json_end(&j);
	} else {
		if (event->connection > 0)
			buf_addf(&line, "connection %lu: ", event->connection);
		buf_adds(&line, event->name);
		if (event->stage)
			buf_addf(&line, " at %s", event->stage);
		if (event->words.p || event->code > 0)
			buf_adds(&line, ":");
		if (event->code > 0)
			buf_addf(&line, " %d", event->code);
		if (event->words.p)
			buf_addc(&line, ' ');
		term_safe(&line, event->words);
	}
	buf_addc(&line, '\n');
	sink_print(sink, buf_span(&line));
}
