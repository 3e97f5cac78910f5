/* Values of a configuration in the making; where they go in a file stands in draft_apply.c. */

#include "config/draft.h"

#include <stdlib.h>

#include "config/ini.h"
#include "config/values.h"

/* With its key it has to fit a line. */
#define VALUE_MAX (INI_LINE_MAX - 64)

static int find(const char *name) {
	for (size_t k = 0; k < config_key_count; k++)
		if (strcmp(config_keys[k].name, name) == 0)
			return (int)k;
	return -1;
}

void config_draft_release(struct config_draft *d) {
	for (size_t k = 0; k < config_key_count; k++) {
		free(d->value[k]);
		d->value[k] = NULL;
		d->drop[k] = false;
	}
}

static int parse_into(const struct config_draft *d, size_t k, struct span text,
		      void *base, struct err *err) {
	const struct config_key *key = &config_keys[k];
	struct config_value v = {
		.text = text,
		.env = d->env,
		.hostname = d->hostname,
		.folder = d->folder,
	};
	return key->type->parse(&v, key, base, err);
}

/* The value goes into a struct that is thrown away: only whether it is taken counts. */
static int check(const struct config_draft *d, size_t k, struct span text,
		 struct err *err) {
	const struct config_key *key = &config_keys[k];
	struct settings whole = { .mode = CONFIG_SYSTEM };
	struct config_relay relay = { .name = NULL };
	struct route_rule route = { .name = NULL };
	void *base = key->section == CONFIG_RELAY   ? (void *)&relay
		     : key->section == CONFIG_ROUTE ? (void *)&route
						    : &whole;
	int r = parse_into(d, k, text, base, err);
	if (key->type->clear)
		key->type->clear(key, base);
	return r;
}

/* What the INI lexer takes for a value. */
static bool is_one_line(struct span text) {
	struct span rest = text;
	uint32_t cp;
	while (rest.len)
		if (!span_take_utf8(&rest, &cp) || cp < 0x20 || (cp >= 0x7f && cp < 0xa0))
			return false;
	return text.len > 0 && text.len <= VALUE_MAX;
}

int config_draft_set(struct config_draft *d, const char *key, struct span text,
		     struct err *err) {
	int k = find(key);
	text = span_trim(text);
	if (k < 0)
		return err_set(err, ERR_MISSING, "this version has no key %s", key);
	if (!is_one_line(text))
		return err_set(err, ERR_SYNTAX,
			       "%s: empty, too long, or not one line of UTF-8", key);
	if (check(d, (size_t)k, text, err) != 0)
		return err_prefix(err, "%s", key);
	char *copy = span_dup(text);
	if (!copy)
		return err_set(err, ERR_MEMORY, "out of memory");
	free(d->value[k]);
	d->value[k] = copy;
	d->drop[k] = false;
	return 0;
}

int config_draft_set_raw(struct config_draft *d, const char *key, struct span text,
			 struct err *err) {
	AUTO_BUF struct buf b = BUF_INIT(2 * CONFIG_VALUE_MAX);
	for (size_t i = 0; i < text.len; i++) {
		buf_addc(&b, text.p[i]);
		if (text.p[i] == '%')
			buf_addc(&b, '%');
	}
	if (buf_failed(&b))
		return err_set(err, ERR_LIMIT, "%s: the value is too long", key);
	return config_draft_set(d, key, buf_span(&b), err);
}

void config_draft_drop(struct config_draft *d, const char *key) {
	int k = find(key);
	if (k < 0)
		return;
	free(d->value[k]);
	d->value[k] = NULL;
	d->drop[k] = true;
}

const char *config_draft_get(const struct config_draft *d, const char *key) {
	int k = find(key);
	return k < 0 ? NULL : d->value[k];
}

int config_draft_relay(const struct config_draft *d, struct config_relay *ret,
		       struct err *err) {
	*ret = (struct config_relay){ .name = NULL };
	for (size_t k = 0; k < config_key_count; k++) {
		const char *text = d->value[k] ? d->value[k] : config_keys[k].fallback;
		if (config_keys[k].section == CONFIG_RELAY && text &&
		    parse_into(d, k, span_str(text), ret, err) != 0)
			return -1;
	}
	if (ret->port == 0)
		ret->port = ret->tls == CONFIG_TLS_IMPLICIT ? 465 : 587;
	return 0;
}

void config_draft_relay_release(struct config_relay *relay) {
	for (size_t k = 0; k < config_key_count; k++)
		if (config_keys[k].section == CONFIG_RELAY && config_keys[k].type->clear)
			config_keys[k].type->clear(&config_keys[k], relay);
}
