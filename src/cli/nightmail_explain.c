/*
 * nightmail explain: what would become of a message from one address to others, by the
 * rules that the workers apply (mail/rewrite.h, route/route.h) and the configuration in force.
 * Nothing is sent; where the servers are is looked up.
 */

#include "cli/nightmail_explain.h"

#include <getopt.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/json.h"
#include "base/term.h"
#include "base/user.h"
#include "cli/cli.h"
#include "cli/explain_limits.h"
#include "cli/explain_way.h"
#include "config/settings.h"
#include "creds/creds.h"
#include "deliver/aliases_file.h"
#include "mail/addr.h"
#include "mail/rewrite.h"

#define OUTPUT_MAX (4u << 20)
#define EXIT_WAITS 1 /* of the codes that monitoring reads */
#define EXIT_CANNOT 2

static const char program[] = "nightmail explain";

static const char help[] =
	"usage: nightmail explain [--config FILE] [--user USER] [--json]\n"
	"                         [--relay NAME] [--require-tls | --tls-optional]\n"
	"                         FROM TO...\n"
	"Tells what would become of mail from FROM to TO: how the addresses are\n"
	"rewritten, which relay takes it and by which rule, the servers as they are\n"
	"looked up now, what is used of its quotas, who signs, and how long it is tried.\n"
	"Sends nothing.\n"
	"FROM may be '' or '<>', the null sender.\n"
	"exit 0: it would go, 1: some would be held or returned, 2: nothing can go\n"
	"  --config FILE  read FILE instead of the person's or the system's files\n"
	"  --user USER    as if this user sent it (a name or a number), not you\n"
	"  --relay NAME   as if its sender asked for this relay\n"
	"  --require-tls  as for a message that requires TLS (REQUIRETLS)\n"
	"  --tls-optional as for one whose header says TLS-Required: No\n"
	"  --json         one JSON object\n";

static const char *const tls_names[] = {
	[CONFIG_TLS_STARTTLS] = "starttls",
	[CONFIG_TLS_IMPLICIT] = "implicit",
	[CONFIG_TLS_OPPORTUNISTIC] = "opportunistic",
	[CONFIG_TLS_NONE] = "none",
	[CONFIG_TLS_DANE] = "dane",
};
static const char *const tls_words[] = {
	[CONFIG_TLS_STARTTLS] =
		"by STARTTLS; without it, or with a certificate that is not "
		"trusted, mail waits",
	[CONFIG_TLS_IMPLICIT] =
		"from the first byte; with a certificate that is not trusted "
		"mail waits",
	[CONFIG_TLS_OPPORTUNISTIC] =
		"by STARTTLS where it is offered, nothing is verified",
	[CONFIG_TLS_NONE] = "none: everything is readable on the way",
	[CONFIG_TLS_DANE] = "by STARTTLS, with a certificate that the server's TLSA records name; "
			    "without them mail waits",
};

struct call {
	const char *config;
	bool json;
	struct settings settings;
	struct aliases aliases;
	struct rewrite_rules rules;
	char trouble[ERR_MSG_SIZE];
	bool broken;           /* the configuration has errors */
	struct buf complaints; /* against configuration and aliases */
	uint32_t uid;          /* who would submit it */
	struct explain_wishes wishes;
	const char *relay; /* that its sender asks for, or "" */
	struct explain_ways ways;
	int status;
};

/* What becomes of one recipient. */
struct fate {
	struct span address;
	enum rewrite_result result;
	struct fixup_recipients to;
	struct err err;
};

/* --- finding out --- */

static void load_rules(struct call *c) {
	const struct settings *s = &c->settings;
	struct err err = ERR_INIT;
	c->rules = (struct rewrite_rules){
		.host = span_str(s->hostname),
		.domain = span_str(s->domain),
		.root = span_str(s->root),
		.from = span_str(s->from),
		.envelope_from = span_str(s->envelope_from),
		.masquerade = span_str(s->masquerade),
	};
	if (!s->aliases)
		return;
	if (aliases_file_read(s->aliases, &c->aliases, &c->complaints, &err) == 0) {
		c->rules.aliases = &c->aliases;
		return;
	}
	memcpy(c->trouble, err.msg, sizeof(c->trouble));
	c->rules.trouble = c->trouble;
}

/* An address as people write it: bare or in brackets. */
static bool take_address(const char *text, bool null_too, struct span *ret,
			 struct err *err) {
	struct span s = span_trim(span_str(text));
	struct addr parts;
	if (s.len >= 2 && s.p[0] == '<' && s.p[s.len - 1] == '>')
		s = span_trim(span_of(s.p + 1, s.len - 2));
	*ret = s;
	return (s.len == 0 && null_too) ||
	       addr_parse(s, ADDR_SUBMITTED, &parts, err) == 0;
}

