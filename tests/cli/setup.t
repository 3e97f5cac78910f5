#!/bin/sh
# nightmail setup: by options and at a terminal, against a relay that wants TLS and a login; what
# it writes, that it writes it once, that it takes it back, and the test mail.
cd "$(dirname "$0")/../.." || exit 1
. tests/cli/tap.sh
build=$bin
dir=$(mktemp -d) || exit 1
conf=$dir/etc/nightmail.conf
unset NIGHTMAIL_CONFIG NOTIFY_SOCKET XDG_CONFIG_HOME
trap 'end_children; rm -rf "$dir"' EXIT

run() { # OPTION...: leaves $out (both outputs) and $code
	out=$("$build/nightmail" setup --config "$conf" "$@" </dev/null 2>&1)
	code=$?
}

# Answers at a terminal: pairs of a prompt's beginning and what is typed then. Leaves $out, $code.
at_terminal() { # OPTIONS PROMPT ANSWER [PROMPT ANSWER]...
	out=$(python3 - "$build/nightmail" setup --config "$conf" "$@" <<'END'
import os, pty, re, select, sys
args, pairs = sys.argv[1:5], sys.argv[5:]
args += pairs.pop(0).split()
pid, fd = pty.fork()
if pid == 0:
    os.execv(args[0], args)
seen, mark, ended = b'', 0, False
def more():
    global seen, ended
    if not select.select([fd], [], [], 10)[0]:
        sys.exit('timed out after: ' + seen.decode())
    try:
        some = os.read(fd, 4096)
    except OSError:
        some = b''
    seen += some
    ended = not some
while pairs:
    prompt, answer = pairs.pop(0).encode(), pairs.pop(0)
    while prompt not in seen[mark:] and not ended:
        more()
    if ended:
        break
    mark = seen.index(prompt, mark) + len(prompt)
    while not seen.endswith(b': ') and not ended:
        more()
    mark = len(seen)
    os.write(fd, answer.encode() + (b'' if answer == '\x03' else b'\n'))
while not ended:
    more()
print(seen.decode().replace('\r', ''), end='')
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
END
)
	code=$?
}

start_sink() { # OPTION...
	[ -z "$sink" ] || { kill "$sink" && wait "$sink"; } 2>/dev/null
	: >"$dir/sink.log"
	"$build/nightmail" sink --listen "127.0.0.1:${port:-0}" --tls "$dir/tls" \
		--auth "box:$dir/spw" --require-auth --dir "$dir/mail" "$@" >"$dir/sink.log" 2>&1 &
	sink=$!
	until_true grep -q '^listening' "$dir/sink.log" || exit 1
	port=$(sed -n 's/^listening 127.0.0.1:\([0-9]*\).*/\1/p' "$dir/sink.log")
}

(umask 077 && echo 's e$am%' >"$dir/spw")
mkdir "$dir/etc"
(umask 077 && echo 's e$am%' >"$dir/etc/pw" && echo wrong >"$dir/etc/wrong")
start_sink
write_start() { printf '# mine\n\n[relay default]\n# our own authority\nca = ../tls/ca.pem\n' >"$conf"; }
answers="--yes --relay localhost --port $port --login box --password-file $dir/etc/pw"

# --- without a terminal nothing is asked ---
run
is 'without a terminal it ends' "$code" 64
has 'and says what to give' "$out" '--yes'
run --yes
is '--yes without a relay ends' "$code" 64
has 'and asks for it' "$out" '--relay HOST'
run --yes --relay localhost --port "$port" --login box
is 'a login without a password ends' "$code" 66
has 'and says where it was looked for' "$out" "$dir/etc/smarthost.pw"
run --yes --relay 'local host:x'
is 'a relay that is none is refused' "$code" 64
run --yes --undo --relay localhost
is '--undo sets nothing' "$code" 64
run --yes extra
is 'an argument is refused' "$code" 64
run --help
is '--help is printed' "$code" 0
is 'none of this made a file' "$(ls "$dir/etc")" 'pw
wrong'

