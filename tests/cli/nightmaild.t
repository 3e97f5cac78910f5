#!/bin/sh
# nightmaild: start and stop, configuration errors and reload, a relay that is held and comes
# back, notices, requests on waiting and active mail, crashing workers, memory.
cd "$(dirname "$0")/../.." || exit 1
. tests/cli/tap.sh
build=$bin
dir=$(mktemp -d) || exit 1
conf=$dir/nightmail.conf
unset NIGHTMAIL_CONFIG NOTIFY_SOCKET
trap 'end_children; rm -rf "$dir"' EXIT

mailq() { "$build/mailq" --config "$conf" "$@"; }
nightmail() { command=$1 && shift && "$build/nightmail" "$command" --config "$conf" "$@"; }
listed() { mailq 2>&1 | tr -s ' \n' ' ' | grep -q "$1"; }
logged() { grep -q -- "$1" "$dir/log"; }
is_empty() { [ "$(mailq 2>/dev/null)" = 'Mail queue is empty' ]; }
received() { ls "$dir/mail" 2>/dev/null | grep -c 'eml$'; }
has_received() { [ "$(received)" -ge "$1" ]; }

write_conf() { # extra lines for [relay default]
	cat >"$conf" <<-END
		[queue]
		dir = $dir/spool
		retry = 1s 2s
		[relay default]
		host = 127.0.0.1
		port = $port
		tls = none
		probe = 1s
		$1
	END
}

start_sink() { # OPTION...
	: >"$dir/sink.log"
	"$build/nightmail" sink --listen "127.0.0.1:${port:-0}" --dir "$dir/mail" "$@" \
		>"$dir/sink.log" 2>&1 &
	sink=$!
	until_true grep -q '^listening' "$dir/sink.log"
	port=$(sed -n 's/^listening .*:\([0-9]*\)$/\1/p' "$dir/sink.log")
}
stop_sink() {
	kill "$sink" && wait "$sink"
	sink=
}

answers() { # how well it is, is another question
	nightmail status --json
	[ $? -le 2 ]
}
start_daemon() {
	"$build/nightmaild" --config "$conf" "$@" 2>>"$dir/log" &
	daemon=$!
	until_true answers
}
stop_daemon() {
	kill -TERM "$daemon"
	wait "$daemon"
	code=$?
	daemon=
	return $code
}

queue() { # RECIPIENT: prints the id
	printf 'Subject: test\n\nbody\n' |
		"$build/sendmail" --config "$conf" -v -f sender@example.org "$1" | sed 's/queued as //'
}

# --- what it is made of ---
libraries=$(ldd "$build/nightmaild" | sed -n 's/^[[:space:]]*\(lib[a-z]*\)\..*/\1/p')
case $libraries in
*san*) skip 'it links the C library alone' 'sanitizers link more' ;;
*) is 'it links the C library alone, or has what it needs of it' "${libraries:-libc}" libc ;;
esac
"$build/nightmaild" --help | head -1 >"$dir/out"
is '--help tells the usage' "$(cat "$dir/out")" 'usage: nightmaild [--config FILE] [--daemon] [-v]'
"$build/nightmaild" --nonsense 2>/dev/null
is 'an unknown option is a usage error' $? 64
"$build/nightmaild" --config "$dir/missing.conf" 2>"$dir/out"
is 'without a queue it does not start' $? 78
ok 'and says so' grep -q 'names no queue' "$dir/out"

# --- a configuration that names no relay ---
printf '[queue]\ndir = %s\n' "$dir/spool" >"$conf"
start_daemon
ok 'it starts without a relay' kill -0 "$daemon"
ok 'and says loudly that it cannot deliver' until_true logged 'error: nothing can be delivered'
id=$(queue bob@example.org)
ok 'mail is accepted' test -n "$id"
ok 'mailq tells why it waits' until_true listed 'cannot be delivered: .*nightmail.conf.*relay default'
nightmail status >"$dir/out" 2>&1
is 'status calls that a failure' $? 2
"$build/nightmaild" --config "$conf" 2>"$dir/out"
is 'a second daemon does not start' $? 75
ok 'and names the first' grep -q "$daemon" "$dir/out"
nightmail reload >"$dir/out" 2>&1
is 'a reload that changes nothing for the better fails' $? 78
ok 'and tells the errors' grep -q 'relay default' "$dir/out"

