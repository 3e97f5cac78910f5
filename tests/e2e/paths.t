#!/bin/sh
# Every way in, in system mode: ordinary users by the socket and by nightmail-drop, without new
# privileges, in a chroot, by socket activation; and what no user can do. The system is a
# private mount namespace with /etc, /run and /var/spool of its own: nothing of the machine's
# is touched.
cd "$(dirname "$0")/../.." || exit 1
build=${NIGHTMAIL_BUILD:-$PWD/build/release}
if [ "$(id -u)" != 0 ] || ! unshare -m true 2>/dev/null || ! command -v setpriv >/dev/null; then
	echo '1..0 # SKIP needs root, unshare and setpriv'
	exit 0
fi
if [ "${build#*san}" != "$build" ]; then
	echo '1..0 # SKIP the leak sanitizer cannot look into programs that change their user or group'
	exit 0
fi
if [ -z "$PATHS_INSIDE" ]; then
	dir=$(mktemp -d) || exit 1
	PATHS_INSIDE=$dir unshare -m --propagation private "$0"
	code=$?
	rm -rf "$dir"
	exit $code
fi
dir=$PATHS_INSIDE
chmod 711 "$dir"
unset NIGHTMAIL_CONFIG NOTIFY_SOCKET
python=/usr/bin/python3 # one that other users may run
. tests/cli/tap.sh
trap 'end_children; [ -z "$unmount" ] || umount "$unmount"' EXIT

logged() { grep -q -- "$1" "$dir/log"; }
received() { find "$dir/mail" -name '*.eml' 2>/dev/null | wc -l; }
has_received() { [ "$(received)" -ge "$1" ]; }
mail_with() { grep -lr -- "$1" "$dir/mail" 2>/dev/null | grep 'eml$' | wc -l; }
has_mail() { [ "$(mail_with "$1")" = 1 ]; }
dropped() { find "$spool/drop" -mindepth 1 | wc -l; }
has_dropped() { [ "$(dropped)" = "$1" ]; }