static void find_fate(struct call *c, struct fate *f) {
	f->result = rewrite_recipient(&c->rules, f->address, &f->to, &f->err);
	if (f->result != REWRITE_DONE && c->status == EX_OK)
		c->status = EXIT_WAITS;
}

/* The domain that its From has when it leaves; empty: there is none, or it is a notice of ours. */
static struct span author_domain(const struct call *c, struct span from, struct buf *domain) {
	AUTO_BUF struct buf header = BUF_INIT(1024);
	struct addr parts;
	struct err err = ERR_INIT;
	if (from.len > 0)
		rewrite_in_field(&c->rules, REWRITE_FROM, from, &header);
	if (header.len == 0 || addr_parse(buf_span(&header), ADDR_SUBMITTED, &parts, &err) != 0 ||
	    addr_domain_ascii(parts.domain, domain, &err) != 0)
		buf_reset(domain);
	return buf_span(domain);
}

/* --- in words --- */

static void print_arrow(struct span before, struct span after) {
	term_print(stdout, before.len ? before : SPAN("<>"));
	if (span_eq(before, after))
		return;
	fputs(" -> ", stdout);
	term_print(stdout, after);
}

static void print_sender(const struct call *c, struct span from) {
	AUTO_BUF struct buf envelope = BUF_INIT(1024), header = BUF_INIT(1024);
	rewrite_sender(&c->rules, from, &envelope);
	fputs("from     ", stdout);
	print_arrow(from, buf_span(&envelope));
	if (from.len > 0) {
		rewrite_in_field(&c->rules, REWRITE_FROM, from, &header);
		if (!span_eq(buf_span(&header), buf_span(&envelope))) {
			fputs("; in the header ", stdout);
			term_print(stdout, buf_span(&header));
		}
	}
	fputc('\n', stdout);
}

static void print_recipient(const struct fate *f) {
	fputs("to       ", stdout);
	if (f->result != REWRITE_DONE) {
		term_print(stdout, f->address);
		fputs(f->result == REWRITE_LATER ? ": waits: "
						 : ": waits as held (local-name): ",
		      stdout);
		puts(f->err.msg); /* safe where it was made */
		return;
	}
	for (size_t i = 0; i < f->to.count; i++) {
		if (i == 0)
			print_arrow(f->address, span_str(f->to.address[i]));
		else
			term_print(stdout, span_str(f->to.address[i]));
		fputs(i + 1 < f->to.count ? ", " : "\n", stdout);
	}
}

static void print_tls(const struct config_relay *r) {
	bool published = r->tls == CONFIG_TLS_OPPORTUNISTIC &&
			 config_way(r, NULL) == CONFIG_WAY_MX;
	printf("tls      %s\n", published ? "by STARTTLS where it is offered; verified where the "
					     "domain publishes TLSA records or MTA-STS"
					   : tls_words[r->tls]);
	if (r->ca && r->tls != CONFIG_TLS_NONE) {
		fputs("         trusting ", stdout);
		term_print(stdout, span_str(r->ca));
		fputc('\n', stdout);
	}
	if (r->pin && r->tls != CONFIG_TLS_NONE)
		puts("         trusting the keys of pin alone");
}

static void print_login(const struct config_relay *r) {
	fputs("login    ", stdout);
	term_print(stdout, r->login ? span_str(r->login) : SPAN("none"));
	if (r->login && r->password && creds_is_token(span_str(r->password))) {
		fputs(", with a token of OAuth 2.0", stdout);
	} else if (r->login && r->password) {
		fputs(", password from ", stdout);
		term_print(stdout, span_str(r->password));
	}
	fputc('\n', stdout);
}

/* What the message itself wants, and what that means there. */
static void print_wishes(const struct explain_wishes *wishes, const struct explain_way *w) {
	bool open = w->destination[0] && w->relay->tls == CONFIG_TLS_OPPORTUNISTIC;
	if (wishes->requiretls)
		puts("         the message requires TLS: it goes to servers that are verified and "
		     "offer\n         REQUIRETLS, or not at all");
	else if (wishes->tls_optional && open)
		puts("         TLS-Required: No: what the domain publishes about TLS is not applied");
	else if (wishes->tls_optional)
		puts("         TLS-Required: No: changes nothing, the configuration decides here");
}

static void print_way(const struct call *c, const struct explain_way *w, bool several) {
	explain_way_print(w, several);
	explain_limits_print(w);
	if (config_way(w->relay, NULL) >= CONFIG_WAY_MAILDIR || w->result == TARGET_REFUSED)
		return;
	print_tls(w->relay);
	print_wishes(&c->wishes, w);
	explain_tls_print(&w->tls, &w->target);
	print_login(w->relay);
}

