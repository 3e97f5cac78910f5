#ifndef NIGHTMAIL_CLI_NIGHTMAIL_IMPORT_H
#define NIGHTMAIL_CLI_NIGHTMAIL_IMPORT_H

/* nightmail config import: the settings of another relay as ours. argv[0] is "import". */

int nightmail_import(int argc, char **argv);

#endif
