#!/bin/sh
# Installation into a directory of our own: what lies where with which mode, the directories
# filled in, the units as systemd judges them, the links of an MTA and the way back.
cd "$(dirname "$0")/../.." || exit 1
. tests/cli/lib.sh
root=$dir/root
most=2.0 # exposure of the unit that runs for all users, of 10

# Nothing is built here: other directories would mean another build, and others use this one.
unset MAKEFLAGS MFLAGS MAKELEVEL DESTDIR
make_in() { # TARGET VARIABLE=VALUE...
	make -s --no-print-directory BUILD="$bin" "$@" >"$dir/make.log" 2>&1
}
mode() { stat -c %a "$1" 2>&1; }
# Below MTA_PREFIX; the path of the target as links have it, without DESTDIR.
link() { readlink "$root/usr/$1" || echo "no link"; }

(umask 077 && make_in install-files DESTDIR="$root" PREFIX=/usr)
is "make install with DESTDIR works under umask 077" \
	"$? $(grep -v 'users and rights' "$dir/make.log")" "0 "

while read -r want path; do
	is "/$path has mode $want" "$(mode "$root/$path")" "$want"
done <<-'END'
	755 usr/bin/send
	755 usr/bin/mailq
	755 usr/bin/nightmail
	755 usr/bin/dns-check
	755 usr/bin/header-trace
	755 usr/bin/smtp-probe
	755 usr/sbin/nightmaild
	755 usr/sbin/sendmail
	755 usr/libexec/nightmail
	755 usr/libexec/nightmail/nightmail-deliver
	755 usr/libexec/nightmail/nightmail-resolve
	755 usr/libexec/nightmail/nightmail-fetch
	755 usr/libexec/nightmail/nightmail-secret
	755 usr/libexec/nightmail/nightmail-session
	2755 usr/libexec/nightmail/nightmail-drop
	755 etc/nightmail
	644 usr/lib/systemd/system/nightmail.service
	644 usr/lib/systemd/system/nightmail.socket
	644 usr/lib/systemd/user/nightmail.service
	644 usr/lib/sysusers.d/nightmail.conf
	644 usr/lib/tmpfiles.d/nightmail.conf
	644 usr/share/doc/nightmail/nightmail.conf
	644 usr/share/doc/nightmail/nightmail.apparmor
	644 usr/share/man/man8/nightmaild.8
	644 usr/share/man/man8/nightmail-resolve.8
	644 usr/share/man/man1/smtp-probe.1
	644 usr/share/man/man5/nightmail.conf.5
	644 usr/share/bash-completion/completions/nightmail
	644 usr/share/zsh/site-functions/_send
	644 usr/share/fish/vendor_completions.d/mailq.fish
	644 usr/share/bash-completion/completions/dns-check
	644 usr/share/zsh/site-functions/_smtp-probe
	644 usr/share/fish/vendor_completions.d/header-trace.fish
END
is "every manual page is there" \
	"$(find "$root/usr/share/man" -type f | wc -l)" "$(find man -type f | wc -l)"
is "no configuration is put where one would be used" "$(ls "$root/etc/nightmail")" ""
is "nothing is set-gid but the helper, nothing set-uid, nothing open to all" \
	"$(find "$root" ! -type l -perm /6002 -printf '%f\n')" nightmail-drop
# @system-service and the like are systemd's own.
is "no directory is left to fill in" \
	"$(grep -rEn '@[A-Z]+@' "$root/usr/lib" "$root/usr/share/doc")" ""

service=$(cat "$root/usr/lib/systemd/system/nightmail.service")
socket=$(cat "$root/usr/lib/systemd/system/nightmail.socket")
like "the unit starts the installed daemon" "$service" '^ExecStart=/usr/sbin/nightmaild$'
like "the unit may write to queue and sockets alone" "$service" \
	'^ReadWritePaths=/var/spool/nightmail /run/nightmail -/run/motd.d/nightmail$'
like "the socket is where users look for it" "$socket" '^ListenStream=/run/nightmail/submit$'
like "the socket has the name that the daemon wants" "$socket" \
	'^FileDescriptorName=submit$'
is "tmpfiles.d makes the directories and the set-gid helper" \
	"$(cat "$root/usr/lib/tmpfiles.d/nightmail.conf")" \
	"$(
		cat <<-'END'
			d /var/spool/nightmail 0711 nightmail nightmail -
			d /var/spool/nightmail/drop 1770 nightmail nightmail-drop -
			d /run/nightmail 0755 nightmail nightmail -
			z /usr/libexec/nightmail/nightmail-drop 2755 root nightmail-drop -
		END
	)"
make_in install-files DESTDIR="$dir/other" PREFIX=/opt/x \
	STATEDIR=/srv/q RUNDIR=/run/r SYSCONFDIR=/opt/etc
is "other directories get into the units" \
	"$(grep -hE '^(ExecStart|ReadWritePaths|ListenStream)=' "$dir/other/opt/x/lib/systemd/system/"*)" \
	"$(printf 'ExecStart=/opt/x/sbin/nightmaild\nReadWritePaths=/srv/q /run/r -/run/motd.d/nightmail\nListenStream=/run/r/submit')"

