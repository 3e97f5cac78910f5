/*
 * nightmail dkim keygen, record and check: private keys in files, and what of them is
 * published in DNS.
 */

#include <errno.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include "authres/dkim_key.h"
#include "authres/dkim_sign.h"
#include "base/auto.h"
#include "base/file.h"
#include "base/json.h"
#include "base/term.h"
#include "cli/cli.h"
#include "cli/nightmail_dkim.h"
#include "config/settings.h"
#include "net/dns_unbound.h"

#define BITS_DEFAULT 2048u
#define BITS_MAX 4096u
#define STRING_MAX 255u
#define KEY_FILE_MAX (64u << 10)

static const char program[] = "nightmail dkim";

/* --- keygen, record --- */

/* Appends the line of a zone file: the record in strings of at most 255 octets. */
static int add_zone_line(struct span selector, struct span domain,
			 const struct crypto_private *key, struct buf *out, struct err *err) {
	AUTO_BUF struct buf record = BUF_INIT(8192);
	if (dkim_key_name(selector, domain, out, err) != 0 ||
	    dkim_key_record(key, &record, err) != 0)
		return -1;
	buf_adds(out, ". 3600 IN TXT (");
	for (struct span rest = buf_span(&record); rest.len > 0;
	     rest = span_from(rest, STRING_MAX)) {
		struct span piece = span_head(rest, STRING_MAX);
		buf_addf(out, " \"%.*s\"", (int)piece.len, piece.p);
	}
	return buf_adds(out, " )") == 0 ? 0 : err_set(err, ERR_MEMORY, "out of memory");
}

static int one_name(const struct dkim_call *c, const char *action) {
	if (c->domains == 1 && c->selectors == 1 && c->keys == 1 && c->file_count == 0)
		return 0;
	return cli_usage(program,
			 "%s needs --domain, --selector and --key, once each, and "
			 "nothing else",
			 action);
}

static int print_record(const struct dkim_call *c, const struct crypto_private *key) {
	AUTO_BUF struct buf line = BUF_INIT(1u << 16);
	struct err err = ERR_INIT;
	if (add_zone_line(span_str(c->selector[0]), span_str(c->domain[0]), key, &line,
			  &err) != 0)
		return cli_fail(program, EX_DATAERR, "%s", err.msg);
	puts(buf_str(&line));
	return 0;
}

/* Never over a file that is there: a key that is in use may have no copy. */
static int write_key(const char *path, const struct crypto_private *key,
		     struct err *err) {
	AUTO_BUF struct buf pem = BUF_INIT(KEY_FILE_MAX);
	int r = -1;
	if (buf_room(&pem, KEY_FILE_MAX / 2) == NULL)
		return err_set(err, ERR_MEMORY, "out of memory");
	AUTO_FD int fd = file_openat(AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd < 0 && errno == EEXIST)
		return err_set(err, ERR_DENIED, "%s is there already; nothing was made",
			       path);
	if (fd < 0)
		return err_sys(err, "%s", path);
	if (crypto_private_write(key, &pem, err) == 0) {
		r = file_pwrite_all(fd, pem.data, pem.len, 0) == 0 && file_fsync(fd) == 0
			    ? 0
			    : err_sys(err, "%s", path);
	}
	buf_wipe(&pem);
	if (r != 0)
		file_unlink(AT_FDCWD, path);
	return r;
}

