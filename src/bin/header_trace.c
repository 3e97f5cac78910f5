/* header-trace: a message's way as it went; see cli/header_trace.h. */

#include "cli/header_trace.h"

#include "base/file.h"
#include "base/proc.h"

int main(int argc, char **argv) {
	proc_start();
	file_fault_from_env();
	return header_trace(argc, argv);
}
