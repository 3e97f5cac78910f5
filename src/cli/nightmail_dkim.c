/*
 * nightmail dkim: the command line, signing and verifying. Keys are made and compared with
 * what is published in nightmail_dkim_keys.c.
 */

#include "cli/nightmail_dkim.h"

#include <getopt.h>
#include <stdio.h>
#include <sysexits.h>

#include "authres/dkim_sign.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/term.h"
#include "cli/cli.h"
#include "cli/trace_input.h"
#include "cli/trace_verify.h"
#include "mail/header.h"
#include "net/dns_unbound.h"

#define KEY_FILE_MAX (64u << 10)
#define SIGNED_MAX (1u << 20)
#define DAY_S 86400

static const char program[] = "nightmail dkim";

static const char help[] =
	"usage: nightmail dkim sign --domain D --selector S --key PEM [--canon C]\n"
	"                      [--identity I] [--valid DAYS] [FILE]\n"
	"       nightmail dkim verify [--resolver ADDR] [--authres NAME] [--json]\n"
	"                      [FILE...]\n"
	"       nightmail dkim keygen --domain D --selector S --key PEM\n"
	"                      [--algorithm rsa|ed25519] [--bits N]\n"
	"       nightmail dkim record --domain D --selector S --key PEM\n"
	"       nightmail dkim check [--config FILE | --domain D --selector S --key PEM]\n"
	"                      [--resolver ADDR] [--json]\n"
	"  sign    write FILE (or standard input) with a signature before it; several\n"
	"          --selector with their --key make several\n"
	"  verify  verify all signatures; exit 0 one passes, 1 none does, 2 one fails,\n"
	"          3 DNS does not answer\n"
	"  keygen  make a key, write it to PEM (0600), and print its record\n"
	"  record  print the line for the zone\n"
	"  check   compare keys, of all [dkim] sections, with what is published\n"
	"  --canon C        header/body: relaxed/simple (default), simple/simple ...\n"
	"  --resolver ADDR  ask this server: 127.0.0.1@5300, [2001:db8::1]:53\n"
	"  --authres NAME   print an Authentication-Results field of server NAME\n";

struct crypto_private *nightmail_dkim_key(const char *path, struct err *err) {
	AUTO_BUF struct buf pem = BUF_INIT(KEY_FILE_MAX);
	struct crypto_private *k = NULL;
	if (!buf_room(&pem, KEY_FILE_MAX / 2)) {
		err_set(err, ERR_MEMORY, "out of memory");
		return NULL;
	}
	if (file_read(AT_FDCWD, path, &pem, err) == 0) {
		k = crypto_private_read(buf_span(&pem), err);
		if (!k)
			err_prefix(err, "%s", path);
	}
	buf_wipe(&pem);
	return k;
}

/* --- sign --- */

struct keys {
	struct crypto_private *key[DKIM_CLI_KEYS_MAX];
	struct dkim_signing how[DKIM_CLI_KEYS_MAX];
	size_t count;
};

static void release_keys(struct keys *k) {
	for (size_t i = 0; i < k->count; i++)
		crypto_private_free(k->key[i]);
}

static int read_keys(const struct dkim_call *c, struct keys *k, struct err *err) {
	enum canon header = CANON_RELAXED, body = CANON_SIMPLE;
	uint64_t days = 0;
	if (c->canon && !dkim_canon_parse(span_str(c->canon), &header, &body))
		return err_set(
			err, ERR_SYNTAX,
			"--canon %s: it is simple or relaxed for the header, / and the "
			"same for the body",
			c->canon);
	if (c->valid && (!span_uint(span_str(c->valid), 36500, &days) || days == 0))
		return err_set(err, ERR_SYNTAX, "--valid %s: a number of days is needed",
			       c->valid);
	for (size_t i = 0; i < c->keys; i++) {
		k->key[i] = nightmail_dkim_key(c->key[i], err);
		if (!k->key[i])
			return -1;
		k->count++;
		k->how[i] = (struct dkim_signing){
			.domain = span_str(
				c->domain[i < c->domains ? i : c->domains - 1]),
			.selector = span_str(c->selector[i]),
			.key = k->key[i],
			.header = header,
			.body = body,
			.valid_s = (int64_t)days * DAY_S,
			.identity = span_str(c->identity),
		};
	}
	return 0;
}