# --- the relay is tried first ---
run $answers
is 'a certificate of an unknown authority stops it' "$code" 69
has 'with words' "$out" 'unknown issuer'
run $answers --dry-run
is 'with --dry-run too' "$code" 69
has 'but the file is shown' "$out" "    port = $port"
run $answers --ca "$dir/nothing.pem"
is 'so does a file of authorities that is missing' "$code" 69
run $answers --ca "$dir/tls/ca.pem"
is '--ca names the authorities' "$code" 0
is 'in the file' "$(grep '^ca' "$conf")" "ca = $dir/tls/ca.pem"
run --undo
run --yes --relay localhost --port "$port" --login box --password-file "$dir/etc/none" --dry-run
is '--dry-run goes on without a password' "$code" 69
has 'and shows the file' "$out" "    password = file:$dir/etc/none"
write_start
cp "$conf" "$dir/start"
run --yes --relay localhost --port "$port" --login box --password-file "$dir/etc/wrong"
is 'a wrong password stops it' "$code" 69
has 'with the words of the server' "$out" 'AUTH: 535'
is 'and nothing is written' "$(cat "$conf")" "$(cat "$dir/start")"
run $answers --dry-run
is '--dry-run shows the file' "$code" 0
has 'with the values' "$out" 'host = localhost'
is 'and writes nothing' "$(cat "$conf")" "$(cat "$dir/start")"

# --- writing ---
run $answers --root admin@example.org
is 'with good answers it writes' "$code" 0
has 'after a login' "$out" 'logged in as box by SCRAM-SHA-256'
is 'what was there stays, the answers are added' "$(cat "$conf")" "# mine

root = admin@example.org

[relay default]
# our own authority
ca = ../tls/ca.pem
host = localhost
port = $port
login = box
password = file:$dir/etc/pw

[queue]
dir = spool"
is 'the file is for everybody to read' "$(stat -c %a "$conf")" 644
"$build/nightmail" config check --config "$conf" >/dev/null 2>&1
is 'and valid' "$?" 0
cp "$conf" "$dir/first"
run $answers --root admin@example.org
is 'a second time is fine' "$code" 0
has 'and changes nothing' "$out" 'nothing to change'
is 'not a byte' "$(cat "$conf")" "$(cat "$dir/first")"
run --yes --no-probe --login ''
is 'a login can be taken away' "$(grep -c -e login -e password "$conf")" 0
run --undo
is '--undo brings back what was there' "$code:$(cat "$conf")" "0:$(cat "$dir/first")"
run --undo
is 'once' "$code" 66
run --yes --no-probe --tls sometimes
is 'a value that no key takes is refused' "$code" 64
printf '[queue]\ndir = spool\nretry = soon\n' >"$conf"
run --yes --no-probe --relay localhost
is 'a file with another error is taken back' "$code" 78
has 'with the error' "$out" "$conf:3:9"
is 'as it was' "$(cat "$conf")" '[queue]
dir = spool
retry = soon'
rm -f "$conf" "$conf.before-setup"
run --yes --no-probe --relay localhost
is 'a file is made where there is none' "$code" 0
run --undo
is 'and --undo removes it' "$code:$(ls "$conf" 2>/dev/null)" 0:

# --- one queue is of one configuration ---
run --yes --no-probe --relay localhost
printf '[queue]\ndir = %s/spool\n' "$dir/etc" >"$dir/etc/other.conf"
run --yes --no-probe --relay example.org
is 'a queue that is of another file too is refused' "$code" 78
has 'with its name' "$out" "$dir/etc/other.conf"
printf '[queue]\ndir = /var/spool/nightmail\n' >"$dir/etc/other.conf"
conf=$dir/etc/other.conf
run --yes --no-probe --relay example.org
has "so is the system's" "$out" "is that of the system's configuration too"
conf=$dir/etc/nightmail.conf
run --undo
rm -f "$dir/etc/other.conf"

# --- a person at a terminal ---
write_start
at_terminal "--port $port" 'server that' localhost 'user name' box 'file that keeps' '' \
	'who reads' '-' 'password of' 's e$am%' 'write this' '' 'send a test mail' ''
is 'the answers of a person are written' "$code" 0
is 'the password goes into its file' "$(cat "$dir/etc/smarthost.pw")" 's e$am%'
is 'which only its owner reads' "$(stat -c %a "$dir/etc/smarthost.pw")" 600
is 'and is not shown' "$(printf '%s' "$out" | grep -cF 's e$am%')" 0
is 'it is the default in the file' "$(grep '^password' "$conf")" \
	"password = file:$dir/etc/smarthost.pw"
at_terminal '' 'server that' '' 'user name' '' 'file that keeps' '' \
	'who reads' '' 'password of' '' 'send a test mail' ''
has 'with empty answers nothing changes' "$out" 'nothing to change'
at_terminal '' 'server that' '' 'user name' '' 'file that keeps' '' 'who reads' '' \
	'password of' nonsense 'go on' n
