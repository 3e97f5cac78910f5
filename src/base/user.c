/*
 * passwd(5) and group(5) look-up; see user.h. A line of the former is
 * name:password:uid:gid:gecos:home:shell.
 */

#include "base/user.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/proc.h"

#define FILE_MAX (4u << 20)
#define GETENT_TIMEOUT_MS 10000

/* Copies a field; false when it does not fit or is not text. */
static bool copy(char *to, size_t size, struct span s) {
	if (s.len >= size || span_find(s, 0) < s.len)
		return false;
	memcpy(to, s.p, s.len);
	to[s.len] = 0;
	return true;
}

static bool parse_line(struct span line, struct user *ret) {
	struct span name, password, uid, gid, gecos, home, full;
	uint64_t uid_number, gid_number;
	if (!span_take_until(&line, ':', &name) ||
	    !span_take_until(&line, ':', &password) ||
	    !span_take_until(&line, ':', &uid) || !span_take_until(&line, ':', &gid) ||
	    !span_take_until(&line, ':', &gecos) || !span_take_until(&line, ':', &home) ||
	    !span_uint(uid, UINT32_MAX, &uid_number) ||
	    !span_uint(gid, UINT32_MAX, &gid_number))
		return false;
	full = span_head(gecos, span_find(gecos, ','));
	ret->uid = (uid_t)uid_number;
	ret->gid = (gid_t)gid_number;
	return copy(ret->name, sizeof ret->name, name) &&
	       copy(ret->full_name, sizeof ret->full_name, full) &&
	       copy(ret->home, sizeof ret->home, home);
}

/* What is looked for: a name, or a uid when name is NULL. */
static bool find_in(struct span text, const char *name, uid_t uid, struct user *ret) {
	struct span line;
	struct user u;
	while (span_take_line(&text, &line))
		if (parse_line(line, &u) &&
		    (name ? strcmp(u.name, name) == 0 : u.uid == uid)) {
			*ret = u;
			return true;
		}
	return false;
}

/* Asks the name service for one entry of a database. */
static int ask(const char *database, const char *key, struct buf *ret) {
	const char *const argv[] = { "/usr/bin/getent", database, key, NULL };
	buf_reset(ret);
	return proc_capture(argv, GETENT_TIMEOUT_MS, ret, NULL);
}

static bool find(const char *name, uid_t uid, struct user *ret) {
	AUTO_BUF struct buf text = BUF_INIT(FILE_MAX);
	if (file_read(AT_FDCWD, "/etc/passwd", &text, NULL) == 0 &&
	    find_in(buf_span(&text), name, uid, ret))
		return true;
	char number[16];
	snprintf(number, sizeof number, "%u", (unsigned)uid);
	return ask("passwd", name ? name : number, &text) == 0 &&
	       find_in(buf_span(&text), name, uid, ret);
}

bool user_by_uid(uid_t uid, struct user *ret) {
	return find(NULL, uid, ret);
}

bool user_by_name(const char *name, struct user *ret) {
	return find(name, 0, ret);
}

/* A line is name:password:gid:members. */
static bool find_group_in(struct span text, const char *name, gid_t *ret) {
	struct span line, field, password, gid;
	uint64_t number;
	while (span_take_line(&text, &line)) {
		if (!span_take_until(&line, ':', &field) ||
		    !span_eq(field, span_str(name)) ||
		    !span_take_until(&line, ':', &password) ||
		    !span_take_until(&line, ':', &gid) ||
		    !span_uint(gid, UINT32_MAX, &number))
			continue;
		*ret = (gid_t)number;
		return true;
	}
	return false;
}

bool user_group_by_name(const char *name, gid_t *ret) {
	AUTO_BUF struct buf text = BUF_INIT(FILE_MAX);
	if (file_read(AT_FDCWD, "/etc/group", &text, NULL) == 0 &&
	    find_group_in(buf_span(&text), name, ret))
		return true;
	return ask("group", name, &text) == 0 &&
	       find_group_in(buf_span(&text), name, ret);
}
