#ifndef NIGHTMAIL_CLI_NIGHTMAIL_WATCH_H
#define NIGHTMAIL_CLI_NIGHTMAIL_WATCH_H

#include <stdint.h>

#include <jansson.h>

/* The line about one domain of the daemon's answer: verdict, last check, next one. */
void nightmail_watch_line(const json_t *d, int64_t now_s);

/* nightmail watch: what the daemon knows of the domains of [watch]. argv[0] is the word, the
 * options follow. Returns the exit code. */
int nightmail_watch(int argc, char **argv);

#endif
