#!/bin/sh
# make peers: Debian's Postfix, Dovecot and bsd-mailx for the end-to-end tests, unpacked
# under build/peers and never installed: Debian's MTA packages exclude each other and would
# take over the machine's mail. Nothing outside of build/peers is written, but for the
# package lists when they are missing. Quiet when done; without apt the tests skip.
set -u
cd "$(dirname "$0")/.." || exit 1

peers="postfix dovecot-core bsd-mailx"
dir=$PWD/build/peers
[ -e "$dir/ready" ] && exit 0

without() {
	echo "peers: $*; the tests that need $peers will be skipped"
	exit 0
}

# What apt would install, were it asked to: the peers and the libraries missing here.
closure() {
	apt-get -s -o Debug::NoLocking=1 install --no-install-recommends $peers 2>/dev/null |
		sed -n 's/^Inst \([^ ]*\) .*/\1/p'
}

fetch() {
	# shellcheck disable=SC2086,SC2046
	(cd "$dir/debs" && apt-get -q download $(printf '%s\n' $peers $(closure) | sort -u)) \
		>"$dir/log" 2>&1
}

command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || without "no apt here"
rm -rf "$dir"
mkdir -p "$dir/debs" "$dir/root" || exit 1
if [ -z "$(closure)" ] || ! fetch; then
	[ "$(id -u)" -ne 0 ] || apt-get -q update >"$dir/log" 2>&1 </dev/null
	fetch || { tail -n 5 "$dir/log"; without "apt cannot be reached"; }
fi

for deb in "$dir"/debs/*.deb; do
	dpkg-deb -x "$deb" "$dir/root" || exit 1
done
rm -rf "$dir/debs" "$dir/log"
touch "$dir/ready"
echo "peers: $peers unpacked in build/peers"
