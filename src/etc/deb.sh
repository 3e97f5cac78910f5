#!/bin/sh
# make deb: from an installed tree to Debian packages, by dpkg's own tools and without debhelper.
#
#     sh src/etc/deb.sh DIR VERSION
#
# DIR/tree is what "make install" left. Each package takes its files from there by the lists
# below; what no list names is a tool and goes into nightmail-tools. The same source gives the
# same bytes: times are those of SOURCE_DATE_EPOCH, else of the last commit.
set -eu
umask 022
cd "$(dirname "$0")/../.."

dir=$1 version=$2
debian=$PWD/src/etc/debian
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
tree=$dir/tree work=$dir/work

command -v dpkg-shlibdeps >/dev/null || {
	echo "make deb needs dpkg-shlibdeps: apt-get install dpkg-dev" >&2
	exit 1
}
if [ -z "${SOURCE_DATE_EPOCH:-}" ]; then
	SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null || stat -c %Y "$debian/changelog")
fi
export SOURCE_DATE_EPOCH

# take PACKAGE PATH...: moves files of the tree, by patterns, into the package.
take() {
	package=$1
	shift
	for pattern in "$@"; do
		for file in "$tree"/$pattern; do
			[ -e "$file" ] || [ -L "$file" ] || {
				echo "deb.sh: $pattern: nothing of this name is installed" >&2
				exit 1
			}
			to=$work/$package/${file#"$tree"/}
			mkdir -p "${to%/*}"
			mv "$file" "$to"
		done
	done
}

# rename OLD NEW: in the tree.
rename() {
	mkdir -p "$tree/$(dirname "$2")"
	mv "$tree/$1" "$tree/$2"
}

# link TARGET PATH: a link in the tree.
link() {
	mkdir -p "$tree/$(dirname "$2")"
	ln -s "$1" "$tree/$2"
}

prepare() {
	find "$tree" -type f -perm /111 -exec strip --strip-unneeded \
		--remove-section=.comment --remove-section=.note {} +
	# Packages have no owner of ours: postinst gives the helper its group.
	chmod 755 "$tree/usr/libexec/nightmail/nightmail-drop"
	sed -i '/^z /d' "$tree/usr/lib/tmpfiles.d/nightmail.conf"
	rename usr/share/doc/nightmail/nightmail.conf \
		usr/share/doc/nightmail/examples/nightmail.conf
	rename usr/share/doc/nightmail/nightmail.apparmor \
		usr/share/doc/nightmail/examples/nightmail.apparmor
	# Other MTAs have pages of these names.
	rename usr/share/man/man1/mailq.1 usr/share/man/man1/nightmail-mailq.1
	rename usr/share/man/man8/sendmail.8 usr/share/man/man8/nightmail-sendmail.8
	find "$tree/usr/share/man" -type f -exec gzip -9n {} +
	rm "$tree/usr/share/man/man1/send.1"
	link nightmail-send.1.gz usr/share/man/man1/send.1.gz
	for name in man1/mailq.1 man8/sendmail.8; do
		link "nightmail-${name#*/}.gz" "usr/share/man/$name.gz"
	done
	link ../man8/nightmail-sendmail.8.gz usr/share/man/man1/newaliases.1.gz
	link ../libexec/nightmail/sendmail usr/sbin/sendmail
	link ../libexec/nightmail/mailq usr/bin/mailq
	for name in lib/sendmail sbin/send-mail sbin/runq bin/newaliases; do
		link ../sbin/sendmail "usr/$name"
	done
	rm "$tree/usr/sbin/send-mail" "$tree/usr/sbin/runq"
	link sendmail usr/sbin/send-mail
	link sendmail usr/sbin/runq
}

share_out() {
	take nightmail-mta usr/sbin/sendmail usr/sbin/send-mail usr/sbin/runq usr/lib/sendmail \
		usr/bin/mailq usr/bin/newaliases usr/share/man/man1/mailq.1.gz \
		usr/share/man/man1/newaliases.1.gz usr/share/man/man8/sendmail.8.gz \
		usr/share/bash-completion/completions/sendmail \
		usr/share/bash-completion/completions/mailq \
		usr/share/zsh/vendor-completions/_sendmail \
		usr/share/zsh/vendor-completions/_mailq \
		usr/share/fish/vendor_completions.d/sendmail.fish \
		usr/share/fish/vendor_completions.d/mailq.fish
	take nightmail-secret usr/libexec/nightmail/nightmail-secret \
		usr/share/man/man8/nightmail-secret.8.gz
	# What tools need too: the login of a relay, MTA-STS policies of dns-check and smtp-probe.
	take nightmail-tools usr/libexec/nightmail/nightmail-fetch \
		usr/share/man/man8/nightmail-fetch.8.gz
	take nightmail etc/nightmail usr/bin/send usr/sbin usr/libexec usr/lib \
		usr/share/doc/nightmail 'usr/share/man/man1/*send.1.gz' \
		usr/share/man/man1/nightmail-mailq.1.gz usr/share/man/man5/nightmail-queue.5.gz \
		'usr/share/man/man8/*' 'usr/share/bash-completion/completions/send' \
		usr/share/bash-completion/completions/nightmaild \
		usr/share/zsh/vendor-completions/_send \
		usr/share/zsh/vendor-completions/_nightmaild \
		usr/share/fish/vendor_completions.d/send.fish \
		usr/share/fish/vendor_completions.d/nightmaild.fish
	find "$tree" -type d -empty -delete
	cp -a "$tree"/. "$work/nightmail-tools"
	rm -r "$tree"
}

metadata() {
	mkdir -p "$work/debian"
	cp "$debian/control" "$work/debian/control"
	sed -e "s/@VERSION@/$version/" -e "s/@DATE@/$(date -Rud "@$SOURCE_DATE_EPOCH")/" \
		"$debian/changelog" >"$work/debian/changelog"
}

# static_sources: the sources of what is linked into programs without shared libraries.
static_sources() {
	dpkg-query -W -f '${source:Package} (= ${source:Version})' libc6-dev
}

# programs PACKAGE: those that need shared libraries.
programs() {
	find "$work/$1/usr" -type f -perm /111 | LC_ALL=C sort | while read -r file; do
		! readelf -lW "$file" | grep -q INTERP || echo "$file"
	done
}

# build PACKAGE
build() {
	root=$work/$1
	doc=$root/usr/share/doc/$1
	mkdir -p "$root/DEBIAN" "$doc"
	cp "$debian/copyright" "$doc/copyright"
	gzip -9nc "$work/debian/changelog" >"$doc/changelog.Debian.gz"
	for script in postinst prerm postrm; do
		[ ! -f "$debian/$1.$script" ] ||
			install -m 755 "$debian/$1.$script" "$root/DEBIAN/$script"
	done
	(cd "$root" && find . -type f ! -path './DEBIAN/*' -printf '%P\0' | LC_ALL=C sort -z |
		xargs -0r md5sum >DEBIAN/md5sums)
	chmod 644 "$root/DEBIAN/md5sums"
	(
		cd "$work"
		: >substvars
		[ "$1" != nightmail ] || echo "static:Built-Using=$(static_sources)" >substvars
		elf=$(programs "$1")
		# shellcheck disable=SC2086
		[ -z "$elf" ] || dpkg-shlibdeps -Tsubstvars $elf
		dpkg-gencontrol -Tsubstvars -ffiles -p"$1" -P"$root"
		dpkg-deb --root-owner-group --build "$root" "$dir" >/dev/null
	)
}

rm -rf "$work"
rm -f "$dir"/*_"$version"_*.deb
mkdir -p "$work"
prepare
share_out
cp "$debian/README.Debian" "$work/nightmail/usr/share/doc/nightmail/README.Debian"
metadata
for package in nightmail-tools nightmail nightmail-secret nightmail-mta; do
	build "$package"
done
rm -rf "$work"
ls "$dir"/*_"$version"_*.deb
