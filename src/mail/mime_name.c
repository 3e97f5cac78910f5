/*
 * File names in MIME: parameters, content IDs, and the type that an extension stands for.
 * The known types are one text in the form of /etc/mime.types: nothing of it has to be
 * relocated when a program starts.
 */

#include "mail/mime.h"

#include "mail/chars.h"

#define PLAIN_MAX 60     /* a longer value is cut into sections (RFC 2231 section 3) */
#define SECTION_MAX 60   /* octets of one */
#define CHARACTER_MAX 12 /* "%XX" for each octet of a character */
#define NAME_MAX_OCTETS 1024

static const char known[] = "text/plain txt text log conf cfg ini\n"
			    "text/html html htm\n"
			    "text/csv csv\n"
			    "text/markdown md\n"
			    "text/calendar ics\n"
			    "text/vcard vcf\n"
			    "text/xml xml\n"
			    "text/x-diff diff patch\n"
			    "text/css css\n"
			    "image/png png\n"
			    "image/jpeg jpg jpeg\n"
			    "image/gif gif\n"
			    "image/svg+xml svg\n"
			    "image/webp webp\n"
			    "image/heic heic\n"
			    "image/tiff tif tiff\n"
			    "image/bmp bmp\n"
			    "application/pdf pdf\n"
			    "application/zip zip\n"
			    "application/gzip gz tgz\n"
			    "application/x-xz xz\n"
			    "application/x-bzip2 bz2\n"
			    "application/zstd zst\n"
			    "application/x-7z-compressed 7z\n"
			    "application/x-tar tar\n"
			    "application/json json\n"
			    "application/msword doc\n"
			    "application/vnd.ms-excel xls\n"
			    "application/vnd.ms-powerpoint ppt\n"
			    "application/vnd.openxmlformats-officedocument"
			    ".wordprocessingml.document docx\n"
			    "application/vnd.openxmlformats-officedocument"
			    ".spreadsheetml.sheet xlsx\n"
			    "application/vnd.openxmlformats-officedocument"
			    ".presentationml.presentation pptx\n"
			    "application/vnd.oasis.opendocument.text odt\n"
			    "application/vnd.oasis.opendocument.spreadsheet ods\n"
			    "application/vnd.oasis.opendocument.presentation odp\n"
			    "application/rtf rtf\n"
			    "application/postscript ps\n"
			    "application/pgp-keys asc\n"
			    "application/octet-stream bin\n"
			    "audio/mpeg mp3\n"
			    "audio/ogg ogg opus\n"
			    "audio/x-wav wav\n"
			    "video/mp4 mp4\n"
			    "video/webm webm\n"
			    "message/rfc822 eml\n";

struct span mime_types_known(void) {
	return span_of(known, sizeof(known) - 1);
}

static bool is_type(struct span s) {
	size_t slash = span_find(s, '/');
	if (slash == 0 || slash + 1 >= s.len || s.len > 127)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (i != slash && !span_is_alnum(s.p[i]) && !strchr("+-._", s.p[i]))
			return false;
	return true;
}

/* What stands behind the last dot, empty when there is none. */
static struct span extension_of(struct span name) {
	size_t dot = name.len;
	while (dot > 0 && name.p[dot - 1] != '.' && name.p[dot - 1] != '/')
		dot--;
	return dot > 0 && name.p[dot - 1] == '.' ? span_from(name, dot) : SPAN("");
}

bool mime_type_find(struct span types, struct span file_name, struct span *ret) {
	struct span line, type, word, extension = extension_of(file_name);
	while (extension.len > 0 && span_take_line(&types, &line)) {
		if (!span_take_word(&line, &type) || !is_type(type))
			continue;
		while (span_take_word(&line, &word))
			if (span_eq_nocase(word, extension)) {
				*ret = type;
				return true;
			}
	}
	return false;
}

static struct span base_name(struct span path) {
	size_t slash = path.len;
	while (slash > 0 && path.p[slash - 1] != '/')
		slash--;
	return span_from(path, slash);
}

int mime_file_name(struct buf *out, struct span path) {
	struct span rest = span_head(base_name(path), NAME_MAX_OCTETS);
	uint32_t cp;
	while (rest.len > 0) {
		struct span before = rest;
		bool fine = span_take_utf8(&rest, &cp);
		if (!fine)
			rest = span_from(rest, 1);
		fine = fine && cp >= 0x20 && cp != 0x7f && (cp < 0x80 || cp > 0x9f);
		buf_add(out, fine ? span_head(before, before.len - rest.len) : SPAN("_"));
	}
	return buf_failed(out) ? -1 : 0;
}

int mime_content_id(struct buf *out, struct span file_name) {
	for (size_t i = 0; i < file_name.len; i++) {
		char c = file_name.p[i];
		bool fine = span_is_alnum(c) || (c && strchr("._-", c));
		buf_addc(out, fine ? c : '_');
	}
	return buf_failed(out) ? -1 : 0;
}

static bool is_plain(struct span value) {
	for (size_t i = 0; i < value.len; i++)
		if (value.p[i] < 0x20 || value.p[i] > 0x7e ||
		    span_starts(span_from(value, i),
				SPAN("=?"))) /* some would decode it */
			return false;
	return value.len <= PLAIN_MAX;
}

static void add_quoted(struct buf *out, const char *name, struct span value) {
	buf_addf(out, ";\n %s=\"", name);
	for (size_t i = 0; i < value.len; i++) {
		if (value.p[i] == '"' || value.p[i] == '\\')
			buf_addc(out, '\\');
		buf_addc(out, value.p[i]);
	}
	buf_addc(out, '"');
}

/* One character, percent-encoded (RFC 2231 section 7: attribute-char stays). */
static void add_character(struct buf *out, struct span character) {
	for (size_t i = 0; i < character.len; i++) {
		char c = character.p[i];
		if (span_is_alnum(c) || (c && strchr("._-", c)))
			buf_addc(out, c);
		else
			buf_addf(out, "%%%02X", (unsigned char)c);
	}
}

static struct span take_character(struct span *in) {
	struct span before = *in;
	uint32_t cp;
	if (!span_take_utf8(in, &cp))
		*in = span_from(*in, 1);
	return span_head(before, before.len - in->len);
}

/* Fills one section of an encoded value with whole characters. */
static void add_section(struct buf *out, struct span *value) {
	size_t start = out->len;
	while (value->len > 0 && out->len - start + CHARACTER_MAX <= SECTION_MAX &&
	       !buf_failed(out))
		add_character(out, take_character(value));
}

int mime_param(struct buf *out, const char *name, struct span value) {
	if (is_plain(value)) {
		add_quoted(out, name, value);
		return buf_failed(out) ? -1 : 0;
	}
	AUTO_BUF struct buf first = BUF_INIT(2 * SECTION_MAX);
	add_section(&first, &value);
	bool alone = value.len == 0;
	buf_addf(out, ";\n %s*%s=UTF-8''%s", name, alone ? "" : "0*", buf_str(&first));
	for (unsigned n = 1; value.len > 0 && !buf_failed(out); n++) {
		buf_addf(out, ";\n %s*%u*=", name, n);
		add_section(out, &value);
	}
	return buf_failed(out) ? -1 : 0;
}
