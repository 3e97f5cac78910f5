/*
 * --plain: the Overview as text, for scripts, mail and screen readers. It is drawn on a screen
 * that nobody sees and read back from there, so that both can never differ.
 */

#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "tui/app_state.h"

#define PATIENCE_MS 20000
#define ROWS 400
#define COLUMNS_USUAL 100 /* where nobody looks at a terminal */
#define COLUMNS_MAX 400
#define COLUMNS_MIN 60

static int columns_wanted(void) {
	struct winsize size;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
		return COLUMNS_USUAL;
	if (size.ws_col > COLUMNS_MAX)
		return COLUMNS_MAX;
	return size.ws_col < COLUMNS_MIN ? COLUMNS_MIN : size.ws_col;
}

static bool told_enough(const struct model *m) {
	bool daemon = model_link(m) == MODEL_DAEMON;
	/* Without a daemon the disk is read, which may succeed yet. */
	if (model_link(m) == MODEL_LOST && !model_loading(m))
		return true;
	return model_truth(m) == MODEL_FRESH && !model_loading(m) &&
	       (!daemon || model_status(m)->known);
}

static void wait_for_model(struct model *m) {
	int64_t until = clock_boot_ms() + PATIENCE_MS;
	size_t n = 0;
	struct pollfd fds[MODEL_FDS_MAX];
	for (model_ready(m, fds, 0); !told_enough(m); model_ready(m, fds, n)) {
		int64_t left = until - clock_boot_ms();
		int wait = model_timeout_ms(m);
		if (left <= 0)
			return;
		n = model_fds(m, fds, MODEL_FDS_MAX);
		if (poll(fds, n, wait < 0 || wait > left ? (int)left : wait) < 0)
			return;
	}
}

static void print_screen(void) {
	AUTO_BUF struct buf text = BUF_INIT(1u << 20);
	size_t end = 0; /* of the last line that is not blank */
	for (int y = 0; y < ROWS; y++) {
		size_t before = text.len;
		draw_read(y, &text);
		if (text.len > before)
			end = text.len;
		buf_addc(&text, '\n');
	}
	printf("%.*s\n", (int)end, buf_str(&text));
}

static int print_overview(struct app *app, struct err *err) {
	int columns = columns_wanted();
	struct draw_area all = { 0, 0, ROWS, columns };
	/* beside: what happened before this moment is not known here. */
	struct view_place place = { .list = all, .beside = true };
	if (app_screen_unseen(app, ROWS, columns, err) != 0)
		return -1;
	app->now = clock_wall_ms() / 1000;
	app_model_changed(app);
	draw_begin();
	app->view->draw(app_view_state(app), &place);
	print_screen();
	app_screen_stop(app);
	return 0;
}

int app_plain(const struct app_options *options) {
	struct err err = ERR_INIT;
	struct app *app = app_with_model(options);
	if (!app) {
		fputs("nightmail: out of memory\n", stderr);
		return EX_OSERR;
	}
	wait_for_model(app->model);
	int status = EX_OK;
	if (model_truth(app->model) == MODEL_NOTHING) {
		const char *words = model_link_words(app->model);
		fprintf(stderr, "nightmail: %s\n",
			words[0] ? words : "nightmaild does not answer");
		status = EX_UNAVAILABLE;
	} else if (print_overview(app, &err) != 0) {
		fprintf(stderr, "nightmail: %s\n", err.msg);
		status = EX_OSERR;
	}
	app_free(app);
	return status;
}
