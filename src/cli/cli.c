/* Shared by the command line programs; see cli.h. */

#include "cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/proc.h"
#include "base/sandbox.h"
#include "base/suggest.h"
#include "base/term.h"

#define MESSAGE_MAX 4096
#define COMPLAINTS_MAX (1u << 20)

__attribute__((format(printf, 2, 0))) static void complain(const char *program,
							   const char *fmt, va_list ap) {
	AUTO_BUF struct buf b = BUF_INIT(SIZE_MAX / 4); /* an argument may stand in it */
	buf_vaddf(&b, fmt, ap);
	fprintf(stderr, "%s: ", program);
	term_print(stderr, span_head(buf_span(&b), MESSAGE_MAX));
	fputc('\n', stderr);
}

int cli_usage(const char *program, const char *fmt, ...) {
	va_list ap;
	va_start(ap, fmt);
	complain(program, fmt, ap);
	va_end(ap);
	fprintf(stderr, "try '%s --help'\n", program);
	return EX_USAGE;
}

int cli_fail(const char *program, int status, const char *fmt, ...) {
	va_list ap;
	va_start(ap, fmt);
	complain(program, fmt, ap);
	va_end(ap);
	return status;
}

/* The long option that is nearest to what was typed, or NULL. */
static const char *near_option(const char *word, const struct option *longs) {
	const char *name = word + strspn(word, "-");
	struct suggest near = { .word = span_of(name, strcspn(name, "=")), .best = NULL };
	for (; longs && longs->name; longs++)
		suggest_try(&near, longs->name);
	return near.best;
}

int cli_bad_option(const char *program, int opt, char *const argv[],
		   const struct option *longs) {
	const char *word = argv[optind - 1];
	bool named = optopt > UCHAR_MAX || optopt == 0;
	char letter[] = { '-', (char)optopt, 0 };
	if (opt == ':')
		return cli_usage(program, "%s needs a value",
				 named || word[1] == '-' ? word : letter);
	if (optopt > UCHAR_MAX)
		return cli_usage(program, "%s: this option takes no value", word);
	const char *near = named ? near_option(word, longs) : NULL;
	if (near)
		return cli_usage(program, "unknown option %s; did you mean --%s?", word, near);
	return cli_usage(program, "unknown option %s", named ? word : letter);
}

int cli_version(const char *program) {
	printf("%s (nightmail) %s\n", program, VERSION);
	return 0;
}

int cli_close_output(const char *program, int status) {
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	if (errno != EPIPE)
		cli_fail(program, EX_IOERR, "cannot write the output: %s", strerror(errno));
	return status != EX_OK ? status : EX_IOERR;
}

void cli_complaints(const char *program, const struct buf *errors) {
	struct span rest = buf_span(errors), line;
	while (span_take_line(&rest, &line)) /* these lines are safe already */
		fprintf(stderr, "%s: %.*s\n", program, (int)line.len, line.p);
}

int cli_load(const char *program, const char *config, struct settings *ret) {
	AUTO_BUF struct buf complaints = BUF_INIT(COMPLAINTS_MAX);
	if (config_load(config, ret, &complaints) == 0 || config_usable(ret))
		return EX_OK;
	cli_complaints(program, &complaints);
	return cli_fail(program, EX_TEMPFAIL,
			"not queued: the configuration names no queue");
}

/* A mailq that is a link to sendmail would start itself for ever. */
static void execute_other(const char *path, const char *const argv[]) {
	struct stat self, other;
	if (stat("/proc/self/exe", &self) == 0 && stat(path, &other) == 0 &&
	    self.st_dev == other.st_dev && self.st_ino == other.st_ino)
		return;
	/* execv() changes neither array; its prototype is older than const. */
	execv(path, (char *const *)(uintptr_t)argv);
}

int cli_confine(const char *program, const char *helper) {
	AUTO_BUF struct buf path = BUF_INIT(PATH_MAX);
	struct err err = ERR_INIT;
	/* One that is not installed cannot be started either. */
	bool may = helper && proc_helper(helper, &path, NULL) == 0;
	struct sandbox *s = sandbox_new(NULL, 0, SANDBOX_CONNECT,
					may ? buf_str(&path) : NULL, &err);
	int r = s ? sandbox_enter(s, &err) : -1;
	sandbox_free(s);
	return r == 0 ? 0 : cli_fail(program, EX_OSERR, "--sandbox: %s", err.msg);
}

int cli_exec(const char *program, const char *name, const char *const argv[]) {
	/* Every MTA has a mailq: where ours is kept elsewhere, the one in BINDIR is not ours. */
	static const char *const homes[] = { BINDIR, MAILQDIR };
	const char *home = homes[strcmp(name, "mailq") == 0];
	char self[PATH_MAX];
	AUTO_BUF struct buf path = BUF_INIT(PATH_MAX + 64);
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self));
	while (n > 0 && self[n - 1] != '/')
		n--;
	bool installed = span_eq(span_of(self, (size_t)(n > 0 ? n : 0)), SPAN(BINDIR "/"));
	if (n > 0 && !installed) {
		buf_addf(&path, "%.*s%s", (int)n, self, name);
		execute_other(buf_str(&path), argv);
		buf_reset(&path);
	}
	buf_addf(&path, "%s/%s", home, name);
	execute_other(buf_str(&path), argv);
	return cli_fail(program, EX_OSERR,
			"cannot run %s: not beside this program, not in %s", name,
			home);
}

int cli_check_relay(const char *program, const struct settings *settings, const char *name) {
	struct suggest near = { .word = span_str(name), .best = NULL };
	if (!name[0] || settings->relay_count == 0 || config_relay(settings, name))
		return 0;
	for (size_t i = 0; i < settings->relay_count; i++)
		suggest_try(&near, settings->relay[i].name);
	if (near.best)
		return cli_usage(program, "--relay %s: there is no [relay %s]; did you mean \"%s\"?",
				 name, name, near.best);
	return cli_usage(program, "--relay %s: there is no [relay %s] in the configuration", name,
			 name);
}

int cli_exec_explain(const char *program, const char *config, enum cli_explain_form form,
		     const struct mail_wishes *wishes, const char *from, char *const to[],
		     size_t count) {
	AUTO_FREE const char **argv = calloc(count + 12, sizeof(*argv));
	size_t n = 0;
	if (!argv)
		return cli_fail(program, EX_OSERR, "out of memory");
	argv[n++] = "nightmail";
	argv[n++] = "explain";
	if (config) {
		argv[n++] = "--config";
		argv[n++] = config;
	}
	if (form == CLI_EXPLAIN_JSON)
		argv[n++] = "--json";
	if (wishes && wishes->relay[0]) {
		argv[n++] = "--relay";
		argv[n++] = wishes->relay;
	}
	if (wishes && wishes->require_tls)
		argv[n++] = "--require-tls";
	else if (wishes && wishes_tls_optional(wishes))
		argv[n++] = "--tls-optional";
	argv[n++] = "--";
	argv[n++] = *from ? from : "<>";
	for (size_t i = 0; i < count; i++)
		argv[n++] = to[i];
	return cli_exec(program, "nightmail", argv);
}

int cli_become_owner(const struct settings *settings, struct err *err) {
	struct stat st;
	if (geteuid() != 0 || stat(settings->dir, &st) != 0 || st.st_uid == 0)
		return 0;
	if (setegid(st.st_gid) != 0 || seteuid(st.st_uid) != 0)
		return err_sys(err, "%s: cannot act as its owner, uid %u", settings->dir,
			       (unsigned)st.st_uid);
	return 0;
}
