/* aliases(5): what a name leads to, and the words for what cannot be honoured. */

#include "mail/aliases.h"

#include "tap.h"

static int include(void *ctx, struct span path, struct buf *out, struct err *err) {
	(void)ctx;
	if (span_eq(path, SPAN("/lists/team")))
		return buf_adds(out, "# the team\nann@x.org\n\nben@x.org, root\n");
	if (span_eq(path, SPAN("/lists/more")))
		return buf_adds(out, ":include:/lists/team\n");
	return err_set(err, ERR_MISSING, "%.*s: No such file or directory", (int)path.len,
		       path.p);
}

static const struct {
	const char *label, *input;
	const char *want; /* "name=a,b;..." by name; a fault as "name!" */
} files[] = {
	{ "a name and an address", "root: admin@x.org\n", "root=admin@x.org" },
	{ "a list", "a: b@x.org, c, d@y.org", "a=b@x.org,c,d@y.org" },
	{ "a list over several lines", "a: b@x.org,\n\tc@x.org\n  , d@x.org\n",
	  "a=b@x.org,c@x.org,d@x.org" },
	{ "a comment and an empty line within", "a: b@x.org,\n# x\n\n c@x.org\n",
	  "a=b@x.org,c@x.org" },
	{ "a comment behind a blank", "a: b@x.org # the boss\n", "a=b@x.org" },
	{ "names are lower case", "ROOT: a@x.org\nMailer-Daemon : root",
	  "mailer-daemon=root;root=a@x.org" },
	{ "a quoted name", "\"Ann Lee\": a@x.org\n", "ann lee=a@x.org" },
	{ "names with dots", "ann.lee: a@x.org\n", "ann.lee=a@x.org" },
	{ "display names and comments", "a: Ann <a@x.org>, b@x.org (Ben, too)",
	  "a=a@x.org,b@x.org" },
	{ "a quoted local part", "a: \"b, c\"@x.org", "a=\"b, c\"@x.org" },
	{ "an included list", "t: :include:/lists/team, z@x.org",
	  "t=ann@x.org,ben@x.org,root,z@x.org" },
	{ "an included list in quotes", "t: \":include:/lists/team\"",
	  "t=ann@x.org,ben@x.org,root" },
	{ "an included list that is not there", "t: :include:/lists/none", "t!" },
	{ "an included list that includes", "t: :include:/lists/more", "t!" },
	{ "an included list without a path", "t: :include:team", "t!" },
	{ "a command", "a: \"|/bin/vacation a\", b@x.org", "a!" },
	{ "a command without quotes", "a: |/bin/cat", "a!" },
	{ "a file", "a: /var/mail/a", "a!" },
	{ "nobody's file", "nobody: /dev/null", "nobody!" },
	{ "a local mailbox", "a: \\a, b@x.org", "a!" },
	{ "no address", "a:\n", "a!" },
	{ "no address that can be read", "a: b@\nc: d@x.org\n", "a!;c=d@x.org" },
	{ "the first of two", "a: b@x.org\nA: c@x.org\n", "a=b@x.org" },
	{ "a name with a domain is no name", "a@x.org: b@x.org\nc: d", "c=d" },
	{ "a line without a colon", "hello\nc: d", "c=d" },
	{ "CR LF", "a: b@x.org,\r\n c@x.org\r\nd: e\r\n", "a=b@x.org,c@x.org;d=e" },
	{ "an empty file", "", "" },
	{ "a continuation of nothing", "  a: b@x.org\n", "a=b@x.org" },
	{ "a quote that does not end", "\"a: b\nc: d\n", "c=d" },
};

static void show(const struct aliases *a, struct buf *out) {
	for (size_t i = 0; i < a->count; i++) {
		const struct aliases_entry *e = &a->entry[i];
		buf_addf(out, "%s%s", i ? ";" : "", a->text.data + e->name);
		if (aliases_fault(a, e)) {
			buf_addc(out, '!');
			continue;
		}
		for (size_t k = 0; k < e->count; k++) {
			buf_addc(out, k ? ',' : '=');
			buf_add(out, aliases_target(a, e, k));
		}
	}
}

static void test_files(void) {
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		AUTO_BUF struct buf got = BUF_INIT(4096), words = BUF_INIT(4096);
		struct aliases a;
		struct err err = ERR_INIT;
		if (aliases_parse(span_str(files[i].input), "aliases", include, NULL, &a,
				  &words, &err) != 0) {
			ok(false, "%s can be read", files[i].label);
			continue;
		}
		show(&a, &got);
		is_str(buf_str(&got), files[i].want, "%s", files[i].label);
		if (strchr(files[i].want, '!'))
			ok(words.len > 0, "%s: there are words", files[i].label);
		aliases_release(&a);
	}
}

static void test_words(void) {
	AUTO_BUF struct buf words = BUF_INIT(4096);
	struct aliases a;
	aliases_parse(
		SPAN("# top\nroot: x@y.org\nlog: \"|/bin/log\"\nroot: z\nbad \x1b[1m line\n"),
		"/etc/aliases", NULL, NULL, &a, &words, NULL);
	is_str(buf_str(&words),
	       "/etc/aliases:3: \"|/bin/log\": commands are not run; nothing but addresses may "
	       "stand here\n"
	       "/etc/aliases:5: bad \\x1b[1m line: expected a name without a domain, a colon, and "
	       "addresses\n"
	       "/etc/aliases:4: root: this name stood there before; this line is not used\n",
	       "complaints name file, line, and what is wrong");
	const struct aliases_entry *e = aliases_find(&a, SPAN("LOG"));
	ok(e && aliases_fault(&a, e) && strstr(aliases_fault(&a, e), "/etc/aliases:3: "),
	   "and stay with the name");
	ok(!aliases_find(&a, SPAN("lo")) && !aliases_find(&a, SPAN("logg")) &&
		   !aliases_find(&a, SPAN("")),
	   "other names are not found");
	aliases_release(&a);
}

static void test_limits(void) {
	AUTO_BUF struct buf in = BUF_INIT(2 << 20);
	struct aliases a;
	struct err err = ERR_INIT;
	buf_adds(&in, "all: ");
	for (unsigned i = 0; i <= ALIASES_TARGETS_MAX; i++)
		buf_addf(&in, "a%u@x.org,", i);
	ok(aliases_parse(buf_span(&in), "f", NULL, NULL, &a, NULL, &err) == 0 &&
		   a.count == 1 && aliases_fault(&a, &a.entry[0]),
	   "a name with too many addresses is faulty");
	aliases_release(&a);
	while (in.len <= ALIASES_FILE_MAX)
		buf_adds(&in, "x: y\n");
	ok(aliases_parse(buf_span(&in), "f", NULL, NULL, &a, NULL, &err) != 0 &&
		   err.kind == ERR_LIMIT,
	   "a file that is too large is refused");
	buf_reset(&in);
	for (unsigned i = 0; i <= ALIASES_NAMES_MAX; i++)
		buf_addf(&in, "n%u:a\n", i);
	ok(aliases_parse(buf_span(&in), "f", NULL, NULL, &a, NULL, &err) != 0 &&
		   err.kind == ERR_LIMIT,
	   "so are too many names");
}

int main(void) {
	test_files();
	test_words();
	test_limits();
	return done_testing();
}
