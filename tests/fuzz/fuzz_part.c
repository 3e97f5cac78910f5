/*
 * Reading messages for showing them: parts, parameters, encoded words, character sets. Every
 * part lies in the message or in what was decoded for the call; what comes out as text is
 * UTF-8 wherever a character set was converted; nothing grows past its bounds.
 */

#include "mail/part.h"

#include <stdlib.h>
#include <string.h>

#include "mail/charset.h"
#include "mail/decode.h"
#include "mail/header.h"
#include "mail/param.h"

#define TEXT_MAX (8u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool held) {
	if (!held)
		abort();
}

static void need_utf8(struct span s) {
	uint32_t cp;
	while (s.len)
		need(span_take_utf8(&s, &cp));
}

struct seen {
	unsigned count, depth;
};

static int look(void *ctx, const struct part *p) {
	AUTO_BUF struct buf text = BUF_INIT(TEXT_MAX);
	struct seen *s = ctx;
	need(++s->count <= PART_COUNT_MAX && p->depth <= PART_DEPTH_MAX);
	need(p->depth <= s->depth + 1);
	s->depth = p->depth;
	need(strlen(p->type) < sizeof(p->type) && strlen(p->name) < sizeof(p->name));
	need(!(p->multipart && p->message));
	if (part_text(p, &text) == 0) {
		need_utf8(buf_span(&text));
		need(span_find(buf_span(&text), '\r') == text.len);
	}
	part_size(p);
	return s->count == 50; /* enough to see */
}

static void check_words(struct span in) {
	AUTO_BUF struct buf out = BUF_INIT(TEXT_MAX), type = BUF_INIT(TEXT_MAX);
	struct param_list list;
	decode_words(&out, in);
	need(span_find(buf_span(&out), '\n') == out.len);
	param_parse(in, &type, &list);
	need(list.count <= PARAM_MAX && type.len <= in.len);
	for (size_t i = 0; i < list.count; i++) {
		AUTO_BUF struct buf value = BUF_INIT(TEXT_MAX);
		need(list.item[i].value.p >= in.p &&
		     list.item[i].value.p + list.item[i].value.len <= in.p + in.len);
		if (!param_find(&list, list.item[i].name, &value))
			need(list.item[i].section > 0);
	}
}

/* A name, a line end, and bytes in that character set. */
static void check_charset(struct span in) {
	AUTO_BUF struct buf out = BUF_INIT(TEXT_MAX);
	struct span name;
	if (!span_take_line(&in, &name))
		return;
	if (charset_add(&out, name, in) == 0)
		need_utf8(buf_span(&out));
}

/* The first byte chooses. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct span in = span_of(data, size);
	struct seen s = { 0, 0 };
	if (size == 0)
		return 0;
	in = span_from(in, 1);
	if (data[0] == 'w')
		check_words(in);
	else if (data[0] == 'c')
		check_charset(in);
	else
		part_walk(in, look, &s, NULL);
	return 0;
}
