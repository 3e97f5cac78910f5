#ifndef NIGHTMAIL_AUTHRES_ARC_H
#define NIGHTMAIL_AUTHRES_ARC_H

/*
 * Validates the chain of ARC (RFC 8617 section 5.2): who handled a message and what they found
 * when it came. Works like dkim_verify.h. Nothing here adds to a chain.
 */

#include "authres/dkim_verify.h"

#define ARC_SETS_MAX 50u

enum arc_verdict { ARC_PENDING, ARC_NONE, ARC_PASS, ARC_FAIL };

/* One instance. */
struct arc_set {
	const struct header_field *results, *message, *seal; /* AAR, AMS, AS */
	struct dkim_sig message_sig, seal_sig;
	struct span found; /* of AAR, behind "i=N;": an Authentication-Results value */
};

struct arc;

/* header must stay. */
struct arc *arc_new(struct span header, struct err *err);
void arc_feed(struct arc *a, struct span body);
void arc_end(struct arc *a);
/* ARC_PENDING: some answers wait for dns_run(). */
enum arc_verdict arc_run(struct arc *a, struct dns *dns);
/* The same without asking anything. */
enum arc_verdict arc_verdict(const struct arc *a);
const char *arc_reason(const struct arc *a); /* why it fails; "" */
size_t arc_count(const struct arc *a);       /* of sets, 0 when they are not 1..n */
/* i from 0 (instance 1). */
const struct arc_set *arc_set(const struct arc *a, size_t i);
void arc_free(struct arc *a);                     /* NULL is fine */
const char *arc_verdict_name(enum arc_verdict v); /* "none", "pass", "fail" */

#include "base/banned.h"

#endif
