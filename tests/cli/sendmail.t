#!/bin/sh
# sendmail: what other programs rely on. Options, exit codes, envelopes, hostile surroundings.
cd "$(dirname "$0")/../.." || exit 1
. tests/cli/lib.sh
private

sm() {
	run sendmail --config "$conf" "$@"
}
printf 'Subject: hi\n\nbody\n' >"$dir/msg"

# accepts NAME FROM RECIPIENTS ARGS...: one message with this envelope.
accepts() {
	name=$1 want="$2 $3"
	shift 3
	empty
	sm "$@" <"$dir/msg"
	is "$name" "$code $err$(envelope '.from + " " + ([.recipients[].address] | join(","))')" \
		"0 \"$want\""
}
accepts '-f and -i as cron and mutt give them' a@b.example c@d.example -i -f a@b.example c@d.example
accepts '-f joined' a@b.example c@d.example -fa@b.example c@d.example
accepts '-r is -f' a@b.example c@d.example -r a@b.example c@d.example
accepts '-f with a name keeps the address' a@b.example c@d.example -f 'A B <a@b.example>' c@d.example
accepts "-f '' is the null sender" '' c@d.example -f '' c@d.example
accepts "-f '<>' is the null sender" '' c@d.example -f '<>' c@d.example
accepts 'the cron call' a@b.example root -FCronDaemon -i -B8BITMIME -oem -fa@b.example root
accepts 'the mutt call' a@b.example x@y.example,z@y.example -oem -oi -f a@b.example \
	-N success,failure -R hdrs -- x@y.example z@y.example
accepts 'ignored options with their values' a@b.example x@y.example -Ac -Am -G -h 1 -m -n -U \
	-d0.1 -e m -em -p smtp -D log -X /dev/null -L tag -O DeliveryMode=b -o i -oem -odb -f a@b.example x@y.example
accepts 'a list in one argument' a@b.example 'c@d.example,e@f.example' -f a@b.example \
	'C <c@d.example>, e@f.example'
accepts 'the same recipient twice counts once' a@b.example c@d.example -f a@b.example \
	c@d.example 'C <c@D.example>'
accepts 'what looks like an option behind -- is a recipient' a@b.example '-t,-f,x@y.example' \
	-f a@b.example -- -t -f x@y.example
accepts 'a recipient behind -- may begin with a dash' a@b.example -x@y.example -f a@b.example -- -x@y.example
printf 'a b' >"$dir/msg"

empty
printf 'EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<root>\r\nRCPT TO:<c@d.example> NOTIFY=NEVER\r\nDATA\r\nSubject: x\r\n\r\n..dot\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n\r\ncut' >"$dir/smtp"
sm -bs <"$dir/smtp"
is '-bs speaks SMTP' "$code $(echo "$out" | grep -c '^250 2.0.0 queued as [0-9A-V]\{16\}')" '0 1'
is '-bs: the envelope, and nothing of the message that was cut off' \
	"$(envelope '.from + " " + ([.recipients[].address] | join(","))')" '"a@b.example root,c@d.example"'
like '-bs: the content without the stuffed dot' "$(message | tr -d '\r')" '^\.dot$'

# usage NAME PATTERN ARGS...: refused with 64, nothing queued.
usage() {
	name=$1 pattern=$2
	shift 2
	empty
	sm "$@" <"$dir/msg"
	like "$name" "$code $(queued) $err" "^64 0 sendmail: .*$pattern"
}
for flag in -bd -bD -bt -bh -bH -bP -bx -b; do
	usage "$flag is no message" "$flag" $flag x@y.example
done
for flag in -z -w -Q --frobnicate; do
	usage "$flag is unknown" "unknown option $flag" $flag x@y.example
done
usage 'no recipient' 'no recipient'
usage '-f without a value' '-f needs a value' -f
usage '--config without a value' '--config needs a value' --config
usage '--help=x' '--help=x: this option takes no value' --help=x
usage 'an option behind a recipient' '-f behind a recipient' x@y.example -f a@b.example
usage 'a recipient with a LF' 'control character' "$(printf 'x@y.example\n,z@y.example')"
usage 'a recipient with a CR' 'control character' "$(printf 'x@y.example\r')"
usage 'a recipient that is none' 'is not a recipient' 'x@@y'
usage 'an empty recipient' 'is not a recipient' ''
usage 'a sender with a LF' 'is not a sender' -f "$(printf 'a@b.example\nc@d.example')" x@y.example
usage 'two senders' 'is not a sender' -f 'a@b.example, c@d.example' x@y.example
usage 'escapes are made visible' 'x1b' -f "$(printf '\033[31m')" x@y.example
usage '-N nonsense' '-N sometimes' -N sometimes x@y.example
usage '-N never with others' '-N never,delay' -N never,delay x@y.example
usage '-R nonsense' '-R all' -R all x@y.example
usage '-B nonsense' '-B BINARYMIME' -B BINARYMIME x@y.example
usage '-V with a control character' '-V' -V "$(printf 'a\001')" x@y.example
usage '-V of 101 characters' '-V' -V "$(printf '%0101d' 1)" x@y.example
usage '-qR without a text' '-qR' -qR
usage '-q of another kind' '-qG' -qGx
usage '-t without recipients' 'no recipient in To, Cc or Bcc' -t -f a@b.example
for flag in --help --version; do
	sm $flag
	is "$flag exits 0 and says nothing on stderr" "$code$err" 0
