/*
 * A process dies at every file operation of every scenario, a start works on what is in memory
 * but not on the disk, and then the power is cut.
 */

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "lib/crash.h"
#include "lib/spool.h"
#include "tap.h"

#define STATES_MAX 4 /* of one cut; beyond that a seeded sample */

static struct crash_disk *disk;
static unsigned die_at;
static size_t all_states;

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
		wrong += crash_cut_from(disk, s->name, marks, died, STATES_MAX, &states);
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
	log_set_level(LOG_LEVEL_ERROR);
	for (size_t i = 0; i < crash_scenarios_count; i++)
		die_and_cut(&crash_scenarios[i]);
	printf("# %zu states\n", all_states);
	return done_testing();
}
