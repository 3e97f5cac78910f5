/* See grant.h. One line: "grant FROM UNTIL". */

#include "creds/grant.h"

#include <errno.h>
#include <fcntl.h>

#include "base/auto.h"
#include "base/file.h"

#define NAME_MAX_SIZE 8192u
#define TEXT_MAX 100u
#define TIME_MAX_S ((uint64_t)INT64_MAX / 2000)

static void name_file(struct buf *out, const char *tokens) {
	struct span name = span_str(tokens);
	struct span end = SPAN(".json");
	if (name.len > end.len && span_eq(span_from(name, name.len - end.len), end))
		name.len -= end.len;
	buf_add(out, name);
	buf_adds(out, ".ends");
}

const char *grant_tokens(const char *ref) {
	struct span rest = span_str(ref);
	return span_take_lit(&rest, SPAN("oauth2:")) ? rest.p : NULL;
}

bool grant_parse(struct span text, int64_t *ret_from_s, int64_t *ret_until_s) {
	uint64_t from, until;
	if (!span_take_lit(&text, SPAN("grant ")) || !span_take_uint(&text, TIME_MAX_S, &from) ||
	    !span_take_char(&text, ' ') || !span_take_uint(&text, TIME_MAX_S, &until) ||
	    !span_take_char(&text, '\n') || text.len > 0 || until == 0)
		return false;
	*ret_from_s = (int64_t)from;
	*ret_until_s = (int64_t)until;
	return true;
}

bool grant_read(const char *tokens, int64_t *ret_from_s, int64_t *ret_until_s) {
	AUTO_BUF struct buf name = BUF_INIT(NAME_MAX_SIZE), text = BUF_INIT(TEXT_MAX);
	name_file(&name, tokens);
	return file_read(AT_FDCWD, buf_str(&name), &text, NULL) == 0 &&
	       grant_parse(buf_span(&text), ret_from_s, ret_until_s);
}

int grant_write(const char *tokens, int64_t from_s, int64_t until_s, struct err *err) {
	AUTO_BUF struct buf name = BUF_INIT(NAME_MAX_SIZE), text = BUF_INIT(TEXT_MAX);
	name_file(&name, tokens);
	if (until_s <= 0)
		return file_unlink(AT_FDCWD, buf_str(&name)) == 0 || errno == ENOENT
			       ? 0
			       : err_sys(err, "%s: cannot remove", buf_str(&name));
	buf_addf(&text, "grant %lld %lld\n", (long long)from_s, (long long)until_s);
	return file_replace(AT_FDCWD, buf_str(&name), 0600, buf_span(&text), err);
}
