/*
 * The request `show`: one message in full, for those who cannot read the queue's files: its
 * envelope and journal, then its header or all of it, piece by piece.
 */

#include <stdlib.h>

#include "base/auto.h"
#include "base/codec.h"
#include "deliver/content.h"
#include "deliver/state.h"

#define DESCRIPTION_MAX (40u << 20)

static bool produce(void *ctx, struct buf *out) {
	int r = content_next(ctx, out);
	if (r < 0)
		buf_room(out, SIZE_MAX); /* an answer that is cut off must not look whole */
	return r == 1;
}

static void release(void *ctx) {
	content_close(ctx);
	free(ctx);
}

static int read_words(struct span words, struct buf *ending, bool *ret_body) {
	struct span key, value;
	while (codec_word_take(&words, &key, &value)) {
		bool is_id = value.p && span_eq(key, SPAN("id")) && ending->len == 0;
		if (value.p && span_eq(key, SPAN("body")) && span_eq(value, SPAN("1")))
			*ret_body = true;
		else if (!is_id || codec_percent_decode(ending, value) != 0)
			return -1;
	}
	return ending->len > 0 ? 0 : -1;
}

static int start(struct manager *m, struct control_client *c, const struct control_peer *peer,
		 struct span ending, bool body, struct err *err) {
	AUTO_BUF struct buf out = BUF_INIT(DESCRIPTION_MAX);
	struct queue_id id;
	bool dead;
	if (find_message(m, peer, ending, &id, &dead, err) != 0)
		return -1;
	struct verb_live live = requests_live(m, &id, peer);
	struct content *content = malloc(sizeof(*content));
	if (!content)
		return err_set(err, ERR_MEMORY, "out of memory");
	if (verb_describe_fully(m->queue, &id, dead, &live, &out, err) != 0 ||
	    content_open(content, m->queue, &id, dead, body, err) != 0) {
		free(content);
		return -1;
	}
	control_answer(c, buf_span(&out));
	control_stream(c, produce, release, content);
	return 0;
}

void show_request(struct manager *m, struct control_client *c, const struct control_peer *peer,
		  struct span words) {
	AUTO_BUF struct buf ending = BUF_INIT(64);
	struct err err = ERR_INIT;
	bool body = false;
	if (read_words(words, &ending, &body) != 0)
		control_end(c, "the request is not understood");
	else if (start(m, c, peer, buf_span(&ending), body, &err) != 0)
		control_fail(c, &err);
}
