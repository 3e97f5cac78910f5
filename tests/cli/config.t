#!/bin/sh
# nightmail config: check, show, keys, and the sample configuration.
cd "$(dirname "$0")/../.." || exit 1
. tests/cli/tap.sh
nightmail=$bin/nightmail
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
unset NIGHTMAIL_CONFIG

# run ARGS...: leaves $out, $err and $code.
run() {
	"$nightmail" "$@" >"$dir/out" 2>"$dir/err"
	code=$?
	out=$(cat "$dir/out")
	err=$(cat "$dir/err")
}

# Root is warned about a private instance; that is no part of these tests.
without_root_warning() {
	printf '%s' "$err" | grep -v '^warning: running as root'
}

cat >"$dir/good.conf" <<'END'
[queue]
dir = spool
[relay default]
host = smtp.example.net
login = a\b
password = file:pw
END
(umask 077 && : >"$dir/pw")
run config check --config "$dir/good.conf"
is 'check of a valid file exits 0' "$code" 0
is 'check says so' "$(printf '%s' "$out" | sed -n 1p)" "# private mode: $dir/good.conf"
is 'check has no complaint' "$(without_root_warning)" ''

run config show --config "$dir/good.conf"
is 'show exits 0' "$code" 0
is 'show names file and line' "$(printf '%s' "$out" | grep ' host = ')" \
	"relay default host = smtp.example.net  # $dir/good.conf:4"
is 'show gives a path in full' "$(printf '%s' "$out" | grep '^queue dir')" \
	"queue dir = $dir/spool  # $dir/good.conf:2"
is 'show leaves a backslash alone' "$(printf '%s' "$out" | grep ' login ')" \
	"relay default login = a\\b  # $dir/good.conf:5"
is 'show names defaults' "$(printf '%s' "$out" | grep ' port ')" \
	'relay default port = 587  # default'

run config show --json --config "$dir/good.conf"
is 'show --json exits 0' "$code" 0
is 'every line is an object with all members' \
	"$(jq -c 'select(keys == ["default","file","key","line","name","section","value"]) | 1' \
		"$dir/out" | wc -l)" "$(wc -l <"$dir/out")"
is 'the object of a value' "$(jq -c 'select(.key == "host")' "$dir/out")" \
	"{\"section\":\"relay\",\"name\":\"default\",\"key\":\"host\",\"value\":\"smtp.example.net\",\"default\":false,\"file\":\"$dir/good.conf\",\"line\":4}"
is 'the object of an unset key' "$(jq -c 'select(.key == "from")' "$dir/out")" \
	'{"section":"identity","name":null,"key":"from","value":null,"default":true,"file":null,"line":null}'

cat >"$dir/bad.conf" <<'END'
[queue]
dir = spool
[relay default]
pasword = hunter2
host = smtp.example.net
login = a
password = hunter2
END
run config check --config "$dir/bad.conf"
is 'check of a broken file exits 78' "$code" 78
is 'check tells the first error with its place' "$(printf '%s' "$err" | sed -n 1p)" \
	"$dir/bad.conf:4:1: unknown key \"pasword\" in [relay default]; did you mean \"password\"?"
is 'and the second' "$(printf '%s' "$err" | sed -n 2p | cut -d' ' -f1-4)" \
	"$dir/bad.conf:7:12: password: a password"
is 'a literal password is not repeated' "$(printf '%s' "$err" | grep -c hunter2)" 0
run config show --config "$dir/bad.conf"
is 'show of a broken file exits 78' "$code" 78
is 'and shows the rest' "$(printf '%s' "$out" | grep -c 'host = smtp.example.net')" 1
is 'but no literal password' "$(cat "$dir/out" "$dir/err" | grep -c hunter2)" 0

run config check --config "$dir/none.conf"
is 'check of a file that is not there exits 78' "$code" 78
is 'and says why' "$(without_root_warning)" \
	"$dir/none.conf: cannot read this file: No such file or directory"

(cd "$dir" && "$nightmail" config check --config bad.conf 2>err >out)
is 'a relative name is repeated as it was given' "$(sed -n 1p "$dir/err" | cut -d: -f1-3)" \
	'bad.conf:4:1'
NIGHTMAIL_CONFIG=$dir/good.conf "$nightmail" config show >"$dir/out" 2>/dev/null
is 'NIGHTMAIL_CONFIG names the file' "$(grep -c '^queue dir' "$dir/out")" 1

chmod 644 "$dir/pw"
run config check --config "$dir/good.conf"
is 'a password that others may read is a warning' "$code:$(without_root_warning)" \
	"0:warning: password of [relay default]: file:$dir/pw: open to other users (mode 0644): chmod 600 it"