# --- as systemd sees them: the programs must be where the units say ---
if command -v systemd-analyze >/dev/null; then
	make_in install-files PREFIX="$dir/real" SYSCONFDIR="$dir/real/etc"
	units=$dir/real/lib/systemd
	# Problems of the machine's own units are printed as well and are not ours.
	for kind in "system nightmail.service" "system nightmail.socket" "user nightmail.service"; do
		folder=${kind% *}
		out=$(XDG_RUNTIME_DIR=$dir SYSTEMD_UNIT_PATH="$units/$folder:" \
			systemd-analyze "--$folder" --man=no verify "$units/$folder/${kind#* }" 2>&1)
		is "systemd-analyze verify: $kind" "$? $(echo "$out" | grep -i nightmail)" "0 "
	done
	out=$(systemd-analyze --no-pager security --offline=true \
		"$units/system/nightmail.service" 2>&1)
	exposure=$(echo "$out" |
		sed -n 's/.*exposure level for nightmail.service: \([0-9.]*\).*/\1/p')
	echo "# exposure of nightmail.service: ${exposure:-unknown}"
	if echo "${exposure:-11} $most" | awk '{ exit !($1 <= $2) }'; then
		pass "the exposure is at most $most"
	else
		fail "the exposure is at most $most" "$out"
	fi
else
	skip "systemd-analyze verify and security" "there is no systemd-analyze"
fi

# --- the links of an MTA ---
mkdir -p "$root/usr/lib"
ln -s ../sbin/exim4 "$root/usr/lib/sendmail"
make_in install-mta DESTDIR="$root" PREFIX=/usr
is "install-mta works" "$?" 0
for name in lib/sendmail sbin/send-mail sbin/runq bin/newaliases; do
	is "/usr/$name leads to sendmail" "$(link $name)" /usr/sbin/sendmail
done
is "the installed programs are not replaced by links to themselves" \
	"$(stat -c %F "$root/usr/sbin/sendmail" "$root/usr/bin/mailq" | uniq)" "regular file"
is "what stood there is kept" "$(link lib/sendmail.before-nightmail)" ../sbin/exim4
make_in install-mta DESTDIR="$root" PREFIX=/usr
is "a second time changes nothing" "$? $(link lib/sendmail.before-nightmail)" "0 ../sbin/exim4"
make_in uninstall-mta DESTDIR="$root" PREFIX=/usr
is "uninstall-mta brings back what was there" "$? $(link lib/sendmail)" "0 ../sbin/exim4"
is "and leaves no link" \
	"$(find "$root/usr" -lname '*/sbin/sendmail'; find "$root/usr" -name '*-nightmail')" ""

rm -rf "$root"
make_in install-files DESTDIR="$root" PREFIX=/usr MTADIR=/usr/libexec/nightmail
is "MTADIR keeps sendmail and mailq away from the names that all MTAs have" \
	"$(cd "$root" && find . -name sendmail -type f -o -name mailq -type f | grep -v complet | sort)" \
	"$(printf './usr/libexec/nightmail/mailq\n./usr/libexec/nightmail/sendmail')"
make_in install-mta DESTDIR="$root" PREFIX=/usr MTADIR=/usr/libexec/nightmail
is "and install-mta gives them these names" "$(link sbin/sendmail) $(link bin/mailq)" \
	"/usr/libexec/nightmail/sendmail /usr/libexec/nightmail/mailq"
rm -rf "$root"
mkdir -p "$root/usr/sbin" "$root/usr/bin"
echo other >"$root/usr/sbin/sendmail"
chmod 4755 "$root/usr/sbin/sendmail"
make_in install-mta DESTDIR="$root"
is "from /usr/local, sendmail and mailq become links as well" \
	"$(link sbin/sendmail) $(link bin/mailq)" \
	"/usr/local/sbin/sendmail /usr/local/bin/mailq"
rm "$root/usr/bin/newaliases"
echo theirs >"$root/usr/bin/newaliases"
make_in uninstall-mta DESTDIR="$root"
is "the other program is back with its mode" \
	"$(mode "$root/usr/sbin/sendmail") $(cat "$root/usr/sbin/sendmail")" "4755 other"
is "what somebody else has put there since stays" "$(cat "$root/usr/bin/newaliases")" theirs

# --- away again ---
make_in install-files DESTDIR="$root"
make_in install-mta DESTDIR="$root"
echo mine >"$root/etc/nightmail/nightmail.conf"
make -s --no-print-directory BUILD="$dir/no-build" uninstall DESTDIR="$root" >"$dir/make.log" 2>&1
is "make uninstall works where nothing was built" \
	"$? $(grep -v 'configuration stay\|is what it was\|left alone' "$dir/make.log")" "0 "
is "and leaves what others have put there, and the configuration" \
	"$(cd "$root" && find . ! -type d | sort)" \
	"$(printf './etc/nightmail/nightmail.conf\n./usr/bin/newaliases\n./usr/sbin/sendmail')"
is "with what was in it" "$(cat "$root/usr/bin/newaliases" "$root/usr/sbin/sendmail")" \
	"$(printf 'theirs\nother')"
is "but none of our own folders" "$(find "$root" -type d -path '*nightmail*')" "$root/etc/nightmail"
done_testing
