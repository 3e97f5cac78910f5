/*
 * The dashboard's screens, drawn in-process on terminals that nobody sees and compared with
 * tests/screens/VIEW-SIZE-LOOK.txt, from the fixed answers of a daemon in tests/screens/data
 * and at a fixed time. A screen is its text and, below "== roles", the role of each
 * cell: . normal T title S selected t tagged g good w wait b bad d dim k key (where the look
 * shows two roles alike, the first of them).
 *
 * After a change that is meant:  SCREENS=write build/release/tests/test_tui_screens
 * writes the files anew; look at what git diff says.
 */

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <curses.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/proc.h"
#include "control/address.h"
#include "tui/app_state.h"
#include "tui/model_state.h"
#include "tap.h"

#define NOW 1795528931 /* Tue 2026-11-24 14:02:11 UTC */
#define EVENTS 8       /* in the data, but the one that a message is gone */
#define MESSAGES 11
#define MANY 100000
#define PATIENCE_MS 120000
#define DATA "tests/screens/data/"
#define SCREEN_MAX (256u << 10)

static char dir[] = "/tmp/nmscreens-XXXXXX";
static char socket_path[sizeof(dir) + 16];
static pid_t daemon_pid;
static struct model *model; /* that all screens show */

/* --- the daemon --- */

static void send_text(int fd, struct span text) {
	while (text.len) {
		ssize_t n = write(fd, text.p, text.len);
		if (n <= 0)
			return;
		text = span_from(text, (size_t)n);
	}
}

static void send_data(int fd, const char *name) {
	AUTO_BUF struct buf path = BUF_INIT(256), text = BUF_INIT(1u << 20);
	buf_addf(&path, DATA "%s", name);
	if (file_read(AT_FDCWD, buf_str(&path), &text, NULL) == 0)
		send_text(fd, buf_span(&text));
}

/* A long list, for scrolling. */
static void send_many(int fd) {
	AUTO_BUF struct buf lines = BUF_INIT(64u << 20);
	for (int i = 0; i < MANY; i++)
		buf_addf(
			&lines,
			"{\"id\":\"0DJ4K8QF2M%06d\",\"state\":\"deferred\","
			"\"created\":%d,\"from\":\"a@example.org\",\"size\":%d,"
			"\"attempts\":1,\"next\":%d,\"relay\":\"default\",\"reason\":null,"
			"\"why\":\"busy\",\"flags\":[],\"recipients\":[{\"address\":"
			"\"user%d@example.org\",\"state\":\"deferred\",\"status\":"
			"\"4.2.0\",\"reply\":\"450 4.2.0 busy\"}]}\n",
			i, NOW - MANY + i, 300 + i, NOW + i, i * 7919 % MANY);
	send_text(fd, buf_span(&lines));
}

/* One request, answered at once; events stay open. */
static void answer(int fd, bool many) {
	char line[4096];
	ssize_t n = read(fd, line, sizeof(line));
	struct span request = span_of(line, n > 0 ? (size_t)n : 0);
	if (span_starts(request, SPAN("events"))) {
		if (!many)
			send_data(fd, "events");
		return;
	}
	if (span_starts(request, SPAN("status")))
		send_data(fd, "status");
	else if (many && span_starts(request, SPAN("list")))
		send_many(fd);
	else if (span_starts(request, SPAN("list")))
		send_data(fd, "list");
	else if (span_starts(request, SPAN("show")))
		send_data(fd, "show");
	send_text(fd, SPAN("{\"ok\":true}\n"));
	close(fd);
}

static pid_t start_daemon(const char *path, bool many) {
	struct sockaddr_un addr;
	socklen_t len;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pid_t parent = getpid();
	if (control_address(path, &addr, &len, NULL) != 0 ||
	    bind(fd, (struct sockaddr *)&addr, len) != 0 || listen(fd, 50) != 0)
		return -1;
	pid_t pid = fork();
	if (pid == 0) {
		proc_die_with(parent, SIGKILL);
		for (int c; (c = accept(fd, NULL, NULL)) >= 0;)
			answer(c, many);
		_exit(0);
	}
	close(fd);
	return pid;
}

