/*
 * Keys that mail cannot be signed with: such mail waits, and nobody would hear of it. Workers say
 * which keys they could not read, and which they can again; each worker reads them anew, so what
 * nobody has said for a day is not known any more.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/term.h"
#include "deliver/state.h"

#define KNOWN_MS (24 * 3600 * 1000LL)
#define TEXT_MAX 600u
#define KEY_MAX 400u
#define PREFIX "dkim "

static void drop(struct alerts *a, size_t i) {
	a->keys[i] = a->keys[--a->key_count];
}

/* NULL: there is no room. */
static struct alert_key *find_or_add(struct alerts *a, const char *name) {
	size_t i = 0;
	while (i < a->key_count && strcmp(a->keys[i].name, name) != 0)
		i++;
	if (!a->keys)
		a->keys = calloc(ALERT_KEYS_MAX, sizeof(*a->keys));
	if (!a->keys || i == ALERT_KEYS_MAX)
		return NULL;
	if (i == a->key_count)
		snprintf(a->keys[a->key_count++].name, sizeof(a->keys[i].name), "%s", name);
	return &a->keys[i];
}

void alert_unsigned(struct manager *m, const char *name, struct span words) {
	struct alerts *a = &m->alerts;
	AUTO_BUF struct buf text = BUF_INIT(TEXT_MAX);
	if (words.len == 0 && a->key_count == 0)
		return;
	struct alert_key *k = find_or_add(a, name);
	if (!k)
		return;
	a->changed = true; /* the manager's next round looks */
	manager_kick(m);
	if (words.len == 0) {
		drop(a, (size_t)(k - a->keys));
		return;
	}
	k->told_ms = clock_boot_ms();
	term_safe(&text, span_head(words, sizeof(k->text) / 2));
	snprintf(k->text, sizeof(k->text), "%s", buf_str(&text));
}

void alert_dkim_restore(struct manager *m, const struct alertstate *s) {
	struct moment now = clock_now();
	struct span name = span_str(s->key);
	struct alert_key *k = span_take_lit(&name, SPAN(PREFIX))
				      ? find_or_add(&m->alerts, s->key + strlen(PREFIX))
				      : NULL;
	if (!k)
		return;
	k->told_ms = now.boot_ms - clock_elapsed_ms(&s->told, &now);
	snprintf(k->text, sizeof(k->text),
		 "its key could not be read before the daemon was started");
}

/* Is "DOMAIN SELECTOR" still what mail is signed with? */
static bool is_configured(const struct manager *m, struct span name) {
	struct span domain, selector = name;
	if (!span_take_until(&selector, ' ', &domain))
		return false;
	for (size_t i = 0; i < m->settings.dkim_count; i++) {
		const struct config_dkim *d = &m->settings.dkim[i];
		if (!span_eq_nocase(span_str(d->domain), domain))
			continue;
		for (size_t k = 0; k < d->selector.count; k++)
			if (span_eq(span_str(d->selector.word[k]), selector))
				return true;
	}
	return false;
}

static void raise(struct manager *m, struct span name, const char *why) {
	AUTO_BUF struct buf key = BUF_INIT(KEY_MAX), text = BUF_INIT(TEXT_MAX);
	struct span domain, selector = name;
	span_take_until(&selector, ' ', &domain);
	buf_adds(&key, PREFIX);
	buf_add(&key, name);
	buf_adds(&text, "mail from ");
	term_safe(&text, domain);
	buf_adds(&text, " cannot be signed and waits: ");
	buf_adds(&text, why);
	alert_raise(m, ALERT_DKIM, buf_str(&key), NULL, buf_str(&text));
}

void alert_dkim(struct manager *m) {
	struct alerts *a = &m->alerts;
	int64_t now = clock_boot_ms();
	for (size_t i = 0; i < a->key_count;) {
		const struct alert_key *k = &a->keys[i];
		if (now - k->told_ms >= KNOWN_MS || !is_configured(m, span_str(k->name))) {
			drop(a, i);
			continue;
		}
		raise(m, span_str(k->name), k->text);
		i++;
	}
}
