#ifndef NIGHTMAIL_DELIVER_PARENT_H
#define NIGHTMAIL_DELIVER_PARENT_H

/*
 * The process between manager and workers: it loads each CA bundle once, reads the one
 * secret a worker needs, forks the worker, and wipes the secret.
 */

/* Serves `channel` (see wire.h) until its end, SIGTERM, or a minute without workers; always
 * waits for the last worker. Returns the exit code. */
int deliver_parent(int channel);

#endif
