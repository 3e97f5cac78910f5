#!/bin/sh
# Who may include whom, and what stands behind one folder only: read from the sources.
cd "$(dirname "$0")/../.." || exit 1
n=0
bad=0

# report NAME OFFENDERS: passes when there are none.
report() {
	n=$((n + 1))
	if [ -z "$2" ]; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		echo "$2" | sed 's/^/# /'
		bad=1
	fi
}

# allow FOLDER FOLDERS...: each folder may include itself, base and those named.
allow() {
	folder=$1
	shift
	allowed=" $folder base $* "
	report "$folder includes only:$(echo "$allowed" | sed 's/ $//')" "$(
		grep -Hn '^#include "' "src/$folder"/*.[ch] "$folder"/*.[ch] 2>/dev/null |
			awk -F'"' -v allowed="$allowed" '{
				split($2, part, "/")
				if (part[2] == "" || !index(allowed, " " part[1] " "))
					print $0
			}'
	)"
}
allow base
allow mail
allow config route
allow creds net
allow net
allow control
allow queue mail
allow smtp mail
allow submit queue mail smtp control
allow deliver submit smtp net queue creds control config mail authres route tlspolicy
allow route net
allow authres mail net
allow tlspolicy mail net
allow check authres tlspolicy mail net smtp
allow tui control queue mail deliver

report "nothing includes src/bin" "$(grep -Hn '^#include "bin/' src/*/*.[ch] tui/*.[ch])"
report "of deliver, tui includes what describes a message" "$(
	grep -Hn '^#include "deliver/' tui/*.[ch] | grep -vE '"deliver/(verb|content|describe)\.h"'
)"
report "every folder of src has its rule" "$(
	for d in src/*/; do
		case $d in
		src/base/ | src/mail/ | src/config/ | src/creds/ | src/net/ | src/control/ | \
			src/queue/ | src/smtp/ | src/submit/ | src/deliver/ | src/authres/ | src/route/ | src/tlspolicy/ | src/check/ | src/cli/ | src/bin/ | src/etc/) ;;
		*) echo "$d" ;;
		esac
	done
)"

# outside PATTERN PLACE: lines of code with the pattern in files outside this place.
outside() {
	grep -HnE "$1" src/*/*.[ch] tui/*.[ch] | grep -v "^$2" | grep -vE '^[^:]*:[0-9]*:[[:space:]]*/?\*'
}
report "spool names stand in src/queue only" \
	"$(outside '"(queue|delivered|dead)/[^ ]' src/queue/ | grep -v '#include "')"
report "GnuTLS stays in src/net" "$(outside '#include <gnutls' src/net/)"
report "libunbound stays in src/net" "$(outside '#include <unbound' src/net/)"
report "libgsasl stays in src/smtp" "$(outside '#include <gsasl' src/smtp/)"
report "libidn2 stays in src/mail" "$(outside '#include <idn2' src/mail/)"
report "libcurl stays in src/net" "$(outside '#include <curl' src/net/)"
report "libpsl stays in src/authres" "$(outside '#include <libpsl' src/authres/)"
report "libseccomp stays in src/base" "$(outside '#include <seccomp' src/base/)"
report "jansson stays in src/cli, src/creds/oauth2 and tui/model" \
	"$(outside '#include <jansson' '\(src/cli/\|src/creds/oauth2\|tui/model_\)')"
report "libsecret stays in nightmail-secret" "$(outside '#include <libsecret' src/bin/nightmail_secret)"
report "curses stays in tui/draw, theme, app_screen and app_terminal" \
	"$(outside '#include <(n*curses|term)\.h' 'tui/\(draw\|theme\|app_screen\|app_terminal\)\.c')"
report "mail and smtp do no I/O" "$(
	grep -HnE '#include (<(fcntl|unistd|poll|sys/socket|sys/stat)\.h>|"base/(file|loop|proc|log)\.h")' \
		src/mail/*.[ch] src/smtp/*.[ch]
)"
calls='fsync|fdatasync|renameat|renameat2|rename|unlink|unlinkat|linkat|link|ftruncate|pwrite|mkdir|mkdirat'
report "disk writes go through base/file.h" \
	"$(outside "(^|[^_a-zA-Z>.\"])($calls)\(" src/base/file)"
report "every header has its guard" "$(
	for h in src/*/*.h tui/*.h; do
		guard=NIGHTMAIL_$(echo "${h#src/}" | tr 'a-z/.' 'A-Z__')
		grep -q "^#ifndef $guard\$" "$h" && grep -q "^#define $guard\$" "$h" || echo "$h: $guard"
	done
)"
report "comments are written /* so */" "$(grep -HnE '(^|[;{}[:space:]])//' src/*/*.[ch] tui/*.[ch] | grep -v '"[^"]*//[^"]*"')"

# The idle daemon and what every program calls must not load the large libraries.
for p in nightmaild nightmail-drop send sendmail; do
	if [ ! -x "${NIGHTMAIL_BUILD:=build/release}/$p" ] || [ "${NIGHTMAIL_BUILD#*san}" != "$NIGHTMAIL_BUILD" ]; then
		n=$((n + 1))
		echo "ok $n - $p needs libc alone # SKIP not built, or with sanitizers"
		continue
	fi
	report "$p needs libc alone" "$(
		readelf -d "$NIGHTMAIL_BUILD/$p" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' |
			grep -vE '^(libc\.so\.6|ld-linux.*)$'
	)"
done

echo "1..$n"
exit $bad
