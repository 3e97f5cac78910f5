/*
 * The manager's start, its rounds, reload and end. A round does what is due in a fixed order
 * (segments of dead workers, names, care, handing over) and sets one timer for the next
 * thing that is; everything else is an event that asks for a round.
 */

#include "deliver/manager.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/file.h"
#include "base/log.h"
#include "deliver/state.h"

#define RESCAN_MS 60000
#define HOUR_MS (3600 * 1000LL)
#define STOP_MS 30000
#define COMPLAINTS_MAX (1u << 20)
#define OWNER_MODE 0600
#define PUBLIC_MODE 0666

static int64_t earlier(int64_t a, int64_t b) {
	return a < b ? a : b;
}

void manager_kick(struct manager *m) {
	if (m->kicked || !m->work_timer)
		return;
	m->kicked = true;
	loop_timer_set(m->work_timer, 0);
}

void manager_tell(struct manager *m) {
	AUTO_BUF struct buf text = BUF_INIT(1u << 16);
	buf_adds(&text, "STATUS=");
	relays_summary(m, &text);
	supervisor_tell(buf_str(&text));
}

static void work(void *ctx) {
	struct manager *m = ctx;
	int64_t now = clock_boot_ms();
	bool more = false;
	m->kicked = false;
	int64_t next = pool_finish(m, now);
	if (m->stopping && pool_empty(m) && !listener_serves(m)) {
		loop_stop(m->loop, EX_OK);
		return;
	}
	if (!m->stopping) {
		bool kicked = m->kicked;
		next = earlier(next, scan_replay(m, now));
		wake_step(m);
		more = listener_pick_up(m);
		more |= scan_step(m);
		more |= place_step(m);
		m->kicked = kicked; /* what these ask for follows */
		next = earlier(next, storm_step(m, now));
		if (m->replayed)
			next = earlier(next, care_step(m, now));
		next = earlier(next, dispatch(m, now));
		if (m->alerts.changed)
			alert_look(m);
		next = earlier(next, watch_step(m, now));
		next = earlier(next, alert_jobs_step(m, now));
	}
	if (m->kicked)
		return;
	if (more)
		loop_timer_set(m->work_timer, 0);
	else if (next != NEVER_MS)
		loop_timer_set(m->work_timer, next - now);
	else
		loop_timer_stop(m->work_timer);
}

static void look_again(void *ctx) {
	struct manager *m = ctx;
	int64_t now = clock_boot_ms();
	m->drop_due = true;
	scan_names(m);
	if (now >= m->hourly_at_ms) {
		m->hourly_at_ms = now + HOUR_MS;
		scan_hourly(m);
		storm_hourly(m);
		if (m->replayed)
			daily_work(m);
	}
	daily_step(m);
	alert_look(m);
	manager_tell(m);
	loop_timer_set(m->rescan_timer, RESCAN_MS);
}

/* --- configuration --- */

static void log_complaints(const struct buf *complaints) {
	struct span rest = buf_span(complaints), line;
	while (span_take_line(&rest, &line))
		log_error("%.*s", (int)line.len, line.p);
}

/* Once an hour as long as it lasts. */
static void shout(void *ctx) {
	struct manager *m = ctx;
	if (m->complaints.len == 0)
		return;
	log_complaints(&m->complaints);
	log_error("nothing can be delivered: the configuration has errors; mail is accepted and "
		  "waits; 'nightmail reload' after mending them");
	loop_timer_set(m->shout_timer, HOUR_MS);
}

static void keep_first(const struct buf *complaints, char *ret, size_t size) {
	struct span all = buf_span(complaints), first = SPAN("");
	span_take_line(&all, &first);
	snprintf(ret, size, "%.*s", (int)first.len, first.p);
}

static void set_complaints(struct manager *m, const struct buf *complaints) {
	buf_reset(&m->complaints);
	buf_add(&m->complaints, buf_span(complaints));
	keep_first(complaints, m->complaint, sizeof(m->complaint));
	m->rejected[0] = '\0';
}

static bool same(const char *a, const char *b) {
	return strcmp(a ? a : "", b ? b : "") == 0;
}

static int load_fresh(const struct manager *m, struct settings *ret, struct buf *complaints) {
	if (config_load(m->file, ret, complaints) != 0)
		return -1;
	if (!same(ret->dir, m->settings.dir) || !same(ret->rundir, m->settings.rundir)) {
		buf_adds(complaints, "the queue directory changed: that needs a restart\n");
		return -1;
	}
	return 0;
}

int manager_reload(struct manager *m, struct buf *complaints) {
	struct settings fresh;
	supervisor_tell("RELOADING=1");
	int r = load_fresh(m, &fresh, complaints);
	if (r != 0) {
		log_complaints(complaints);
		log_error("the configuration was not changed: the new one has errors");
		keep_first(complaints, m->rejected, sizeof(m->rejected));
		config_release(&fresh);
	} else {
		struct buf none = BUF_INIT(1);
		pool_let_go(m);
		config_release(&m->settings);
		m->settings = fresh;
		m->generation++;
		set_complaints(m, &none);
		relays_update(m);
		throttling_settings(m);
		listener_settings(m);
		storm_settings(m);
		watch_settings(m);
		messages_try_names(m);
		m->paused_until_ms = 0;
		log_info("configuration loaded again");
		events_reload(m);
	}
	supervisor_tell("READY=1");
	manager_tell(m);
	return r;
}

/* --- signals --- */

static void reload_signal(void *ctx, int signo) {
	AUTO_BUF struct buf complaints = BUF_INIT(COMPLAINTS_MAX);
	(void)signo;
	manager_reload(ctx, &complaints);
}

