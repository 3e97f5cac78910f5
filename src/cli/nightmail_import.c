/*
 * nightmail config import: reads another relay's files and prints the configuration that does
 * the same. The password is never printed: it goes into a file of its own, on request, and
 * otherwise the command that moves it is told. What cannot be carried over is told line by
 * line on stderr.
 */

#include "cli/nightmail_import.h"

#include <getopt.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/term.h"
#include "cli/cli.h"
#include "cli/import_files.h"
#include "cli/setup_secret.h"

#define OUTPUT_MAX 65536u
#define PATH_CEILING 4096u

static const char program[] = "nightmail config import";

static const char help[] =
	"usage: nightmail config import PEER [FILE...] [--password-file FILE]\n"
	"Prints the nightmail.conf that does what another relay's files say; what\n"
	"cannot be carried over is told on stderr. PEER is one of:\n"
	"  msmtp nullmailer dma ssmtp esmtp exim4 postfix\n"
	"  FILE                  read these files or this folder, - for standard input,\n"
	"                        instead of those of this machine\n"
	"  --password-file FILE  also write the password to FILE, which only its owner\n"
	"                        can read\n";

struct call {
	const char *password_file;
	bool done;
};

static int unknown_peer(const char *name) {
	AUTO_BUF struct buf names = BUF_INIT(256);
	for (const struct import_peer *p = import_peers; p->name; p++)
		buf_addf(&names, " %s", p->name);
	return cli_usage(program, "unknown relay %s; there are%s", name, buf_str(&names));
}

static int print_config(const struct import *in) {
	AUTO_BUF struct buf head = BUF_INIT(OUTPUT_MAX), text = BUF_INIT(OUTPUT_MAX);
	buf_addf(&head, "# From the settings of %s.\n\n", in->peer->name);
	if (config_draft_apply(&in->draft, buf_span(&head), &text) != 0)
		return cli_fail(program, EX_OSERR, "out of memory");
	fwrite(buf_str(&text), 1, text.len, stdout);
	return EX_OK;
}

/* These lines are safe already. */
static void print_notes(const struct import *in) {
	fwrite(buf_str(&in->notes), 1, in->notes.len, stderr);
	if (in->unneeded.len)
		fprintf(stderr, "not needed here: %s\n", buf_str(&in->unneeded));
}

static int move_secret(const struct call *call, const struct import *in,
		       const char *path) {
	struct err err = ERR_INIT;
	if (in->secret.len == 0)
		return call->password_file
			       ? cli_fail(program, EX_DATAERR,
					  "there is no password to write to %s", path)
			       : EX_OK;
	if (!call->password_file) {
		fprintf(stderr, "the password stands in ");
		term_print(stderr, buf_span(&in->secret_place));
		fputs("; the same command with --password-file ", stderr);
		term_print(stderr, span_str(path));
		fputs(" copies it there\n", stderr);
		return EX_OK;
	}
	if (setup_secret_write(path, buf_span(&in->secret), true, &err) != 0)
		return cli_fail(program, EX_CANTCREAT, "%s", err.msg);
	return EX_OK;
}

static int absolute(const char *path, struct buf *out) {
	AUTO_FREE char *cwd = path[0] == '/' ? NULL : getcwd(NULL, 0);
	if (path[0] != '/' && !cwd)
		return -1;
	return buf_addf(out, "%s%s%s", cwd ? cwd : "", cwd ? "/" : "", path);
}

static int convert(const struct call *call, struct import *in) {
	AUTO_BUF struct buf path = BUF_INIT(PATH_CEILING);
	struct err err = ERR_INIT;
	if (call->password_file ? absolute(call->password_file, &path)
				: setup_secret_path(&path, &err))
		return cli_fail(program, EX_OSERR, "where would the password be? %s",
				err.msg);
	if (import_files_refer(in, buf_str(&path), &err) != 0)
		return cli_fail(program, EX_USAGE, "%s", err.msg);
	print_notes(in);
	if (!config_draft_get(&in->draft, "host"))
		return EX_DATAERR;
	int status = move_secret(call, in, buf_str(&path));
	if (status == EX_OK)
		status = print_config(in);
	return status == EX_OK && in->login_lost ? EX_DATAERR : status;
}

static int import(const struct call *call, int argc, char **argv) {
	const struct import_peer *peer = import_peer_find(argv[0]);
	struct import in;
	struct err err = ERR_INIT;
	if (!peer)
		return unknown_peer(argv[0]);
	int status = EX_OK;
	if (import_files_read(peer, argv + 1, (size_t)(argc - 1), &in, &err) != 0)
		status = cli_fail(program, err.kind == ERR_SYNTAX ? EX_USAGE : EX_NOINPUT,
				  "%s", err.msg);
	else
		status = convert(call, &in);
	import_release(&in);
	return status;
}

static int take_options(struct call *call, int argc, char **argv) {
	static const struct option longs[] = {
		{ "password-file", required_argument, NULL, 'p' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int opt;
	while ((opt = getopt_long(argc, argv, ":", longs, NULL)) != -1) {
		switch (opt) {
		case 'p':
			call->password_file = optarg;
			break;
		case 'h':
			fputs(help, stdout);
			call->done = true;
			return EX_OK;
		default:
			return cli_bad_option(program, opt, argv, longs);
		}
	}
	return optind < argc ? EX_OK : cli_usage(program, "from which relay?");
}

int nightmail_import(int argc, char **argv) {
	struct call call = { .password_file = NULL };
	int status = take_options(&call, argc, argv);
	if (status != EX_OK || call.done)
		return status;
	return import(&call, argc - optind, argv + optind);
}
