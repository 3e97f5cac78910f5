/*
 * nightmail-secret: one request to the desktop's keyring (the Secret Service), in a process of its
 * own, because libsecret brings GLib and threads. creds/keyring.h says how it is asked.
 *
 * The entry's attributes are searched for without unlocking anything: a prompt would wait for a
 * person who may not be there, and what is locked is to be told apart from what is missing.
 */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include <libsecret/secret.h>

#include "base/proc.h"
#include "cli/helper.h"
#include "creds/keyring.h"

#define PROGRAM "nightmail-secret"
#define TIME_LIMIT_S 28

static const SecretSchema schema = {
	.name = "org.nightmail.Relay",
	.flags = SECRET_SCHEMA_NONE,
	.attributes = { { "entry", SECRET_SCHEMA_ATTRIBUTE_STRING } },
};

/* In words what GLib says of the bus and of the service. */
static int failed(GError *e, struct err *err) {
	if (g_error_matches(e, G_DBUS_ERROR, G_DBUS_ERROR_SERVICE_UNKNOWN) ||
	    g_error_matches(e, G_DBUS_ERROR, G_DBUS_ERROR_NAME_HAS_NO_OWNER) ||
	    g_error_matches(e, G_DBUS_ERROR, G_DBUS_ERROR_SPAWN_SERVICE_NOT_FOUND))
		err_set(err, ERR_SYSTEM,
			"no keyring runs in this session: nobody answers to "
			"org.freedesktop.secrets");
	else if (e->domain == SECRET_ERROR && e->code == SECRET_ERROR_IS_LOCKED)
		err_set(err, ERR_DENIED,
			"the keyring is locked: it opens when its owner logs in");
	else
		err_set(err, ERR_SYSTEM, "the keyring does not work: %.200s", e->message);
	g_error_free(e);
	return -1;
}

static SecretService *connect_service(struct err *err) {
	GError *e = NULL;
	GDBusConnection *bus = g_bus_get_sync(G_BUS_TYPE_SESSION, NULL, &e);
	SecretService *s;
	if (!bus) {
		err_set(err, ERR_SYSTEM,
			"there is no session bus, where a keyring could be asked (%.100s); "
			"without a desktop write password = file:PATH",
			e->message);
		g_error_free(e);
		return NULL;
	}
	g_dbus_connection_set_exit_on_close(bus, FALSE);
	g_object_unref(bus);
	s = secret_service_get_sync(
		SECRET_SERVICE_OPEN_SESSION | SECRET_SERVICE_LOAD_COLLECTIONS, NULL, &e);
	if (!s)
		failed(e, err);
	return s;
}

/* True when there is one that is locked. */
static bool any_locked(SecretService *s) {
	GList *all = secret_service_get_collections(s);
	bool locked = false;
	for (GList *l = all; l; l = l->next)
		locked |= secret_collection_get_locked(l->data);
	g_list_free_full(all, g_object_unref);
	return locked;
}

/* The first item of that name; NULL with the reason. */
static SecretItem *find(SecretService *s, GHashTable *attributes, const char *entry,
			struct err *err) {
	GError *e = NULL;
	GList *found = secret_service_search_sync(s, &schema, attributes, SECRET_SEARCH_ALL,
						  NULL, &e);
	SecretItem *item = NULL;
	if (e) {
		failed(e, err);
		return NULL;
	}
	if (found)
		item = g_object_ref(found->data);
	g_list_free_full(found, g_object_unref);
	if (!item && any_locked(s))
		err_set(err, ERR_DENIED,
			"the keyring is locked, so it cannot be told whether there is an entry "
			"%.64s: it opens when its owner logs in", entry);
	else if (!item)
		err_set(err, ERR_MISSING,
			"the keyring has no entry %.64s; nightmail secret set makes it", entry);
	else if (secret_item_get_locked(item))
		err_set(err, ERR_DENIED,
			"the keyring is locked (it has an entry %.64s): it opens when its owner "
			"logs in", entry);
	else
		return item;
	if (item)
		g_object_unref(item);
	return NULL;
}

