#!/bin/bash
# make bench: the speed targets as ratios to the control program `ref` (one file, fsync,
# rename, fsync of the directory; relaying by pipelining and unlink), measured side by side
# in this run, on the file system of build/ and on a journalled ext4 loop mount.
#
#     tests/bench/run.sh BUILD_DIR
#
# The control and its load generators are the project's external relay bench, found by
# NIGHTMAIL_SHARED (default ../shared). A missed target is printed and ends with status 1.
# Needs root (chroots, mounts in a private mount namespace). ROUNDS, N_SUBMIT, N_RELAY.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=$1
source=${NIGHTMAIL_SHARED:-../shared}/bench
[ -d "$source" ] || { echo "SKIPPED: no relay bench at $source: nothing was measured"; exit 0; }
[ "$(id -u)" -eq 0 ] || { echo "SKIPPED: needs root for chroots: nothing was measured"; exit 0; }
[ -n "${NM_BENCH_INNER:-}" ] || NM_BENCH_INNER=1 exec unshare -m --propagation private bash "$0" "$@"
sh src/etc/deps.sh gcc make libssl-dev openssl e2fsprogs procps >/dev/null || exit 1

rounds=${ROUNDS:-3} n_submit=${N_SUBMIT:-1000} n_relay=${N_RELAY:-20000} connections=4
H=$PWD/build/bench
mkdir -p "$H" && cp -r "$source"/. "$H"/ && chmod -R u+w "$H"
cp tests/bench/nightmail.sh "$H"/adapters/nightmail.sh
make -s -C "$H"/src || exit 1
missed=0

# A chroot of copied files: programs, the libraries they load, and uid 1000.
make_chroot() { # NAME PROGRAM...
	local root=$B/$1 program file
	shift
	mkdir -p $root/{etc,proc,dev,tmp,usr/bin,usr/local/bin,bin,var/log}
	[ -e $root/dev/null ] || mknod -m 666 $root/dev/null c 1 3
	[ -e $root/dev/urandom ] || mknod -m 666 $root/dev/urandom c 1 9
	echo 'bench:x:1000:1000::/tmp:/bin/sh' >$root/etc/passwd
	echo '127.0.0.1 localhost bench.local' >$root/etc/hosts
	for program in "$@"; do
		for file in $program $(ldd $program 2>/dev/null | grep -o '/[^ ]*'); do
			[ -e $root$file ] || cp --parents -L $file $root/
		done
	done
	cp /bin/true $root/bin/
	for file in $(ldd /bin/true | grep -o '/[^ ]*'); do cp --parents -L $file $root/; done
}

install_all() {
	make_chroot ref "$H"/bin/ref
	cp "$H"/bin/ref $B/ref/usr/local/bin/
	make_chroot nightmail $build/nightmaild $build/nightmail-deliver $build/sendmail $build/mailq \
		$build/nightmail
	cp $build/{nightmaild,nightmail-deliver,sendmail,mailq,nightmail} $B/nightmail/usr/bin/
}

# CPU seconds of a process and of its reaped children, in clock ticks.
ticks() { awk '{ sub(/.*\) /, ""); print $12 + $13 + $14 + $15 }' /proc/$1/stat; }

verdict() { # WORDS RESULT TARGET min|max
	awk -v w="$1" -v r="$2" -v t="$3" -v kind="$4" 'BEGIN {
		ok = kind == "max" ? r <= t : r >= t
		printf "%-66s target %s %-5s result %-7.3g %s\n", w, kind == "max" ? "<=" : ">=", t, r,
			ok ? "PASS" : "MISS"
		exit !ok }' || missed=$((missed + 1))
}

submit_once() { # NAME PARALLEL: prints "rate cpu_ms"
	load $1
	a_stop; a_clear; a_setup
	[ $1 = ref ] || a_hold
	sync
	sleep 0.5
	local before=0 after=0 row
	[ $1 = ref ] || before=$(ticks $NM_PID)
	row=$(sub -n $n_submit -p $2 -w 5 -- $(a_submit) 2>>$B/err.log)
	[ $1 = ref ] || { sleep 1; after=$(ticks $NM_PID); }
	[ "$(echo "$row" | cut -f3)" = 0 ] || echo "submissions failed: $row" >&2
	echo "$row" | awk -v t=$((after - before)) -v hz=$(getconf CLK_TCK) -v n=$n_submit \
		'{ print $5, $10 + t * 1000 / hz / n }'
	a_stop; a_clear
}

