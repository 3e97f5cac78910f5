/* The table of whose fault it is. */

#include "deliver/outcome.h"

#include "tap.h"

struct row {
	const char *label;
	enum smtp_stage stage;
	int code;
	const char *status, *text;
	unsigned refused;
	enum outcome want;
};

static const struct row rows[] = {
	{ "a final 250 delivers", SMTP_STAGE_CONTENT, 250, "2.0.0", "ok", 0,
	  OUTCOME_DELIVERED },
	{ "250 to RCPT is no refusal", SMTP_STAGE_RCPT, 250, "2.1.5", "ok", 0,
	  OUTCOME_DELIVERED },
	{ "251 to RCPT is no refusal", SMTP_STAGE_RCPT, 251, "", "forwards", 0,
	  OUTCOME_DELIVERED },

	{ "a connection that fails holds the relay", SMTP_STAGE_CONNECT, 451, "4.4.1", "",
	  0, OUTCOME_RELAY },
	{ "a 554 greeting holds the relay", SMTP_STAGE_GREETING, 554, "5.7.1", "go away",
	  0, OUTCOME_RELAY },
	{ "a 421 greeting holds the relay", SMTP_STAGE_GREETING, 421, "4.3.2", "busy", 0,
	  OUTCOME_RELAY },
	{ "a 550 to EHLO holds the relay", SMTP_STAGE_EHLO, 550, "", "bad name", 0,
	  OUTCOME_RELAY },
	{ "TLS that fails holds the relay", SMTP_STAGE_TLS, 454, "4.7.5", "expired", 0,
	  OUTCOME_RELAY },
	{ "a refused login holds the relay", SMTP_STAGE_AUTH, 535, "5.7.8",
	  "bad credentials", 0, OUTCOME_RELAY },
	{ "a login that fails for now holds the relay", SMTP_STAGE_AUTH, 454, "4.7.0",
	  "later", 0, OUTCOME_RELAY },
	{ "421 at MAIL is the relay's", SMTP_STAGE_MAIL, 421, "4.7.0", "too many", 0,
	  OUTCOME_RELAY },
	{ "421 at RCPT is the relay's", SMTP_STAGE_RCPT, 421, "", "too many", 0,
	  OUTCOME_RELAY },
	{ "421 at DATA is the relay's", SMTP_STAGE_DATA, 421, "", "too many", 0,
	  OUTCOME_RELAY },
	{ "421 to the content is for later", SMTP_STAGE_CONTENT, 421, "4.3.0",
	  "shutting down", 0, OUTCOME_LATER },
	{ "530 at MAIL is the relay's", SMTP_STAGE_MAIL, 530, "5.7.0",
	  "Must issue a STARTTLS command first", 0, OUTCOME_RELAY },
	{ "530 at RCPT is the relay's", SMTP_STAGE_RCPT, 530, "5.7.1", "nope", 0,
	  OUTCOME_RELAY },
	{ "535 at MAIL is the relay's", SMTP_STAGE_MAIL, 535, "5.7.8", "nope", 0,
	  OUTCOME_RELAY },
	{ "535 at DATA is the relay's", SMTP_STAGE_DATA, 535, "5.7.8", "nope", 0,
	  OUTCOME_RELAY },

	{ "550 at MAIL fails the message", SMTP_STAGE_MAIL, 550, "5.7.1",
	  "sender rejected", 0, OUTCOME_FAILED_MESSAGE },
	{ "the second refused sender fails its message", SMTP_STAGE_MAIL, 550, "5.1.8",
	  "no", 1, OUTCOME_FAILED_MESSAGE },
	{ "the third refused sender is the relay's fault", SMTP_STAGE_MAIL, 550, "5.1.8",
	  "no", 2, OUTCOME_RELAY },
	{ "552 at MAIL fails the message", SMTP_STAGE_MAIL, 552, "5.3.4", "too big", 0,
	  OUTCOME_FAILED_MESSAGE },
	{ "451 at MAIL is for later", SMTP_STAGE_MAIL, 451, "4.3.0", "try again", 2,
	  OUTCOME_LATER },
	{ "452 at MAIL is for later", SMTP_STAGE_MAIL, 452, "4.3.1", "disk full", 0,
	  OUTCOME_LATER },

	{ "550 at RCPT fails the recipient", SMTP_STAGE_RCPT, 550, "5.1.1",
	  "no such user", 0, OUTCOME_FAILED_RECIPIENT },
	{ "553 at RCPT fails the recipient", SMTP_STAGE_RCPT, 553, "", "bad address", 0,
	  OUTCOME_FAILED_RECIPIENT },
	{ "a user of a domain called relay fails alone", SMTP_STAGE_RCPT, 550, "5.1.1",
	  "<bob@relay.example> unknown", 0, OUTCOME_FAILED_RECIPIENT },
	{ "554 5.7.1 Relay access denied is the relay's", SMTP_STAGE_RCPT, 554, "5.7.1",
	  "<a@b>: Relay access denied", 0, OUTCOME_RELAY },
	{ "454 4.7.1 Relay access denied is the relay's too", SMTP_STAGE_RCPT, 454,
	  "4.7.1", "<a@b>: Relay access denied", 0, OUTCOME_RELAY },
	{ "550 relay not permitted is the relay's", SMTP_STAGE_RCPT, 550, "",
	  "relay not permitted", 0, OUTCOME_RELAY },
	{ "503 AUTH first is the relay's", SMTP_STAGE_MAIL, 503, "",
	  "AUTH first (#5.5.1)", 0, OUTCOME_RELAY },
	{ "550 authentication required is the relay's", SMTP_STAGE_RCPT, 550, "5.7.1",
	  "Authentication required", 0, OUTCOME_RELAY },
	{ "452 at RCPT is for later", SMTP_STAGE_RCPT, 452, "4.2.2", "mailbox full", 0,
	  OUTCOME_LATER },
	{ "552 too many recipients is for later", SMTP_STAGE_RCPT, 552, "5.5.3",
	  "too many recipients", 0, OUTCOME_LATER },
	{ "552 without a status at RCPT is for later", SMTP_STAGE_RCPT, 552, "",
	  "too many recipients", 0, OUTCOME_LATER },
	{ "552 mailbox full fails the recipient", SMTP_STAGE_RCPT, 552, "5.2.2",
	  "over quota", 0, OUTCOME_FAILED_RECIPIENT },
	{ "450 greylisted comes back soon", SMTP_STAGE_RCPT, 450, "4.2.0",
	  "Greylisted, see http://x", 0, OUTCOME_GREYLISTED },
	{ "451 Graylisting at DATA comes back soon", SMTP_STAGE_DATA, 451, "",
	  "Graylisting in action", 0, OUTCOME_GREYLISTED },
	{ "550 with the word greylist is final", SMTP_STAGE_RCPT, 550, "",
	  "greylist says no", 0, OUTCOME_FAILED_RECIPIENT },

	{ "554 at DATA fails the message", SMTP_STAGE_DATA, 554, "5.7.1", "spam", 0,
	  OUTCOME_FAILED_MESSAGE },
	{ "451 at DATA is for later", SMTP_STAGE_DATA, 451, "", "", 0, OUTCOME_LATER },
	{ "503 out of step bounces nothing", SMTP_STAGE_DATA, 503, "5.5.1", "need RCPT",
	  0, OUTCOME_LATER },
	{ "554 to the content fails the message", SMTP_STAGE_CONTENT, 554, "5.6.0",
	  "virus", 0, OUTCOME_FAILED_MESSAGE },
	{ "words about logins in a content reply change nothing", SMTP_STAGE_CONTENT, 550,
	  "5.7.26", "DMARC authentication required", 0, OUTCOME_FAILED_MESSAGE },
	{ "452 to the content is for later", SMTP_STAGE_CONTENT, 452, "4.3.1", "full", 0,
	  OUTCOME_LATER },
};

