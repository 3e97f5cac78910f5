/* What users cost the control socket's server: credit, shares, and the table's end. */

#include "control/account.h"

#include "tap.h"

static struct accounts accounts;

static void check_share(void) {
	struct account *a = account_of(&accounts, 1000, 0);
	int64_t now = 0, worked = 0;
	is_int(account_wait_ms(a, 0), 0, "who asked for nothing does not wait");
	account_charge(a, 10000, 0);
	is_int(account_wait_ms(a, 0), 0, "nor who took 10 ms: there is a credit");
	while (now < 60000) {
		int64_t wait = account_wait_ms(a, now);
		now += wait + 10;
		worked += 10;
		account_charge(a, 10000, now);
	}
	ok(worked <= 60000 / ACCOUNT_SHARE + ACCOUNT_CREDIT_MS,
	   "in a minute of asking %lld ms were worked", (long long)worked);
	ok(worked >= 60000 / ACCOUNT_SHARE - 200, "and not much less");
	is_int(account_wait_ms(a, now + 1000000), 0, "later all is forgiven");
}

static void check_small_work(void) {
	struct account *a = account_of(&accounts, 1001, 0);
	for (int i = 0; i < 10000; i++)
		account_charge(a, 0, 0);
	ok(account_wait_ms(a, 0) > 1000, "requests that take no time cost something, too");
	account_charge(a, INT64_MAX / 10, 0);
	ok(account_wait_ms(a, 0) < 60000, "a clock that jumps locks nobody out");
	account_charge(a, -5, 0);
	ok(account_wait_ms(a, 0) < 60000, "backwards neither");
}

static void check_table(void) {
	static struct accounts t;
	struct account *first = account_of(&t, 1, 0);
	first->clients = 1;
	account_charge(first, 1000000, 0);
	bool other = true;
	for (uid_t uid = 2; uid < 2 + 10 * ACCOUNTS_MAX; uid++)
		other &= account_of(&t, uid, 0) != first;
	ok(other, "users come and go, who is connected keeps the account");
	ok(account_of(&t, 1, 0) == first, "it is found again");
	first->clients = 0;
	ok(account_wait_ms(account_of(&t, 1, 0), 0) > 0, "leaving does not pay the debts");
	struct account *all[ACCOUNTS_MAX];
	for (uid_t i = 0; i < ACCOUNTS_MAX; i++) {
		all[i] = account_of(&t, 5000 + i, 10000000);
		all[i]->clients++;
	}
	ok(!account_of(&t, 9999, 10000000), "a full table has no place");
	all[3]->clients--;
	ok(account_of(&t, 9999, 10000000) == all[3], "until somebody leaves");
}

int main(void) {
	check_share();
	check_small_work();
	check_table();
	return done_testing();
}
