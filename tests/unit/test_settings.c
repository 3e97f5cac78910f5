/*
 * Settings from files in a directory of their own: modes and places, values and defaults,
 * merging, and every complaint with its place. The system is replaced by a config_env.
 */

#include <errno.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/file.h"
#include "config/source.h"

#include "tap.h"

static char root[] = "/tmp/nightmail-test-XXXXXX";
static char paths[8][200]; /* each user of path() keeps its own slot */

static const char *path(unsigned slot, const char *below) {
	snprintf(paths[slot], sizeof(paths[slot]), "%s/%s", root, below);
	return paths[slot];
}

static void put(const char *below, const char *text) {
	char file[200];
	snprintf(file, sizeof(file), "%s/%s", root, below);
	for (char *slash = strchr(file + strlen(root) + 1, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(file, 0700);
		*slash = '/';
	}
	AUTO_FD int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		printf("Bail out! cannot write %s\n", file);
}

static int remove_one(const char *name, const struct stat *st, int flag,
		      struct FTW *ftw) {
	(void)st, (void)flag, (void)ftw;
	return remove(name);
}

static void remove_all(const char *name) {
	nftw(name, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static struct config_env test_env(void) {
	return (struct config_env){
		.system_dir = path(0, "etc"),
		.system_state = "/spool",
		.system_run = "/run/test",
		.run_user = path(1, "run-user"),
		.hosts = path(2, "hosts"),
		.hostname = "mx.example.org",
		.uid = getuid() + 4000,
		.asked = true,
	};
}

/* Loads text as a private configuration; root is replaced by ROOT in the complaints. */
static int load_text(const char *text, struct settings *s, struct buf *errors) {
	struct config_env env = test_env();
	put("private.conf", text);
	return config_load_env(path(3, "private.conf"), &env, s, errors);
}

#define QUEUE "[queue]\ndir = /q\n"
#define DEFAULT QUEUE "[relay default]\nhost = a.example\n" /* 4 lines */

/* Which ways there are, and what follows from them. */
static void test_ways(void) {
	static const struct {
		const char *host;
		enum config_way way;
		const char *target;
		unsigned port;
		enum config_tls tls;
	} ways[] = {
		{ "a.example b.example*2", CONFIG_WAY_HOSTS, "", 587, CONFIG_TLS_STARTTLS },
		{ "mx:", CONFIG_WAY_MX, "", 25, CONFIG_TLS_OPPORTUNISTIC },
		{ "MX:example.org", CONFIG_WAY_MX, "example.org", 25, CONFIG_TLS_OPPORTUNISTIC },
		{ "srv:example.org", CONFIG_WAY_SRV, "example.org", 587, CONFIG_TLS_STARTTLS },
		{ "lmtp:/run/lmtp", CONFIG_WAY_LMTP, "/run/lmtp", 587, CONFIG_TLS_NONE },
		{ "lmtp:[::1]:24", CONFIG_WAY_LMTP, "[::1]:24", 587, CONFIG_TLS_NONE },
		{ "maildir:/home/a/Maildir", CONFIG_WAY_MAILDIR, "/home/a/Maildir", 587,
		  CONFIG_TLS_STARTTLS },
		{ "discard:", CONFIG_WAY_DISCARD, "", 587, CONFIG_TLS_STARTTLS },
		{ "hold: until I am back", CONFIG_WAY_HOLD, "until I am back", 587,
		  CONFIG_TLS_STARTTLS },
		{ "error:5.7.1 not from here", CONFIG_WAY_ERROR, "5.7.1 not from here", 587,
		  CONFIG_TLS_STARTTLS },
	};
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		AUTO_BUF struct buf text = BUF_INIT(1000), errors = BUF_INIT(1000);
		struct settings s;
		const char *target = "?";
		buf_addf(&text, QUEUE "[relay default]\nhost = %s\n", ways[i].host);
		is_int(load_text(buf_str(&text), &s, &errors), 0, "%s %s", ways[i].host,
		       buf_str(&errors));
		ok(s.relay_count == 1 && config_way(s.relay, &target) == ways[i].way &&
			   strcmp(target, ways[i].target) == 0 && s.relay->port == ways[i].port &&
			   s.relay->tls == ways[i].tls,
		   "%s is what it is", ways[i].host);
		ok(config_is_per_domain(s.relay) == (strcmp(ways[i].host, "mx:") == 0),
		   "%s: destinations of their own", ways[i].host);
		config_release(&s);
	}
}

static void test_routes(void) {
	struct settings s;
	AUTO_BUF struct buf errors = BUF_INIT(10000), names = BUF_INIT(1000),
			    warnings = BUF_INIT(10000);
	is_int(load_text(DEFAULT "[relay b]\nhost = b.example\n"
				 "[route one]\nsender = *@a.example <>\nuser = 0 root\nrelay = b\n"
				 "[route two]\nrecipient = *\nrelay = default\n"
				 "[route three]\nrecipient = *@c.example\nrelay = b\n"
				 "[route four]\nuser = nobody-of-that-name\nrelay = b\n",
			 &s, &errors),
	       0, "routes are read %s", buf_str(&errors));
	struct route_table t = config_routes(&s, &names);
	is_int((int64_t)t.count, 4, "all of them");
	is_str(buf_str(&names), "default b", "with the names of the relays");
	ok(t.rule[0].uid_count == 2 && t.rule[0].uid[0] == 0 && t.rule[0].uid[1] == 0,
	   "users by number and by name");
	config_warnings(&s, &warnings);
	ok(strstr(buf_str(&warnings),
		  ":14:2: warning: [route three] never matches: [route two] before it takes the "
		  "same mail\n"),
	   "a route that is covered is a warning: %s", buf_str(&warnings));
	ok(strstr(buf_str(&warnings), ":18:1: warning: user: nobody here is called "
				      "nobody-of-that-name\n"),
	   "so is a user that is none");
	ok(!strstr(buf_str(&warnings), "no route leads"), "a relay with a route is used");
	config_release(&s);
}

/* Values that are several numbers are shown as they are written. */
static void test_rates(void) {
	static const char *const lines[] = {
		"rate = 10/s",      "rate = 100/15m",    "rate = 1/d",
		"quota = 500/d",    "quota = 100/h",     "quota = 100/h 500/d",
		"domain-rate = 5/90s", "domain-quota = 9/d",
		"warmup = 50 1.5 2026-11-22", "warmup = 1 10 2000-02-29", "domain-warmup = 2 1.05 2026-12-31",
	};
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		AUTO_BUF struct buf text = BUF_INIT(1000), shown = BUF_INIT(20000),
				    want = BUF_INIT(1000), errors = BUF_INIT(1000);
		struct settings s;
		buf_addf(&text, DEFAULT "%s\n", lines[i]);
		is_int(load_text(buf_str(&text), &s, &errors), 0, "%s %s", lines[i],
		       buf_str(&errors));
		config_show(&s, &shown);
		buf_addf(&want, "relay default %s  # ", lines[i]);
		ok(strstr(buf_str(&shown), buf_str(&want)), "%s is shown as it is", lines[i]);
		config_release(&s);
	}
}

static void test_values(void) {
	struct settings s;
	AUTO_BUF struct buf errors = BUF_INIT(10000);
	int r = load_text("[relay default]\n"
			  "host = a.example  192.0.2.1\t2001:db8::1 %h.b.example\n"
			  "login = %H+%%@example.net\n"
			  "password = file:/etc/pw\n"
			  "tls = implicit\n"
			  "auth = plain Scram-SHA-256\n"
			  "timeouts = 1s 2m 3h\n"
			  "probe = 250ms\n"
			  "connections = 3\n"
			  "[queue]\n"
			  "dir = /var/q//\n"
			  "size-limit = 10k\n"
			  "reserve = 0\n"
			  "user-limit = 20/h 1M\n"
			  "storm-limit = 7/90s\n"
			  "long-lines = send\n"
			  "retry = 10s 2d\n"
			  "warning = never\n"
			  "[identity]\n"
			  "from = %h-root@example.org\n",
			  &s, &errors);
	const struct config_relay *relay = config_relay(&s, "default");
	is_int(r, 0, "a valid file loads");
	is_str(buf_str(&errors), "", "without a complaint");
	ok(config_usable(&s), "and is usable");
	if (!ok(relay != NULL, "there is a default relay"))
		return;
	is_int((int)relay->host_count, 4, "with four hosts");
	is_str(relay->host[2], "2001:db8::1", "an address is a host");
	is_str(relay->host[3], "mx.b.example", "%%h is the short name");
	is_str(relay->login, "mx.example.org+%@example.net",
	       "%%H is the full name, %%%% a percent");
	is_str(relay->password, "file:/etc/pw", "the password is a reference");
	is_int(relay->tls, CONFIG_TLS_IMPLICIT, "tls is implicit");
	is_int(relay->port, 465, "so the port is 465");
	is_str(relay->auth, "PLAIN SCRAM-SHA-256",
	       "mechanisms are in capitals, in their order");
	is_int(relay->connect_timeout_ms, 1000, "seconds are read");
	is_int(relay->reply_timeout_ms, 120000, "minutes are read");
	is_int(relay->data_timeout_ms, 10800000, "hours are read");
	is_int(relay->probe_ms, 250, "milliseconds are read");
	is_int(relay->connections, 3, "connections are read");
	is_int(relay->per_connection, 1000, "what is not set has its default");
	is_str(s.dir, "/var/q", "slashes at the end of a path are dropped");
	is_str(s.rundir, "/var/q/run", "sockets stand below a private directory");
	is_int((int64_t)s.size_limit, 10240, "sizes are in units of 1024");
	is_int(s.long_lines, CONFIG_LONG_LINES_SEND, "long lines may be sent");
	is_int((int64_t)s.reserve_bytes, 0, "0 is a size");
	is_int(s.user_limit.per_hour, 20, "messages an hour are read");
	is_int((int64_t)s.user_limit.bytes, 1 << 20, "and the bytes of a user");
	is_int(s.storm_limit.count, 7, "what a storm is");
	is_int(s.storm_limit.window_ms, 90000, "and its window");
	is_int(s.retry_min_ms, 10000, "the first wait is read");
	is_int(s.retry_max_ms, 172800000, "the longest wait is read");
	is_int(s.warning_ms, 0, "never is 0");
	is_str(s.from, "mx-root@example.org", "from is expanded");
	is_str(s.domain, "mx.example.org", "the domain is the host name");
	is_str(s.helo, "mx.example.org", "helo is the host name");
	ok(config_relay(&s, "office") == NULL, "there is no other relay");
	config_release(&s);
	config_release(&s);
	ok(!config_usable(&s), "released settings are not usable");
}

static void test_defaults(void) {
	struct settings s;
	AUTO_BUF struct buf errors = BUF_INIT(10000);
	is_int(load_text(DEFAULT, &s, &errors), 0, "four lines are enough");
	const struct config_relay *relay = config_relay(&s, "default");
	is_int(relay ? relay->port : 0, 587, "the port is 587");
	is_int(relay ? (int)relay->tls : -1, CONFIG_TLS_STARTTLS, "tls is starttls");
	ok(relay && !relay->login && !relay->password && !relay->auth, "nobody logs in");
	is_int(relay ? relay->connections : 0, 10, "10 connections");
	is_int(relay ? relay->probe_ms : 0, 300000, "a probe every 5 minutes");
	is_int(relay ? relay->connect_timeout_ms : 0, 30000, "30 s to connect");
	is_int(relay ? relay->reply_timeout_ms : 0, 300000, "5 min for a reply");
	is_int(relay ? relay->data_timeout_ms : 0, 600000, "10 min after the data");
	is_int(s.lifetime_ms, 432000000, "lifetime is 5 days");
	is_int(s.bounce_lifetime_ms, 172800000, "2 days for bounces");
	is_int(s.retry_min_ms, 60000, "the first wait is a minute");
	is_int(s.retry_max_ms, 14400000, "the longest 4 hours");
	is_int(s.warning_ms, 14400000, "a warning after 4 hours");
	is_int((int64_t)s.size_limit, 50 << 20, "messages up to 50M");
	is_int(s.long_lines, CONFIG_LONG_LINES_ENCODE, "long lines are encoded");
	is_int(s.user_limit.per_hour, 600, "600 messages an hour of one user");
	is_int(s.storm_limit.count, 0, "storm control is off");
	is_int((int64_t)s.reserve_bytes, 64 << 20, "64M in reserve");
	is_int((int64_t)s.reserve_inodes, 1000, "and 1000 inodes");
	config_release(&s);
}

/* Each text fails with exactly these complaints ("FILE:" stands for the file's name). */
static const struct {
	const char *label, *text, *want;
} bad[] = {
	{ "an unknown key is told with the nearest", DEFAULT "pasword = file:/x\n",
	  "FILE:5:1: unknown key \"pasword\" in [relay default]; did you mean \"password\"?\n" },
	{ "a key of another section is told where it belongs", DEFAULT "lifetime = 5d\n",
	  "FILE:5:1: unknown key \"lifetime\" in [relay default]; it belongs into [queue]\n" },
	{ "a key that is like no other is unknown", DEFAULT "colour = red\n",
	  "FILE:5:1: unknown key \"colour\" in [relay default]\n" },
	{ "a key of a section before every section", "lifetime = 5d\n" DEFAULT,
	  "FILE:1:1: unknown key \"lifetime\" in the lines before the first [section]; it "
	  "belongs into [queue]\n" },
	{ "a key of the top in a section", DEFAULT "root = a@b.org\n",
	  "FILE:5:1: unknown key \"root\" in [relay default]; it belongs before the first "
	  "[section]\n" },
	{ "a domain to masquerade that is none", DEFAULT "[identity]\nmasquerade = a.org, *b.org\n",
	  "FILE:6:14: masquerade: \"a.org,\" is no domain; write them like host.example.org or "
	  "*.lan.example.org, with blanks between them\n" },
	{ "a resolver is an address", "resolver = localhost\n" DEFAULT,
	  "FILE:1:12: resolver: \"localhost\" is not the address of a name server; write it like "
	  "127.0.0.1 or 192.0.2.1:53\n" },
	{ "root is an address", "root = bob\n" DEFAULT,
	  "FILE:1:8: root: \"bob\" is not an address; write it like alice@example.org\n" },
	{ "an unknown section is told once, its keys are skipped",
	  DEFAULT "[queu]\na = b\nlifetime = x\n",
	  "FILE:5:2: unknown section \"queu\"; did you mean \"queue\"?\n" },
	{ "a section of other versions is unknown", DEFAULT "[cluster lan]\nrelay = x\n",
	  "FILE:5:2: unknown section \"cluster\"; this version of nightmail knows [relay NAME], "
	  "[route NAME], [dkim DOMAIN], [identity], [queue], [listen], [notify] and [watch]\n" },
	{ "a mistyped [relay default] is not missed again",
	  QUEUE "[realy default]\nhost = a\n",
	  "FILE:3:2: unknown section \"realy\"; did you mean \"relay\"?\n" },
	{ "a section twice is an error", DEFAULT "[queue]\nlifetime = 1d\n",
	  "FILE:5:2: [queue] stands twice in this file; the first is on line 1\n" },
	{ "a key twice is an error", DEFAULT "host = b.example\n",
	  "FILE:5:1: host stands twice in [relay default]; the first is on line 4\n" },
	{ "a relay needs a name", QUEUE "[relay]\nhost = a\n",
	  "FILE:3:2: [relay] needs a name; the one that mail goes to is [relay default]\n" },
	{ "a queue has none", DEFAULT "[queue x]\n",
	  "FILE:5:8: [queue] takes no name\n" },
	{ "the name of a relay is plain", DEFAULT "[relay a/b]\n",
	  "FILE:5:8: \"a/b\" is no name for a relay; take letters, digits, - _ and ., 64 at "
	  "most\n" },
	{ "a relay without a host is useless", DEFAULT "[relay b]\n",
	  "FILE:5:2: [relay b] has no host; add a line like host = smtp.example.org\n" },
	{ "a host that is refused is told once", QUEUE "[relay default]\nhost = a_/\n",
	  "FILE:4:8: host: \"a_/\" is neither a host name nor an address\n" },
	{ "the second host is where the column points",
	  QUEUE "[relay default]\nhost = a  b: c\n",
	  "FILE:4:11: host: \"b:\" is neither a host name nor an address\n" },
	{ "a port does not belong to a host",
	  QUEUE "[relay default]\nhost = a.example:25\n",
	  "FILE:4:8: host: \"a.example:25\": write the port on a line of its own, port = 25\n" },
	{ "a URL is no host", QUEUE "[relay default]\nhost = smtp://a.example\n",
	  "FILE:4:8: host: \"smtp://a.example\": write the name alone, without smtp://\n" },
	{ "brackets are no part of an address",
	  QUEUE "[relay default]\nhost = [::1]:25\n",
	  "FILE:4:8: host: \"[::1]:25\": write an address without brackets, and the port as "
	  "port = NUMBER\n" },
	{ "commas do not separate hosts", QUEUE "[relay default]\nhost = a.example, b\n",
	  "FILE:4:8: host: \"a.example,\": hosts are separated by spaces, without commas\n" },
	{ "half an address is none", QUEUE "[relay default]\nhost = 192.0.2\n",
	  "FILE:4:8: host: \"192.0.2\" is neither a host name nor an address\n" },
	{ "srv: needs a domain", QUEUE "[relay default]\nhost = srv:\n",
	  "FILE:4:12: host: after srv: stands a domain, as in srv:example.org\n" },
	{ "mx: has a domain or nothing", QUEUE "[relay default]\nhost = mx:a b\n",
	  "FILE:4:11: host: after mx: stands nothing, for each recipient's own domain, or one "
	  "domain\n" },
	{ "another way stands alone", QUEUE "[relay default]\nhost = a.example mx:\n",
	  "FILE:4:18: host: \"mx:\" stands alone, without other hosts\n" },
	{ "lmtp: needs a port", QUEUE "[relay default]\nhost = lmtp:a.example\n",
	  "FILE:4:13: host: after lmtp: stands the path of a socket, or HOST:PORT\n" },
	{ "maildir: needs a path", QUEUE "[relay default]\nhost = maildir:mail\n",
	  "FILE:4:16: host: after maildir: stands a path that begins with /\n" },
	{ "discard: has nothing behind it", QUEUE "[relay default]\nhost = discard:x\n",
	  "FILE:4:16: host: after discard: nothing may stand\n" },
	{ "error: has words", QUEUE "[relay default]\nhost = error:\n",
	  "FILE:4:14: host: after error: stand the words that the sender is told\n" },
	{ "a weight is a number", QUEUE "[relay default]\nhost = a.example*x b\n",
	  "FILE:4:8: host: \"a.example*x\": a weight is a number from 1 to 1000, as in "
	  "smtp.example.org*3\n" },
	{ "no stranger gets a login",
	  QUEUE "[relay default]\nhost = mx:\nlogin = me\npassword = command:x\n",
	  "FILE:5:1: [relay default] delivers to the servers of other domains, and those get no "
	  "login; take the login away, or name the server\n" },
	{ "nothing logs in at nothing",
	  QUEUE "[relay default]\nhost = discard:\nlogin = me\npassword = command:x\n",
	  "FILE:5:1: [relay default] has no server to log in at\n" },
	{ "a socket has no TLS",
	  QUEUE "[relay default]\nhost = lmtp:/run/lmtp\ntls = implicit\n",
	  "FILE:5:1: [relay default]: a socket of this machine has no TLS\n" },
	{ "a source of each kind", DEFAULT "source = 192.0.2.1 192.0.2.2\n",
	  "FILE:5:20: source: one IPv4 address and one IPv6 address, not more\n" },
	{ "a domain that signs needs a key and its name", DEFAULT "[dkim a.example]\n",
	  "FILE:5:2: [dkim a.example] needs selector = NAME and key = FILE\n" },
	{ "each selector has its own key",
	  DEFAULT "[dkim a.example]\nselector = a b\nkey = /k\n",
	  "FILE:7:1: [dkim a.example] has 2 selectors and 1 keys: each selector has its own key\n" },
	{ "a selector is a name", DEFAULT "[dkim a.example]\nselector = a/b\nkey = /k\n",
	  "FILE:6:12: selector: \"a/b\" is no selector; take letters, digits and -\n" },
	{ "what signs is a domain", DEFAULT "[dkim a_b!]\nselector = a\n",
	  "FILE:5:7: \"a_b!\" is no domain\n" },
	{ "there is an end to keys", DEFAULT "[dkim a.example]\nselector = a b c d e\nkey = /k\n",
	  "FILE:6:20: selector: more than 4\n" },
	{ "a route leads somewhere", DEFAULT "[route a]\nsender = *@b.example\n",
	  "FILE:5:2: [route a] leads nowhere; add relay = NAME\n" },
	{ "to a relay that there is", DEFAULT "[route a]\nsender = *@b.example\nrelay = defualt\n",
	  "FILE:7:1: there is no [relay defualt]; did you mean \"default\"?\n" },
	{ "a route says for which mail", DEFAULT "[route a]\nrelay = default\n",
	  "FILE:5:2: [route a] does not say for which mail; add recipient, sender or user\n" },
	{ "a domain is no pattern",
	  DEFAULT "[route a]\nrecipient = *@a.example lan.example\nrelay = default\n",
	  "FILE:6:25: recipient: \"lan.example\" matches no address; all of a domain are written "
	  "*@example.org, one is alice@example.org\n" },
	{ "nor is an at sign enough",
	  DEFAULT "[route a]\nrecipient = @a.example\nrelay = default\n",
	  "FILE:6:13: recipient: \"@a.example\" matches no address; write *@a.example\n" },
	{ "a user has no domain", DEFAULT "[route a]\nuser = a@b\nrelay = default\n",
	  "FILE:6:8: user: \"a@b\" is neither a user name nor a user id; several are separated by "
	  "blanks\n" },
	{ "one route, one relay", DEFAULT "[route a]\nuser = 1\nrelay = default b\n",
	  "FILE:7:17: relay: a route leads to one relay\n" },
	{ "nine hosts are too many", QUEUE "[relay default]\nhost = a b c d e f g h i\n",
	  "FILE:4:24: host: more than 8 hosts\n" },
	{ "a port is a number", DEFAULT "port = smtp\n",
	  "FILE:5:8: port: \"smtp\" is not a port number\n" },
	{ "a port is not 0", DEFAULT "port = 0\n",
	  "FILE:5:8: port: \"0\" is too small; 1 is the least\n" },
	{ "a port is at most 65535", DEFAULT "port = 65536\n",
	  "FILE:5:8: port: \"65536\" is too large; 65535 is the most\n" },
	{ "a huge number is no number", DEFAULT "port = 99999999999999999999\n",
	  "FILE:5:8: port: \"99999999999999999999\" is not a port number\n" },
	{ "a comment behind a value is told", DEFAULT "port = 25 # smtp\n",
	  "FILE:5:11: port: comments have lines of their own\n" },
	{ "a TLS mode is told with the nearest", DEFAULT "tls = startls\n",
	  "FILE:5:7: tls: \"startls\" is no TLS mode; did you mean \"starttls\"?\n" },
	{ "other TLS modes are listed", DEFAULT "tls = yes\n",
	  "FILE:5:7: tls: \"yes\" is no TLS mode; there are starttls, implicit, dane, "
	  "opportunistic and none\n" },
	{ "a login needs a password", DEFAULT "login = a\n",
	  "FILE:5:1: [relay default] has a login but no password; add password = file:PATH\n" },
	{ "a password needs a login", DEFAULT "password = file:/x\n",
	  "FILE:5:1: [relay default] has a password but no login; add login = NAME\n" },
	{ "a literal password is refused and not repeated",
	  DEFAULT "login = a\npassword = hunter2\n",
	  "FILE:6:12: password: a password may not stand in this file, which everybody may read; "
	  "put it into a file of its own and write file:PATH, or command:COMMAND, "
	  "credential:NAME, keyring or oauth2\n" },
	{ "tokens have no place of their own", DEFAULT "login = a\npassword = oauth2:/x\n",
	  "FILE:6:19: password: oauth2 stands alone; nightmail login gets the tokens\n" },
	{ "tokens need a server and a name", DEFAULT "login = a\npassword = oauth2\n",
	  "FILE:6:1: [relay default] has no server that gives tokens; add provider = google, "
	  "microsoft or yahoo, or token-url = URL\n"
	  "FILE:6:1: [relay default] has no client-id; register a program at the provider and add "
	  "client-id = ID\n" },
	{ "a provider is one that is known", DEFAULT "provider = gogle\n",
	  "FILE:5:12: provider: \"gogle\" is no provider; did you mean \"google\"?\n" },
	{ "a password file needs a path", DEFAULT "login = a\npassword = file:\n",
	  "FILE:6:17: password: there is no path\n" },
	{ "a command needs words", DEFAULT "login = a\npassword = command:\n",
	  "FILE:6:20: password: there is no command after the colon\n" },
	{ "a credential is no path", DEFAULT "login = a\npassword = credential:../x\n",
	  "FILE:6:23: password: the name of a credential has no / and no dot in front\n" },
	{ "an unknown mechanism is told with the nearest",
	  DEFAULT "auth = PLAIN SCRAM-SHA256\n",
	  "FILE:5:14: auth: \"SCRAM-SHA256\" is no login mechanism; did you mean "
	  "\"SCRAM-SHA-256\"?\n" },
	{ "a mechanism twice is an error", DEFAULT "auth = PLAIN plain\n",
	  "FILE:5:14: auth: PLAIN stands here twice\n" },
	{ "a source is an address", DEFAULT "source = eth0\n",
	  "FILE:5:10: source: \"eth0\" is not an IP address\n" },
	{ "three time-outs are needed", DEFAULT "timeouts = 1s 2s\n",
	  "FILE:5:15: timeouts: 3 values are needed, not 2\n" },
	{ "four are too many", DEFAULT "timeouts = 1s 2s 3s 4s\n",
	  "FILE:5:21: timeouts: \"4s\" is one value too many\n" },
	{ "a time needs a unit", DEFAULT "timeouts = 1s 2 3s\n",
	  "FILE:5:15: timeouts: \"2\" is not a time; times are written 30s 5m 4h 5d\n" },
	{ "a time has a least", DEFAULT "probe = 1ms\n",
	  "FILE:5:9: probe: \"1ms\" is too small; 100ms is the least\n" },
	{ "a time has a most", DEFAULT "probe = 2d\n",
	  "FILE:5:9: probe: \"2d\" is too large; 1d is the most\n" },
	{ "the units of a time are small letters", DEFAULT "probe = 1M\n",
	  "FILE:5:9: probe: \"1M\" is not a time; times are written 30s 5m 4h 5d\n" },
	{ "waits grow", "[queue]\ndir = /q\nretry = 2m 1m\n[relay default]\nhost = a\n",
	  "FILE:3:12: retry: the first wait is longer than the longest\n" },
	{ "a size is a number with a unit",
	  "[queue]\ndir = /q\nsize-limit = 5T\n[relay default]\nhost = a\n",
	  "FILE:3:14: size-limit: \"5T\" is not a size; sizes are written 10K 64M 1G\n" },
	{ "another word for long lines", QUEUE "long-lines = keep\n" "[relay default]\nhost = a\n",
	  "FILE:3:14: long-lines: \"keep\" is neither encode nor send\n" },
	{ "a user's limit without its hour", QUEUE "user-limit = 600 1G\n" "[relay default]\nhost = a\n",
	  "FILE:3:14: user-limit: \"600\" is not messages an hour, like 600/h\n" },
	{ "a user's limit without bytes", QUEUE "user-limit = 600/h 1T\n" "[relay default]\nhost = a\n",
	  "FILE:3:20: user-limit: \"1T\" is not a size; sizes are written 10K 64M 1G\n" },
	{ "a storm's limit without its time", QUEUE "storm-limit = 20\n" "[relay default]\nhost = a\n",
	  "FILE:3:15: storm-limit: \"20\" is not messages in a time, like 20/10m, and not "
	  "never; 1000 is the most\n" },
	{ "a storm's limit of none", QUEUE "storm-limit = 0/10m\n" "[relay default]\nhost = a\n",
	  "FILE:3:15: storm-limit: \"0/10m\" is not messages in a time, like 20/10m, and not "
	  "never; 1000 is the most\n" },
	{ "a storm's time that is none", QUEUE "storm-limit = 20/10\n" "[relay default]\nhost = a\n",
	  "FILE:3:18: storm-limit: \"10\" is not a time; times are written 30s 5m 4h 5d\n" },
	{ "a domain is one", DEFAULT "[identity]\ndomain = a..b\n",
	  "FILE:6:10: domain: \"a..b\" is not a domain; write it like mail.example.org, "
	  "international ones in their xn-- form\n" },
	{ "an address has a domain", DEFAULT "[identity]\nfrom = alice\n",
	  "FILE:6:8: from: \"alice\" is not an address; write it like alice@example.org\n" },
	{ "from is the address alone", DEFAULT "[identity]\nfrom = A <a@example.org>\n",
	  "FILE:6:8: from: \"A <a@example.org>\" is not an address; write it like "
	  "alice@example.org\n" },
	{ "an unknown percent is an error at its place",
	  DEFAULT "[identity]\nfrom = a%x@b\n",
	  "FILE:6:9: from: after % only H, h, u and % may stand; a percent sign is written "
	  "%%\n" },
	{ "a percent at the end is an error", DEFAULT "[identity]\nfrom = a@b%\n",
	  "FILE:6:11: from: after % only H, h, u and % may stand; a percent sign is written "
	  "%%\n" },
	{ "an empty value is an error", DEFAULT "port =\n",
	  "FILE:5:1: port has no value; -port = takes back what an earlier file set\n" },
	{ "a syntax error is told", DEFAULT "port 25\n",
	  "FILE:5:1: expected [section], key = value, or a comment line that begins with #\n" },
	{ "control characters of a key are made visible", DEFAULT "a\"\xe2\x80\xae = b\n",
	  "FILE:5:1: unknown key \"a\"\\u{202e}\" in [relay default]\n" },
	{ "an address to listen on has a port", DEFAULT "[listen]\ntcp = 127.0.0.1:25 ::1\n",
	  "FILE:6:20: tcp: \"::1\" is no address with a port; write it like 127.0.0.1:25 or "
	  "[::1]:25, with blanks between several\n" },
	{ "a port is one", DEFAULT "[listen]\ntcp = 127.0.0.1:99999\n",
	  "FILE:6:7: tcp: \"127.0.0.1:99999\": a port is a number up to 65535\n" },
	{ "an address twice", DEFAULT "[listen]\ntrust-local = yes\ntcp = [::1]:25 [::1]:25\n",
	  "FILE:7:16: tcp: \"[::1]:25\" stands here twice\n" },
	{ "a network is one", DEFAULT "[listen]\nallow = 192.0.2.0/24 10.0.0.0/40\n",
	  "FILE:6:22: allow: \"10.0.0.0/40\": behind the / stand 0 to 32 bits\n" },
	{ "half the world is no network", DEFAULT "[listen]\nallow = 0.0.0.0/1 128.0.0.0/1\n",
	  "FILE:6:9: allow: \"0.0.0.0/1\" is larger than any network; everybody is 0.0.0.0/0\n" },
	{ "yes is yes", DEFAULT "[listen]\ntrust-local = true\n",
	  "FILE:6:15: trust-local: \"true\" is neither yes nor no\n" },
	{ "three files of TLS", DEFAULT "[listen]\ntls = a b c\n",
	  "FILE:6:11: tls: \"c\" is one file too many: they are the certificate and its key\n" },
	{ "a bad path of TLS is told at its place", DEFAULT "[listen]\ntls = /a /b%x\n",
	  "FILE:6:12: tls: after % only H, h, u and % may stand; a percent sign is written %%\n" },
	{ "users need TLS", DEFAULT "[listen]\nusers = /u\n",
	  "FILE:6:1: users log in under TLS only; add tls = CERTIFICATE KEY to [listen]\n" },
	{ "a private listener is not open by chance", DEFAULT "[listen]\ntcp = 127.0.0.1:25\n",
	  "FILE:6:1: everybody on this machine could send mail in your name through this port; "
	  "add trust-local = yes to [listen] if they may, or users and tls\n" },
	{ "sessions are two numbers", DEFAULT "[listen]\nsessions = 5\n",
	  "FILE:6:12: sessions: 2 values are needed, not 1\n" },
	{ "one client has no more sessions than all", DEFAULT "[listen]\nsessions = 5 6\n",
	  "FILE:6:12: sessions: the second number, of one client, is above the first, of all\n" },
	{ "sessions have a bound", DEFAULT "[listen]\nsessions = 1001 1\n",
	  "FILE:6:12: sessions: \"1001\" is not a number from 1 to 1000\n" },
	{ "no [relay default] is an error that says what to write", QUEUE,
	  "FILE: there is no [relay default], so mail is accepted but cannot leave; add the "
	  "lines \"[relay default]\" and \"host = smtp.example.org\" with the name of your mail "
	  "provider's server\n" },
	{ "a rate is messages in a time", DEFAULT "rate = 10\n",
	  "FILE:5:8: rate: \"10\" is not messages in a time, like 10/s or 100/15m; a day is the longest, "
	  "1000000 the most\n" },
	{ "a quota is for an hour or a day", DEFAULT "quota = 100/h 5/s\n",
	  "FILE:5:15: quota: \"5/s\" is not recipients an hour or a day, like 100/h or 500/d\n" },
	{ "a quota of each kind is one", DEFAULT "domain-quota = 5/d 6/d\n",
	  "FILE:5:20: domain-quota: \"6/d\": that is given twice\n" },
	{ "a warm-up grows", DEFAULT "warmup = 50 1 2026-11-22\n",
	  "FILE:5:13: warmup: \"1\" is not how much more each day may have, from 1.01 to 10\n" },
	{ "a warm-up begins on a day that there is", DEFAULT "warmup = 50 1.5 2026-02-29\n",
	  "FILE:5:17: warmup: \"2026-02-29\" is not the first day, like 2026-11-22\n" },
	{ "a webhook is no secret to anybody else", DEFAULT "[notify]\nwebhook = http://example.org/\n",
	  "FILE:6:11: webhook: http:// is for 127.0.0.1 and localhost; write https://\n" },
	{ "a domain that is watched has a dot", DEFAULT "[watch]\ndomain = example.org localhost\n",
	  "FILE:6:22: domain: \"localhost\" is no domain; one with other letters is written in its "
	  "form for DNS, xn--...\n" },
	{ "and stands there once", DEFAULT "[watch]\ndomain = a.example A.example\n",
	  "FILE:6:20: domain: \"A.example\" stands here twice\n" },
	{ "it is not looked at all the time", DEFAULT "[watch]\ndomain = a.example\nevery = 5m\n",
	  "FILE:7:9: every: \"5m\" is too small; 10m is the least\n" },
	{ "its addresses are addresses", DEFAULT "[watch]\ndomain = a.example\nip = ::1 mx\n",
	  "FILE:7:10: ip: \"mx\" is no IP address\n" },
	{ "how often says what", DEFAULT "[watch]\nevery = 1h\n",
	  "FILE:6:1: [watch] has no domain; add domain = example.org\n" },
	{ "all errors come in one pass", DEFAULT "prot = 1\ntls = x\nlogin = y\n[nix]\n",
	  "FILE:5:1: unknown key \"prot\" in [relay default]; did you mean \"port\"?\n"
	  "FILE:6:7: tls: \"x\" is no TLS mode; there are starttls, implicit, dane, opportunistic and "
	  "none\n"
	  "FILE:8:2: unknown section \"nix\"; this version of nightmail knows [relay NAME], "
	  "[route NAME], [dkim DOMAIN], [identity], [queue], [listen], [notify] and [watch]\n"
	  "FILE:7:1: [relay default] has a login but no password; add password = file:PATH\n" },
};

/* Appends text with the name of the private file as FILE. */
static void shorten(struct buf *out, const char *text) {
	char file[200];
	snprintf(file, sizeof(file), "%s/private.conf", root);
	for (const char *at; (at = strstr(text, file)); text = at + strlen(file)) {
		buf_addm(out, text, (size_t)(at - text));
		buf_adds(out, "FILE");
	}
	buf_adds(out, text);
}

static void test_bad(void) {
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct settings s;
		AUTO_BUF struct buf errors = BUF_INIT(10000);
		AUTO_BUF struct buf got = BUF_INIT(10000);
		int r = load_text(bad[i].text, &s, &errors);
		shorten(&got, buf_str(&errors));
		is_str(buf_str(&got), bad[i].want, "%s", bad[i].label);
		if (r != -1 || !config_usable(&s))
			ok(false, "%s: fails, and mail is accepted all the same",
			   bad[i].label);
		config_release(&s);
	}
}