# --- reload ---
port=
start_sink
write_conf
nightmail reload >"$dir/out" 2>&1
is 'a reload with a good configuration succeeds' $? 0
ok 'mail that was queued leaves' until_true is_empty
is 'and arrives once' "$(received)" 1
write_conf 'prot = 1'
nightmail reload >"$dir/out" 2>&1
is 'a broken configuration is refused' $? 78
ok 'with what is wrong with it' grep -q 'did you mean "port"' "$dir/out"
queue carol@example.org >/dev/null
ok 'and the old one stays in force' until_true has_received 2
kill -HUP "$daemon"
ok 'SIGHUP reads it too' until_true logged 'the configuration was not changed'
write_conf
sed -i "s|^dir = .*|dir = $dir/other|" "$conf"
kill -HUP "$daemon"
ok 'another queue directory needs a restart' until_true logged 'needs a restart'
write_conf

# --- a held relay ---
stop_sink
nightmail reload
id=$(queue dave@example.org)
ok 'a relay that cannot be reached is held' until_true logged 'relay default is held: cannot connect'
ok 'mailq says so' until_true listed 'waiting for relay default: cannot connect.*next try'
nightmail status >"$dir/out"
is 'status calls that a warning' $? 1
stop_daemon
is 'SIGTERM ends it' $? 0
ok 'the hold is kept on disk' grep -q default "$dir/spool/relays"
ok 'mailq works without it' listed 'nightmaild is not running'
start_daemon
ok 'a restart remembers the hold' until_true listed 'waiting for relay default'
start_sink
ok 'the mail leaves by itself when the relay is back' until_true is_empty
ok 'which is told' until_true logged 'relay default works again'
is 'one alert for each hold' "$(grep -c 'warning: relay default is held' "$dir/log")" 1

# --- notices ---
stop_sink
rm -rf "$dir/mail"
start_sink --reply 'rcpt:nobody@example.org=550 5.1.1 no such user'
queue nobody@example.org >/dev/null
ok 'a refused recipient is told to the sender' until_true has_received 1
ok 'in a message with the reply' grep -q '550 5.1.1 no such user' "$dir/mail/1.eml"
ok 'and nothing remains' until_true is_empty
printf 'Subject: test\n\nbody\n' | "$build/sendmail" --config "$conf" -f '<>' nobody@example.org
ok 'a bounce that is refused goes to dead/' until_true logged 'status=dead: refused for good'
ok 'where mailq finds it' sh -c "'$build/mailq' --config '$conf' --all | grep -q 'given up'"

# --- a message that cannot be moved to dead/ ---
stop_sink
stuck=$(printf 'Subject: test\n\nbody\n' |
	"$build/sendmail" --config "$conf" -v -f '<>' nobody@example.org | sed 's/queued as //')
echo 'something else' >"$dir/spool/dead/$stuck"
rm -rf "$dir/mail"
start_sink --reply 'rcpt:nobody@example.org=550 5.1.1 no such user'
mailq flush --all >"$dir/out"
ok 'a burial that fails is told' until_true logged "id=$stuck.*tried again in a minute"
stop_daemon
start_daemon
queue nobody@example.org >/dev/null
ok 'and keeps back no bounce after a restart' until_true has_received 1
rm "$dir/spool/dead/$stuck"
stop_daemon
start_daemon
ok 'it moves when it can' until_true is_empty

# --- requests ---
stop_sink
rm -rf "$dir/mail"
held=$(queue erin@example.org)
mailq hold "$held" >/dev/null
is 'hold is done' $? 0
start_sink --delay 300
ok 'a flush probes the held relay' mailq flush --all
ok 'a held message says who holds it' listed 'held by admin'
slow=$(queue frank@example.org)
ok 'a message with a worker is active' until_true listed "$slow.*active"
mailq hold "$slow" >"$dir/out" 2>&1
ok 'a verb on it waits for the end of the attempt' grep -q 'attempt' "$dir/out"
ok 'which delivers it' until_true has_received 1
is 'the held one stays' "$(mailq | grep -c 'held')" 2
mailq release "$held" >/dev/null
ok 'release lets it go' until_true is_empty
mailq delete "$held" >/dev/null 2>&1
ok 'a verb on what is gone fails' test $? -ne 0

