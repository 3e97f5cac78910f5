/*
 * Lines and reports. Of a line the policy comes first and the result after it, so that sorting
 * puts together what belongs to one policy; a success has no more than that, a failure its
 * details.
 */

#include "tlspolicy/tlsrpt.h"

#include <stdio.h>
#include <string.h>

#include "base/codec.h"
#include "base/json.h"
#include "base/utcday.h"
#include "tlspolicy/sts_record.h"

#define POLICY_MAX 4096u
#define TEXT_MAX 255u

static const char *const type_names[] = {
	[TLSRPT_NO_POLICY] = "no-policy-found",
	[TLSRPT_STS] = "sts",
	[TLSRPT_TLSA] = "tlsa",
};
#define TYPES (sizeof(type_names) / sizeof(type_names[0]))

static const char *const result_names[] = {
	[TLSRPT_SUCCESS] = "success",
	[TLSRPT_STARTTLS_NOT_SUPPORTED] = "starttls-not-supported",
	[TLSRPT_HOST_MISMATCH] = "certificate-host-mismatch",
	[TLSRPT_EXPIRED] = "certificate-expired",
	[TLSRPT_NOT_TRUSTED] = "certificate-not-trusted",
	[TLSRPT_VALIDATION_FAILURE] = "validation-failure",
	[TLSRPT_TLSA_INVALID] = "tlsa-invalid",
	[TLSRPT_DNSSEC_INVALID] = "dnssec-invalid",
	[TLSRPT_DANE_REQUIRED] = "dane-required",
	[TLSRPT_STS_FETCH_ERROR] = "sts-policy-fetch-error",
	[TLSRPT_STS_INVALID] = "sts-policy-invalid",
	[TLSRPT_STS_WEBPKI_INVALID] = "sts-webpki-invalid",
};
#define RESULTS (sizeof(result_names) / sizeof(result_names[0]))

const char *tlsrpt_type_name(enum tlsrpt_type type) {
	return type_names[type];
}

const char *tlsrpt_result_name(enum tlsrpt_result result) {
	return result_names[result];
}

/* --- lines --- */

/* Whole lines of a policy, as many as there is room for. */
static struct span cut_policy(struct span policy) {
	size_t len = policy.len;
	if (len <= POLICY_MAX)
		return policy;
	for (len = POLICY_MAX; len > 0 && policy.p[len - 1] != '\n'; len--)
		;
	return span_head(policy, len);
}

static void add_some(struct buf *out, const char *key, struct span text) {
	if (text.len > 0)
		codec_word_add(out, key, span_head(text, TEXT_MAX));
}

int tlsrpt_line_add(struct buf *out, const struct tlsrpt_session *s) {
	buf_adds(out, type_names[s->type]);
	add_some(out, "domain", s->domain);
	codec_word_add(out, "policy", cut_policy(s->policy));
	codec_word_add(out, "result", span_str(result_names[s->result]));
	if (s->result != TLSRPT_SUCCESS) {
		add_some(out, "mx", s->mx);
		add_some(out, "from", s->sending_ip);
		add_some(out, "to", s->receiving_ip);
		add_some(out, "reason", s->reason);
	}
	return buf_failed(out) ? -1 : 0;
}

static bool find(const char *const *names, size_t count, struct span word, size_t *ret) {
	for (*ret = 0; *ret < count; ++*ret)
		if (span_eq(word, span_str(names[*ret])))
			return true;
	return false;
}

static bool take_word(struct tlsrpt_session *s, struct span key, struct span value,
		      struct buf *storage) {
	const struct {
		const char *key;
		struct span *to;
	} texts[] = {
		{ "domain", &s->domain },   { "policy", &s->policy },
		{ "mx", &s->mx },           { "from", &s->sending_ip },
		{ "to", &s->receiving_ip }, { "reason", &s->reason },
	};
	size_t which, begin = storage->len;
	if (value.p && span_eq(key, SPAN("result")) &&
	    find(result_names, RESULTS, value, &which)) {
		s->result = (enum tlsrpt_result)which;
		return true;
	}
	for (size_t i = 0; value.p && i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (!span_eq(key, span_str(texts[i].key)))
			continue;
		if (codec_percent_decode(storage, value) != 0)
			return false;
		*texts[i].to = span_from(buf_span(storage), begin);
		return true;
	}
	return false;
}

bool tlsrpt_line_parse(struct span line, struct buf *storage,
		       struct tlsrpt_session *ret) {
	struct span key, value;
	size_t type;
	*ret = (struct tlsrpt_session){ .result = TLSRPT_SUCCESS };
	buf_reset(storage);
	/* What is decoded is no longer, so the bytes do not move. */
	if (!buf_room(storage, line.len + 1) || !codec_word_take(&line, &key, &value) ||
	    value.p || !find(type_names, TYPES, key, &type))
		return false;
	ret->type = (enum tlsrpt_type)type;
	while (codec_word_take(&line, &key, &value))
		if (!take_word(ret, key, value, storage))
			return false;
	return ret->domain.len > 0;
}

