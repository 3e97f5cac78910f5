#!/bin/sh
# nightmail-deliver is not for people: it says so, and does nothing.

B=${NIGHTMAIL_BUILD:-build/release}
n=0 failed=0
check() {
	n=$((n + 1))
	if [ "$2" = "$3" ]; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		echo "#   got $2"
		echo "#  want $3"
		failed=1
	fi
}

out=$("$B/nightmail-deliver" 2>&1 3<&-)
check "started by hand it refuses" "$?" 64
case $out in
*"nightmaild starts this program"*) said=yes ;;
*) said=no ;;
esac
check "and says who starts it" "$said" yes
"$B/nightmail-deliver" 3</dev/null >/dev/null 2>&1
check "another kind of descriptor 3 does not do" "$?" 64
"$B/nightmail-deliver" --frobnicate >/dev/null 2>&1
check "an unknown argument is refused" "$?" 64
check "--version tells the program" "$("$B/nightmail-deliver" --version | cut -d' ' -f1)" nightmail-deliver
check "--help fits a screen" "$(($("$B/nightmail-deliver" --help | wc -l) < 24))" 1
echo "1..$n"
exit $failed
