/*
 * The content of a message in several parts:
 *
 *     mixed( alternative( text, related( html, inline files ) ), attached files )
 *
 * where a multipart that would hold one part alone is left out.
 */

#include "cli/send_content.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/codec.h"
#include "base/file.h"

#define OUT_MAX (SIZE_MAX / 4) /* the text in memory, encoded */
#define NAME_MAX_BYTES 4096u
#define RELATED ";\n type=\"text/html\""
#define TYPE_MAX 512u
#define MIME_TYPES_MAX (2u << 20)

void send_content_init(struct send_content *c) {
	*c = (struct send_content){ .stage = SEND_STAGE_DONE };
	buf_init(&c->type, TYPE_MAX);
	buf_init(&c->out, OUT_MAX);
	buf_init(&c->piece, SEND_PIECE);
	buf_init(&c->mime_types, MIME_TYPES_MAX);
}

void send_content_release(struct send_content *c) {
	for (size_t i = 0; i < c->count; i++) {
		close(c->files[i].fd);
		buf_release(&c->files[i].name);
	}
	free(c->files);
	buf_release(&c->type);
	buf_release(&c->out);
	buf_release(&c->piece);
	buf_release(&c->mime_types);
}

static bool has_inline(const struct send_content *c, struct span name) {
	AUTO_BUF struct buf wanted = BUF_INIT(NAME_MAX_BYTES);
	mime_content_id(&wanted, name);
	for (size_t i = 0; i < c->count; i++) {
		AUTO_BUF struct buf other = BUF_INIT(NAME_MAX_BYTES);
		mime_content_id(&other, buf_span(&c->files[i].name));
		if (c->files[i].use == SEND_INLINE &&
		    span_eq(buf_span(&wanted), buf_span(&other)))
			return true;
	}
	return false;
}

static int grow(struct send_content *c) {
	if (c->count < c->cap)
		return 0;
	size_t cap = c->cap ? 2 * c->cap : 8;
	struct send_file *files = realloc(c->files, cap * sizeof(*files));
	if (!files)
		return -1;
	c->files = files;
	c->cap = cap;
	return 0;
}

int send_content_add(struct send_content *c, enum send_file_use use, const char *path,
		     struct err *err) {
	AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct send_file file = { .use = use };
	struct stat st;
	if (fd < 0 || fstat(fd, &st) != 0)
		return err_sys(err, "%s: cannot be read", path);
	if (S_ISDIR(st.st_mode))
		return err_set(err, ERR_SYNTAX, "%s: a folder, not a file", path);
	buf_init(&file.name, NAME_MAX_BYTES);
	if (mime_file_name(&file.name, span_str(path)) != 0 || grow(c) != 0) {
		buf_release(&file.name);
		return err_set(err, ERR_MEMORY, "out of memory");
	}
	if (use == SEND_INLINE && has_inline(c, buf_span(&file.name))) {
		buf_release(&file.name);
		return err_set(err, ERR_SYNTAX,
			       "%s: another inline file has the same Content-ID", path);
	}
	file.fd = take_fd(&fd);
	c->files[c->count++] = file;
	return 0;
}

static size_t count_of(const struct send_content *c, enum send_file_use use) {
	size_t n = 0;
	for (size_t i = 0; i < c->count; i++)
		n += c->files[i].use == use;
	return n;
}

bool send_content_is_text(const struct send_content *c, struct span html) {
	return c->count == 0 && !html.p;
}

bool send_content_is_once(const struct send_content *c) {
	for (size_t i = 0; i < c->count; i++)
		if (lseek(c->files[i].fd, 0, SEEK_CUR) < 0)
			return true;
	return false;
}

/* --- multiparts --- */

static void tell_multipart(const struct send_content *c, unsigned depth,
			   const char *subtype) {
	char type[64];
	int len = snprintf(type, sizeof(type), "multipart/%s", subtype);
	struct send_part part = { .depth = depth, .type = { type, (size_t)len } };
	send_content_tell(c, &part);
}

static void enter(struct send_content *c, const char *subtype, const char *params) {
	tell_multipart(c, c->tree.depth, subtype);
	mime_next(&c->tree);
	mime_open(&c->tree, subtype, params);
}

static bool has_both(const struct send_content *c) {
	return c->text.len > 0 && c->html.p;
}

static bool has_pictures(const struct send_content *c) {
	return c->html.p && count_of(c, SEND_INLINE) > 0;
}

/* The multipart around everything, NULL: there is none. */
static const char *outermost(const struct send_content *c) {
	if (count_of(c, SEND_ATTACH) > 0)
		return "mixed";
	if (has_both(c))
		return "alternative";
	return has_pictures(c) ? "related" : NULL;
}

/* --- text and HTML --- */

/* How a text goes. */
struct form {
	enum mime_encoding encoding;
	char type[64];
};

static struct form form_of(const char *type, struct span text) {
	struct form form;
	struct mime_facts f = { .octets = 0 };
	mime_look(&f, text);
	form.encoding = mime_ascii_encoding(&f);
	snprintf(form.type, sizeof(form.type), "%s; charset=%s", type, mime_charset(&f));
	return form;
}