relay_once() { # NAME: prints messages per second from the first to the last arrival
	load $1
	a_stop; a_clear; a_setup
	sink_reset
	[ $1 = ref ] || a_hold
	sub -n $n_relay -p 8 -- $(a_submit) >/dev/null 2>>$B/err.log
	local queued=$(a_count) start row
	sync
	sleep 1
	start=$(now_ns)
	REF_CONN=$connections a_release >/dev/null 2>>$B/err.log
	row=$("$H"/bin/smtpsink wait $STAT $queued 120 $start 20)
	echo "$row" | awk -v q=$queued '{ if ($1 < q) print "only " $1 " of " q " arrived" > "/dev/stderr"
		if ($2 > 0) print $2 " duplicates" > "/dev/stderr"; print $7 }'
	sleep 0.5
	a_stop; a_clear
}

median() { sort -g | awk '{ a[NR] = $1 } END { print NR % 2 ? a[(NR + 1) / 2] : (a[NR / 2] + a[NR / 2 + 1]) / 2 }'; }
column() { cut -d' ' -f$1; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { print b ? a / b : 0 }'; }

measure() { # WHERE
	local p ours control
	for p in 1 8; do
		ours= control=
		for r in $(seq $rounds); do
			control="$control$(submit_once ref $p)"$'\n'
			ours="$ours$(submit_once nightmail $p)"$'\n'
		done
		ours_rate=$(printf %s "$ours" | column 1 | median) ours_cpu=$(printf %s "$ours" | column 2 | median)
		ref_rate=$(printf %s "$control" | column 1 | median) ref_cpu=$(printf %s "$control" | column 2 | median)
		printf '%s: %s submitters: nightmail %.0f/s %.2f ms CPU, control %.0f/s %.2f ms CPU\n' \
			"$1" $p $ours_rate $ours_cpu $ref_rate $ref_cpu
		[ $p = 1 ] && verdict "$1: CPU of one submission, all processes, to the control's" \
			"$(ratio $ours_cpu $ref_cpu)" 1.3 max
		[ $p = 8 ] && verdict "$1: rate of 8 parallel submitters to the control's" \
			"$(ratio $ours_rate $ref_rate)" 0.75 min
	done
	ours= control=
	sink_start -q
	for r in $(seq $rounds); do
		control="$control$(relay_once ref)"$'\n'
		ours="$ours$(NM_CONNECTIONS=$connections relay_once nightmail)"$'\n'
	done
	sink_stop
	ours=$(printf %s "$ours" | median) control=$(printf %s "$control" | median)
	printf '%s: %s queued messages over %s connections: nightmail %.0f/s, control %.0f/s\n' "$1" \
		$n_relay $connections $ours $control
	verdict "$1: relaying rate, logging on, to the control's" "$(ratio $ours $control)" 0.5 min
}

measure_idle() {
	load nightmail
	a_stop; a_clear; a_setup; a_start
	sleep 2
	verdict "idle: PSS of all processes in MB" \
		"$(pss $(chroot_pids) | awk '{ print $3 / 1024 }')" 2 max
	a_stop; a_clear
}

export BENCH_ROOT=$PWD/build/bench/root RAW=$PWD/build/bench/raw
export SINKPORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
rm -rf $BENCH_ROOT && mkdir -p $BENCH_ROOT
. "$H"/lib.sh
trap 'sink_stop; a_stop 2>/dev/null' EXIT
install_all
measure "this file system"
measure_idle
umount $B/*/proc 2>/dev/null
truncate -s 2G build/bench/ext4.img && mkfs.ext4 -q -F build/bench/ext4.img &&
	mkdir -p build/bench/ext4 && mount -o loop build/bench/ext4.img build/bench/ext4 || exit 1
B=$PWD/build/bench/ext4 STAT=$PWD/build/bench/ext4/sink.stat
install_all
measure "ext4 with a journal"
umount $B/*/proc $B 2>/dev/null
rm -rf $BENCH_ROOT build/bench/ext4.img
[ $missed -eq 0 ] && echo "all targets met" || { echo "$missed targets missed"; exit 1; }
