/* Secrets that other processes are asked for, as nightmail-deliver keeps them: one question for
 * all who want one, and who was refused an old one does not throw the new one away. */

#include "deliver/parent_secret.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "tap.h"

#define PATIENCE_MS 30000

static struct loop *loop;
static struct secrets *all;
static unsigned answers;
static struct err last;
static char folder[] = "/tmp/nmsecretsXXXXXX", ref[200];

static void ready(void *ctx, const char *of, const struct err *error) {
	(void)ctx;
	(void)of;
	answers++;
	last = error ? *error : (struct err)ERR_INIT;
	loop_stop(loop, 1);
}

static void give_up(void *ctx) {
	(void)ctx;
	loop_stop(loop, 0);
}

static void child(void *ctx, int signo) {
	(void)ctx;
	(void)signo;
	secrets_reap(all);
}

static bool wait_answer(void) {
	struct loop_timer *end = loop_timer(loop, PATIENCE_MS, give_up, NULL);
	int r = loop_run(loop);
	loop_timer_free(end);
	return r == 1;
}

/* What the command gives now; *ret_serial of what is there. 0: it has to be waited for. */
static int find(char *text, size_t size, uint64_t *ret_serial) {
	struct creds_secret got = { .serial = 0 };
	struct err err = ERR_INIT;
	int r = secrets_find(all, ref, &got, &err);
	if (r != 1)
		return r;
	snprintf(text, size, "%.*s", (int)got.secret.len, got.secret.p);
	*ret_serial = got.serial;
	secret_release(&got.secret);
	return 1;
}

static void put(const char *name, const char *text) {
	char path[100];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *f = fopen(path, "w");
	if (!f || fputs(text, f) == EOF || fclose(f) != 0)
		ok(false, "%s is written", path);
}

static void test_refused(void) {
	char text[100] = "";
	uint64_t first = 0, second = 0, third = 0;
	put("password", "one\n");
	is_int(find(text, sizeof(text), &first), 0, "the first one is waited for");
	is_int(find(text, sizeof(text), &first), 0, "who wants it too waits for the same");
	ok(wait_answer() && answers == 1, "one answer comes for both");
	ok(find(text, sizeof(text), &first) == 1 && strcmp(text, "one") == 0, "there it is");
	put("password", "two\n");
	ok(find(text, sizeof(text), &first) == 1 && strcmp(text, "one") == 0, "it is kept");
	secrets_refused(all, ref, first);
	is_int(find(text, sizeof(text), &second), 0, "refused, it is asked for anew");
	secrets_refused(all, ref, first);
	ok(wait_answer() && find(text, sizeof(text), &second) == 1 && strcmp(text, "two") == 0,
	   "the next one");
	put("password", "three\n");
	secrets_refused(all, ref, first);
	ok(find(text, sizeof(text), &third) == 1 && strcmp(text, "two") == 0 && third == second,
	   "who was refused the first one does not throw the second one away");
	secrets_refused(all, ref, second);
	is_int(find(text, sizeof(text), &third), 0, "who was refused that does");
	ok(wait_answer() && find(text, sizeof(text), &third) == 1 && strcmp(text, "three") == 0,
	   "the third one");
}

static void test_failed(void) {
	char text[100];
	uint64_t serial = 0;
	snprintf(ref, sizeof(ref), "command:cat %s/absent", folder);
	is_int(find(text, sizeof(text), &serial), 0, "a command that fails");
	ok(wait_answer() && last.msg[0] && find(text, sizeof(text), &serial) == 0,
	   "says why, and is asked again");
}

/* Asked for again before the process that answered was waited for. */
static void test_at_once(void) {
	char text[100];
	uint64_t serial = 0;
	snprintf(ref, sizeof(ref), "command:false");
	for (unsigned i = 0; i < 20; i++) {
		find(text, sizeof(text), &serial);
		wait_answer();
	}
	/* The last one may not have ended yet. */
	const struct timespec moment = { .tv_nsec = 1000000 };
	int64_t end = clock_boot_ms() + PATIENCE_MS;
	siginfo_t info;
	int left;
	do {
		secrets_reap(all);
		left = waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT);
		nanosleep(&moment, NULL);
	} while (left == 0 && clock_boot_ms() < end);
	ok(left < 0, "nobody is left who was not waited for");
}

int main(void) {
	char path[100];
	if (!ok(mkdtemp(folder) != NULL, "a directory"))
		return done_testing();
	snprintf(ref, sizeof(ref), "command:cat %s/password", folder);
	loop = loop_new();
	all = secrets_new(loop, ready, NULL);
	ok(loop && all && loop_signal(loop, SIGCHLD, child, NULL) == 0, "they are begun");
	test_refused();
	test_failed();
	test_at_once();
	secrets_free(all);
	loop_free(loop);
	snprintf(path, sizeof(path), "%s/password", folder);
	unlink(path);
	rmdir(folder);
	return done_testing();
}
