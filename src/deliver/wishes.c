/*
 * The request `edit`. A message that is being delivered cannot be changed; what is wished of it
 * waits here until the attempt is over, and is done to what is left of it then.
 */

#include <stdlib.h>

#include "base/auto.h"
#include "base/codec.h"
#include "base/json.h"
#include "base/log.h"
#include "deliver/state.h"
#include "deliver/verb_edit.h"

#define WISHES_MAX 100u
/* Larger ones are not edited here: until the copy is on the disk nothing else is done. */
#define EDIT_MAX (16u << 20)

struct wish {
	struct wish *next;
	struct queue_id id;
	enum verb_by by;
	struct verb_edit edit;
};

static void wish_free(struct wish *w) {
	if (w)
		verb_edit_release(&w->edit);
	free(w);
}

static int edit(struct manager *m, const struct wish *w, struct queue_id *ret_new,
		struct err *err) {
	struct message *msg = table_find(&m->messages, &w->id);
	struct queue_id id = w->id;
	if (msg)
		msg->edit_known = false;
	int r = verb_edit(m->queue, &w->edit, w->by, &id, ret_new, err);
	if (r == 0) {
		log_info("id=%s edited on request%s, goes on as id=%s", queue_id_text(&id).s,
			 w->by == VERB_BY_USER ? " of its sender" : "",
			 queue_id_text(ret_new).s);
		if (msg) {
			events_act(m, msg, "edited", verb_by_name(w->by), NULL);
			message_gone(m, msg, "edited", ret_new);
		}
		scan_note(m, ret_new);
	} else if (msg) {
		message_load(m, &id); /* the edit may have begun */
	}
	return r;
}

static struct wish **find(struct manager *m, const struct queue_id *id) {
	struct wish **at = &m->wishes;
	while (*at && queue_id_cmp(&(*at)->id, id) != 0)
		at = &(*at)->next;
	return at;
}

void wishes_fulfil(struct manager *m, struct message *msg) {
	struct err err = ERR_INIT;
	struct queue_id new_id;
	struct wish **at = find(m, &msg->id), *w = *at;
	msg->verb = 0;
	if (!w)
		return;
	*at = w->next;
	if (edit(m, w, &new_id, &err) != 0)
		log_warn("id=%s edit after the attempt failed: %s", queue_id_text(&w->id).s,
			 err.msg);
	wish_free(w);
}

void wishes_release(struct manager *m) {
	while (m->wishes) {
		struct wish *next = m->wishes->next;
		wish_free(m->wishes);
		m->wishes = next;
	}
}

/* Those of messages that are gone meanwhile make room. */
static int keep(struct manager *m, struct message *msg, struct wish *w, struct err *err) {
	struct wish **old = find(m, &w->id), *replaced = *old;
	unsigned n = 0;
	if (requests_may_wish(msg, w->by, err) != 0)
		return -1;
	if (replaced) {
		*old = replaced->next;
		wish_free(replaced);
	}
	for (struct wish **at = &m->wishes; *at;) {
		struct wish *one = *at;
		if (table_find(&m->messages, &one->id)) {
			at = &one->next;
			n++;
			continue;
		}
		*at = one->next;
		wish_free(one);
	}
	if (n >= WISHES_MAX)
		return err_set(err, ERR_TIMEOUT, "too many messages wait to be edited");
	w->next = m->wishes;
	m->wishes = w;
	msg->verb = (uint8_t)(WISH_EDIT | (w->by == VERB_BY_USER ? WISH_BY_USER : 0));
	return 0;
}

static void answer(struct control_client *c, const struct queue_id *id,
		   const struct queue_id *new_id) {
	AUTO_BUF struct buf out = BUF_INIT(1024);
	struct queue_id_text text = queue_id_text(id);
	struct json j = json_into(&out);
	json_object(&j, NULL);
	json_str(&j, "id", span_str(text.s));
	if (new_id) {
		text = queue_id_text(new_id);
		json_str(&j, "new", span_str(text.s));
	}
	json_bool(&j, "pending", !new_id);
	json_end(&j);
	buf_addc(&out, '\n');
	control_answer(c, buf_span(&out));
	control_end(c, NULL);
}

static int check_size(struct manager *m, const struct queue_id *id, struct err *err) {
	struct queue_message message;
	if (queue_read(m->queue, id, false, &message, NULL, NULL) != 0)
		return 0; /* its claim says why */
	bool fits = message.content_len <= EDIT_MAX;
	queue_message_release(&message);
	return fits ? 0
		    : err_set(err, ERR_DENIED,
			      "it has more than 16M, and to copy it would stop all other mail "
			      "meanwhile; edit it while nightmaild is stopped");
}

/* The first word names the message, the others say what is to be changed. */
static int read_request(struct manager *m, const struct control_peer *peer, struct span words,
			struct wish *w, struct err *err) {
	AUTO_BUF struct buf ending = BUF_INIT(64);
	struct span key, value;
	bool dead;
	if (!codec_word_take(&words, &key, &value) || !value.p || !span_eq(key, SPAN("id")) ||
	    codec_percent_decode(&ending, value) != 0)
		return err_set(err, ERR_SYNTAX, "which message? its ID comes first");
	if (verb_edit_parse(words, &w->edit, err) != 0 ||
	    find_message(m, peer, buf_span(&ending), &w->id, &dead, err) != 0)
		return -1;
	if (w->edit.relay[0] && !config_relay(&m->settings, w->edit.relay))
		return err_set(err, ERR_SYNTAX, "there is no [relay %s] in the configuration",
			       w->edit.relay);
	w->by = peer->admin ? VERB_BY_ADMIN : VERB_BY_USER;
	return dead ? err_set(err, ERR_DENIED, "it is in dead/; release it first")
		    : check_size(m, &w->id, err);
}

void edit_request(struct manager *m, struct control_client *c, const struct control_peer *peer,
		  struct span words) {
	struct err err = ERR_INIT;
	struct queue_id new_id;
	struct wish *w = calloc(1, sizeof(*w));
	int r = w ? read_request(m, peer, words, w, &err)
		  : err_set(&err, ERR_MEMORY, "out of memory");
	struct message *msg = r == 0 ? table_find(&m->messages, &w->id) : NULL;
	bool later = msg && msg->state == MESSAGE_ACTIVE;
	if (r == 0)
		r = later ? keep(m, msg, w, &err) : edit(m, w, &new_id, &err);
	if (r != 0)
		control_fail(c, &err);
	else
		answer(c, &w->id, later ? NULL : &new_id);
	if (!later || r != 0)
		wish_free(w);
}
