/*
 * Names in MIME: whatever a file is called, its parameter is lines of at most 998 octets of ASCII
 * that cannot end the field, and its content ID is plain. Looking at bytes in two pieces finds
 * the same as in one.
 */

#include "mail/mime.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool held) {
	if (!held)
		abort();
}

static void check_field(struct span field) {
	struct span line;
	bool first = true;
	while (span_take_line(&field, &line)) {
		need(line.len <= 998 && (first || (line.len > 1 && line.p[0] == ' ')));
		for (size_t i = 0; i < line.len; i++)
			need(line.p[i] >= 0x20 && line.p[i] < 0x7f);
		first = false;
	}
}

static void check_name(struct span path) {
	AUTO_BUF struct buf name = BUF_INIT(8192), out = BUF_INIT(1 << 20);
	AUTO_BUF struct buf id = BUF_INIT(8192);
	struct span type;
	mime_file_name(&name, path);
	mime_param(&out, "filename", buf_span(&name));
	check_field(buf_span(&out));
	mime_content_id(&id, buf_span(&name));
	need(id.len == name.len);
	if (mime_type_find(path, path, &type))
		need(type.len > 2 && span_find(type, '/') < type.len);
}

static void check_facts(struct span all, size_t at) {
	struct mime_facts one = { .octets = 0 }, two = { .octets = 0 };
	size_t cut = mime_whole(span_head(all, at));
	mime_look(&one, all);
	mime_look(&two, span_head(all, cut));
	mime_look(&two, span_from(all, cut));
	/* Only a torn CR LF is seen differently, as a line one octet longer. */
	need(one.has_nul == two.has_nul && one.has_cr == two.has_cr &&
	     one.octets == two.octets);
	if (!one.not_utf8)
		need(!two.not_utf8 && one.octets_8bit == two.octets_8bit);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	if (size < 1)
		return 0;
	struct span rest = span_of(data + 1, size - 1);
	check_name(rest);
	check_facts(rest, data[0] < rest.len ? data[0] : rest.len);
	return 0;
}
