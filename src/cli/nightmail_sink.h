#ifndef NIGHTMAIL_CLI_NIGHTMAIL_SINK_H
#define NIGHTMAIL_CLI_NIGHTMAIL_SINK_H

/*
 * nightmail sink: an SMTP server that takes every message and delivers none, for trying a
 * relay's configuration and for tests. argv[0] is "sink", the options follow. Returns the
 * exit code (sysexits.h).
 */
int nightmail_sink(int argc, char **argv);

#endif