/* --- the model --- */

/* Messages that events spoke of have been asked for, too. */
static bool complete(const struct model *m) {
	return m->dirty_count == 0 && m->some_count == 0 &&
	       model_truth(m) == MODEL_FRESH && !model_loading(m) &&
	       model_status(m)->known && model_events(m) == EVENTS &&
	       model_count(m) == MESSAGES;
}

static bool complete_many(const struct model *m) {
	return model_truth(m) == MODEL_FRESH && model_count(m) == MANY;
}

static bool detail_ready(const struct model *m) {
	enum model_detail_state s = model_detail(m)->state;
	return complete(m) && (s == MODEL_DETAIL_READY || s == MODEL_DETAIL_FAILED);
}

static bool wait_until(struct app *app, bool (*done)(const struct model *)) {
	int64_t end = clock_boot_ms() + PATIENCE_MS;
	struct model *m = app->model;
	while (!done(m) && clock_boot_ms() < end) {
		struct pollfd fds[MODEL_FDS_MAX];
		size_t n = model_fds(m, fds, MODEL_FDS_MAX);
		int wait = model_timeout_ms(m);
		poll(fds, n, wait < 0 || wait > 100 ? 100 : wait);
		if (model_ready(m, fds, n))
			app_model_changed(app);
	}
	if (!done(m))
		printf("# truth %d link %d \"%s\" known %d events %zu messages %zu\n",
		       (int)model_truth(m), (int)model_link(m), model_link_words(m),
		       model_status(m)->known, model_events(m), model_count(m));
	return done(m);
}

/* --- the screens --- */

static const struct look {
	const char *name, *locale, *term;
	enum theme theme;
} looks[] = {
	{ "colour", "C.UTF-8", "xterm-256color", THEME_DARK },
	{ "mono", "C.UTF-8", "vt100", THEME_DARK },
	{ "ascii", "C", "xterm-256color", THEME_LIGHT },
};

static const struct {
	int rows, columns;
	bool overview_only; /* the queue's numbers and the bars side by side, both whole */
} sizes[] = { { 24, 80, false }, { 30, 120, false }, { 10, 40, false }, { 24, 100, true } };

static char role_at(int y, int x) {
	static const char letters[] = ".TStgwbdk";
	cchar_t cell;
	wchar_t text[CCHARW_MAX + 1];
	attr_t attributes;
	short pair;
	if (mvin_wch(y, x, &cell) == ERR ||
	    getcchar(&cell, text, &attributes, &pair, NULL) == ERR)
		return '!';
	for (int i = 0; i < ROLE_COUNT; i++) {
		struct theme_style s = theme_style((enum theme_role)i);
		/* The pair's own bits are not asked for here. */
		if (s.attributes == (attributes & ~A_COLOR) && s.pair == pair)
			return letters[i];
	}
	return '?';
}

static void read_screen(int rows, int columns, struct buf *out) {
	for (int y = 0; y < rows; y++) {
		draw_read(y, out);
		buf_addc(out, '\n');
	}
	buf_adds(out, "== roles\n");
	for (int y = 0; y < rows; y++) {
		for (int x = 0; x < columns; x++)
			buf_addc(out, role_at(y, x));
		buf_addc(out, '\n');
	}
}