rm "$dir/pw"
run config check --config "$dir/good.conf"
is 'so is one that is missing' "$code:$(without_root_warning)" \
	"0:$dir/good.conf:6:1: warning: password: there is no file $dir/pw"
(umask 077 && : >"$dir/pw")

# A relay whose TLS was chosen by its host, and files and words that only GnuTLS can judge.
printf '[queue]\ndir = spool\n[relay default]\nhost = mx:\nlogin = me\n' >"$dir/mx.conf"
run config check --config "$dir/mx.conf"
is 'a login at everybody is an error' "$code:$(printf '%s\n' "$err" | grep -c 'mx.conf:5:1: .*get no login')" 78:1
printf '[queue]\ndir = spool\n[relay default]\nhost = a.example\n' >"$dir/tls.conf"
printf 'cert = own.pem\npriority-string = NONSENSE\nca = ca.pem\n' >>"$dir/tls.conf"
echo nonsense >"$dir/ca.pem"
run config check --config "$dir/tls.conf"
is 'a certificate of our own that is missing is told' \
	"$(printf '%s\n' "$err" | grep -c 'tls.conf:5:1: warning: cert: there is no file .*own.pem$')" 1
is 'so are priorities that GnuTLS does not know' \
	"$(printf '%s\n' "$err" | grep -c 'tls.conf:6:1: warning: priority-string: .*NONSENSE')" 1
is 'and authorities that are none' \
	"$(printf '%s\n' "$err" | grep -c 'tls.conf:7:1: warning: ca: .*ca.pem')" 1
(umask 077 && echo nonsense >"$dir/own.pem")
run config check --config "$dir/tls.conf"
is 'so is one that is none' \
	"$(printf '%s\n' "$err" | grep -c 'tls.conf:5:1: warning: cert: .*own.pem')" 1
for tls in none opportunistic dane; do
	printf '[queue]\ndir = spool\n[relay default]\nhost = a.example\ntls = %s\n' $tls >"$dir/pin.conf"
	echo 'pin = sha256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' >>"$dir/pin.conf"
	run config check --config "$dir/pin.conf"
	is "a pin that tls = $tls would not look at is an error" \
		"$code:$(printf '%s\n' "$err" | grep -c 'pin.conf:6:1: .*pin')" 78:1
done

printf '[relay office]\nhost = b.example\n' >>"$dir/good.conf"
run config check --config "$dir/good.conf"
is 'a relay that nothing uses is no error' "$code" 0
is 'but a warning' "$(printf '%s' "$err" | grep office | cut -d' ' -f1-4)" \
	"$dir/good.conf:7:2: warning: no route"

# A name may hold what a terminal obeys.
odd=$(printf '%s/\033[31m.conf' "$dir")
run config check --config "$odd"
is 'a file name is shown safely' "$(printf '%s' "$err" | grep -c "$(printf '\033')")" 0

printf '[queue]\ndir = spool\n[relay default]\nhost = srv:example.org\n' >"$dir/srv.conf"
run config check --config "$dir/srv.conf"
is 'servers by SRV are no warning' "$code:$(without_root_warning)" 0:
printf 'login = me\npassword = command:true\n' >>"$dir/srv.conf"
run config check --config "$dir/srv.conf"
is 'a login for whoever SRV records name is one' \
	"$code:$(without_root_warning | cut -d, -f1)" \
	"0:$dir/srv.conf:4:1: warning: host: unless example.org is signed by DNSSEC"
echo 'pin = sha256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' >>"$dir/srv.conf"
run config check --config "$dir/srv.conf"
is 'but not with a pin' "$code:$(without_root_warning)" 0:

printf '[queue]\ndir = spool\nlifetime = 3h\n[relay default]\nhost = a.example\n' >"$dir/late.conf"
run config check --config "$dir/late.conf"
is 'a lifetime below that of the warning is valid' "$code" 0
is 'and warned of, at its place' "$(without_root_warning | sed 's/at the age.*//')" \
	"$dir/late.conf:3:1: warning: mail is returned "
sed 's/^lifetime.*/&\nwarning = 3h/' "$dir/late.conf" >"$dir/late2.conf"
run config check --config "$dir/late2.conf"
is 'so is a warning that comes too late, at its own' "$(without_root_warning | sed 's/at the age.*//')" \
	"$dir/late2.conf:4:1: warning: mail is returned "
sed 's/^lifetime.*/&\nwarning = never/' "$dir/late.conf" >"$dir/late3.conf"
run config check --config "$dir/late3.conf"
is 'but not the wish for none' "$(without_root_warning)" ''

run config keys
is 'keys exits 0' "$code" 0
is 'keys lists a key with its default' "$(printf '%s' "$out" | grep '^  connections')" \
	'  connections      connections at the same time, at most (10)'