# --- workers that die ---
worker_of() { # the child of the child
	for child in $(cat "/proc/$daemon/task/$daemon/children" 2>/dev/null); do
		cat "/proc/$child/task/$child/children"
	done
}
crash_one() { # SIGNAL: when a worker has the message
	until_true listed "$victim.*active" || return 1
	pid=$(worker_of | awk '{ print $1 }')
	[ -n "$pid" ] && kill "-$1" "$pid" && until_true gone "$pid"
}
before=$(received)
victim=$(queue grace@example.org)
ok 'a worker is killed in its work' crash_one KILL
ok 'its message arrives all the same' until_true is_empty
ok 'and was not lost' has_received $((before + 1))
victim=$(queue heidi@example.org)
ok 'a worker crashes with a message' crash_one ABRT
ok 'which is told' until_true logged 'a worker for relay default ended: killed by signal 6'
ok 'a second worker crashes with it' crash_one ABRT
ok 'then the message goes to dead/' until_true logged "id=$victim status=dead: crashes-worker"
deliverer() { # leaves its process in $parent
	parent=$(awk '{ print $1 }' "/proc/$daemon/task/$daemon/children")
	[ -n "$parent" ]
}
until_true deliverer
victim=$(queue ivan@example.org)
ok 'a message is being delivered' until_true listed "$victim.*active"
ok 'nightmail-deliver is killed' kill -KILL "$parent"
ok 'and its message arrives all the same' until_true is_empty

# --- the end ---
victim=$(queue judy@example.org)
until_true listed "$victim.*active"
ok 'a new one is at work' until_true deliverer
before=$(received)
ok 'SIGTERM in the middle of a delivery ends it well' stop_daemon
ok 'no process is left' gone "$parent"
start_daemon
ok 'the next start delivers what was not' until_true is_empty
is 'once' "$(received)" $((before + 1))
stop_sink
case $libraries in
*san*) skip 'idle, it needs less than 2 MB' 'sanitizers need more' ;;
*)
	pss=$(awk '/^Pss:/ { print $2 }' "/proc/$daemon/smaps_rollup" 2>/dev/null)
	if [ -n "$pss" ]; then
		ok "idle, it needs less than 2 MB ($pss kB)" test "$pss" -lt 2048
	else
		skip 'idle, it needs less than 2 MB' 'only root may look'
	fi
	;;
esac
stop_daemon

# --- what the service manager hears ---
python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
s.settimeout(30)
while True:
    text = s.recv(65536).decode()
    print(text, flush=True)
    if text.startswith("STOPPING"):
        break
' "$dir/notify" >"$dir/heard" 2>&1 &
listener=$!
until_true test -S "$dir/notify"
NOTIFY_SOCKET=$dir/notify "$build/nightmaild" --config "$conf" 2>>"$dir/log" &
daemon=$!
ok 'the service manager hears when it is ready' until_true grep -q '^READY=1' "$dir/heard"
ok 'and how things are' until_true grep -q '^STATUS=.*messages' "$dir/heard"
stop_daemon
wait "$listener"
ok 'and that it stops' grep -q '^STOPPING=1' "$dir/heard"

# --- in the background ---
"$build/nightmaild" --config "$conf" --daemon 2>>"$dir/log"
is '--daemon returns once it is ready' $? 0
daemon=$(nightmail status --json | sed 's/.*"pid":\([0-9]*\).*/\1/')
ok 'and runs in the background' kill -0 "$daemon"
"$build/nightmaild" --config "$conf" --daemon 2>"$dir/out"
is 'a start in the background that fails is told' $? 75
kill -TERM "$daemon"
ok 'SIGTERM ends that one too' until_true gone "$daemon"
daemon=
done_testing