static void test_listen(void) {
	struct settings s;
	AUTO_BUF struct buf errors = BUF_INIT(10000), shown = BUF_INIT(100000),
			    warnings = BUF_INIT(10000), got = BUF_INIT(10000);
	int r = load_text(DEFAULT "[listen]\n"
				  "tcp = 127.0.0.1:25 [::1]:0 [::1]:0\n"
				  "unix = run/submit\n"
				  "allow = 192.0.2.0/24 0.0.0.0/0\n"
				  "lenient-newlines = yes\n"
				  "tls = cert.pem key.pem\n"
				  "users = users\n"
				  "sessions = 10 2\n"
				  "timeout = 30s\n",
			  &s, &errors);
	is_int(r, 0, "a listener is read");
	is_str(buf_str(&errors), "", "without a complaint");
	is_int((int)s.listen.tcp_count, 3, "with its addresses");
	is_int((int)s.listen.allow_count, 2, "and networks");
	ok(s.listen.lenient_newlines && !s.listen.trust_local, "yes is yes, and no the default");
	is_str(s.listen.tls.key, path(4, "key.pem"), "files begin at the file's folder");
	is_int(s.listen.sessions.each, 2, "sessions of one client");
	is_int(s.listen.timeout_ms, 30000, "the time-out");
	is_int(s.listen.recipients, 1000, "1000 recipients");
	config_show(&s, &shown);
	ok(strstr(buf_str(&shown), "listen tcp = 127.0.0.1:25 [::1]:0 [::1]:0  #") &&
		   strstr(buf_str(&shown), "listen allow = 192.0.2.0/24 0.0.0.0/0  #") &&
		   strstr(buf_str(&shown), "listen sessions = 10 2  #"),
	   "they are shown as they are written");
	config_warnings(&s, &warnings);
	shorten(&got, buf_str(&warnings));
	ok(strstr(buf_str(&got), "FILE:8:1: warning: allow: 0.0.0.0/0 makes this an open relay"),
	   "an open relay is warned of (%s)", buf_str(&got));
	ok(strstr(buf_str(&got), "FILE:10:1: warning: tls: there is no file "),
	   "so is a missing file");
	config_release(&s);

	is_int(load_text(DEFAULT "[listen]\ntls = both.pem\n", &s, NULL), 0, "one file");
	is_str(s.listen.tls.key, path(4, "both.pem"), "is certificate and key");
	config_release(&s);
}

