/*
 * Values of [listen]: addresses to listen on, networks that may send, the files of TLS, yes
 * and no. Addresses are literals: which of a name's addresses to open is not for a resolver
 * to say.
 */

#include <stdlib.h>

#include "config/keys.h"
#include "config/settings.h"
#include "config/values.h"

static int parse_tcp(struct config_value *v, const struct config_key *key, void *base,
		     struct err *err) {
	struct config_listen *listen = (void *)((char *)base + key->offset);
	struct inet_port fresh[CONFIG_TCP_MAX] = { { .port = 0 } };
	struct span rest = v->text, word;
	size_t n = 0;
	while (config_value_word(v, &rest, &word)) {
		if (n == CONFIG_TCP_MAX)
			return err_set(err, ERR_LIMIT, "more than %d addresses",
				       CONFIG_TCP_MAX);
		if (inet_port_parse(word, &fresh[n], err) != 0)
			return -1;
		for (size_t i = 0; i < n; i++)
			if (fresh[n].port != 0 && fresh[i].port == fresh[n].port &&
			    inet_same(&fresh[i].addr, &fresh[n].addr))
				return err_set(err, ERR_SYNTAX, "%s stands here twice",
					       term_quote(word).s);
		n++;
	}
	memcpy(listen->tcp, fresh, n * sizeof(fresh[0]));
	listen->tcp_count = n;
	return 0;
}

static void show_tcp(const struct config_key *key, const void *base, struct buf *out) {
	const struct config_listen *listen = (const void *)((const char *)base + key->offset);
	for (size_t i = 0; i < listen->tcp_count; i++) {
		buf_adds(out, i ? " " : "");
		inet_port_add(out, &listen->tcp[i]);
	}
}

static void clear_tcp(const struct config_key *key, void *base) {
	struct config_listen *listen = (void *)((char *)base + key->offset);
	listen->tcp_count = 0;
}

const struct config_type config_type_tcp = { parse_tcp, show_tcp, clear_tcp };

static int parse_allow(struct config_value *v, const struct config_key *key, void *base,
		       struct err *err) {
	struct config_listen *listen = (void *)((char *)base + key->offset);
	struct inet_net fresh[CONFIG_ALLOW_MAX] = { { .prefix = 0 } };
	struct span rest = v->text, word;
	size_t n = 0;
	while (config_value_word(v, &rest, &word)) {
		if (n == CONFIG_ALLOW_MAX)
			return err_set(err, ERR_LIMIT, "more than %d networks",
				       CONFIG_ALLOW_MAX);
		if (inet_net_parse(word, &fresh[n], err) != 0)
			return -1;
		n++;
	}
	memcpy(listen->allow, fresh, n * sizeof(fresh[0]));
	listen->allow_count = n;
	return 0;
}

static void show_allow(const struct config_key *key, const void *base, struct buf *out) {
	const struct config_listen *listen = (const void *)((const char *)base + key->offset);
	for (size_t i = 0; i < listen->allow_count; i++) {
		buf_adds(out, i ? " " : "");
		inet_net_add(out, &listen->allow[i]);
	}
}

static void clear_allow(const struct config_key *key, void *base) {
	struct config_listen *listen = (void *)((char *)base + key->offset);
	listen->allow_count = 0;
}

const struct config_type config_type_allow = { parse_allow, show_allow, clear_allow };

static int parse_yes_no(struct config_value *v, const struct config_key *key, void *base,
			struct err *err) {
	bool *flag = (void *)((char *)base + key->offset);
	bool yes = span_eq(v->text, SPAN("yes"));
	if (!yes && !span_eq(v->text, SPAN("no")))
		return err_set(err, ERR_SYNTAX, "%s is neither yes nor no",
			       term_quote(v->text).s);
	*flag = yes;
	return 0;
}

static void show_yes_no(const struct config_key *key, const void *base, struct buf *out) {
	const bool *flag = (const void *)((const char *)base + key->offset);
	buf_adds(out, *flag ? "yes" : "no");
}