done
sm --help
is 'the help fits 80 columns and 24 lines' "$(printf '%s\n' "$out" | awk 'length > 80' &&
	test "$(printf '%s\n' "$out" | wc -l)" -le 24)" ''

# -N -R -V reach the queue file.
empty
printf 'Subject: hi\n\nbody\n' >"$dir/msg"
sm -N failure,delay -R FULL -V 'id 7' -f a@b.example x@y.example <"$dir/msg"
like 'NOTIFY stands in the queue file' "$(cat "$dir"/spool/queue/*)" '^to x@y.example notify=.*FAILURE.*DELAY'
like 'RET and ENVID stand in the queue file' "$(cat "$dir"/spool/queue/*)" \
	'^from a@b.example ret=FULL envid=id%207'
empty
printf 'Subject: hi\n\nb\303\266dy\n' | "$bin/sendmail" --config "$conf" -B7BIT -f a@b.example x@y.example
like '8-bit bytes are noticed, whatever -B says' "$(cat "$dir"/spool/queue/*)" '^from a@b.example body=8BITMIME'

# -t
empty
printf 'To: b@y.example\nBcc: Secret <c@y.example>,\n\td@y.example\nSubject: x\nCc: (none) e@y.example\n\nBcc: in the body\n' |
	"$bin/sendmail" --config "$conf" -t -oi -f a@b.example f@y.example
is '-t takes To, Cc, Bcc and the arguments' \
	"$(envelope '[.recipients[].address] | sort | join(",")')" \
	'"b@y.example,c@y.example,d@y.example,e@y.example,f@y.example"'
is 'Bcc is stripped with its folds, and only there' "$(message | grep -c -i -e bcc -e secret)" 1
empty
printf 'To: b@y.example\nBcc: c@y.example\n\nx\n' | "$bin/sendmail" --config "$conf" -f a@b.example q@y.example
is 'Bcc is stripped without -t too' "$(message | grep -c Bcc)" 0
empty
printf 'To: old@y.example\nResent-To: new@y.example\n\nx\n' |
	"$bin/sendmail" --config "$conf" -t -f a@b.example
is 'Resent-To counts instead of To' "$(envelope '[.recipients[].address]')" '["new@y.example"]'
empty
printf 'To: b@y.example\nSubject: torn\nin half\n\nx\n' | "$bin/sendmail" --config "$conf" -t -f a@b.example
is 'a line that is no field begins the body' "$(message | sed -n '/^$/,$p' | sed -n 2p)" 'in half'
empty
# shellcheck disable=SC2094
{
	printf 'T'
	sleep 0.2
	printf 'o: b@y.example\nSub'
	sleep 0.2
	printf 'ject: slow\n\nbody\n'
} | "$bin/sendmail" --config "$conf" -t -f a@b.example
is 'a header that comes in pieces is whole' \
	"$(envelope '.recipients[0].address') $(message | grep Subject)" '"b@y.example" Subject: slow'

# Header and body.
empty
printf 'Subject: x\n\none\n.\ntwo\r\nthree\rfour' | "$bin/sendmail" --config "$conf" -f a@b.example x@y.example
is 'a dot alone does not end the message; line ends are made alike' \
	"$(message | sed '1,/^$/d' | tr '\n' '|')" 'one|.|two|three|four|'
is 'and stand in wire form in the queue file' \
	"$(tail -c 8 "$dir"/spool/queue/* | od -An -c | tr -d ' \n')" '\r\nfour\r\n'
for field in Received Date Message-ID From; do
	is "$field is added once" "$(message | sed '/^$/q' | grep -c "^$field:")" 1