static void test_private_places(void) {
	struct settings s;
	struct config_env env = test_env();
	AUTO_BUF struct buf errors = BUF_INIT(10000);
	AUTO_BUF struct buf got = BUF_INIT(10000);
	AUTO_BUF struct buf want = BUF_INIT(10000);
	is_int(load_text(
		       "[queue]\ndir = ./spool\n[relay default]\nhost = a\nca = tls/ca.pem\n"
		       "login = a\npassword = file:pw\n",
		       &s, &errors),
	       0, "relative paths are taken in a private configuration");
	is_str(s.dir, path(4, "spool"), "dir begins at the file's folder");
	is_str(s.relay ? s.relay->ca : NULL, path(4, "tls/ca.pem"), "so does ca");
	buf_addf(&want, "file:%s/pw", root);
	is_str(s.relay ? s.relay->password : NULL, buf_str(&want),
	       "so does the password's file");
	is_int(s.mode, CONFIG_PRIVATE, "the mode is private");
	is_str(config_files(&s)[0], path(4, "private.conf"), "the file is named");
	ok(config_files(&s)[0] && !config_files(&s)[1], "and no other");
	config_release(&s);

	is_int(load_text("[queue]\ndir = .\n[relay default]\nhost = a\n", &s, &errors), 0,
	       "dir may be the folder itself");
	is_str(s.dir, root, "which is its path");
	config_release(&s);

	is_int(load_text("[relay default]\nhost = a\n", &s, &errors), -1,
	       "a private configuration without dir fails");
	shorten(&got, buf_str(&errors));
	is_str(buf_str(&got),
	       "FILE: a configuration given with --config or NIGHTMAIL_CONFIG needs a directory of "
	       "its own: add dir = PATH to [queue]\n",
	       "and says so");
	ok(!config_usable(&s), "it is not usable");
	config_release(&s);

	buf_reset(&errors), buf_reset(&got);
	is_int(config_load_env(path(4, "nowhere.conf"), &env, &s, &errors), -1,
	       "a file that is not there fails");
	buf_reset(&want);
	buf_addf(&want, "%s: cannot read this file: No such file or directory\n",
		 paths[4]);
	is_str(buf_str(&errors), buf_str(&want), "with one complaint");
	config_release(&s);

	env.config = path(5, "private.conf");
	put("private.conf", DEFAULT);
	is_int(config_load_env(NULL, &env, &s, NULL), 0,
	       "NIGHTMAIL_CONFIG names the file too");
	is_int(s.mode, CONFIG_PRIVATE, "and the mode is private");
	config_release(&s);
}

