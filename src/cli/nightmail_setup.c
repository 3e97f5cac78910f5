/*
 * nightmail setup: the command line, and the order of things. Options answer questions; what
 * they leave open is asked at a terminal, and nowhere else: without one, and without --yes,
 * it says what is missing and ends.
 */

#include "cli/nightmail_setup.h"

#include <getopt.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/setup.h"
#include "cli/setup_ask.h"
#include "cli/setup_mail.h"

const char setup_program[] = "nightmail setup";

static const char help[] =
	"usage: nightmail setup [OPTION...]\n"
	"Asks which server takes this machine's mail, tries it, and writes\n"
	"nightmail.conf.\n"
	"  --import PEER         begin with the settings of msmtp, nullmailer, dma,\n"
	"                        ssmtp, esmtp, exim4 or postfix on this machine\n"
	"  --relay HOST          the server\n"
	"  --port N              its port; 587, or 465 with --tls implicit\n"
	"  --tls MODE            starttls, implicit, opportunistic or none\n"
	"  --ca FILE             trust the authorities in FILE, not the system's\n"
	"  --login NAME          user name at the server; '' for none\n"
	"  --password-file FILE  where the password is kept\n"
	"  --root ADDR           who reads the mail for root\n"
	"  --no-probe            do not try the server\n"
	"  --test ADDR           then send a test mail there, and wait for its result\n"
	"  --yes                 ask nothing\n"
	"  --dry-run             show the file and write nothing\n"
	"  --undo                bring back what the last setup replaced\n"
	"  --config FILE         set up FILE, an instance of its own\n";

enum {
	OPT_CONFIG,
	OPT_RELAY,
	OPT_PORT,
	OPT_TLS,
	OPT_CA,
	OPT_LOGIN,
	OPT_ROOT,
	OPT_PASSWORD_FILE,
	OPT_IMPORT,
	OPT_TEST,
	OPT_YES,
	OPT_DRY_RUN,
	OPT_UNDO,
	OPT_NO_PROBE,
	OPT_HELP,
};

static const struct option longs[] = {
	{ "config", required_argument, NULL, OPT_CONFIG },
	{ "relay", required_argument, NULL, OPT_RELAY },
	{ "port", required_argument, NULL, OPT_PORT },
	{ "tls", required_argument, NULL, OPT_TLS },
	{ "ca", required_argument, NULL, OPT_CA },
	{ "login", required_argument, NULL, OPT_LOGIN },
	{ "root", required_argument, NULL, OPT_ROOT },
	{ "password-file", required_argument, NULL, OPT_PASSWORD_FILE },
	{ "import", required_argument, NULL, OPT_IMPORT },
	{ "test", required_argument, NULL, OPT_TEST },
	{ "yes", no_argument, NULL, OPT_YES },
	{ "dry-run", no_argument, NULL, OPT_DRY_RUN },
	{ "undo", no_argument, NULL, OPT_UNDO },
	{ "no-probe", no_argument, NULL, OPT_NO_PROBE },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

/* Where an option's value or switch goes. */
static void take_option(struct setup_options *o, int opt) {
	const char **values[] = {
		[OPT_CONFIG] = &o->config,
		[OPT_RELAY] = &o->relay,
		[OPT_PORT] = &o->port,
		[OPT_TLS] = &o->tls,
		[OPT_CA] = &o->ca,
		[OPT_LOGIN] = &o->login,
		[OPT_ROOT] = &o->root,
		[OPT_PASSWORD_FILE] = &o->password_file,
		[OPT_IMPORT] = &o->import,
		[OPT_TEST] = &o->test,
	};
	bool *switches[] = {
		[OPT_YES] = &o->yes,
		[OPT_DRY_RUN] = &o->dry_run,
		[OPT_UNDO] = &o->undo,
		[OPT_NO_PROBE] = &o->no_probe,
	};
	if (opt < OPT_YES)
		*values[opt] = optarg;
	else
		*switches[opt] = true;
}

static int check_options(const struct setup_options *o, int argc, char **argv) {
	bool sets = o->relay || o->port || o->tls || o->ca || o->login || o->root ||
		    o->password_file || o->import || o->test;
	if (optind < argc)
		return cli_usage(setup_program, "unexpected argument '%s'", argv[optind]);
	if (o->undo && sets)
		return cli_usage(setup_program,
				 "--undo brings back the file; it sets nothing");
	if (o->undo && o->dry_run)
		return cli_usage(setup_program, "--undo has no --dry-run");
	if (o->dry_run && o->test)
		return cli_usage(setup_program, "--dry-run sends no test mail");
	return EX_OK;
}

static int send_test(struct setup *s) {
	AUTO_BUF struct buf answer = BUF_INIT(512), complaints = BUF_INIT(SETUP_TEXT_MAX);
	struct settings settings;
	const char *address = s->o.test;
	int status = EX_OK;
	if (!address && s->asking &&
	    setup_ask("send a test mail to (empty: none)", NULL, &answer) == 0 &&
	    answer.len)
		address = buf_str(&answer);
	if (config_load(s->own ? s->path : NULL, &settings, &complaints) != 0)
		cli_complaints(setup_program, &complaints);
	if (address)
		status = setup_mail_test(setup_program, &settings, address);
	config_release(&settings);
	return status;
}

static int set_up(struct setup *s) {
	int status = setup_begin(s);
	if (s->o.undo)
		return status == EX_OK ? setup_undo(s) : status;
	if (status == EX_OK)
		status = setup_plan(s);
	if (status == EX_OK)
		status = setup_check(s);
	if (status == EX_OK)
		status = setup_write(s);
	if (status == EX_OK && !s->o.dry_run)
		status = send_test(s);
	return status;
}

int nightmail_setup(int argc, char **argv) {
	struct setup s = { .own = false };
	int opt;
	while ((opt = getopt_long(argc, argv, ":", longs, NULL)) != -1) {
		if (opt == ':' || opt == '?')
			return cli_bad_option(setup_program, opt, argv, longs);
		if (opt == OPT_HELP) {
			fputs(help, stdout);
			return EX_OK;
		}
		take_option(&s.o, opt);
	}
	int status = check_options(&s.o, argc, argv);
	if (status != EX_OK)
		return status;
	bool terminal = isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
	s.asking = terminal && !s.o.yes;
	if (!terminal && !s.o.yes && !s.o.dry_run && !s.o.undo)
		return cli_usage(
			setup_program,
			"there is no terminal to ask at; give --yes and the answers "
			"as options, or --dry-run");
	status = set_up(&s);
	setup_release(&s);
	return status;
}
