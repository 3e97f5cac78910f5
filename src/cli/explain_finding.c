/* See explain_finding.h. */

#include "cli/explain_finding.h"

#include <stdio.h>
#include <sysexits.h>

#include "check/finding.h"
#include "cli/cli.h"

int explain_finding(const char *program, const char *id) {
	struct span s = span_str(id);
	if (span_eq(s, SPAN("all"))) {
		finding_list(stdout);
		return EX_OK;
	}
	if (finding_explain(stdout, s))
		return EX_OK;
	const char *near = finding_nearest(s);
	if (near)
		return cli_usage(program, "--explain %s: no such finding; did you mean %s?", id,
				 near);
	return cli_usage(program, "--explain %s: no such finding; 'all' lists them", id);
}
