/*
 * The process dies before its n-th file operation, for every n; then the start dies before
 * its first, its second, and so on; then a start runs through, and the spool must agree
 * with the world.
 */

#include <limits.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "lib/crash.h"
#include "lib/spool.h"
#include "tap.h"

static struct {
	struct crash_run *run;
	unsigned at, count;
} deadline;

static int before(void *ctx, const struct file_event *ev) {
	(void)ctx;
	(void)ev;
	if (deadline.run)
		deadline.run->operations++;
	if (++deadline.count == deadline.at)
		_exit(CRASH_DIED);
	return 0;
}

static void begin(struct crash_run *run) {
	run->operations = 0;
	deadline.run = run;
	deadline.count = 0;
	file_set_hook(&(struct file_hook){ .before = before });
}

static bool died(pid_t child) {
	int status = 0;
	waitpid(child, &status, 0);
	if (!WIFEXITED(status) ||
	    (WEXITSTATUS(status) != CRASH_DIED && WEXITSTATUS(status) != 0))
		abort();
	return WEXITSTATUS(status) == CRASH_DIED;
}

static bool scenario_dies(const struct crash_scenario *s, struct crash_run *run) {
	pid_t child = fork();
	if (child == 0) {
		crash_play(s, run);
		_exit(0);
	}
	return died(child);
}

/* Each start dies one operation later than the one before it. */
static unsigned starts_die(const char *dir) {
	for (unsigned n = 1;; n++) {
		pid_t child = fork();
		if (child == 0) {
			deadline.run = NULL;
			deadline.count = 0;
			deadline.at = n;
			file_set_hook(&(struct file_hook){ .before = before });
			crash_recover(dir, NULL);
			_exit(0);
		}
		if (!died(child))
			return n;
	}
}

static unsigned long all_deaths;

static void kill_everywhere(const struct crash_scenario *s, bool named) {
	struct crash_marks *marks = mmap(NULL, sizeof(*marks), PROT_READ | PROT_WRITE,
					 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned wrong = 0, starts = 0;
	bool dies = true;
	for (deadline.at = 1; dies; deadline.at++) {
		AUTO_BUF struct buf problems = BUF_INIT(1 << 20);
		char *dir = strdup(spool_make());
		struct crash_run run = {
			.dir = dir, .marks = marks, .begin = begin, .named = named
		};
		dies = scenario_dies(s, &run);
		starts += starts_die(dir);
		crash_check(dir, marks, UINT_MAX, &problems);
		if (problems.len > 0 && wrong++ < 5)
			printf("# %s: died before operation %u:\n# %s", s->name,
			       deadline.at, buf_str(&problems));
		spool_remove(dir);
		free(dir);
	}
	ok(wrong == 0, "%s%s: dies at %u places, its starts at %u", s->name,
	   named ? ", by names" : "", deadline.at - 2, starts);
	all_deaths += deadline.at - 2 + starts;
	munmap(marks, sizeof(*marks));
}

/* With an argument: only the scenarios whose name begins with it. */
int main(int argc, char **argv) {
	const char *wanted = argc > 1 ? argv[1] : "";
	for (size_t i = 0; i < crash_scenarios_count; i++) {
		const struct crash_scenario *s = &crash_scenarios[i];
		if (strncmp(s->name, wanted, strlen(wanted)) != 0)
			continue;
		kill_everywhere(s, false);
		if (s->makes_files)
			kill_everywhere(s, true);
	}
	printf("# %lu deaths\n", all_deaths);
	return done_testing();
}
