#!/bin/sh
# TLS against certificates made by certtool: the decision and the words for each case.
set -u
build=${NIGHTMAIL_BUILD:?}
probe=$build/tools/tlsprobe
dir=$(mktemp -d) || exit 99
pids=
trap 'for p in $pids; do kill "$p" 2>/dev/null; done; rm -rf "$dir"' EXIT
cd "$dir" || exit 99
n=0

ok() { # ok STATUS NAME [DETAIL]
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else
		echo "not ok $n - $2"
		echo "# ${3-}"
	fi
}
skip() {
	n=$((n + 1))
	echo "ok $n - $1 # SKIP $2"
}
bail() {
	echo "Bail out! $*"
	exit 99
}

day() { date -u -d "$1" +%Y-%m-%d; }

# cert NAME SIGNER|self KEYTYPE TEMPLATE-LINES...: NAME.pem, NAME.key
cert() {
	name=$1 signer=$2 type=$3
	shift 3
	{
		printf '%s\n' 'organization = "Test Org"' "$@"
		case "$*" in *expiration_date*) ;; *) echo 'expiration_days = 30' ;; esac
	} >"$name.cfg"
	case $type in
	ec) key="--key-type=ecdsa --curve=secp256r1" ;;
	rsa1024) key="--key-type=rsa --bits=1024" ;;
	esac
	certtool --generate-privkey $key --outfile "$name.key" >"$name.log" 2>&1 || bail "$(cat "$name.log")"
	if [ "$signer" = self ]; then
		certtool --generate-self-signed --load-privkey "$name.key" --template "$name.cfg" \
			--outfile "$name.pem" >"$name.log" 2>&1 || bail "$(cat "$name.log")"
	else
		certtool --generate-certificate --load-privkey "$name.key" --template "$name.cfg" \
			--load-ca-certificate "$signer.pem" --load-ca-privkey "$signer.key" \
			${hash:+--hash=$hash} --outfile "$name.pem" >"$name.log" 2>&1 ||
			bail "$(cat "$name.log")"
	fi
}
hash=
leaf='signing_key
tls_www_server
dns_name = "mail.test"'
ca='ca
cert_signing_key'

cert root self ec 'cn = "Test Root"' "$ca"
cert middle root ec 'cn = "Test Middle"' "$ca"
cert strange self ec 'cn = "Strange Root"' "$ca"
cert weakca root rsa1024 'cn = "Weak CA"' "$ca"
cert good root ec 'cn = "mail.test"' "$leaf"
cert deep middle ec 'cn = "mail.test"' "$leaf"
cert expired root ec 'cn = "mail.test"' "$leaf" 'activation_date = "2020-01-01 00:00:00"' \
	'expiration_date = "2021-02-03 04:05:06 UTC"'
cert notyet root ec 'cn = "mail.test"' "$leaf" \
	"activation_date = \"$(day '+40 days') 12:00:00\"" \
	"expiration_date = \"$(day '+80 days') 12:00:00\""
cert other root ec 'cn = "other.test"' 'signing_key' 'tls_www_server' 'dns_name = "a.test"' \
	'dns_name = "b.test"' 'dns_name = "c.test"' 'dns_name = "d.test"' 'ip_address = "192.0.2.1"'
