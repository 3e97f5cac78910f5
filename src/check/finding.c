/* Findings: the list. finding_kinds_*.c know what they mean, finding_print.c how they look. */

#include "check/finding.h"

#include <stdarg.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/buf.h"

#define TEXT_MAX 65536
#define FINDINGS_MAX 4096u

static const char *const names[] = {
	[FINDING_NA] = "n/a",          [FINDING_OK] = "ok",
	[FINDING_INFO] = "info",       [FINDING_NOTICE] = "notice",
	[FINDING_UNKNOWN] = "unknown", [FINDING_WARN] = "warn",
	[FINDING_FAIL] = "fail",
};

const char *finding_severity_name(enum finding_severity s) {
	return names[s];
}

__attribute__((format(printf, 1, 0))) static char *text_of(const char *fmt, va_list ap) {
	AUTO_BUF struct buf text = BUF_INIT(TEXT_MAX);
	buf_vaddf(&text, fmt, ap);
	if (text.len == 0 && !buf_failed(&text))
		buf_addc(&text, ' ');
	return buf_take(&text);
}

static void release(struct finding *f) {
	free(f->subject);
	free(f->text);
	free(f->evidence);
	free(f->fix);
}

/* Room for one more; false: there is none. */
static bool grow(struct findings *f) {
	if (f->count < f->cap)
		return true;
	size_t cap = f->cap ? f->cap * 2 : 16;
	struct finding *more = cap > FINDINGS_MAX
				       ? NULL
				       : reallocarray(f->at, cap, sizeof(*more));
	if (!more) {
		f->failed = true;
		return false;
	}
	f->at = more;
	f->cap = cap;
	return true;
}

struct finding *finding_add(struct findings *f, const char *id,
			    enum finding_severity severity, const char *subject,
			    const char *fmt, ...) {
	static struct finding lost; /* what is written to it is dropped */
	const struct finding_kind *kind = finding_kind(span_str(id));
	va_list ap;
	if (!kind || !grow(f)) {
		f->failed = true;
		release(&lost);
		lost = (struct finding){ .severity = severity };
		return &lost;
	}
	va_start(ap, fmt);
	f->at[f->count] = (struct finding){
		.kind = kind,
		.severity = severity,
		.subject = span_dup(span_str(subject)),
		.text = text_of(fmt, ap),
	};
	va_end(ap);
	if (!f->at[f->count].subject || !f->at[f->count].text)
		f->failed = true;
	return &f->at[f->count++];
}

void finding_evidence(struct finding *f, struct span evidence) {
	free(f->evidence);
	f->evidence = span_dup(span_head(evidence, TEXT_MAX));
}

void finding_show(struct finding *f, struct span evidence) {
	finding_evidence(f, evidence);
	f->shown = true;
}

void finding_fix(struct finding *f, const char *fmt, ...) {
	va_list ap;
	va_start(ap, fmt);
	free(f->fix);
	f->fix = text_of(fmt, ap);
	va_end(ap);
}

void finding_move(struct findings *to, struct findings *from) {
	for (size_t i = 0; i < from->count; i++) {
		if (grow(to))
			to->at[to->count++] = from->at[i];
		else
			release(&from->at[i]);
	}
	to->failed |= from->failed;
	from->count = 0;
	finding_clear(from);
}

void finding_clear(struct findings *f) {
	for (size_t i = 0; i < f->count; i++)
		release(&f->at[i]);
	free(f->at);
	*f = (struct findings){ .at = NULL };
}

enum finding_severity finding_worst(const struct findings *f) {
	enum finding_severity worst = f->failed ? FINDING_UNKNOWN : FINDING_OK;
	for (size_t i = 0; i < f->count; i++)
		if (f->at[i].severity > worst)
			worst = f->at[i].severity;
	return worst;
}

int finding_exit(const struct findings *f) {
	static const int codes[] = {
		[FINDING_UNKNOWN] = FINDING_EXIT_UNKNOWN,
		[FINDING_WARN] = FINDING_EXIT_WARN,
		[FINDING_FAIL] = FINDING_EXIT_FAIL,
	};
	return codes[finding_worst(f)];
}
