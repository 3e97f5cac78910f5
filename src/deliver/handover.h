#ifndef NIGHTMAIL_DELIVER_HANDOVER_H
#define NIGHTMAIL_DELIVER_HANDOVER_H

/*
 * How a session goes on in nightmail-session when its client asks for TLS: the program takes
 * the place of the process, with these descriptors. The client waits for the 220.
 */

#define HANDOVER_CLIENT_FD 3
#define HANDOVER_LIMITS_FD 4 /* submit/limit.h */
#define HANDOVER_IDLE_FD 5   /* board of idle sessions: one int64 a slot */
#define HANDOVER_PLAN_FD 6   /* a pipe with the plan, submit/plan.h */

/* The program nightmail-session; returns its exit status. */
int handover_take(void);

#endif
