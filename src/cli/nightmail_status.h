#ifndef NIGHTMAIL_CLI_NIGHTMAIL_STATUS_H
#define NIGHTMAIL_CLI_NIGHTMAIL_STATUS_H

/* nightmail status and nightmail reload: what the running daemon says. argv[0] is the word,
 * the options follow. Both return the exit code. */
int nightmail_status(int argc, char **argv);
int nightmail_reload(int argc, char **argv);
int nightmail_relay(int argc, char **argv);

#endif
