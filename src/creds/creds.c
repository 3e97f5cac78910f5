/*
 * Fetches secrets by reference. Everything a secret passes through here is wiped, and no
 * message ever holds a byte of one; not even a refused literal is repeated, since the likely
 * mistake is a password that was written into the configuration.
 */
#include "creds/creds.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/file.h"
#include "base/proc.h"
#include "base/term.h"
#include "creds/keyring.h"
#include "creds/oauth2.h"

#define COMMAND_TIMEOUT_MS 30000
#define COMMAND_OUTPUT_MAX 65536
#define COMMAND_WORDS_MAX 32
#define COMMAND_MAX 4096
#define GROUPS_MAX 256

static const struct {
	enum creds_kind kind;
	struct span prefix;
} schemes[] = {
	{ CREDS_FILE, { "file:", 5 } },
	{ CREDS_COMMAND, { "command:", 8 } },
	{ CREDS_CREDENTIAL, { "credential:", 11 } },
	{ CREDS_KEYRING, { "keyring:", 8 } },
	{ CREDS_OAUTH2, { "oauth2:", 7 } },
};

void secret_release(struct secret *s) {
	if (s->p)
		explicit_bzero(s->p, s->len);
	free(s->p);
	s->p = NULL;
	s->len = 0;
}

int creds_parse(struct span ref, enum creds_kind *ret_kind, struct span *ret_rest,
		struct err *err) {
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		if (!span_starts(ref, schemes[i].prefix))
			continue;
		if (ref.len == schemes[i].prefix.len)
			return err_set(err, ERR_SYNTAX, "nothing stands behind '%s'",
				       schemes[i].prefix.p);
		if (span_find(ref, '\0') != ref.len)
			return err_set(err, ERR_SYNTAX, "a NUL byte in the reference");
		*ret_kind = schemes[i].kind;
		*ret_rest = span_from(ref, schemes[i].prefix.len);
		return 0;
	}
	return err_set(
		err, ERR_SYNTAX,
		"a password cannot stand here itself: write file:PATH, command:WORDS, "
		"credential:NAME, keyring:ENTRY or oauth2");
}

/* Cuts at the first line end and hands a copy out, if it is text fit for a password. */
static int take_first_line(const char *what, struct span bytes, struct secret *ret,
			   struct err *err) {
	struct span line = span_head(bytes, span_find(bytes, '\n')), rest;
	uint32_t cp;
	char *p;

	if (line.len > 0 && line.p[line.len - 1] == '\r')
		line.len--;
	if (line.len == 0)
		return err_set(err, ERR_SYNTAX, "%s: the first line is empty", what);
	if (line.len > SECRET_MAX)
		return err_set(err, ERR_LIMIT,
			       "%s: the first line is longer than %d bytes", what,
			       SECRET_MAX);
	for (rest = line; rest.len > 0;) {
		if (!span_take_utf8(&rest, &cp))
			return err_set(err, ERR_SYNTAX, "%s: the first line is not UTF-8",
				       what);
		if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0))
			return err_set(err, ERR_SYNTAX,
				       "%s: a control character in the first line", what);
	}
	p = span_dup(line);
	if (!p)
		return err_set(err, ERR_MEMORY, "%s: out of memory", what);
	*ret = (struct secret){ .p = p, .len = line.len };
	return 0;
}

static bool in_our_groups(gid_t gid) {
	gid_t groups[GROUPS_MAX];
	int n = getgroups(GROUPS_MAX, groups);

	if (gid == getegid())
		return true;
	for (int i = 0; i < n; i++) {
		if (groups[i] == gid)
			return true;
	}
	return false;
}

/* For whom a file is meant. */
struct reader {
	uid_t uid;
	bool in_group; /* of the file */
};

/*
 * Who else may read it. systemd gives a service its credentials by an access list, whose mask
 * shows as the group's bits: there the group's read bit says nothing.
 */
static int check_file(const char *what, const struct stat *st, struct reader reader,
		      bool credential, struct err *err) {
	mode_t others = st->st_mode & 077;

	if (!S_ISREG(st->st_mode))
		return err_set(err, ERR_DENIED, "%s: not a regular file", what);
	if (st->st_uid != reader.uid && st->st_uid != 0)
		return err_set(
			err, ERR_DENIED,
			"%s: belongs to user %u, must belong to root or to user %u: chown it",
			what, (unsigned)st->st_uid, (unsigned)reader.uid);
	if (others == S_IRGRP && (credential || (st->st_uid == 0 && reader.in_group)))
		return 0;
	if (others != 0)
		return err_set(err, ERR_DENIED,
			       "%s: open to other users (mode %04o): chmod 600 it", what,
			       (unsigned)(st->st_mode & 07777));
	return 0;
}