static int sign(const struct keys *k, struct span message, struct buf *out,
		struct err *err) {
	struct span header = span_head(message, header_block_len(message));
	struct span body = span_from(message, header.len);
	size_t line = span_find(message, '\n');
	bool lf = line < message.len && (line == 0 || message.p[line - 1] != '\r');
	struct dkim_signer *s = dkim_signer_new(k->how, k->count, err);
	if (!s)
		return -1;
	header_take_empty(&body);
	dkim_signer_feed(s, body);
	int r = dkim_signer_finish(s, header, clock_wall_ms() / 1000, lf ? "\n" : "\r\n",
				   out, err);
	dkim_signer_free(s);
	return r;
}

static int run_sign(const struct dkim_call *c) {
	AUTO_BUF struct buf message = BUF_INIT(TRACE_MESSAGE_MAX);
	AUTO_BUF struct buf fields = BUF_INIT(SIGNED_MAX);
	struct keys keys = { .count = 0 };
	struct err err = ERR_INIT;
	if (c->domains == 0 || c->selectors == 0 || c->selectors != c->keys)
		return cli_usage(
			program,
			"sign needs --domain, --selector and --key, each selector "
			"with its key");
	if (c->file_count > 1)
		return cli_usage(program, "sign takes one message");
	int r = read_keys(c, &keys, &err);
	if (r == 0)
		r = trace_input_read(c->file_count ? c->files[0] : "-", c->config,
				     &message, &err);
	if (r == 0)
		r = sign(&keys, buf_span(&message), &fields, &err);
	release_keys(&keys);
	if (r != 0)
		return cli_fail(program, EX_DATAERR, "%s", err.msg);
	fwrite(buf_str(&fields), 1, fields.len, stdout);
	fwrite(buf_str(&message), 1, message.len, stdout);
	return fflush(stdout) == 0 && !ferror(stdout)
		       ? 0
		       : cli_fail(program, EX_IOERR, "standard output cannot be written");
}

/* --- verify --- */

static void show_verified(const struct dkim_call *c, const char *file,
			  const struct trace_signatures *s) {
	AUTO_BUF struct buf out = BUF_INIT(1u << 20);
	if (c->authres) {
		trace_verify_field(s, span_str(c->authres), &out);
		fwrite(buf_str(&out), 1, out.len, stdout);
	} else if (c->json) {
		struct json j = json_into(&out);
		json_object(&j, NULL);
		json_str(&j, "file", span_str(file));
		trace_verify_json(&j, s);
		json_end(&j);
		puts(buf_str(&out));
	} else {
		if (c->file_count > 1) {
			term_print(stdout, span_str(file));
			puts(":");
		}
		trace_verify_print(stdout, s);
	}
}

static int verify_one(const struct dkim_call *c, const char *file, struct dns *dns) {
	AUTO_BUF struct buf message = BUF_INIT(TRACE_MESSAGE_MAX);
	struct trace_signatures s;
	struct err err = ERR_INIT;
	if (trace_input_read(file, c->config, &message, &err) != 0)
		return cli_fail(program, EX_NOINPUT, "%s", err.msg);
	if (trace_verify(buf_span(&message), TRACE_DKIM, dns, &s, &err) != 0)
		return cli_fail(program, EX_DATAERR, "%s", err.msg);
	show_verified(c, file, &s);
	int status = (int)trace_verify_status(&s);
	trace_signatures_release(&s);
	return status;
}