const struct config_type config_type_yes_no = { parse_yes_no, show_yes_no, NULL };

static void clear_tls_files(const struct config_key *key, void *base) {
	struct config_tls_files *files = (void *)((char *)base + key->offset);
	free(files->certificate);
	free(files->key);
	*files = (struct config_tls_files){ .key = NULL };
}

/* One word as a path; the column is that of the word. */
static char *take_path(struct config_value *v, struct span *rest, struct err *err) {
	static const struct config_key one = { .offset = 0 };
	struct config_value word = *v;
	char *path = NULL;
	if (!config_value_word(v, rest, &word.text))
		return NULL;
	if (config_type_path.parse(&word, &one, &path, err) != 0)
		v->wrong += word.wrong;
	return path;
}

static int parse_tls_files(struct config_value *v, const struct config_key *key, void *base,
			   struct err *err) {
	struct config_tls_files *files = (void *)((char *)base + key->offset);
	struct config_tls_files fresh = { .key = NULL };
	struct span rest = v->text, more;
	struct err why = ERR_INIT;
	fresh.certificate = take_path(v, &rest, &why);
	if (fresh.certificate && !(fresh.key = take_path(v, &rest, &why)) &&
	    why.kind == ERR_NONE)
		fresh.key = span_dup(span_str(fresh.certificate));
	if (why.kind == ERR_NONE && config_value_word(v, &rest, &more))
		err_set(&why, ERR_SYNTAX, "%s is one file too many: they are the "
			"certificate and its key", term_quote(more).s);
	if (why.kind == ERR_NONE && !fresh.key)
		err_set(&why, ERR_MEMORY, "out of memory");
	if (why.kind != ERR_NONE) {
		free(fresh.certificate);
		free(fresh.key);
		if (err)
			*err = why;
		return -1;
	}
	clear_tls_files(key, base);
	*files = fresh;
	return 0;
}

static void show_tls_files(const struct config_key *key, const void *base, struct buf *out) {
	const struct config_tls_files *files = (const void *)((const char *)base + key->offset);
	if (!files->certificate)
		return;
	buf_adds(out, files->certificate);
	if (strcmp(files->certificate, files->key) != 0)
		buf_addf(out, " %s", files->key);
}

const struct config_type config_type_tls_files = { parse_tls_files, show_tls_files,
						   clear_tls_files };

static int parse_sessions(struct config_value *v, const struct config_key *key, void *base,
			  struct err *err) {
	struct config_sessions *sessions = (void *)((char *)base + key->offset);
	struct span rest = v->text, word;
	uint64_t n[2];
	for (size_t i = 0; i < 2; i++) {
		if (!config_value_word(v, &rest, &word))
			return err_set(err, ERR_SYNTAX, "2 values are needed, not %zu", i);
		if (!span_uint(word, (uint64_t)key->max, &n[i]) || n[i] < (uint64_t)key->min)
			return err_set(err, ERR_SYNTAX, "%s is not a number from %lld to %lld",
				       term_quote(word).s, (long long)key->min,
				       (long long)key->max);
	}
	if (config_value_word(v, &rest, &word))
		return err_set(err, ERR_SYNTAX, "%s is one value too many",
			       term_quote(word).s);
	v->wrong = 0;
	if (n[1] > n[0])
		return err_set(err, ERR_SYNTAX,
			       "the second number, of one client, is above the first, of all");
	*sessions = (struct config_sessions){ (unsigned)n[0], (unsigned)n[1] };
	return 0;
}

static void show_sessions(const struct config_key *key, const void *base, struct buf *out) {
	const struct config_sessions *sessions =
		(const void *)((const char *)base + key->offset);
	buf_addf(out, "%u %u", sessions->all, sessions->each);
}

const struct config_type config_type_sessions = { parse_sessions, show_sessions, NULL };
