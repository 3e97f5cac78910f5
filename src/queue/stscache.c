/* One record line with its checksum, and behind it the policy as it came. */

#include "queue/stscache.h"

#include <string.h>

#include "base/auto.h"
#include "base/codec.h"
#include "base/file.h"
#include "queue/spool.h"
#include "queue/words.h"

#define FILE_MAX 131072

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

int stscache_read(struct queue *q, const char *domain, struct stscache_entry *ret,
		  struct buf *policy, struct err *err) {
	AUTO_BUF struct buf bytes = BUF_INIT(FILE_MAX);
	AUTO_FD int folder = -1;
	struct span rest, line, word, value;
	uint64_t at;
	*ret = (struct stscache_entry){ .fetched_ms = 0 };
	if (open_folder(q, domain, &folder, err) != 0)
		return -1;
	if (file_read(folder, domain, &bytes, NULL) != 0)
		return err_set(err, ERR_MISSING, "no policy is known");
	rest = buf_span(&bytes);
	if (words_record_take(&rest, &line) && codec_word_take(&line, &word, &value) &&
	    span_eq(word, SPAN("policy")) && codec_word_take(&line, &word, &value) && value.p &&
	    span_eq(word, SPAN("id")) && value.len <= STSCACHE_ID_MAX) {
		memcpy(ret->id, value.p, value.len);
		if (codec_word_take(&line, &word, &value) && value.p &&
		    span_eq(word, SPAN("fetched")) && span_uint(value, INT64_MAX, &at)) {
			ret->fetched_ms = (int64_t)at;
			return buf_add(policy, rest) == 0
				       ? 0
				       : err_set(err, ERR_LIMIT, "the policy is too long");
		}
	}
	return err_set(err, ERR_MISSING, "the policy that was kept is damaged");
}

int stscache_write(struct queue *q, const char *domain, const struct stscache_entry *e,
		   struct span policy, struct err *err) {
	AUTO_BUF struct buf out = BUF_INIT(FILE_MAX);
	AUTO_FD int folder = -1;
	size_t begin = words_record_begin(&out, "policy");
	codec_word_add(&out, "id", span_str(e->id));
	codec_word_add_int(&out, "fetched", e->fetched_ms);
	if (words_record_end(&out, begin) != 0 || buf_add(&out, policy) != 0)
		return err_set(err, ERR_LIMIT, "the policy is too long");
	if (open_folder(q, domain, &folder, err) != 0)
		return -1;
	return file_replace(folder, domain, 0600, buf_span(&out), err);
}
