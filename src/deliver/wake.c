/*
 * Wake-ups: whoever has queued a message sends its ID. While a new message could not be
 * handed over anyway, because the relay is held, they are left in the socket after the first
 * and taken together a moment later: a thousand messages for a dead relay then cost some ten
 * rounds, not a thousand. Never while a session is at work whose user has a limit, because
 * that counts what was read; and nobody is told less: before a request all of them are read.
 *
 * The socket holds about ten. What did not get in is found by looking at the names.
 */

#include <poll.h>

#include "base/auto.h"
#include "deliver/state.h"

#define WAKES_A_ROUND 256u
/* The kernel queues ten datagrams by default: so many at once, and some may have been lost. */
#define WAKES_SUSPICIOUS 8u
#define DOZE_MS 100
#define CATCH_UP_STEPS 20

/* Looks at all names soon, but spends at most a twentieth of the time on that. */
static void rescan_soon(struct manager *m) {
	int64_t since = clock_boot_ms() - m->rescanned_ms;
	int64_t pause = 100 + 20 * m->rescan_cost_ms;
	m->names_due = true;
	loop_timer_set(m->rescan_timer, since > pause ? 100 : pause);
}

/* Returns how many there were. */
static unsigned take_all(struct manager *m) {
	char text[QUEUE_ID_LEN + 1];
	size_t len;
	unsigned n = 0;
	bool look = false;
	while (n < WAKES_A_ROUND && control_wake_take(m->wake_fd, text, sizeof(text), &len)) {
		struct queue_id id;
		n++;
		if (queue_id_parse(span_of(text, len), &id))
			scan_note(m, &id);
		else
			look = true;
	}
	if (look || n >= WAKES_SUSPICIOUS)
		rescan_soon(m);
	if (n > 0)
		manager_kick(m);
	return n;
}

static bool may_doze(const struct manager *m) {
	return !m->stopping && !listener_counts(m) && !dispatch_can_take(m, clock_boot_ms());
}

static void doze(struct manager *m) {
	if (m->dozing || !may_doze(m))
		return;
	m->dozing = true;
	loop_watch_events(m->wake_watch, 0);
	loop_timer_set(m->doze_timer, DOZE_MS);
}

/* Returns how many had waited. */
static unsigned rouse(struct manager *m) {
	m->dozing = false;
	loop_timer_stop(m->doze_timer);
	loop_watch_events(m->wake_watch, POLLIN);
	return take_all(m);
}

void wake_rouse(struct manager *m) {
	if (!m->dozing || m->stopping)
		return;
	rouse(m);
	scan_step(m);
}

void wake_catch_up(struct manager *m) {
	wake_rouse(m);
	if (m->names_due && !m->stopping)
		scan_names(m);
	for (unsigned i = 0; m->scanned && i < CATCH_UP_STEPS && scan_step(m); i++)
		;
}

void wake_step(struct manager *m) {
	if (m->dozing && !may_doze(m))
		rouse(m);
}

/* While more comes in, once in a while is enough. */
static void doze_over(void *ctx) {
	struct manager *m = ctx;
	if (m->dozing && !m->stopping && rouse(m) > 0)
		doze(m);
}

static void woken(void *ctx, int fd, short revents) {
	(void)fd;
	(void)revents;
	take_all(ctx);
	doze(ctx);
}

int wake_listen(struct manager *m, struct err *err) {
	AUTO_BUF struct buf path = BUF_INIT(4096);
	buf_addf(&path, "%s/wake", m->settings.rundir);
	m->wake_fd = control_wake_listen(buf_str(&path), err);
	if (m->wake_fd < 0)
		return -1;
	m->wake_watch = loop_watch(m->loop, m->wake_fd, POLLIN, woken, m);
	m->doze_timer = loop_timer(m->loop, DOZE_MS, doze_over, m);
	return m->wake_watch && m->doze_timer ? 0
					      : err_set(err, ERR_MEMORY, "out of memory");
}
