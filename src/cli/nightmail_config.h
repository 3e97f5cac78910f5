#ifndef NIGHTMAIL_CLI_NIGHTMAIL_CONFIG_H
#define NIGHTMAIL_CLI_NIGHTMAIL_CONFIG_H

/*
 * nightmail config check|show|keys. argv[0] is "config", the rest follows. Returns the exit
 * code: 0, EX_USAGE, or EX_CONFIG when the configuration has an error.
 */
int nightmail_config(int argc, char **argv);

#endif
