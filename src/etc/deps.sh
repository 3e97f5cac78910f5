#!/bin/sh
# Checks that the named Debian packages are installed, and installs what is missing.
#
#     sh src/etc/deps.sh PACKAGE...
#
# On a terminal it asks first; without one it goes on. Without root it prints the command
# to run and stops. Anything but Debian and its kin is left to the reader.
set -u

if ! command -v dpkg-query >/dev/null; then
	echo "no dpkg here; needed are the equivalents of: $*"
	exit 0
fi

missing=
for package in "$@"; do
	state=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null)
	[ "$state" = "install ok installed" ] || missing="$missing $package"
done
if [ -z "$missing" ]; then
	echo "none missing"
	exit 0
fi
echo "missing packages:$missing"

install="apt-get install -y --no-install-recommends$missing"
if [ "$(id -u)" -ne 0 ]; then
	echo "not root; run this, then try again:"
	echo "    sudo $install"
	exit 1
fi
if [ -t 0 ] && [ -t 1 ]; then
	printf 'install them now? [Y/n] '
	read -r answer
	case $answer in
	'' | [yY]*) ;;
	*)
		echo "not installed; to do it yourself: $install"
		exit 1
		;;
	esac
fi

export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if $install >"$log" 2>&1 </dev/null || { apt-get update && $install; } >"$log" 2>&1 </dev/null; then
	echo "installed:$missing"
else
	cat "$log"
	echo "could not install:$missing"
	exit 1
fi