/* Returns the descriptor of a file that has the rights of one with secrets. */
static int open_file(const char *what, const char *path, bool credential, struct err *err) {
	AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return err_set(err, ERR_MISSING, "%s: no such file", what);
	if (fd < 0)
		return err_sys(err, "%s: cannot open", what);
	if (fstat(fd, &st) < 0)
		return err_sys(err, "%s: cannot examine", what);
	const struct reader we = { geteuid(), in_our_groups(st.st_gid) };
	return check_file(what, &st, we, credential, err) < 0 ? -1 : take_fd(&fd);
}

int creds_read(const char *path, size_t max, struct secret *ret, struct err *err) {
	AUTO_FD int fd = open_file(path, path, false, err);
	struct secret all = { .p = malloc(max + 1), .len = max + 1 };
	ssize_t n;

	if (fd < 0 || !all.p) {
		free(all.p);
		return fd < 0 ? -1 : err_set(err, ERR_MEMORY, "%s: out of memory", path);
	}
	n = file_pread_all(fd, all.p, max + 1, 0);
	if (n >= 0 && (size_t)n <= max) {
		all.len = (size_t)n;
		*ret = all;
		return 0;
	}
	secret_release(&all);
	if (n < 0)
		return err_sys(err, "%s: cannot read", path);
	return err_set(err, ERR_LIMIT, "%s: longer than %zu bytes", path, max);
}

static int fetch_file(const char *what, const char *path, bool credential,
		      struct secret *ret, struct err *err) {
	AUTO_FD int fd = open_file(what, path, credential, err);
	/* One byte more than a line with CR LF may have, to tell a longer one. */
	char bytes[SECRET_MAX + 3];
	ssize_t n;
	int r;

	if (fd < 0)
		return -1;
	n = file_pread_all(fd, bytes, sizeof(bytes), 0);
	r = n < 0 ? err_sys(err, "%s: cannot read", what)
		  : take_first_line(what, span_of(bytes, (size_t)n), ret, err);
	explicit_bzero(bytes, sizeof(bytes));
	return r;
}

/* Splits a command into words that are copied into `store`. -1: a quote is not closed, or
 * there is too much. */
static int split_words(struct span in, char store[COMMAND_MAX],
		       const char *argv[COMMAND_WORDS_MAX + 1]) {
	size_t used = 0, words = 0;

	while (in.len > 0) {
		char quote = '\0';

		if (*in.p == ' ' || *in.p == '\t') {
			in = span_from(in, 1);
			continue;
		}
		if (words == COMMAND_WORDS_MAX)
			return -1;
		argv[words++] = store + used;
		for (; in.len > 0 && (quote || (*in.p != ' ' && *in.p != '\t'));
		     in = span_from(in, 1)) {
			if (quote ? *in.p == quote : (*in.p == '"' || *in.p == '\'')) {
				quote = quote ? '\0' : *in.p;
				continue;
			}
			if (used >= COMMAND_MAX - 1)
				return -1;
			store[used++] = *in.p;
		}
		if (quote || used >= COMMAND_MAX - 1)
			return -1;
		store[used++] = '\0';
	}
	argv[words] = NULL;
	return words > 0 ? 0 : -1;
}

static int fetch_command(const char *what, struct span command, struct secret *ret,
			 struct err *err) {
	AUTO_BUF struct buf out = BUF_INIT(COMMAND_OUTPUT_MAX);
	const char *argv[COMMAND_WORDS_MAX + 1];
	char store[COMMAND_MAX];
	int r;

	if (split_words(command, store, argv) < 0)
		return err_set(
			err, ERR_SYNTAX,
			"%s: not a command (a quote is open, or it has over %d words)",
			what, COMMAND_WORDS_MAX);
	/* It reserves all the room at once, so no copies stay behind from growing. */
	r = proc_capture(argv, COMMAND_TIMEOUT_MS, &out, err);
	if (r < 0)
		err_prefix(err, "command");
	else
		r = take_first_line(what, buf_span(&out), ret, err);
	buf_wipe(&out);
	return r;
}

