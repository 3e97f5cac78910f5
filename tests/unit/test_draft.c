/* Drafts of a configuration: what they take, and what they make of a file's text. */

#include "config/draft.h"

#include "base/buf.h"

#include "tap.h"

static struct config_env env = { .asked = true };

static struct config_draft new_draft(void) {
	return (struct config_draft){ .env = &env, .hostname = "h.example.org" };
}

static void test_values(void) {
	static const struct {
		const char *label, *key;
		struct span value;
		int want;
	} cases[] = {
		{ "a host is taken", "host", SPAN_INIT("smtp.example.net"), 0 },
		{ "two hosts are taken", "host", SPAN_INIT("a.example 192.0.2.1"), 0 },
		{ "what is no host is refused", "host", SPAN_INIT("a,b"), -1 },
		{ "a line break is refused", "login", SPAN_INIT("a\n[queue]"), -1 },
		{ "a control character is refused", "login", SPAN_INIT("a\033b"), -1 },
		{ "bytes that are no UTF-8 are refused", "login", SPAN_INIT("caf\xe9"),
		  -1 },
		{ "an empty value is refused", "login", SPAN_INIT(" "), -1 },
		{ "a literal password is refused", "password", SPAN_INIT("hunter2"), -1 },
		{ "a relative path is refused without a folder", "ca",
		  SPAN_INIT("ca.pem"), -1 },
		{ "an unknown key is refused", "pasword", SPAN_INIT("file:/a"), -1 },
		{ "a port is taken", "port", SPAN_INIT("25"), 0 },
		{ "a port beyond 65535 is refused", "port", SPAN_INIT("65536"), -1 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config_draft d = new_draft();
		struct err err = ERR_INIT;
		is_int(config_draft_set(&d, cases[i].key, cases[i].value, &err),
		       cases[i].want, "%s", cases[i].label);
		ok((config_draft_get(&d, cases[i].key) != NULL) == (cases[i].want == 0),
		   "%s: and so the draft has it or not", cases[i].label);
		config_draft_release(&d);
	}
}

static void test_percent(void) {
	struct config_draft d = new_draft();
	struct config_relay relay;
	config_draft_set_raw(&d, "login", SPAN("50%h"), NULL);
	is_str(config_draft_get(&d, "login"), "50%%h", "a raw percent sign is doubled");
	config_draft_set(&d, "host", SPAN("%h.example"), NULL);
	is_int(config_draft_relay(&d, &relay, NULL), 0, "the relay can be had");
	is_str(relay.login, "50%h", "with the percent sign as it was");
	is_str(relay.host[0], "h.example", "and %%h replaced where it was meant");
	is_int(relay.port, 587, "and the usual port");
	is_int(relay.tls, CONFIG_TLS_STARTTLS, "and TLS by default");
	config_draft_relay_release(&relay);
	config_draft_release(&d);
}

/* Sets root, host, login and dir; drops port. */
static void test_apply(void) {
	static const struct {
		const char *label;
		struct span text, want;
	} cases[] = {
		{ "an empty file gets its sections", SPAN_INIT(""),
		  SPAN_INIT("root = r@example.org\n\n[relay default]\nhost = a.example\n"
			    "login = me\n\n[queue]\ndir = /q\n") },
		{ "what is there and right keeps its line",
		  SPAN_INIT("root=r@example.org\n[queue]\n dir =  /q \n[relay default]\n"
			    "login = me\n# why\nhost = a.example"),
		  SPAN_INIT("root=r@example.org\n[queue]\n dir =  /q \n[relay default]\n"
			    "login = me\n# why\nhost = a.example") },
		{ "a value is replaced where it stands",
		  SPAN_INIT("root = r@example.org\n\n[relay default]\nhost = old\n"
			    "tls = none\nlogin = me\n\n[queue]\ndir = /q\n"),
		  SPAN_INIT("root = r@example.org\n\n[relay default]\nhost = a.example\n"
			    "tls = none\nlogin = me\n\n[queue]\ndir = /q\n") },
		{ "a dropped key goes, others stay",
		  SPAN_INIT("root = r@example.org\n[relay default]\nport = 25\n"
			    "host = a.example\nlogin = me\n[queue]\ndir = /q\n"),
		  SPAN_INIT("root = r@example.org\n[relay default]\nhost = a.example\n"
			    "login = me\n[queue]\ndir = /q\n") },
		{ "another relay is left alone",
		  SPAN_INIT("root = r@example.org\n[relay other]\nhost = b\nport = 1\n"
			    "[relay default]\nhost = a.example\nlogin = me\n"
			    "[queue]\ndir = /q\n"),
		  SPAN_INIT("root = r@example.org\n[relay other]\nhost = b\nport = 1\n"
			    "[relay default]\nhost = a.example\nlogin = me\n"
			    "[queue]\ndir = /q\n") },
		{ "new keys go behind the last one of their section",
		  SPAN_INIT("root = r@example.org\n[relay default]\nhost = a.example\n\n"
			    "# the queue\n[queue]\ndir = /q"),
		  SPAN_INIT("root = r@example.org\n[relay default]\nhost = a.example\n"
			    "login = me\n\n# the queue\n[queue]\ndir = /q") },
		{ "a key that was taken back is set",
		  SPAN_INIT("root = r@example.org\n[relay default]\n-login =\n"
			    "host = a.example\n[queue]\ndir = /q\n"),
		  SPAN_INIT("root = r@example.org\n[relay default]\nlogin = me\n"
			    "host = a.example\n[queue]\ndir = /q\n") },
		{ "lines with CR LF are kept",
		  SPAN_INIT(
			  "root = r@example.org\r\n[relay default]\r\nhost = a.example\r\n"
			  "login = me\r\n[queue]\r\ndir = /q\r\n"),
		  SPAN_INIT(
			  "root = r@example.org\r\n[relay default]\r\nhost = a.example\r\n"
			  "login = me\r\n[queue]\r\ndir = /q\r\n") },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config_draft d = new_draft();
		AUTO_BUF struct buf out = BUF_INIT(4096), again = BUF_INIT(4096);
		config_draft_set(&d, "root", SPAN("r@example.org"), NULL);
		config_draft_set(&d, "host", SPAN("a.example"), NULL);
		config_draft_set(&d, "login", SPAN("me"), NULL);
		config_draft_set(&d, "dir", SPAN("/q"), NULL);
		config_draft_drop(&d, "port");
		is_int(config_draft_apply(&d, cases[i].text, &out), 0, "%s: done",
		       cases[i].label);
		is_str(buf_str(&out), cases[i].want.p, "%s", cases[i].label);
		config_draft_apply(&d, buf_span(&out), &again);
		is_str(buf_str(&again), buf_str(&out),
		       "%s: a second time changes nothing", cases[i].label);
		config_draft_release(&d);
	}
}

static void test_read(void) {
	struct config_draft d = new_draft();
	AUTO_BUF struct buf out = BUF_INIT(4096);
	struct span text = SPAN("root = r@example.org\n[relay other]\nlogin = no\n"
				"[relay default]\nhost = a.example\nport = many\n"
				"[nonsense]\ntls = none\n[queue]\ndir = /q\n");
	config_draft_read(&d, text);
	is_str(config_draft_get(&d, "root"), "r@example.org", "a key at the top is read");
	is_str(config_draft_get(&d, "host"), "a.example", "one of the relay is read");
	is_str(config_draft_get(&d, "login"), NULL, "one of another relay is not");
	is_str(config_draft_get(&d, "port"), NULL, "a wrong value is passed over");
	is_str(config_draft_get(&d, "tls"), NULL,
	       "one of an unknown section is not read");
	config_draft_apply(&d, text, &out);
	is_str(buf_str(&out), text.p,
	       "what was read and not changed is not written anew");
	config_draft_release(&d);
}

static void test_room(void) {
	struct config_draft d = new_draft();
	AUTO_BUF struct buf out = BUF_INIT(8);
	config_draft_set(&d, "host", SPAN("a.example"), NULL);
	is_int(config_draft_apply(&d, SPAN("# a comment\n"), &out), -1,
	       "without room nothing is given");
	config_draft_release(&d);
}

int main(void) {
	test_values();
	test_percent();
	test_apply();
	test_read();
	test_room();
	return done_testing();
}
