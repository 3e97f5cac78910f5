#!/bin/sh
# nightmaild dies at each of its file operations while it makes a bounce: after a restart the
# sender has been told exactly once, and nothing remains.
cd "$(dirname "$0")/../.." || exit 1
. tests/cli/tap.sh
build=$bin
dir=$(mktemp -d) || exit 1
unset NIGHTMAIL_CONFIG NOTIFY_SOCKET
trap 'end_children; rm -rf "$dir"' EXIT

is_empty() { [ -z "$(ls "$dir/spool/queue")" ]; }
received() { ls "$dir/mail" 2>/dev/null | grep -c 'eml$'; }

"$build/nightmail" sink --dir "$dir/mail" --reply 'rcpt:nobody@example.org=550 5.1.1 no such user' \
	>"$dir/sink.log" 2>&1 &
sink=$!
until_true grep -q '^listening' "$dir/sink.log"
port=$(sed -n 's/^listening .*:\([0-9]*\)$/\1/p' "$dir/sink.log")
cat >"$dir/conf" <<END
[queue]
dir = $dir/spool
[relay default]
host = 127.0.0.1
port = $port
tls = none
probe = 1s
END

# Runs the daemon until it died or nothing is left to do; ends it.
serve() { # FAULT
	NIGHTMAIL_FAULT=$1 "$build/nightmaild" --config "$dir/conf" 2>>"$dir/log" &
	daemon=$!
	tries=0
	while ! gone "$daemon" && ! is_empty && [ $tries -lt 500 ]; do
		tries=$((tries + 1))
		sleep 0.02
	done
	died=$(gone "$daemon" && echo yes)
	kill -9 "$daemon" 2>/dev/null
	wait "$daemon" 2>/dev/null
	daemon=
}

at=0
wrong=
fault=yes
while [ -n "$fault" ] && [ $at -lt 100 ]; do
	at=$((at + 1))
	rm -rf "$dir/spool"
	before=$(received)
	printf 'Subject: test\n\nbody\n' |
		"$build/sendmail" --config "$dir/conf" -f sender@example.org nobody@example.org || exit 1
	serve "$at:exit:nightmaild"
	fault=$died
	serve ''
	is_empty || wrong="$wrong $at: something remains;"
	told=$(($(received) - before))
	[ $told -eq 1 ] || wrong="$wrong $at: told $told times;"
done
is "a sender is told exactly once ($((at - 1)) cut points)" "$wrong" ''
ok 'and the daemon did die there' test $at -gt 10 -a $at -lt 100
done_testing
