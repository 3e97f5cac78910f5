#ifndef NIGHTMAIL_BASE_JSON_H
#define NIGHTMAIL_BASE_JSON_H

/*
 * A streaming JSON writer (RFC 8259) into a buf. It puts commas and quotes; keys are
 * plain C strings. Invalid UTF-8 becomes U+FFFD, so the result is always valid JSON.
 *
 *     struct json j = json_into(&b);
 *     json_object(&j, NULL); json_str(&j, "id", id); json_int(&j, "size", 12); json_end(&j);
 *
 * Inside an object every call gives a key; inside an array (and at the top) key is NULL.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

#define JSON_DEPTH_MAX 16

struct json {
	struct buf *out;
	unsigned depth;
	bool is_array[JSON_DEPTH_MAX];
	bool has_item[JSON_DEPTH_MAX];
};

struct json json_into(struct buf *out);
void json_object(struct json *j, const char *key);
void json_array(struct json *j, const char *key);
/* Closes the innermost object or array. */
void json_end(struct json *j);
void json_str(struct json *j, const char *key, struct span value);
void json_int(struct json *j, const char *key, int64_t value);
/* Milliseconds as seconds with three decimals. */
void json_ms(struct json *j, const char *key, int64_t ms);
void json_bool(struct json *j, const char *key, bool value);
void json_null(struct json *j, const char *key);
/* A value that is JSON already. */
void json_raw(struct json *j, const char *key, struct span value);
/* The span as a string, or null when its pointer is NULL. */
void json_str_or_null(struct json *j, const char *key, struct span value);

#endif