is 'a password that the relay refuses is not written' \
	"$code:$(cat "$dir/etc/smarthost.pw")" '69:s e$am%'
at_terminal '' 'server that' '' 'user name' '' 'file that keeps' '' \
	'who reads' '' 'password of' "$(printf '\003')"
is '^C at the password ends it' "$code" 64
at_terminal '' 'server that' 'a b,c' 'server that' '' 'user name' '-' 'who reads' \
	root@example.org 'write this' n
is 'a person can say no in the end' "$code:$(grep -c root "$conf")" 64:0
run --undo
is '--undo removes the password too' "$code:$(ls "$dir/etc/smarthost.pw" 2>/dev/null)" 0:

# --- the settings of another relay ---
mkdir "$dir/home"
cat >"$dir/home/msmtprc" <<END
account default
host localhost
port $port
tls on
tls_trust_file $dir/tls/ca.pem
auth on
user box
password s e\$am%
END
imported=$("$build/nightmail" config import msmtp "$dir/home/msmtprc" \
	--password-file "$dir/etc/imported.pw" 2>/dev/null)
printf '%s\n[queue]\ndir = spool\n' "$imported" >"$conf"
run --yes
is 'an imported configuration lets us in' "$code" 0
has 'with the imported password' "$out" 'logged in as box'
has 'and needs no change' "$out" 'nothing to change'

# --- the system's and a person's own file: with an /etc of our own ---
cat >"$dir/system" <<END
mount -t tmpfs none /mnt && cp -a /etc/. /mnt && mount --bind /mnt /etc || exit 77
cp "$dir/home/msmtprc" /etc/msmtprc
rm -rf /etc/nightmail
"$build/nightmail" setup --yes >"$dir/1" 2>&1
"$build/nightmail" setup --yes --import msmtp >"$dir/2" 2>&1
cat /etc/nightmail/nightmail.conf >"$dir/system.conf"
cat /etc/nightmail/smarthost.pw >"$dir/system.pw"
"$build/nightmail" setup --yes --import msmtp >"$dir/3" 2>&1
"$build/nightmail" setup --undo >"$dir/4" 2>&1
ls /etc/nightmail >"$dir/5" 2>&1
mkdir "$dir/xdg" && chmod 755 "$dir" && chown 65534 "$dir/xdg"
XDG_CONFIG_HOME="$dir/xdg" setpriv --reuid 65534 --regid 65534 --clear-groups \
	"$build/nightmail" setup --yes --no-probe --relay localhost >"$dir/6" 2>&1
END
if unshare -m sh "$dir/system" 2>/dev/null; then
	has 'what could be imported is named' "$(cat "$dir/1")" 'or --import msmtp'
	has '--import writes the system file' "$(cat "$dir/2")" \
		'/etc/nightmail/nightmail.conf is written'
	is 'with what the other relay has' "$(cat "$dir/system.conf")" "[relay default]
host = localhost
port = $port
login = box
password = file:/etc/nightmail/smarthost.pw
ca = $dir/tls/ca.pem"
	is 'and its password' "$(cat "$dir/system.pw")" 's e$am%'
	has 'a second time changes nothing' "$(cat "$dir/3")" 'nothing to change'
	is '--undo leaves neither file' "$(cat "$dir/5")" ''
	is "a person's own file is written in user mode" \
		"$(cat "$dir/xdg/nightmail/nightmail.conf")" '[relay default]
host = localhost'
else
	skip 'system mode' 'needs root and a mount namespace'
fi

# --- the test mail ---
run --yes --test bob@example.org
is 'without a daemon the test mail waits' "$code" 75
has 'and this is said' "$out" 'nightmaild is not running'
"$build/nightmaild" --config "$conf" >"$dir/log" 2>&1 &
daemon=$!
until_true "$build/nightmail" status --config "$conf"
run --yes --test alice@example.org
is 'with a daemon the relay takes it' "$code" 0
has 'and this is said' "$out" 'the relay has taken it'
is 'it has arrived' "$(grep -l '^To: alice@example.org' "$dir"/mail/*.eml | wc -l)" 1
start_sink --reply 'rcpt:carol@example.org=550 5.1.1 no such person'
run --yes --test carol@example.org
is 'a refusal is told' "$code" 69
has 'in the words of the relay' "$out" '550 5.1.1 no such person'
run --yes --root "nobody@example.org"
has 'a running daemon reads what was written' "$out" 'the running daemon uses the new configuration'
done_testing
