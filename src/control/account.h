#ifndef NIGHTMAIL_CONTROL_ACCOUNT_H
#define NIGHTMAIL_CONTROL_ACCOUNT_H

/*
 * What users other than administrators cost the server: how many connections each has, and
 * how much time their requests took. Who took some has to wait before the next piece of work,
 * beyond a short credit, so that all one user asks for stays below a fifth of
 * the server's time. Pure; the caller gives the time (boot clock, ms).
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define ACCOUNTS_MAX 128u /* more than can be connected at a time */
#define ACCOUNT_CREDIT_MS 100
#define ACCOUNT_SHARE 5 /* one part of so many */

struct account {
	uid_t uid;
	unsigned clients;
	int64_t paid_until_ms; /* its work so far is paid for by then */
	int64_t rest_us;       /* of a millisecond */
};

struct accounts {
	struct account list[ACCOUNTS_MAX];
};

/* The user's account, made when there is none: valid while it has clients. NULL: there are
 * too many users. */
struct account *account_of(struct accounts *a, uid_t uid, int64_t now_ms);
/* Its work took so long. */
void account_charge(struct account *a, int64_t took_us, int64_t now_ms);
/* How long its next piece of work has to wait; 0: not at all. */
int64_t account_wait_ms(const struct account *a, int64_t now_ms);

#endif
