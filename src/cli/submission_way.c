/* Choosing the way; see submission_way.h. */

#include "cli/submission_way.h"

#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"

static struct way_place place_of(const struct settings *set) {
	return (struct way_place){ set->dir, set->rundir, set->size_limit,
				   set->reserve_bytes, set->reserve_inodes,
				   set->long_lines == CONFIG_LONG_LINES_SEND };
}

static struct way *straight(const struct settings *set, struct err *err) {
	const struct way_place place = place_of(set);
	if (cli_become_owner(set, err) != 0)
		return NULL;
	struct queue *q = queue_open(set->dir, err);
	if (!q && err->kind == ERR_MISSING && set->mode != CONFIG_SYSTEM &&
	    queue_create(set->dir, err) == 0)
		q = queue_open(set->dir, err);
	return q ? way_open_queue(&place, q, WAY_QUEUE_OWN, err) : NULL;
}

bool submission_is_straight(const struct settings *set) {
	struct stat st;
	uid_t uid = geteuid();
	return set->mode != CONFIG_SYSTEM || uid == 0 ||
	       (stat(set->dir, &st) == 0 && st.st_uid == uid);
}

static struct way *find(const struct settings *set, struct err *err) {
	const struct way_place place = place_of(set);
	struct err socket = ERR_INIT, helper = ERR_INIT;
	if (submission_is_straight(set))
		return straight(set, err);
	struct way *w = way_open_socket(&place, set->hostname, &socket);
	if (w)
		return w;
	/* A daemon that is there and refuses knows why. */
	if (socket.kind == ERR_MISSING || socket.kind == ERR_DENIED)
		w = way_open_helper(&helper);
	if (!w && helper.kind != ERR_NONE)
		err_set(err, ERR_MISSING, "nightmaild is not reachable (%s), and %s",
			socket.msg, helper.msg);
	else if (!w)
		*err = socket;
	return w;
}

struct way *submission_way(const struct settings *set, struct err *err) {
	struct way *w = find(set, err);
	if (w && set->long_lines == CONFIG_LONG_LINES_SEND)
		way_keep_long_lines(w);
	return w;
}