cert nameless root ec 'cn = "only.common.name"' 'signing_key' 'tls_www_server'
cert alone self ec 'cn = "mail.test"' "$leaf"
cert unknown strange ec 'cn = "mail.test"' "$leaf"
cert weak root rsa1024 'cn = "mail.test"' "$leaf"
cert weakissuer weakca ec 'cn = "mail.test"' "$leaf"
cert purpose root ec 'cn = "mail.test"' 'signing_key' 'tls_www_client' 'dns_name = "mail.test"'
hash=SHA1
cert sha1 root ec 'cn = "mail.test"' "$leaf"
hash=
# certtool drops control bytes from names; openssl takes them.
{
	openssl ecparam -name prime256v1 -genkey -noout -out evil.key &&
		openssl req -new -key evil.key -subj "/CN=x$(printf '\033')[31my" -out evil.csr &&
		openssl x509 -req -in evil.csr -CA root.pem -CAkey root.key -set_serial 99 \
			-days 30 -out evil.pem
} >evil.log 2>&1 || bail "$(cat evil.log)"
# The organisation of the signer is what tells a missing intermediate from a private CA.
sed 's/Test Org/Other Org/' unknown.cfg >foreign.cfg
sed 's/Test Org/Other Org/' strange.cfg >strange2.cfg
certtool --generate-self-signed --load-privkey strange.key --template strange2.cfg \
	--outfile strange2.pem >/dev/null 2>&1
certtool --generate-certificate --load-privkey unknown.key --template foreign.cfg \
	--load-ca-certificate strange2.pem --load-ca-privkey strange.key \
	--outfile foreign.pem >/dev/null 2>&1
cp unknown.key foreign.key
cat deep.pem middle.pem >chain.pem
cp deep.key chain.key
cat unknown.pem strange.pem >withroot.pem
cp unknown.key withroot.key
cat weakissuer.pem weakca.pem >weakchain.pem
cp weakissuer.key weakchain.key

# wait_line FILE PATTERN: until a line is there, at most 10 s
wait_line() {
	i=0
	until grep -q "$2" "$1" 2>/dev/null; do
		i=$((i + 1))
		[ $i -gt 200 ] && bail "no '$2' in $1: $(cat "$1")"
		sleep 0.05
	done
}

# serve NAME: $at is where the server with that certificate listens
serve() {
	rm -f "$1.out"
	"$build/nightmail" sink --implicit-tls --cert "$1.pem" --key "$1.key" >"$1.out" 2>&1 &
	server=$!
	pids="$pids $server"
	wait_line "$1.out" '^listening'
	at=$(sed -n 's/^listening //p' "$1.out")
}
unserve() {
	kill "$server" 2>/dev/null
	wait "$server" 2>/dev/null
}

# check NAME HOST CA SENTENCE WANT: what the probe says against the server of NAME
check() {
	serve "$1"
	got=$($probe "$at" "$2" "$3")
	[ "$got" = "$5" ]
	ok $? "$4" "got:  $got
# want: $5"
	unserve
}
refused='failed (denied): certificate of mail.test'

check good mail.test root.pem 'a good certificate is taken' 'verified TLS1.3'
check chain mail.test root.pem 'so is one with its intermediate' 'verified TLS1.3'
check expired mail.test root.pem 'an expired one is refused with its date' \
	"$refused expired on 2021-02-03"
check notyet mail.test root.pem 'one of the future is refused with its date' \
	"$refused is not valid before $(day '+40 days')"
check other mail.test root.pem 'one for other names is refused, and they are told' \
	"$refused is for a.test, b.test, c.test and 2 more, not for mail.test"
check nameless mail.test root.pem 'without alternative names the common name is told' \
	"$refused is for CN=only.common.name, not for mail.test"
check alone mail.test root.pem 'a self-signed one is refused' "$refused is self-signed"
check alone mail.test alone.pem 'unless it is the trusted one itself' 'verified TLS1.3'
check unknown mail.test root.pem 'an issuer of a trusted organisation that was not sent' \
	"$refused seems to lack an intermediate certificate in its chain (CN=Strange Root), which the server must send"
check deep mail.test root.pem 'a missing intermediate is told by name' \
	"$refused seems to lack an intermediate certificate in its chain (CN=Test Middle), which the server must send"
check foreign mail.test root.pem 'an unknown issuer is told by name' \
	"$refused is signed by an unknown issuer (CN=Strange Root), which the server does not send either"
check withroot mail.test root.pem 'an unknown issuer that was sent is told by name' \
	"$refused is signed by an unknown issuer (CN=Strange Root)"