static void compare(const char *name, const struct buf *got) {
	AUTO_BUF struct buf path = BUF_INIT(256), want = BUF_INIT(SCREEN_MAX);
	const char *mode = getenv("SCREENS");
	buf_addf(&path, "tests/screens/%s.txt", name);
	if (mode && strcmp(mode, "write") == 0) {
		FILE *f = fopen(buf_str(&path), "we");
		ok(f && fwrite(got->data, 1, got->len, f) == got->len, "%s is written",
		   buf_str(&path));
		if (f)
			fclose(f);
		return;
	}
	file_read(AT_FDCWD, buf_str(&path), &want, NULL);
	if (ok(span_eq(buf_span(got), buf_span(&want)), "%s", name))
		return;
	struct span is = buf_span(got), was = buf_span(&want), a, b;
	while (span_take_line(&is, &a)) {
		if (!span_take_line(&was, &b))
			b = SPAN("");
		if (!span_eq(a, b))
			printf("#  got |%.*s|\n# want |%.*s|\n", (int)a.len, a.p,
			       (int)b.len, b.p);
	}
}

/* Keys that lead from the Overview to a screen. */
static const struct shot {
	const char *name;
	const char *keys;
	bool (*ready)(const struct model *);
} shots[] = {
	{ "overview", "", complete },
	{ "overview-down", "jjj", complete },
	{ "help", "?", complete },
	{ "command", ":ho", complete },
	{ "command-fits", "2:re\r", detail_ready },
	{ "overview-back", "\r?qqj", complete },
	{ "search", "/slow\r", complete },
	{ "readonly", "", complete },
	{ "queue", "2", detail_ready },
	{ "queue-tagged", "2j j ", detail_ready },
	{ "queue-headers", "2\rv", detail_ready },
	{ "queue-body", "2\rvv", detail_ready },
	{ "queue-attempts", "2\rvvv", detail_ready },
	{ "queue-opened", "2jj\r", detail_ready },
	{ "queue-cut", "2\rvvw", detail_ready },
	{ "queue-filter", "2fstate=deferred to~slow", detail_ready },
	{ "queue-filter-wrong", "2fstat=held", complete },
	{ "queue-filter-none", "2fstate=held age<1m\r", complete },
	{ "queue-filter-kept", "2fstate=held\rf foo=1\r", detail_ready },
	{ "queue-sorted", "2SSS", detail_ready },
	{ "queue-delete", "2 j ;d", detail_ready },
	{ "queue-bounce", "2jb", detail_ready },
	{ "queue-dead", "2fstate=dead\rd", detail_ready },
};

/* Each further screen would wait as long. */
static void bail(const char *words) {
	printf("Bail out!  %s\n", words);
	kill(daemon_pid, SIGKILL);
	exit(1);
}

static void take_shot(const struct shot *shot, const struct look *look) {
	struct app_options options = { .control = socket_path,
				       .deliverable = true,
				       .theme = look->theme,
				       .read_only = strcmp(shot->name, "readonly") == 0 };
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		AUTO_BUF struct buf name = BUF_INIT(256), screen = BUF_INIT(SCREEN_MAX);
		int rows = sizes[i].rows, columns = sizes[i].columns;
		if (sizes[i].overview_only && strcmp(shot->name, "overview") != 0)
			continue;
		struct app *app = app_new(&options, model);
		resizeterm(rows, columns);
		if (!wait_until(app, complete))
			bail("the model is not complete");
		app_draw(app, rows, columns, NOW);
		for (const char *key = shot->keys; *key; key++) {
			app_key(app, *key);
			app_draw(app, rows, columns, NOW);
		}
		if (!wait_until(app, shot->ready))
			bail("what the screen needs did not come");
		app_draw(app, rows, columns, NOW);
		buf_addf(&name, "%s-%dx%d-%s", shot->name, columns, rows, look->name);
		read_screen(rows, columns, &screen);
		compare(buf_str(&name), &screen);
		app->model = NULL; /* the next one's */
		app_free(app);
	}
}

