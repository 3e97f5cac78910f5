#ifndef NIGHTMAIL_CLI_SMTP_PROBE_JUDGE_H
#define NIGHTMAIL_CLI_SMTP_PROBE_JUDGE_H

/* What the parts of smtp_probe_judge() share. */

#include "cli/smtp_probe.h"

struct judge {
	struct smtp_probe_run *run;
	struct smtp_probe_target *t;
	const struct probe_result *r;
	struct findings *f;
	char name[400];
	bool mx;
};

/* What was said of TLS, certificates and policies becomes findings. */
void smtp_probe_judge_tls(struct judge *j);
/* A server's own reply, as evidence. */
void smtp_probe_judge_said(struct finding *f, const struct smtp_reply *reply);

#include "base/banned.h"

#endif
