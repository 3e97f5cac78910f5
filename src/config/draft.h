#ifndef NIGHTMAIL_CONFIG_DRAFT_H
#define NIGHTMAIL_CONFIG_DRAFT_H

/*
 * A configuration in the making: values for some keys of the top, [relay default],
 * [identity] and [queue], each one checked by its key's own rules as it is set, and then put into the text
 * of a file that may already hold others. No I/O.
 *
 *     struct config_draft d = { .env = &env, .hostname = "mail.example.org" };
 *     config_draft_set(&d, "host", SPAN("smtp.example.net"), &err)
 *     config_draft_apply(&d, old_text, &new_text)
 *     config_draft_release(&d)
 */

#include <stdbool.h>

#include "config/keys.h"
#include "config/settings.h"

struct config_draft {
	struct config_env *env; /* for %u; must outlive the draft */
	const char *hostname;   /* %H */
	const char *folder;     /* where relative paths begin; NULL: they are refused */
	char *value
		[CONFIG_KEYS_MAX]; /* as in the file, by index of config_keys; NULL: unset */
	bool drop[CONFIG_KEYS_MAX]; /* taken out of the file */
};

void config_draft_release(struct config_draft *d);
/* Sets what a file's text has in [relay default], [identity] and [queue]; what is wrong there
 * is passed over. */
void config_draft_read(struct config_draft *d, struct span text);
/* Sets a key (of [relay default] when it is one of a relay) to a text as files have it. -1,
 * with the draft unchanged: the key does not take it, or there is no such key. */
int config_draft_set(struct config_draft *d, const char *key, struct span text,
		     struct err *err);
/* The same for a text in which a percent sign stands for itself. */
int config_draft_set_raw(struct config_draft *d, const char *key, struct span text,
			 struct err *err);
/* Unsets a key, and takes it out of the file. */
void config_draft_drop(struct config_draft *d, const char *key);
/* The text that was set, or NULL. */
const char *config_draft_get(const struct config_draft *d, const char *key);
/* Gives [relay default] as the daemon would see it, defaults included. Release it in both
 * cases. */
int config_draft_relay(const struct config_draft *d, struct config_relay *ret,
		       struct err *err);
void config_draft_relay_release(struct config_relay *relay);

/*
 * Appends the text with the draft's keys in it: a key that is there keeps its line when its
 * value is the same, else gets the new value; others go behind the last key of their section;
 * sections that are missing go to the end. All other lines stay as they are. -1: out of room.
 */
int config_draft_apply(const struct config_draft *d, struct span text, struct buf *out);

#endif