run
is 'no command is a usage error' "$code" 64
run nosuch
is 'an unknown command is a usage error' "$code" 64
run wacth
like 'of which the nearest is named' "$err" 'unknown command wacth; did you mean watch\?'
run config
is 'no action is a usage error' "$code" 64
run config nosuch
is 'an unknown action is a usage error' "$code" 64
run config check extra
is 'two actions are a usage error' "$code" 64
run config check --json
is 'an option that an action does not have is a usage error' "$code" 64
run config check --nosuch
is 'an unknown option is a usage error' "$code" 64
run config check --config
is 'an option without its value is a usage error' "$code" 64
run --help
is '--help exits 0' "$code" 0
is '--help fits a screen' "$([ "$(wc -l <"$dir/out")" -le 24 ] && echo yes)" yes
run config --help
is 'config --help exits 0' "$code" 0
is 'its lines fit' "$(awk 'length > 90' "$dir/out")" ''
run --version
is '--version exits 0' "$code:$(printf '%s' "$out" | cut -d' ' -f1-2)" '0:nightmail (nightmail)'

# --- [listen]: what its files hold ---
cat >"$dir/listen.conf" <<'END'
[queue]
dir = spool
[relay default]
host = smtp.example.net
[listen]
tls = cert.pem key.pem
users = users
allow = ::/0
tcp = 127.0.0.1:0
END
echo nonsense | tee "$dir/cert.pem" >"$dir/key.pem"
echo 'printer secret' >"$dir/users"
chmod 600 "$dir/key.pem" "$dir/users"
run config check --config "$dir/listen.conf"
is 'a configuration with a listener has no error' "$code" 0
is 'an open relay is a warning' \
	"$(printf '%s\n' "$err" | grep -c 'listen.conf:8:1: warning: allow: ::/0 makes this an open relay')" 1
is 'so is a network that cannot come' \
	"$(printf '%s\n' "$err" | grep -c 'listen.conf:8:1: warning: allow: tcp listens on the loopback alone')" 1
is 'a certificate that is none is told' \
	"$(printf '%s\n' "$err" | grep -c 'listen.conf:6:1: warning: tls: .*no usable certificate and key')" 1
is 'users that are none are told, without the password' \
	"$(printf '%s\n' "$err" | grep -c 'listen.conf:7:1: warning: users: 1: there is no colon; write login:password$')" 1
chmod 644 "$dir/key.pem" "$dir/users"
run config check --config "$dir/listen.conf"
is 'a key that all may read is told' \
	"$(printf '%s\n' "$err" | grep -c 'listen.conf:6:1: warning: tls: file:.*key.pem: open to other')" 1
is 'so are users' \
	"$(printf '%s\n' "$err" | grep -c 'listen.conf:7:1: warning: users: file:.*users: open to other')" 1

# The sample: as it is nothing can leave; with every key uncommented it is valid.
cp src/etc/nightmail.conf "$dir/sample.conf"
run config check --config "$dir/sample.conf"
is 'the sample as it is has no host and no dir' "$code:$(without_root_warning | wc -l)" 78:2
sed -e 's/^#\([a-z-]* = \)/\1/' -e 's/^#\(\[[a-z]* .*\]\)$/\1/' src/etc/nightmail.conf \
	>"$dir/sample.conf"
run config check --config "$dir/sample.conf"
is 'the sample with every key in force has no error' "$code" 0
# The sample shows a default as it is; its other values are examples.
run config keys
printf '%s' "$out" | awk '/^  / { print $1 }' | sort -u >"$dir/keys"
sed -n 's/^\([a-z-]*\) = .*/\1/p' "$dir/sample.conf" | sort -u >"$dir/sampled"
is 'the sample has every key' "$(diff "$dir/keys" "$dir/sampled")" ''
"$nightmail" config keys | sed -n 's/^  \([a-z-]*\) .*(\([^()]*\))$/\1 = \2/p' >"$dir/defaults"
is 'the sample gives the defaults as they are' \
	"$(grep -vxFf "$dir/sample.conf" "$dir/defaults")" ''

# What the completions offer is what there is.
for shell in bash zsh fish; do
	missing=
	for word in config sink check show keys $("$nightmail" sink --help 2>&1 |
		grep -o -- '--[a-z-]*' | sort -u | sed 's/^--//'); do
		grep -qw -- "$word" "completions/nightmail.$shell" || missing="$missing $word"
	done
	is "the $shell completion knows every command and option" "$missing" ''
done
missing=
for word in $("$nightmail" sink --help 2>&1 | grep -o -- '--[a-z-]*' | sort -u |
	sed 's/^--//'); do
	grep -q -- "Fl -$word" man/nightmail.1 || missing="$missing $word"
done
is 'the manual page knows every option of sink' "$missing" ''
done_testing
