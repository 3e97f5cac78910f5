/*
 * [watch]: the domains whose DNS is looked at again and again. Names are compared with what was
 * found before, so each has one spelling.
 */

#include <stdlib.h>

#include "base/proc.h"
#include "base/term.h"
#include "config/source.h"

/* --- values --- */

static struct config_watch *member(const struct config_key *key, void *base) {
	return (void *)((char *)base + key->offset);
}

static const struct config_watch *member_of(const struct config_key *key,
					    const void *base) {
	return (const void *)((const char *)base + key->offset);
}

static void free_names(char **name, size_t count) {
	for (size_t i = 0; i < count; i++)
		free(name[i]);
}

static bool is_there(char *const *name, size_t count, struct span word) {
	for (size_t i = 0; i < count; i++)
		if (span_eq_nocase(word, span_str(name[i])))
			return true;
	return false;
}

static int add_domain(char **name, size_t count, struct span word, struct err *err) {
	if (count == CONFIG_WATCH_MAX)
		return err_set(err, ERR_LIMIT, "more than %d domains", CONFIG_WATCH_MAX);
	if (!config_is_hostname(word) || span_find(word, '.') == word.len)
		return err_set(
			err, ERR_SYNTAX,
			"%s is no domain; one with other letters is written in its "
			"form for DNS, xn--...",
			term_quote(word).s);
	if (is_there(name, count, word))
		return err_set(err, ERR_SYNTAX, "%s stands here twice",
			       term_quote(word).s);
	name[count] = span_dup(word);
	if (!name[count])
		return err_set(err, ERR_MEMORY, "out of memory");
	for (char *c = name[count]; *c; c++)
		*c = span_lower(*c);
	return 0;
}

static int parse_domains(struct config_value *v, const struct config_key *key, void *base,
			 struct err *err) {
	struct config_watch *w = member(key, base);
	char *fresh[CONFIG_WATCH_MAX] = { NULL };
	struct span rest = v->text, word;
	size_t n = 0;
	for (; config_value_word(v, &rest, &word); n++)
		if (add_domain(fresh, n, word, err) != 0) {
			free_names(fresh, n);
			return -1;
		}
	free_names(w->domain, w->domain_count);
	memcpy(w->domain, fresh, n * sizeof(fresh[0]));
	w->domain_count = n;
	return 0;
}

static void show_domains(const struct config_key *key, const void *base,
			 struct buf *out) {
	const struct config_watch *w = member_of(key, base);
	for (size_t i = 0; i < w->domain_count; i++)
		buf_addf(out, "%s%s", i ? " " : "", w->domain[i]);
}

static void clear_domains(const struct config_key *key, void *base) {
	struct config_watch *w = member(key, base);
	free_names(w->domain, w->domain_count);
	w->domain_count = 0;
}

const struct config_type config_type_watch_domains = { parse_domains, show_domains,
						       clear_domains };

static int parse_ips(struct config_value *v, const struct config_key *key, void *base,
		     struct err *err) {
	struct config_watch *w = member(key, base);
	struct inet_addr fresh[CONFIG_WATCH_IPS_MAX] = { { .bits = 0 } };
	struct span rest = v->text, word;
	size_t n = 0;
	for (; config_value_word(v, &rest, &word); n++) {
		if (n == CONFIG_WATCH_IPS_MAX)
			return err_set(err, ERR_LIMIT, "more than %d addresses",
				       CONFIG_WATCH_IPS_MAX);
		if (!inet_addr_parse(word, &fresh[n]))
			return err_set(err, ERR_SYNTAX, "%s is no IP address",
				       term_quote(word).s);
	}
	memcpy(w->ip, fresh, n * sizeof(fresh[0]));
	w->ip_count = n;
	return 0;
}

static void show_ips(const struct config_key *key, const void *base, struct buf *out) {
	const struct config_watch *w = member_of(key, base);
	for (size_t i = 0; i < w->ip_count; i++) {
		buf_adds(out, i ? " " : "");
		inet_addr_add(out, &w->ip[i]);
	}
}

static void clear_ips(const struct config_key *key, void *base) {
	member(key, base)->ip_count = 0;
}

const struct config_type config_type_watch_ips = { parse_ips, show_ips, clear_ips };

/* --- as a whole --- */

static const struct config_origin *place(const struct settings *s, const char *name) {
	int k = config_key_find(CONFIG_WATCH, span_str(name));
	return &s->source->watch.key[k < 0 ? 0 : k];
}

void config_check_watch(struct config_load *l) {
	static const char *const others[] = { "every", "ip" };
	const struct settings *s = l->s;
	if (s->watch.domain_count > 0 || l->incomplete || place(s, "domain")->broken)
		return;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		const struct config_origin *at = place(s, others[i]);
		if (at->file == 0 || at->unset)
			continue;
		config_complain(l, at, "[watch] has no domain; add domain = example.org");
		return;
	}
}

/* What nobody would hear of, and what nobody can do. */
void config_warn_watch(const struct settings *s, struct buf *out) {
	const struct config_notify *n = &s->notify;
	AUTO_BUF struct buf path = BUF_INIT(CONFIG_VALUE_MAX);
	struct err err = ERR_INIT;
	if (s->watch.domain_count == 0)
		return;
	if (proc_program("dns-check", &path, &err) != 0) {
		config_warn_at(s, place(s, "domain"), out);
		buf_addf(
			out,
			"domain: nothing can be looked at without dns-check: %s; install the "
			"package nightmail-tools\n",
			err.msg);
	}
	if (!n->command && !n->webhook && !n->desktop && !n->motd) {
		config_warn_at(s, place(s, "domain"), out);
		buf_adds(
			out,
			"domain: nobody hears of changes but the log; set command, webhook, "
			"desktop or motd in [notify]\n");
	}
}
