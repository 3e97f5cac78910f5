/* Other relays' files, a few lines at a time: how each setting turns out. Whole files are in
 * tests/data/import. */

#include "config/import.h"

#include "base/buf.h"

#include "tap.h"

/* The draft as "key=value" words, then the password in braces. */
static void describe(const struct import *in, struct buf *out) {
	for (size_t k = 0; k < config_key_count; k++)
		if (in->draft.value[k])
			buf_addf(out, "%s%s=%s", out->len ? "; " : "",
				 config_keys[k].name, in->draft.value[k]);
	if (in->secret.len)
		buf_addf(out, " {%.*s}", (int)in->secret.len, in->secret.data);
}

/* The text of the first file, and of the second where there is one. */
static void read_both(struct import *in, const char *peer, const char *first,
		      const char *second) {
	import_init(in, import_peer_find(peer));
	import_parse(in, 0, "first", span_str(first));
	if (second)
		import_parse(in, 1, "second", span_str(second));
	import_finish(in);
}

static void test_settings(void) {
	static const struct {
		const char *label, *peer, *first, *second, *want;
	} cases[] = {
		{ "msmtp: defaults come before the account", "msmtp",
		  "defaults\ntls on\nport 26\naccount a\nhost h.example\nport 587\n",
		  NULL, "host=h.example" },
		{ "msmtp: defaults after an account do not change it", "msmtp",
		  "account a\nhost h.example\ndefaults\ntls on\n", NULL,
		  "host=h.example; port=25; tls=none" },
		{ "msmtp: the default account is chosen", "msmtp",
		  "account a\nhost a.example\naccount b\nhost b.example\ntls on\nport 587\n"
		  "account default : b\n",
		  NULL, "host=b.example" },
		{ "msmtp: an account copies two others", "msmtp",
		  "account a\nhost a.example\ntls on\naccount b\nport 587\n"
		  "account default: a, b\n",
		  NULL, "host=a.example" },
		{ "msmtp: tls without starttls is implicit", "msmtp",
		  "host h.example\ntls on\ntls_starttls off\n", NULL,
		  "host=h.example; tls=implicit" },
		{ "msmtp: a user without auth does not log in", "msmtp",
		  "host h.example\ntls on\nport 587\nuser u\npassword p\n", NULL,
		  "host=h.example" },
		{ "msmtp: a login without TLS becomes one with it", "msmtp",
		  "host h.example\nauth on\nuser u\npassword p\n", NULL,
		  "host=h.example; port=25; login=u {p}" },
		{ "msmtp: a simple command needs no shell", "msmtp",
		  "host h.example\ntls on\nport 587\nauth on\nuser u\n"
		  "passwordeval pass show a/b\n",
		  NULL, "host=h.example; login=u; password=command:pass show a/b" },
		{ "ssmtp: a port behind the hub", "ssmtp", "mailhub=h.example:2525\n",
		  NULL, "host=h.example; port=2525; tls=none" },
		{ "ssmtp: keys in any case, UseSTARTTLS wins", "ssmtp",
		  "MAILHUB=h.example:587\nusetls=YES\nUseSTARTTLS=yes\n", NULL,
		  "host=h.example" },
		{ "ssmtp: no hub is no relay", "ssmtp", "hostname=a.example\n", NULL,
		  "helo=a.example" },
		{ "dma: the login of the smarthost", "dma",
		  "SMARTHOST h.example\nPORT 465\nSECURETRANSFER\n",
		  "a|other.example:x\nu|h.example:p:q\n",
		  "host=h.example; tls=implicit; login=u {p:q}" },
		{ "dma: a comment is no login", "dma",
		  "SMARTHOST h.example\nPORT 587\nSECURETRANSFER\nSTARTTLS\n",
		  "#o|h.example:old\nu|h.example:new\n",
		  "host=h.example; login=u {new}" },
		{ "dma: no login for another server", "dma",
		  "SMARTHOST h.example\nPORT 587\nSECURETRANSFER\nSTARTTLS\n",
		  "u|other.example:p\n", "host=h.example" },
		{ "dma: masquerading as a domain", "dma",
		  "SMARTHOST h.example\nMASQUERADE @d.example\n", NULL,
		  "host=h.example; port=25; tls=none; domain=d.example" },
		{ "esmtp: required is starttls", "esmtp",
		  "hostname=h.example:587\nstarttls=required\n", NULL, "host=h.example" },
		{ "exim4: a colon doubled before the port", "exim4",
		  "dc_eximconfig_configtype='satellite'\ndc_smarthost='h.example::587'\n",
		  "h.example:u:p\n", "host=h.example; login=u {p}" },
		{ "exim4: the name itself goes before a pattern", "exim4",
		  "dc_smarthost='h.example::587'\n",
		  "*:w:x\n*.example:v:y\nh.example:u:p\n",
		  "host=h.example; login=u {p}" },
		{ "postfix: a login for the relay to the letter", "postfix",
		  "relayhost = [h.example]:587\nsmtp_tls_security_level = encrypt\n"
		  "smtp_sasl_auth_enable = yes\n",
		  "[h.example]:25 no:no\n[h.example]:587 u:p\n",
		  "host=h.example; login=u {p}" },
		{ "postfix: no login where it is not enabled", "postfix",
		  "relayhost = [h.example]:587\nsmtp_tls_security_level = encrypt\n",
		  "[h.example]:587 u:p\n", "host=h.example" },
		{ "postfix: a value goes on behind comments", "postfix",
		  "relayhost =\n# why\n  [h.example]:587\nsmtp_use_tls = yes\n", NULL,
		  "host=h.example; tls=opportunistic" },
		{ "postfix: the last one counts", "postfix",
		  "relayhost = a.example\nrelayhost = [b.example]\n", NULL,
		  "host=b.example; port=25; tls=none" },
		{ "postfix: names within values", "postfix",
		  "mydomain = d.example\nrelayhost = [mail.${mydomain}]\n"
		  "myorigin = $mydomain\n",
		  NULL, "host=mail.d.example; port=25; tls=none; domain=d.example" },
		{ "postfix: a name that nothing defines", "postfix",
		  "relayhost = [mail.$nothing]\n", NULL, "" },
		{ "nullmailer: options with quotes", "nullmailer",
		  "h.example smtp --starttls --port=587 --user='u v' \"--pass=p q\"\n",
		  NULL, "host=h.example; login=u v {p q}" },
		{ "nullmailer: a short port", "nullmailer", "h.example smtp -p26\n", NULL,
		  "host=h.example; port=26; tls=none" },
		{ "nullmailer: me is the name in EHLO", "nullmailer", "h.example\n",
		  "me.example\n", "host=h.example; port=25; tls=none; helo=me.example" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO_BUF struct buf out = BUF_INIT(1000);
		struct import in;
		read_both(&in, cases[i].peer, cases[i].first, cases[i].second);
		describe(&in, &out);
		is_str(buf_str(&out), cases[i].want, "%s", cases[i].label);
		import_release(&in);
	}
}

static void test_notes(void) {
	static const struct {
		const char *label, *peer, *text, *want;
	} cases[] = {
		{ "an unknown setting is told with its place", "msmtp",
		  "host h.example\n\nnonsense x\n",
		  "first:3: not carried over: nonsense\n" },
		{ "the value of an unknown setting is not", "ssmtp",
		  "mailhub=h.example\nAuthPas=hunter2\n",
		  "first:2: not carried over: AuthPas\n" },
		{ "control characters are made visible", "dma",
		  "SMARTHOST h.example\n\033[31m x\n",
		  "first:2: not carried over: \\x1b[31m\n" },
		{ "a host that is none is told", "dma", "SMARTHOST a_b,c\n",
		  "dma: these files name no server that takes the mail\n" },
		{ "a login without a password is told", "ssmtp",
		  "mailhub=h.example\nUseSTARTTLS=yes\nAuthUser=u\n",
		  "ssmtp: there is a login but no password" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct import in;
		read_both(&in, cases[i].peer, cases[i].text, NULL);
		if (!ok(strstr(buf_str(&in.notes), cases[i].want) != NULL, "%s",
			cases[i].label))
			printf("# %s", buf_str(&in.notes));
		import_release(&in);
	}
}

static void test_secret(void) {
	struct import in;
	char text[3000] = "host h.example\nauth on\ntls on\nuser u\npassword ";
	size_t n = strlen(text);
	memset(text + n, 'x', sizeof(text) - n - 1);
	read_both(&in, "msmtp", text, NULL);
	is_int(in.secret.len, 0, "a password of thousands of bytes is not taken");
	ok(strstr(buf_str(&in.notes), "the password is too long") != NULL,
	   "which is told");
	ok(strstr(buf_str(&in.notes), "xxxx") == NULL, "without repeating it");
	import_release(&in);
}

int main(void) {
	test_settings();
	test_notes();
	test_secret();
	is_int(import_peer_find("sendmail") == NULL, 1, "sendmail is no peer");
	return done_testing();
}