static void test_socket_path(void) {
	struct settings s;
	AUTO_BUF struct buf text = BUF_INIT(1000);
	AUTO_BUF struct buf errors = BUF_INIT(1000);
	buf_adds(&text, "[relay default]\nhost = a\n[queue]\ndir = /");
	/* "/run/control" and its NUL take 13 of 108 bytes. */
	for (size_t i = 1; i < 108 - 13; i++)
		buf_addc(&text, 'd');
	is_int(load_text(buf_str(&text), &s, &errors), 0, "a socket of 108 bytes fits");
	config_release(&s);
	buf_addc(&text, 'd');
	is_int(load_text(buf_str(&text), &s, &errors), -1, "one of 109 is refused");
	ok(strstr(buf_str(&errors), "over 108 bytes"), "with those words");
	ok(config_usable(&s), "mail is accepted all the same");
	config_release(&s);
}

static void test_bad_dir(void) {
	struct settings s;
	struct config_env env = test_env();
	put("etc/nightmail.conf", "[relay default]\nhost = a\n[queue]\ndir = spool\n");
	is_int(config_load_env(NULL, &env, &s, NULL), -1,
	       "a relative dir of the system is refused");
	ok(!config_usable(&s) && !s.dir,
	   "and mail does not go to another directory instead");
	config_release(&s);
}