check weak mail.test root.pem 'a weak key is refused with its size' \
	"$refused has a weak key (RSA with 1024 bits)"
check weakchain mail.test root.pem 'so is a weak key of the issuer' \
	"$refused has an issuer (CN=Weak CA) that has a weak key (RSA with 1024 bits)"
check sha1 mail.test root.pem 'a weak signature is refused by name' \
	"$refused has a weak signature (ECDSA-SHA1)"
check purpose mail.test root.pem 'one for clients is refused' "$refused is not meant for servers"
check expired wrong.test strange2.pem 'all reasons are told' \
	'failed (denied): certificate of wrong.test expired on 2021-02-03, is for mail.test, not for wrong.test, is signed by an unknown issuer (CN=Test Root), which the server does not send either'
serve evil
got=$($probe "$at" mail.test root.pem)
case $got in *"$(printf '\033')"*) false ;; *'x\x1B[31my'* | *'x\x1b[31my'*) true ;; *) false ;; esac
ok $? 'control bytes of a certificate are made visible' "$got"
unserve

serve alone
got=$($probe "$at" mail.test root.pem opportunistic)
[ "$got" = 'unverified TLS1.3: is self-signed' ]
ok $? 'opportunistic TLS goes on, and notes why it is not verified' "$got"
got=$($probe "$at" mail.test system)
[ "$got" = "$refused is self-signed" ]
ok $? 'the bundle of the system is used when no file is named' "$got"
unserve

: >empty.pem
got=$($probe 127.0.0.1:1 mail.test empty.pem)
[ "$got" = 'failed (syntax): empty.pem: no certificate in it (PEM form, -----BEGIN CERTIFICATE-----, is needed)' ]
ok $? 'an empty CA file trusts nobody' "$got"
if unshare -rm sh -c 'mount -t tmpfs none /etc/ssl/certs' 2>/dev/null; then
	got=$(unshare -rm sh -c 'mount -t tmpfs none /etc/ssl/certs && "$@"' - \
		"$probe" 127.0.0.1:1 mail.test system)
	[ "$got" = 'failed (missing): this system has no CA certificates: install the package ca-certificates, or name a file with ca =' ]
	ok $? 'without ca-certificates nothing is trusted, and the cure is told' "$got"
else
	skip 'without ca-certificates nothing is trusted' 'this needs a mount namespace'
fi

# TLS 1.0 and 1.1 only: OpenSSL still speaks them when asked firmly.
for v in tls1 tls1_1; do
	openssl s_server -accept 127.0.0.1:0 -www -$v -cipher 'ALL:@SECLEVEL=0' \
		-cert good.pem -key good.key >$v.out 2>&1 &
	server=$!
	pids="$pids $server"
	wait_line $v.out '^ACCEPT'
	at=$(sed -n 's/^ACCEPT //p' $v.out)
	got=$($probe "$at" mail.test root.pem)
	[ "$got" = 'failed (remote): the server offers no TLS version that is still safe (1.2 or newer is needed)' ]
	ok $? "a server with $v only is refused" "$got"
	unserve
done
openssl s_server -accept 127.0.0.1:0 -www -tls1_2 -cert good.pem -key good.key >t12.out 2>&1 &
server=$!
pids="$pids $server"
wait_line t12.out '^ACCEPT'
got=$($probe "$(sed -n 's/^ACCEPT //p' t12.out)" mail.test root.pem)
[ "$got" = 'verified TLS1.2' ]
ok $? 'TLS 1.2 is good enough' "$got"
unserve

"$build/nightmail" sink >plain.out 2>&1 &
server=$!
pids="$pids $server"
wait_line plain.out '^listening'
got=$($probe "$(sed -n 's/^listening //p' plain.out)" mail.test root.pem)
[ "$got" = 'failed (remote): the server does not speak TLS here (wrong port, or plain text until STARTTLS)' ]
ok $? 'a plain-text port is told from a TLS one' "$got"
unserve
echo "1..$n"
