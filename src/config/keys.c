/*
 * A row is all there is to a key: add the row, a member in settings.h and an entry in
 * nightmail.conf(5). Times are given in milliseconds, sizes in bytes.
 */

#include "config/keys.h"

#include "config/settings.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define YEAR (366 * DAY)
#define KILO INT64_C(1024)
#define GIGA (KILO * KILO * KILO)

#define RELAY(member) offsetof(struct config_relay, member)
#define GLOBAL(member) offsetof(struct settings, member)

const struct config_section_name config_sections[CONFIG_SECTION_COUNT] = {
	[CONFIG_TOP] = { "", false },
	[CONFIG_RELAY] = { "relay", true },
	[CONFIG_IDENTITY] = { "identity", false },
	[CONFIG_QUEUE] = { "queue", false },
	[CONFIG_LISTEN] = { "listen", false },
};

const struct config_key config_keys[] = {
	{ CONFIG_TOP, "root", &config_type_address, GLOBAL(root), NULL, 0, 0,
	  "who reads the mail for root and for local names without an alias" },
	{ CONFIG_TOP, "sandbox", &config_type_sandbox, GLOBAL(sandbox), "auto", 0, 0,
	  "auto: what the kernel offers; off: nothing, to find out whether it is the cause" },
	{ CONFIG_RELAY, "host", &config_type_hosts, RELAY(host), NULL, 0, 0,
	  "servers that take the mail, tried in this order" },
	{ CONFIG_RELAY, "port", &config_type_port, RELAY(port), NULL, 1, 65535,
	  "TCP port; 587, or 465 with tls = implicit" },
	{ CONFIG_RELAY, "tls", &config_type_tls, RELAY(tls), "starttls", 0, 0,
	  "starttls, implicit, opportunistic or none" },
	{ CONFIG_RELAY, "login", &config_type_login, RELAY(login), NULL, 0, 0,
	  "user name at the server; without it nobody logs in" },
	{ CONFIG_RELAY, "password", &config_type_password, RELAY(password), NULL, 0, 0,
	  "where the password is: file:PATH, command:COMMAND or credential:NAME" },
	{ CONFIG_RELAY, "ca", &config_type_path, RELAY(ca), NULL, 0, 0,
	  "PEM file of the authorities to trust instead of the system's" },
	{ CONFIG_RELAY, "auth", &config_type_auth, RELAY(auth), NULL, 0, 0,
	  "login mechanisms to use, best first" },
	{ CONFIG_RELAY, "source", &config_type_source, RELAY(source), NULL, 0, 0,
	  "local IP address to connect from" },
	{ CONFIG_RELAY, "connections", &config_type_count, RELAY(connections), "10", 1,
	  100, "connections at the same time, at most" },
	{ CONFIG_RELAY, "per-connection", &config_type_count, RELAY(per_connection),
	  "1000", 1, 100000, "messages through one connection, at most" },
	{ CONFIG_RELAY, "probe", &config_type_time, RELAY(probe_ms), "5m", SECOND / 10,
	  DAY, "how often a relay that failed is tried again" },
	{ CONFIG_RELAY, "timeouts", &config_type_timeouts, RELAY(connect_timeout_ms),
	  "30s 5m 10m", SECOND / 10, DAY,
	  "three times: to connect, for a reply, after the data" },
	{ CONFIG_IDENTITY, "domain", &config_type_domain, GLOBAL(domain), NULL, 0, 0,
	  "completes addresses without a domain; the full host name by default" },
	{ CONFIG_IDENTITY, "from", &config_type_address, GLOBAL(from), NULL, 0, 0,
	  "sender of what this machine's own accounts send" },
	{ CONFIG_IDENTITY, "envelope-from", &config_type_address, GLOBAL(envelope_from),
	  NULL, 0, 0, "the same in the envelope alone: where refusals go" },
	{ CONFIG_IDENTITY, "masquerade", &config_type_masquerade, GLOBAL(masquerade),
	  NULL, 0, 0, "domains that become that of domain: host.example.org *.lan.example.org" },
	{ CONFIG_IDENTITY, "aliases", &config_type_path, GLOBAL(aliases), NULL, 0, 0,
	  "file with the addresses of local names; /etc/aliases in system mode" },
	{ CONFIG_IDENTITY, "helo", &config_type_helo, GLOBAL(helo), NULL, 0, 0,
	  "name given to servers; the full host name by default" },
	{ CONFIG_QUEUE, "dir", &config_type_path, GLOBAL(dir), NULL, 0, 0,
	  "directory of the mail that waits" },
	{ CONFIG_QUEUE, "lifetime", &config_type_time, GLOBAL(lifetime_ms), "5d", SECOND,
	  YEAR, "how long mail is tried before it is returned" },
	{ CONFIG_QUEUE, "bounce-lifetime", &config_type_time, GLOBAL(bounce_lifetime_ms),
	  "2d", SECOND, YEAR, "the same for our own bounces" },
	{ CONFIG_QUEUE, "retry", &config_type_retry, GLOBAL(retry_min_ms), "1m 4h",
	  SECOND / 10, 30 * DAY,
	  "two times: the first wait, which doubles, and the longest" },
	{ CONFIG_QUEUE, "warning", &config_type_time_or_never, GLOBAL(warning_ms), "4h",
	  SECOND, YEAR, "when the sender hears that mail is late; never: not at all" },
	{ CONFIG_QUEUE, "size-limit", &config_type_size, GLOBAL(size_limit), "50M", KILO,
	  64 * GIGA, "largest message" },
	{ CONFIG_QUEUE, "user-limit", &config_type_user_limit, GLOBAL(user_limit),
	  "600/h 1G", KILO, 1024 * GIGA,
	  "messages an hour and queued bytes of one user, or never" },
	{ CONFIG_QUEUE, "storm-limit", &config_type_storm_limit, GLOBAL(storm_limit),
	  "never", SECOND, DAY,
	  "mail of one user that repeats itself: 20/10m lets 20 in ten minutes go, or never" },
	{ CONFIG_QUEUE, "long-lines", &config_type_long_lines, GLOBAL(long_lines),
	  "encode", 0, 0, "lines over 998 octets: encode or send" },
	{ CONFIG_QUEUE, "reserve", &config_type_size, GLOBAL(reserve_bytes), "64M", 0,
	  1024 * GIGA, "free disk space below which no mail is accepted" },
	{ CONFIG_LISTEN, "tcp", &config_type_tcp, GLOBAL(listen), NULL, 0, 0,
	  "addresses where SMTP is spoken: 127.0.0.1:25 [::1]:25" },
	{ CONFIG_LISTEN, "unix", &config_type_path, GLOBAL(listen.unix_path), NULL, 0, 0,
	  "one more Unix socket where users of this machine submit" },
	{ CONFIG_LISTEN, "allow", &config_type_allow, GLOBAL(listen), NULL, 0, 0,
	  "networks whose machines may send without a login: 192.0.2.0/24" },
	{ CONFIG_LISTEN, "trust-local", &config_type_yes_no, GLOBAL(listen.trust_local), "no",
	  0, 0, "everybody on this machine may send by TCP; in system mode they may anyway" },
	{ CONFIG_LISTEN, "lenient-newlines", &config_type_yes_no,
	  GLOBAL(listen.lenient_newlines), "no", 0, 0,
	  "takes messages with a bare CR or LF, instead of refusing them" },
	{ CONFIG_LISTEN, "tls", &config_type_tls_files, GLOBAL(listen.tls), NULL, 0, 0,
	  "PEM files for STARTTLS: the certificate, and its key" },
	{ CONFIG_LISTEN, "users", &config_type_path, GLOBAL(listen.users), NULL, 0, 0,
	  "file with the logins and passwords of those who may send from elsewhere" },
	{ CONFIG_LISTEN, "sessions", &config_type_sessions, GLOBAL(listen.sessions), "128 32",
	  1, 1000, "TCP sessions at a time: of all, and of one user or address" },
	{ CONFIG_LISTEN, "recipients", &config_type_count, GLOBAL(listen.recipients), "1000",
	  100, 50000, "recipients of one message, at most" },
	{ CONFIG_LISTEN, "errors", &config_type_count, GLOBAL(listen.errors), "20", 1, 1000,
	  "wrong commands in a session until it ends" },
	{ CONFIG_LISTEN, "timeout", &config_type_time, GLOBAL(listen.timeout_ms), "5m", SECOND,
	  DAY, "how long a client may take for its next command" },
};

const size_t config_key_count = sizeof(config_keys) / sizeof(config_keys[0]);
_Static_assert(sizeof(config_keys) / sizeof(config_keys[0]) <= CONFIG_KEYS_MAX,
	       "raise the bound");

int config_key_find(enum config_section_id section, struct span name) {
	for (size_t i = 0; i < config_key_count; i++)
		if (config_keys[i].section == section &&
		    span_eq(name, span_str(config_keys[i].name)))
			return (int)i;
	return -1;
}
