/*
 * Loading a CA bundle takes longer than a delivery, so it is done once for all workers. A file is
 * looked at before it is read: a change in between is seen the next time.
 */
#include "deliver/parent_trust.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/span.h"

#define TRUSTS_MAX 16
#define SYSTEM_BUNDLE "/etc/ssl/certs/ca-certificates.crt"

/* The files of a relay: its authorities, our certificate, its key. */
enum { FILE_CA, FILE_CERT, FILE_KEY, FILES };

struct trust {
	char *path[FILES]; /* NULL: none; for FILE_CA the system's */
	struct stat st[FILES];
	struct tls_client *tls;
};

struct trusts {
	struct trust at[TRUSTS_MAX];
	size_t count;
};

struct trusts *trusts_new(void) {
	return calloc(1, sizeof(struct trusts));
}

static void release(struct trust *t) {
	tls_client_free(t->tls);
	for (size_t i = 0; i < FILES; i++)
		free(t->path[i]);
}

void trusts_free(struct trusts *t) {
	if (!t)
		return;
	while (t->count > 0)
		release(&t->at[--t->count]);
	free(t);
}

static bool same_path(const char *a, const char *b) {
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static struct trust *find(struct trusts *t, const char *const path[FILES]) {
	for (size_t i = 0; i < t->count; i++) {
		bool same = true;
		for (size_t k = 0; k < FILES; k++)
			same = same && same_path(path[k], t->at[i].path[k]);
		if (same)
			return &t->at[i];
	}
	return NULL;
}

/* A file that is not there has a state too. */
static void look(const char *const path[FILES], struct stat st[FILES]) {
	memset(st, 0, FILES * sizeof(*st));
	for (size_t i = 0; i < FILES; i++) {
		const char *name = path[i] ? path[i] : i == FILE_CA ? SYSTEM_BUNDLE : NULL;
		if (name && stat(name, &st[i]) != 0)
			memset(&st[i], 0, sizeof(st[i]));
	}
}

static bool same_files(const struct stat a[FILES], const struct stat b[FILES]) {
	for (size_t i = 0; i < FILES; i++)
		if (a[i].st_dev != b[i].st_dev || a[i].st_ino != b[i].st_ino ||
		    a[i].st_size != b[i].st_size ||
		    a[i].st_mtim.tv_sec != b[i].st_mtim.tv_sec ||
		    a[i].st_mtim.tv_nsec != b[i].st_mtim.tv_nsec)
			return false;
	return true;
}

static int load(struct trust *t, const char *const path[FILES], struct err *err) {
	*t = (struct trust){ .tls = NULL };
	look(path, t->st);
	for (size_t i = 0; i < FILES; i++)
		if (path[i] && !(t->path[i] = strdup(path[i]))) {
			release(t);
			return err_set(err, ERR_MEMORY, "out of memory");
		}
	t->tls = tls_client_new(path[FILE_CA], err);
	if (t->tls && (!path[FILE_CERT] ||
		       tls_client_use(t->tls, path[FILE_CERT], path[FILE_KEY], err) == 0))
		return 0;
	release(t);
	return -1;
}

static void drop(struct trusts *t, struct trust *which) {
	release(which);
	*which = t->at[--t->count];
}

int trusts_find(struct trusts *t, const struct config_relay *r, struct tls_client **ret,
		struct err *err) {
	const char *const path[FILES] = { r->ca, r->cert.certificate, r->cert.key };
	struct trust *had = find(t, path);
	struct stat st[FILES];
	*ret = NULL;
	if (r->tls == CONFIG_TLS_NONE)
		return 0;
	look(path, st);
	if (had && !same_files(st, had->st)) {
		drop(t, had);
		had = NULL;
	}
	if (!had) {
		if (t->count == TRUSTS_MAX)
			drop(t, &t->at[0]);
		had = &t->at[t->count];
		if (load(had, path, err) != 0)
			return -1;
		t->count++;
	}
	*ret = had->tls;
	return 0;
}
