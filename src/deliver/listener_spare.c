/*
 * Processes that have served a user and wait a moment for the same user's next connection,
 * which saves a fork: by the Unix socket, or by TCP from an address of this machine, where
 * the kernel tells who the user is. A board in shared memory says which of them wait, so
 * that nobody is woken to tell: the process writes that it waits, the daemon takes it by
 * changing that, and the process that has waited long enough may go only when it can take
 * that back. A connection that was passed to a process which is killed is closed unread: its
 * client comes again.
 *
 * A process never serves two users, so what a message may have done to it stays with its
 * sender; none serves for ever, because a user may be a proxy for others; and none outlives
 * a change of the settings it was started with.
 */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/proc.h"
#include "deliver/listener.h"

#define WAIT_MS 2000
/* A connection that was announced is on its way already. */
#define PASSED_MS 10000
#define FRAME_BYTES 16
#define CLIENTS_MAX 100u

enum { BUSY, WAITS, CALLED };

bool listener_spare_waits(const struct listener *l, size_t i) {
	return l->slot[i].channel >= 0 && l->spare[i] == WAITS;
}

/* A client by TCP without a uid is whoever the address stands for, maybe many. */
static bool is_same_user(const struct listen_client *a, const struct listen_client *b) {
	return a->has_uid && b->has_uid && a->uid == b->uid && a->tcp == b->tcp &&
	       inet_same(&a->addr, &b->addr);
}

int listener_spare_channel(const struct listener *l, const struct listen_client *client,
			   int *ret_other) {
	unsigned all = 0, own = 0;
	int ends[2];
	*ret_other = -1;
	for (size_t i = 0; i < l->top; i++) {
		const struct listen_slot *s = &l->slot[i];
		bool is_spare = s->pid > 0 && s->channel >= 0;
		all += is_spare;
		own += is_spare && is_same_user(&s->client, client);
	}
	if (!client->has_uid || all >= LISTEN_SPARE_MAX || own >= LISTEN_SPARE_EACH ||
	    proc_channel(ends, NULL) != 0)
		return -1;
	*ret_other = ends[1];
	return ends[0];
}

bool listener_spare_pass(struct listener *l, const struct listen_client *client, int fd) {
	for (size_t i = 0; i < l->top; i++) {
		struct listen_slot *s = &l->slot[i];
		int waits = WAITS;
		if (s->pid == 0 || s->leaving || s->channel < 0 ||
		    !is_same_user(&s->client, client) ||
		    !atomic_compare_exchange_strong(&l->spare[i], &waits, CALLED))
			continue;
		l->idle_since[i] = clock_boot_ms();
		if (proc_send(s->channel, SPAN("next"), fd) == 0)
			return true;
		listener_spare_forget(l, i);
	}
	return false;
}

void listener_spare_forget(struct listener *l, size_t i) {
	auto_close(&l->slot[i].channel);
	l->slot[i].channel = -1;
	l->spare[i] = BUSY;
}

void listener_spare_end(struct listener *l) {
	for (size_t i = 0; i < l->top; i++)
		if (l->slot[i].pid > 0 && l->slot[i].channel >= 0)
			listener_spare_forget(l, i);
}

void listener_spare_crowded(struct listener *l, bool crowded) {
	l->spare[LISTEN_SLOTS] = crowded;
}

/* --- in the process of a session --- */

static bool is_readable(int fd, int64_t until_ms) {
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int64_t left = until_ms - clock_boot_ms();
	if (left < 0)
		left = 0;
	struct timespec t = { .tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000 };
	sigset_t none;
	sigemptyset(&none);
	return ppoll(&p, 1, &t, &none) > 0;
}

/* Waits for the descriptor of the next connection; -1: there is none. */
static int receive(const struct listen_spare *s) {
	AUTO_BUF struct buf frame = BUF_INIT(FRAME_BYTES);
	int waits = WAITS, fd;
	int64_t until = clock_boot_ms() + WAIT_MS;
	bool ready = false;
	while (!ready && !session_is_unwanted() && clock_boot_ms() < until)
		ready = is_readable(s->channel, until);
	if (!ready && atomic_compare_exchange_strong(s->state, &waits, BUSY))
		return -1;
	until = clock_boot_ms() + PASSED_MS;
	while (!ready && clock_boot_ms() < until)
		ready = is_readable(s->channel, until);
	return ready && proc_recv(s->channel, &frame, &fd) > 0 ? fd : -1;
}

bool listener_spare_next(void *ctx) {
	struct listen_spare *s = ctx;
	close(s->client);
	if (session_is_unwanted() || *s->crowded || ++s->served >= CLIENTS_MAX)
		return false;
	*s->state = WAITS;
	AUTO_FD int fd = receive(s);
	if (fd == s->client)
		return take_fd(&fd) >= 0;
	return fd >= 0 && dup2(fd, s->client) == s->client;
}