static int fetch_credential(const char *what, struct span name, struct secret *ret,
			    struct err *err) {
	AUTO_BUF struct buf path = BUF_INIT(4096);
	const char *dir = secure_getenv("CREDENTIALS_DIRECTORY");

	if (span_find(name, '/') != name.len || span_eq(name, SPAN("..")) ||
	    span_eq(name, SPAN(".")))
		return err_set(err, ERR_SYNTAX, "%s: a name without '/' is needed", what);
	if (!dir)
		return err_set(
			err, ERR_MISSING,
			"%s: CREDENTIALS_DIRECTORY is not set: add LoadCredential= to the systemd unit",
			what);
	buf_adds(&path, dir);
	buf_addc(&path, '/');
	if (buf_add(&path, name) < 0)
		return err_set(err, ERR_LIMIT, "%s: the path is too long", what);
	return fetch_file(what, buf_str(&path), true, ret, err);
}

static int fetch(struct span ref, struct secret *ret, struct err *err) {
	AUTO_BUF struct buf what = BUF_INIT(8192);
	AUTO_FREE char *path = NULL;
	enum creds_kind kind = CREDS_NONE;
	struct span rest;

	if (creds_parse(ref, &kind, &rest, err) < 0)
		return -1;
	if (kind == CREDS_COMMAND) {
		/* Its arguments may be private: only the first word is named. */
		struct span named = rest, word = SPAN("");
		span_take_word(&named, &word);
		buf_adds(&what, "command:");
		term_safe(&what, word);
		return fetch_command(buf_str(&what), rest, ret, err);
	}
	term_safe(&what, ref);
	if (kind == CREDS_CREDENTIAL)
		return fetch_credential(buf_str(&what), rest, ret, err);
	if (kind == CREDS_KEYRING)
		return keyring_ask(KEYRING_GET, rest, SPAN(""), ret, err);
	path = span_dup(rest);
	if (!path)
		return err_set(err, ERR_MEMORY, "out of memory");
	return fetch_file(buf_str(&what), path, false, ret, err);
}

static enum creds_kind kind_of(struct span ref) {
	enum creds_kind kind = CREDS_NONE;
	struct span rest;
	return creds_parse(ref, &kind, &rest, NULL) == 0 ? kind : CREDS_NONE;
}

bool creds_is_slow(struct span ref) {
	enum creds_kind kind = kind_of(ref);
	return kind == CREDS_COMMAND || kind == CREDS_KEYRING || kind == CREDS_OAUTH2;
}

bool creds_is_token(struct span ref) {
	return kind_of(ref) == CREDS_OAUTH2;
}

int creds_get(struct span ref, bool fresh, struct creds_secret *ret, struct err *err) {
	*ret = (struct creds_secret){ .expires = 0 };
	if (!creds_is_token(ref))
		return fetch(ref, &ret->secret, err);
	AUTO_FREE char *path = span_dup(span_from(ref, SPAN("oauth2:").len));
	if (!path)
		return err_set(err, ERR_MEMORY, "out of memory");
	ret->token = true;
	return oauth2_fetch(path, fresh, &ret->secret, &ret->expires, err);
}

int creds_fetch(struct span ref, struct secret *ret, struct err *err) {
	struct creds_secret got;
	if (creds_get(ref, false, &got, err) != 0)
		return -1;
	*ret = got.secret;
	return 0;
}

/* What nobody else may read, the one who has to may not be able to read either. */
static int check_readable(const char *what, const struct stat *st, struct reader reader,
			  const char *name, struct err *err) {
	bool own = st->st_uid == reader.uid && (st->st_mode & S_IRUSR);
	bool by_group = reader.in_group && (st->st_mode & S_IRGRP);

	if (own || by_group || reader.uid == 0)
		return 0;
	return err_set(err, ERR_DENIED,
		       "%s: the user %s, who delivers, cannot read it: chown %s it", what,
		       name, name);
}

int creds_check(struct span ref, const struct user *user, struct err *err) {
	AUTO_BUF struct buf what = BUF_INIT(8192);
	enum creds_kind kind = CREDS_NONE;
	struct span rest;
	struct stat st;

	if (creds_parse(ref, &kind, &rest, err) < 0)
		return -1;
	if (kind != CREDS_FILE)
		return 0;
	AUTO_FREE char *path = span_dup(rest);
	if (!path)
		return err_set(err, ERR_MEMORY, "out of memory");
	term_safe(&what, ref);
	if (stat(path, &st) != 0)
		return errno != ENOENT ? 0
				       : err_set(err, ERR_MISSING, "%s: no such file",
						 buf_str(&what));
	const struct reader reader = { user->uid, st.st_gid == user->gid };
	if (check_file(buf_str(&what), &st, reader, false, err) < 0)
		return -1;
	return check_readable(buf_str(&what), &st, reader, user->name, err);
}
