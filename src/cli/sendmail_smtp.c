/*
 * sendmail -bs: programs that speak SMTP to a pipe. The session is the same as on the daemon's
 * socket; what it takes goes whichever way is open to the caller.
 */

#include "cli/sendmail_smtp.h"

#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/term.h"
#include "cli/submission_way.h"
#include "control/control.h"
#include "submit/session.h"

#define PATH_CEILING 4096u

static int refuse(const struct err *err) {
	fputs("421 4.3.0 ", stdout);
	term_print(stdout, span_str(err->msg));
	fputs("\r\n", stdout);
	return EX_TEMPFAIL;
}

int sendmail_smtp(const struct settings *set) {
	AUTO_BUF struct buf wake = BUF_INIT(PATH_CEILING);
	struct err err = ERR_INIT;
	const struct submit_host host = { .hostname = set->hostname,
					  .domain = set->domain,
					  .from = set->from,
					  .uid = getuid() };
	struct way *way = submission_way(set, &err);
	if (!way)
		return refuse(&err);
	AUTO_FD int wake_fd = control_wake_socket();
	buf_addf(&wake, "%s/wake", set->rundir);
	const struct session_params p = {
		.in = STDIN_FILENO,
		.out = STDOUT_FILENO,
		.host = &host,
		.way = way,
		.size_limit = set->size_limit,
		.recipients_max = ENVELOPE_RECIPIENTS_MAX,
		.errors_max = SESSION_ERRORS_MAX,
		.timeout_ms = SESSION_TIMEOUT_MS,
		.right = SESSION_MAY,
		.wake_path = way_is_traced(way) ? NULL : buf_str(&wake),
		.wake_fd = wake_fd,
	};
	int status = session_run(&p, &err) == 0 ? EX_OK : refuse(&err);
	way_free(way);
	return status;
}
