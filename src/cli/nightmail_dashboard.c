/* The options of the dashboard; everything else about it stands in tui/. */

#include "cli/nightmail_dashboard.h"

#include <getopt.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/auto.h"
#include "cli/cli.h"
#include "tui/app.h"

enum { OPTION_READ_ONLY = 256, OPTION_THEME, OPTION_MOUSE, OPTION_PLAIN };

struct call {
	struct app_options app;
	const char *config;
	bool plain;
};

static int take_options(struct call *c, int argc, char **argv) {
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "read-only", no_argument, NULL, OPTION_READ_ONLY },
		{ "theme", required_argument, NULL, OPTION_THEME },
		{ "mouse", no_argument, NULL, OPTION_MOUSE },
		{ "plain", no_argument, NULL, OPTION_PLAIN },
		{ NULL, 0, NULL, 0 },
	};
	int opt;
	opterr = 0;
	while ((opt = getopt_long(argc, argv, "+:", longs, NULL)) != -1) {
		switch (opt) {
		case 'c':
			c->config = optarg;
			break;
		case OPTION_READ_ONLY:
			c->app.read_only = true;
			break;
		case OPTION_THEME:
			if (!theme_parse(span_str(optarg), &c->app.theme))
				return cli_usage(
					"nightmail",
					"--theme is dark, light or mono, not '%s'",
					optarg);
			break;
		case OPTION_MOUSE:
			c->app.mouse = true;
			break;
		case OPTION_PLAIN:
			c->plain = true;
			break;
		default:
			return cli_bad_option("nightmail", opt, argv, longs);
		}
	}
	return optind < argc
		       ? cli_usage("nightmail", "'%s' after options of the dashboard",
				   argv[optind])
		       : EX_OK;
}

int nightmail_dashboard(int argc, char **argv) {
	struct call c = { .app = { .theme = THEME_DARK } };
	struct settings s;
	AUTO_BUF struct buf complaints = BUF_INIT(1u << 20), control = BUF_INIT(4096);
	int status = take_options(&c, argc, argv);
	if (status != EX_OK)
		return status;
	if (!c.plain && (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)))
		return cli_fail("nightmail", EX_USAGE,
				"the dashboard needs a terminal; --plain prints the "
				"overview as text");
	c.app.deliverable = config_load(c.config, &s, &complaints) == 0;
	if (!c.app.deliverable && !config_usable(&s)) {
		cli_complaints("nightmail", &complaints);
		config_release(&s);
		return EX_CONFIG;
	}
	buf_addf(&control, "%s/control", s.rundir);
	c.app.control = buf_str(&control);
	c.app.queue = s.dir;
	status = c.plain ? app_plain(&c.app) : app_run(&c.app);
	config_release(&s);
	return status;
}
