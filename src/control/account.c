/*
 * Who uses how much of the server; see account.h. An account without clients is kept only as
 * long as its user is not square, so a table a little larger than the number of connections is
 * always enough.
 */

#include "control/account.h"

#include <stddef.h>

#define TOOK_MIN_US 200     /* what every request costs besides */
#define TOOK_MAX_US 2000000 /* the clock may have jumped */

struct account *account_of(struct accounts *a, uid_t uid, int64_t now_ms) {
	struct account *spare = NULL;
	for (unsigned i = 0; i < ACCOUNTS_MAX; i++) {
		struct account *one = &a->list[i];
		bool idle = one->clients == 0;
		if (one->uid == uid && (!idle || one->paid_until_ms > now_ms))
			return one;
		if (idle && (!spare || one->paid_until_ms < spare->paid_until_ms))
			spare = one;
	}
	if (spare)
		*spare = (struct account){ .uid = uid };
	return spare;
}

void account_charge(struct account *a, int64_t took_us, int64_t now_ms) {
	if (took_us < TOOK_MIN_US)
		took_us = TOOK_MIN_US;
	if (took_us > TOOK_MAX_US)
		took_us = TOOK_MAX_US;
	int64_t us = took_us * ACCOUNT_SHARE + a->rest_us; /* its own time is a part of it */
	if (a->paid_until_ms < now_ms)
		a->paid_until_ms = now_ms;
	a->paid_until_ms += us / 1000;
	a->rest_us = us % 1000;
}

int64_t account_wait_ms(const struct account *a, int64_t now_ms) {
	int64_t wait = a->paid_until_ms - ACCOUNT_CREDIT_MS - now_ms;
	return wait > 0 ? wait : 0;
}
