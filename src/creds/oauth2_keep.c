/*
 * Where tokens lie, and their lock. The refresh token goes into the keyring first and is read
 * back, then the file is written without it; what an earlier login left goes last.
 */

#include "creds/oauth2.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/file.h"
#include "creds/grant.h"
#include "creds/keyring.h"

#define PATH_MAX_SIZE 8192u
#define LOCK_MS 180000
#define LOCK_LOOK_MS 50

static int make_parent(const char *path, struct err *err) {
	AUTO_FREE char *dir = strdup(path);
	char *slash = dir ? strrchr(dir, '/') : NULL;
	if (!slash)
		return err_set(err, ERR_MEMORY, "out of memory");
	*slash = '\0';
	if (file_mkdir(AT_FDCWD, dir, 0700) != 0 && errno != EEXIST)
		return err_sys(err, "%s: cannot make the directory", dir);
	return 0;
}

/* Another process that holds it is refreshing. */
int oauth2_lock(const char *path, struct err *err) {
	AUTO_BUF struct buf name = BUF_INIT(PATH_MAX_SIZE);
	int64_t end = clock_boot_ms() + LOCK_MS;
	buf_addf(&name, "%s.lock", path);
	AUTO_FD int fd = file_openat(AT_FDCWD, buf_str(&name), O_RDWR | O_CREAT, 0600);
	if (fd < 0)
		return err_sys(err, "%s: cannot open", buf_str(&name));
	while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		const struct timespec wait = { 0, LOCK_LOOK_MS * 1000000L };
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_sys(err, "%s: cannot lock", buf_str(&name));
		if (clock_boot_ms() > end)
			return err_set(err, ERR_TIMEOUT,
				       "%s: another process holds it for over %d s",
				       buf_str(&name), LOCK_MS / 1000);
		nanosleep(&wait, NULL);
	}
	return take_fd(&fd);
}

int oauth2_load(const char *path, struct oauth2_tokens *ret, struct err *err) {
	struct secret text = { .p = NULL };
	if (creds_read(path, OAUTH2_FILE_MAX, &text, err) != 0)
		return -1;
	int r = oauth2_parse(span_of(text.p, text.len), ret, err);
	secret_release(&text);
	return r == 0 ? 0 : err_prefix(err, "%s", path);
}

/* The relay's name is that of the file. */
int oauth2_none(const char *path, struct err *err) {
	const char *slash = strrchr(path, '/');
	struct span name = span_str(slash ? slash + 1 : path);
	if (name.len > SPAN(".json").len)
		name.len -= SPAN(".json").len;
	return err_set(err, ERR_MISSING, "relay %.*s has no tokens yet: run nightmail login %.*s",
		       (int)name.len, name.p, (int)name.len, name.p);
}

/* --- the keyring --- */

static int to_keyring(struct oauth2_tokens *t, struct err *err) {
	struct span entry = span_str(t->keyring), token = span_str(t->refresh);
	struct secret again = { .p = NULL };
	if (keyring_ask(KEYRING_SET, entry, token, NULL, err) != 0 ||
	    keyring_ask(KEYRING_GET, entry, SPAN(""), &again, err) != 0)
		return -1;
	t->in_keyring = span_eq(span_of(again.p, again.len), token);
	secret_release(&again);
	return t->in_keyring ? 0
			     : err_set(err, ERR_SYSTEM, "the keyring gives back something else");
}

int oauth2_recall(struct oauth2_tokens *t, struct err *err) {
	struct secret got = { .p = NULL };
	struct err why = ERR_INIT;
	if (t->refresh[0] || !t->keyring[0])
		return 0;
	if (keyring_ask(KEYRING_GET, span_str(t->keyring), SPAN(""), &got, &why) != 0) {
		if (why.kind == ERR_MISSING)
			return err_set(err, ERR_DENIED,
				       "the refresh token of relay %s is not in the keyring any "
				       "more; run nightmail login %s",
				       t->relay, t->relay);
		/* Once it is open the token is there. */
		return err_set(err, why.kind == ERR_DENIED ? ERR_SYSTEM : why.kind, "%s",
			       why.msg);
	}
	oauth2_wipe(&t->refresh);
	t->refresh = strndup(got.p, got.len);
	t->in_keyring = true;
	secret_release(&got);
	return t->refresh ? 0 : err_set(err, ERR_MEMORY, "out of memory");
}

