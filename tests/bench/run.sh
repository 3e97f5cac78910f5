#!/bin/bash
# make bench: the speed targets as ratios to the control program `ref` (one file, fsync,
# rename, fsync of the directory; relaying by pipelining and unlink), measured side by side
# in this run, on the file system of build/ and on a journalled ext4 loop mount.
#
#     tests/bench/run.sh BUILD_DIR
#
# The control and its load generators are the project's external relay bench, found by
# NIGHTMAIL_SHARED (default ../shared). A missed target is printed and ends with status 1.
# Needs root (chroots, mounts in a private mount namespace). ROUNDS, N_SUBMIT, N_RELAY; ONLY=submit,
# relay, ways (tests/bench/relay.sh), idle or listener. PEERS=1 installs other relays in chroots of build/bench/root (debootstrap, apt):
# from then on their rows stand beside ours, but for PEERS=0.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=$1
source=${NIGHTMAIL_SHARED:-../shared}/bench
[ -d "$source" ] || { echo "SKIPPED: no relay bench at $source: nothing was measured"; exit 0; }
[ "$(id -u)" -eq 0 ] || { echo "SKIPPED: needs root for chroots: nothing was measured"; exit 0; }
[ -n "${NM_BENCH_INNER:-}" ] || NM_BENCH_INNER=1 exec unshare -m --propagation private bash "$0" "$@"
sh src/etc/deps.sh gcc make libssl-dev openssl e2fsprogs procps >/dev/null || exit 1

rounds=${ROUNDS:-5} n_submit=${N_SUBMIT:-600} n_relay=${N_RELAY:-20000} connections=4
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
	printf '%s\n' 'bench:x:1000:1000::/tmp:/bin/sh' 'nightmail:x:990:990::/:/bin/false' \
		>$root/etc/passwd
	printf '%s\n' 'nightmail:x:990:' 'nightmail-drop:x:991:' >$root/etc/group
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
		$build/nightmail $build/nightmail-drop
	cp $build/{nightmaild,nightmail-deliver,nightmail-drop,sendmail,mailq,nightmail} \
		$B/nightmail/usr/bin/
	chgrp 991 $B/nightmail/usr/bin/nightmail-drop && chmod 2755 $B/nightmail/usr/bin/nightmail-drop
}

# CPU seconds of all processes in the chroot and of their reaped children, in clock ticks.
ticks() {
	local p
	for p in $(chroot_pids); do cat /proc/$p/stat; done 2>/dev/null |
		awk '{ sub(/.*\) /, ""); n += $12 + $13 + $14 + $15 } END { print n + 0 }'
}

verdict() { # WORDS RESULT TARGET min|max
	awk -v w="$1" -v r="$2" -v t="$3" -v kind="$4" 'BEGIN {
		ok = kind == "max" ? r <= t : r >= t
		printf "%-66s target %s %-5s result %-7.3g %s\n", w, kind == "max" ? "<=" : ">=", t, r,
			ok ? "PASS" : "MISS"
		exit !ok }' || missed=$((missed + 1))
}

# What a round leaves is put aside: where files were deleted in masses, making new ones is slow for
# a minute on an ext4 without a journal, which would be measured instead.
put_aside() {
	a_stop
	case $PEER in
	ref | nightmail)
		mkdir -p $B/aside
		[ ! -e $R/$A_SPOOL ] || mv $R/$A_SPOOL $B/aside/$((++put_aside_count))
		;;
	*) a_clear ;;
	esac
}
put_aside_count=0

