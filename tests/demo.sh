#!/bin/sh
# make demo: the main job of nightmail on a smarthost of its own, in a directory of its own.
# Nothing outside of that directory and of build/ is touched; no port below 1024, nothing
# but loopback. Stops what it starts, by pid. Any failing step ends it with the logs.
#
#     MAKE=make BUILD_PKGS="..." sh tests/demo.sh
set -u
cd "$(dirname "$0")/.." || exit 1

build=${NIGHTMAIL_BUILD:-$PWD/build/release}
work=$(mktemp -d) || exit 1
sink_pid= daemon_pid=

stop() {
	[ -n "$1" ] || return 0
	kill "$1" 2>/dev/null
	wait "$1" 2>/dev/null
	return 0
}

leave() {
	stop "$daemon_pid"
	stop "$sink_pid"
	rm -rf "$work"
}
trap leave EXIT
trap 'exit 130' INT TERM

fail() {
	echo "FAILED: $*"
	for log in build relay sink; do
		[ -s "$work/$log.log" ] || continue
		echo "--- $log"
		tail -n 40 "$work/$log.log"
	done
	exit 1
}

# until_true SECONDS COMMAND...: asks ten times a second.
until_true() {
	tries=$(($1 * 10))
	shift
	while ! "$@" >/dev/null 2>&1; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		sleep 0.1
	done
}

now_ms() { date +%s%3N; }
delivered() { grep -q "id=$1 .*status=sent" "$work/relay.log"; }
deferred() { "$build/mailq" --json | grep -q '"state":"deferred"'; }
announced() { grep -q '^{"event":"listening"\|^listening ' "$work/sink.log"; }
field() { sed -n "s/.*[ ]$2=\(\"[^\"]*\"\|[^ ]*\).*/\1/p" "$1" | tail -n 1 | tr -d '"'; }
indent() { sed 's/^/      /'; }

start_sink() {
	"$build/nightmail" sink --listen "$1" --tls "$work/sink" --auth "demo:$work/password" \
		--require-auth --dir "$work/received" >>"$work/sink.log" 2>&1 &
	sink_pid=$!
	until_true 10 announced || fail "the smarthost did not start"
}

echo "[1/6] packages"
# shellcheck disable=SC2086
sh src/etc/deps.sh ${BUILD_PKGS:-} || exit 1

echo "[2/6] build"
start=$(now_ms)
${MAKE:-make} -s -j"$(nproc)" all >"$work/build.log" 2>&1 || fail "the build"
echo "      $build, $(($(now_ms) - start)) ms"

echo "[3/6] smarthost"
mkdir -p "$work/sink" "$work/received"
(umask 077 && head -c 12 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$work/password")
start_sink 127.0.0.1:0
address=$(sed -n 's/^listening //p' "$work/sink.log" | head -n 1)
echo "      nightmail sink on $address: STARTTLS with a certificate of its own CA, AUTH required"

echo "[4/6] relay"
cat >"$work/nightmail.conf" <<EOF
[relay default]
host     = 127.0.0.1
port     = ${address##*:}
ca       = $work/sink/ca.pem
login    = demo
password = file:$work/password
probe    = 2s
[queue]
dir      = $work/spool
EOF
indent <"$work/nightmail.conf"
export NIGHTMAIL_CONFIG="$work/nightmail.conf"
"$build/nightmaild" 2>"$work/relay.log" &
daemon_pid=$!
until_true 10 "$build/nightmail" status || fail "the relay did not start"
echo "      nightmaild runs, pid $daemon_pid"

echo "[5/6] a mail goes out"
start=$(now_ms)
queued=$(echo "Hello from the demo." | "$build/send" demo@example.org -s Hello -v) || fail "send"
id=${queued##* }
echo "      $ echo 'Hello from the demo.' | send demo@example.org -s Hello"
echo "      $queued ($(($(now_ms) - start)) ms)"
until_true 20 delivered "$id" || fail "the mail was not delivered"
grep "id=$id .*status=sent" "$work/relay.log" >"$work/sent"
for field in reply tls auth delay; do
	[ -n "$(field "$work/sent" $field)" ] || fail "the log line of the delivery has no $field"
done
echo "      delivered: \"$(field "$work/sent" reply)\" $(field "$work/sent" tls)" \
	"$(field "$work/sent" auth), $(field "$work/sent" delay) s after it was queued"
echo "      the smarthost received:"
indent <"$work/received/1.eml"

echo "[6/6] the smarthost goes away"
stop "$sink_pid"
sink_pid=
echo "Still there?" | "$build/send" demo@example.org -s "Second mail" -v >"$work/second" ||
	fail "send with the smarthost away"
second=$(sed 's/.* //' "$work/second")
until_true 20 deferred || fail "mailq does not say that the mail waits"
echo "      $ mailq"
"$build/mailq" | indent
echo "      the smarthost comes back"
: >"$work/sink.log"
start_sink "$address"
start=$(now_ms)
until_true 20 delivered "$second" || fail "the second mail did not leave by itself"
echo "      $second left by itself after $(($(now_ms) - start)) ms"
"$build/mailq" | indent

received=$(find "$work/received" -name '*.eml' | wc -l)
[ "$received" -eq 2 ] || fail "the smarthost has $received messages, not 2"
stop "$daemon_pid"
stop "$sink_pid"
for pid in $daemon_pid $sink_pid; do
	kill -0 "$pid" 2>/dev/null && fail "process $pid still runs"
done
daemon_pid= sink_pid=

cat <<EOF

What to do next
  make check                      run all tests
  make deb                        Debian packages; or without them:
  sudo make install               install
  sudo systemd-sysusers && sudo systemd-tmpfiles --create
  sudo nightmail setup            write /etc/nightmail/nightmail.conf, as above, with your
                                  smarthost, login, and password
  sudo systemctl daemon-reload && sudo systemctl enable --now nightmail
  man nightmail.conf              every key, with examples
  mailq                           where is my mail, and why
EOF
echo "OK 2 accepted, $received delivered, $((2 - received)) lost; all processes stopped"
