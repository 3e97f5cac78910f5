#!/bin/sh
# nightmail config import: whole files of every peer, what comes out, and that no password does.
cd "$(dirname "$0")/../data/import" || exit 1
build=${NIGHTMAIL_BUILD:-$PWD/../../../build/release}
nightmail=$build/nightmail
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
unset NIGHTMAIL_CONFIG
n=0
bad=0

is() { # NAME GOT WANT
	n=$((n + 1))
	if [ "$2" = "$3" ]; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		printf 'got:\n%s\nwant:\n%s\n' "$2" "$3" | sed 's/^/# /'
		bad=1
	fi
}

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
is 'with files given no others are read' "$(printf '%s\n' "$out" | grep -c '^login')" 0

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

echo "1..$n"
exit $bad