static int run_verify(const struct dkim_call *c) {
	struct dns_unbound_options o = { .server = c->resolver };
	struct err err = ERR_INIT;
	int status = 0;
	struct dns *dns = dns_unbound_open(&o, &err);
	if (!dns)
		return cli_fail(program, EX_UNAVAILABLE, "%s", err.msg);
	for (size_t i = 0; i < c->file_count || i == 0; i++) {
		int one = verify_one(c, c->file_count ? c->files[i] : "-", dns);
		if (one > status)
			status = one;
	}
	dns_close(dns);
	return status;
}

/* --- the command line --- */

static const struct {
	const char *name;
	int (*run)(const struct dkim_call *c);
} actions[] = {
	{ "sign", run_sign },
	{ "verify", run_verify },
	{ "keygen", nightmail_dkim_keygen },
	{ "record", nightmail_dkim_record },
	{ "check", nightmail_dkim_check },
};

/* Adds to a list of as many as there may be keys. */
static int add(const char **list, size_t *count, const char *value) {
	if (*count == DKIM_CLI_KEYS_MAX)
		return cli_usage(program, "more than %u keys", DKIM_CLI_KEYS_MAX);
	list[(*count)++] = value;
	return 0;
}

/* 0, or the exit code. */
static int take_option(struct dkim_call *c, int opt, char *value) {
	switch (opt) {
	case 'd':
		return add(c->domain, &c->domains, value);
	case 's':
		return add(c->selector, &c->selectors, value);
	case 'k':
		return add(c->key, &c->keys, value);
	case 'c':
		c->canon = value;
		return 0;
	case 'i':
		c->identity = value;
		return 0;
	case 'v':
		c->valid = value;
		return 0;
	case 'a':
		c->algorithm = value;
		return 0;
	case 'b':
		c->bits = value;
		return 0;
	case 'r':
		c->resolver = value;
		return 0;
	case 'A':
		c->authres = value;
		return 0;
	case 'C':
		c->config = value;
		return 0;
	default: /* 'j' */
		c->json = true;
		return 0;
	}
}

static int run_action(const char *name, struct dkim_call *c) {
	if (c->resolver && !dns_server_ok(span_str(c->resolver)))
		return cli_usage(
			program,
			"--resolver %s: an address is needed, as in 127.0.0.1@53",
			c->resolver);
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		if (strcmp(name, actions[i].name) == 0)
			return actions[i].run(c);
	return cli_usage(
		program,
		"unknown action %s; there are sign, verify, keygen, record and check",
		name);
}

int nightmail_dkim(int argc, char **argv) {
	static const struct option options[] = {
		{ "domain", required_argument, NULL, 'd' },
		{ "selector", required_argument, NULL, 's' },
		{ "key", required_argument, NULL, 'k' },
		{ "canon", required_argument, NULL, 'c' },
		{ "identity", required_argument, NULL, 'i' },
		{ "valid", required_argument, NULL, 'v' },
		{ "algorithm", required_argument, NULL, 'a' },
		{ "bits", required_argument, NULL, 'b' },
		{ "resolver", required_argument, NULL, 'r' },
		{ "authres", required_argument, NULL, 'A' },
		{ "config", required_argument, NULL, 'C' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct dkim_call call = { .domains = 0 };
	int opt;
	while ((opt = getopt_long(argc, argv, ":", options, NULL)) != -1) {
		int r;
		if (opt == 'h') {
			fputs(help, stdout);
			return 0;
		}
		if (opt == '?' || opt == ':')
			return cli_bad_option(program, opt, argv, options);
		if ((r = take_option(&call, opt, optarg)) != 0)
			return r;
	}
	if (optind == argc)
		return cli_usage(program, "sign, verify, keygen, record or check?");
	call.files = argv + optind + 1;
	call.file_count = (size_t)(argc - optind - 1);
	return run_action(argv[optind], &call);
}
