#ifndef NIGHTMAIL_CLI_NIGHTMAIL_DASHBOARD_H
#define NIGHTMAIL_CLI_NIGHTMAIL_DASHBOARD_H

/* `nightmail` without a command: the dashboard (tui/). argv as of main(); returns the exit
 * status. With `argc` 1 and no terminal, the caller prints its usage instead. */
int nightmail_dashboard(int argc, char **argv);

#endif
