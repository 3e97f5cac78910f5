#ifndef NIGHTMAIL_CLI_NIGHTMAIL_SETUP_H
#define NIGHTMAIL_CLI_NIGHTMAIL_SETUP_H

/* nightmail setup: from nothing to a machine whose mail leaves. argv[0] is "setup". */

int nightmail_setup(int argc, char **argv);

#endif
