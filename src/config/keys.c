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
};

const struct config_key config_keys[] = {
	{ CONFIG_TOP, "root", &config_type_address, GLOBAL(root), NULL, 0, 0,
	  "who reads the mail for root and for local names without an alias" },
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
	{ CONFIG_QUEUE, "long-lines", &config_type_long_lines, GLOBAL(long_lines),
	  "encode", 0, 0, "lines over 998 octets: encode or send" },
	{ CONFIG_QUEUE, "reserve", &config_type_size, GLOBAL(reserve_bytes), "64M", 0,
	  1024 * GIGA, "free disk space below which no mail is accepted" },
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
