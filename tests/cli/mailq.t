#!/bin/sh
# mailq: with the daemon and without it the same questions give the same answers.
cd "$(dirname "$0")/../.." || exit 1
. tests/cli/lib.sh
private

mq() {
	run mailq --config "$conf" "$@"
}
queue() { # RECIPIENT...: prints the ID
	printf 'Subject: \033[31mred\n\nbody\033[0m\n' |
		"$bin/sendmail" --config "$conf" -v -f a@b.example "$@" | sed 's/queued as //'
}

mq
is 'no spool is an empty queue' "$code $out" '0 Mail queue is empty'
mq --json
is 'which is no line of JSON' "$code$out$err" 0
mq show ABCD
is 'and has no message to show' "$code" 66
id=$(queue x@y.example)
other=$(queue y@y.example z@y.example)
case $id in [0-9A-V][0-9A-V][0-9A-V][0-9A-V]*) ending=$(echo "$id" | tail -c 7) ;; esac

# ask WHICH: what is the same with and without the daemon.
ask() {
	mq
	is "$1: IDs, and nothing else, begin a line with 0-9 or A-Z" \
		"$(printf '%s\n' "$out" | sed -n 's/^\([0-9A-Z][^ ]*\).*/\1/p' | sort)" \
		"$(printf '%s\n%s\n' "$id" "$other" | sort)"
	is "$1: the last line is what monitors read" "$(printf '%s\n' "$out" | tail -1)" '-- 1 Kbytes in 2 Requests.'
	is "$1: it fits 80 columns" "$(printf '%s\n' "$out" | awk 'length > 80 && !/^        /')" ''
	mq --json
	is "$1: an object a line, with the members documented" \
		"$(jq -c '(keys | join(" ")) + " / " + (.recipients[0] | keys | join(" "))' "$dir/out" | sort -u)" \
		'"attempts created flags from id next priority reason recipients relay size state why / address reply state status"'
	mq "$ending"
	is "$1: an ending of an ID lists one" "$code $(printf '%s\n' "$out" | grep -c '^[0-9A-Z]')" '0 1'
	mq list "$(echo "$ending" | tr 'A-V' 'a-v')"
	is "$1: in lower case too" "$code" 0
	mq ZZZZ
	is "$1: what is no ID is 64" "$code$out" 64
	mq 0000
	like "$1: an ID that is not there is 66" "$code $err" '^66 mailq: 0000: no such message'
	mq show "$ending"
	like "$1: show has the envelope" "$code $out" '^to  *<x@y.example> '
	is "$1: and the header, unchanged in a pipe" "$(printf '%s\n' "$out" | grep '^Subject')" \
		"$(printf 'Subject: \033[31mred')"
	is "$1: but not the body" "$(printf '%s\n' "$out" | grep -c body)" 0
	mq show "$ending" --body
	is "$1: show --body has it" "$(printf '%s\n' "$out" | grep -c body)" 1
	mq show "$ending" --json
	is "$1: show --json is an object" "$(jq -r .id "$dir/out")" "$id"
	mq check
	like "$1: check finds nothing" "$code $out" '^0 2 sound, 0 incomplete, 0 damaged'
	mq check --json
	is "$1: check --json counts" "$code $(jq -c '[.sound, .damaged]' "$dir/out")" '0 [2,0]'
	mq hold "$ending"
	is "$1: hold" "$code $out" "0 $id: held"
	is "$1: is a state with its reason" "$(mailq --json "$ending" | jq -r '.state + " " + .reason')" 'held admin'
	like "$1: and in words" "$(mailq "$ending")" "held by admin; 'mailq release' lets it go"
	mq to~Z@y hold=no
	like "$1: an unknown filter is 64" "$code $err" '^64 mailq: '
	mq to~Z@y 'age<1d'
	is "$1: a filter lists what passes" "$code $(printf '%s\n' "$out" | sed -n 's/^\([0-9A-V]\{16\}\) .*/\1/p')" "0 $other"
	mq state=held --json
	is "$1: as JSON too" "$(jq -r .id "$dir/out")" "$id"
	mq hold to~z@y
	is "$1: a verb takes filters" "$code $out" "0 $other: held"
	mq release to~z@y state=held
	like "$1: several of them" "$code $out" "^0 $other: released"
	mq release to~nobody
	is "$1: and may find nothing" "$code$out$err" 0
	mq -qRz@y
	like "$1: -qR flushes" "$code $out" "^0 $other: will be tried"
	mq "-qI$other"
	like "$1: -qI flushes one" "$code $out" "^0 $other: will be tried"
	mq -qIVVVV
	is "$1: -qI of none is told" "$code $out" '66 '
	mq release "$other"
	is "$1: what is not held cannot be released" "$code $out$err" "75 $other: it is not held"
	mq release to~z@y
	is "$1: and with a filter is passed over" "$code$out$err" 0
	mq flush "$ending"
	like "$1: a flush does not release" "$code $err" "^75 $id: it is held"
	mq flush --all
	is "$1: and of all passes it over" "$code $(printf '%s\n' "$out" | grep -c tried)" '0 1'
	mq release "$ending" --json
	is "$1: release, as JSON" "$code $out" "0 {\"id\":\"$id\",\"pending\":false}"
	is "$1: ends the hold" "$(mailq --json "$ending" | jq -r .reason)" null
	mq show "$ending" --json
	is "$1: the history has both" "$(jq -r '[.journal[].what] | join(" ")' "$dir/out" | grep -o 'hold release')" \
		'hold release'
	is "$1: and who submitted it" "$(jq -r '"\(.uid) \(.origin)"' "$dir/out")" "$(id -u) local"
	mq edit "$ending" --to nobody@y.example=x@z.example
	like "$1: edit of somebody who is no recipient" "$code $err" '^64 mailq: nobody@y.example: no recipient'
	mq edit "$ending" --to x@y.example=w=x@y.example --from '<>'
	new=$(printf '%s\n' "$out" | sed -n "s/^$id: edited.* goes on as \([0-9A-V]*\)$/\1/p")
	is "$1: edit makes another message" "$code $(mailq --json "$new" | jq -c '[.from, .recipients[0].address]')" \
		'0 ["","w=x@y.example"]'
	mq "$id"
	is "$1: in place of the old one" "$code" 66
	mq edit "$new" --to w=x@y.example=x@y.example --from a@b.example --json
	id=$(jq -r .new "$dir/out")
	ending=$(echo "$id" | tail -c 7)
	is "$1: and back again" "$(mailq --json | jq -r .id | sort | tr '\n' ' ')" \
		"$(printf '%s\n%s\n' "$id" "$other" | sort | tr '\n' ' ')"
}
ask 'without a daemon'
like 'without a daemon: why it waits' "$(mailq)" 'nightmaild is not running'
mq flush "$ending"
is 'without a daemon: flush does not promise too much' "$out" "$id: will be tried as soon as nightmaild runs"

