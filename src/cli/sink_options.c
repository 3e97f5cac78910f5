/*
 * The command line of `nightmail sink`. Contradictions are refused here, so that the rest can
 * rely on what it reads. A password comes from a file, never from the command line, which
 * every user of the machine can see.
 */
#include "cli/sink.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/term.h"

#define SIZE_DEFAULT (64u << 20)

static const char help[] =
	"usage: nightmail sink [OPTION]...   an SMTP server that delivers nothing\n"
	"  --listen ADDR:PORT      where to listen (127.0.0.1:0; port 0: any free one)\n"
	"  --name NAME             name in greeting and certificate (localhost)\n"
	"  --tls DIR               STARTTLS with DIR/cert.pem, key.pem: made when absent\n"
	"  --cert FILE --key FILE  STARTTLS with this certificate and key (PEM)\n"
	"  --implicit-tls          TLS from the first byte, instead of STARTTLS\n"
	"  --require-tls           refuse mail before STARTTLS\n"
	"  --auth USER:FILE        offer AUTH with the password in FILE's first line\n"
	"  --require-auth          refuse mail before AUTH\n"
	"  --dir DIR               keep messages as DIR/N.eml, envelopes as DIR/N.json\n"
	"  --reply STAGE[:ADDRESS]=CODE[ TEXT][,N]    answer so, N times (always)\n"
	"  --close-at STAGE[:ADDRESS][,N]             close there without a word\n"
	"    STAGE: greeting ehlo starttls auth mail rcpt data content, to close also dot\n"
	"  --delay MS              send every answer MS milliseconds late\n"
	"  --max N                 end after N messages\n"
	"  --size BYTES            largest message (67108864)\n"
	"  --connections N         connections at once (100); others wait\n"
	"  --busy-beyond N         more than N at once are answered 421 and closed\n"
	"  --no-pipelining         do not offer PIPELINING\n"
	"  --chunking              offer CHUNKING (BDAT)\n"
	"  --requiretls            offer REQUIRETLS under TLS\n"
	"  --json                  print events as JSON, one a line; --help: this text\n"
	"example: nightmail sink --listen 127.0.0.1:2525 --tls /tmp/sink \\\n"
	"             --reply rcpt:bob@example.org='550 5.1.1 no such user'\n";

enum option_id {
	OPT_LISTEN = 1000,
	OPT_NAME,
	OPT_TLS,
	OPT_CERT,
	OPT_KEY,
	OPT_IMPLICIT_TLS,
	OPT_REQUIRE_TLS,
	OPT_AUTH,
	OPT_REQUIRE_AUTH,
	OPT_DIR,
	OPT_REPLY,
	OPT_CLOSE_AT,
	OPT_DELAY,
	OPT_MAX,
	OPT_SIZE,
	OPT_CONNECTIONS,
	OPT_BUSY_BEYOND,
	OPT_NO_PIPELINING,
	OPT_CHUNKING,
	OPT_REQUIRETLS,
	OPT_JSON,
	OPT_HELP,
};

