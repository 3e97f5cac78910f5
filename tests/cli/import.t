#!/bin/sh
# nightmail config import: whole files of every peer, what comes out, and that no password does.
cd "$(dirname "$0")/../.." || exit 1
. tests/cli/tap.sh
build=$bin
cd tests/data/import || exit 1
nightmail=$build/nightmail
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
unset NIGHTMAIL_CONFIG

run() { # ARGUMENT...: leaves $out, $err and $code
	"$nightmail" config import "$@" >"$dir/out" 2>"$dir/err"
	code=$?
	out=$(cat "$dir/out")
	err=$(cat "$dir/err")
}

# Each folder is a machine: the peer's files, and what is to come out as want.conf, want.words
# and want.secret.
for machine in */; do
	machine=${machine%/}
	run "${machine%%-*}" "$machine" --password-file "$dir/pw"
	if [ ! -f "$machine/want.secret" ]; then
		is "$machine: without a password there is none to write" "$code" 65
		run "${machine%%-*}" "$machine"
	else
		is "$machine: the password goes into its file" "$(cat "$dir/pw")" \
			"$(cat "$machine/want.secret")"
		is "$machine: which only its owner reads" "$(stat -c %a "$dir/pw")" 600
		is "$machine: and nowhere else" \
			"$(grep -cF -f "$machine/want.secret" "$dir/out" "$dir/err")" \
			"$dir/out:0
$dir/err:0"
	fi
	is "$machine: the configuration" "$(sed "s|$dir|DIR|" "$dir/out")" \
		"$(cat "$machine/want.conf")"
	is "$machine: what is told" "$err" "$(cat "$machine/want.words")"
	rm -f "$dir/pw"
	[ -s "$machine/want.conf" ] || continue
	{
		cat "$dir/out"
		grep -q '^\[queue\]' "$dir/out" || echo '[queue]'
		echo "dir = $dir/spool"
	} >"$dir/whole.conf"
	"$nightmail" config check --config "$dir/whole.conf" >"$dir/check" 2>&1
	is "$machine: the configuration is valid" "$?" 0
done

run msmtp - <msmtp-provider/msmtprc
is 'a file can come from standard input' "$(printf '%s\n' "$out" | grep '^host')" \
	'host = smtp.mailbox.example'
is 'and the words call it so' "$(printf '%s\n' "$err" | grep -c '^stdin:17: ')" 1
is 'without --password-file the words say where the password stands' \
	"$(printf '%s\n' "$err" | grep -o '^the password stands in stdin:14')" \
	'the password stands in stdin:14'

run dma dma-debian/auth.conf dma-debian/dma.conf
is 'files are known by their names, in any order' \
	"$(printf '%s\n' "$out" | grep '^login')" 'login = john'
run postfix postfix-debian/main.cf
is 'main.cf alone: the password file that it names is read, from beside it' \
	"$code $(printf '%s\n' "$out" | grep '^login')" "0 login = $(sed -n 's/^login = //p' postfix-debian/want.conf)"

# Where Postfix's password map is, and what becomes of the login.
mkdir -p "$dir/postfix/sub" "$dir/elsewhere"
map() { # MAPS [ARGUMENT...]: leaves "CODE LOGIN TLS" in $got
	printf 'relayhost = [h.example]:587\nsmtp_sasl_auth_enable = yes\n%s\n' \
		"${1:+smtp_sasl_password_maps = $1}" >"$dir/postfix/main.cf"
	shift
	run postfix "$dir/postfix" "$@"
	got="$code $(sed -n 's/^login = //p' "$dir/out") $(sed -n 's/^tls = //p' "$dir/out")"
	lost=$(printf '%s\n' "$err" | sed -n "s|^$dir/postfix/main.cf:3: not carried over: the login: ||p")
}
for file in postfix/relay_pw postfix/sub/pw elsewhere/pw; do
	echo "[h.example]:587 $(echo "$file" | tr / -):secret" >"$dir/$file"
done
map hash:/etc/postfix/relay_pw
is 'a password file of another name' "$got" '0 postfix-relay_pw '
map /etc/postfix/relay_pw
is 'a map without a type' "$got" '0 postfix-relay_pw '
map 'proxy:lmdb:${config_directory}/sub/pw'
is 'a password file in a folder of its own' "$got" '0 postfix-sub-pw '
map "texthash:$dir/elsewhere/pw"
is 'a password file elsewhere' "$got" '0 elsewhere-pw '
map hash:/etc/postfix/none_such
is 'one that is not there' "$got" '65  '
is 'is told, with the line' "$lost" '/etc/postfix/none_such: No such file or directory'
run postfix - <"$dir/postfix/main.cf"
is 'from standard input as well' "$code $(sed -n 1p "$dir/err")" \
	"65 stdin:3: not carried over: the login: /etc/postfix/none_such: No such file or directory"
map "ldap:/etc/postfix/ldap.cf"
is 'a map that is no file' "$got/$lost" '65  /the password map is of a kind that is not read here'
map "hash:/etc/postfix/relay_pw, hash:/etc/postfix/b"
is 'several maps' "$got/$lost" '65  /there are several password maps'
map 'hash:$x/pw'
is 'a name that is not understood' "$got/$lost" '65  /the name of its file is not understood'
map ''
is 'no map is no login' "$got" '0  none'
echo '[other.example]:587 u:secret' >"$dir/postfix/relay_pw"
map hash:/etc/postfix/relay_pw
is 'a file without this server is told' "$got $(grep -c 'relay_pw: no login for \[h.example\]:587 stands here' "$dir/err")" \
	'0  none 1'

mkdir "$dir/msmtp"
printf 'host a.example\nauth on\nuser u\npassword \033[31mred\nfrom \033]0;x\007\n' >"$dir/msmtp/msmtprc"
run msmtp "$dir/msmtp"
is 'control characters reach neither output' \
	"$(cat "$dir/out" "$dir/err" | tr -d '\n' | LC_ALL=C tr -d ' -~' | wc -c)" 0
printf 'host a.example\naccount default\nhost b.example c\n' >"$dir/msmtp/msmtprc"
run msmtp "$dir/msmtp"
is 'a host that is none gives no configuration' "$code:$out" 65:
printf 'h.example smtp --user=u --pass=two words --starttls\n' >"$dir/remotes"
run nullmailer "$dir/remotes"
is 'a password that lacks its quotes is not shown' "$(cat "$dir/out" "$dir/err" | grep -c words)" 0

run msmtp "$dir/nothing"
is 'a file that is missing is told' "$code" 66
is 'by its name' "$err" "nightmail config import: $dir/nothing: No such file or directory"
run sendmail
is 'an unknown peer is told' "$code" 64
is 'with those that are known' "$(printf '%s\n' "$err" | sed -n 1p)" \
	'nightmail config import: unknown relay sendmail; there are msmtp nullmailer dma ssmtp esmtp exim4 postfix'
run
is 'no peer at all is told' "$code" 64
run msmtp --nonsense
is 'an unknown option is told' "$code" 64
run --help
is 'help is printed' "$code" 0
done_testing
