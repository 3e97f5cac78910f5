#ifndef NIGHTMAIL_BASE_USER_H
#define NIGHTMAIL_BASE_USER_H

/*
 * Who a uid is. Reads /etc/passwd itself, because the name service of libc would have to
 * load modules in every call of sendmail, and a static program has none; who is not there
 * (LDAP, systemd) is asked of getent(1).
 */

#include <stdbool.h>
#include <sys/types.h>

struct user {
	uid_t uid;
	gid_t gid;
	char name[64];
	char full_name[256]; /* gecos up to the first comma */
	char home[512];
};

/* False when the uid is unknown or a field is too long. */
bool user_by_uid(uid_t uid, struct user *ret);
bool user_by_name(const char *name, struct user *ret);
/* The same for a group's name. */
bool user_group_by_name(const char *name, gid_t *ret);

#include "base/banned.h"

#endif
