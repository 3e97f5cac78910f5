/*
 * Reading a queue file: first line, envelope, journal; never the content, except to verify
 * it. One read usually has everything: the first line tells where the rest lies. No number
 * in a file is believed before the size of the file bears it out, so that no file can make
 * us allocate more than it holds.
 */

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/codec.h"
#include "base/file.h"
#include "queue/spool.h"

#define HEAD_MAX 4096
#define VERIFY_STEP 65536
#define ENVELOPE_DIGITS 10
#define MESSAGE_DIGITS 14
#define MESSAGE_MAX UINT64_C(99999999999999)
/* A journal longer than this is read up to here. */
#define JOURNAL_READ_MAX (256u << 20)

static const struct span magic = { "nightmail-queue ", sizeof("nightmail-queue ") - 1 };

void first_line_write(char *out, const struct first_line *f) {
	char line[FIRST_LINE_LEN + 1];
	snprintf(line, sizeof(line), "nightmail-queue 1 %010llu %014llu %08lx\n",
		 (unsigned long long)f->envelope_len, (unsigned long long)f->message_len,
		 (unsigned long)f->crc);
	memcpy(out, line, FIRST_LINE_LEN);
}

static bool take_digits(struct span *in, size_t n, uint64_t *ret) {
	struct span digits = span_head(*in, n);
	if (digits.len != n || !span_uint(digits, MESSAGE_MAX, ret))
		return false;
	*in = span_from(*in, n);
	return true;
}

int first_line_parse(struct span bytes, struct first_line *ret, struct err *err) {
	struct span in = span_head(bytes, FIRST_LINE_LEN);
	struct first_line f;
	uint64_t crc, version;
	if (!span_take_lit(&in, magic))
		return err_set(err, ERR_SYNTAX, "not a queue file");
	struct span number = span_head(in, span_find(in, ' '));
	if (span_uint(number, UINT32_MAX, &version) && version != 1)
		return err_set(err, ERR_LIMIT,
			       "queue format %llu: this version reads format 1 only",
			       (unsigned long long)version);
	if (!span_take_lit(&in, SPAN("1 ")) ||
	    !take_digits(&in, ENVELOPE_DIGITS, &f.envelope_len) ||
	    !span_take_char(&in, ' ') ||
	    !take_digits(&in, MESSAGE_DIGITS, &f.message_len) ||
	    !span_take_char(&in, ' ') || !span_take_hex(&in, 8, &crc) ||
	    !span_eq(in, SPAN("\n")))
		return err_set(err, ERR_SYNTAX, "damaged first line");
	if (f.envelope_len > ENVELOPE_MAX)
		return err_set(err, ERR_SYNTAX, "damaged first line: envelope too large");
	f.crc = (uint32_t)crc;
	*ret = f;
	return 0;
}

/* A piece of the file: out of the head that was read already, or read into *ret_owned. */
static int piece(int fd, struct span head, uint64_t offset, size_t len, char **ret_owned,
		 struct span *ret, struct err *err) {
	if (offset <= head.len && len <= head.len - offset) {
		*ret = span_of(head.p + offset, len);
		return 0;
	}
	char *p = malloc(len);
	if (!p)
		return err_set(err, ERR_MEMORY, "out of memory");
	ssize_t n = file_pread_all(fd, p, len, (int64_t)offset);
	if (n < 0) {
		free(p);
		return err_sys(err, "cannot read");
	}
	*ret_owned = p;
	*ret = span_of(p, (size_t)n);
	return 0;
}

static int incomplete(struct err *err, uint64_t have, uint64_t want) {
	return err_set(err, ERR_SYNTAX,
		       "%llu of at least %llu bytes: was never acknowledged",
		       (unsigned long long)have, (unsigned long long)want);
}

static int read_envelope(int fd, struct span head, const struct first_line *f,
			 struct queue_message *m, struct err *err) {
	AUTO_FREE char *owned = NULL;
	struct span s;
	if (piece(fd, head, FIRST_LINE_LEN, (size_t)f->envelope_len, &owned, &s, err) !=
		    0 ||
	    envelope_parse(s, &m->env, err) != 0)
		return -1;
	m->envelope_crc = codec_crc32c(0, s.p, s.len);
	m->content_offset = FIRST_LINE_LEN + f->envelope_len;
	m->content_len = f->message_len;
	m->crc = f->crc;
	return 0;
}

static int read_journal(int fd, struct span head, uint64_t size, struct queue_message *m,
			struct err *err) {
	AUTO_FREE char *owned = NULL;
	struct span s = span_of(NULL, 0);
	uint64_t end = m->content_offset + m->content_len;
	uint64_t len = size - end < JOURNAL_READ_MAX ? size - end : JOURNAL_READ_MAX;
	if (len > 0 && piece(fd, head, end, (size_t)len, &owned, &s, err) != 0)
		return -1;
	struct moment start = envelope_start(&m->env);
	if (journal_parse(s, m->env.to_count, &start, &m->journal) != 0)
		return err_set(err, ERR_MEMORY, "journal: out of memory");
	return 0;
}

