#!/bin/sh
# The queue on xfs that loses power; powercut.sh says how.
. "${0%/*}/powercut.sh"
# The variables are those of xfsprogs' own tests: they allow a small file system.
cut_power xfs 32 '' ,nouuid env TEST_DIR=x TEST_DEV=x QA_CHECK_FS=1 mkfs.xfs -q
