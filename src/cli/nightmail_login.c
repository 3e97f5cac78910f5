/*
 * nightmail login: gets the tokens of a relay whose password is oauth2, with the person's help, and
 * keeps them where nightmail-deliver finds and refreshes them: as root with the rights of the
 * user who delivers. What they can be renewed by goes into the person's keyring where there is
 * one; the daemon of a system has none.
 */

#include "cli/nightmail_login.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/proc.h"
#include "cli/cli.h"
#include "creds/grant.h"
#include "creds/oauth2_login.h"
#include "queue/queue.h"

#define PROGRAM "nightmail login"

static const char help[] =
	"usage: nightmail login [--config FILE] [--device | --browser] [--file] RELAY\n"
	"Lets this machine send through a relay with password = oauth2: you log in at\n"
	"the provider, and the tokens that it gives are kept for nightmail-deliver.\n"
	"  --device       enter a code on any device: the default where it is offered\n"
	"  --browser      open a page in a browser of this machine\n"
	"  --file         keep all of them in a file, also where there is a keyring\n"
	"  --config FILE  the configuration of the relay\n";

enum way { WAY_ANY, WAY_DEVICE, WAY_BROWSER };

struct call {
	const char *config, *relay;
	enum way way;
	bool file, done;
};

static int take_options(struct call *c, int argc, char **argv) {
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' }, { "device", no_argument, NULL, 'd' },
		{ "browser", no_argument, NULL, 'b' },	    { "file", no_argument, NULL, 'f' },
		{ "help", no_argument, NULL, 'h' },	    { NULL, 0, NULL, 0 },
	};
	int opt;
	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":", longs, NULL)) != -1) {
		switch (opt) {
		case 'c':
			c->config = optarg;
			break;
		case 'd':
			c->way = WAY_DEVICE;
			break;
		case 'b':
			c->way = WAY_BROWSER;
			break;
		case 'f':
			c->file = true;
			break;
		case 'h':
			fputs(help, stdout);
			c->done = true;
			return EX_OK;
		default:
			return cli_bad_option(PROGRAM, opt, argv, longs);
		}
	}
	if (optind + 1 != argc)
		return cli_usage(PROGRAM, "one relay is needed");
	c->relay = argv[optind];
	return EX_OK;
}

static void tell(void *ctx, const char *url, const char *code) {
	(void)ctx;
	if (code)
		printf("on any device, open\n\n    %s\n\nand enter the code  %s\n\n", url, code);
	else
		printf("in a browser on this machine, open\n\n    %s\n\n", url);
	fputs("waiting for you to agree there ...\n", stdout);
	fflush(stdout);
}

static char *copy(const char *text) {
	return strdup(text ? text : "");
}

/* The entry that the refresh token is to have; "": none. A keyring is that of who runs this. */
static char *entry_of(const struct call *c, const struct settings *s,
		      const struct config_relay *r) {
	AUTO_BUF struct buf entry = BUF_INIT(256);
	if (!c->file && s->mode != CONFIG_SYSTEM && geteuid() == getuid())
		buf_addf(&entry, "oauth2:%s", r->name);
	return strdup(buf_failed(&entry) ? "" : buf_str(&entry));
}

static int describe(const struct config_relay *r, struct oauth2_tokens *t, struct err *err) {
	struct secret client = { .p = NULL };
	const char *ref = r->oauth.client_secret;
	if (ref && creds_fetch(span_str(ref), &client, err) != 0)
		return err_prefix(err, "client-secret");
	*t = (struct oauth2_tokens){
		.relay = copy(r->name),
		.client_id = copy(r->oauth.client_id),
		.client_secret = client.p ? client.p : copy(NULL),
		.token_url = copy(r->oauth.token_url),
		.scope = copy(r->oauth.scope),
		.ca = copy(r->oauth.ca),
		.access = copy(NULL),
		.refresh = copy(NULL),
		.keyring = t->keyring,
	};
	return t->relay && t->client_id && t->client_secret && t->token_url && t->scope && t->ca &&
			       t->access && t->refresh && t->keyring
		       ? 0
		       : err_set(err, ERR_MEMORY, "out of memory");
}

static void say_where(const struct oauth2_tokens *t, const char *path, const struct err *why) {
	if (t->in_keyring)
		puts("what they are renewed by is in the keyring of this session");
	else if (why->msg[0])
		printf("they are in %s, since the keyring cannot have them: %s\n", path, why->msg);
	else
		printf("they are in %s\n", path);
}

static int log_in(const struct call *c, const struct settings *s, const struct config_relay *r,
		  struct err *err) {
	struct oauth2_tokens t = { .keyring = entry_of(c, s, r) };
	const char *path = grant_tokens(r->password);
	struct err why = ERR_INIT;
	const char *device = r->oauth.device_url, *browser = r->oauth.auth_url;
	int result = describe(r, &t, err);
	if (result == 0 && c->way != WAY_BROWSER && device)
		result = oauth2_login_device(&t, device, tell, NULL, err);
	else if (result == 0 && c->way != WAY_DEVICE && browser)
		result = oauth2_login_browser(&t, browser, tell, NULL, err);
	else if (result == 0)
		result = err_set(err, ERR_MISSING, "[relay %s] has no %s", r->name,
				 c->way == WAY_DEVICE	 ? "device-url"
				 : c->way == WAY_BROWSER ? "auth-url"
							 : "device-url or auth-url");
	if (result == 0)
		result = oauth2_store(path, &t, &why, err);
	if (result == 0) {
		printf("relay %s has its tokens; they are refreshed as long as mail is sent\n",
		       r->name);
		say_where(&t, path, &why);
	}
	oauth2_release(&t);
	return result;
}

static int run(const struct call *c, const struct settings *s) {
	const struct config_relay *r = config_relay(s, c->relay);
	struct err err = ERR_INIT;
	if (!r)
		return cli_fail(PROGRAM, EX_USAGE, "there is no [relay %s] in the configuration",
				c->relay);
	if (!r->password || !creds_is_token(span_str(r->password)))
		return cli_fail(PROGRAM, EX_CONFIG,
				"[relay %s] does not log in by tokens: its password is not oauth2",
				c->relay);
	if (cli_become_owner(s, &err) != 0)
		return cli_fail(PROGRAM, EX_NOPERM, "%s", err.msg);
	/* Before the person is asked: the tokens have to lie somewhere. */
	if (s->mode != CONFIG_SYSTEM && queue_create(s->dir, &err) != 0)
		return cli_fail(PROGRAM, EX_CANTCREAT, "%s", err.msg);
	if (log_in(c, s, r, &err) != 0)
		return cli_fail(PROGRAM, err.kind == ERR_DENIED ? EX_NOPERM : EX_UNAVAILABLE, "%s",
				err.msg);
	return EX_OK;
}

int nightmail_login(int argc, char **argv) {
	AUTO_BUF struct buf complaints = BUF_INIT(1u << 20);
	struct call c = { .config = NULL };
	struct settings s;
	int status = take_options(&c, argc, argv);
	if (status != EX_OK || c.done)
		return status;
	proc_harden();
	status = EX_CONFIG;
	if (config_load(c.config, &s, &complaints) != 0)
		cli_complaints(PROGRAM, &complaints);
	else
		status = run(&c, &s);
	config_release(&s);
	return status;
}