static void test_system(void) {
	struct settings s;
	struct config_env env = test_env();
	AUTO_BUF struct buf errors = BUF_INIT(10000);
	AUTO_BUF struct buf want = BUF_INIT(10000);
	put("etc/nightmail.conf", "[relay default]\nhost = a\nport = 26\nlogin = x\n"
				  "password = file:/x\n[queue]\nlifetime = 1d\n");
	put("etc/conf.d/20-b.conf", "[relay default]\n-port =\n[queue]\nlifetime = 3d\n");
	put("etc/conf.d/10-a.conf",
	    "[queue]\nlifetime = 2d\nwarning = 1h\n[relay two]\nhost = b\n");
	put("etc/conf.d/.hidden.conf", "nonsense\n");
	put("etc/conf.d/note.txt", "nonsense\n");
	is_int(config_load_env(NULL, &env, &s, &errors), 0, "the system's files load");
	is_str(buf_str(&errors), "", "without a complaint");
	is_int(s.mode, CONFIG_SYSTEM, "the mode is system");
	is_str(s.dir, "/spool", "dir is the system's");
	is_str(s.rundir, "/run/test", "so is the directory of sockets");
	is_int(s.lifetime_ms, 259200000, "the last file by name wins");
	is_int(s.warning_ms, 3600000, "what only one file sets stays");
	is_int((int64_t)s.relay_count, 2, "relays come from all files");
	is_int(s.relay ? s.relay->port : 0, 587, "-port = restores the default");
	is_str(config_files(&s)[2], path(4, "etc/conf.d/20-b.conf"),
	       "files stand in their order");

	AUTO_BUF struct buf shown = BUF_INIT(20000);
	is_int(config_show(&s, &shown), 0, "settings can be shown");
	buf_addf(&want, "queue lifetime = 3d  # %s/etc/conf.d/20-b.conf:4\n", root);
	ok(strstr(buf_str(&shown), buf_str(&want)), "with the file and line of a value");
	buf_reset(&want);
	buf_addf(&want,
		 "relay default port = 587  # default, not %s/etc/conf.d/20-b.conf:2\n",
		 root);
	ok(strstr(buf_str(&shown), buf_str(&want)), "with what took it back");
	ok(strstr(buf_str(&shown), "\nidentity from =  # default\n"),
	   "and what is not set");

	AUTO_BUF struct buf warnings = BUF_INIT(20000);
	config_warnings(&s, &warnings);
	buf_reset(&want);
	buf_addf(&want, "%s/etc/conf.d/10-a.conf:4:2: warning: no route leads to [relay two]",
		 root);
	ok(strstr(buf_str(&warnings), buf_str(&want)),
	   "a relay that nothing uses is a warning");
	config_release(&s);

	buf_reset(&errors), buf_reset(&want);
	put("etc/conf.d/20-b.conf", "[queue]\nlifetime = 3x\n");
	is_int(config_load_env(NULL, &env, &s, &errors), -1,
	       "an error in a later file is told");
	buf_addf(
		&want,
		"%s/etc/conf.d/20-b.conf:2:12: lifetime: \"3x\" is not a time; times are written "
		"30s 5m 4h 5d\n",
		root);
	is_str(buf_str(&errors), buf_str(&want), "with that file's name");
	is_int(s.lifetime_ms, 172800000, "the value before it stays in force");
	config_release(&s);

	remove_all(path(4, "etc"));
	buf_reset(&errors);
	is_int(config_load_env(NULL, &env, &s, &errors), -1,
	       "no file at all is an error");
	ok(strstr(buf_str(&errors), "No such file") &&
		   strstr(buf_str(&errors), "[relay default]"),
	   "that says what to write where");
	ok(config_usable(&s), "mail is accepted all the same");
	is_str(s.dir, "/spool", "into the system's spool");
	config_release(&s);
}

