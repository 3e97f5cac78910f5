/* Who is who: what stands in passwd(5) and group(5) of every machine, and what nowhere. */

#include "base/user.h"

#include "tap.h"

int main(void) {
	struct user user;
	gid_t gid = 4711;
	ok(user_by_uid(0, &user), "uid 0 is known");
	is_str(user.name, "root", "as root");
	ok(user_by_name("root", &user) && user.uid == 0 && user.gid == 0,
	   "and root has uid and gid 0");
	ok(user.home[0] == '/', "and a home");
	ok(!user_by_name("no-such-user-here", &user), "a name that nobody has is unknown");
	ok(!user_by_name("roo", &user), "so is the beginning of a name");
	ok(user_group_by_name("root", &gid), "the group root is known");
	is_int(gid, 0, "as gid 0");
	gid = 4711;
	ok(!user_group_by_name("no-such-group-here", &gid), "a group that is not there is unknown");
	is_int(gid, 4711, "and no gid is made up");
	return done_testing();
}
