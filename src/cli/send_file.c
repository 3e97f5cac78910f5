/*
 * One file of a message. One that fits into a piece is looked at, and goes as text when a
 * receiver gets back the same bytes; every other goes as base64, piece by piece.
 */

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/send_content.h"

/* Reads until the piece is full or the file ends. Returns 1 at the end, 0, or -1. */
static int fill_piece(struct send_content *c, int fd) {
	buf_reset(&c->piece);
	while (c->piece.len < SEND_PIECE) {
		size_t want = SEND_PIECE - c->piece.len;
		char *room = buf_room(&c->piece, want);
		ssize_t n = room ? read(fd, room, want) : -1;
		if (n == 0)
			return 1;
		if (n < 0 && errno != EINTR)
			return -1;
		buf_grew(&c->piece, n > 0 ? (size_t)n : 0);
	}
	return 0;
}

/* Looks at the whole of a file that is longer than a piece; leaves the position alone. False:
 * it can be read only once. */
static bool look_at_file(int fd, struct mime_facts *f) {
	AUTO_BUF struct buf b = BUF_INIT(SEND_PIECE);
	int64_t at = 0;
	for (;;) {
		char *room = buf_room(&b, SEND_PIECE);
		ssize_t n = room ? file_pread_all(fd, room, SEND_PIECE, at) : -1;
		if (n < 0)
			return false;
		struct span piece = span_of(room, (size_t)n);
		if (piece.len == SEND_PIECE)
			piece = span_head(piece, mime_whole(piece));
		mime_look(f, piece);
		at += (int64_t)piece.len;
		if (n < (ssize_t)SEND_PIECE)
			return true;
	}
}

static void load_types(struct send_content *c) {
	if (!c->looked_at_types)
		file_read(AT_FDCWD, "/etc/mime.types", &c->mime_types, NULL);
	c->looked_at_types = true;
}

/* What may be said of a file: a container's type would be parsed by the receiver. */
static struct span type_of(struct send_content *c, struct span name,
			   const struct mime_facts *f, bool whole) {
	struct span type;
	bool is_text = whole && !f->has_nul && !f->not_utf8;
	bool found = mime_type_find(mime_types_known(), name, &type);
	if (!found) {
		load_types(c);
		found = mime_type_find(buf_span(&c->mime_types), name, &type);
	}
	if (!found)
		return is_text && f->octets > 0 ? SPAN("text/plain")
						: SPAN("application/octet-stream");
	/* RFC 2046 section 5.2.1: such a part is never encoded. */
	if (span_eq_nocase(type, SPAN("message/rfc822")) && is_text && !f->octets_8bit &&
	    !f->has_long_line && f->octets > 0)
		return type;
	if (span_starts_nocase(type, SPAN("message/")) ||
	    span_starts_nocase(type, SPAN("multipart/")) ||
	    (span_starts_nocase(type, SPAN("text/")) && f->has_nul))
		return SPAN("application/octet-stream");
	return type;
}

static bool is_text_type(struct span type) {
	return span_starts_nocase(type, SPAN("text/"));
}

/* A line end may change on its way, so only LF alone is trusted to come back. */
static enum mime_encoding file_encoding(struct span type, const struct mime_facts *f,
					bool whole) {
	if (whole && span_starts_nocase(type, SPAN("message/")))
		return MIME_7BIT;
	if (!whole || !is_text_type(type) || f->has_nul || f->has_cr)
		return MIME_BASE64;
	return mime_ascii_encoding(f);
}

static void file_fields(struct send_content *c, const struct send_file *file) {
	struct buf *out = c->tree.out;
	buf_addf(out, "Content-Type: %s\nContent-Transfer-Encoding: %s\n",
		 buf_str(&c->type), c->part.encoding);
	if (file->use == SEND_INLINE) {
		buf_adds(out, "Content-ID: <");
		mime_content_id(out, buf_span(&file->name));
		buf_adds(out, ">\n");
	}
	buf_adds(out, file->use == SEND_INLINE ? "Content-Disposition: inline"
					       : "Content-Disposition: attachment");
	mime_param(out, "filename", buf_span(&file->name));
	buf_adds(out, "\n\n");
}

/* Bytes as they are or as quoted-printable have LF line ends only; base64 keeps any. */
static int encode_piece(struct send_content *c, enum mime_encoding encoding) {
	c->part.octets += c->piece.len;
	if (encoding == MIME_BASE64)
		return mime_base64(buf_span(&c->piece), &c->out);
	return mime_encode_text(buf_span(&c->piece), encoding, &c->out);
}

static void end_file(struct send_content *c) {
	send_content_tell(c, &c->part);
	c->in_file = false;
	c->at++;
}

static int file_trouble(const struct send_content *c, struct err *err) {
	return err_sys(err, "%s: cannot be read", buf_str(&c->files[c->at].name));
}

int send_file_begin(struct send_content *c, struct err *err) {
	const struct send_file *file = &c->files[c->at];
	struct mime_facts f = { .octets = 0 };
	(void)lseek(file->fd, 0, SEEK_SET); /* of a pipe there is one reading only */
	int r = fill_piece(c, file->fd);
	if (r < 0)
		return file_trouble(c, err);
	bool whole = r > 0;
	if (whole)
		mime_look(&f, buf_span(&c->piece));
	bool known = whole || look_at_file(file->fd, &f);
	struct span type = type_of(c, buf_span(&file->name), &f, known);
	enum mime_encoding encoding = file_encoding(type, &f, whole);
	buf_reset(&c->type);
	buf_add(&c->type, type);
	if (known && is_text_type(type))
		buf_addf(&c->type, "; charset=%s", mime_charset(&f));
	c->part = (struct send_part){ .depth = c->tree.depth,
				      .type = buf_span(&c->type),
				      .name = buf_span(&file->name),
				      .encoding = mime_encoding_name(encoding) };
	mime_next(&c->tree);
	file_fields(c, file);
	c->in_file = true;
	encode_piece(c, encoding);
	if (whole)
		end_file(c);
	return 0;
}

int send_file_continue(struct send_content *c, struct err *err) {
	int r = fill_piece(c, c->files[c->at].fd);
	if (r < 0)
		return file_trouble(c, err);
	encode_piece(c, MIME_BASE64);
	if (r > 0)
		end_file(c);
	return 0;
}
