# For tests that are shell scripts: TAP, waiting, and the end of what they started. Sourced from the
# project's root; leaves $bin. $dir is the test's own folder; the end of $dir/log is shown when a
# check fails.
bin=${NIGHTMAIL_BUILD:-$PWD/build/release}
[ -x "$bin/mailq" ] || {
	echo "Bail out! $bin: no programs there"
	exit 1
}
n=0
bad=0
daemon=
sink=

pass() {
	n=$((n + 1))
	echo "ok $n - $1"
}

# fail NAME TEXT
fail() {
	n=$((n + 1))
	bad=1
	echo "not ok $n - $1"
	printf '%s\n' "$2" | sed 's/^/# /'
	tail -n 8 "$dir/log" 2>/dev/null | sed 's/^/# /'
}

skip() {
	n=$((n + 1))
	echo "ok $n - $1 # SKIP $2"
}

# is NAME GOT WANT
is() {
	if [ "$2" = "$3" ]; then
		pass "$1"
	else
		fail "$1" "$(printf 'got:\n%s\nwant:\n%s' "$2" "$3")"
	fi
}

# like NAME TEXT PATTERN: some line of the text matches the basic regular expression.
like() {
	if printf '%s\n' "$2" | grep -q -e "$3"; then
		pass "$1"
	else
		fail "$1" "$(printf 'got:\n%s\nno match for: %s' "$2" "$3")"
	fi
}

# has NAME TEXT WORDS: the words stand in the text.
has() {
	case $2 in
	*"$3"*) pass "$1" ;;
	*) fail "$1" "$(printf 'got:\n%s\nlacks: %s' "$2" "$3")" ;;
	esac
}

# ok NAME COMMAND...: the command succeeds.
ok() {
	checked=$1
	shift
	if "$@" >"$dir/ok.out" 2>&1; then
		pass "$checked"
	else
		fail "$checked" "$(head -n 5 "$dir/ok.out")"
	fi
}
not() { ! "$@"; }

done_testing() {
	echo "1..$n"
	exit $bad
}

# until_true COMMAND...: until it succeeds, at most 20 s.
until_true() {
	tries=0
	until "$@" >/dev/null 2>&1; do
		tries=$((tries + 1))
		[ $tries -lt 400 ] || return 1
		sleep 0.05
	done
}

# gone PID: it has ended, its status taken or not.
gone() {
	case $(cut -d' ' -f3 "/proc/$1/stat" 2>/dev/null) in
	'' | Z) true ;;
	*) false ;;
	esac
}

end_children() {
	for pid in $daemon $sink; do
		kill -9 "$pid" 2>/dev/null
	done
}
