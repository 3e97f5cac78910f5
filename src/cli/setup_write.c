/*
 * From a plan to files: the password is asked for, the relay is tried, the person agrees, and
 * both files are replaced, each of them atomically. A configuration that then turns out to
 * be wrong as a whole is taken back.
 */

#include <stdio.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/file.h"
#include "base/term.h"
#include "cli/cli.h"
#include "cli/setup.h"
#include "cli/setup_ask.h"
#include "cli/setup_file.h"
#include "cli/setup_mail.h"
#include "cli/setup_probe.h"
#include "cli/setup_secret.h"
#include "creds/creds.h"

#define CONFIG_MODE 0644
#define SECRET_MODE 0600

/* As root the file may be the daemon's, whom it will have to let in too. */
static int fetch(const struct config_relay *relay, struct secret *ret, struct err *err) {
	struct span ref = span_str(relay->password);
	struct stat st;
	bool other = geteuid() == 0 && span_starts(ref, SPAN("file:")) &&
		     stat(relay->password + 5, &st) == 0 && st.st_uid != 0;
	if (other && seteuid(st.st_uid) != 0)
		return err_sys(err, "%s: cannot act as its owner", relay->password);
	int r = creds_fetch(ref, ret, err);
	if (other && seteuid(0) != 0)
		return err_sys(err, "cannot act as root again");
	return r;
}

/* The password that is there is used again; an empty answer keeps it. */
static int ask_password(struct setup *s, const struct config_relay *relay, bool there) {
	AUTO_BUF struct buf question = BUF_INIT(512);
	if (!s->asking || !setup_password_path(s))
		return EX_OK;
	buf_addf(&question, "password of %s%s", relay->login,
		 there ? " (empty: the one that is there)" : "");
	if (setup_ask_secret(buf_str(&question), &s->secret) != 0)
		return cli_fail(setup_program, EX_USAGE, "nothing was written");
	return EX_OK;
}

/* A new password in s->secret, or else the one that is there already, in *ret. */
static int find_password(struct setup *s, const struct config_relay *relay,
			 struct secret *ret) {
	struct err err = ERR_INIT;
	if (!relay->login)
		return EX_OK;
	bool there = fetch(relay, ret, &err) == 0;
	if (s->secret.len)
		return EX_OK;
	int status = ask_password(s, relay, there);
	if (status != EX_OK || s->secret.len || there)
		return status;
	cli_fail(setup_program, 0, "the password: %s", err.msg);
	s->refused = true;
	return s->o.dry_run ? EX_OK : EX_NOINPUT;
}

static int try_relay(struct setup *s, const struct config_relay *relay,
		     const struct secret *found) {
	AUTO_BUF struct buf report = BUF_INIT(65536);
	struct err err = ERR_INIT;
	const char *helo = config_draft_get(&s->draft, "helo");
	struct span password = s->secret.len ? buf_span(&s->secret)
					     : span_of(found->p, found->len);
	if (s->o.no_probe || s->refused)
		return EX_OK;
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "trying %s...\n", relay->host[0]);
	int r = setup_probe(relay, helo ? helo : s->hostname, password, &report, &err);
	fwrite(buf_str(&report), 1, report.len, stdout);
	fflush(stdout);
	if (r == 0)
		return EX_OK;
	cli_fail(setup_program, 0, "%s", err.msg);
	s->refused = true;
	if (s->o.dry_run)
		return EX_OK;
	if (s->asking && setup_ask_yes("the relay does not work yet; go on?", false))
		return EX_OK;
	return cli_fail(setup_program, EX_UNAVAILABLE,
			"nothing was written; --no-probe does not try the relay");
}

int setup_check(struct setup *s) {
	struct config_relay relay;
	struct secret found = { NULL, 0 };
	struct err err = ERR_INIT;
	int status;
	if (config_draft_relay(&s->draft, &relay, &err) != 0)
		status = cli_fail(setup_program, EX_CONFIG, "%s: %s", s->path, err.msg);
	else
		status = find_password(s, &relay, &found);
	if (status == EX_OK)
		status = try_relay(s, &relay, &found);
	if (span_eq(span_of(found.p, found.len), buf_span(&s->secret)))
		buf_reset(&s->secret); /* it is there already */
	secret_release(&found);
	config_draft_relay_release(&relay);
	return status;
}

