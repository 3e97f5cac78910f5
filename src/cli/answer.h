#ifndef NIGHTMAIL_CLI_ANSWER_H
#define NIGHTMAIL_CLI_ANSWER_H

/* Taking values out of the daemon's answers, JSON that may lack them. Both functions take NULL
 * for "no such object". */

#include <stdint.h>

#include <jansson.h>

#include "base/span.h"

static inline void answer_auto(json_t **j) {
	json_decref(*j);
}
#define AUTO_JSON __attribute__((cleanup(answer_auto)))

/* The text; "" when there is none. */
static inline struct span answer_text(const json_t *object, const char *key) {
	const json_t *v = json_object_get(object, key);
	return json_is_string(v) ? span_of(json_string_value(v), json_string_length(v))
				 : SPAN("");
}

/* The number; 0 when there is none. */
static inline int64_t answer_number(const json_t *object, const char *key) {
	return json_integer_value(json_object_get(object, key));
}

#endif
