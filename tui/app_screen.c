/*
 * The terminal: taking it, giving it back, its size and its keys. The modes that were there
 * before are back whenever another program has it: while stopped, during a pager, at the end.
 */

#include "tui/app_state.h"

#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <curses.h>

#include "base/auto.h"
#include "base/loop.h"

#define ESCAPE_DELAY_MS 25 /* a key's sequence comes in one piece */

static SCREEN *screen;
static FILE *nowhere; /* where an unseen screen goes */

int app_screen_start(struct app *app, struct err *err) {
	const char *term = getenv("TERM");
	setlocale(LC_ALL, "");
	screen = app_terminal_known() ? newterm(NULL, stdout, stdin) : NULL;
	if (!screen)
		return err_set(
			err, ERR_MISSING,
			"the terminal \"%s\" is not known here, or too simple; try "
			"TERM=vt100, or "
			"'nightmail --plain'",
			term ? term : "");
	app->on_screen = true;
	set_escdelay(ESCAPE_DELAY_MS);
	cbreak();
	noecho();
	nonl();
	nodelay(stdscr, TRUE);
	keypad(stdscr, TRUE);
	if (app->options.mouse) {
		mousemask(BUTTON1_PRESSED | BUTTON4_PRESSED | BUTTON5_PRESSED, NULL);
		mouseinterval(0);
	}
	theme_start(app->options.theme);
	draw_start();
	return 0;
}

int app_screen_unseen(struct app *app, int rows, int columns, struct err *err) {
	setlocale(LC_ALL, "");
	nowhere = fopen("/dev/null", "r+e");
	if (!nowhere)
		return err_sys(err, "/dev/null");
	screen = newterm("vt100", nowhere, nowhere);
	if (!screen) {
		fclose(nowhere);
		return err_set(err, ERR_MISSING,
			       "the terminal descriptions of ncurses are missing");
	}
	app->on_screen = true;
	resizeterm(rows, columns);
	theme_start(THEME_MONO);
	draw_start();
	return 0;
}

void app_screen_stop(struct app *app) {
	if (!app->on_screen)
		return;
	endwin();
	delscreen(screen);
	if (nowhere)
		fclose(nowhere);
	app->on_screen = false;
}

void app_screen_resized(void) {
	struct winsize size;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row && size.ws_col)
		resizeterm(size.ws_row, size.ws_col);
}

void app_screen_size(int *ret_rows, int *ret_columns) {
	getmaxyx(stdscr, *ret_rows, *ret_columns);
}

void app_screen_show(bool clear) {
	if (clear)
		clearok(stdscr, TRUE);
	draw_show();
}

static const struct {
	int curses, key;
} codes[] = {
	{ KEY_UP, KEY_CODE_UP },
	{ KEY_DOWN, KEY_CODE_DOWN },
	{ KEY_LEFT, KEY_CODE_LEFT },
	{ KEY_RIGHT, KEY_CODE_RIGHT },
	{ KEY_PPAGE, KEY_CODE_PAGE_UP },
	{ KEY_NPAGE, KEY_CODE_PAGE_DOWN },
	{ KEY_HOME, KEY_CODE_HOME },
	{ KEY_END, KEY_CODE_END },
	{ KEY_BACKSPACE, KEY_CODE_BACKSPACE },
	{ KEY_DC, KEY_CODE_DELETE },
	{ KEY_F(1), KEY_CODE_F1 },
	{ KEY_ENTER, KEY_CODE_ENTER },
};

/* 0: a code that means nothing here. */
static int key_of_code(wint_t code, int *ret_y, int *ret_x) {
	MEVENT mouse;
	if (code == KEY_MOUSE && getmouse(&mouse) == OK) {
		*ret_y = mouse.y;
		*ret_x = mouse.x;
		if (mouse.bstate & BUTTON4_PRESSED)
			return KEY_CODE_WHEEL_UP;
		if (mouse.bstate & BUTTON5_PRESSED)
			return KEY_CODE_WHEEL_DOWN;
		return mouse.bstate & BUTTON1_PRESSED ? KEY_CODE_CLICK : 0;
	}
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if ((wint_t)codes[i].curses == code)
			return codes[i].key;
	return 0;
}

bool app_screen_key(int *ret_key, int *ret_y, int *ret_x) {
	wint_t c;
	int r = get_wch(&c);
	if (r == KEY_CODE_YES) {
		*ret_key = key_of_code(c, ret_y, ret_x);
		return true;
	}
	if (r != OK)
		return false;
	*ret_key = (int)c;
	if (c == '\n')
		*ret_key = KEY_CODE_ENTER;
	else if (c == 127 || c == 8)
		*ret_key = KEY_CODE_BACKSPACE;
	return true;
}

static void leave(void) {
	def_prog_mode();
	endwin();
}

static void come_back(void) {
	reset_prog_mode();
	app_screen_resized();
}

/* Stops this process as the terminal's stop key does by default. */
static void stop_here(void) {
	struct sigaction before, usual = { .sa_handler = SIG_DFL };
	sigset_t stop, mask;
	sigemptyset(&stop);
	sigaddset(&stop, SIGTSTP);
	sigaction(SIGTSTP, &usual, &before);
	raise(SIGTSTP);
	sigprocmask(SIG_UNBLOCK, &stop, &mask); /* here it stops */
	sigprocmask(SIG_SETMASK, &mask, NULL);
	sigaction(SIGTSTP, &before, NULL);
}

void app_screen_suspend(struct app *app) {
	(void)app;
	leave();
	stop_here();
	come_back();
}

static void run_child(const char *const argv[], int fd) {
	char **args;
	memcpy(&args, &argv, sizeof(args)); /* execvp does not change them */
	loop_signals_reset();
	if (fd >= 0)
		dup2(fd, STDIN_FILENO);
	execvp(args[0], args);
	_exit(127);
}

/* Stops together with the child when that is stopped, and goes on together. */
static int wait_for_child(pid_t pid) {
	int status;
	for (;;) {
		pid_t r = waitpid(pid, &status, WUNTRACED);
		if (r < 0 && errno != EINTR)
			return -1;
		if (r < 0)
			continue;
		if (!WIFSTOPPED(status))
			return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
		stop_here();
		kill(pid, SIGCONT);
	}
}

int app_run_program(struct app *app, const char *const argv[], int fd, struct err *err) {
	leave();
	pid_t pid = fork();
	if (pid == 0)
		run_child(argv, fd);
	int status = pid > 0 ? wait_for_child(pid) : -1;
	int saved = errno;
	app_signals_forget();
	come_back();
	app->clear = app->changed = true;
	if (pid < 0) {
		errno = saved;
		return err_sys(err, "cannot start %s", argv[0]);
	}
	if (status == 127)
		return err_set(err, ERR_MISSING, "%s: cannot be run", argv[0]);
	return status;
}
