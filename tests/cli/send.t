#!/bin/sh
# send: the message it builds, read back by Python's email package, and its command line.
cd "$(dirname "$0")/../.." || exit 1
. tests/cli/lib.sh
private

sd() {
	run send --config "$conf" "$@"
}
# parsed EXPRESSION: of the only queued message, as Python's m (default policy).
parsed() {
	message >"$dir/message"
	python3 - "$dir/message" "$1" <<'END'
import email, email.policy, sys
m = email.message_from_binary_file(open(sys.argv[1], "rb"), policy=email.policy.default)
defects = list(m.defects) + [d for v in m.values() for d in v.defects]
print(eval(sys.argv[2]) if not defects else defects)
END
}
# lines: the longest line of the message
longest() {
	message | awk '{ if (length > n) n = length } END { print n }'
}

echo 'plain text' | "$bin/send" --config "$conf" bob@y.example -s 'Disk report' >"$dir/out" 2>&1
is 'send prints nothing and exits 0' "$?$(cat "$dir/out")" 0
is 'the recipient is in the envelope' "$(envelope '[.recipients[].address]')" '["bob@y.example"]'
is 'and in To' "$(parsed 'm["to"]')" bob@y.example
is 'the subject' "$(parsed 'm["subject"]')" 'Disk report'
is 'MIME fields of plain text' \
	"$(parsed '(m["mime-version"], m.get_content_type(), m.get_content_charset(), m["content-transfer-encoding"])')" \
	"('1.0', 'text/plain', 'us-ascii', '7bit')"
is 'the text' "$(parsed 'm.get_content()')" 'plain text'
like 'From is somebody at our domain' "$(parsed 'm["from"]')" '@relay.example'

empty
sd 'Zoë Müller <zoe@y.example>' --to 'c@y.example, "Doe, J." <d@y.example>' --cc e@y.example \
	--bcc 'Secret <f@y.example>' --from 'Größe <me@relay.example>' --reply-to 'R <r@y.example>' \
	--header 'X-Tool: größer' -s 'Übergrößenträger: naïve café 日本語' <<'END'
Grüße,
日本語
END
is 'all options together' "$code$out$err" 0
is 'the header is ASCII' "$(message | sed '/^$/q' | LC_ALL=C grep -c '[^ -~	]')" 0
is 'a UTF-8 subject' "$(parsed 'm["subject"]')" 'Übergrößenträger: naïve café 日本語'
is 'names in UTF-8 and with a comma' \
	"$(parsed '[(a.display_name, a.addr_spec) for a in m["to"].addresses]')" \
	"[('', 'c@y.example'), ('Doe, J.', 'd@y.example'), ('Zoë Müller', 'zoe@y.example')]"
is 'Cc and Reply-To' "$(parsed '(m["cc"], m["reply-to"])')" "('e@y.example', 'R <r@y.example>')"
is 'From' "$(parsed 'm["from"]')" 'Größe <me@relay.example>'
is '--from is the envelope sender too' "$(envelope .from)" '"me@relay.example"'
is 'a field in UTF-8' "$(parsed 'm["x-tool"]')" 'größer'
is 'no Bcc in the message, but in the envelope' \
	"$(message | grep -c -i -e bcc -e secret) $(envelope '[.recipients[].address] | join(" ")')" \
	'0 "c@y.example d@y.example e@y.example f@y.example zoe@y.example"'
is 'UTF-8 text goes as 8bit' "$(parsed '(m.get_content_charset(), m["content-transfer-encoding"], m.get_content())')" \
	"('utf-8', '8bit', 'Grüße,\\n日本語\\n')"
like 'and 8BITMIME is asked for' "$(cat "$dir"/spool/queue/*)" '^from .*body=8BITMIME'

empty
python3 -c 'print("From the start, ü =" + "y" * 2000 + "  \n.\n" + "x" * 998)' >"$dir/text"
sd x@y.example -s long -f bounce@relay.example --from a@b.example <"$dir/text"
is 'a line over 998 octets makes it quoted-printable' "$code $(parsed 'm["content-transfer-encoding"]')" \
	'0 quoted-printable'
