/*
 * What follows when a process of ours ends as it should not: a pause before the next one that
 * grows, and after five crashes within a minute no delivery at all for a while, so that a
 * bug neither burns the processor nor hides.
 */

#include <signal.h>
#include <sys/wait.h>

#include "base/log.h"
#include "deliver/state.h"

#define RESTART_MIN_MS 1000
#define RESTART_MAX_MS 60000
#define CRASHES_WINDOW_MS 60000
#define CRASH_PAUSE_MS (10 * 60000)

void crash_put_off(struct lane *lane) {
	int64_t delay = lane->restart_delay_ms ? lane->restart_delay_ms * 2 : RESTART_MIN_MS;
	lane->restart_delay_ms = delay < RESTART_MAX_MS ? delay : RESTART_MAX_MS;
	lane->restart_at_ms = clock_boot_ms() + lane->restart_delay_ms;
}

/* Five crashes within a minute, and delivery pauses: somebody must look. */
void crash_count(struct manager *m) {
	int64_t now = clock_boot_ms();
	size_t last = sizeof(m->crash_ms) / sizeof(m->crash_ms[0]) - 1;
	memmove(m->crash_ms, m->crash_ms + 1, last * sizeof(m->crash_ms[0]));
	m->crash_ms[last] = now;
	if (m->crash_ms[0] == 0 || now - m->crash_ms[0] > CRASHES_WINDOW_MS)
		return;
	memset(m->crash_ms, 0, sizeof(m->crash_ms));
	m->paused_until_ms = now + CRASH_PAUSE_MS;
	log_error(
		"delivery crashed five times within a minute: it pauses for ten minutes; "
		"nothing is lost");
}

/* How a process ended: signals that mean a fault of its own, and exit codes, count. */
bool crash_is(int status) {
	if (WIFSIGNALED(status))
		return WTERMSIG(status) != SIGKILL && WTERMSIG(status) != SIGTERM;
	return WIFEXITED(status) && WEXITSTATUS(status) != 0;
}

bool crash_is_fault(int status) {
	static const int faults[] = { SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE, SIGSYS };
	for (size_t i = 0; WIFSIGNALED(status) && i < sizeof(faults) / sizeof(faults[0]);
	     i++)
		if (WTERMSIG(status) == faults[i])
			return true;
	return false;
}
