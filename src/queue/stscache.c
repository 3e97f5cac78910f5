/* One record line with its checksum, and behind it the policy as it came. */

#include "queue/stscache.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/auto.h"
#include "base/codec.h"
#include "base/file.h"
#include "queue/spool.h"
#include "queue/words.h"

#define FILE_MAX 131072
#define DAY_S (24 * 3600)

/* A domain is a file name only as long as it is one. */
static bool is_file_name(const char *domain) {
	size_t len = strlen(domain);
	return len > 0 && len < 255 && domain[0] != '.' &&
	       strspn(domain, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == len;
}

static int open_folder(struct queue *q, const char *domain, int *ret, struct err *err) {
	if (!is_file_name(domain))
		return err_set(err, ERR_SYNTAX, "not a domain that has a policy");
	*ret = file_opendir(q->dir, SPOOL_STS);
	return *ret < 0 ? err_sys(err, "%s", SPOOL_STS) : 0;
}

static bool take_id(struct span *line, const char *name, char ret[STSCACHE_ID_MAX + 1]) {
	struct span word, value;
	if (!codec_word_take(line, &word, &value) || !value.p ||
	    !span_eq(word, span_str(name)) || value.len > STSCACHE_ID_MAX)
		return false;
	memcpy(ret, value.p, value.len);
	ret[value.len] = '\0';
	return true;
}

static bool take_time(struct span *line, const char *name, int64_t *ret) {
	struct span word, value;
	uint64_t at;
	if (!codec_word_take(line, &word, &value) || !value.p ||
	    !span_eq(word, span_str(name)) || !span_uint(value, INT64_MAX, &at))
		return false;
	*ret = (int64_t)at;
	return true;
}

/* Reads the bytes of a file: its record, and what follows. */
static int parse(struct span bytes, struct stscache_entry *ret, struct span *ret_policy,
		 struct err *err) {
	struct span line, word, value;
	*ret = (struct stscache_entry){ .fetched_ms = 0 };
	if (words_record_take(&bytes, &line) && codec_word_take(&line, &word, &value) &&
	    span_eq(word, SPAN("policy")) && take_id(&line, "id", ret->id) &&
	    take_time(&line, "fetched", &ret->fetched_ms)) {
		if (!take_id(&line, "missed", ret->missed) ||
		    !take_time(&line, "at", &ret->missed_ms))
			ret->missed[0] = '\0';
		*ret_policy = bytes;
		return 0;
	}
	return err_set(err, ERR_MISSING, "the policy that was kept is damaged");
}

int stscache_read(struct queue *q, const char *domain, struct stscache_entry *ret,
		  struct buf *policy, struct err *err) {
	AUTO_BUF struct buf bytes = BUF_INIT(FILE_MAX);
	AUTO_FD int folder = -1;
	struct span text;
	*ret = (struct stscache_entry){ .fetched_ms = 0 };
	if (open_folder(q, domain, &folder, err) != 0)
		return -1;
	if (file_read(folder, domain, &bytes, NULL) != 0)
		return err_set(err, ERR_MISSING, "no policy is known");
	if (parse(buf_span(&bytes), ret, &text, err) != 0)
		return -1;
	return buf_add(policy, text) == 0 ? 0
					  : err_set(err, ERR_LIMIT, "the policy is too long");
}

int stscache_write(struct queue *q, const char *domain, const struct stscache_entry *e,
		   struct span policy, struct err *err) {
	AUTO_BUF struct buf out = BUF_INIT(FILE_MAX);
	AUTO_FD int folder = -1;
	size_t begin = words_record_begin(&out, "policy");
	codec_word_add(&out, "id", span_str(e->id));
	codec_word_add_int(&out, "fetched", e->fetched_ms);
	if (e->missed[0]) {
		codec_word_add(&out, "missed", span_str(e->missed));
		codec_word_add_int(&out, "at", e->missed_ms);
	}
	if (words_record_end(&out, begin) != 0 || buf_add(&out, policy) != 0)
		return err_set(err, ERR_LIMIT, "the policy is too long");
	if (open_folder(q, domain, &folder, err) != 0)
		return -1;
	return file_replace(folder, domain, 0600, buf_span(&out), err);
}

struct prune {
	int folder;
	stscache_over_fn *over;
	void *ctx;
};

/* A policy that is over, or bytes that are none and have been so for a day. */
static bool is_over(const struct prune *p, const char *name) {
	AUTO_BUF struct buf bytes = BUF_INIT(FILE_MAX);
	struct stscache_entry e;
	struct span policy;
	struct stat st;
	if (fstatat(p->folder, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
		return false;
	if (file_read(p->folder, name, &bytes, NULL) == 0 && is_file_name(name) &&
	    !file_is_temporary(name) && parse(buf_span(&bytes), &e, &policy, NULL) == 0)
		return p->over(p->ctx, &e, policy);
	return time(NULL) - st.st_mtim.tv_sec > DAY_S;
}

int stscache_prune(struct queue *q, stscache_over_fn *over, void *ctx, unsigned *ret_removed,
		   struct err *err) {
	struct prune p = { .over = over, .ctx = ctx };
	AUTO_FD int folder = file_opendir(q->dir, SPOOL_STS);
	int fd = folder < 0 ? -1 : file_opendir(folder, ".");
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	*ret_removed = 0;
	p.folder = folder;
	if (!dir) {
		auto_close(&fd);
		return err_sys(err, "%s/%s", q->path, SPOOL_STS);
	}
	for (struct dirent *e = readdir(dir); e; e = readdir(dir))
		if (is_over(&p, e->d_name) && file_unlink(folder, e->d_name) == 0)
			++*ret_removed;
	closedir(dir);
	return 0;
}