if start_daemon; then
	tried() { [ "$(mailq --json "$1" | jq '.state == "deferred" and .next != null')" = true ]; }
	until_true tried "$id"
	ask 'with a daemon'
	until_true tried "$id"
	like 'with a daemon: why it waits, and until when' "$(mailq "$id")" \
		'waiting for relay default: .*127.0.0.1.*refused.*; next try in .*([0-9:]*)$'
	mq check --repair
	like 'with a daemon: repair is for the daemon' "$code $err" '^75 mailq: nightmaild is running'
	if [ "$(id -u)" = 0 ]; then
		chmod 755 "$dir"
		chmod 711 "$dir/spool" "$dir/spool/run"
		cp "$bin/mailq" "$dir/mailq"
		setpriv --reuid 65534 --clear-groups "$dir/mailq" --config "$conf" >"$dir/out" 2>&1
		like 'with a daemon: nobody else may ask' "$? $(cat "$dir/out")" '^77 mailq: '
		chmod 700 "$dir/spool" "$dir/spool/run"
	else
		skip 'with a daemon: nobody else may ask' 'needs root'
	fi
	stop_daemon
else
	fail 'the daemon starts' "$(cat "$dir/daemon.log")"
fi

# Terminals: foreign bytes must not act there.
tty_run() {
	script -qec "$1" /dev/null </dev/null | tr -d '\r'
}
shown=$(tty_run "$bin/mailq --config $conf show $id --body --color never")
is 'on a terminal escapes are shown, not sent' \
	"$(printf '%s' "$shown" | grep -c "$(printf '\033')") $(printf '%s\n' "$shown" | grep -c '\\x1b\[31mred')" '0 1'