static void print_times(const struct settings *s, bool null_sender) {
	AUTO_BUF struct buf b = BUF_INIT(1024);
	buf_adds(&b, "retry    after ");
	term_duration(&b, s->retry_min_ms);
	buf_adds(&b, ", twice as long each time, up to ");
	term_duration(&b, s->retry_max_ms);
	if (s->warning_ms > 0 && !null_sender) {
		buf_adds(&b, "; the sender hears of it after ");
		term_duration(&b, s->warning_ms);
	}
	buf_adds(&b, null_sender ? "; kept for a person after " : "; returned after ");
	term_duration(&b, null_sender ? s->bounce_lifetime_ms : s->lifetime_ms);
	puts(buf_str(&b));
}

static void print_all(const struct call *c, struct span from, const struct fate *fates,
		      size_t count, const struct config_relay *relay) {
	bool tried = c->ways.count == 0;
	print_sender(c, from);
	for (size_t i = 0; i < count; i++)
		print_recipient(&fates[i]);
	for (size_t i = 0; relay && i < c->ways.count; i++)
		print_way(c, &c->ways.way[i], c->ways.count > 1);
	for (size_t i = 0; i < c->ways.count; i++)
		tried |= explain_way_is_tried(&c->ways.way[i]);
	if (!relay)
		puts("relay    none: mail is accepted and waits until the configuration is mended");
	AUTO_BUF struct buf author = BUF_INIT(1024);
	if (tried && relay && author_domain(c, from, &author).len > 0)
		explain_signed_print(&c->settings, buf_span(&author));
	if (tried)
		print_times(&c->settings, from.len == 0);
}

/* --- as JSON --- */

static void json_sender(struct json *j, const struct call *c, struct span from) {
	AUTO_BUF struct buf envelope = BUF_INIT(1024), header = BUF_INIT(1024);
	rewrite_sender(&c->rules, from, &envelope);
	if (from.len > 0)
		rewrite_in_field(&c->rules, REWRITE_FROM, from, &header);
	json_object(j, "from");
	json_str(j, "address", from);
	json_str(j, "envelope", buf_span(&envelope));
	json_str_or_null(j, "header", header.len ? buf_span(&header) : span_of(NULL, 0));
	json_end(j);
}

static void json_recipient(struct json *j, const struct fate *f) {
	bool done = f->result == REWRITE_DONE;
	json_object(j, NULL);
	json_str(j, "address", f->address);
	json_array(j, "becomes");
	for (size_t i = 0; done && i < f->to.count; i++)
		json_str(j, NULL, span_str(f->to.address[i]));
	json_end(j);
	json_str(j, "state",
		 span_str(done                         ? "goes"
			  : f->result == REWRITE_LATER ? "waits"
						       : "held"));
	json_str_or_null(j, "reason", span_str(done ? NULL : f->err.msg));
	json_end(j);
}

static void json_relay(struct json *j, const struct config_relay *r) {
	if (!r) {
		json_null(j, "relay");
		return;
	}
	json_object(j, "relay");
	json_str(j, "name", span_str(r->name));
	json_array(j, "hosts");
	for (size_t i = 0; i < r->host_count; i++)
		json_str(j, NULL, span_str(r->host[i]));
	json_end(j);
	json_int(j, "port", r->port);
	json_str(j, "tls", span_str(tls_names[r->tls]));
	json_str_or_null(j, "ca", span_str(r->ca));
	json_str_or_null(j, "login", span_str(r->login));
	json_str_or_null(j, "password", span_str(r->login ? r->password : NULL));
	json_end(j);
}

static void json_all(const struct call *c, struct span from, const struct fate *fates,
		     size_t count, const struct config_relay *relay) {
	const struct settings *s = &c->settings;
	AUTO_BUF struct buf out = BUF_INIT(OUTPUT_MAX);
	struct json j = json_into(&out);
	json_object(&j, NULL);
	json_sender(&j, c, from);
	json_bool(&j, "requiretls", c->wishes.requiretls);
	json_bool(&j, "tls_optional", c->wishes.tls_optional);
	json_array(&j, "recipients");
	for (size_t i = 0; i < count; i++)
		json_recipient(&j, &fates[i]);
	json_end(&j);
	json_relay(&j, relay);
	json_array(&j, "ways");
	for (size_t i = 0; i < c->ways.count; i++)
		explain_way_json(&j, &c->ways.way[i]);
	json_end(&j);
	AUTO_BUF struct buf author = BUF_INIT(1024);
	explain_signed_json(&j, s, author_domain(c, from, &author));
	json_object(&j, "retry");
	json_int(&j, "first", s->retry_min_ms / 1000);
	json_int(&j, "longest", s->retry_max_ms / 1000);
	json_int(&j, "warning", from.len ? s->warning_ms / 1000 : 0);
	json_int(&j, "lifetime",
		 (from.len ? s->lifetime_ms : s->bounce_lifetime_ms) / 1000);
	json_end(&j);
	json_end(&j);
	puts(buf_str(&out));
}