/* --- the file --- */

int oauth2_write_file(const char *path, struct oauth2_tokens *t, struct err *err) {
	struct buf text = BUF_INIT(OAUTH2_FILE_MAX);
	static char nothing[] = "";
	char *refresh = t->refresh;
	int r = buf_room(&text, OAUTH2_FILE_MAX) ? 0
						 : err_set(err, ERR_MEMORY, "out of memory");
	if (t->in_keyring)
		t->refresh = nothing;
	if (r == 0 && oauth2_write(&text, t) != 0)
		r = err_set(err, ERR_LIMIT, "the tokens are too long");
	t->refresh = refresh;
	if (r == 0)
		r = file_replace(AT_FDCWD, path, 0600, buf_span(&text), err);
	buf_wipe(&text);
	buf_release(&text);
	return r == 0 ? grant_write(path, t->grant_from, t->grant_until, err) : -1;
}

int oauth2_keep(const char *path, struct oauth2_tokens *t, struct err *ret_why,
		struct err *err) {
	if (t->keyring[0] && t->refresh[0] && !t->in_keyring)
		(void)to_keyring(t, ret_why);
	return oauth2_write_file(path, t, err);
}

/* The name in the keyring of an earlier login's token, which the file of this one will not know
 * any more; "" when there is none. The caller frees it. */
static char *earlier_entry(const char *path, const struct oauth2_tokens *t) {
	struct oauth2_tokens old;
	if (t->keyring[0] || oauth2_load(path, &old, NULL) != 0)
		return strdup("");
	char *entry = strdup(old.keyring);
	oauth2_release(&old);
	return entry;
}

int oauth2_store(const char *path, struct oauth2_tokens *t, struct err *ret_why,
		 struct err *err) {
	if (make_parent(path, err) != 0)
		return -1;
	AUTO_FD int held = oauth2_lock(path, err);
	if (held < 0)
		return -1;
	if (t->keyring[0] && to_keyring(t, ret_why) != 0)
		t->keyring[0] = '\0';
	AUTO_FREE char *earlier = earlier_entry(path, t);
	if (oauth2_write_file(path, t, err) != 0)
		return -1;
	if (earlier && earlier[0])
		(void)keyring_ask(KEYRING_DELETE, span_str(earlier), SPAN(""), NULL, NULL);
	return 0;
}

int oauth2_find(const char *path, struct buf *where, struct err *err) {
	struct oauth2_tokens t;
	if (access(path, F_OK) != 0 && errno == ENOENT)
		return oauth2_none(path, err);
	if (oauth2_load(path, &t, err) != 0)
		return -1;
	int r = 0;
	bool in_file = t.refresh[0] != '\0';
	if (!in_file && t.keyring[0])
		r = keyring_ask(KEYRING_TEST, span_str(t.keyring), SPAN(""), NULL, err);
	else if (!in_file)
		r = oauth2_none(path, err);
	if (r != 0 && t.keyring[0] && err && err->kind == ERR_MISSING)
		err_set(err, ERR_MISSING,
			"the refresh token of relay %s is not in the keyring any more; run "
			"nightmail login %s",
			t.relay, t.relay);
	if (r == 0)
		buf_addf(where, "%s", in_file ? path : "the keyring");
	oauth2_release(&t);
	return r;
}

int oauth2_forget(const char *path, struct err *err) {
	struct oauth2_tokens t;
	struct err why = ERR_INIT;
	if (access(path, F_OK) != 0 && errno == ENOENT)
		return oauth2_none(path, err);
	AUTO_FD int held = oauth2_lock(path, err);
	if (held < 0 || oauth2_load(path, &t, err) != 0)
		return -1;
	int r = 0;
	if (t.keyring[0] &&
	    keyring_ask(KEYRING_DELETE, span_str(t.keyring), SPAN(""), NULL, &why) != 0 &&
	    why.kind != ERR_MISSING)
		r = err_set(err, why.kind, "%s", why.msg);
	oauth2_release(&t);
	if (r == 0 && file_unlink(AT_FDCWD, path) != 0)
		r = err_sys(err, "%s: cannot remove", path);
	return r == 0 ? grant_write(path, 0, 0, err) : -1;
}
