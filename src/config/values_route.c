/* Values of a [route NAME]: patterns of addresses, users, the name of a relay. */

#include <stdlib.h>

#include "base/auto.h"
#include "config/keys.h"
#include "config/settings.h"
#include "config/values.h"

static char **text_of(const struct config_key *key, void *base) {
	return (char **)(void *)((char *)base + key->offset);
}

static void show_text(const struct config_key *key, const void *base, struct buf *out) {
	config_type_login.show(key, base, out);
}

static void clear_text(const struct config_key *key, void *base) {
	config_type_login.clear(key, base);
}

static int keep(const struct config_key *key, void *base, struct buf *b, struct err *err) {
	char *text = buf_take(b);
	if (!text)
		return err_set(err, ERR_MEMORY, "out of memory");
	clear_text(key, base);
	*text_of(key, base) = text;
	return 0;
}

static int bad_pattern(struct span word, struct err *err) {
	size_t at = span_find(word, '@');
	if (word.p[word.len - 1] == ',')
		return err_set(err, ERR_SYNTAX,
			       "%s: patterns are separated by blanks, without commas",
			       term_quote(word).s);
	if (at == 0)
		return err_set(err, ERR_SYNTAX, "%s matches no address; write *%.*s",
			       term_quote(word).s, (int)word.len, word.p);
	if (at == word.len)
		return err_set(err, ERR_SYNTAX,
			       "%s matches no address; all of a domain are written "
			       "*@example.org, one is alice@example.org",
			       term_quote(word).s);
	return err_set(err, ERR_SYNTAX, "%s matches no address", term_quote(word).s);
}

/* Words, each checked by one of the two functions below. */
static int parse_words(struct config_value *v, const struct config_key *key, void *base,
		       int (*check)(struct span word, struct err *err), struct err *err) {
	AUTO_BUF struct buf b = BUF_INIT(CONFIG_VALUE_MAX);
	struct span rest = v->text, word;
	while (config_value_word(v, &rest, &word)) {
		AUTO_BUF struct buf one = BUF_INIT(CONFIG_VALUE_MAX);
		size_t place = v->wrong;
		if (config_expand(v, word, &one, err) != 0)
			return -1;
		v->wrong = place;
		if (check(buf_span(&one), err) != 0)
			return -1;
		buf_addf(&b, "%s%s", b.len ? " " : "", buf_str(&one));
	}
	return keep(key, base, &b, err);
}

static int check_pattern(struct span word, struct err *err) {
	return route_pattern_ok(word) ? 0 : bad_pattern(word, err);
}

static int parse_patterns(struct config_value *v, const struct config_key *key, void *base,
			  struct err *err) {
	return parse_words(v, key, base, check_pattern, err);
}

const struct config_type config_type_patterns = { parse_patterns, show_text, clear_text };

static int check_user(struct span word, struct err *err) {
	uint64_t uid;
	if (span_uint(word, UINT32_MAX - 1, &uid))
		return 0;
	if (word.len >= 64 || span_find(word, '@') < word.len || span_find(word, ',') < word.len)
		return err_set(err, ERR_SYNTAX,
			       "%s is neither a user name nor a user id; several are separated "
			       "by blanks",
			       term_quote(word).s);
	return 0;
}

static int parse_users(struct config_value *v, const struct config_key *key, void *base,
		       struct err *err) {
	struct span rest = v->text, word;
	size_t n = 0;
	while (span_take_word(&rest, &word))
		n++;
	if (n > ROUTE_USERS_MAX)
		return err_set(err, ERR_LIMIT, "more than %u users", ROUTE_USERS_MAX);
	return parse_words(v, key, base, check_user, err);
}

const struct config_type config_type_users = { parse_users, show_text, clear_text };

static int parse_relay(struct config_value *v, const struct config_key *key, void *base,
		       struct err *err) {
	AUTO_BUF struct buf b = BUF_INIT(CONFIG_VALUE_MAX);
	struct span rest = v->text, word, more;
	span_take_word(&rest, &word);
	if (span_take_word(&rest, &more)) {
		v->wrong = (size_t)(more.p - v->text.p);
		return err_set(err, ERR_SYNTAX, "a route leads to one relay");
	}
	buf_add(&b, word);
	return keep(key, base, &b, err);
}

const struct config_type config_type_relay_name = { parse_relay, show_text, clear_text };
