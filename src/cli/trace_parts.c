/* Showing what a message is made of; see trace_parts.h. */

#include "cli/trace_parts.h"

#include "base/json.h"
#include "base/term.h"
#include "mail/decode.h"
#include "mail/header.h"
#include "mail/part.h"

#define VALUE_MAX (1u << 20)

struct view {
	struct buf *out;
	struct json j;
	bool json;
};

static int show_part(void *ctx, const struct part *p) {
	static const char *const encodings[] = {
		[PART_PLAIN] = "plain",
		[PART_QP] = "quoted-printable",
		[PART_BASE64] = "base64",
		[PART_OTHER] = "unknown",
	};
	struct view *v = ctx;
	if (v->json) {
		json_object(&v->j, NULL);
		json_int(&v->j, "depth", p->depth);
		json_str(&v->j, "content_type", span_str(p->type));
		json_str_or_null(&v->j, "charset",
				 span_str(p->charset[0] ? p->charset : NULL));
		json_str_or_null(&v->j, "name", span_str(p->name[0] ? p->name : NULL));
		json_str(&v->j, "encoding", span_str(encodings[p->encoding]));
		json_int(&v->j, "size", (int64_t)part_size(p));
		json_bool(&v->j, "attachment", p->attachment && !p->multipart);
		json_end(&v->j);
		return 0;
	}
	buf_addf(v->out, "%*s", (int)(2 * p->depth), "");
	term_safe(v->out, span_str(p->type));
	if (p->charset[0]) {
		buf_addc(v->out, ' ');
		term_safe(v->out, span_str(p->charset));
	}
	if (!p->multipart)
		buf_addf(v->out, "  %llu bytes%s%s", (unsigned long long)part_size(p),
			 p->encoding == PART_PLAIN ? "" : " as ",
			 p->encoding == PART_PLAIN ? "" : encodings[p->encoding]);
	if (p->name[0]) {
		buf_adds(v->out, "  ");
		term_safe(v->out, span_str(p->name));
	}
	buf_addc(v->out, '\n');
	return 0;
}

void trace_parts(struct span message, bool json, struct buf *out) {
	struct view v = { .out = out, .j = json_into(out), .json = json };
	bool more = false;
	if (json) {
		json_object(&v.j, NULL);
		json_array(&v.j, "parts");
	}
	part_walk(message, show_part, &v, &more);
	if (json) {
		json_end(&v.j);
		json_bool(&v.j, "cut", more);
		json_end(&v.j);
		buf_addc(out, '\n');
	} else if (more) {
		buf_adds(out, "... and more: deeper or more parts than are looked at\n");
	}
}

void trace_headers(struct span message, bool json, struct buf *out) {
	struct span block = span_head(message, header_block_len(message));
	struct json j = json_into(out);
	struct header_field f;
	if (json) {
		json_object(&j, NULL);
		json_array(&j, "headers");
	}
	header_take_mbox(&block);
	while (header_take(&block, &f)) {
		AUTO_BUF struct buf text = BUF_INIT(VALUE_MAX);
		decode_words(&text, f.value);
		if (json) {
			json_object(&j, NULL);
			json_str(&j, "name", f.name);
			json_str(&j, "value", buf_span(&text));
			json_end(&j);
			continue;
		}
		term_safe(out, f.name);
		buf_adds(out, ": ");
		term_safe(out, buf_span(&text));
		buf_addc(out, '\n');
	}
	if (json) {
		json_end(&j);
		json_end(&j);
		buf_addc(out, '\n');
	}
}
