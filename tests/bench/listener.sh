#!/bin/bash
# The listener's part of make bench: Postfix's smtp-source with 1 and 16 sessions into it, by
# one connection for all messages of a session and by one for each message; beside smtp-sink,
# which takes and forgets, and beside what the disk does (16 writers, fsync of file and
# directory). The client, the server and the disk's work share this machine's processors, so what
# a server can reach at all is measured too: bare.c answers and stores and does nothing else.
# Where Postfix was set up as a peer, also beside Postfix.
#
#     tests/bench/listener.sh BUILD_DIR [POSTFIX_ROOT [DIR WORDS]]
#
# Disk, smtp-sink, bare and nightmail take turns within a round, since the machine's pace changes, and
# a ratio is the median of those of the rounds. Each has a new directory every time, and all of
# them are removed at the end: where files were deleted in masses, making new ones is slow for a
# minute on an ext4 without a journal, which would be measured instead.
#
# Needs 'make peers' for smtp-source and the relay bench for the disk's limit. N, ROUNDS. DIR: on
# the file system to measure, WORDS name it. A missed target ends with status 1.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=$1 postfix=${2:-} where=${4:-this file system}
peers=$PWD/build/peers/root
source=${NIGHTMAIL_SHARED:-../shared}/bench
[ -x "$peers/usr/sbin/smtp-source" ] || { echo "SKIPPED: listener: no smtp-source: 'make peers'"; exit 0; }
[ -e "$source/src/fsbench.c" ] || { echo "SKIPPED: listener: no relay bench at $source"; exit 0; }
rounds=${ROUNDS:-5} n=${N:-2000} bytes=4096
dir=${3:-$PWD/build/bench}/listener missed=0 daemon= sink= count=0
export LD_LIBRARY_PATH=$peers/usr/lib/postfix
rm -rf "$dir" && mkdir -p "$dir" || exit 1
cc -O2 -pthread -w -o "$dir/fsbench" "$source/src/fsbench.c" &&
	cc -O2 -D_GNU_SOURCE -o "$dir/bare" tests/bench/bare.c || exit 1

finish() {
	for pid in $daemon $sink; do kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null; done
	rm -rf "$dir"
}
trap finish EXIT

free_port() {
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

start_daemon() {
	spool=$dir/spool$((++count))
	cat >"$dir/nightmail.conf" <<-END
		[relay default]
		host = 127.0.0.1
		port = 1
		tls = none
		probe = 1h
		[queue]
		dir = $spool
		user-limit = never
		[listen]
		tcp = 127.0.0.1:0
		trust-local = yes
	END
	: >"$dir/log"
	"$build/nightmaild" --config "$dir/nightmail.conf" 2>>"$dir/log" &
	daemon=$!
	for _ in $(seq 100); do
		port=$(sed -n 's/.*listening on 127.0.0.1:\([0-9]*\)$/\1/p' "$dir/log")
		[ -n "$port" ] && grep -q started "$dir/log" && return
		sleep 0.1
	done
	cat "$dir/log"
	exit 1
}
stop_daemon() {
	kill "$daemon" && wait "$daemon"
	daemon=
}

now_ns() { date +%s%N; }
send() { # PORT SESSIONS OPTION...: prints messages per second
	local port=$1 sessions=$2 begin end
	shift 2
	begin=$(now_ns)
	"$peers/usr/sbin/smtp-source" "$@" -m "$n" -s "$sessions" -l "$bytes" -f a@example.org \
		-t b@example.org "127.0.0.1:$port" || echo "smtp-source failed" >&2
	end=$(now_ns)
	echo $((n * 1000000000 / (end - begin)))
}
median() { sort -g | awk '{ a[NR] = $1 } END { print a[int((NR + 1) / 2)] }'; }
column() { cut -d' ' -f"$1"; }
ours() { # SESSIONS OPTION...
	start_daemon
	mine=$(send "$port" "$@")
	# Every message that was answered must be in the queue.
	found=$(find "$spool/queue" -type f | wc -l)
	[ "$found" = "$n" ] || echo "only $found of $n are queued" >&2
	stop_daemon
	sync
}
of_server() { # PROGRAM AND ITS ARGUMENTS... -- SESSIONS OPTION...: sets $rate
	local program=()
	while [ "$1" != -- ]; do program+=("$1"); shift; done
	shift
	"${program[@]}" &
	sink=$!
	sleep 0.5
	rate=$(send "$port" "$@")
	kill $sink
	wait $sink 2>/dev/null
	sink=
}
theirs() { # SESSIONS OPTION...
	port=$(free_port)
	of_server "$peers/usr/sbin/smtp-sink" $(test "$(id -u)" != 0 || echo -u nobody) \
		"127.0.0.1:$port" 1000 -- "$@"
	other=$rate
}
bare() { # SESSIONS OPTION...
	local stored=$dir/bare$((++count))
	mkdir "$stored"
	port=$(free_port)
	of_server "$dir/bare" "$port" "$stored" -- "$@"
	most=$rate
	found=$(find "$stored" -name 'm*' | wc -l)
	[ "$found" = "$n" ] || echo "only $found of $n were stored by bare" >&2
	sync
}
disk() { # WRITERS
	mkdir "$dir/disk$((++count))"
	limit=$("$dir/fsbench" "$dir/disk$count" fsyncdir "$bytes" "$1" 1 | cut -f6)
	sync
}

# The largest private memory of a session: 16 of them, each after a message of 1 MB.
session_memory() {
	start_daemon
	python3 - "$port" "$daemon" <<-'END'
		import glob, re, socket, sys
		port, daemon = map(int, sys.argv[1:])
		def ask(s, data):
		    s.sendall(data)
		    got = b''
		    while not re.search(rb'^\d{3} .*\n\Z', got, re.M):
		        got += s.recv(65536)
		    return got
		kept = []
		for _ in range(16):
		    s = socket.create_connection(('127.0.0.1', port))
		    ask(s, b'')
		    ask(s, b'EHLO x\r\n'), ask(s, b'MAIL FROM:<a@b.c>\r\n'), ask(s, b'RCPT TO:<d@e.f>\r\n')
		    ask(s, b'DATA\r\n'), ask(s, b'Subject: x\r\n\r\n' + b'x' * 70 * 15 + (b'y' * 70 + b'\r\n') * 14000 + b'\r\n.\r\n')
		    kept.append(s)
		most = 0
		for stat in glob.glob('/proc/[0-9]*/stat'):
		    try:
		        parent = int(open(stat).read().rsplit(')', 1)[1].split()[1])
		        name = open(stat[:-4] + 'cmdline').read()
		        rollup = open(stat[:-4] + 'smaps_rollup').read()
		    except OSError:
		        continue
		    if parent == daemon and 'nightmail-deliver' not in name:
		        most = max(most, sum(map(int, re.findall(r'^Private_\w+:\s+(\d+)', rollup, re.M))))
		print(round(most / 1024, 2))
	END
	stop_daemon
}

verdict() { # WORDS RESULT TARGET min|max
	awk -v w="$1" -v r="$2" -v t="$3" -v kind="$4" 'BEGIN {
		ok = kind == "max" ? r <= t : r >= t
		printf "%-66s target %s %-5s result %-7.3g %s\n", w, kind == "max" ? "<=" : ">=", t, r,
			ok ? "PASS" : "MISS"
		exit !ok }' || missed=$((missed + 1))
}

