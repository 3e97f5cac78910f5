/* Log lines: one call is one line, whatever is in it; levels, prefixes, fields. */

#include "base/log.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tap.h"

static int ends[2];

/* What stderr got since the last time. */
static const char *logged(void) {
	static char text[20000];
	ssize_t n = read(ends[0], text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

/* The part behind "program[pid]: ", which must be there. */
static const char *message(const char *line) {
	char mark[40];
	snprintf(mark, sizeof(mark), "prog[%d]: ", (int)getpid());
	const char *at = strstr(line, mark);
	return at ? at + strlen(mark) : "(no program name)";
}

static void test_lines(void) {
	log_info("id=%s status=sent", "4F2A1");
	const char *line = logged();
	is_str(message(line), "id=4F2A1 status=sent\n",
	       "a line is written with the program's name");
	ok(strlen(line) > 24 && line[10] == 'T' && line[23] == 'Z' && line[24] == ' ',
	   "behind the time in UTC");
	log_error("cannot");
	is_str(message(logged()), "error: cannot\n", "an error says so");
	log_warn("odd");
	is_str(message(logged()), "warning: odd\n", "a warning too");
	log_info("a\nfake\x1b[2J\r");
	is_str(message(logged()), "a\\x0afake\\x1b[2J\\x0d\n", "one call is one line");
	log_info("%s", "C:\\dir \\x0a");
	is_str(message(logged()), "C:\\dir \\x0a\n",
	       "what was escaped before is not escaped again");
}

static void test_levels(void) {
	log_debug("hidden");
	log_info("shown");
	is_str(message(logged()), "shown\n", "debug is dropped at the start");
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("now");
	is_str(message(logged()), "now\n", "and written when asked for");
	log_set_level(LOG_LEVEL_WARN);
	log_info("hidden");
	log_warn("odd");
	is_str(message(logged()), "warning: odd\n",
	       "info is dropped when only warnings are wanted");
	log_set_level(LOG_LEVEL_INFO);
}

static void test_long(void) {
	char text[10000];
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	log_info("%s", text);
	const char *line = logged();
	size_t len = strlen(line);
	ok(len == 8192 && line[len - 1] == '\n' && !memchr(line, '\n', len - 1),
	   "a long line is cut and still one line");
	for (size_t i = 0; i + 2 < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xa9", 2);
	log_info("%s", text);
	line = logged();
	struct span rest = span_str(line);
	uint32_t cp;
	while (span_take_utf8(&rest, &cp))
		;
	is_int((int64_t)rest.len, 0, "and never in the middle of a character");
	static char huge[40000];
	memset(huge, 'y', sizeof(huge) - 1);
	log_info("%s", huge);
	is_str(message(logged()), "a line too long to be logged\n",
	       "a monster is replaced");
}

static void test_journal(void) {
	struct stat st;
	char name[80];
	fstat(STDERR_FILENO, &st);
	snprintf(name, sizeof(name), "%llu:%llu", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", name, 1);
	log_open("prog");
	log_error("cannot");
	char want[80];
	snprintf(want, sizeof(want), "<3>prog[%d]: error: cannot\n", (int)getpid());
	is_str(logged(), want, "the journal gets the level and no time");
	setenv("JOURNAL_STREAM", "1:2", 1);
	log_open("prog");
	log_info("x");
	ok(logged()[0] != '<', "a stderr that is not the journal gets no prefix");
}

static void test_fields(void) {
	AUTO_BUF struct buf b = BUF_INIT(500);
	log_field(&b, "plain", SPAN("value"));
	log_field(&b, "reply", SPAN("250 \"ok\""));
	log_field(&b, "empty", SPAN(""));
	log_field(&b, "eq", SPAN("a=b"));
	log_field(&b, "evil", SPAN("x\nstatus=sent\\\""));
	log_field(&b, "tab", SPAN("a\tb"));
	is_str(buf_str(&b),
	       " plain=value reply=\"250 \\\"ok\\\"\" empty=\"\" eq=\"a=b\""
	       " evil=\"x\\x0astatus=sent\\\\\\\"\" tab=\"a b\"",
	       "values are quoted when they must be, and escaped");
	buf_reset(&b);
	log_field_addr(&b, "to", SPAN("a b@x\r"));
	log_field_int(&b, "size", -3);
	log_field_ms(&b, "delay", 12345);
	log_field_ms(&b, "conn", 7);
	log_field_ms(&b, "never", -7);
	is_str(buf_str(&b), " to=<a b@x\\x0d> size=-3 delay=12.34 conn=0.00 never=0.00",
	       "addresses, numbers and durations have their form");
}

int main(void) {
	if (pipe(ends) != 0 || dup2(ends[1], STDERR_FILENO) < 0)
		return 1;
	unsetenv("JOURNAL_STREAM");
	log_open("prog");
	test_lines();
	test_levels();
	test_long();
	test_journal();
	test_fields();
	return done_testing();
}
