#!/bin/sh
# nightmail-deliver, nightmail-resolve and nightmail-session are not for people: they say so, and do nothing.
cd "$(dirname "$0")/../.." || exit 1
. tests/cli/lib.sh

for p in nightmail-deliver nightmail-resolve nightmail-session; do
	out=$("$bin/$p" 2>&1 3<&-)
	is "$p: started by hand it refuses" "$?" 64
	has "$p: and says who starts it" "$out" 'starts this program; it is not run by hand'
	"$bin/$p" 3</dev/null >/dev/null 2>&1
	is "$p: another kind of descriptor 3 does not do" "$?" 64
	"$bin/$p" --frobnicate >/dev/null 2>&1
	is "$p: an unknown argument is refused" "$?" 64
	is "$p: --version tells the program" "$("$bin/$p" --version | cut -d' ' -f1)" "$p"
	is "$p: --help fits a screen" "$(($("$bin/$p" --help | wc -l) < 24))" 1
done
done_testing