submit_once() { # NAME[:WAY] PARALLEL: prints "rate cpu_ms"
	local before after row
	[ "${1#*:}" = "$1" ] || local NM_WAY=${1#*:}
	load ${1%%:*}
	a_stop; a_setup plain
	a_hold
	sub -n 1 -p 1 -- $(a_submit) >/dev/null 2>>$B/err.log # by which the relay comes to be held
	sync
	sleep 0.5
	before=$(ticks)
	row=$(sub -n $n_submit -p $2 -w 5 -- $(a_submit) 2>>$B/err.log)
	sleep 1
	after=$(ticks)
	[ "$(echo "$row" | cut -f3)" = 0 ] || echo "$1: submissions failed: $row" >&2
	echo "$row" | awk -v t=$((after - before)) -v hz=$(getconf CLK_TCK) -v n=$n_submit \
		'{ print $5, $10 + t * 1000 / hz / n }'
	put_aside
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

# One round of each at a time, since the machine's pace changes.
measure_submission() { # WHERE NAME...
	local where=$1 p r name ref_rate ref_cpu rate cpu
	shift
	for p in 1 8; do
		rm -f $RAW/submit.*
		for r in $(seq $rounds); do
			for name in ref "$@"; do
				submit_once $name $p >>$RAW/submit.$name
			done
		done
		ref_rate=$(column 1 <$RAW/submit.ref | median)
		ref_cpu=$(column 2 <$RAW/submit.ref | median)
		for name in ref "$@"; do
			rate=$(column 1 <$RAW/submit.$name | median)
			cpu=$(column 2 <$RAW/submit.$name | median)
			printf '%s: %s submitters: %-17s %6.0f/s  %5.2f ms CPU  %5.2f x the control\n' \
				"$where" $p $name $rate $cpu $(ratio $cpu $ref_cpu)
			target $name $p "$(ratio $cpu $ref_cpu)" "$(ratio $rate $ref_rate)"
		done
	done
	rm -rf $B/aside
}

target() { # NAME PARALLEL CPU RATE: what is promised of this way
	local cpu rate
	case $1 in
	nightmail:direct) cpu=1.3 rate=0.75 ;;
	nightmail:socket) cpu=1.8 rate=0.6 ;;
	*) return ;;
	esac
	[ $2 != 1 ] || verdict "$where: CPU of one submission, all processes, $1" $3 $cpu max
	[ $2 != 8 ] || verdict "$where: rate of 8 parallel submitters, $1" $4 $rate min
}

measure() { # WHERE PEER...
	local ours control r
	[ "${ONLY:-submit}" != submit ] ||
		measure_submission "$1" nightmail:direct nightmail:socket nightmail:helper "${@:2}"
	[ "${ONLY:-relay}" = relay ] || return
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

measure_listener() { # POSTFIX_ROOT DIR WHERE
	[ "${ONLY:-listener}" != listener ] || bash tests/bench/listener.sh $build "$@" ||
		missed=$((missed + 1))
}

measure_idle() {
	[ "${ONLY:-idle}" = idle ] || return
	load nightmail
	a_stop; a_clear; a_setup; a_start
	sleep 2
	verdict "idle: PSS of all processes in MB" \
		"$(pss $(chroot_pids) | awk '{ print $3 / 1024 }')" 2 max
	a_stop; a_clear
}

export BENCH_ROOT=$PWD/build/bench/root RAW=$PWD/build/bench/raw
export SINKPORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
mkdir -p $BENCH_ROOT && rm -rf $BENCH_ROOT/{ref,nightmail,aside}
peers=
for p in dma nullmailer postfix msmtp; do
	[ "${PEERS:-0}" = 0 ] || [ -e $BENCH_ROOT/$p/.installed ] || "$H"/install-peers.sh $p
	[ "${PEERS:-1}" = 0 ] || [ ! -e $BENCH_ROOT/$p/.installed ] || peers="$peers $p"
done
. "$H"/lib.sh
. tests/bench/relay.sh
set +u # the adapters count on that
trap 'sink_stop; a_stop 2>/dev/null' EXIT
install_all
measure "this file system" $peers
measure_ways_out $peers
measure_idle
measure_listener $BENCH_ROOT/postfix $PWD/build/bench "this file system"
umount $B/*/proc 2>/dev/null
truncate -s 2G build/bench/ext4.img && mkfs.ext4 -q -F build/bench/ext4.img &&
	mkdir -p build/bench/ext4 && mount -o loop build/bench/ext4.img build/bench/ext4 || exit 1
B=$PWD/build/bench/ext4 STAT=$PWD/build/bench/ext4/sink.stat
install_all
measure "ext4 with a journal"
measure_listener "" $B "ext4 with a journal"
umount $B/*/proc $B 2>/dev/null
rm -rf $BENCH_ROOT/{ref,nightmail,aside} build/bench/ext4.img
[ $missed -eq 0 ] && echo "all targets met" || { echo "$missed targets missed"; exit 1; }