static void child_signal(void *ctx, int signo) {
	(void)signo;
	listener_reap(ctx);
	deliverer_reap(ctx);
	alert_reap(ctx);
	watch_reap(ctx);
}

static void stop_late(void *ctx) {
	struct manager *m = ctx;
	log_warn("workers did not end within 30 s: they are left to themselves");
	loop_stop(m->loop, EX_OK);
}

static void stop_signal(void *ctx, int signo) {
	struct manager *m = ctx;
	(void)signo;
	if (m->stopping) {
		loop_stop(m->loop, EX_OK);
		return;
	}
	m->stopping = true;
	log_info("stopping");
	supervisor_tell("STOPPING=1");
	control_server_free(m->control);
	m->control = NULL;
	listener_stop(m);
	watch_stop(m);
	loop_timer_stop(m->rescan_timer);
	loop_watch_events(m->wake_watch, 0);
	pool_let_go(m);
	m->stop_timer = loop_timer(m->loop, STOP_MS, stop_late, m);
	manager_kick(m);
}

static void network_up(void *ctx, const char *why) {
	relays_network_up(ctx, why);
}

/* --- start and end --- */

static int take_signals(struct manager *m) {
	return loop_signal(m->loop, SIGTERM, stop_signal, m) != 0 ||
	       loop_signal(m->loop, SIGINT, stop_signal, m) != 0 ||
	       loop_signal(m->loop, SIGHUP, reload_signal, m) != 0 ||
	       loop_signal(m->loop, SIGCHLD, child_signal, m) != 0;
}

static int start_loop(struct manager *m, struct err *err) {
	m->loop = loop_new();
	if (!m->loop || take_signals(m) != 0)
		return err_sys(err, "cannot make the event loop");
	m->work_timer = loop_timer(m->loop, 0, work, m);
	m->rescan_timer = loop_timer(m->loop, RESCAN_MS, look_again, m);
	m->shout_timer = loop_timer(m->loop, 0, shout, m);
	if (!m->work_timer || !m->rescan_timer || !m->shout_timer)
		return err_set(err, ERR_MEMORY, "out of memory");
	return 0;
}

static int open_spool(struct manager *m, struct err *err) {
	m->queue = queue_open(m->settings.dir, err);
	return m->queue ? queue_own(m->queue, err) : -1;
}

static int open_sockets(struct manager *m, struct err *err) {
	AUTO_BUF struct buf path = BUF_INIT(4096);
	/* Of a system all users may ask for their own mail. */
	bool public = m->settings.mode == CONFIG_SYSTEM;
	struct control_rules rules = {
		.mode = public ? PUBLIC_MODE : OWNER_MODE,
		.admin_group = public && getegid() != 0 ? getegid() : CONTROL_NO_GROUP,
	};
	buf_addf(&path, "%s/control", m->settings.rundir);
	m->control = control_listen(m->loop, buf_str(&path), &rules, requests_take, m, err);
	return m->control && wake_listen(m, err) == 0 ? listener_start(m, err) : -1;
}

struct manager *manager_new(const char *file, struct settings *settings,
	const struct buf *complaints, struct err *err) {
	struct manager *m = calloc(1, sizeof(*m));
	if (!m) {
		config_release(settings);
		err_set(err, ERR_MEMORY, "out of memory");
		return NULL;
	}
	m->settings = *settings;
	m->wake_fd = -1;
	m->started = clock_now();
	buf_init(&m->complaints, COMPLAINTS_MAX);
	set_complaints(m, complaints);
	m->file = file ? span_dup(span_str(file)) : NULL;
	m->events = events_new();
	if (!m->events) {
		err_set(err, ERR_MEMORY, "out of memory");
		manager_free(m);
		return NULL;
	}
	if (open_spool(m, err) != 0 || start_loop(m, err) != 0 || open_sockets(m, err) != 0) {
		manager_free(m);
		return NULL;
	}
	relays_update(m);
	relays_restore(m);
	throttling_restore(m);
	alert_restore(m);
	watch_restore(m);
	m->netwatch = netwatch_new(m->loop, network_up, m, err);
	if (!m->netwatch)
		log_warn("the network is not watched: %s", err->msg);
	return m;
}

int manager_run(struct manager *m) {
	log_info("started; queue %s", m->settings.dir);
	supervisor_tell("READY=1");
	manager_tell(m);
	int status = loop_run(m->loop);
	log_info("stopped");
	return status < 0 ? EX_OSERR : status;
}

static void close_wake(struct manager *m) {
	AUTO_BUF struct buf path = BUF_INIT(4096);
	if (m->wake_fd < 0)
		return;
	close(m->wake_fd);
	buf_addf(&path, "%s/wake", m->settings.rundir);
	file_unlink(AT_FDCWD, buf_str(&path));
}

void manager_free(struct manager *m) {
	if (!m)
		return;
	if (m->loop)
		pool_free(m);
	alert_free(m);
	watch_free(m);
	netwatch_free(m->netwatch);
	listener_free(m);
	control_server_free(m->control);
	loop_unwatch(m->wake_watch);
	close_wake(m);
	loop_timer_free(m->work_timer);
	loop_timer_free(m->rescan_timer);
	loop_timer_free(m->shout_timer);
	loop_timer_free(m->stop_timer);
	loop_timer_free(m->doze_timer);
	loop_free(m->loop);
	lanes_release(&m->lanes);
	place_release(m);
	heap_release(&m->care);
	table_release(&m->messages);
	throttling_free(m);
	storm_table_free(m->storms);
	troubles_release(&m->troubles);
	wishes_release(m);
	events_free(m->events);
	id_list_release(&m->pending);
	id_list_release(&m->late);
	id_list_release(&m->uncounted);
	queue_free(m->queue);
	buf_release(&m->complaints);
	config_release(&m->settings);
	free(m->file);
	free(m);
}
