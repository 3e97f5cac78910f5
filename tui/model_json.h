#ifndef NIGHTMAIL_TUI_MODEL_JSON_H
#define NIGHTMAIL_TUI_MODEL_JSON_H

/* Taking values out of JSON that may lack them, for model_read.c and model_show.c. Every
 * function takes NULL for "no such object". */

#include <stdint.h>

#include <jansson.h>

#include "base/span.h"
#include "tui/model.h"

static inline void model_json_auto(json_t **j) {
	json_decref(*j);
}
#define AUTO_JSON __attribute__((cleanup(model_json_auto)))

static inline json_t *model_json_parse(struct span line) {
	return json_loadb(line.p, line.len, JSON_ALLOW_NUL, NULL);
}

/* The text; the empty span when there is none. */
static inline struct span model_json_text(const json_t *object, const char *key) {
	const json_t *v = json_object_get(object, key);
	return json_is_string(v) ? span_of(json_string_value(v), json_string_length(v))
				 : span_of(NULL, 0);
}

/* The text up to a NUL in it; "" when there is none. */
static inline const char *model_json_string(const json_t *object, const char *key) {
	const char *s = json_string_value(json_object_get(object, key));
	return s ? s : "";
}

static inline int64_t model_json_number(const json_t *object, const char *key) {
	return json_integer_value(json_object_get(object, key));
}

/* Seconds since 1970; NO_TIME when there are none. */
static inline int64_t model_json_time(const json_t *object, const char *key) {
	const json_t *v = json_object_get(object, key);
	return json_is_integer(v) ? json_integer_value(v) : NO_TIME;
}

#endif
