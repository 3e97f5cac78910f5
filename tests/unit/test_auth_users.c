/* The password file: what a line may be, what is refused, and who can log in with it. */

#include "smtp/auth_users.h"

#include "base/auto.h"
#include "smtp/auth.h"
#include "tap.h"

/* "secret" with the salt "0123456789ab", 4096 times. */
#define KEYS256 \
	"{SCRAM-SHA-256}4096,MDEyMzQ1Njc4OWFi,bYK/nA2Lw17JpvFo7Xz+64KAvksJi35PWUI0Nlws+tE=,onD7JCIEsXfFHvhrhUQVXk6l+TLDHrZuJdZLULvPDX0="
#define KEYS1 "{SCRAM-SHA-1}4096,MDEyMzQ1Njc4OWFi,NPV+x40S4eGnonvnnaM6o80miOw=,PUKP2EJuPPAQjkKwpcmdjWxdA6s="

static const struct {
	const char *label, *text, *want; /* mechanisms, or the error */
} files[] = {
	{ "a password", "printer:secret\n", "SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN" },
	{ "comments and empty lines", "# who\n\nprinter:{plain}{x}\n",
	  "SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN" },
	{ "a colon in a password", "printer:a:b", "SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN" },
	{ "keys of SHA-256", "a:" KEYS256 "\nb:x\n", "SCRAM-SHA-256 PLAIN LOGIN" },
	{ "keys of both", "a:" KEYS256 "\na:" KEYS1 "\n", "SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN" },
	{ "keys of one kind each", "a:" KEYS256 "\nb:" KEYS1 "\n", "PLAIN LOGIN" },
	{ "nobody", "# nobody\n", "there is no login in it" },
	{ "no colon", "a:b\nprinter secret\n", "2: there is no colon; write login:password" },
	{ "no login", ":secret\n", "1: before the colon stands no login" },
	{ "no password", "printer:\n",
	  "1: behind the colon stands no password (UTF-8 without control characters)" },
	{ "a control character", "printer:a\033b\n",
	  "1: behind the colon stands no password (UTF-8 without control characters)" },
	{ "an unknown kind", "printer:{CRYPT}x\n",
	  "1: an unknown kind of password; there are {PLAIN}, {SCRAM-SHA-256} and {SCRAM-SHA-1}" },
	{ "keys that are none", "printer:{SCRAM-SHA-256}4096,x,y,z\n",
	  "1: behind {SCRAM-SHA-256} stand COUNT,SALT,STORED,SERVER (at most 1000000, and three "
	  "times base64)" },
	{ "a count that takes for ever", "printer:{SCRAM-SHA-256}4000000000,MDE=,MDE=,MDE=\n",
	  "1: behind {SCRAM-SHA-256} stand COUNT,SALT,STORED,SERVER (at most 1000000, and three "
	  "times base64)" },
	{ "a password twice", "a:b\na:c\n", "2: a second password of this login" },
	{ "keys twice", "a:" KEYS1 "\na:" KEYS1 "\n", "2: second keys of this login" },
};

static void test_files(void) {
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		struct smtp_auth_users u;
		struct err err = ERR_INIT;
		int r = smtp_auth_users_parse(span_str(files[i].text), &u, &err);
		is_str(r == 0 ? smtp_auth_users_mechanisms(&u) : err.msg, files[i].want, "%s",
		       files[i].label);
		smtp_auth_users_release(&u);
	}
}

/* A whole exchange between our client side and our server side. */
static bool logs_in(const struct smtp_auth_users *u, const char *mechanism, const char *login,
		    const char *password) {
	const struct smtp_auth_ops *ops = &smtp_auth_client_ops;
	struct smtp_auth *client =
		smtp_auth_new(&(struct smtp_auth_options){ .login = login,
							   .secret = span_str(password),
							   .only = mechanism,
							   .host = "localhost" },
			      NULL);
	struct smtp_auth_server *server = smtp_auth_server_for(mechanism, u, NULL);
	AUTO_BUF struct buf challenge = BUF_INIT(10000), response = BUF_INIT(10000);
	struct span to_client = { NULL, 0 };
	int r = ops->choose(client, mechanism, true, NULL) && server ? 0 : -1;
	for (int i = 0; r == 0 && i < 6; i++) {
		bool has = true;
		buf_reset(&response);
		if (ops->step(client, to_client, &response, &has, NULL) < 0)
			break;
		struct span to_server = { NULL, 0 };
		if (has)
			to_server = span_of(buf_str(&response), response.len);
		buf_reset(&challenge);
		r = smtp_auth_server_step(server, to_server, &challenge);
		to_client = span_of(buf_str(&challenge), challenge.len);
	}
	bool yes = r > 0 && smtp_auth_server_login(server) &&
		   strcmp(smtp_auth_server_login(server), login) == 0;
	smtp_auth_server_free(server);
	smtp_auth_free(client);
	return yes;
}

static void test_logins(void) {
	static const char *const mechanisms[] = { "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "LOGIN" };
	static const char *const tables[] = { "other:x\nprinter:secret\n",
					      "printer:" KEYS256 "\nprinter:" KEYS1 "\n" };
	for (size_t t = 0; t < 2; t++) {
		struct smtp_auth_users u;
		is_int(smtp_auth_users_parse(span_str(tables[t]), &u, NULL), 0, "%s",
		       t ? "with keys" : "with a password");
		for (size_t i = 0; i < 4; i++) {
			ok(logs_in(&u, mechanisms[i], "printer", "secret"), "%s: logs in",
			   mechanisms[i]);
			ok(!logs_in(&u, mechanisms[i], "printer", "secret2"),
			   "%s: not with another password", mechanisms[i]);
			ok(!logs_in(&u, mechanisms[i], "scanner", "secret"),
			   "%s: not with another login", mechanisms[i]);
		}
		smtp_auth_users_release(&u);
	}
}

int main(void) {
	test_files();
	test_logins();
	return done_testing();
}