done
like 'From is the sender of -f' "$(message)" '^From: .*<\{0,1\}a@b.example'
empty
sm -F 'J. "Joe" Doe' -f a@b.example x@y.example <"$dir/msg"
is '-F names the sender' "$(message | grep ^From:)" 'From: "J. \"Joe\" Doe" <a@b.example>'
empty
printf 'From a@b.example Mon Jan 1\nFrom: z@y.example\nDate: d\nMessage-ID: <1@x>\n\nx\n' |
	"$bin/sendmail" --config "$conf" x@y.example
is 'an mbox line goes; fields that are there stay' "$(message | sed '/^$/q' | grep -c -e '^From ' -e '^From:' -e '^Date: d$' -e '^Message-ID: <1@x>$')" 3
is 'the default sender has our domain' "$(envelope .from | grep -c '@relay.example"$')" 1
empty
sm -v -f a@b.example x@y.example <"$dir/msg"
is '-v prints the ID' "$out" "queued as $(envelope .id | tr -d '"')"
empty
sm -f a@b.example x@y.example </dev/null
is 'an empty message is one' "$code$err $(queued)" '0 1'
empty
printf 'a\0b\n' | "$bin/sendmail" --config "$conf" -f a@b.example x@y.example 2>"$dir/err"
is 'a NUL is refused with 65' "$? $(queued) $(cat "$dir/err")" \
	'65 0 sendmail: not queued: the message has a NUL byte'
printf 'Subject: a\0b\n\nx\n' | "$bin/sendmail" --config "$conf" -f a@b.example x@y.example 2>/dev/null
is 'a NUL in the header as well' "$? $(queued)" '65 0'
printf 'To: a\0b@y.example\n\nx\n' | "$bin/sendmail" --config "$conf" -t -f a@b.example 2>/dev/null
is 'and in a recipient' "$? $(queued)" '65 0'
sm -f a@b.example x@y.example <"$dir"
is 'a directory for a message is 66' "$code $(queued)" '66 0'

# Sizes.
{
	printf 'X-Long: '
	head -c 1048576 /dev/zero | tr '\0' x | fold -w 900 | tr '\n' ' '
	printf 'x\nTo: b@y.example\n\nbody\n'
} >"$dir/long"
empty
sm -t -f a@b.example <"$dir/long"
is 'a header line of 1 MiB' "$code $(envelope '.recipients[0].address')" '0 "b@y.example"'
is 'is folded' "$(message | awk '{ if (length($0) > n) n = length($0) } END { print (n <= 999) }')" 1
{ printf 'X-Long: ' && head -c 2000 /dev/zero | tr '\0' x; } >"$dir/long"
empty
sm -f a@b.example c@d.example <"$dir/long"
is 'one without blanks is refused' "$code $(queued) $err" \
	'65 0 sendmail: not queued: a line is longer than 998 octets, in the header, and has no blank where it could be folded'
seq -f 'u%.0f@y.example,' 10000 >"$dir/many"
empty
{
	printf 'To: '
	sed 's/^/ /' "$dir/many"
	printf '\n\nbody\n'
} | "$bin/sendmail" --config "$conf" -t -f a@b.example
is '10,000 recipients in a header' "$? $(envelope '.recipients | length')" '0 10000'
empty
# shellcheck disable=SC2046
sm -f a@b.example $(sed 's/,//' "$dir/many") </dev/null
is '10,000 recipients as arguments' "$(envelope '.recipients | length')" 10000
like 'mailq lists them in bounds' "$(mailq)" 'and 9980 more'
empty
{
	printf 'Subject: big\n\n'
	yes 'a line of text that fills the message' | head -c 30000000
} >"$dir/big"
python3 - "$bin/sendmail" --config "$conf" -f a@b.example x@y.example <"$dir/big" >"$dir/out" <<'END' 3<"$dir/big" 2>&1
import os, resource, subprocess, sys
r = subprocess.run(sys.argv[1:], stdin=os.fdopen(3)).returncode
bound = 400000 if "/san-" in sys.argv[1] else 40000  # kB; a sanitizer keeps freed memory
print(r, "small" if resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < bound else "large")
END
is 'a message of 30 MB needs little memory' "$(cat "$dir/out")" '0 small'
is 'and is whole, encoded in case a long line had come' "$(message | python3 -c '
import email, email.policy, sys
sys.stdout.write(email.message_from_binary_file(sys.stdin.buffer, policy=email.policy.default).get_content())' |
	cksum)" "$({ sed '1,/^$/d' "$dir/big"; echo; } | cksum)"
empty
yes 'a line of text that fills the message' | head -c 100000000 |
	"$bin/sendmail" --config "$conf" -f a@b.example x@y.example 2>"$dir/err"
is '100 MB are over the limit' "$? $(queued) $(cat "$dir/err")" \
	'65 0 sendmail: not queued: the message is bigger than the limit of 52428800 bytes'
