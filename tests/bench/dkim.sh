#!/bin/bash
# Part of make bench: signing and verifying with DKIM. First beside the hashing and the use of the
# key alone, which is the floor for everybody (CPU time, in one process); then beside dkimpy and
# opendkim-testmsg, in processes of their own, as a person or a script calls them.
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

echo 'DKIM, microseconds of CPU a message:'
printf '  %-8s %10s  %9s %9s %6s   %9s %9s %6s\n' key octets sign floor ratio verify floor ratio
for kind in rsa ed25519; do
	for size in 2000:2000 100000:300 10000000:5; do
		"$build/tools/dkim_speed" $kind "$dir/$kind.pem" ${size%:*} ${size#*:} |
			awk -v kind=$kind -v size=${size%:*} '{
				printf "  %-8s %10d  %9.1f %9.1f %6.2f   %9.1f %9.1f %6.2f\n", \
					kind, size, $1, $2, $1 / $2, $3, $4, $3 / $4 }'
	done
done

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
	ms=$(((end - begin) / rounds / 1000))
	[ -n "${own:-}" ] || own=$ms
	printf '  %-28s %8d us  %6s\n' "$name" $ms "$(awk "BEGIN { printf \"%.2f\", $ms / $own }")"
}

echo 'DKIM, one process that signs 100 kB with RSA of 2048 bits (wall time, ratio):'
each 'nightmail dkim sign' "$build/nightmail" dkim sign --domain example.org --selector s \
	--key "$dir/rsa.pem" --canon relaxed/relaxed
each 'opendkim-testmsg' opendkim-testmsg -d example.org -s s -k "$dir/rsa.pem"
each 'dkimpy' /usr/bin/python3 -c '
import dkim, sys
m = sys.stdin.buffer.read()
print(dkim.sign(m, b"s", b"example.org", open(sys.argv[1], "rb").read(),
                canonicalize=(b"relaxed", b"relaxed")))' "$dir/rsa.pem"
