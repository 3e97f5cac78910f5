/* Secrets: schemes, who may read a file, what a secret may hold, and what errors never say. */
#include "creds/creds.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "tap.h"

static char dir[] = "/tmp/nightmail-creds-XXXXXX";

static void write_file(const char *name, mode_t mode, const void *p, size_t len) {
	char path[200];
	AUTO_FD int fd = -1;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, p, len) != (ssize_t)len || fchmod(fd, mode) < 0)
		printf("Bail out! cannot write %s: %s\n", path, strerror(errno));
}

static int fetch(const char *ref, struct secret *s, struct err *err) {
	*s = (struct secret){ NULL, 0 };
	return creds_fetch(span_str(ref), s, err);
}

static int fetch_file(const char *name, struct secret *s, struct err *err) {
	char ref[220];

	snprintf(ref, sizeof(ref), "file:%s/%s", dir, name);
	return fetch(ref, s, err);
}

static void test_parse(void) {
	static const struct {
		const char *label, *ref;
		int kind; /* -1: refused */
		const char *rest;
	} cases[] = {
		{ "a file", "file:/etc/pw", CREDS_FILE, "/etc/pw" },
		{ "a command", "command:pass show x", CREDS_COMMAND, "pass show x" },
		{ "a credential", "credential:smarthost", CREDS_CREDENTIAL, "smarthost" },
		{ "a literal password", "hunter2", -1, NULL },
		{ "a literal with a colon", "abc:def", -1, NULL },
		{ "an unknown scheme", "wallet:x", -1, NULL },
		{ "upper case", "FILE:/etc/pw", -1, NULL },
		{ "nothing behind the colon", "file:", -1, NULL },
		{ "empty", "", -1, NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		enum creds_kind kind = CREDS_NONE;
		struct span rest = SPAN("");
		struct err err = ERR_INIT;
		int r = creds_parse(span_str(cases[i].ref), &kind, &rest, &err);

		if (cases[i].kind < 0)
			ok(r == -1 && err.kind == ERR_SYNTAX &&
				   !strstr(err.msg, "hunter2"),
			   "refused: %s", cases[i].label);
		else
			ok(r == 0 && kind == (enum creds_kind)cases[i].kind &&
				   span_eq(rest, span_str(cases[i].rest)),
			   "parsed: %s", cases[i].label);
	}
}

static void test_content(void) {
	const struct {
		const char *label;
		struct span content;
		const char *want; /* NULL: refused */
	} cases[] = {
		{ "one line", SPAN("secret\n"), "secret" },
		{ "no line end", SPAN("secret"), "secret" },
		{ "CR LF", SPAN("secret\r\n"), "secret" },
		{ "only the first line counts", SPAN("secret\nuser: x\n"), "secret" },
		{ "blanks are kept", SPAN(" se cret \n"), " se cret " },
		{ "UTF-8", SPAN("p\xc3\xa4sswort\n"), "p\xc3\xa4sswort" },
		{ "empty file", SPAN(""), NULL },
		{ "empty first line", SPAN("\nsecret\n"), NULL },
		{ "latin-1", SPAN("p\xe4sswort\n"), NULL },
		{ "a NUL inside", SPAN("sec\0ret\n"), NULL },
		{ "a tab", SPAN("sec\tret\n"), NULL },
		{ "a C1 control in UTF-8", SPAN("sec\xc2\x85ret\n"), NULL },
		{ "DEL", SPAN("sec\x7fret\n"), NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct secret s;
		struct err err = ERR_INIT;
		int r;

		write_file("content", 0600, cases[i].content.p, cases[i].content.len);
		r = fetch_file("content", &s, &err);
		if (!cases[i].want)
			ok(r == -1 && err.kind == ERR_SYNTAX && !strstr(err.msg, "ret") &&
				   !s.p,
			   "refused, and the words do not show it: %s", cases[i].label);
		else
			ok(r == 0 && s.p && strcmp(s.p, cases[i].want) == 0 &&
				   s.len == strlen(cases[i].want),
			   "taken: %s", cases[i].label);
		secret_release(&s);
		ok(!s.p && s.len == 0, "and released: %s", cases[i].label);
	}
}

static void test_length(void) {
	char line[SECRET_MAX + 2];
	struct secret s;
	struct err err = ERR_INIT;

	memset(line, 'x', sizeof(line));
	write_file("long", 0600, line, SECRET_MAX);
	ok(fetch_file("long", &s, &err) == 0 && s.len == SECRET_MAX,
	   "the longest secret is taken");
	secret_release(&s);
	write_file("long", 0600, line, SECRET_MAX + 1);
	ok(fetch_file("long", &s, &err) == -1 && err.kind == ERR_LIMIT,
	   "one byte more is refused, not cut");
}

static void test_modes(void) {
	static const struct {
		mode_t mode;
		bool taken;
	} cases[] = {
		{ 0600, true },  { 0400, true },  { 0604, false },
		{ 0602, false }, { 0601, false }, { 0620, false },
		{ 0660, false }, { 0644, false }, { 0666, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct secret s;
		struct err err = ERR_INIT;
		int r;

		write_file("mode", cases[i].mode, "secret\n", 7);
		r = fetch_file("mode", &s, &err);
		ok(cases[i].taken ? r == 0
				  : r == -1 && err.kind == ERR_DENIED &&
					    strstr(err.msg, "chmod 600"),
		   "mode %04o is %s", (unsigned)cases[i].mode,
		   cases[i].taken ? "taken" : "refused with the cure");
		secret_release(&s);
	}
}

static void test_owner(void) {
	char path[200];
	struct secret s;
	struct err err = ERR_INIT;

	if (geteuid() != 0) {
		skip("ownership", "only root can give files away");
		return;
	}
	snprintf(path, sizeof(path), "%s/owner", dir);
	write_file("owner", 0600, "secret\n", 7);
	ok(chown(path, 54321, 54321) == 0 && fetch_file("owner", &s, &err) == -1 &&
		   err.kind == ERR_DENIED && strstr(err.msg, "user 54321"),
	   "a file of somebody else is refused");
	ok(chown(path, 0, getegid()) == 0 && chmod(path, 0640) == 0 &&
		   fetch_file("owner", &s, &err) == 0,
	   "a file of root that our group may read is taken");
	secret_release(&s);
	ok(chown(path, 0, 54321) == 0 && chmod(path, 0640) == 0 &&
		   fetch_file("owner", &s, &err) == -1 && err.kind == ERR_DENIED,
	   "a file of root that a foreign group may read is refused");
}

static void test_kinds_of_file(void) {
	char path[200], target[200];
	struct secret s;
	struct err err = ERR_INIT;

	ok(fetch_file("absent", &s, &err) == -1 && err.kind == ERR_MISSING &&
		   strstr(err.msg, "absent: no such file"),
	   "an absent file is missing, by name");
	ok(fetch_file(".", &s, &err) == -1 && err.kind == ERR_DENIED,
	   "a directory is refused");
	snprintf(path, sizeof(path), "%s/fifo", dir);
	ok(mkfifo(path, 0600) == 0 && fetch_file("fifo", &s, &err) == -1 &&
		   err.kind == ERR_DENIED,
	   "a pipe is refused and does not block");
	write_file("target", 0600, "secret\n", 7);
	snprintf(target, sizeof(target), "%s/target", dir);
	snprintf(path, sizeof(path), "%s/link", dir);
	ok(symlink(target, path) == 0 && fetch_file("link", &s, &err) == 0,
	   "a symbolic link is followed");
	secret_release(&s);
	write_file("target", 0644, "secret\n", 7);
	ok(fetch_file("link", &s, &err) == -1 && err.kind == ERR_DENIED,
	   "and what it points to is what is checked");
}

static void test_command(void) {
	static const struct {
		const char *label, *ref, *want; /* NULL: refused */
	} cases[] = {
		{ "a program from PATH", "command:echo secret", "secret" },
		{ "a path", "command:/bin/echo secret", "secret" },
		{ "blanks split", "command:  echo   a  b ", "a b" },
		{ "double quotes group", "command:echo \"a  b\"", "a  b" },
		{ "single quotes group", "command:echo 'a  \"b'", "a  \"b" },
		{ "quotes inside a word", "command:echo a'  'b", "a  b" },
		{ "an empty word is a word", "command:printf '%s|%s' '' x", "|x" },
		{ "no shell", "command:echo $HOME;id", "$HOME;id" },
		{ "only the first line", "command:printf 'one\\ntwo\\n'", "one" },
		{ "an open quote", "command:echo 'a", NULL },
		{ "blanks only", "command:  ", NULL },
		{ "no output", "command:true", NULL },
		{ "exit status 1", "command:false", NULL },
		{ "no such program", "command:no-such-program-here x", NULL },
		{ "output without end", "command:yes secret", NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct secret s;
		struct err err = ERR_INIT;
		int r = fetch(cases[i].ref, &s, &err);

		if (cases[i].want)
			ok(r == 0 && s.p && strcmp(s.p, cases[i].want) == 0,
			   "command: %s", cases[i].label);
		else
			ok(r == -1 && err.msg[0] && !strstr(err.msg, "secret"),
			   "refused: %s (%s)", cases[i].label, err.msg);
		secret_release(&s);
	}
}

static void test_command_words(void) {
	static const char *const refs[] = { "command:false secret",
					    "command:\tfalse\tsecret",
					    "command:false 'secret" };
	for (size_t i = 0; i < sizeof(refs) / sizeof(refs[0]); i++) {
		struct secret s = { NULL, 0 };
		struct err err = ERR_INIT;
		ok(fetch(refs[i], &s, &err) == -1 && strstr(err.msg, "false") &&
			   !strstr(err.msg, "secret"),
		   "an error names the command without its arguments (%s)", err.msg);
	}
	struct secret s = { NULL, 0 };
	struct err err = ERR_INIT;
	ok(fetch("command:echo\t-n", &s, &err) == -1 && strstr(err.msg, "command:echo:"),
	   "with a tab behind it too (%s)", err.msg);
}

static void test_credential(void) {
	struct secret s;
	struct err err = ERR_INIT;

	unsetenv("CREDENTIALS_DIRECTORY");
	ok(fetch("credential:pw", &s, &err) == -1 && strstr(err.msg, "LoadCredential="),
	   "without a credentials directory the words name the cure");
	setenv("CREDENTIALS_DIRECTORY", dir, 1);
	write_file("pw", 0440, "secret\n", 7);
	ok(fetch("credential:pw", &s, &err) == 0 && s.p && strcmp(s.p, "secret") == 0,
	   "a credential is read, with the group bit of its access list");
	secret_release(&s);
	write_file("pw", 0444, "secret\n", 7);
	ok(fetch("credential:pw", &s, &err) == -1 && err.kind == ERR_DENIED,
	   "a credential for everybody is refused");
	ok(fetch("credential:../pw", &s, &err) == -1 && err.kind == ERR_SYNTAX,
	   "a credential cannot be elsewhere");
	ok(fetch("credential:..", &s, &err) == -1 && err.kind == ERR_SYNTAX,
	   "nor be the directory above");
	ok(fetch("credential:other", &s, &err) == -1 && err.kind == ERR_MISSING,
	   "an absent credential is missing");
}

/* What keeps another user from reading a file, told from outside. */
static void test_check(void) {
	const struct user us = { .uid = geteuid(), .gid = getegid(), .name = "us" };
	const struct user other = { .uid = geteuid() + 4711, .gid = 4711, .name = "other" };
	char ref[220];
	static const struct {
		const char *label;
		mode_t mode;
		bool ours;
		const char *want; /* of the words; NULL: nothing is wrong */
	} cases[] = {
		{ "a file of one's own is fine", 0600, true, NULL },
		{ "one open to others is not", 0644, true, "chmod 600" },
		{ "nor is somebody else's", 0600, false, "other" },
	};
	snprintf(ref, sizeof(ref), "file:%s/checked", dir);
	struct err err = ERR_INIT;
	ok(creds_check(span_str(ref), &us, &err) == -1 && err.kind == ERR_MISSING,
	   "a missing file is told");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err why = ERR_INIT;
		write_file("checked", cases[i].mode, "pw\n", 3);
		int r = creds_check(span_str(ref), cases[i].ours ? &us : &other, &why);
		ok(cases[i].want ? r == -1 && (strstr(why.msg, cases[i].want) ||
					       strstr(why.msg, "chown"))
				 : r == 0,
		   "%s (%s)", cases[i].label, why.msg);
	}
	ok(creds_check(SPAN("command:false"), &other, &err) == 0,
	   "of a command nothing can be told");
	if (geteuid() != 0)
		return;
	char path[200];
	snprintf(path, sizeof(path), "%s/checked", dir);
	write_file("checked", 0640, "pw\n", 3);
	ok(chown(path, 0, other.gid) == 0 && creds_check(span_str(ref), &other, &err) == 0,
	   "a file of root's is fine for a group that may read it");
	ok(chown(path, 0, 0) == 0 && creds_check(span_str(ref), &other, &err) == -1,
	   "and for no other");
}

int main(void) {
	if (!mkdtemp(dir))
		return 99;
	test_parse();
	test_content();
	test_length();
	test_modes();
	test_owner();
	test_kinds_of_file();
	test_command();
	test_command_words();
	test_credential();
	test_check();
	if (fork() == 0)
		execlp("rm", "rm", "-rf", dir, (char *)NULL);
	return done_testing();
}