/* Reads the head and its first line, and compares the sizes declared with the file's. */
static int read_head(int fd, const struct stat *st, char head[HEAD_MAX],
		     struct span *ret_bytes, struct first_line *ret,
		     enum queue_damage *ret_damage, struct err *err) {
	uint64_t size = (uint64_t)st->st_size;
	if (!S_ISREG(st->st_mode))
		return err_set(err, ERR_SYNTAX, "not a regular file");
	ssize_t n = file_pread_all(fd, head, HEAD_MAX, 0);
	if (n < 0)
		return err_sys(err, "cannot read");
	*ret_damage = QUEUE_INCOMPLETE;
	if (size < FIRST_LINE_LEN || n < FIRST_LINE_LEN)
		return incomplete(err, size, FIRST_LINE_LEN);
	*ret_damage = QUEUE_DAMAGED;
	*ret_bytes = span_of(head, (size_t)n);
	if (first_line_parse(*ret_bytes, ret, err) != 0)
		return -1;
	uint64_t declared = FIRST_LINE_LEN + ret->envelope_len + ret->message_len;
	if (size >= declared)
		return 0;
	*ret_damage = QUEUE_INCOMPLETE;
	return incomplete(err, size, declared);
}

int spool_read(int fd, const struct stat *st, const struct queue_id *id,
	       struct queue_message *ret, enum queue_damage *ret_damage,
	       struct err *err) {
	struct err why = ERR_INIT;
	char head[HEAD_MAX];
	struct span bytes;
	struct first_line f;
	struct queue_message m = { .crc = 0 };
	enum queue_damage damage = QUEUE_DAMAGED;
	*ret_damage = QUEUE_SOUND;
	int result = read_head(fd, st, head, &bytes, &f, &damage, &why);
	if (result == 0)
		result = read_envelope(fd, bytes, &f, &m, &why);
	if (result == 0)
		result = read_journal(fd, bytes, (uint64_t)st->st_size, &m, &why);
	if (result == 0 && queue_id_cmp(&m.env.id, id) != 0)
		result = err_set(&why, ERR_SYNTAX, "holds message %s",
				 queue_id_text(&m.env.id).s);
	if (result == 0) {
		*ret = m;
		return 0;
	}
	queue_message_release(&m);
	if (why.kind == ERR_SYNTAX)
		*ret_damage = damage;
	if (err)
		*err = why;
	return err_prefix(err, "%s", queue_id_text(id).s);
}

int spool_verify(int fd, const struct queue_message *m, const char *name,
		 struct err *err) {
	AUTO_FREE char *p = malloc(VERIFY_STEP);
	if (!p)
		return err_set(err, ERR_MEMORY, "%s: out of memory", name);
	uint32_t crc = m->envelope_crc;
	for (uint64_t at = 0; at < m->content_len;) {
		uint64_t left = m->content_len - at;
		size_t want = left < VERIFY_STEP ? (size_t)left : VERIFY_STEP;
		ssize_t n = file_pread_all(fd, p, want,
					   (int64_t)(m->content_offset + at));
		if (n < 0)
			return err_sys(err, "%s: cannot read", name);
		if ((size_t)n < want)
			return err_set(err, ERR_SYNTAX,
				       "%s: the file ends within the message", name);
		crc = codec_crc32c(crc, p, want);
		at += want;
	}
	if (crc != m->crc)
		return err_set(err, ERR_SYNTAX, "%s: checksum %08lx, declared was %08lx",
			       name, (unsigned long)crc, (unsigned long)m->crc);
	return 0;
}

void queue_message_release(struct queue_message *m) {
	envelope_release(&m->env);
	journal_release(&m->journal);
	*m = (struct queue_message){ .crc = 0 };
}

int queue_read(struct queue *q, const struct queue_id *id, bool dead,
	       struct queue_message *ret, enum queue_damage *ret_damage,
	       struct err *err) {
	enum queue_damage unused;
	if (!ret_damage)
		ret_damage = &unused;
	*ret_damage = QUEUE_SOUND;
	AUTO_FD int fd = queue_open_content(q, id, dead);
	struct stat st;
	if (fd < 0 && errno == ENOENT)
		return err_set(err, ERR_MISSING, "%s: no such message",
			       queue_id_text(id).s);
	if (fd < 0 || fstat(fd, &st) != 0)
		return err_sys(err, "%s: cannot open", queue_id_text(id).s);
	return spool_read(fd, &st, id, ret, ret_damage, err);
}

int queue_open_content(struct queue *q, const struct queue_id *id, bool dead) {
	int dirfd;
	if (spool_dirfd(q, dead, &dirfd, NULL) != 0)
		return -1;
	return file_openat(dirfd, queue_id_text(id).s, O_RDONLY | O_NOFOLLOW | O_NONBLOCK,
			   0);
}

int queue_read_journal(struct queue *q, const struct queue_message *m, bool dead,
		       struct buf *out, struct err *err) {
	AUTO_FD int fd = queue_open_content(q, &m->env.id, dead);
	size_t len = m->journal.valid;
	char *room = buf_room(out, len);
	if (!room)
		return err_set(err, ERR_MEMORY, "out of memory");
	ssize_t n = fd < 0 ? -1
			   : file_pread_all(fd, room, len,
					    (int64_t)(m->content_offset + m->content_len));
	if (n < 0)
		return err_sys(err, "%s: cannot read the journal",
			       queue_id_text(&m->env.id).s);
	buf_grew(out, (size_t)n);
	return 0;
}
