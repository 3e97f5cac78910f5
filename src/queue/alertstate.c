/*
 * The file `alerts`: one checksummed line (queue/words.h) for each thing that is wrong.
 *
 *   alert KEY wall_ms= boot_ms= boot_id=
 */

#include "queue/alertstate.h"

#include <string.h>

#include "base/codec.h"
#include "base/file.h"
#include "queue/spool.h"
#include "queue/words.h"

#define FILE_MAX (1u << 20)

static bool read_alert(struct span line, struct alertstate *ret) {
	AUTO_BUF struct buf key = BUF_INIT(sizeof(ret->key) - 1);
	struct span word, value;
	unsigned seen = 0;
	if (!codec_word_take(&line, &word, &value) || value.p ||
	    !span_eq(word, SPAN("alert")) || !codec_word_take(&line, &word, &value) ||
	    value.p || codec_percent_decode(&key, word) != 0 ||
	    span_find(buf_span(&key), '\0') < key.len)
		return false;
	memcpy(ret->key, buf_str(&key), key.len + 1);
	while (codec_word_take(&line, &word, &value))
		if (!value.p || !words_moment(word, value, &ret->told, &seen))
			return false;
	return seen == WORDS_MOMENT_ALL;
}

size_t alertstate_parse(struct span bytes, struct alertstate *ret, size_t max) {
	size_t n = 0;
	struct span line;
	while (n < max && words_record_take(&bytes, &line))
		n += read_alert(line, &ret[n]);
	return n;
}

size_t alertstate_read(struct queue *q, struct alertstate *ret, size_t max) {
	AUTO_BUF struct buf bytes = BUF_INIT(FILE_MAX);
	if (file_read(q->dir, SPOOL_ALERTS, &bytes, NULL) != 0)
		return 0;
	return alertstate_parse(buf_span(&bytes), ret, max);
}

int alertstate_write(struct queue *q, const struct alertstate *s, size_t count,
		     struct err *err) {
	AUTO_BUF struct buf out = BUF_INIT(FILE_MAX);
	for (size_t i = 0; i < count; i++) {
		size_t begin = words_record_begin(&out, "alert ");
		codec_percent_add(&out, span_str(s[i].key));
		words_add_moment(&out, &s[i].told);
		if (words_record_end(&out, begin) != 0)
			return err_set(err, ERR_LIMIT, "%s: too many", SPOOL_ALERTS);
	}
	return file_replace(q->dir, SPOOL_ALERTS, 0600, buf_span(&out), err);
}