for sessions in 1 16; do
	for reuse in -d ''; do
		how=$([ -n "$reuse" ] && echo 'kept connections' || echo 'a connection each')
		: >"$dir/rounds"
		for _ in $(seq "$rounds"); do
			disk $sessions
			theirs $sessions $reuse
			bare $sessions $reuse
			ours $sessions $reuse
			awk -v mine="$mine" -v sink="$other" -v disk="$limit" -v most="$most" \
				'BEGIN { low = disk < sink ? disk : sink
					print mine, sink, disk, mine / low, most,
						sprintf("%.2f %.2f", most / low, mine / most) }' >>"$dir/rounds"
		done
		echo "$where: listener: $sessions sessions, $how:" \
			"nightmail $(column 1 <"$dir/rounds" | median)/s," \
			"smtp-sink (keeps nothing) $(column 2 <"$dir/rounds" | median)/s," \
			"disk (fsync of file and directory) $(column 3 <"$dir/rounds" | median)/s"
		echo "$where: listener: $sessions sessions, $how: a server that only answers and stores:" \
			"$(column 5 <"$dir/rounds" | median)/s," \
			"$(column 6 <"$dir/rounds" | median) of the lower of disk, sink;" \
			"nightmail to it $(column 7 <"$dir/rounds" | median)"
		[ "$sessions" = 16 ] || continue
		verdict "$where: listener: 16 sessions, $how, to the lower of disk, sink" \
			"$(column 4 <"$dir/rounds" | median)" 0.8 min
	done
done
if [ -n "$postfix" ] && [ -x "$postfix/usr/sbin/postfix" ]; then
	postfix_port=$(sed -n 's/^\(127.0.0.1:\)\{0,1\}\([0-9][0-9]*\) *inet.*smtpd.*/\2/p' \
		"$postfix/etc/postfix/master.cf" | head -1)
	chroot "$postfix" postfix start >/dev/null 2>&1
	sleep 2
	for sessions in 1 16; do
		echo "listener: $sessions sessions, a connection each: Postfix $(send "$postfix_port" $sessions)/s"
	done
	chroot "$postfix" postfix stop >/dev/null 2>&1
fi
verdict "listener: private memory of a session in MB" "$(session_memory)" 0.5 max
exit $((missed > 0))