int nightmail_dkim_keygen(const struct dkim_call *c) {
	struct err err = ERR_INIT;
	uint64_t bits = BITS_DEFAULT;
	bool ed25519 = c->algorithm && strcmp(c->algorithm, "ed25519") == 0;
	int status = one_name(c, "keygen");
	if (status != 0)
		return status;
	if (c->algorithm && !ed25519 && strcmp(c->algorithm, "rsa") != 0)
		return cli_usage(program, "--algorithm %s: there are rsa and ed25519",
				 c->algorithm);
	if (c->bits && (ed25519 || !span_uint(span_str(c->bits), BITS_MAX, &bits) ||
			bits < DKIM_KEY_BITS_MIN))
		return cli_usage(program,
				 "--bits %s: an RSA key has from %u to %u; many DNS "
				 "servers are short of room for more than 2048",
				 c->bits, DKIM_KEY_BITS_MIN, BITS_MAX);
	struct crypto_private *key = crypto_private_make(ed25519 ? CRYPTO_ED25519
								 : CRYPTO_RSA,
							 (unsigned)bits, &err);
	if (!key || write_key(c->key[0], key, &err) != 0)
		status = cli_fail(program, EX_CANTCREAT, "%s", err.msg);
	else
		status = print_record(c, key);
	crypto_private_free(key);
	return status;
}

int nightmail_dkim_record(const struct dkim_call *c) {
	struct err err = ERR_INIT;
	int status = one_name(c, "record");
	if (status != 0)
		return status;
	struct crypto_private *key = nightmail_dkim_key(c->key[0], &err);
	if (!key)
		return cli_fail(program, EX_NOINPUT, "%s", err.msg);
	status = print_record(c, key);
	crypto_private_free(key);
	return status;
}

/* --- check --- */

enum state { FITS, WEAK, DIFFERS, UNREADABLE, UNKNOWN };

static const char *const state_names[] = {
	[FITS] = "ok",         [WEAK] = "warn",       [DIFFERS] = "FAIL",
	[UNREADABLE] = "FAIL", [UNKNOWN] = "unknown",
};

struct checked {
	const char *domain, *selector, *path;
	enum state state;
	struct buf words, cure; /* cure: what to publish, or empty */
};

/* The same public half on both sides, compared by a signature: it needs no second form of
 * either key. */
static bool same_key(const struct crypto_private *own, const struct dkim_key *public) {
	AUTO_BUF struct buf signature = BUF_INIT(4096);
	struct crypto_digest digest;
	return public->kind == crypto_private_kind(own) &&
	       crypto_sha256(SPAN("nightmail"), &digest) &&
	       crypto_private_sign(own, &digest, &signature, NULL) == 0 &&
	       crypto_public_verify(public->key, &digest, buf_span(&signature));
}

static void compare(struct checked *k, const struct crypto_private *own,
		    const struct dkim_key *public) {
	k->state = DIFFERS;
	if (public->revoked)
		buf_adds(&k->words, "the published key is revoked (p= is empty)");
	else if (!same_key(own, public))
		buf_adds(&k->words, "another key is published");
	else if (!public->sha256 || !public->email)
		buf_adds(&k->words, "the record does not allow what we sign with");
	else {
		bool short_key = public->kind == CRYPTO_RSA &&
				 public->bits < DKIM_KEY_BITS_GOOD;
		k->state = short_key || public->testing ? WEAK : FITS;
		buf_addf(&k->words, "is published, %s, %u bits%s",
			 public->kind == CRYPTO_RSA ? "RSA" : "Ed25519", public->bits,
			 short_key         ? ": too few, take 2048"
			 : public->testing ? ": in test, receivers may ignore it (t=y)"
					   : "");
	}
}

static void check_key(struct checked *k, struct dns *dns) {
	struct err err = ERR_INIT;
	struct dkim_key public;
	struct span selector = span_str(k->selector), domain = span_str(k->domain);
	enum dkim_key_found found;
	struct crypto_private *own = nightmail_dkim_key(k->path, &err);
	if (!own) {
		k->state = UNREADABLE;
		buf_adds(&k->words, err.msg);
		return;
	}
	do {
		found = dkim_key_get(dns, selector, domain, &public, &err);
	} while (found == DKIM_KEY_PENDING && dns_run(dns) > 0);
	if (found == DKIM_KEY_FOUND) {
		compare(k, own, &public);
		dkim_key_release(&public);
	} else {
		k->state = found == DKIM_KEY_TEMPORARY || found == DKIM_KEY_PENDING
				   ? UNKNOWN
				   : DIFFERS;
		buf_adds(&k->words, err.msg);
	}
	if (k->state == DIFFERS)
		add_zone_line(selector, domain, own, &k->cure, &err);
	crypto_private_free(own);
}

