/*
 * nightmail secret: what a relay has in the desktop's keyring, a password or what its tokens are
 * renewed by. A new secret comes from the terminal without being shown, or as the first line of
 * standard input; it never stands on the command line. Tokens come from nightmail login alone, and
 * may lie in a file as well.
 */

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/proc.h"
#include "base/term.h"
#include "cli/cli.h"
#include "cli/nightmail_login.h"
#include "cli/setup_ask.h"
#include "creds/grant.h"
#include "creds/keyring.h"
#include "creds/oauth2.h"

#define PROGRAM "nightmail secret"

static const char help[] =
	"usage: nightmail secret [--config FILE] set|test|delete RELAY\n"
	"The password of a relay with password = keyring, in the desktop's keyring; with\n"
	"password = oauth2, the tokens that nightmail login has got:\n"
	"  set            asks for the password, or reads one line from standard input\n"
	"  test           can nightmail-deliver have it? Shows nothing of it\n"
	"  delete         removes it\n"
	"  --config FILE  the configuration of the relay\n";

static const struct {
	const char *word, *done;
	enum keyring_act act;
} acts[] = {
	{ "set", "is in the keyring", KEYRING_SET },
	{ "test", "is in the keyring and can be read", KEYRING_TEST },
	{ "delete", "is not in the keyring any more", KEYRING_DELETE },
};
#define ACTS (sizeof(acts) / sizeof(acts[0]))

static int take_options(int argc, char **argv, const char **config, bool *done) {
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int opt;
	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":", longs, NULL)) != -1) {
		if (opt == 'c') {
			*config = optarg;
		} else if (opt == 'h') {
			fputs(help, stdout);
			*done = true;
			return EX_OK;
		} else {
			return cli_bad_option(PROGRAM, opt, argv, longs);
		}
	}
	return optind + 2 == argc ? EX_OK
				  : cli_usage(PROGRAM, "set, test or delete, and a relay are "
						       "needed");
}

/* One line, byte by byte, so that nothing stays in a buffer of stdio. */
static int read_line(struct buf *out) {
	char c = '\0';
	while (read(STDIN_FILENO, &c, 1) == 1 && c != '\n')
		buf_addc(out, c);
	return buf_failed(out) ? -1 : 0;
}

static int read_secret(const char *relay, struct buf *ret) {
	AUTO_BUF struct buf question = BUF_INIT(256);
	if (!buf_room(ret, SECRET_MAX))
		return cli_fail(PROGRAM, EX_OSERR, "out of memory");
	buf_addf(&question, "password of relay %s", relay);
	if (isatty(STDIN_FILENO) ? setup_ask_secret(buf_str(&question), ret) != 0
				 : read_line(ret) != 0)
		return cli_fail(PROGRAM, EX_NOINPUT, "no password was given");
	return ret->len > 0 ? EX_OK : cli_fail(PROGRAM, EX_NOINPUT, "the password is empty");
}

static int say_failed(const struct err *err) {
	return cli_fail(PROGRAM,
			err->kind == ERR_MISSING  ? EX_UNAVAILABLE
			: err->kind == ERR_DENIED ? EX_NOPERM
						  : EX_OSERR,
			"%s", err->msg);
}

static int run_tokens(const struct settings *s, enum keyring_act act, const char *relay,
		      const char *path) {
	AUTO_BUF struct buf where = BUF_INIT(8192);
	struct err err = ERR_INIT;
	if (act == KEYRING_SET)
		return cli_fail(PROGRAM, EX_CONFIG,
				"[relay %s] logs in by tokens, which nightmail login %s gets",
				relay, relay);
	if (cli_become_owner(s, &err) != 0)
		return cli_fail(PROGRAM, EX_NOPERM, "%s", err.msg);
	if (act == KEYRING_TEST ? oauth2_find(path, &where, &err) != 0
				: oauth2_forget(path, &err) != 0)
		return say_failed(&err);
	if (act == KEYRING_TEST)
		printf("what the tokens of relay %s are renewed by is in %s and can be read\n",
		       relay, buf_str(&where));
	else
		printf("relay %s has no tokens any more\n", relay);
	return EX_OK;
}

static int run(const struct settings *s, size_t which, const char *relay) {
	const struct config_relay *r = config_relay(s, relay);
	struct buf secret = BUF_INIT(SECRET_MAX);
	struct err err = ERR_INIT;
	struct span entry;
	enum creds_kind kind = CREDS_NONE;
	int status = EX_OK;
	if (!r)
		return cli_fail(PROGRAM, EX_USAGE, "there is no [relay %s] in the configuration",
				relay);
	if (r->password && creds_is_token(span_str(r->password)))
		return run_tokens(s, acts[which].act, relay, grant_tokens(r->password));
	if (!r->password || creds_parse(span_str(r->password), &kind, &entry, &err) != 0 ||
	    kind != CREDS_KEYRING)
		return cli_fail(PROGRAM, EX_CONFIG,
				"the password of [relay %s] is not in the keyring: write password "
				"= keyring",
				relay);
	if (acts[which].act == KEYRING_SET)
		status = read_secret(relay, &secret);
	if (status == EX_OK &&
	    keyring_ask(acts[which].act, entry, buf_span(&secret), NULL, &err) != 0)
		status = say_failed(&err);
	buf_wipe(&secret);
	buf_release(&secret);
	if (status == EX_OK)
		printf("the password of relay %s %s\n", relay, acts[which].done);
	return status;
}

int nightmail_secret(int argc, char **argv) {
	AUTO_BUF struct buf complaints = BUF_INIT(1u << 20);
	const char *config = NULL;
	struct settings s;
	bool done = false;
	size_t which = 0;
	int status = take_options(argc, argv, &config, &done);
	if (status != EX_OK || done)
		return status;
	while (which < ACTS && strcmp(argv[optind], acts[which].word) != 0)
		which++;
	if (which == ACTS)
		return cli_usage(PROGRAM, "set, test or delete, not '%s'", argv[optind]);
	proc_harden();
	status = EX_CONFIG;
	if (config_load(config, &s, &complaints) != 0)
		cli_complaints(PROGRAM, &complaints);
	else
		status = run(&s, which, argv[optind + 1]);
	config_release(&s);
	return status;
}