static int read_secret(SecretItem *item, struct buf *secret, struct err *err) {
	GError *e = NULL;
	if (!secret_item_load_secret_sync(item, NULL, &e))
		return failed(e, err);
	SecretValue *value = secret_item_get_secret(item);
	gsize len = 0;
	const gchar *p = value ? secret_value_get(value, &len) : NULL;
	int r = p ? buf_addm(secret, p, len) : -1;
	if (value)
		secret_value_unref(value);
	return r == 0 ? 0 : err_set(err, ERR_LIMIT, "the secret in the keyring is too long");
}

static int store(SecretService *s, GHashTable *attributes, const char *entry,
		 struct span secret, struct err *err) {
	GError *e = NULL;
	gchar *label = g_strdup_printf("nightmail relay %s", entry);
	SecretValue *value = secret_value_new(secret.p, (gssize)secret.len, "text/plain");
	gboolean fine = secret_service_store_sync(s, &schema, attributes,
						  SECRET_COLLECTION_DEFAULT, label, value,
						  NULL, &e);
	secret_value_unref(value);
	g_free(label);
	if (fine)
		return 0;
	if (any_locked(s)) {
		g_error_free(e);
		return err_set(err, ERR_DENIED,
			       "the keyring is locked: it opens when its owner logs in");
	}
	return failed(e, err);
}

static int act(enum keyring_act what, const char *entry, struct buf *secret,
	       struct err *err) {
	SecretService *s = connect_service(err);
	GError *e = NULL;
	int r = 0;
	if (!s)
		return -1;
	GHashTable *attributes = secret_attributes_build(&schema, "entry", entry, NULL);
	if (what == KEYRING_SET) {
		r = store(s, attributes, entry, buf_span(secret), err);
	} else {
		SecretItem *item = find(s, attributes, entry, err);
		if (!item)
			r = -1;
		else if (what == KEYRING_DELETE)
			r = secret_item_delete_sync(item, NULL, &e) ? 0 : failed(e, err);
		else
			r = read_secret(item, secret, err);
		if (item)
			g_object_unref(item);
	}
	g_hash_table_unref(attributes);
	g_object_unref(s);
	return r;
}

static int serve(struct buf *frame, struct buf *entry, struct buf *secret) {
	struct pollfd p = { .fd = KEYRING_CHANNEL_FD, .events = POLLIN };
	struct err err = ERR_INIT;
	enum keyring_act what;
	poll(&p, 1, TIME_LIMIT_S * 1000);
	if (proc_recv(KEYRING_CHANNEL_FD, frame, NULL) != 1)
		return EX_IOERR;
	int r = keyring_request_parse(buf_span(frame), &what, entry, secret, &err);
	buf_wipe(frame);
	if (r == 0)
		r = act(what, buf_str(entry), secret, &err);
	if (what != KEYRING_GET)
		buf_wipe(secret);
	buf_reset(frame);
	if (keyring_answer_write(frame, buf_span(secret), r == 0 ? NULL : &err) != 0)
		return EX_SOFTWARE;
	return proc_send(KEYRING_CHANNEL_FD, buf_span(frame), -1) == 0 ? EX_OK : EX_IOERR;
}

int main(int argc, char **argv) {
	struct buf frame = BUF_INIT(KEYRING_FRAME_MAX), secret = BUF_INIT(SECRET_MAX);
	struct buf entry = BUF_INIT(256);
	int status = helper_start(PROGRAM, "asks the desktop's keyring for a secret", argc, argv);
	if (status >= 0)
		return status;
	if (!helper_has_socket(KEYRING_CHANNEL_FD, SOCK_SEQPACKET))
		return helper_refuse(PROGRAM);
	proc_harden();
	alarm(TIME_LIMIT_S);
	status = buf_room(&frame, KEYRING_FRAME_MAX) && buf_room(&secret, SECRET_MAX)
			 ? serve(&frame, &entry, &secret)
			 : EX_OSERR;
	buf_wipe(&frame);
	buf_wipe(&secret);
	buf_release(&frame);
	buf_release(&secret);
	buf_release(&entry);
	return status;
}
