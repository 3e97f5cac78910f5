# The queue on a real file system that loses power: an image file is mounted and scenarios are
# played on it; before each file operation it is noted what the image holds. Then every such
# state is mounted (which replays the file system's journal), a start happens there, and what
# it finds must agree with what the world knows. Also the tests in which operations fail and
# processes die, for some scenarios. Sourced by powercut_*.t, one for each file system.

tool=$NIGHTMAIL_BUILD/tools/queue_crash
tests=$NIGHTMAIL_BUILD/tests

skip_all() {
	echo "1..0 # SKIP $1"
	exit 0
}
[ "$(id -u)" = 0 ] || skip_all 'mounting needs root'
if [ -z "$POWERCUT_INNER" ]; then
	unshare -m true 2>/dev/null || skip_all 'no private mount namespace'
	POWERCUT_INNER=1 exec unshare -m --propagation private sh "$0"
fi

# Small images, in memory when there is plenty of it; no file may grow beyond 256 MiB.
ulimit -f 524288
base=${TMPDIR:-/tmp}
memory=$(awk '/^MemAvailable/ { print $2 }' /proc/meminfo)
if [ "${memory:-0}" -gt 3000000 ] && [ -w /dev/shm ]; then base=/dev/shm; fi
free=$(df -Pk "$base" | awk 'NR == 2 { print $4 }')
[ "${free:-0}" -gt 1000000 ] || skip_all "less than 1 GB free in $base"
work=$(mktemp -d "$base/nightmail-power-XXXXXX") || exit 1
mkdir "$work/live" "$work/copy"
# The namespace ends with this shell, and all mounts with it.
trap 'umount "$work/live" "$work/copy" 2>/dev/null; rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

n=0
result() { # status, name
	n=$((n + 1))
	if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; fi
}

# Mounts each state in turn and counts the wrong ones.
check_states() { # file system, mount options
	wrong=0
	for delta in "$work"/out/*.delta; do
		"$tool" step "$delta" "$work/out/base.img" "$work/scratch" || exit 1
		if ! mount -t "$1" -o "loop$2" "$work/scratch" "$work/copy"; then
			echo "# $delta: cannot be mounted"
			wrong=$((wrong + 1))
			continue
		fi
		"$tool" check "$work/copy/spools" "${delta%.delta}.marks" >"$work/log" 2>&1 || {
			sed "s|^|# ${delta##*/}: |" "$work/log"
			wrong=$((wrong + 1))
		}
		umount "$work/copy"
		[ "$1" != btrfs ] || btrfs device scan --forget >/dev/null 2>&1
	done
}

# file system, size in MiB, mount options of the live image, those of a copy; then mkfs
cut_power() {
	fs=$1 size=$2 live=$3 copy=$4
	shift 4
	command -v "mkfs.$fs" >/dev/null || skip_all "no mkfs.$fs"
	mkdir "$work/out"
	truncate -s "${size}M" "$work/image"
	"$@" "$work/image" >"$work/log" 2>&1 || skip_all "mkfs.$fs fails"
	mount -t "$fs" -o "loop$live" "$work/image" "$work/live" 2>"$work/log" ||
		skip_all "$fs cannot be mounted"
	mkdir "$work/live/spools"
	sync -f "$work/live"
	count=$("$tool" record "$work/live/spools" "$work/image" "$work/out")
	for test in test_crash_fail test_crash_kill; do
		TMPDIR=$work/live "$tests/$test" deliver >"$work/log" 2>&1
		result $? "$fs: $test, $(sed -n 's/^# \([0-9]\)/\1/p' "$work/log")"
	done
	umount "$work/live"
	check_states "$fs" "$copy"
	[ "${count:-0}" -gt 0 ] && [ "$wrong" = 0 ]
	result $? "$fs: a power cut before every file operation: ${count:-0} cut points, $wrong wrong"
	echo "1..$n"
}
