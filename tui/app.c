/*
 * The loop of the dashboard. Signals come by a descriptor, so that a resize, Ctrl-Z or the end
 * of the terminal is an event between two drawings and never inside one. The screen is drawn
 * when something changed, at most every 50 ms, and each second for the ages.
 */

#include "tui/app.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "tui/app_state.h"

#define DRAW_EVERY_MS 50
#define FD_TTY 0 /* in the array for poll */
#define FD_SIGNALS 1
#define FD_MODEL 2

static int signal_fd = -1;

static const int signals[] = { SIGWINCH, SIGTSTP, SIGCONT, SIGINT,
			       SIGTERM,  SIGHUP,  SIGQUIT };

static void caught(int signo) {
	(void)signo;
}

/* ncurses ignores SIGTSTP while it draws, unless somebody else catches it; that would forget
 * one that waits in signal_fd. */
static int signals_start(struct err *err) {
	const struct sigaction action = { .sa_handler = caught };
	sigset_t set;
	sigaction(SIGTSTP, &action, NULL);
	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaddset(&set, signals[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return signal_fd < 0 ? err_sys(err, "cannot receive signals") : 0;
}

/* 0: none waits. */
static int signal_take(void) {
	struct signalfd_siginfo info;
	ssize_t n = read(signal_fd, &info, sizeof(info));
	return n == (ssize_t)sizeof(info) ? (int)info.ssi_signo : 0;
}

void app_signals_forget(void) {
	bool resized = false;
	for (int signo; (signo = signal_take()) != 0;)
		if (signo == SIGHUP || signo == SIGTERM)
			raise(signo);
		else
			resized |= signo == SIGWINCH;
	if (resized)
		raise(SIGWINCH);
}

static void take_signals(struct app *app) {
	for (int signo; !app->quit && (signo = signal_take()) != 0;) {
		switch (signo) {
		case SIGWINCH:
			app_screen_resized();
			break;
		case SIGTSTP:
			app_screen_suspend(app);
			app->clear = true;
			break;
		case SIGCONT: /* stopped and continued from outside */
			app_screen_resized();
			app->clear = true;
			break;
		default:
			app->quit = true;
		}
		app->changed = true;
	}
}

/* False when the terminal is gone: it is ready, and has nothing. */
static bool take_keys(struct app *app, short revents) {
	static int empty_rounds;
	int key, y = 0, x = 0, taken = 0;
	if (revents & (POLLHUP | POLLERR | POLLNVAL))
		return false;
	if (!(revents & POLLIN))
		return true;
	while (!app->quit && app_screen_key(&key, &y, &x)) {
		if (key == KEY_CODE_CLICK)
			app_click(app, y, x);
		else if (key != 0)
			app_key(app, key);
		app->changed = true;
		taken++;
	}
	/* Half of a key sequence gives nothing once; the end of the terminal, always. */
	empty_rounds = taken ? 0 : empty_rounds + 1;
	return empty_rounds < 1000;
}

/* What is sooner; negative: never. */
static int sooner(int a, int b) {
	if (a < 0 || b < 0)
		return a < 0 ? b : a;
	return a < b ? a : b;
}

static int wait_ms(const struct app *app, int64_t drawn_ms) {
	int64_t since = clock_boot_ms() - drawn_ms;
	int clock = 1000 - (int)(clock_wall_ms() % 1000);
	if (app->changed)
		clock = since < DRAW_EVERY_MS ? DRAW_EVERY_MS - (int)since : 0;
	return sooner(clock, model_timeout_ms(app->model));
}

static void draw_now(struct app *app) {
	int rows, columns;
	app_screen_size(&rows, &columns);
	app_draw(app, rows, columns, clock_wall_ms() / 1000);
	app_screen_show(app->clear);
	app->changed = app->clear = false;
}

static void one_round(struct app *app, int64_t *drawn_ms) {
	struct pollfd fds[FD_MODEL + MODEL_FDS_MAX] = {
		[FD_TTY] = { .fd = STDIN_FILENO, .events = POLLIN },
		[FD_SIGNALS] = { .fd = signal_fd, .events = POLLIN },
	};
	size_t n = model_fds(app->model, fds + FD_MODEL, MODEL_FDS_MAX);
	if (poll(fds, FD_MODEL + n, wait_ms(app, *drawn_ms)) < 0) {
		app->quit = errno != EINTR;
		return;
	}
	take_signals(app);
	if (!app->quit && !take_keys(app, fds[FD_TTY].revents))
		app->quit = true;
	if (model_ready(app->model, fds + FD_MODEL, n))
		app_model_changed(app);
	if (clock_wall_ms() / 1000 != app->now)
		app->changed = true;
	if (app->changed && !app->quit && clock_boot_ms() - *drawn_ms >= DRAW_EVERY_MS) {
		draw_now(app);
		*drawn_ms = clock_boot_ms();
	}
}

struct app *app_with_model(const struct app_options *options) {
	const struct model_options from = { .control = options->control,
					    .queue = options->queue,
					    .deliverable = options->deliverable,
					    .read_only = options->read_only };
	struct model *model = model_new(&from);
	return model ? app_new(options, model) : NULL;
}

int app_run(const struct app_options *options) {
	struct err err = ERR_INIT;
	int64_t drawn_ms = 0;
	struct app *app = app_with_model(options);
	if (!app) {
		fputs("nightmail: out of memory\n", stderr);
		return EX_OSERR;
	}
	if (signals_start(&err) != 0 || app_screen_start(app, &err) != 0) {
		fprintf(stderr, "nightmail: %s\n", err.msg);
		app_free(app);
		return EX_OSERR;
	}
	app->changed = true;
	while (!app->quit)
		one_round(app, &drawn_ms);
	app_screen_stop(app);
	app_free(app);
	return EX_OK;
}
