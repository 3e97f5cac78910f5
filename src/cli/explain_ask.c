/* What the running daemon has used of its rates and quotas, for `nightmail explain`. */

#include "base/auto.h"
#include "base/codec.h"
#include "cli/answer.h"
#include "cli/explain_limits.h"
#include "control/control.h"

#define ASK_MS 10000
#define REQUEST_MAX 65536u

static int answer_line(void *ctx, struct span line) {
	struct explain_way *w = ctx;
	AUTO_JSON json_t *m = json_loadb(line.p, line.len, 0, NULL);
	struct span kind = answer_text(m, "kind");
	struct explain_limit *l = kind.len ? explain_limit_add(w, answer_text(m, "domain")) : NULL;
	if (!l)
		return 0;
	l->kind = span_eq(kind, SPAN("rate"))   ? EXPLAIN_RATE
		  : span_eq(kind, SPAN("hour")) ? EXPLAIN_HOUR
						: EXPLAIN_DAY;
	l->limit = answer_number(m, "limit");
	l->per_s = answer_number(m, "per");
	l->next = answer_number(m, "next");
	l->waits = json_is_true(json_object_get(m, "waits"));
	l->warmup = json_is_true(json_object_get(m, "warmup"));
	if (json_object_get(m, "used"))
		l->used = answer_number(m, "used");
	return 0;
}

int explain_limits_ask(struct explain_way *w, const struct settings *s, struct err *err) {
	AUTO_BUF struct buf request = BUF_INIT(REQUEST_MAX), path = BUF_INIT(4096);
	struct span rest = buf_span(&w->domains), domain;
	buf_adds(&request, "limits");
	codec_word_add(&request, "relay", span_str(w->relay->name));
	while (span_take_word(&rest, &domain))
		codec_word_add(&request, "domain", domain);
	buf_addf(&path, "%s/control", s->rundir);
	if (buf_failed(&request) || buf_failed(&path))
		return err_set(err, ERR_LIMIT, "there are too many domains");
	return control_ask(buf_str(&path), buf_span(&request), ASK_MS, answer_line, w, err);
}
