#!/bin/sh
# make peers: what the end-to-end tests need of Debian, below build/peers and never installed:
#
#     build/peers/root      Postfix, Dovecot, bsd-mailx and msmtp, unpacked: Debian's MTA
#                           packages exclude each other and would take over the machine's mail
#     build/peers/exim      Exim and OpenSMTPD, each by itself for the same reason; their files
#     build/peers/opensmtpd lie over those of root when they run
#     build/peers/shells    zsh and fish, which read their completions
#     build/peers/debian    a small system with another MTA and programs that send mail, for
#                           the test of our packages; only root can make it
#
# Nothing outside of build/peers is written, but for the package lists when they are missing.
# Quiet when done, and offline from then on; what cannot be made lets its tests skip.
set -u
cd "$(dirname "$0")/.." || exit 1

# What our packages depend on, and programs that call sendmail.
libraries=libgnutls30,libgsasl18,libidn2-0,libjansson4,libncursesw6,libpsl5,libunbound8,libcurl3-gnutls,libseccomp2,adduser,procps
callers="cron at bsd-mailx mailutils php8.2-cli sudo logwatch s-nail mutt smartmontools"
dir=$PWD/build/peers

without() {
	echo "peers: $1; $2 will be skipped"
}

# What apt would install, were it asked to: the packages and the libraries missing here.
closure() {
	# shellcheck disable=SC2086
	apt-get -s -o Debug::NoLocking=1 install --no-install-recommends $packages 2>/dev/null |
		sed -n 's/^Inst \([^ ]*\) .*/\1/p'
}

fetch() {
	# shellcheck disable=SC2086,SC2046
	(cd "$new/debs" && apt-get -q download $(printf '%s\n' $packages $(closure) | sort -u)) \
		>"$dir/log" 2>&1
}

# unpack NAME PACKAGE...: into build/peers/NAME, unless these are there already. What was there
# before stays until the new is complete.
unpack() {
	name=$1
	shift
	packages=$*
	[ "$(cat "$dir/$name.ready" 2>/dev/null)" != "$packages" ] || return 0
	new=$dir/$name.new
	rm -rf "$new"
	mkdir -p "$new/debs" || exit 1
	if [ -z "$(closure)" ] || ! fetch; then
		[ "$(id -u)" -ne 0 ] || apt-get -q update >"$dir/log" 2>&1 </dev/null
		fetch || {
			tail -n 5 "$dir/log"
			without "apt cannot be reached" "the tests that need $packages"
			rm -rf "$new"
			return
		}
	fi
	for deb in "$new"/debs/*.deb; do
		dpkg-deb -x "$deb" "$new" || exit 1
	done
	rm -rf "$new/debs" "$dir/log" "${dir:?}/$name" "$dir/$name.ready"
	mv "$new" "$dir/$name"
	echo "$packages" >"$dir/$name.ready"
	echo "peers: $packages unpacked in build/peers/$name"
}

# A package that is a mail server for dpkg's purposes: its sendmail keeps the mail in a file.
other_mta() {
	root=$dir/other-mta
	mkdir -p "$root/DEBIAN" "$root/usr/sbin" "$root/usr/bin" "$root/usr/lib" \
		"$root/usr/share/man/man1" "$root/usr/share/man/man8"
	cat >"$root/DEBIAN/control" <<-'END'
		Package: other-mta
		Version: 1
		Architecture: all
		Maintainer: nobody <nobody@localhost>
		Provides: mail-transport-agent
		Conflicts: mail-transport-agent
		Replaces: mail-transport-agent
		Description: another mail server
	END
	printf '#!/bin/sh\nexec cat >>/var/tmp/other-mta\n' >"$root/usr/sbin/sendmail"
	echo 'echo other' | tee "$root/usr/bin/mailq" >"$root/usr/bin/newaliases"
	chmod 755 "$root/usr/sbin/sendmail" "$root"/usr/bin/*
	ln -s ../sbin/sendmail "$root/usr/lib/sendmail"
	: >"$root/usr/share/man/man1/mailq.1"
	: >"$root/usr/share/man/man8/sendmail.8"
	dpkg-deb --root-owner-group --build "$root" "$new/other-mta.deb" >/dev/null
	rm -rf "$root"
}

# in_debian COMMAND...
in_debian() {
	DEBIAN_FRONTEND=noninteractive LC_ALL=C chroot "$new" "$@" </dev/null >>"$dir/log" 2>&1
}

install_debian() {
	suite=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
	# shellcheck disable=SC2016
	mirror=$(apt-get indextargets --format '$(REPO_URI)' "Codename: $suite" 2>/dev/null |
		head -n 1)
	debootstrap --variant=minbase --include="$libraries" "$suite" "$new" \
		"${mirror:-http://deb.debian.org/debian}" >>"$dir/log" 2>&1 || return 1
	# No daemon of theirs is to run.
	printf '#!/bin/sh\nexit 101\n' >"$new/usr/sbin/policy-rc.d"
	chmod 755 "$new/usr/sbin/policy-rc.d"
	other_mta
	# shellcheck disable=SC2086
	in_debian dpkg -i /other-mta.deb &&
		in_debian apt-get install -y --no-install-recommends $callers || return 1
	rm -rf "$new/usr/sbin/policy-rc.d" "$new"/var/lib/apt/lists/* "$new"/usr/share/locale/* \
		"$new"/usr/share/doc/* "$new"/var/cache/apt/*.bin "$new"/var/cache/apt/archives/*.deb
}

make_debian() {
	skipped="the test of the packages"
	[ "$(id -u)" = 0 ] || {
		without "only root can make a Debian system" "$skipped"
		return
	}
	command -v debootstrap >/dev/null || {
		without "there is no debootstrap" "$skipped"
		return
	}
	new=$dir/debian.new
	rm -rf "$new" "$dir/debian"
	mkdir -p "$new"
	: >"$dir/log"
	install_debian || {
		tail -n 5 "$dir/log"
		without "debootstrap did not succeed" "$skipped"
		rm -rf "$new"
		return
	}
	mv "$new" "$dir/debian"
	echo "$libraries $callers" >"$dir/debian.ready"
	rm -f "$dir/log"
	echo "peers: a Debian with $callers made in build/peers"
}

command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || {
	without "no apt here" "the tests with Debian's programs"
	exit 0
}
unpack root postfix dovecot-core dovecot-gssapi dovecot-lmtpd dovecot-submissiond bsd-mailx msmtp
unpack exim exim4-daemon-light
unpack opensmtpd opensmtpd
unpack shells zsh fish
[ "$(cat "$dir/debian.ready" 2>/dev/null)" = "$libraries $callers" ] || make_debian
