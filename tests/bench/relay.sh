# The ways out, a part of make bench that run.sh sources: messages are queued first and then
# released, beside the control (`ref` in clear with DATA, tests/bench/control.c for TLS and
# BDAT) and beside the relays that are installed as peers. ONLY=ways runs this part alone, WAYS
# some of it.

ways_rounds=${WAYS_ROUNDS:-3}

# Queues N messages, releases them, waits: prints the sink's line (arrived, twice, connections,
# most at once, with TLS, seconds, rate, ...).
released() { # NAME N [plain|tls [SECONDS]]
	local start
	load $1
	a_stop; a_clear; a_setup ${3:-plain}
	sink_reset
	[ $1 = ref ] || a_hold
	sub -n $2 -p 8 -- $(a_submit) >/dev/null 2>>$B/err.log
	a_wait_queued $2
	sync
	sleep 1
	start=$(now_ns)
	REF_CONN=$connections a_release >/dev/null 2>>$B/err.log
	"$H"/bin/smtpsink wait $STAT $2 ${4:-60} $start 20
	sleep 0.5
	a_stop; a_clear
	[ $1 != dma ] || kill $(chroot_pids) 2>/dev/null
}

# The daemon runs, four submitters: until the last one has arrived.
end_to_end() { # NAME N
	local start
	load $1
	a_stop; a_clear; a_setup plain; a_start
	sink_reset
	start=$(now_ns)
	sub -n $2 -p 4 -- $(a_submit) >/dev/null 2>>$B/err.log
	"$H"/bin/smtpsink wait $STAT $2 60 $start 20
	sleep 0.5
	a_stop; a_clear
	[ $1 != dma ] || kill $(chroot_pids) 2>/dev/null
}

# The median rate of some rounds; what did not arrive, or came twice, is told.
rate_of() { # HOW NAME N [...]
	local how=$1 n=$3 r
	shift
	for r in $(seq $ways_rounds); do
		$how "$@" | awk -v n=$n -v who="$1" '{
			if ($1 < n) print who ": only " $1 " of " n " arrived" > "/dev/stderr"
			if ($2 > 0) print who ": " $2 " came twice" > "/dev/stderr"
			print $7 }'
	done | median
}

control_rate() { # N [tls] [bdat]
	local n=$1 r start
	shift
	for r in $(seq $ways_rounds); do
		sink_reset
		start=$(now_ns)
		"$H"/bin/control $SINKPORT $connections $n 4096 "$@" 2>>$B/err.log
		"$H"/bin/smtpsink wait $STAT $n 60 $start 20 | cut -f7
	done | median
}

tell() { # WORDS RATE...
	local words=$1
	shift
	printf '%s: %s\n' "$words" "$(echo $* | sed 's/=\([0-9]*\)[.0-9]*/ \1\/s/g')"
}

