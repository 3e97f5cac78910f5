/*
 * Which messages somebody who asks may see. To administrators the queue is what stands on
 * the disk. Other users see what they submitted, and must not learn that there is anything
 * else: whose a message is stands in memory, or, of one that is not known yet or dead, in
 * its file.
 */

#include "deliver/state.h"

struct looker {
	struct manager *manager;
	const struct control_peer *peer;
};

bool find_may_see(struct manager *m, const struct control_peer *peer,
		  const struct queue_id *id, bool dead) {
	const struct message *msg = dead ? NULL : table_find(&m->messages, id);
	struct queue_message q;
	if (peer->admin)
		return true;
	if (msg)
		return msg->uid == peer->uid;
	if (queue_read(m->queue, id, dead, &q, NULL, NULL) != 0)
		return false;
	bool theirs = q.env.uid == peer->uid;
	queue_message_release(&q);
	return theirs;
}

static bool pick(void *ctx, const struct queue_id *id, bool dead) {
	const struct looker *l = ctx;
	return find_may_see(l->manager, l->peer, id, dead);
}

int find_message(struct manager *m, const struct control_peer *peer, struct span ending,
		 struct queue_id *ret, bool *ret_dead, struct err *err) {
	struct looker l = { m, peer };
	return queue_find_if(m->queue, ending, peer->admin ? NULL : pick, &l, ret, ret_dead,
			     err);
}