static void test_user(void) {
	struct settings s;
	struct config_env env = test_env();
	char uid[40];
	put("etc/nightmail.conf", "this is not read");
	put("home/.config/nightmail/nightmail.conf",
	    "[relay default]\nhost = a\n[identity]\nfrom = %u@example.org\n");
	env.home = span_dup(span_str(path(4, "home")));
	env.user = span_dup(SPAN("alice"));
	is_int(config_load_env(NULL, &env, &s, NULL), 0,
	       "a person's own file loads alone");
	is_int(s.mode, CONFIG_USER, "the mode is user");
	is_str(s.from, "alice@example.org", "%%u is the user");
	is_str(s.dir, path(5, "home/.local/state/nightmail"),
	       "dir is below the home directory");
	is_str(s.rundir, path(5, "home/.local/state/nightmail/run"),
	       "sockets are below it where there is no runtime directory");
	config_release(&s);

	env.xdg_state = path(5, "state");
	is_int(config_load_env(NULL, &env, &s, NULL), 0, "XDG_STATE_HOME is taken");
	is_str(s.dir, path(6, "state/nightmail"), "as the place of dir");
	config_release(&s);

	put("runtime/x", "");
	env.xdg_runtime = path(6, "runtime");
	config_load_env(NULL, &env, &s, NULL);
	is_str(s.rundir, path(7, "state/nightmail/run"),
	       "somebody else's XDG_RUNTIME_DIR is not");
	config_release(&s);

	put("home2/.config/nightmail/nightmail.conf", "[relay default]\nhost = b\n");
	env.xdg_config = path(7, "home2/.config");
	config_load_env(NULL, &env, &s, NULL);
	is_str(s.relay && s.relay->host_count ? s.relay->host[0] : NULL, "b",
	       "XDG_CONFIG_HOME goes before the home directory");
	config_release(&s);

	env.uid = 0;
	config_load_env(NULL, &env, &s, NULL);
	is_int(s.mode, CONFIG_SYSTEM, "root has no file of its own");
	config_release(&s);

	env.xdg_config = NULL;
	env.uid = getuid() ? getuid() : 1;
	if (env.uid == getuid()) {
		config_load_env(NULL, &env, &s, NULL);
		is_str(s.rundir, path(7, "runtime/nightmail"),
		       "one's own XDG_RUNTIME_DIR is");
		config_release(&s);
	} else if (chown(path(7, "runtime"), env.uid, (gid_t)-1) == 0) {
		config_load_env(NULL, &env, &s, NULL);
		is_str(s.rundir, path(7, "runtime/nightmail"),
		       "one's own XDG_RUNTIME_DIR is");
		config_release(&s);
		env.xdg_runtime = NULL;
		snprintf(uid, sizeof(uid), "run-user/%u/x", (unsigned)env.uid);
		put(uid, "");
		snprintf(uid, sizeof(uid), "run-user/%u", (unsigned)env.uid);
		if (chown(path(7, uid), env.uid, (gid_t)-1) == 0) {
			config_load_env(NULL, &env, &s, NULL);
			snprintf(uid, sizeof(uid), "run-user/%u/nightmail",
				 (unsigned)env.uid);
			is_str(s.rundir, path(7, uid),
			       "and without it the system's place for it");
			config_release(&s);
		}
	}
	config_env_release(&env);
	remove_all(path(4, "etc"));
}