/* --- the command --- */

/* The ways of everything that goes. */
static void find_ways(struct call *c, struct span from, const struct fate *fates, size_t count) {
	AUTO_BUF struct buf relays = BUF_INIT(1u << 16), sender = BUF_INIT(4096);
	const struct route_table routes = config_routes(&c->settings, &relays);
	rewrite_sender(&c->rules, from, &sender);
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; fates[i].result == REWRITE_DONE && k < fates[i].to.count; k++) {
			const struct route_query q = {
				.sender = buf_span(&sender),
				.recipient = span_str(fates[i].to.address[k]),
				.uid = c->uid,
				.relay = span_str(c->relay),
			};
			explain_way_add(&c->ways, &c->settings, &routes, &q);
		}
	explain_ways_look_up(&c->ways, &c->settings, &c->wishes);
	explain_limits_find(&c->ways, &c->settings);
	for (size_t i = 0; i < c->ways.count; i++)
		if (!explain_way_goes(&c->ways.way[i]) && c->status == EX_OK)
			c->status = EXIT_WAITS;
}

static int explain(struct call *c, struct span from, struct fate *fates, size_t count) {
	const struct config_relay *relay = NULL;
	c->broken = config_load(c->config, &c->settings, &c->complaints) != 0;
	if (!c->broken && cli_check_relay(program, &c->settings, c->relay) != 0) {
		config_release(&c->settings);
		return EX_USAGE;
	}
	load_rules(c);
	if (!c->broken)
		relay = config_relay(&c->settings, "default");
	for (size_t i = 0; i < count; i++)
		find_fate(c, &fates[i]);
	if (!relay)
		c->status = EXIT_CANNOT;
	else
		find_ways(c, from, fates, count);
	if (c->ways.count > 0)
		relay = c->ways.way[0].relay;
	cli_complaints(program, &c->complaints);
	if (c->json)
		json_all(c, from, fates, count, relay);
	else
		print_all(c, from, fates, count, relay);
	for (size_t i = 0; i < count; i++)
		fixup_recipients_release(&fates[i].to);
	explain_ways_release(&c->ways);
	aliases_release(&c->aliases);
	config_release(&c->settings);
	return c->status;
}

static int run(struct call *c, char **argv, size_t count) {
	AUTO_FREE struct fate *fates = calloc(count, sizeof(*fates));
	struct span from;
	struct err err = ERR_INIT;
	if (!fates)
		return cli_fail(program, EX_OSERR, "out of memory");
	if (!take_address(argv[0], true, &from, &err))
		return cli_usage(program, "%s", err.msg);
	for (size_t i = 0; i < count; i++)
		if (!take_address(argv[i + 1], false, &fates[i].address, &err))
			return cli_usage(program, "%s", err.msg);
	return explain(c, from, fates, count);
}

static bool find_user(const char *text, uint32_t *ret) {
	struct user user;
	uint64_t uid;
	if (span_uint(span_str(text), UINT32_MAX - 1, &uid))
		*ret = (uint32_t)uid;
	else if (user_by_name(text, &user))
		*ret = user.uid;
	else
		return false;
	return true;
}

int nightmail_explain(int argc, char **argv) {
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "user", required_argument, NULL, 'u' },
		{ "json", no_argument, NULL, 'j' },
		{ "relay", required_argument, NULL, 'r' },
		{ "require-tls", no_argument, NULL, 't' },
		{ "tls-optional", no_argument, NULL, 'o' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct call c = { .complaints = BUF_INIT(1u << 20), .uid = getuid(), .relay = "" };
	int opt;
	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":", options, NULL)) != -1) {
		switch (opt) {
		case 'c':
			c.config = optarg;
			break;
		case 'u':
			if (!find_user(optarg, &c.uid))
				return cli_usage(program, "there is no user %s", optarg);
			break;
		case 'j':
			c.json = true;
			break;
		case 'r':
			c.relay = optarg;
			break;
		case 't':
			c.wishes.requiretls = true;
			break;
		case 'o':
			c.wishes.tls_optional = true;
			break;
		case 'h':
			fputs(help, stdout);
			return EX_OK;
		default:
			return cli_bad_option(program, opt, argv, options);
		}
	}
	if (c.wishes.requiretls && c.wishes.tls_optional)
		return cli_usage(program, "--require-tls and --tls-optional contradict each other");
	if (argc - optind < 2)
		return cli_usage(program, "from whom, and to whom?");
	int status = run(&c, argv + optind, (size_t)(argc - optind - 1));
	buf_release(&c.complaints);
	return status;
}