mq hold "$id"
like 'on a terminal there is colour' "$(TERM=xterm NO_COLOR='' tty_run "$bin/mailq --config $conf")" "$(printf '\033')\\[36m"
is 'NO_COLOR takes it away' "$(NO_COLOR=1 tty_run "$bin/mailq --config $conf" | grep -c "$(printf '\033')")" 0
like '--color=always has it in a pipe too' "$(mailq --color always)" "$(printf '\033')\\[36m"
mq release "$id"
wide() { # COLUMNS: the longest line of the list on such a terminal
	tty_run "stty cols $1; $bin/mailq --config $conf --color never" | awk 'length > n { n = length } END { print n }'
}
is 'on a terminal what it waits for is wrapped' "$([ "$(wide 80)" -le 80 ] && [ "$(wide 76)" -le 80 ] && echo yes)" yes

# Deleting and what is in dead/.
mq delete "$id"
is 'delete' "$code $out" "0 $id: deleted; kept in dead/ for a day"
is 'a filter that names the state dead lists what is there' "$(mailq state=dead --json | jq -r .id) $(mailq state=dead,held --json | jq -r .id)" "$id $id"
is 'another filter does not' "$(mailq 'age<1d' --json | jq -r .id) $(mailq state!=held --json | jq -r .id)" "$other $other"
mq state=held
is 'a filter without a match does not say that nothing is queued' "$code $out" '0 No message matches; 1 in the queue'
mq "$id" state=held
is 'nor with an ID' "$code $out" '0 No message matches; 1 in the queue'
mq state=dead to~nobody
is 'what is dead is not in the queue' "$code $out" '0 No message matches; 1 in the queue'
mq state=held --json
is 'which is no line of JSON' "$code$out$err" 0
is 'a deleted message is not listed' "$(mailq --json | jq -r .id)" "$other"
is 'but with --all it is, as dead' "$(mailq --all --json | jq -r 'select(.state == "dead") | .id')" "$id"
mq hold "$id"
like 'what is dead cannot be held' "$code $err" "^75 $id: it is in dead/"
mq release state=dead
is 'release brings it back' "$code $out $(mailq --json | wc -l)" "0 $id: released, for when nightmaild runs 2"
mq delete "$id"
mq delete "$id"
is 'deleting twice removes it' "$code $(mailq --all --json | wc -l)" '0 1'
is 'and says so' "$out" "$id: deleted for good"
more=$(queue x@y.example)
mq delete "$more" --json
is 'delete, as JSON' "$code $out" "0 {\"id\":\"$more\",\"pending\":false}"
mq delete state=dead --json
is 'and of what is dead' "$code $out" "0 {\"id\":\"$more\",\"pending\":false,\"purged\":true}"
mq bounce --all
is 'bounce --all: the original goes, a notice comes' "$code $(mailq --json | jq -r '.from + .recipients[0].address')" \
	'0 a@b.example'
like 'which says why' "$(mailq show "$(mailq --json | jq -r .id)" --body)" 'returned by the administrator'
mq bounce --all
is 'a notice has no sender: it goes to dead/' "$code $(mailq | tail -1) $(mailq --all --json | jq -r .state)" \
	'0 Mail queue is empty dead'
