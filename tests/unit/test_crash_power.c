/*
 * A power cut at every file operation of every scenario. What the disk may have kept is
 * made in a directory, a start happens there, and the spool must agree with the world.
 * The second part is a process that dies, a start that works on what is in memory but not
 * on the disk, and then the power cut.
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

#define STATES_MAX 160 /* of one cut; beyond that a seeded sample */
#define STATES_AFTER_DEATH_MAX 4

static struct crash_disk *disk;
static unsigned long all_cuts, all_states;

static unsigned check_state(const struct crash_marks *marks, unsigned cut, size_t state,
			    size_t max, const char *scenario) {
	AUTO_BUF struct buf problems = BUF_INIT(1 << 20);
	char *dir = strdup(spool_make());
	crash_disk_make(disk, cut, state, max, dir);
	crash_check(dir, marks, cut, &problems);
	spool_remove(dir);
	free(dir);
	if (problems.len > 0)
		printf("# %s: cut at operation %u, state %zu:\n# %s", scenario, cut,
		       state, buf_str(&problems));
	return problems.len > 0;
}

/* Cuts at each operation from the first given one on; returns how many states are wrong. */
static unsigned cut_from(const char *scenario, const struct crash_marks *marks,
			 unsigned first, size_t max, size_t *states) {
	unsigned wrong = 0;
	for (unsigned cut = first; cut <= crash_disk_operations(disk) && wrong < 5;
	     cut++) {
		size_t n = crash_disk_states(disk, cut, max);
		for (size_t i = 0; i < n && wrong < 5; i++)
			wrong += check_state(marks, cut, i, max, scenario);
		*states += n;
		all_cuts++;
	}
	return wrong;
}

static void record(struct crash_run *run) {
	crash_disk_record(disk, run);
}

static void cut_everywhere(const struct crash_scenario *s, bool named) {
	struct crash_marks marks;
	char *dir = strdup(spool_make());
	struct crash_run run = {
		.dir = dir, .marks = &marks, .begin = record, .named = named
	};
	size_t states = 0;
	disk = crash_disk_new();
	crash_play(s, &run);
	file_set_hook(NULL);
	unsigned wrong = cut_from(s->name, &marks, 0, STATES_MAX, &states);
	ok(wrong == 0, "%s%s: %u cut points, %zu states", s->name,
	   named ? ", by names" : "", run.operations + 1, states);
	all_states += states;
	crash_disk_free(disk);
	spool_remove(dir);
	free(dir);
}

/* --- first death, then power --- */

static unsigned die_at;

/* The recording happens after each operation; dying after the n-th is dying before the next. */
static void record_and_die(struct crash_run *run) {
	crash_disk_record(disk, run);
	crash_disk_die_at(disk, die_at);
}

static bool run_child(const struct crash_scenario *s, struct crash_run *run) {
	int status = 0;
	pid_t child = fork();
	if (child == 0) {
		if (s) {
			crash_play(s, run);
		} else {
			crash_disk_go_on(disk);
			crash_recover(run->dir, NULL);
		}
		_exit(0);
	}
	waitpid(child, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void die_and_cut(const struct crash_scenario *s) {
	struct crash_marks *marks = mmap(NULL, sizeof(*marks), PROT_READ | PROT_WRITE,
					 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned wrong = 0;
	size_t states = 0;
	bool ended = false;
	for (die_at = 1; !ended && wrong < 5; die_at++) {
		char *dir = strdup(spool_make());
		struct crash_run run = { .dir = dir,
					 .marks = marks,
					 .begin = record_and_die };
		disk = crash_disk_new();
		ended = run_child(s, &run);
		unsigned died = crash_disk_operations(disk);
		if (!run_child(NULL, &run))
			abort();
		wrong += cut_from(s->name, marks, died, STATES_AFTER_DEATH_MAX, &states);
		crash_disk_free(disk);
		spool_remove(dir);
		free(dir);
	}
	ok(wrong == 0, "%s: dies at %u places, the start is cut: %zu states", s->name,
	   die_at - 2, states);
	all_states += states;
	munmap(marks, sizeof(*marks));
}

int main(void) {
	for (size_t i = 0; i < crash_scenarios_count; i++) {
		cut_everywhere(&crash_scenarios[i], false);
		if (crash_scenarios[i].makes_files)
			cut_everywhere(&crash_scenarios[i], true);
	}
	for (size_t i = 0; i < crash_scenarios_count; i++)
		die_and_cut(&crash_scenarios[i]);
	printf("# %lu cut points, %lu states\n", all_cuts, all_states);
	return done_testing();
}
