/* The one table of actions: no key means two things in one view, names are unambiguous where
 * they are typed whole, and the manual page lists exactly what the table has. */

#include <fcntl.h>

#include "base/file.h"
#include "tui/keys.h"
#include "tap.h"

#define MANUAL "man/nightmail.1"

static const enum keys_where views[] = { KEYS_OVERVIEW, KEYS_QUEUE, KEYS_HELP };

static void test_table(void) {
	size_t count;
	const struct keys_row *rows = keys_table(&count);
	unsigned doubles = 0, without = 0, lost = 0;
	is_int((int64_t)count, ACTION_COUNT - 1, "every action has its row");
	for (size_t i = 0; i < count; i++) {
		without += rows[i].keys[0] == 0 || !rows[i].help[0] || !rows[i].hint[0];
		lost += keys_of(rows[i].action) != &rows[i];
		for (size_t v = 0; v < sizeof(views) / sizeof(views[0]); v++)
			for (size_t k = 0; k < KEYS_EACH && rows[i].keys[k]; k++) {
				enum action a = keys_find(rows[i].keys[k], views[v]);
				bool known = (rows[i].where & (KEYS_FRAME | views[v])) !=
					     0;
				if (known && a != rows[i].action) {
					printf("# %s\n", rows[i].name);
					doubles++;
				}
			}
	}
	is_int(doubles, 0, "a key means one thing in a view");
	is_int(without, 0, "every row has a key and words");
	is_int(lost, 0, "every action has one row only");
}

static void test_commands(void) {
	static const struct {
		const char *label, *name;
		enum keys_where where;
		enum action want;
	} cases[] = {
		{ "a whole name", "hold", KEYS_QUEUE, ACTION_HOLD },
		{ "a beginning that fits one", "sus", KEYS_HELP, ACTION_SUSPEND },
		{ "a whole name that others begin with", "tag", KEYS_QUEUE, ACTION_TAG },
		{ "a beginning of several", "pa", KEYS_QUEUE, ACTION_NONE },
		{ "nothing", "", KEYS_QUEUE, ACTION_NONE },
		{ "one of another view", "hold", KEYS_OVERVIEW, ACTION_NONE },
		{ "nonsense", "holds", KEYS_QUEUE, ACTION_NONE },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		is_int(keys_command(span_str(cases[i].name), cases[i].where),
		       cases[i].want, "command: %s", cases[i].label);
	AUTO_BUF struct buf fitting = BUF_INIT(200);
	keys_add_fitting(&fitting, SPAN("re"), KEYS_QUEUE);
	is_str(buf_str(&fitting), "refresh, release, retry", "command: what a beginning fits");
	buf_reset(&fitting);
	keys_add_fitting(&fitting, SPAN("hold"), KEYS_OVERVIEW);
	is_int((int64_t)fitting.len, 0, "command: nothing of another view");
	is_int(keys_find(0, KEYS_QUEUE), ACTION_NONE, "no key means nothing");
	is_int(keys_find('H', KEYS_OVERVIEW), ACTION_NONE,
	       "a key of another view means nothing");
}

static bool stands_in(struct span text, struct span part) {
	for (; text.len >= part.len; text = span_from(text, 1))
		if (span_starts(text, part))
			return true;
	return false;
}

/* A lone delimiter has \& before it there. */
static void add_entry(struct buf *out, const struct keys_row *row) {
	static const char delimiters[] = ";:?";
	AUTO_BUF struct buf keys = BUF_INIT(100);
	keys_add_names(&keys, row);
	bool escape = strchr(delimiters, buf_str(&keys)[0]) != NULL;
	buf_addf(out, ".It Li %s%s\n.Ic %s :\n%s\n", escape ? "\\&" : "", buf_str(&keys),
		 row->name, row->help);
}

static void test_manual(void) {
	AUTO_BUF struct buf manual = BUF_INIT(1u << 20);
	size_t count;
	const struct keys_row *rows = keys_table(&count);
	if (!ok(file_read(AT_FDCWD, MANUAL, &manual, NULL) == 0, "%s can be read",
		MANUAL))
		return;
	for (size_t i = 0; i < count; i++) {
		AUTO_BUF struct buf entry = BUF_INIT(1000);
		add_entry(&entry, &rows[i]);
		if (!ok(stands_in(buf_span(&manual), buf_span(&entry)), "%s has %s",
			MANUAL, rows[i].name))
			printf("# %s", buf_str(&entry));
	}
}

int main(void) {
	test_table();
	test_commands();
	test_manual();
	return done_testing();
}