# --- the system ---
spool=/var/spool/nightmail
cp -a /etc "$dir/etc" && mount --bind "$dir/etc" /etc || exit 1
mount -t tmpfs -o mode=755 tmpfs /run && mount -t tmpfs -o mode=755 tmpfs /var/spool || exit 1
rm -rf /etc/nightmail
mkdir -p /etc/nightmail "$dir/bin"
for who in nightmail:61990 alice:61001 bob:61002; do
	id=${who#*:}
	echo "${who%:*}:x:$id:$id:${who%:*}:/nonexistent:/bin/sh" >>/etc/passwd
	echo "${who%:*}:x:$id:" >>/etc/group
done
echo 'nightmail-drop:x:61991:' >>/etc/group
cp "$build/nightmaild" "$build/nightmail-deliver" "$build/nightmail-drop" "$build/send" \
	"$build/sendmail" "$build/mailq" "$build/nightmail" "$dir/bin"
chown root:61991 "$dir/bin/nightmail-drop"
chmod 2755 "$dir/bin/nightmail-drop"

start_sink() {
	"$dir/bin/nightmail" sink --listen 127.0.0.1:0 --dir "$dir/mail" >"$dir/sink.log" 2>&1 &
	sink=$!
	until_true grep -q '127.0.0.1:[0-9]' "$dir/sink.log"
	port=$(sed -n 's/.*127\.0\.0\.1:\([0-9]*\).*/\1/p' "$dir/sink.log" | head -1)
}
write_conf() { # LINE... of [queue]
	{
		printf '[relay default]\nhost = 127.0.0.1\nport = %s\ntls = none\nprobe = 1s\n' "$port"
		printf '[identity]\ndomain = relay.example\n[queue]\nretry = 1s 2s\n'
		printf '%s\n' "$@"
	} >/etc/nightmail/nightmail.conf
}
start_daemon() {
	"$dir/bin/nightmaild" -v >>"$dir/log" 2>&1 &
	daemon=$!
	until_true test -S /run/nightmail/submit
}
stop_daemon() {
	kill "$daemon"
	wait "$daemon"
	daemon=
	rm -f /run/nightmail/submit
}
# as UID COMMAND...: with no group but their own.
as() {
	uid=$1
	shift
	setpriv --reuid="$uid" --regid="$uid" --clear-groups "$@"
}
# submit UID SUBJECT ARGS...: by sendmail; leaves $code and $err.
submit() {
	uid=$1 subject=$2
	shift 2
	printf 'Subject: %s\n\nbody\n' "$subject" |
		as "$uid" "$dir/bin/sendmail" "$@" 2>"$dir/err"
	code=$?
	err=$(cat "$dir/err")
}
# smtp: stdin to the socket, as alice; prints the codes of the replies.
smtp() {
	as 61001 "$python" -c '
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(20)
s.connect("/run/nightmail/submit")
s.sendall(sys.stdin.buffer.read())
s.shutdown(socket.SHUT_WR)
data = b""
while True:
    b = s.recv(65536)
    if not b:
        break
    data += b
print(" ".join(l[:3].decode() for l in data.split(b"\r\n") if l[3:4] == b" "))
' 2>&1
}

start_sink
write_conf
start_daemon

# --- the socket ---
submit 61001 by-socket -f alice@a.example bob@b.example
is 'an ordinary user can submit while the daemon runs' "$code $err" '0 '
ok 'and it is delivered' until_true has_mail 'Subject: by-socket'
is 'its Received names who it was' \
	"$(cat "$(grep -lr 'Subject: by-socket' "$dir/mail" | grep 'eml$')" | grep -c '(nightmail, uid 61001) id [0-9A-V]\{16\}')" 1
ok 'the log too' logged 'uid=61001 via=socket status=queued'
is 'nothing went through drop/' "$(dropped)" 0
printf 'Subject: by-send\n\nx\n' >"$dir/text"
id=$(echo x | as 61001 "$dir/bin/send" x@b.example -s by-send -v 2>&1)
ok 'send prints the id that the daemon gave it' until_true logged "id=${id#queued as } .*via=socket"
ok 'and its message goes' until_true has_mail 'Subject: by-send'
is 'a sender without a From is named by passwd' "$(grep -h '^From:' \
	"$(grep -lr 'Subject: by-send' "$dir/mail" | grep 'eml$')" | tr -d '\r')" \
	'From: alice <alice@relay.example>'
printf 'EHLO x\r\nMAIL FROM:<alice@a.example>\r\nRCPT TO:<x@b.example>\r\nDATA\r\nSubject: bs\r\n\r\nx\r\n.\r\nQUIT\r\n' |
	as 61001 "$dir/bin/sendmail" -bs >"$dir/bs.out" 2>&1
is 'sendmail -bs' "$? $(grep -c '^250 2.0.0 queued as' "$dir/bs.out")" '0 1'
ok 'and it is delivered' until_true has_mail 'Subject: bs'
submit 61001 '8bit ü' -f 'jörg@b.example' 'zoë@b.example'
is 'addresses and headers in UTF-8' "$code $err" '0 '
submit 61001 notify -N success,delay -R hdrs -V env-1 -f alice@a.example x@b.example
is 'DSN parameters' "$code $err" '0 '
ok 'reach the queue and the smarthost' until_true has_mail 'Subject: notify'
head -c 3000000 /dev/zero | tr '\0' 'a' | fold -w 76 >"$dir/big"
as 61001 "$dir/bin/sendmail" -f a@a.example big@b.example <"$dir/big"
is 'three megabytes' "$?" 0
head -c 60000000 /dev/zero | tr '\0' 'a' | fold -w 76 | as 61001 "$dir/bin/sendmail" -f a@a.example big@b.example 2>"$dir/err"
is 'more than the limit is 65' "$? $(grep -c 'bigger than the limit' "$dir/err")" '65 1'
seq 1 3000 | sed 's/.*/r&@b.example/' >"$dir/many"
printf 'Subject: many\n\nx\n' | as 61001 xargs -a "$dir/many" "$dir/bin/sendmail" -f a@a.example 2>"$dir/err" <&0
printf 'To: %s\nSubject: many\n\nx\n' "$(paste -sd, "$dir/many" | sed 's/,/,\n /g')" |
	as 61001 "$dir/bin/sendmail" -t -f a@a.example 2>"$dir/err"
is '3000 recipients in one message' "$? $(cat "$dir/err")" '0 '

count() { "$dir/bin/mailq" --json 2>/dev/null | wc -l; }
until_true eval '[ "$(count)" = 0 ]'
before=$(received)
is 'the end within DATA discards the message' "$(printf 'EHLO x\r\nMAIL FROM:<a@a.example>\r\nRCPT TO:<x@b.example>\r\nDATA\r\nSubject: cut\r\n\r\nx\r\n' | smtp)" \
	'220 250 250 250 354'
is 'a bare LF in DATA is refused' "$(printf 'EHLO x\r\nMAIL FROM:<a@a.example>\r\nRCPT TO:<x@b.example>\r\nDATA\r\nSubject: bare\n\r\nx\r\n.\r\nQUIT\r\n' | smtp)" \
	'220 250 250 250 354 554 221'
is 'LF.LF smuggles nothing' "$(printf 'EHLO x\r\nMAIL FROM:<a@a.example>\r\nRCPT TO:<x@b.example>\r\nDATA\r\n\r\nx\n.\nMAIL FROM:<evil@a.example>\r\n.\r\nQUIT\r\n' | smtp)" \
	'220 250 250 250 354 554 221'
is 'a NUL is refused' "$(printf 'EHLO x\r\nMAIL FROM:<a@a.example>\r\nRCPT TO:<x@b.example>\r\nDATA\r\n\r\nx\000y\r\n.\r\nQUIT\r\n' | smtp)" \
	'220 250 250 250 354 554 221'
is 'nothing of these was queued' "$(count) $(received)" "0 $before"
is 'errors are limited' "$(yes 'NONSENSE' | head -30 | smtp | tr ' ' '\n' | tail -1)" 421

# --- no new privileges, chroot ---
submit 61001 nnp-by-socket -f a@a.example x@b.example
printf 'Subject: nnp\n\nx\n' | as 61001 setpriv --no-new-privs "$dir/bin/sendmail" -f a@a.example x@b.example
is 'without new privileges, by the socket' "$?" 0
ok 'and it is delivered' until_true has_mail 'Subject: nnp$'
if [ "$(readelf -lW "$dir/bin/sendmail" | grep -c INTERP)" = 0 ]; then
	mkdir -p "$dir/root/run/nightmail" "$dir/root/bin"
	cp "$dir/bin/sendmail" "$dir/root/bin"
	mount --bind /run/nightmail "$dir/root/run/nightmail" && unmount=$dir/root/run/nightmail
	printf 'Subject: chrooted\n\nx\n' |
		chroot --userspec=61001:61001 --groups= "$dir/root" /bin/sendmail -f a@a.example x@b.example
	is 'in a chroot with the socket in it' "$?" 0
	ok 'and it is delivered' until_true has_mail 'Subject: chrooted'
	umount "$unmount"
	unmount=
fi

# --- too many sessions ---
mkfifo "$dir/hold"
as 61001 "$python" -c '
import socket, sys
held, refused = [], 0
for i in range(34):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(20)
    s.connect("/run/nightmail/submit")
    if s.recv(100)[:3] == b"220":
        held.append(s)
    else:
        refused += 1
print(len(held), refused)
sys.stdout.flush()
sys.stdin.read()
' >"$dir/held" <"$dir/hold" &
holder=$!
exec 9>"$dir/hold"
until_true test -s "$dir/held"
is 'one user has 32 sessions at a time' "$(cat "$dir/held")" '32 2'
submit 61002 bob-meanwhile -f bob@b.example x@b.example
is 'and is in nobody else'"'"'s way' "$code" 0
exec 9>&-
wait $holder
submit 61001 afterwards -f a@a.example x@b.example
is 'once they end there is room again' "$code" 0

# --- nightmail-drop ---
until_true eval '[ "$(count)" = 0 ]'
stop_daemon
submit 61001 by-drop -f alice@a.example bob@b.example
is 'with the daemon stopped the message is dropped' "$code $err" '0 '
is 'it belongs to its submitter, readable for the group alone' \
	"$(stat -c '%a %U %G %h' "$spool"/drop/* 2>&1)" '440 alice nightmail-drop 1'
is 'drop/ itself' "$(stat -c '%a %U %G' "$spool/drop")" '1770 nightmail nightmail-drop'
name=$(ls "$spool/drop")
ok 'nobody else reads it' not as 61002 cat "$spool/drop/$name"
ok 'nobody else removes it' not as 61002 rm -f "$spool/drop/$name"
ok 'its submitter cannot change it' not as 61001 sh -c "echo x >>$spool/drop/$name"
ok 'nobody writes into drop/ without the helper' not as 61001 touch "$spool/drop/x"
ok 'nobody looks into the queue' not as 61001 ls "$spool/queue"
ok 'the spool is not for listing' not as 61001 ls "$spool"
printf 'Subject: nnp2\n\nx\n' | as 61001 setpriv --no-new-privs "$dir/bin/sendmail" -f a@a.example x@b.example 2>"$dir/err"
is 'without new privileges there is no way: 75 with words' \
	"$? $(grep -c 'not queued: nightmaild is not reachable .*no_new_privs' "$dir/err")" '75 1'
printf 'EHLO x\r\nMAIL FROM:<alice@a.example>\r\nRCPT TO:<x@b.example>\r\nDATA\r\nSubject: bs-drop\r\n\r\nx\r\n.\r\nQUIT\r\n' |
	as 61002 "$dir/bin/sendmail" -bs >"$dir/bs.out" 2>&1
is 'sendmail -bs goes that way too' "$? $(grep -c '^250 2.0.0 queued as' "$dir/bs.out") $(dropped)" '0 1 2'

# By hand: what a hostile caller may give the helper.
envelope() { # UID ID FROM TO
	printf 'id %s\ncreated wall_ms=1 boot_ms=1 boot_id=00000001\nuid %s\norigin bounce\nfrom %s\nto %s\n\n' \
		"$2" "$1" "$3" "$4"
}
# helper TEXT-FILE [COMMIT]: gives envelope $dir/env and the text to the helper.
helper() {
	{
		printf 'nightmail-drop 1\nenvelope %s\n' "$(wc -c <"$dir/env")"
		cat "$dir/env"
		printf 'data %s\n' "$(wc -c <"$1")"
		cat "$1"
		printf '%s' "$2"
	} | as 61001 "$dir/bin/nightmail-drop" 2>&1
}
commit='commit
'
printf 'Subject: forged\r\n\r\nx\r\n' >"$dir/text"
envelope 61002 0000000000000001 bob@b.example x@b.example >"$dir/env"
ok 'the helper takes a submission' eval 'helper "$dir/text" "$commit" | grep -q "^queued [0-9A-V]*$"'
ok 'and ignores the id it was told' not test -e "$spool/drop/0000000000000001"
ok 'without the commit nothing is left' eval 'helper "$dir/text" "" | grep -q "^failed 75" && has_dropped 3'
printf 'Subject: nul\r\n\r\nx\000\r\n' >"$dir/nul"
ok 'a NUL is refused' eval 'helper "$dir/nul" "$commit" | grep -q "^failed 65"'
envelope 61002 0000000000000001 bob@b.example 'x%0Ato%20y@b.example' >"$dir/env"
ok 'an address with a LF is refused' eval 'helper "$dir/text" "$commit" | grep -q "^failed 65"'
echo hello >"$dir/env"
ok 'an envelope that is none is refused' eval 'helper "$dir/text" "$commit" | grep -q "^failed 65"'
ok 'arguments are refused' eval '! as 61001 "$dir/bin/nightmail-drop" --config /tmp/x'
ok 'the environment is not asked' eval 'NIGHTMAIL_CONFIG=/dev/null XDG_CONFIG_HOME=/tmp as 61001 env "$dir/bin/sendmail" -f a@a.example x@b.example <"$dir/text"; true'
is 'nothing else was dropped' "$(dropped)" 3

# What only a broken helper could leave.
as_group() { setpriv --reuid=61001 --regid=61991 --clear-groups "$@"; }
echo 'a secret' >"$dir/secret"
chmod 600 "$dir/secret"
as_group ln -s "$dir/secret" "$spool/drop/0000000000000002"
as_group mkfifo "$spool/drop/0000000000000003"
as_group sh -c "echo rubbish >$spool/drop/0000000000000004"
as_group sh -c "echo rubbish >$spool/drop/notanid"
as_group mkdir "$spool/drop/0000000000000005"
good=$(ls "$spool"/drop/C* | head -1)
as_group ln "$good" "$spool/drop/0000000000000006" 2>/dev/null || as_group sh -c "echo >$spool/drop/0000000000000006"
before=$(received)
start_daemon
ok 'the daemon picks up what was dropped' until_true has_mail 'Subject: forged'
ok 'each of them' until_true has_mail 'Subject: bs-drop'
ok 'with the uid of the file, not of the envelope' grep -q 'uid 61001' \
	"$(grep -lr 'Subject: forged' "$dir/mail" | grep 'eml$')"
is 'and never as a bounce' "$("$dir/bin/mailq" --json | grep -c '"origin":"bounce"')" 0
ok 'rubbish goes' until_true eval '[ "$(find "$spool/drop" -mindepth 1 ! -type d | wc -l)" -le 1 ]'
ok 'with words' logged 'dropped file removed, it was never acknowledged'
ok 'the secret is nowhere' not grep -rq 'a secret' "$dir/mail" "$spool/queue" "$spool/dead"
rmdir "$spool/drop/0000000000000005"
rm -f "$spool"/drop/*

# --- limits ---
until_true eval '[ "$(count)" = 0 ]'
stop_daemon
write_conf 'user-limit = 3/h 1M'
start_daemon
for i in 1 2 3; do
	submit 61001 "limit-$i" -f a@a.example x@b.example
done
is 'three of three messages an hour' "$code" 0
submit 61001 limit-4 -f a@a.example x@b.example
is 'the fourth is 75 with words' "$code $(echo "$err" | grep -c 'has sent 3 messages within an hour')" '75 1'
submit 61002 limit-bob -f a@a.example x@b.example
is 'another user is not concerned' "$code" 0
head -c 1500000 /dev/zero | tr '\0' 'b' | fold -w 76 >"$dir/big"
as 61002 "$dir/bin/sendmail" -f a@a.example x@b.example <"$dir/big" 2>"$dir/err"
is 'more queued bytes than allowed are 75' "$? $(grep -c 'user-limit' "$dir/err")" '75 1'
submit 0 limit-root -f a@a.example x@b.example
is 'root has no limit' "$code" 0
stop_daemon
submit 61001 limit-drop -f a@a.example x@b.example
is 'dropping is possible' "$code" 0
write_conf 'user-limit = never'
start_daemon
ok 'what was over the limit is not lost' until_true has_mail 'Subject: limit-drop'
ok 'the limit is changed by reload' eval 'write_conf "user-limit = 1/h 1M"; kill -HUP $daemon; until_true logged "configuration loaded again"'
submit 61001 limit-5 -f a@a.example x@b.example
submit 61001 limit-6 -f a@a.example x@b.example
is 'to a stricter one' "$code" 75
stop_daemon
write_conf 'reserve = 1000G'
start_daemon
submit 61001 reserve -f a@a.example x@b.example
is 'below the reserve nothing is accepted: 75' "$code $(echo "$err" | grep -c 'must stay free')" '75 1'
stop_daemon
submit 61001 reserve -f a@a.example x@b.example
is 'by the helper neither' "$code $(echo "$err" | grep -c 'must stay free')" '75 1'
write_conf

# --- a queue below directories that do not exist ---
write_conf 'dir = /var/spool/made/by/root/nightmail'
start_daemon
submit 61001 made -f a@a.example x@b.example
is 'the directories above a queue that root makes let its user through' "$code $err" '0 '
ok 'and the mail goes' until_true has_mail 'Subject: made'
stop_daemon
write_conf

# --- socket activation ---
if command -v systemd-socket-activate >/dev/null; then
	rm -f /run/nightmail/submit
	systemd-socket-activate --fdname=submit -l /run/nightmail/submit \
		"$dir/bin/nightmaild" >>"$dir/log" 2>&1 &
	daemon=$!
	until_true test -S /run/nightmail/submit
	chmod 666 /run/nightmail/submit
	submit 61001 activated -f a@a.example x@b.example
	is 'a message starts the daemon by its socket' "$code $err" '0 '
	ok 'and it is delivered' until_true has_mail 'Subject: activated'
	ok 'its children do not inherit LISTEN_*' eval 'child=$(pgrep -P $daemon -f nightmail-deliver | head -1) && ! grep -zq ^LISTEN_ "/proc/$child/environ"'
	stop_daemon
fi
done_testing