static void all_shots(const struct look *look) {
	FILE *nowhere = fopen("/dev/null", "r+e");
	if (!ok(setlocale(LC_ALL, look->locale) != NULL, "the locale %s exists",
		look->locale))
		return;
	SCREEN *screen = newterm(look->term, nowhere, nowhere);
	if (!ok(screen != NULL, "the terminal %s is known", look->term))
		return;
	theme_start(look->theme);
	draw_start();
	for (size_t i = 0; i < sizeof(shots) / sizeof(shots[0]); i++)
		take_shot(&shots[i], look);
	endwin();
	delscreen(screen);
	fclose(nowhere);
}

/* A key and the screen after it, in microseconds of work. */
static int64_t press(struct app *app, int key) {
	struct timespec a, b;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
	app_key(app, key);
	app_draw(app, 30, 120, NOW);
	draw_show();
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
	return (b.tv_sec - a.tv_sec) * 1000000 + (b.tv_nsec - a.tv_nsec) / 1000;
}

/* How long a drawing takes is told, not judged: others use this machine too. */
static void test_many(const char *path) {
	static const int keys[] = { 'j', KEY_CODE_PAGE_DOWN, 'G',
				    'k', KEY_CODE_PAGE_UP,   'g' };
	struct app_options options = { .control = path, .deliverable = true };
	FILE *nowhere = fopen("/dev/null", "r+e");
	setlocale(LC_ALL, "C.UTF-8");
	SCREEN *screen = newterm("xterm-256color", nowhere, nowhere);
	struct app *app = app_with_model(&options);
	theme_start(THEME_DARK);
	draw_start();
	resizeterm(30, 120);
	if (!wait_until(app, complete_many))
		bail("the long list is not complete");
	press(app, '2');
	int64_t longest = 0, sum = 0, count = 0;
	for (int round = 0; round < 40; round++)
		for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++, count++) {
			int64_t us = press(app, keys[i]);
			longest = us > longest ? us : longest;
			sum += us;
		}
	printf("# %d messages: a key and its drawing take %lld us, at most %lld us\n",
	       MANY, (long long)(sum / count), (long long)longest);
	longest = 0;
	for (const char *key = "SSSSSSSfto~99 age>1h\r\033"; *key; key++) {
		int64_t us = press(app, *key);
		longest = us > longest ? us : longest;
	}
	printf("# sorting and filtering them takes at most %lld us a key\n",
	       (long long)longest);
	press(app, 'G');
	AUTO_BUF struct buf last = BUF_INIT(2000);
	draw_read(29, &last);
	ok(span_ends_nocase(buf_span(&last), SPAN(" 100000/100000")),
	   "100,000 messages scroll to the last");
	press(app, 'g');
	app_click(app, 7, 3); /* below the title, its line and the heads: the fifth row */
	press(app, KEY_CODE_WHEEL_DOWN);
	buf_reset(&last);
	draw_read(29, &last);
	ok(span_ends_nocase(buf_span(&last), SPAN(" 8/100000")),
	   "a click selects a row, the wheel moves three");
	app_free(app);
	endwin();
	delscreen(screen);
	fclose(nowhere);
}

static void stop_daemon(pid_t pid, const char *path) {
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	unlink(path);
}

int main(void) {
	setenv("TZ", "UTC", 1);
	unsetenv("NO_COLOR");
	unsetenv("LINES");
	unsetenv("COLUMNS");
	signal(SIGPIPE, SIG_IGN);
	if (!mkdtemp(dir))
		return 1;
	snprintf(socket_path, sizeof(socket_path), "%s/control", dir);
	daemon_pid = start_daemon(socket_path, false);
	ok(daemon_pid > 0, "a daemon answers at %s", "a socket of its own");
	const struct model_options options = { .control = socket_path,
					       .deliverable = true };
	model = model_new(&options);
	for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]); i++)
		all_shots(&looks[i]);
	model_free(model);
	stop_daemon(daemon_pid, socket_path);
	daemon_pid = start_daemon(socket_path, true);
	test_many(socket_path);
	stop_daemon(daemon_pid, socket_path);
	rmdir(dir);
	return done_testing();
}