static void test_nobody(void) {
	struct settings s;
	struct config_env env = test_env();
	AUTO_BUF struct buf errors = BUF_INIT(10000);
	put("private.conf", DEFAULT "login = %u\npassword = file:/x\n");
	is_int(config_load_env(path(4, "private.conf"), &env, &s, &errors), -1,
	       "%%u without a user name is an error");
	ok(strstr(buf_str(&errors), "has no name in passwd"), "that says so");
	config_release(&s);
	is_int(config_load_env(NULL, &env, &s, NULL), -1, "who has no home has no file");
	is_int(s.mode, CONFIG_SYSTEM, "and the mode is system");
	config_release(&s);
}

static void test_hostname(void) {
	static const struct {
		const char *label, *kernel, *hosts, *want;
	} cases[] = {
		{ "a name with a dot is full", "a.example", "1.2.3.4 a.example.org a\n",
		  "a.example" },
		{ "a bare name is completed by the hosts file", "mx",
		  "127.0.0.1 localhost\n127.0.1.1\tmx.example.org mx # mx.wrong.org\n",
		  "mx.example.org" },
		{ "the order of the names does not matter", "mx",
		  "::1 mx localhost mx.example.org\n", "mx.example.org" },
		{ "comments are not names", "mx", "# 127.0.1.1 mx.example.org mx\n",
		  "mx" },
		{ "another machine of that name is not us", "mx",
		  "192.0.2.1 mx.example.org\n", "mx" },
		{ "a longer name is not ours", "mx", "192.0.2.1 mxa.example.org mx\n",
		  "mx" },
		{ "without a full name the bare one stays", "mx", "", "mx" },
		{ "what is no host name becomes localhost", "a b\nc", "", "localhost" },
		{ "an empty name becomes localhost", "", "", "localhost" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config_env env = test_env();
		put("hosts", cases[i].hosts);
		env.hostname = cases[i].kernel;
		AUTO_FREE char *got = config_env_hostname(&env);
		is_str(got, cases[i].want, "%s", cases[i].label);
	}
}

static void test_warnings(void) {
	struct settings s;
	AUTO_BUF struct buf warnings = BUF_INIT(10000);
	load_text(DEFAULT
		  "login = a\npassword = file:/nowhere/pw\ntls = none\nca = ca.pem\n",
		  &s, NULL);
	config_warnings(&s, &warnings);
	ok(strstr(buf_str(&warnings),
		  ":6:1: warning: password: there is no file /nowhere/pw\n"),
	   "a password file that is not there is a warning");
	ok(strstr(buf_str(&warnings), ":8:1: warning: ca: there is no file "),
	   "so is a ca");
	ok(strstr(buf_str(&warnings),
		  ":7:1: warning: [relay default] logs in without TLS"),
	   "so is a login without TLS");
	is_int(strstr(buf_str(&warnings), "\nwarning: running as root;") != NULL,
	       geteuid() == 0, "so is root, and nobody else");
	config_release(&s);
}

static void test_limits(void) {
	struct settings s;
	AUTO_BUF struct buf text = BUF_INIT(3 << 20);
	AUTO_BUF struct buf errors = BUF_INIT(100000);
	buf_adds(&text, QUEUE);
	for (int i = 0; i < CONFIG_RELAYS_MAX + 1; i++)
		buf_addf(&text, "[relay r%d]\nhost = a\n", i);
	is_int(load_text(buf_str(&text), &s, &errors), -1, "65 relays are refused");
	ok(strstr(buf_str(&errors), "more than 64 relays"), "with those words");
	is_int((int64_t)s.relay_count, CONFIG_RELAYS_MAX, "64 are there");
	config_release(&s);

	for (int routes = 8; routes <= 16; routes += 8) {
		buf_reset(&text), buf_reset(&errors);
		buf_adds(&text, DEFAULT);
		for (int i = 0; i < routes; i++) {
			buf_addf(&text, "[route r%d]\nrelay = default\nrecipient =", i);
			for (int k = 0; k < 100; k++)
				buf_addf(&text, " *@some-domain-%d.example", i * 100 + k);
			buf_adds(&text, "\n");
		}
		is_int(load_text(buf_str(&text), &s, &errors), routes == 8 ? 0 : -1,
		       "%d routes with 100 domains each", routes);
		config_release(&s);
	}
	ok(strstr(buf_str(&errors), "[route] sections are too long together"),
	   "more than a worker can be told of");

	buf_reset(&text), buf_reset(&errors);
	while (text.len <= CONFIG_FILE_SIZE_MAX)
		buf_adds(&text, "# comment\n");
	is_int(load_text(buf_str(&text), &s, &errors), -1, "a file over 1M is refused");
	ok(strstr(buf_str(&errors), "it is larger than 1M"), "with those words");
	config_release(&s);

	AUTO_BUF struct buf tiny = BUF_INIT(10);
	is_int(load_text("x = y\n", &s, &tiny), -1,
	       "an error for which there is no room is one");
	config_release(&s);
}

/* The manual page names every key, and no other. */
static void test_manual(void) {
	AUTO_BUF struct buf page = BUF_INIT(1 << 20);
	if (file_read(AT_FDCWD, "man/nightmail.conf.5", &page, NULL) != 0) {
		ok(false,
		   "man/nightmail.conf.5 can be read (run this in the top directory)");
		return;
	}
	struct span rest = buf_span(&page), line;
	size_t named = 0;
	while (span_take_line(&rest, &line)) {
		bool known = false;
		if (!span_take_lit(&line, SPAN(".It Ic ")))
			continue;
		struct span word = span_head(line, span_find(line, ' '));
		for (size_t k = 0; k < config_key_count; k++)
			known = known || span_eq(word, span_str(config_keys[k].name));
		ok(known, "the manual's key %.*s exists", (int)word.len, word.p);
		named++;
	}
	is_int((int64_t)named, (int64_t)config_key_count,
	       "the manual names as many keys as there are");
	for (size_t k = 0; k < config_key_count; k++) {
		AUTO_BUF struct buf item = BUF_INIT(100);
		buf_addf(&item, "\n.It Ic %s ", config_keys[k].name);
		ok(strstr(buf_str(&page), buf_str(&item)), "the manual has %s",
		   config_keys[k].name);
	}
}

int main(void) {
	if (!mkdtemp(root))
		return 1;
	put("hosts", "");
	test_values();
	test_rates();
	test_ways();
	test_routes();
	test_defaults();
	test_bad();
	test_listen();
	test_private_places();
	test_socket_path();
	test_bad_dir();
	test_system();
	test_user();
	test_nobody();
	test_hostname();
	test_warnings();
	test_limits();
	test_manual();
	remove_all(root);
	return done_testing();
}