is 'and nothing is left of them' "$(du -s "$dir/spool" | awk '{ print ($1 < 200) }')" 1

# Lines that SMTP does not carry.
cat >"$dir/long.py" <<'END'
import email, email.policy, sys
text = "".join("%d ü = x.\n" % i for i in range(300)) + "y" * 5000 + " \n.\nFrom me\n" + "ü" * 3000 + "\n"
if len(sys.argv) == 1:
    sys.stdout.buffer.write(text.encode())
    sys.exit()
octets = open(sys.argv[1], "rb").read()
m = email.message_from_bytes(octets, policy=email.policy.default)
part = m.get_payload(1) if m.is_multipart() else m
got = part.get_payload(decode=True).decode().replace("\r\n", "\n")
print("short" if max(map(len, octets.split(b"\n"))) <= 999 else "long", part["content-transfer-encoding"],
      part.get_content_charset(), m["mime-version"], "same" if got.rstrip("\n") == text.rstrip("\n") else repr(got))
END
stored() {
	mailq show "$(mailq --json | jq -r .id)" --body | sed '1,/^$/d' >"$dir/stored"
	python3 "$dir/long.py" "$dir/stored"
}
as_sent='short quoted-printable utf-8 1.0 same'
{ printf 'Subject: l\n\n' && python3 "$dir/long.py"; } >"$dir/long"
empty
sm -i -f a@b.example x@y.example <"$dir/long"
is 'a text with long lines becomes quoted-printable' "$code$err $(stored)" "0 $as_sent"
printf 'EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n' >"$dir/smtp"
{ sed 's/^\./../; s/$/\r/' "$dir/long" && printf '.\r\nQUIT\r\n'; } >>"$dir/smtp"
empty
sm -bs <"$dir/smtp"
is 'and by SMTP' "$code $(stored)" "0 $as_sent"
{
	printf 'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nshort =\n--b\n'
	printf 'Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n'
	python3 "$dir/long.py"
	printf '\n--b--\n'
} >"$dir/long"
empty
sm -i -f a@b.example x@y.example <"$dir/long"
is 'so does a part' "$code$err $(stored)" "0 $as_sent"
is 'and the others stay' "$(grep -c '^short =' "$dir/stored")" 1
sed 's/mixed/signed/' "$dir/long" >"$dir/signed"
empty
sm -i -f a@b.example x@y.example <"$dir/signed"
is 'in a signed message they are refused' "$code $(queued) $err" \
	'65 0 sendmail: not queued: a line is longer than 998 octets, in a signed or encrypted part, which may not be changed'
is 'and nothing is left of it' "$(find "$dir/spool" -type f -size +3k)" ''
private 'long-lines = send'
sm -i -f a@b.example x@y.example <"$dir/signed"
is 'long-lines = send sends them' "$code$err $(message | tail -n 6 | cksum)" \
	"0 $(tail -n 6 "$dir/signed" | cksum)"
private
empty

# Where the mail cannot go.
private 'reserve = 1000G'
sm -f a@b.example x@y.example <"$dir/msg"
like 'below the reserve: 75' "$code $(queued) $err" '^75 0 sendmail: not queued: .*must stay free'
private
echo '[relay default]' >>"$conf"
empty
sm -f a@b.example x@y.example <"$dir/msg"
is 'a broken configuration queues all the same' "$code$err $(queued 2>/dev/null)" '0 1'
printf '[relay default]\nhost = h\n' >"$conf"
sm -f a@b.example x@y.example <"$dir/msg"
like 'a configuration without a queue: 75' "$code $err" 'sendmail: not queued: the configuration names no queue'
is 'and its exit code' "$code" 75
run sendmail --config "$dir/none" x@y.example <"$dir/msg"
is 'no configuration there: 75' "$code" 75
private
empty
mkdir "$dir/spool"
touch "$dir/spool/queue"
sm -f a@b.example x@y.example <"$dir/msg"
like 'a spool that is none: 75' "$code $err" '^75 sendmail: not queued: '
rm -rf "$dir/spool"
if [ "$(id -u)" = 0 ]; then
	sm -f a@b.example x@y.example <"$dir/msg"
	chmod 755 "$dir"
	cp "$bin/sendmail" "$dir/sendmail"
	chmod 755 "$dir/sendmail"
	setpriv --reuid 65534 --clear-groups "$dir/sendmail" --config "$conf" x@y.example <"$dir/msg" 2>"$dir/err"
	like "somebody else's spool: 75" "$? $(cat "$dir/err")" '^75 sendmail: not queued: .*Permission denied'
	chown -R 65534:65534 "$dir/spool"
	# The leak checker cannot look into a process that changed its user.
	ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 "$bin/sendmail" --config "$conf" \
		-f a@b.example x@y.example <"$dir/msg"
	is "root queues as the spool's owner" "$? $(stat -c %u "$dir"/spool/queue/* | sort -u)" '0 65534'
	empty
