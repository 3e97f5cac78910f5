#!/bin/bash
# Part of make bench: signing and verifying with DKIM. First beside the hashing and the use of the
# key alone, which is the floor for everybody (CPU time, in one process); then beside dkimpy and
# opendkim-testmsg, in processes of their own, as a person or a script calls them. The last lines hold
# what came out against the targets. (opendkim-testmsg verifies by the system's resolver only.)
#
#     tests/bench/dkim.sh BUILD_DIR
set -u
build=$1
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
for kind in rsa ed25519; do
	"$build/nightmail" dkim keygen --domain example.org --selector s --key "$dir/$kind.pem" \
		--algorithm $kind >"$dir/$kind.zone" || exit 1
done

# verdict WORDS RESULT TARGET min|max, printed at the end
verdict() {
	awk -v w="$1" -v r="$2" -v t="$3" -v kind="$4" 'BEGIN {
		ok = kind == "max" ? r <= t : r >= t
		printf "%-62s target %s %-5s result %-7.3g %s\n", w, kind == "max" ? "<=" : ">=", t, r,
			ok ? "PASS" : "MISS" }' >>"$dir/verdicts"
}

echo 'DKIM, microseconds of CPU a message:'
printf '  %-8s %10s  %9s %9s %6s   %9s %9s %6s\n' key octets sign floor ratio verify floor ratio
for kind in rsa ed25519; do
	for size in 2000:2000 100000:300 10000000:5; do
		"$build/tools/dkim_speed" $kind "$dir/$kind.pem" ${size%:*} ${size#*:} |
			awk -v kind=$kind -v size=${size%:*} '{
				printf "  %-8s %10d  %9.1f %9.1f %6.2f   %9.1f %9.1f %6.2f\n", \
					kind, size, $1, $2, $1 / $2, $3, $4, $3 / $4 }' |
			tee -a "$dir/floor"
	done
done
# ratio KIND OCTETS COLUMN
ratio() {
	awk -v kind="$1" -v size="$2" -v n="$3" '$1 == kind && $2 == size { print $n }' "$dir/floor"
}
verdict 'signing 2 kB with RSA, over hash and key alone' "$(ratio rsa 2000 5)" 1.2 max
verdict 'signing 100 kB with RSA, over hash and key alone' "$(ratio rsa 100000 5)" 1.5 max
verdict 'signing 100 kB with Ed25519, over hash and key alone' "$(ratio ed25519 100000 5)" 3 max
verdict 'verifying 2 kB with RSA, over hash and key alone' "$(ratio rsa 2000 8)" 2.5 max
verdict 'verifying 100 kB with RSA, over hash and key alone' "$(ratio rsa 100000 8)" 3.5 max
verdict 'verifying 10 MB with RSA, over hash and key alone' "$(ratio rsa 10000000 8)" 3 max

{
	printf 'From: alice@example.org\nTo: bob@example.net\nSubject: x\n'
	printf 'Date: Tue, 1 Jul 2025 10:00:00 +0000\nMessage-ID: <1@example.org>\n\n'
	for i in $(seq 1500); do echo "line $i of a body, with words as long as words of a mail are"; done
} >"$dir/message"
rounds=20

# each NAME COMMAND...: milliseconds of wall time for one call
each() {
	local name=$1 begin end i
	shift
	"$@" <"$dir/message" >/dev/null 2>&1 || { printf '  %-28s not there\n' "$name"; return; }
	begin=$(date +%s%N)
	for i in $(seq $rounds); do "$@" <"$dir/message" >/dev/null 2>&1; done
	end=$(date +%s%N)
	us=$(((end - begin) / rounds / 1000))
	[ -n "${own:-}" ] || own=$us
	printf '  %-28s %8d us  %6s\n' "$name" $us "$(awk "BEGIN { printf \"%.2f\", $us / $own }")"
	[ $us = $own ] || verdict "$name beside nightmail, time for one" \
		"$(awk "BEGIN { print $us / $own }")" 1 min
}

echo 'DKIM, one process that signs 100 kB with RSA of 2048 bits (wall time, ratio):'
each 'nightmail dkim sign' "$build/nightmail" dkim sign --domain example.org --selector s \
	--key "$dir/rsa.pem" --canon relaxed/relaxed
each 'opendkim-testmsg sign' opendkim-testmsg -d example.org -s s -k "$dir/rsa.pem"
each 'dkimpy sign' /usr/bin/python3 -c '
import dkim, sys
m = sys.stdin.buffer.read()
print(dkim.sign(m, b"s", b"example.org", open(sys.argv[1], "rb").read(),
                canonicalize=(b"relaxed", b"relaxed")))' "$dir/rsa.pem"

# Verifying: the key by a name server on the loopback, for dkimpy from a string.
key=$(sed -n 's/^[^"]*"//; s/" *"//g; s/"[^"]*$//p' "$dir/rsa.zone" | tr -d '\n')
printf 's._domainkey.example.org %s\n' "$key" >"$dir/names"
port=$(python3 -c 'import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])')
python3 "$(dirname "$0")/../cli/dkim_dns.py" "$port" "$dir/names" >/dev/null &
server=$!
trap 'kill $server; rm -rf "$dir"' EXIT
"$build/nightmail" dkim sign --domain example.org --selector s --key "$dir/rsa.pem" \
	--canon relaxed/relaxed <"$dir/message" >"$dir/signed" && mv "$dir/signed" "$dir/message"
verify=("$build/nightmail" dkim verify --resolver "127.0.0.1@$port")
for i in $(seq 50); do "${verify[@]}" <"$dir/message" >/dev/null 2>&1 && break || sleep 0.1; done
own=
echo 'DKIM, one process that verifies it (wall time, ratio):'
each 'nightmail dkim verify' "${verify[@]}"
each 'dkimpy verify' /usr/bin/python3 -c '
import dkim, sys
m = sys.stdin.buffer.read()
sys.exit(not dkim.verify(m, dnsfunc=lambda name, timeout=5: sys.argv[1].encode()))' "$key"
cat "$dir/verdicts"
