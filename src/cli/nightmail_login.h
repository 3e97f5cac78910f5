#ifndef NIGHTMAIL_CLI_NIGHTMAIL_LOGIN_H
#define NIGHTMAIL_CLI_NIGHTMAIL_LOGIN_H

/* nightmail login RELAY and nightmail secret set|test|delete RELAY. Return exit codes. */
int nightmail_login(int argc, char **argv);
int nightmail_secret(int argc, char **argv);

#endif