/* --- the report --- */

/* What a line says of the policy: all in front of the result. */
static struct span policy_of(const struct bag_item *item) {
	const char *end = strstr(item->key, " result=");
	return span_of(item->key, end ? (size_t)(end - item->key) : item->len);
}

static struct span line_of(const struct bag_item *item) {
	return span_of(item->key, item->len);
}

static void add_lines(struct json *j, const char *key, struct span text) {
	struct span line;
	json_array(j, key);
	while (span_take_line(&text, &line))
		if (line.len > 0)
			json_str(j, NULL, line);
	json_end(j);
}

static void add_policy(struct json *j, const struct tlsrpt_session *s) {
	struct span rest = s->policy, mx;
	json_object(j, "policy");
	json_str(j, "policy-type", span_str(type_names[s->type]));
	if (s->policy.len > 0)
		add_lines(j, "policy-string", s->policy);
	json_str(j, "policy-domain", s->domain);
	if (s->type == TLSRPT_STS && s->policy.len > 0) {
		json_array(j, "mx-host");
		while (sts_policy_take_mx(&rest, &mx))
			json_str(j, NULL, mx);
		json_end(j);
	}
	json_end(j);
}

static void add_text(struct json *j, const char *key, struct span text) {
	if (text.len > 0)
		json_str(j, key, text);
}

static void add_detail(struct json *j, const struct tlsrpt_session *s, uint64_t n) {
	json_object(j, NULL);
	json_str(j, "result-type", span_str(result_names[s->result]));
	add_text(j, "sending-mta-ip", s->sending_ip);
	add_text(j, "receiving-mx-hostname", s->mx);
	add_text(j, "receiving-ip", s->receiving_ip);
	json_int(j, "failed-session-count", (int64_t)n);
	add_text(j, "failure-reason-code", s->reason);
	json_end(j);
}

/* One policy: the lines at[0] to at[count-1]. */
static void add_group(struct json *j, const struct bag_item *at, size_t count,
		      struct buf *storage) {
	struct tlsrpt_session s;
	uint64_t good = 0, bad = 0;
	if (!tlsrpt_line_parse(line_of(&at[0]), storage, &s))
		return;
	json_object(j, NULL);
	add_policy(j, &s);
	for (size_t i = 0; i < count; i++)
		if (tlsrpt_line_parse(line_of(&at[i]), storage, &s))
			*(s.result == TLSRPT_SUCCESS ? &good : &bad) += at[i].n;
	json_object(j, "summary");
	json_int(j, "total-successful-session-count", (int64_t)good);
	json_int(j, "total-failure-session-count", (int64_t)bad);
	json_end(j);
	if (bad > 0)
		json_array(j, "failure-details");
	for (size_t i = 0; i < count && bad > 0; i++)
		if (tlsrpt_line_parse(line_of(&at[i]), storage, &s) &&
		    s.result != TLSRPT_SUCCESS)
			add_detail(j, &s, at[i].n);
	if (bad > 0)
		json_end(j);
	json_end(j);
}

static void add_about(struct json *j, const struct tlsrpt_about *a) {
	struct utcday_name day = utcday_name(a->day);
	char text[400];
	json_str(j, "organization-name", a->organization);
	json_object(j, "date-range");
	snprintf(text, sizeof(text), "%sT00:00:00Z", day.s);
	json_str(j, "start-datetime", span_str(text));
	snprintf(text, sizeof(text), "%sT23:59:59Z", day.s);
	json_str(j, "end-datetime", span_str(text));
	json_end(j);
	json_str(j, "contact-info", a->contact);
	snprintf(text, sizeof(text), "%s@%.*s", day.s,
		 (int)(a->host.len < 256 ? a->host.len : 256),
		 a->host.len ? a->host.p : "");
	json_str(j, "report-id", span_str(text));
}

int tlsrpt_report_add(struct buf *out, struct bag *counts,
		      const struct tlsrpt_about *about, struct err *err) {
	AUTO_BUF struct buf storage = BUF_INIT(1u << 16);
	struct json j = json_into(out);
	bag_sort(counts);
	json_object(&j, NULL);
	add_about(&j, about);
	json_array(&j, "policies");
	for (size_t i = 0, end; i < counts->count; i = end) {
		struct span policy = policy_of(&counts->at[i]);
		for (end = i + 1;
		     end < counts->count && span_eq(policy, policy_of(&counts->at[end]));
		     end++)
			;
		add_group(&j, &counts->at[i], end - i, &storage);
	}
	json_end(&j);
	json_end(&j);
	buf_addc(out, '\n');
	return buf_failed(out) ? err_set(err, ERR_LIMIT, "the TLS report is too long")
			       : 0;
}
