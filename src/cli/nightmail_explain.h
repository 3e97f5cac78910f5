#ifndef NIGHTMAIL_CLI_NIGHTMAIL_EXPLAIN_H
#define NIGHTMAIL_CLI_NIGHTMAIL_EXPLAIN_H

/* nightmail explain: argv[0] is the command's name. Returns the exit code. */
int nightmail_explain(int argc, char **argv);

#endif
