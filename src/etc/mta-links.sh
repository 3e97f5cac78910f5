#!/bin/sh
# Makes nightmail what every program finds as sendmail, or takes that back.
#
#     DESTDIR=... sh src/etc/mta-links.sh install|uninstall PREFIX SBINDIR BINDIR
#
# Links below PREFIX (/usr) lead to the programs in SBINDIR and BINDIR. What stood there is
# kept beside as NAME.before-nightmail and comes back with uninstall. A name is replaced by a
# rename, so that at no moment there is no sendmail.
set -eu

action=$1 prefix=$2 sbin=$3 bin=$4
root=${DESTDIR:-}

# put TARGET LINK
put() {
	link=$root$2
	saved=$link.before-nightmail
	if [ -L "$link" ] && [ "$(readlink "$link")" = "$1" ]; then
		return
	fi
	if [ -d "$link" ] && [ ! -L "$link" ]; then
		echo "$link: is a directory" >&2
		exit 1
	fi
	install -d "${link%/*}"
	if [ -e "$link" ] || [ -L "$link" ]; then
		rm -f "$saved"
		cp -a "$link" "$saved"
		echo "$link: kept as $saved"
	fi
	rm -f "$link.new-nightmail"
	ln -s "$1" "$link.new-nightmail"
	mv -fT "$link.new-nightmail" "$link"
}

# take_back TARGET LINK
take_back() {
	link=$root$2
	saved=$link.before-nightmail
	if [ ! -L "$link" ] || [ "$(readlink "$link")" != "$1" ]; then
		[ ! -e "$link" ] || echo "$link: not a link to nightmail, left alone"
	elif [ -e "$saved" ] || [ -L "$saved" ]; then
		mv -fT "$saved" "$link"
		echo "$link: is what it was before"
	else
		rm -f "$link"
	fi
}

case $action in
install) each=put ;;
uninstall) each=take_back ;;
*)
	echo "usage: mta-links.sh install|uninstall PREFIX SBINDIR BINDIR" >&2
	exit 64
	;;
esac

for name in lib/sendmail sbin/sendmail sbin/send-mail sbin/runq bin/newaliases bin/mailq; do
	case $name in
	bin/mailq) target=$bin/mailq ;;
	*) target=$sbin/sendmail ;;
	esac
	# Installed below the same prefix, the program has this name already.
	[ "$prefix/$name" = "$target" ] || $each "$target" "$prefix/$name"
done