else
	skip "somebody else's spool: 75" 'needs root'
	skip "root queues as the spool's owner" 'needs root'
fi
for fault in EIO:74 ENOSPC:75 short:0; do
	for i in $(seq 24); do
		empty
		NIGHTMAIL_FAULT=$i:${fault%:*} "$bin/sendmail" --config "$conf" -f a@b.example x@y.example \
			<"$dir/msg" 2>/dev/null
		echo "$? $(queued)"
	done | sort -u | tr '\n' ';' >"$dir/out"
	case $(cat "$dir/out") in
	'0 1;' | '0 1;74 0;' | '0 1;75 0;' | '0 1;74 0;75 0;') pass "a failing disk (${fault%:*}): queued, or told so" ;;
	*) fail "a failing disk (${fault%:*}): queued, or told so" "$(cat "$dir/out")" ;;
	esac
done

# Surroundings.
# around NAME COMMAND: the shell command must queue one message.
around() {
	empty
	sh -c "$2" sh "$bin/sendmail" --config "$conf" -i -f a@b.example x@y.example
	is "$1" "$? $(queued)" '0 1'
}
around 'without standard input' '"$@" <&-'
around 'without descriptors 0, 1, 2' '"$@" <&- >&- 2>&-'
around 'without descriptors and with -v' '"$@" -v z@y.example <"'"$dir/msg"'" >&- 2>&-; test $? = 64 && "$1" "$2" "$3" -v x@y.example <&- >&- 2>&-'
around 'umask 000' 'umask 000; "$@" </dev/null'
is 'and the file is for its owner alone' "$(stat -c %a "$dir"/spool/queue/* "$dir/spool" | tr '\n' ' ')" '600 700 '
around 'umask 077' 'umask 077; "$@" </dev/null'
around 'umask 777' 'umask 777; "$@" </dev/null'
is 'and its owner can read it' "$(stat -c %a "$dir"/spool/queue/* "$dir/spool" | tr '\n' ' ')" '600 700 '
around 'HOME unset, environment empty' 'env -i "$@" </dev/null'
around 'SIGPIPE and SIGCHLD ignored' 'trap "" PIPE CHLD; "$@" </dev/null'
around 'a small file size limit does not kill it' '(ulimit -f 0; "$@" </dev/null 2>/dev/null); test $? = 75 && "$@" </dev/null'
around 'a working directory that is gone' 'mkdir d && cd d && rmdir ../d && "$@" </dev/null'

# Names.
for name in send-mail mailq newaliases runq; do
	ln -s "$bin/sendmail" "$dir/$name"
done
empty
"$dir/send-mail" --config "$conf" -f a@b.example x@y.example <"$dir/msg"
is 'as send-mail it queues' "$? $(queued)" '0 1'
is 'as mailq it lists' "$("$dir/mailq" --config "$conf" | tail -1)" "$(mailq | tail -1)"
is 'with the options of mailq' "$("$dir/mailq" --config "$conf" --json)" "$(mailq --json)"
is 'nightmail queue lists' "$("$bin/nightmail" queue --config "$conf" --json)" "$(mailq --json)"
is '-bp lists' "$("$bin/sendmail" --config "$conf" -bp | tail -1)" "$(mailq | tail -1)"
"$dir/newaliases"
is 'as newaliases it exits 0' $? 0
sm -bi
is '-bi exits 0' "$code$out$err" 0
for flag in -q -qf -q15m -q1h30m; do
	sm $flag
	like "$flag tries all now" "$code $out" '^0 .*will be tried as soon'
done
like 'as runq too' "$("$dir/runq" --config "$conf")" 'will be tried as soon'
sm -qRX@Y.exam
like '-qR tries what goes to such an address' "$code $out" '^0 .*will be tried as soon'
sm -qRnobody
is '-qR of nobody tries nothing' "$code$out$err" 0
sm -qSb.example
like '-qS tries what such a sender sent' "$code $out" '^0 .*will be tried as soon'
sm -qSnobody
is '-qS of nobody tries nothing' "$code$out$err" 0
sm -qI"$(envelope .id | tr -d '"')"
like '-qI tries one' "$code $out" '^0 .*will be tried as soon'
sm -qIZZZZ
is '-qI of no ID is 64' "$code" 64
done_testing