static void show(const struct setup *s) {
	struct span rest = buf_span(&s->fresh), line;
	printf("%s:\n", s->path);
	while (span_take_line(&rest, &line)) {
		AUTO_BUF struct buf safe = BUF_INIT(65536);
		term_safe_again(&safe, line);
		printf("    %s\n", buf_str(&safe));
	}
	if (s->secret.len)
		printf("the password goes to %s\n", setup_password_path(s));
	fflush(stdout);
}

/* Its folder was made before. */
static int write_secret(struct setup *s, struct err *err) {
	struct config_relay relay;
	int r = config_draft_relay(&s->draft, &relay, err);
	const char *path = r == 0 && relay.password ? relay.password + 5 : "";
	if (r == 0 && s->secret.len)
		r = setup_file_make_folder(path, err) == 0 &&
				    setup_file_keep(path, SECRET_MODE, err) == 0 &&
				    setup_secret_write(path, buf_span(&s->secret),
						       !s->own, err) == 0
			    ? 0
			    : -1;
	else if (r == 0 && setup_password_path(s))
		setup_file_forget(path);
	config_draft_relay_release(&relay);
	return r;
}

static int restore_secret(const struct setup *s, struct err *err) {
	struct config_relay relay;
	int r = 0;
	/* The configuration that is there says where the password is that came with it. */
	if (config_draft_relay(&s->draft, &relay, NULL) == 0 && setup_password_path(s))
		r = setup_file_restore(relay.password + 5, SECRET_MODE, err);
	config_draft_relay_release(&relay);
	return r;
}

/* Loads what was written, as every program will. */
static int check_whole(const struct setup *s) {
	AUTO_BUF struct buf complaints = BUF_INIT(SETUP_TEXT_MAX);
	struct settings settings;
	int r = config_load(s->own ? s->path : NULL, &settings, &complaints);
	if (r == 0)
		setup_mail_reload(setup_program, &settings);
	else
		cli_complaints(setup_program, &complaints);
	config_release(&settings);
	return r;
}

static int take_back(const struct setup *s) {
	struct err err = ERR_INIT;
	if (restore_secret(s, &err) < 0 ||
	    setup_file_restore(s->path, CONFIG_MODE, &err) < 0)
		return cli_fail(setup_program, EX_CANTCREAT, "%s", err.msg);
	return cli_fail(setup_program, EX_CONFIG,
			"%s is as it was: with the new values there would be errors",
			s->path);
}

static int replace_files(struct setup *s) {
	struct err err = ERR_INIT;
	if (setup_file_make_folder(s->path, &err) != 0 || write_secret(s, &err) != 0 ||
	    setup_file_keep(s->path, CONFIG_MODE, &err) != 0 ||
	    file_replace(AT_FDCWD, s->path, CONFIG_MODE, buf_span(&s->fresh), &err) != 0)
		return cli_fail(setup_program, EX_CANTCREAT, "%s", err.msg);
	if (check_whole(s) != 0)
		return take_back(s);
	printf("%s is written; \"nightmail setup --undo%s%s\" brings back what was there\n",
	       s->path, s->own ? " --config " : "", s->own ? s->path : "");
	return EX_OK;
}

int setup_write(struct setup *s) {
	if (s->secret.len == 0 && span_eq(buf_span(&s->old), buf_span(&s->fresh))) {
		printf("%s: nothing to change\n", s->path);
		return EX_OK;
	}
	show(s);
	if (s->o.dry_run) {
		puts("nothing was written");
		return s->refused ? EX_UNAVAILABLE : EX_OK;
	}
	if (s->asking && !setup_ask_yes("write this?", true))
		return cli_fail(setup_program, EX_USAGE, "nothing was written");
	return replace_files(s);
}

int setup_undo(struct setup *s) {
	struct err err = ERR_INIT;
	struct settings settings;
	int status = EX_OK;
	int r = restore_secret(s, &err);
	if (r >= 0)
		r = setup_file_restore(s->path, CONFIG_MODE, &err);
	if (r < 0)
		status = cli_fail(setup_program, EX_CANTCREAT, "%s", err.msg);
	else if (r == 0)
		status = cli_fail(setup_program, EX_NOINPUT,
				  "there is nothing to undo: no %s.before-setup",
				  s->path);
	else
		printf("%s is as it was before the last setup\n", s->path);
	if (r > 0 && config_load(s->own ? s->path : NULL, &settings, NULL) == 0)
		setup_mail_reload(setup_program, &settings);
	if (r > 0)
		config_release(&settings);
	return status;
}
