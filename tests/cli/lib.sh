# For the tests of command line programs: a private instance, running a program, and tap.sh.
# Sourced from the project's root; leaves $dir (a folder of its own) and $conf.
. tests/cli/tap.sh
dir=$(mktemp -d) || exit 1
trap 'stop_daemon; rm -rf "$dir"' EXIT
unset NIGHTMAIL_CONFIG NIGHTMAIL_FAULT
conf=$dir/nightmail.conf

# private [LINE...]: a configuration with these lines in [queue]; nobody listens at its relay.
private() {
	{
		printf '[relay default]\nhost = 127.0.0.1\nport = 1\ntls = none\n'
		printf '[identity]\ndomain = relay.example\n[queue]\ndir = spool\n'
		printf '%s\n' "$@"
	} >"$conf"
}

# run PROGRAM ARGS...: standard input is passed on; leaves $out, $err and $code.
run() {
	program=$1
	shift
	"$bin/$program" "$@" >"$dir/out" 2>"$dir/err"
	code=$?
	out=$(cat "$dir/out")
	err=$(cat "$dir/err")
}

mailq() {
	"$bin/mailq" --config "$conf" "$@"
}

# The only queued message: its envelope as JSON, and the message with LF line ends.
envelope() {
	mailq --json | jq -c "$1"
}
message() {
	mailq show "$(mailq --json | jq -r .id)" --body | sed '1,/^$/d'
}
queued() {
	mailq --json | wc -l
}
empty() {
	rm -rf "$dir/spool"
}

start_daemon() {
	"$bin/nightmaild" --config "$conf" 2>>"$dir/daemon.log" &
	daemon=$!
	i=0
	until "$bin/nightmail" status --config "$conf" >/dev/null 2>&1 || [ $? -le 2 ]; do
		i=$((i + 1))
		if [ $i -gt 100 ] || ! kill -0 $daemon 2>/dev/null; then
			sed 's/^/# /' "$dir/daemon.log"
			return 1
		fi
		sleep 0.1
	done
}

stop_daemon() {
	[ -z "$daemon" ] || {
		kill "$daemon" 2>/dev/null
		wait "$daemon"
	}
	daemon=
}