static void add_form(struct buf *out, const struct form *form) {
	buf_addf(out, "Content-Type: %s\nContent-Transfer-Encoding: %s\n", form->type,
		 mime_encoding_name(form->encoding));
}

static int add_text(struct send_content *c, const char *type, struct span text) {
	struct form form = form_of(type, text);
	struct send_part part = { .depth = c->tree.depth,
				  .type = span_str(form.type),
				  .encoding = mime_encoding_name(form.encoding),
				  .octets = text.len };
	send_content_tell(c, &part);
	if (c->tree.depth > 0) { /* else these fields are those of the message */
		mime_next(&c->tree);
		add_form(&c->out, &form);
		buf_addc(&c->out, '\n');
	}
	return mime_encode_text(text, form.encoding, &c->out);
}

static int add_html(struct send_content *c) {
	/* Else it is the message itself that is related. */
	if (has_pictures(c) && (has_both(c) || count_of(c, SEND_ATTACH) > 0))
		enter(c, "related", RELATED);
	return add_text(c, "text/html", c->html);
}

/* --- files --- */

/* The next file, or what ends the multiparts around them. */
static int step_files(struct send_content *c, struct err *err) {
	if (c->in_file)
		return send_file_continue(c, err);
	while (c->at < c->count && c->files[c->at].use != c->use)
		c->at++;
	if (c->at < c->count)
		return send_file_begin(c, err);
	c->at = 0;
	if (c->use == SEND_INLINE) {
		/* What is around all of it ends last. */
		unsigned keep = count_of(c, SEND_ATTACH) > 0 ? 1 : 0;
		while (c->tree.depth > keep)
			mime_close(&c->tree);
		c->use = SEND_ATTACH;
		return 0;
	}
	while (c->tree.depth > 0)
		mime_close(&c->tree);
	c->stage = SEND_STAGE_DONE;
	return 0;
}

static int step(struct send_content *c, struct err *err) {
	int r = 0;
	switch (c->stage) {
	case SEND_STAGE_TEXT:
		if (outermost(c))
			tell_multipart(c, 0, outermost(c));
		if (has_both(c) && count_of(c, SEND_ATTACH) > 0)
			enter(c, "alternative", "");
		if (c->text.len > 0)
			r = add_text(c, "text/plain", c->text);
		c->stage = SEND_STAGE_HTML;
		break;
	case SEND_STAGE_HTML:
		if (c->html.p)
			r = add_html(c);
		c->stage = SEND_STAGE_FILES;
		break;
	case SEND_STAGE_FILES:
		if (step_files(c, err) != 0)
			return -1;
		break;
	case SEND_STAGE_DONE:
		break;
	}
	return r != 0 || buf_failed(&c->out) ? err_set(err, ERR_MEMORY, "out of memory")
					     : 0;
}

/* --- from outside --- */

static int make_seed(struct send_content *c, struct err *err) {
	AUTO_BUF struct buf hex = BUF_INIT(sizeof(c->seed));
	uint64_t bits[2];
	if (getrandom(bits, sizeof(bits), 0) != (ssize_t)sizeof(bits))
		return err_sys(err, "no random numbers");
	codec_hex_add(&hex, bits[0], 16);
	codec_hex_add(&hex, bits[1], 16);
	memcpy(c->seed, buf_str(&hex), sizeof(c->seed));
	return 0;
}

/* The fields of the message: those of its outermost multipart, or of HTML alone. */
static void top_fields(struct send_content *c, struct buf *header) {
	const char *outer = outermost(c);
	struct form form = form_of("text/html", c->html);
	c->tree.out = header;
	if (outer)
		mime_open(&c->tree, outer, strcmp(outer, "related") == 0 ? RELATED : "");
	else
		add_form(header, &form);
	c->tree.out = &c->out;
}

int send_content_begin(struct send_content *c, struct span text, struct span html,
		       struct buf *header, struct err *err) {
	if (span_find(text, 0) < text.len)
		return err_set(err, ERR_SYNTAX, "the text has a NUL byte");
	if (span_find(html, 0) < html.len)
		return err_set(err, ERR_SYNTAX, "the HTML has a NUL byte");
	if (make_seed(c, err) != 0)
		return -1;
	c->text = text;
	c->html = html;
	c->tree = (struct mime_tree){ .seed = c->seed };
	c->stage = SEND_STAGE_TEXT;
	c->use = SEND_INLINE;
	c->at = 0;
	c->in_file = false;
	buf_reset(&c->out);
	c->taken = 0;
	top_fields(c, header);
	return buf_failed(header) ? err_set(err, ERR_LIMIT, "the header is too long") : 0;
}

ssize_t send_content_read(void *ctx, char *room, size_t size, struct err *err) {
	struct send_content *c = ctx;
	while (c->taken == c->out.len) {
		if (c->stage == SEND_STAGE_DONE)
			return 0;
		buf_reset(&c->out);
		c->taken = 0;
		if (step(c, err) != 0)
			return -1;
	}
	struct span some = span_head(span_from(buf_span(&c->out), c->taken), size);
	memcpy(room, some.p, some.len);
	c->taken += some.len;
	return (ssize_t)some.len;
}
