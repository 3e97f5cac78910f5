/* The TLS sessions of one relay and destination are nobody else's, and a worker cannot even write
 * where those of others are. */

#include "deliver/parent_sessions.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "tap.h"

/* How many caches this process has in its memory. */
static int mapped(void) {
	char line[4096];
	int n = 0;
	FILE *f = fopen("/proc/self/maps", "r");
	while (f && fgets(line, sizeof(line), f))
		n += strstr(line, "memfd:nightmail") != NULL;
	if (f)
		fclose(f);
	return n;
}

static void test_own(struct sessions *s) {
	const struct tls_policy p = { .host = "a.test", .port = 25 };
	struct tls_cache_key k;
	AUTO_BUF struct buf out = BUF_INIT(65536);
	struct tls_cache *one = sessions_find(s, "one", NULL);
	struct tls_cache *two = sessions_find(s, "two", NULL);
	struct tls_cache *there = sessions_find(s, "one", "example.org");
	tls_cache_key(1, &p, &k);
	ok(one && two && there && one != two && one != there, "each has its own");
	ok(sessions_find(s, "one", NULL) == one, "and keeps it");
	ok(sessions_find(s, "one", "example.org") == there, "a destination as well");
	tls_cache_put(one, &k, SPAN("session"));
	ok(!tls_cache_take(two, &k, &out) && !tls_cache_take(there, &k, &out),
	   "what is kept for the same server by one relay is not found by another");
	is_int(mapped(), 3, "the parent has all of them");
	pid_t pid = fork();
	if (pid == 0) {
		sessions_keep(s, one);
		_exit(mapped() == 1 && tls_cache_take(one, &k, &out) ? 0 : 1);
	}
	int status = 1;
	waitpid(pid, &status, 0);
	is_int(status, 0, "a worker has its own one, and no other in its memory");
	pid = fork();
	if (pid == 0) {
		sessions_keep(s, NULL);
		_exit(mapped());
	}
	waitpid(pid, &status, 0);
	is_int(status, 0, "one without TLS has none");
	is_int(mapped(), 3, "the parent still has all");
}

static void test_many(struct sessions *s) {
	char name[40];
	struct tls_cache *first = sessions_find(s, "one", NULL);
	int wrong = 0;
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "d%d.example", i);
		wrong += !sessions_find(s, "mx", name) || sessions_find(s, "one", NULL) != first;
	}
	is_int(wrong, 0, "many destinations have one each, and the one that is used stays");
	is_int(mapped(), 16, "there is an end to them");
}

int main(void) {
	struct sessions *s = sessions_new();
	test_own(s);
	test_many(s);
	sessions_free(s);
	is_int(mapped(), 0, "all are let go of");
	return done_testing();
}