parsed 'm.get_content()' | sed '$d' >"$dir/back"
is 'which decodes to the text' "$(cksum <"$dir/back")" "$(cksum <"$dir/text")"
is 'in lines of at most 76' "$(message | sed '1,/^$/d' | awk 'length > 76' | wc -l)" 0
is '-f goes before --from in the envelope' "$(envelope .from) $(parsed 'm["from"]')" '"bounce@relay.example" a@b.example'
empty
python3 -c 'print("x" * 998)' | "$bin/send" --config "$conf" x@y.example
is 'a line of 998 octets stays' "$(parsed 'm["content-transfer-encoding"]')" 7bit
is 'without -s there is no subject' "$(parsed 'm["subject"]')" None
empty
printf 'caf\351\n' | "$bin/send" --config "$conf" x@y.example
is 'text that is not UTF-8 is labelled so' "$(parsed 'm.get_content_charset()')" unknown-8bit
empty
# shellcheck disable=SC2046
sd -s "$(seq -s ' ' 400)" $(seq -f 'user%.0f@y.example' 1500) </dev/null
is 'a long subject and 1500 recipients are folded' "$code $(test "$(longest)" -le 100 && echo fine)" '0 fine'
is 'and come back whole' "$(parsed '(m["subject"], len(m["to"].addresses))' | cksum)" \
	"$(echo "('$(seq -s ' ' 400)', 1500)" | cksum)"

empty
sd -v x@y.example </dev/null
is '-v tells the ID' "$out" "queued as $(envelope .id | tr -d '"')"
empty
sd --json x@y.example y@y.example </dev/null
is '--json tells ID and number' "$out" "{\"id\":$(envelope .id),\"recipients\":2}"
empty
sd -f '' x@y.example </dev/null
is '-f "" is the null sender' "$(envelope .from)" '""'

# -t reads a whole message.
empty
printf 'To: a@y.example\nSubject: whole\n\ntext\n' | "$bin/send" --config "$conf" -t -i b@y.example
is '-t takes recipients of the message and the arguments' \
	"$? $(envelope '[.recipients[].address] | sort | join(" ")')" '0 "a@y.example b@y.example"'
is 'and leaves the message alone' "$(parsed '(m["subject"], m["mime-version"], m.get_payload())')" \
	"('whole', None, 'text\\n')"

# usage NAME PATTERN ARGS...: refused with 64, nothing queued.
usage() {
	name=$1 pattern=$2
	shift 2
	empty
	sd "$@" </dev/null
	like "$name" "$code $(queued) $err" "^64 0 send: .*$pattern"
}
usage 'no recipient' 'no recipient: send RECIPIENT -s SUBJECT < TEXT'
usage '-t with -s shows the right command' 'send -t < MESSAGE' -t -s x
usage '-t with --from' 'either: send RECIPIENT -s SUBJECT < TEXT' -t --from a@b.example
for flag in -bp -bd -oi -oem -q -q15m; do
	usage "$flag is for sendmail" "$(echo $flag | cut -c1-2) is an option of sendmail: use sendmail" $flag x@y.example
done
usage 'an unknown option' 'unknown option --attack' --attack x x@y.example
usage 'an option without its value' '-s needs a value' x@y.example -s
usage 'a subject with a line break' '-s: the subject' x@y.example -s "$(printf 'a\nBcc: z@y.example')"
usage 'a recipient with a line break' 'control character' "$(printf 'x@y.example\nBcc: z@y.example')"
usage 'a field with a line break' '--header: ' x@y.example --header "$(printf 'X: a\nBcc: z@y.example')"
usage 'a field without a colon' '--header: ' x@y.example --header 'X a'
usage 'a field of ours' '--header: Content-Type is written by send' x@y.example --header 'content-type: text/html'
usage 'a Resent field' '--header: ' x@y.example --header 'Resent-To: z@y.example'
usage 'two senders' 'is not a sender' x@y.example --from 'a@b.example, c@d.example'
usage 'a broken --reply-to' '--reply-to: ' x@y.example --reply-to '<a@'
empty
printf 'a\0b' | "$bin/send" --config "$conf" x@y.example 2>"$dir/err"
is 'a NUL is 65' "$? $(queued) $(cat "$dir/err")" '65 0 send: not queued: the text has a NUL byte'
private 'size-limit = 1M'
head -c 2000000 /dev/zero | tr '\0' '\n' | "$bin/send" --config "$conf" x@y.example 2>/dev/null
is 'a text over the limit is 65' "$? $(queued)" '65 0'
private
for flag in --help --version; do
	sd $flag
	is "$flag exits 0 and says nothing on stderr" "$code$err" 0
done
sd --help
is 'the help fits 80 columns and 24 lines' "$(printf '%s\n' "$out" | awk 'length > 80' &&
	test "$(printf '%s\n' "$out" | wc -l)" -le 24)" ''
sd x@y.example <&- >&- 2>&-
is 'without descriptors 0, 1, 2' "$code $(queued)" '0 1'
done_testing
