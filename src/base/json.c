/*
 * The JSON writer. It remembers for each open container whether an item came before (then
 * a comma is due). Going deeper than JSON_DEPTH_MAX makes the buffer failed.
 */

#include "base/json.h"

#include <stdint.h>

#include "base/term.h"

struct json json_into(struct buf *out) {
	return (struct json){ .out = out };
}

static void add_escaped(struct buf *out, uint32_t cp) {
	switch (cp) {
	case '"':
		buf_adds(out, "\\\"");
		return;
	case '\\':
		buf_adds(out, "\\\\");
		return;
	case '\n':
		buf_adds(out, "\\n");
		return;
	case '\r':
		buf_adds(out, "\\r");
		return;
	case '\t':
		buf_adds(out, "\\t");
		return;
	default:
		buf_addf(out, "\\u%04x", (unsigned)cp);
	}
}

/* Characters that a terminal would act on are escaped as well, because people look at
 * JSON on terminals; all of them are below U+10000. */
static void add_string(struct buf *out, struct span s) {
	buf_addc(out, '"');
	while (s.len > 0) {
		struct span before = s;
		uint32_t cp;
		if (!span_take_utf8(&s, &cp)) {
			s = span_from(s, 1);
			buf_adds(out, "\xef\xbf\xbd");
		} else if (cp == '"' || cp == '\\' || term_unsafe(cp)) {
			add_escaped(out, cp);
		} else {
			buf_addm(out, before.p, before.len - s.len);
		}
	}
	buf_addc(out, '"');
}

/* What stands before an item: the comma, and the key. */
static void begin(struct json *j, const char *key) {
	if (j->depth > 0 && j->depth <= JSON_DEPTH_MAX) {
		if (j->has_item[j->depth - 1])
			buf_addc(j->out, ',');
		j->has_item[j->depth - 1] = true;
	}
	if (key) {
		add_string(j->out, span_str(key));
		buf_addc(j->out, ':');
	}
}

static void open_container(struct json *j, const char *key, bool is_array) {
	begin(j, key);
	buf_addc(j->out, is_array ? '[' : '{');
	if (j->depth < JSON_DEPTH_MAX) {
		j->is_array[j->depth] = is_array;
		j->has_item[j->depth] = false;
	} else {
		/* Never there: the buffer is failed from now on. */
		buf_room(j->out, SIZE_MAX);
	}
	j->depth++;
}

void json_object(struct json *j, const char *key) {
	open_container(j, key, false);
}

void json_array(struct json *j, const char *key) {
	open_container(j, key, true);
}

void json_end(struct json *j) {
	if (j->depth == 0)
		return;
	j->depth--;
	buf_addc(j->out, j->depth < JSON_DEPTH_MAX && j->is_array[j->depth] ? ']' : '}');
}

void json_str(struct json *j, const char *key, struct span value) {
	begin(j, key);
	add_string(j->out, value);
}

void json_int(struct json *j, const char *key, int64_t value) {
	begin(j, key);
	buf_addi(j->out, value);
}

void json_ms(struct json *j, const char *key, int64_t ms) {
	begin(j, key);
	buf_addf(j->out, "%s%lld.%03d", ms < 0 ? "-" : "",
		 (long long)(ms < 0 ? -(ms / 1000) : ms / 1000),
		 (int)(ms < 0 ? -(ms % 1000) : ms % 1000));
}

void json_bool(struct json *j, const char *key, bool value) {
	begin(j, key);
	buf_adds(j->out, value ? "true" : "false");
}

void json_null(struct json *j, const char *key) {
	begin(j, key);
	buf_adds(j->out, "null");
}

void json_raw(struct json *j, const char *key, struct span value) {
	begin(j, key);
	buf_add(j->out, value);
}

void json_str_or_null(struct json *j, const char *key, struct span value) {
	if (value.p)
		json_str(j, key, value);
	else
		json_null(j, key);
}
