#ifndef NIGHTMAIL_CHECK_FINDING_H
#define NIGHTMAIL_CHECK_FINDING_H

/*
 * The unit of every diagnosis. What a finding is about (its id) stands in one table with its
 * meaning, its remedy and its RFC; how bad it is here, on what, and why, is said where it is
 * found. The verdict is the worst finding, never a sum. Texts may hold foreign bytes: they are
 * made safe when they are printed.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/json.h"
#include "base/span.h"

/* From the harmless to the worst; a verdict is the largest one. */
enum finding_severity {
	FINDING_NA, /* does not apply here */
	FINDING_OK,
	FINDING_INFO,    /* shown on demand */
	FINDING_NOTICE,  /* worth knowing */
	FINDING_UNKNOWN, /* could not be found out: no failure */
	FINDING_WARN,
	FINDING_FAIL
};
const char *finding_severity_name(enum finding_severity s); /* "n/a" "ok" ... "fail" */

/* Codes of programs that report findings, as monitoring reads them. */
enum { FINDING_EXIT_OK, FINDING_EXIT_WARN, FINDING_EXIT_FAIL, FINDING_EXIT_UNKNOWN };

struct finding_kind {
	const char *id;
	const char *means;  /* what it means, and why it matters */
	const char *remedy; /* what to do; "" where there is nothing to do */
	const char *rfc;    /* "RFC 7208 section 4.6.4"; "" without one */
};
/* NULL: there is no such id. */
const struct finding_kind *finding_kind(struct span id);
/* "SPF" for "spf.lookups": the heading. */
const char *finding_area(const char *id);

struct finding {
	const struct finding_kind *kind;
	enum finding_severity severity;
	char *subject, *text, *evidence, *fix; /* evidence and fix may be NULL */
	bool shown; /* with its evidence, whatever the severity */
};

struct findings {
	struct finding *at;
	size_t count, cap;
	bool failed; /* out of memory: something is missing */
};

/*
 * Adds a finding. The id must stand in the table. Returns it until the next one is added, for
 * finding_evidence() and finding_fix(); never NULL.
 */
struct finding *finding_add(struct findings *f, const char *id,
			    enum finding_severity severity, const char *subject,
			    const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* What was seen, verbatim. */
void finding_evidence(struct finding *f, struct span evidence);
/* Like finding_evidence(), for what people want to see even when nothing is wrong. */
void finding_show(struct finding *f, struct span evidence);
/* The line that mends it, such as one of a zone file. */
void finding_fix(struct finding *f, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Moves all of `from` behind those of `to`. */
void finding_move(struct findings *to, struct findings *from);
void finding_clear(struct findings *f);

enum finding_severity finding_worst(const struct findings *f); /* OK when empty */
int finding_exit(const struct findings *f);

struct finding_style {
	const char *
		subject; /* what all of it is about; other subjects are named in each line */
	bool color;
	bool verbose; /* info and evidence too */
};

/* For people: a line each, what mends the worst, the verdict last. */
void finding_print(FILE *out, const struct findings *f,
		   const struct finding_style *style);
/* "severity<TAB>id<TAB>subject<TAB>text" */
void finding_print_plain(FILE *out, const struct findings *f);
/* One line with performance data, then the findings that are not ok. */
void finding_print_nagios(FILE *out, const struct findings *f, const char *subject,
			  int64_t took_ms);
/* Members of the object that is open: verdict, exit_code, counts, findings. */
void finding_json(struct json *j, const struct findings *f);
/* What an id means. False: there is none. */
bool finding_explain(FILE *out, struct span id);
/* The known id nearest to a mistyped one, or NULL. */
const char *finding_nearest(struct span id);
/* All ids, one a line. */
void finding_list(FILE *out);

#include "base/banned.h"

#endif
