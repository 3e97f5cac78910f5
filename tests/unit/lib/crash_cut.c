/*
 * Power cuts: what the disk may have kept is made in a directory, a start happens there, and
 * the spool must agree with the world.
 */

#include <stdio.h>
#include <stdlib.h>

#include "lib/crash.h"
#include "lib/spool.h"

static unsigned check_state(const struct crash_disk *disk,
			    const struct crash_marks *marks, unsigned cut, size_t state,
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

unsigned crash_cut_from(const struct crash_disk *disk, const char *scenario,
			const struct crash_marks *marks, unsigned first, size_t max,
			size_t *states) {
	unsigned wrong = 0;
	for (unsigned cut = first; cut <= crash_disk_operations(disk) && wrong < 5;
	     cut++) {
		size_t n = crash_disk_states(disk, cut, max);
		for (size_t i = 0; i < n && wrong < 5; i++)
			wrong += check_state(disk, marks, cut, i, max, scenario);
		*states += n;
	}
	return wrong;
}