# Compares with the best of the peers that are there.
against() { # WORDS OURS TIMES [NAME=RATE...]
	local words=$1 ours=$2 times=$3 best
	shift 3
	[ $# -gt 0 ] || { echo "SKIPPED: $words: no peer is installed"; return; }
	best=$(printf '%s\n' "$@" | cut -d= -f2 | sort -g | tail -1)
	verdict "$words" "$(ratio $ours $best)" $times min
}

measure_plain() { # PEER...
	local p ours control rates=
	sink_start -q
	control=$(rate_of released ref $n_relay)
	ours=$(NM_CONNECTIONS=$connections rate_of released nightmail $n_relay)
	for p in "$@"; do rates="$rates $p=$(rate_of released $p 1500)"; done
	sink_stop
	tell "in clear over $connections connections" control=$control nightmail=$ours $rates
	verdict "in clear, to the control's rate" "$(ratio $ours $control)" 0.6 min
	against "in clear, to the best peer's rate" $ours 3 $rates
}

measure_tls() { # PEER...
	local p ours streamed control bdat rates= keys="-t $B/tls/cert.pem $B/tls/key.pem"
	sink_start -q $keys
	control=$(control_rate $n_relay tls)
	ours=$(NM_CONNECTIONS=$connections rate_of released nightmail $n_relay tls)
	for p in "$@"; do rates="$rates $p=$(rate_of released $p 1000 tls)"; done
	sink_stop
	sink_start -q -c $keys
	bdat=$(control_rate $n_relay tls bdat)
	streamed=$(NM_CONNECTIONS=$connections rate_of released nightmail $n_relay tls)
	sink_stop
	tell "STARTTLS over $connections connections" control=$control nightmail=$ours $rates
	tell "STARTTLS and CHUNKING" control=$bdat nightmail=$streamed
	against "STARTTLS, to the best peer's rate" $ours 5 $rates
}

# A link of 100 ms, each with as many connections as it has by default: 10, Postfix 20.
measure_far() { # [postfix]
	local ours chunked rates=
	sink_start -q -d 100
	ours=$(NM_CONNECTIONS=10 rate_of released nightmail 600)
	[ -z "$1" ] || rates="postfix=$(rate_of released postfix 600)"
	sink_stop
	sink_start -q -c -d 100
	chunked=$(NM_CONNECTIONS=10 rate_of released nightmail $n_relay)
	sink_stop
	tell "100 ms away" nightmail=$ours with-CHUNKING=$chunked $rates
	against "100 ms away, half the connections, to Postfix's rate" $ours 1 $rates
	against "100 ms away with CHUNKING, to Postfix's rate" $chunked 20 $rates
}

# A server that takes some connections and answers 421 to the others.
measure_busy() {
	local most row
	for most in 20 2; do
		sink_start -q -d 5 -M $most
		row=$(NM_CONNECTIONS=50 released nightmail 500 plain 60)
		sink_stop
		echo "a server that takes $most connections: $(echo "$row" | cut -f1,6 | tr '\t' ' ') s"
		verdict "of 500 within a minute, $most connections of 50 taken" \
			"$(echo "$row" | cut -f1)" 500 min
	done
}

measure_end_to_end() { # [dma]
	local ours rates=
	sink_start -q
	ours=$(NM_CONNECTIONS=10 rate_of end_to_end nightmail 2000)
	[ -z "$1" ] || rates="dma=$(rate_of end_to_end dma 800)"
	sink_stop
	tell "end to end, 4 submitters" nightmail=$ours $rates
	against "end to end, to dma's rate" $ours 2 $rates
}

# Private memory of the daemon, and the most of a worker, in kB.
private_kb() {
	awk '/^Private_(Clean|Dirty)/ { n += $2 } END { print n + 0 }' /proc/$1/smaps_rollup 2>/dev/null
}
most_private_kb() { # PID...
	local p
	for p in "$@"; do private_kb $p; done | sort -g | tail -1
}

measure_memory() {
	local before after worker=0 now i p workers
	load nightmail
	a_stop; a_clear; a_setup plain; a_hold
	sub -n 1 -p 1 -- $(a_submit) >/dev/null 2>>$B/err.log
	sleep 1
	before=$(private_kb $NM_PID)
	sub -n $n_relay -p 8 -- $(a_submit) >/dev/null 2>>$B/err.log
	sleep 2
	after=$(private_kb $NM_PID)
	sink_start -q -c -d 20
	NM_CONNECTIONS=4 a_release >/dev/null 2>>$B/err.log
	for i in $(seq 30); do
		workers=
		for p in $(pgrep -P $NM_PID); do workers="$workers $(pgrep -P $p)"; done
		now=$(most_private_kb $workers)
		[ ${now:-0} -le $worker ] || worker=$now
		sleep 0.1
	done
	sink_stop
	a_stop; a_clear
	verdict "private memory of a worker in MB" "$(ratio $worker 1024)" 1.5 max
	verdict "memory of a queued message in bytes" \
		"$(awk -v a=$before -v b=$after -v n=$n_relay 'BEGIN { print (b - a) * 1024 / n }')" 100 max
}

has() { # PEER NAME...
	local p=$1
	shift
	case " $* " in *" $p "*) echo $p ;; esac
}

measure_ways_out() { # PEER...
	[ "${ONLY:-ways}" = ways ] || return
	[ -e $B/tls/ca.crt ] || BENCH_ROOT=$B bash "$H"/tls.sh >/dev/null 2>&1
	cc -O2 -o "$H"/bin/control tests/bench/control.c -lgnutls || return
	local way mtas="$(has postfix "$@") $(has dma "$@")"
	for way in ${WAYS:-plain tls far busy end_to_end memory}; do
		case $way in
		far) measure_far $(has postfix "$@") ;;
		end_to_end) measure_end_to_end $(has dma "$@") ;;
		*) measure_$way $mtas ;;
		esac
	done
}
