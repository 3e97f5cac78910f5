/*
 * Whose fault is it. Everything up to and including AUTH, a 421, 530, 534, 535 or 538, and
 * refused relaying are our own trouble with the relay; MAIL, DATA and the final reply judge
 * the message, RCPT one recipient; 4xx means later.
 *
 * Where a server says in words that it does not relay for us, or wants a login, the code
 * does not matter: Postfix answers 454 4.7.1 by default, others 550, 553, 554 or 503. Only
 * whole phrases count, so that "no such user at relay.example" stays the recipient's.
 */

#include "deliver/outcome.h"

#include <string.h>
#include <strings.h>

#include "deliver/greylist.h"

/* The third different sender refused in a row is the relay's fault. */
#define REFUSED_SENDERS_MAX 2u

static const char *const relaying_phrases[] = {
	"relay access denied",
	"relaying denied",
	"relay denied",
	"relay not permitted",
	"relaying not permitted",
	"relay not allowed",
	"relaying not allowed",
	"relaying is not allowed",
	"relaying is not permitted",
	"relay operation rejected",
	"relaying prohibited",
	"relay prohibited",
	"relaying temporarily denied",
	"unable to relay",
	"cannot relay",
	"not permitted to relay",
	"not allowed to relay",
	"not authorized to relay",
	"do not relay",
	"don't relay",
	"does not relay",
	"no relaying",
	"open relay",
	"relaying disallowed",
};

static const char *const login_phrases[] = {
	"authentication required",
	"authentication is required",
	"requires authentication",
	"must authenticate",
	"must be authenticated",
	"not authenticated",
	"authenticate first",
	"auth first",
	"need to authenticate",
	"please authenticate",
	"auth required",
	"must issue a starttls",
	"login required",
	"not logged in",
	"log in first",
};

static const char *const too_many_phrases[] = {
	"too many recipients",
	"too many rcpt",
	"too many addresses",
	"recipient limit",
	"recipients limit",
	"maximum number of recipients",
};

static bool contains_any(const char *text, const char *const *phrases, size_t count) {
	for (size_t i = 0; i < count; i++)
		if (strcasestr(text, phrases[i]))
			return true;
	return false;
}

#define CONTAINS_ANY(text, phrases) \
	contains_any((text), (phrases), sizeof(phrases) / sizeof((phrases)[0]))

static bool is_login_code(int code) {
	return code == 530 || code == 534 || code == 535 || code == 538;
}

static bool wants_login(const struct smtp_reply *r) {
	return is_login_code(r->code) ||
	       (!r->local && r->code >= 400 && CONTAINS_ANY(r->text, login_phrases));
}

static bool refuses_relaying(const struct smtp_reply *r) {
	return !r->local && r->code >= 400 && CONTAINS_ANY(r->text, relaying_phrases);
}

static bool is_before_mail(enum smtp_stage stage) {
	switch (stage) {
	case SMTP_STAGE_CONNECT:
	case SMTP_STAGE_GREETING:
	case SMTP_STAGE_EHLO:
	case SMTP_STAGE_TLS:
	case SMTP_STAGE_AUTH:
		return true;
	case SMTP_STAGE_MAIL:
	case SMTP_STAGE_RCPT:
	case SMTP_STAGE_DATA:
	case SMTP_STAGE_CONTENT:
	case SMTP_STAGE_QUIT:
		return false;
	}
	return false;
}

static enum outcome judge_temporary(const struct smtp_reply *r) {
	return greylist_is(r) ? OUTCOME_GREYLISTED : OUTCOME_LATER;
}

/* 503 means that the two sides disagree about where they are: nobody's mail is to be refused
 * for that. 552 at RCPT is "too many recipients" of older servers (RFC 5321 section
 * 4.5.3.1.10) unless the status says that the mailbox is full. */
static bool is_later_in_disguise(enum smtp_stage stage, const struct smtp_reply *r) {
	if (r->code == 503)
		return true;
	return stage == SMTP_STAGE_RCPT && r->code == 552 &&
	       (r->status.klass == 0 ||
		(r->status.subject == 5 && r->status.detail == 3));
}

enum outcome outcome_judge(enum smtp_stage stage, const struct smtp_reply *reply,
			   unsigned refused_senders) {
	int klass = reply->code / 100;
	if (is_before_mail(stage))
		return OUTCOME_RELAY;
	if (klass == 2)
		return OUTCOME_DELIVERED;
	if (is_login_code(reply->code))
		return OUTCOME_RELAY;
	if (reply->code == 421)
		return stage == SMTP_STAGE_CONTENT ? OUTCOME_LATER : OUTCOME_RELAY;
	/* What a server says about the content may quote anything; the envelope was taken. */
	if (stage != SMTP_STAGE_CONTENT &&
	    (wants_login(reply) || refuses_relaying(reply)))
		return OUTCOME_RELAY;
	if (klass != 5 || is_later_in_disguise(stage, reply))
		return judge_temporary(reply);
	if (stage == SMTP_STAGE_RCPT)
		return OUTCOME_FAILED_RECIPIENT;
	if (stage == SMTP_STAGE_MAIL && refused_senders >= REFUSED_SENDERS_MAX)
		return OUTCOME_RELAY;
	return OUTCOME_FAILED_MESSAGE;
}

static const char *tls_words(const struct smtp_reply *r) {
	if (r->local && r->status.subject == 7 && r->status.detail == 5)
		return "the certificate is not trusted";
	if (r->local && r->status.subject == 7 && r->status.detail == 4)
		return "no TLS offered";
	return "no secure connection";
}

const char *outcome_words(enum smtp_stage stage, const struct smtp_reply *reply) {
	if (reply->code == 421 && !reply->local && stage != SMTP_STAGE_GREETING)
		return "told to come back later";
	switch (stage) {
	case SMTP_STAGE_CONNECT:
		return "cannot connect";
	case SMTP_STAGE_GREETING:
		return reply->local ? "no usable greeting" : "refused at the greeting";
	case SMTP_STAGE_EHLO:
		return "no agreement at EHLO";
	case SMTP_STAGE_TLS:
		return tls_words(reply);
	case SMTP_STAGE_AUTH:
		if (reply->local)
			return "login not possible";
		return reply->code / 100 == 5 ? "login refused" : "login failed for now";
	case SMTP_STAGE_MAIL:
	case SMTP_STAGE_RCPT:
	case SMTP_STAGE_DATA:
	case SMTP_STAGE_CONTENT:
	case SMTP_STAGE_QUIT:
		break;
	}
	if (reply->local)
		return "connection lost";
	if (wants_login(reply))
		return "login required";
	if (refuses_relaying(reply))
		return "relaying refused";
	return stage == SMTP_STAGE_MAIL ? "every sender is refused" : "service refused";
}

bool outcome_is_too_many(const struct smtp_reply *r) {
	if (r->local || (r->code / 100 != 4 && r->code != 552))
		return false;
	return (r->status.subject == 5 && r->status.detail == 3) ||
	       CONTAINS_ANY(r->text, too_many_phrases);
}
