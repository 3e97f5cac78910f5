/* A power cut at every file operation of every scenario. */

#include <stdlib.h>

#include "base/file.h"
#include "base/log.h"
#include "lib/crash.h"
#include "lib/spool.h"
#include "tap.h"

#define STATES_MAX 160 /* of one cut; beyond that a seeded sample */

static struct crash_disk *disk;
static size_t all_states;

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
	unsigned wrong = crash_cut_from(disk, s->name, &marks, 0, STATES_MAX, &states);
	ok(wrong == 0, "%s%s: %u cut points, %zu states", s->name,
	   named ? ", by names" : "", run.operations + 1, states);
	all_states += states;
	crash_disk_free(disk);
	spool_remove(dir);
	free(dir);
}

int main(void) {
	log_set_level(LOG_LEVEL_ERROR);
	for (size_t i = 0; i < crash_scenarios_count; i++) {
		cut_everywhere(&crash_scenarios[i], false);
		if (crash_scenarios[i].makes_files)
			cut_everywhere(&crash_scenarios[i], true);
	}
	printf("# %zu states\n", all_states);
	return done_testing();
}