static void tell(const struct dkim_call *c, const struct checked *k, struct json *j) {
	if (c->json) {
		json_object(j, NULL);
		json_str(j, "domain", span_str(k->domain));
		json_str(j, "selector", span_str(k->selector));
		json_str(j, "key", span_str(k->path));
		json_str(j, "state", span_str(state_names[k->state]));
		json_str(j, "words", buf_span(&k->words));
		json_str_or_null(j, "publish",
				 k->cure.len ? buf_span(&k->cure) : span_of(NULL, 0));
		json_end(j);
		return;
	}
	printf("%-8s", state_names[k->state]);
	term_print(stdout, span_str(k->selector));
	fputs("._domainkey.", stdout);
	term_print(stdout, span_str(k->domain));
	fputs(": ", stdout);
	puts(buf_str(&k->words));
	if (k->cure.len)
		printf("        publish: %s\n", buf_str(&k->cure));
}

struct round {
	const struct dkim_call *call;
	struct dns *dns;
	struct json *json;
	int status;
};

static void check_one(struct round *r, const char *domain, const char *selector,
		      const char *path) {
	static const int codes[] = { 0, 1, 2, 2, 3 };
	struct checked k = { domain,  selector,       path,
			     UNKNOWN, BUF_INIT(4096), BUF_INIT(1u << 16) };
	check_key(&k, r->dns);
	tell(r->call, &k, r->json);
	if (codes[k.state] > r->status)
		r->status = codes[k.state];
	buf_release(&k.words);
	buf_release(&k.cure);
}

static void check_all(struct round *r, const struct settings *s) {
	const struct dkim_call *c = r->call;
	for (size_t i = 0; i < c->keys; i++)
		check_one(r, c->domain[i < c->domains ? i : c->domains - 1],
			  c->selector[i], c->key[i]);
	for (size_t i = 0; c->keys == 0 && i < s->dkim_count; i++)
		for (size_t k = 0; k < s->dkim[i].key.count; k++)
			check_one(r, s->dkim[i].domain, s->dkim[i].selector.word[k],
				  s->dkim[i].key.word[k]);
}

int nightmail_dkim_check(const struct dkim_call *c) {
	AUTO_BUF struct buf out = BUF_INIT(1u << 20), complaints = BUF_INIT(1u << 20);
	struct dns_unbound_options o = { .server = c->resolver };
	struct err err = ERR_INIT;
	struct settings s;
	struct json j = json_into(&out);
	if (c->keys != c->selectors || (c->keys > 0 && c->domains == 0) || c->file_count)
		return cli_usage(program,
				 "check takes --domain, --selector and --key together, "
				 "or none of them");
	/* keys that were named need no configuration */
	if (config_load(c->config, &s, &complaints) != 0 && (c->keys == 0 || c->config))
		cli_complaints(program, &complaints);
	if (!o.server)
		o.server = s.resolver;
	struct round r = { .call = c, .dns = dns_unbound_open(&o, &err), .json = &j };
	if (!r.dns) {
		config_release(&s);
		return cli_fail(program, EX_UNAVAILABLE, "%s", err.msg);
	}
	json_object(&j, NULL);
	json_array(&j, "keys");
	check_all(&r, &s);
	json_end(&j);
	json_end(&j);
	if (c->json)
		puts(buf_str(&out));
	else if (c->keys == 0 && s.dkim_count == 0)
		puts("there is no [dkim DOMAIN] in the configuration: nothing is signed");
	dns_close(r.dns);
	config_release(&s);
	return r.status;
}
