/* Error messages: cut instead of overrun, prefixes, errno in words. */

#include "base/err.h"

#include <errno.h>

#include "tap.h"

int main(void) {
	struct err err = ERR_INIT;
	is_int(err_set(&err, ERR_SYNTAX, "line %d: bad", 3), -1,
	       "setting an error returns -1");
	is_str(err.msg, "line 3: bad", "and formats the message");
	is_int(err.kind, ERR_SYNTAX, "and keeps the kind");
	is_int(err_set(NULL, ERR_LIMIT, "nobody looks"), -1,
	       "an error nobody wants is fine");
	is_int(err_prefix(NULL, "x"), -1, "so is its prefix");

	err_prefix(&err, "a.conf");
	is_str(err.msg, "a.conf: line 3: bad", "a prefix goes before what is there");
	err_set(&err, ERR_LIMIT, "<%s>", err.msg);
	is_str(err.msg, "<a.conf: line 3: bad>",
	       "the old message may be an argument of the new");

	errno = ENOENT;
	is_int(err_sys(&err, "cannot open %s", "x"), -1, "a system error returns -1");
	is_str(err.msg, "cannot open x: No such file or directory",
	       "and says what errno means");
	ok(err.kind == ERR_SYSTEM && err.sys == ENOENT && errno == ENOENT,
	   "and keeps errno");

	char longest[1000];
	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	err_set(&err, ERR_REMOTE, "%s", longest);
	is_int((int64_t)strlen(err.msg), (int64_t)sizeof(err.msg) - 1,
	       "a long message is cut");
	err_prefix(&err, "%s", "mx1.example");
	ok(strncmp(err.msg, "mx1.example: xxx", 16) == 0 &&
		   strlen(err.msg) == sizeof(err.msg) - 1,
	   "a prefix pushes the end of a long message out");
	err_prefix(&err, "%s", longest);
	is_int((int64_t)strlen(err.msg), (int64_t)sizeof(err.msg) - 1,
	       "a long prefix is cut");
	errno = EIO;
	err_sys(&err, "%s", longest);
	is_int((int64_t)strlen(err.msg), (int64_t)sizeof(err.msg) - 1,
	       "a long system error is cut");
	return done_testing();
}
