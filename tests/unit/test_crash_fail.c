/*
 * The n-th file operation fails, for every n and in several ways. The programs go on as
 * they do then, and afterwards the spool must agree with the world.
 */

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "base/file.h"
#include "lib/crash.h"
#include "lib/spool.h"
#include "tap.h"

static const struct {
	const char *name;
	int verdict;
	bool on; /* every operation from the n-th on */
} faults[] = {
	{ "EIO", EIO, false },
	{ "ENOSPC", ENOSPC, false },
	{ "a short write", FILE_SHORT, false },
	{ "EIO from then on", EIO, true },
	{ "ENOSPC from then on", ENOSPC, true },
};
#define FAULTS (sizeof(faults) / sizeof(faults[0]))

static struct {
	struct crash_run *run;
	unsigned at;
	size_t kind;
} fault;

static int before(void *ctx, const struct file_event *ev) {
	(void)ctx;
	unsigned n = ++fault.run->operations;
	if (n < fault.at || (n > fault.at && !faults[fault.kind].on))
		return 0;
	bool needs_space = ev->op == FILE_WRITE || ev->op == FILE_OPEN ||
			   ev->op == FILE_LINK;
	if (faults[fault.kind].verdict == FILE_SHORT && ev->op != FILE_WRITE)
		return 0;
	if (faults[fault.kind].verdict == ENOSPC && !needs_space)
		return 0;
	return faults[fault.kind].verdict;
}

static void begin(struct crash_run *run) {
	run->operations = 0;
	fault.run = run;
	file_set_hook(&(struct file_hook){ .before = before });
}

/* One run; returns the number of operations. */
static unsigned run_once(const struct crash_scenario *s, bool named,
			 struct buf *problems) {
	struct crash_marks marks;
	char *dir = strdup(spool_make());
	struct crash_run run = {
		.dir = dir, .marks = &marks, .begin = begin, .named = named
	};
	crash_play(s, &run);
	file_set_hook(NULL);
	crash_check(dir, &marks, UINT_MAX, problems);
	spool_remove(dir);
	free(dir);
	return run.operations;
}

static unsigned fail_everywhere(const struct crash_scenario *s, bool named) {
	unsigned points = 0, wrong = 0, operations;
	for (fault.kind = 0; fault.kind < FAULTS; fault.kind++) {
		fault.at = 0;
		do {
			AUTO_BUF struct buf problems = BUF_INIT(1 << 20);
			fault.at++;
			points++;
			operations = run_once(s, named, &problems);
			if (problems.len > 0 && wrong++ < 5)
				printf("# %s: %s at operation %u:\n# %s", s->name,
				       faults[fault.kind].name, fault.at,
				       buf_str(&problems));
		} while (fault.at <= operations);
	}
	ok(wrong == 0, "%s%s: %u faults", s->name, named ? ", by names" : "", points);
	return points;
}

/* With an argument: only the scenarios whose name begins with it. */
int main(int argc, char **argv) {
	const char *wanted = argc > 1 ? argv[1] : "";
	unsigned points = 0;
	for (size_t i = 0; i < crash_scenarios_count; i++) {
		const struct crash_scenario *s = &crash_scenarios[i];
		if (strncmp(s->name, wanted, strlen(wanted)) != 0)
			continue;
		points += fail_everywhere(s, false);
		if (s->makes_files)
			points += fail_everywhere(s, true);
	}
	printf("# %u faults\n", points);
	return done_testing();
}
