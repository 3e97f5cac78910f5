/*
 * How many may be served. Sessions are counted in two pools, so that nobody who comes by TCP
 * can take the users' socket away. In a pool that is full the session that has had no message
 * in hand for longest makes room for the next client.
 */

#include <signal.h>

#include "base/clock.h"
#include "deliver/listener.h"

/* Idle for less, a session has only just begun, or ended a message. */
#define IDLE_UNIX_MS 10000
#define IDLE_TCP_MS 1000

static bool same_client(const struct listen_client *a, const struct listen_client *b) {
	if (a->tcp != b->tcp || a->has_uid != b->has_uid)
		return false;
	return a->has_uid ? a->uid == b->uid : inet_same(&a->addr, &b->addr);
}

/* Sessions of the pool; with `one` only those of the same client. */
static unsigned count_sessions(const struct listener *l, const struct listen_client *like,
			       bool one) {
	unsigned n = 0;
	for (size_t i = 0; i < l->top; i++) {
		const struct listen_slot *s = &l->slot[i];
		n += s->pid > 0 && !s->leaving && s->client.tcp == like->tcp &&
		     !listener_spare_waits(l, i) &&
		     (!one || same_client(&s->client, like));
	}
	return n;
}

/* Tells the session that is idle for longest to go, of this client alone with `one`. */
static bool make_room(struct listener *l, const struct listen_client *like, bool one) {
	int64_t now = clock_boot_ms(), least = like->tcp ? IDLE_TCP_MS : IDLE_UNIX_MS;
	int64_t oldest = now - least + 1;
	struct listen_slot *found = NULL;
	for (size_t i = 0; i < l->top; i++) {
		struct listen_slot *s = &l->slot[i];
		int64_t since = l->idle_since[i];
		if (s->pid == 0 || s->leaving || since == 0 || since >= oldest ||
		    listener_spare_waits(l, i) ||
		    s->client.tcp != like->tcp || (one && !same_client(&s->client, like)))
			continue;
		oldest = since;
		found = s;
	}
	if (!found || kill(found->pid, SIGUSR1) != 0)
		return false;
	found->leaving = true;
	return true;
}

bool listener_has_room(struct manager *m, const struct listen_client *client,
		       const char **ret_why) {
	struct listener *l = m->listener;
	const struct config_sessions *tcp = &m->settings.listen.sessions;
	unsigned all = client->tcp ? tcp->all : LISTEN_UNIX_SESSIONS;
	unsigned each = client->tcp ? tcp->each : LISTEN_UNIX_EACH;
	*ret_why = "421 4.7.0 too many sessions of this client\r\n";
	if (count_sessions(l, client, true) >= each &&
	    (!client->tcp || !make_room(l, client, true)))
		return false;
	*ret_why = "421 4.3.2 too many sessions\r\n";
	return count_sessions(l, client, false) < all || make_room(l, client, false);
}

static const struct listen_client any_user = { .tcp = false };

bool listener_is_full_of_users(const struct listener *l) {
	return count_sessions(l, &any_user, false) >= LISTEN_UNIX_SESSIONS;
}

void listener_make_room_for_users(struct listener *l) {
	make_room(l, &any_user, false);
}
