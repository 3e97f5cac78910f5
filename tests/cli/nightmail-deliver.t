#!/bin/sh
# nightmail-deliver, nightmail-resolve and nightmail-session are not for people: they say so, and do nothing.

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

for p in nightmail-deliver nightmail-resolve nightmail-session; do
	out=$("$B/$p" 2>&1 3<&-)
	check "$p: started by hand it refuses" "$?" 64
	case $out in
	*"starts this program; it is not run by hand"*) said=yes ;;
	*) said=no ;;
	esac
	check "$p: and says who starts it" "$said" yes
	"$B/$p" 3</dev/null >/dev/null 2>&1
	check "$p: another kind of descriptor 3 does not do" "$?" 64
	"$B/$p" --frobnicate >/dev/null 2>&1
	check "$p: an unknown argument is refused" "$?" 64
	check "$p: --version tells the program" "$("$B/$p" --version | cut -d' ' -f1)" "$p"
	check "$p: --help fits a screen" "$(($("$B/$p" --help | wc -l) < 24))" 1
done
echo "1..$n"
exit $failed