empty

# Ambiguous endings: two files of a kind, renamed by hand.
one=$(queue x@y.example)
mv "$dir/spool/queue/$one" "$dir/spool/queue/0000000000001234"
two=$(queue x@y.example)
mv "$dir/spool/queue/$two" "$dir/spool/queue/0000000000011234"
mq 1234
like 'an ambiguous ending is 64 and tells how many' "$code $err" '^64 mailq: 1234: 2 messages end so'
mq check
is 'files under wrong names are damaged: 65' "$code" 65
mq
like 'they are not listed, and not passed over in silence' "$err" "2 files of the queue cannot be read; see 'mailq check'"
mq check --repair
is 'repair puts them aside' "$code $(ls "$dir/spool/queue") $(ls "$dir/spool/dead" | wc -l)" '0  2'
empty
id=$(queue x@y.example)
truncate -s -3 "$dir/spool/queue/$id"
mq check
like 'a file that was cut is told by name' "$code $out" "^65 $id: "
mq check --json
is 'as JSON as well' "$(head -1 "$dir/out" | jq -r .name)" "$id"
empty

# The command line.
# usage NAME PATTERN ARGS...
usage() {
	name=$1 pattern=$2
	shift 2
	mq "$@"
	like "$name" "$code $err" "^64 mailq: .*$pattern"
}
usage 'an unknown option' 'unknown option --frob' --frob
usage 'an unknown letter' 'unknown option -x' -x
usage '--color nonsense' '--color red' --color red
usage '--color without a value' '--color needs a value' --color
usage '--json=x' 'takes no value' --json=x
usage 'show without an ID' 'show needs an ID' show
usage 'show with two' 'show takes one ID' show 1234 2345
usage 'hold without an ID' 'hold needs an ID, a filter, or --all' hold
usage 'hold with an ID and --all' 'either IDs or --all' hold 1234 --all
usage '--body without show' '--body goes with show' --body
usage '--body with --json' '--json describes' show 1234 --body --json
usage '--repair without check' '--repair goes with check' list --repair
usage 'check with an ID' 'check takes no ID' check 1234
usage 'show --all' 'show has no --all' show --all
usage 'edit without a change' 'edit needs --to' edit 1234
usage 'edit of two' 'edit takes one ID' edit 1234 2345 --from a@b.example
usage '--to without two addresses' '--to a@b.example: not OLD=NEW' edit 1234 --to a@b.example
usage '--remove of no address' '--remove a b: no address' edit 1234 --remove 'a b'
usage '--to with list' '--to, --remove, --from, --relay, --at and --priority go with edit' --from a@b.example
usage 'edit with a filter' 'edit takes no filter' edit 1234 to=x --from a@b.example
usage '-q with another command' '-q goes with flush' list -q
usage '-qI with another ID' '-qI names the one message' -qIABCD 1234
usage '-qR of more than any address' 'a filter has at most' "-qR$(printf '%05000d' 0)"
usage '-q of another kind' '-qG: not -q' -qG
for flag in --help --version; do
	mq $flag
	is "$flag exits 0 and says nothing on stderr" "$code$err" 0
done
mq --help
is 'the help fits 80 columns and 24 lines' "$(printf '%s\n' "$out" | awk 'length > 80' &&
	test "$(printf '%s\n' "$out" | wc -l)" -le 24)" ''
"$bin/mailq" --config "$conf" >/dev/full 2>"$dir/err"
like 'output that cannot be written is 74' "$? $(cat "$dir/err")" '^74 mailq: cannot write the output: No space'
run mailq --config "$dir/none"
like 'without a queue it is 78' "$code $err" '^78 .*'
echo 'nonsense = 1' >>"$conf"
mq
is 'a broken configuration is told, and the queue all the same' "$code $out $(echo "$err" | grep -c nonsense)" \
	'0 Mail queue is empty 1'
done_testing
