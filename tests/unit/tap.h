#ifndef NIGHTMAIL_TESTS_TAP_H
#define NIGHTMAIL_TESTS_TAP_H

/*
 * Test Anything Protocol for unit tests: each check prints one line, its name is a
 * sentence. The plan comes at the end, so a test that dies on its way is a failure.
 *
 *     int main(void) {
 *             ok(buf_failed(&b), "add past %s fails", "max");
 *             is_int(b.len, 3, "and changes nothing");
 *             return done_testing();
 *     }
 */

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static unsigned tap_run, tap_failed;

__attribute__((format(printf, 2, 0))) static inline bool tap_line(bool passed,
								  const char *fmt,
								  va_list ap) {
	char name[512];
	vsnprintf(name, sizeof(name), fmt, ap);
	for (char *c = name; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == '#')
			*c = '.';
	printf("%sok %u - %s\n", passed ? "" : "not ", ++tap_run, name);
	if (!passed)
		tap_failed++;
	fflush(stdout);
	return passed;
}

__attribute__((format(printf, 2, 3))) static inline bool ok(bool passed, const char *fmt,
							    ...) {
	va_list ap;
	va_start(ap, fmt);
	tap_line(passed, fmt, ap);
	va_end(ap);
	return passed;
}

__attribute__((format(printf, 3, 4))) static inline bool is_int(int64_t got, int64_t want,
								const char *fmt, ...) {
	va_list ap;
	va_start(ap, fmt);
	if (!tap_line(got == want, fmt, ap))
		printf("#   got %lld\n#  want %lld\n", (long long)got, (long long)want);
	va_end(ap);
	return got == want;
}

__attribute__((format(printf, 3, 4))) static inline bool is_str(const char *got,
								const char *want,
								const char *fmt, ...) {
	bool same = got && want ? strcmp(got, want) == 0 : got == want;
	va_list ap;
	va_start(ap, fmt);
	if (!tap_line(same, fmt, ap))
		printf("#   got \"%s\"\n#  want \"%s\"\n", got ? got : "(null)",
		       want ? want : "(null)");
	va_end(ap);
	return same;
}

/* Says in the output why checks are left out; counts as passed. */
static inline void skip(const char *name, const char *why) {
	printf("ok %u - %s # SKIP %s\n", ++tap_run, name, why);
}

/* Prints the plan; returns the exit code of main(). */
static inline int done_testing(void) {
	printf("1..%u\n", tap_run);
	fflush(stdout);
	return tap_failed || !tap_run ? 1 : 0;
}

#endif
