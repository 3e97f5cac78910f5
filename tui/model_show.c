/* A message's details, from the lines of `show`; see model_read.h. */

#include "tui/model_read.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/auto.h"
#include "base/codec.h"
#include "tui/model_json.h"

#define PIECE_MAX (1u << 20)

void model_read_detail_init(struct model_read_detail *d) {
	*d = (struct model_read_detail){ .owner = NULL };
	buf_init(&d->content, MODEL_CONTENT_MAX);
	buf_init(&d->words, 1024);
	d->detail.words = d->detail.origin = "";
	d->detail.uid = -1;
}

void model_read_detail_release(struct model_read_detail *d) {
	free(d->detail.recipient);
	free(d->detail.attempt);
	json_decref(d->owner);
	buf_release(&d->content);
	buf_release(&d->words);
	model_read_detail_init(d);
}

static int read_recipients(struct model_detail *d, const json_t *list) {
	size_t count = json_array_size(list);
	d->recipient = calloc(count ? count : 1, sizeof(*d->recipient));
	if (!d->recipient)
		return -1;
	for (size_t i = 0; i < count; i++) {
		const json_t *r = json_array_get(list, i);
		d->recipient[i] = (struct model_recipient){
			.address = model_json_string(r, "address"),
			.state = model_json_string(r, "state"),
			.status = model_json_string(r, "status"),
			.reply = model_json_string(r, "reply"),
			.host = model_json_string(r, "host"),
		};
	}
	d->recipients = count;
	return 0;
}

/*
 * The journal as tries, the latest first. The results of an attempt stand before its own
 * record, so that reading backwards the record comes first. What does not count as an attempt
 * has no record, and its results no number.
 */
static struct model_try try_of(const json_t *r, unsigned number) {
	const char *reply = model_json_string(r, "reply");
	const char *reason = model_json_string(r, "reason");
	return (struct model_try){
		.number = number,
		.at = model_json_time(r, "time"),
		.host = model_json_string(r, "host"),
		.what = model_json_string(r, "what"),
		.reply = reply[0] ? reply : reason,
		.to = model_json_string(r, "to"),
	};
}

static bool is_attempt(const json_t *r) {
	return strcmp(model_json_string(r, "what"), "attempt") == 0;
}

static int read_journal(struct model_detail *d, const json_t *list) {
	size_t count = json_array_size(list);
	size_t kept = count < MODEL_TRIES_MAX ? count : MODEL_TRIES_MAX;
	unsigned attempts = 0, number = 0;
	d->attempt = calloc(kept ? kept : 1, sizeof(*d->attempt));
	if (!d->attempt)
		return -1;
	for (size_t i = 0; i < count; i++)
		attempts += is_attempt(json_array_get(list, i));
	for (size_t i = count; i-- > 0 && d->attempts < kept;) {
		const json_t *r = json_array_get(list, i);
		if (is_attempt(r)) {
			number = attempts--;
			continue;
		}
		bool result = model_json_string(r, "reply")[0] != '\0';
		d->attempt[d->attempts++] = try_of(r, result ? number : 0);
	}
	return 0;
}

static int read_message(struct model_read_detail *d, json_t *m) {
	const json_t *uid = json_object_get(m, "uid");
	d->owner = json_incref(m);
	d->detail.origin = model_json_string(m, "origin");
	d->detail.uid = json_is_integer(uid) ? json_integer_value(uid) : -1;
	return read_recipients(&d->detail, json_object_get(m, "recipients")) == 0 &&
			       read_journal(&d->detail, json_object_get(m, "journal")) ==
				       0
		       ? 0
		       : -1;
}

static void read_content(struct model_read_detail *d, struct span coded) {
	AUTO_BUF struct buf piece = BUF_INIT(PIECE_MAX);
	size_t room = MODEL_CONTENT_MAX - d->content.len;
	if (codec_base64_decode(&piece, coded) != 0)
		return;
	d->full = piece.len > room;
	buf_add(&d->content, span_head(buf_span(&piece), room));
}

int model_read_detail(struct model_read_detail *d, struct span line) {
	AUTO_JSON json_t *j = model_json_parse(line);
	struct span content = model_json_text(j, "content");
	if (content.p)
		read_content(d, content);
	else if (!d->owner && json_is_object(j))
		return read_message(d, j);
	return j && !buf_failed(&d->content) ? 0 : -1;
}