static struct smtp_reply reply_of(const struct row *r) {
	struct smtp_reply reply = { .code = r->code };
	struct span status = span_str(r->status);
	mail_status_take(&status, &reply.status);
	snprintf(reply.text, sizeof(reply.text), "%s", r->text);
	return reply;
}

static void test_words(void) {
	static const struct {
		enum smtp_stage stage;
		int code;
		bool local;
		unsigned detail;
		const char *text, *want;
	} words[] = {
		{ SMTP_STAGE_CONNECT, 451, true, 1, "connection refused",
		  "cannot connect" },
		{ SMTP_STAGE_GREETING, 554, false, 0, "no", "refused at the greeting" },
		{ SMTP_STAGE_TLS, 454, true, 5, "expired",
		  "the certificate is not trusted" },
		{ SMTP_STAGE_TLS, 454, true, 4, "none", "no TLS offered" },
		{ SMTP_STAGE_AUTH, 535, false, 8, "bad", "login refused" },
		{ SMTP_STAGE_AUTH, 454, false, 0, "busy", "login failed for now" },
		{ SMTP_STAGE_AUTH, 454, true, 0, "no mechanism", "login not possible" },
		{ SMTP_STAGE_MAIL, 530, false, 0, "", "login required" },
		{ SMTP_STAGE_RCPT, 554, false, 1, "relay access denied",
		  "relaying refused" },
		{ SMTP_STAGE_MAIL, 550, false, 1, "no", "every sender is refused" },
		{ SMTP_STAGE_MAIL, 421, false, 0, "x", "told to come back later" },
		{ SMTP_STAGE_MAIL, 421, true, 2, "closed", "connection lost" },
	};
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		struct smtp_reply r = { .code = words[i].code, .local = words[i].local };
		r.status = (struct mail_status){ (unsigned)words[i].code / 100, 7,
						 words[i].detail };
		snprintf(r.text, sizeof(r.text), "%s", words[i].text);
		is_str(outcome_words(words[i].stage, &r), words[i].want,
		       "the words \"%s\"", words[i].want);
	}
}

int main(void) {
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct smtp_reply r = reply_of(&rows[i]);
		is_int(outcome_judge(rows[i].stage, &r, rows[i].refused), rows[i].want,
		       "%s", rows[i].label);
	}
	test_words();
	return done_testing();
}