static const struct option long_options[] = {
	{ "listen", required_argument, NULL, OPT_LISTEN },
	{ "name", required_argument, NULL, OPT_NAME },
	{ "tls", required_argument, NULL, OPT_TLS },
	{ "cert", required_argument, NULL, OPT_CERT },
	{ "key", required_argument, NULL, OPT_KEY },
	{ "implicit-tls", no_argument, NULL, OPT_IMPLICIT_TLS },
	{ "require-tls", no_argument, NULL, OPT_REQUIRE_TLS },
	{ "auth", required_argument, NULL, OPT_AUTH },
	{ "require-auth", no_argument, NULL, OPT_REQUIRE_AUTH },
	{ "dir", required_argument, NULL, OPT_DIR },
	{ "reply", required_argument, NULL, OPT_REPLY },
	{ "close-at", required_argument, NULL, OPT_CLOSE_AT },
	{ "delay", required_argument, NULL, OPT_DELAY },
	{ "max", required_argument, NULL, OPT_MAX },
	{ "size", required_argument, NULL, OPT_SIZE },
	{ "connections", required_argument, NULL, OPT_CONNECTIONS },
	{ "busy-beyond", required_argument, NULL, OPT_BUSY_BEYOND },
	{ "no-pipelining", no_argument, NULL, OPT_NO_PIPELINING },
	{ "chunking", no_argument, NULL, OPT_CHUNKING },
	{ "requiretls", no_argument, NULL, OPT_REQUIRETLS },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

void sink_options_help(void) {
	fputs(help, stdout);
}

__attribute__((format(printf, 1, 2))) static int complain(const char *fmt, ...) {
	AUTO_BUF struct buf text = BUF_INIT(4096), safe = BUF_INIT(16384);
	va_list ap;

	va_start(ap, fmt);
	buf_vaddf(&text, fmt, ap);
	va_end(ap);
	term_safe(&safe, buf_span(&text));
	fprintf(stderr, "nightmail sink: %s\ntry 'nightmail sink --help'\n",
		buf_str(&safe));
	return -1;
}

static int set_number(const char *option, const char *arg, uint64_t min, uint64_t max,
		      uint64_t *ret) {
	uint64_t n;

	if (!span_uint(span_str(arg), max, &n) || n < min)
		return complain("%s: '%s' is not a number from %llu to %llu", option, arg,
				(unsigned long long)min, (unsigned long long)max);
	*ret = n;
	return 0;
}

static int add_rule(struct sink_options *o, const char *option, const char *arg,
		    bool close) {
	struct err err = ERR_INIT;
	struct sink_rule *rule = &o->rules[o->rule_count];

	if (o->rule_count == SINK_RULES_MAX)
		return complain("%s: more than %d rules", option, SINK_RULES_MAX);
	if ((close ? sink_rule_parse_close(span_str(arg), rule, &err)
		   : sink_rule_parse_reply(span_str(arg), rule, &err)) < 0)
		return complain("%s %s: %s", option, arg, err.msg);
	o->rule_count++;
	return 0;
}

/* The first colon splits: a login has none, a path may. */
static int set_auth(struct sink_options *o, const char *arg) {
	const char *colon = strchr(arg, ':');

	if (!colon || colon == arg || !colon[1] ||
	    (size_t)(colon - arg) >= sizeof(o->login))
		return complain(
			"--auth: USER:FILE is needed, where FILE holds the password");
	snprintf(o->login, sizeof(o->login), "%.*s", (int)(colon - arg), arg);
	o->password_file = colon + 1;
	return 0;
}

static int set_listen(struct sink_options *o, const char *arg) {
	struct err err = ERR_INIT;

	if (net_addr_parse(span_str(arg), &o->listen, &err) < 0)
		return complain("--listen: %s", err.msg);
	return 0;
}

static int set_delay(struct sink_options *o, const char *arg) {
	uint64_t ms = 0;

	if (set_number("--delay", arg, 0, 600000, &ms) < 0)
		return -1;
	o->delay_ms = (int64_t)ms;
	return 0;
}

static int set_option(struct sink_options *o, enum option_id id, const char *arg) {
	switch (id) {
	case OPT_LISTEN:
		return set_listen(o, arg);
	case OPT_NAME:
		o->name = arg;
		return 0;
	case OPT_TLS:
		o->tls_dir = arg;
		return 0;
	case OPT_CERT:
		o->cert_file = arg;
		return 0;
	case OPT_KEY:
		o->key_file = arg;
		return 0;
	case OPT_IMPLICIT_TLS:
		o->implicit_tls = true;
		return 0;
	case OPT_REQUIRE_TLS:
		o->require_tls = true;
		return 0;
	case OPT_AUTH:
		return set_auth(o, arg);
	case OPT_REQUIRE_AUTH:
		o->require_auth = true;
		return 0;
	case OPT_DIR:
		o->dir = arg;
		return 0;
	case OPT_REPLY:
		return add_rule(o, "--reply", arg, false);
	case OPT_CLOSE_AT:
		return add_rule(o, "--close-at", arg, true);
	case OPT_DELAY:
		return set_delay(o, arg);
	case OPT_MAX:
		return set_number("--max", arg, 1, UINT32_MAX, &o->max);
	case OPT_SIZE:
		return set_number("--size", arg, 1000, UINT32_MAX, &o->size_max);
	case OPT_CONNECTIONS:
		return set_number("--connections", arg, 1, 1000, &o->connections_max);
	case OPT_BUSY_BEYOND:
		return set_number("--busy-beyond", arg, 1, 1000, &o->busy_beyond);
	case OPT_NO_PIPELINING:
		o->no_pipelining = true;
		return 0;
	case OPT_CHUNKING:
		o->chunking = true;
		return 0;
	case OPT_REQUIRETLS:
		o->requiretls = true;
		return 0;
	case OPT_JSON:
		o->json = true;
		return 0;
	case OPT_HELP:
		o->help = true;
		return 0;
	}
	return -1;
}

/* A name goes into replies and certificates. */
static bool name_is_fine(const char *name) {
	size_t len = strlen(name);

	return len > 0 && len <= 255 &&
	       strspn(name,
		      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") ==
		       len;
}

static int check_together(const struct sink_options *o) {
	bool tls = o->tls_dir || o->cert_file;

	if (!name_is_fine(o->name))
		return complain("--name: '%s' is not a host name", o->name);
	if (!o->cert_file != !o->key_file)
		return complain("--cert and --key belong together");
	if (o->tls_dir && o->cert_file)
		return complain("--tls and --cert cannot both be given");
	if (o->implicit_tls && !tls)
		return complain("--implicit-tls needs --tls or --cert");
	if (o->require_tls && !tls)
		return complain("--require-tls needs --tls or --cert");
	if (o->require_auth && !o->login[0])
		return complain("--require-auth needs --auth");
	return 0;
}

int sink_options_parse(int argc, char **argv, struct sink_options *ret) {
	int id;

	*ret = (struct sink_options){
		.name = "localhost",
		.size_max = SIZE_DEFAULT,
		.connections_max = 100,
	};
	net_addr_parse(SPAN("127.0.0.1:0"), &ret->listen, NULL);
	optind = 0; /* getopt may have run for the command before the subcommand */
	opterr = 0;
	while ((id = getopt_long(argc, argv, ":", long_options, NULL)) != -1) {
		if (id == ':')
			return complain("%s needs an argument", argv[optind - 1]);
		if (id == '?')
			return complain("unknown option: %s", argv[optind - 1]);
		if (set_option(ret, (enum option_id)id, optarg) < 0)
			return -1;
		if (ret->help)
			return 0;
	}
	if (optind < argc)
		return complain("unexpected argument: %s", argv[optind]);
	return check_together(ret);
}
