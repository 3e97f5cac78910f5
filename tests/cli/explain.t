#!/bin/sh
# nightmail explain, and sendmail -bv, which is the same by another name.
cd "$(dirname "$0")/../.." || exit 1
. tests/cli/lib.sh

cat >"$conf" <<'END'
root = admins@example.org
[identity]
domain = example.org
from = noreply@example.org
envelope-from = bounces@example.org
masquerade = *.lan.example
aliases = aliases
[queue]
dir = spool
retry = 30s 1h
lifetime = 3d
warning = never
[relay default]
host = 127.0.0.1 127.0.0.2
tls = implicit
login = me
password = file:secret
END
cat >"$dir/aliases" <<'END'
team: ann@x.example, root
log: |/bin/log
END
echo hunter2 >"$dir/secret"

explain() {
	run nightmail explain --config "$conf" "$@"
}

explain root bob@x.example
is 'what goes exits 0' "$code" 0
is 'everything is told in words' "$out" \
	"from     root -> bounces@example.org; in the header noreply@example.org
to       bob@x.example
relay    default: no route matches
hosts    127.0.0.1, port 465: 127.0.0.1
         127.0.0.2, port 465: 127.0.0.2
tls      from the first byte; with a certificate that is not trusted mail waits
login    me, password from file:$dir/secret
signed   no: there is no [dkim example.org]
retry    after 30 s, twice as long each time, up to 1 h; returned after 3 d"
like 'the aliases have complaints' "$err" "$dir/aliases:2: .*commands are not run"
is 'the password itself is not shown' "$(printf '%s' "$out$err" | grep -c hunter2)" 0

explain ann@host.lan.example root@localhost team
like 'root goes where it should' "$out" '^to       root@localhost -> admins@example.org$'
like 'an alias is spelt out' "$out" '^to       team -> ann@x.example, admins@example.org$'
like 'a masked sender' "$out" '^from     ann@host.lan.example -> bounces@example.org'

explain '<>' log
is 'what would be held exits 1' "$code" 1
like 'with the reason' "$out" '^to       log: waits as held (local-name): .*aliases:2'
like 'the null sender stays null' "$out" '^from     <>$'
like 'nobody hears of mail without a sender' "$out" 'kept for a person after 2 d$'

explain --json root team log
is 'json is one object' "$(jq -c '[.from, (.recipients[] | [.address, .becomes, .state])]' "$dir/out")" \
	'[{"address":"root","envelope":"bounces@example.org","header":"noreply@example.org"},["team",["ann@x.example","admins@example.org"],"goes"],["log",[],"held"]]'
is 'with relay and times' "$(jq -c '[.relay.hosts, .relay.port, .relay.tls, .retry]' "$dir/out")" \
	'[["127.0.0.1","127.0.0.2"],465,"implicit",{"first":30,"longest":3600,"warning":0,"lifetime":259200}]'

explain "$(printf 'a\033[1m@x.example')" bob
is 'a sender that is none is 64' "$code" 64
is 'and cannot draw on the terminal' "$(printf '%s' "$err" | tr -cd '\033' | wc -c)" 0
explain root
is 'without a recipient 64' "$code" 64
explain --relay offce a b
is 'a relay that is not there is 64' "$code" 64
explain --bogus a b
is 'an unknown option is 64' "$code" 64

cat >>"$conf" <<'END'
[relay office]
host = mx:
[relay none]
host = error:not here
[route me]
sender = *@example.org
recipient = *@none.example
user = 4242
relay = none
[route lan]
recipient = *@[192.0.2.1]
relay = office
END
explain --user 4242 root 'bob@[192.0.2.1]' cat@none.example dog@x.example
like 'a route is told with its rule' "$out" \
	'^relay    office to \[192.0.2.1\], for bob@\[192.0.2.1\]: \[route lan\]: recipient = \*@\[192.0.2.1\]$'
like 'and where it leads' "$out" '^hosts    192.0.2.1, port 25: 192.0.2.1$'
like 'servers of others are verified where they ask for it' "$out" '^tls  .*where the domain publishes TLSA'
like 'what is no server says what becomes of mail' "$out" '^way      returned to the sender: not here$'
is 'and that a recipient will not get it exits 1' "$code" 1
like 'routes may ask for the user' "$out" 'relay    none, for cat@none.example: \[route me\]'
like 'the rest has no route' "$out" '^relay    default, for dog@x.example: no route matches$'
explain --user 4243 root cat@none.example
like 'another user has another relay' "$out" '^relay    default: no route matches$'
sed 's/^host = error:.*/host = hold:ask Ann/' "$conf" >"$dir/hold.conf"
run nightmail explain --config "$dir/hold.conf" --user 4242 root cat@none.example
is 'what a route would hold exits 1' "$code" 1
like 'and is told' "$out" '^way      held for a person: ask Ann$'
is 'nothing is tried there, so nothing is said of it' "$(printf '%s\n' "$out" | grep -c ^retry)" 0
sed "s/^host = error:.*/host = maildir:\/var\/box/" "$conf" >"$dir/hold.conf"
run nightmail explain --config "$dir/hold.conf" --user 4242 root cat@none.example
is 'what is kept here exits 0' "$code" 0
like 'and is tried' "$out" '^way      kept in the Maildir /var/box$'
like 'as other mail' "$out" '^retry '
explain --json --user 4242 root cat@none.example 'bob@[192.0.2.1]'
is 'in json, too' "$(jq -c '[.relay.name, (.ways[] | [.relay, .destination, .why, [.hosts[] | .addresses]])]' "$dir/out")" \
	'["none",["none",null,"[route me]: sender = *@example.org, recipient = *@none.example, user = 4242",[]],["office","[192.0.2.1]","[route lan]: recipient = *@[192.0.2.1]",[["192.0.2.1"]]]]'
explain --relay office --user 4242 root cat@none.example
like 'a relay that the sender asks for goes before routes' "$out" '^relay .*office.*: its sender asked for it$'
explain --user nobody-of-that-name root bob
is 'a user that is none is 64' "$code" 64

run sendmail -C "$conf" -f ann@x.example -bv team
is 'sendmail -bv exits 0' "$code" 0
like 'and explains' "$out" '^to       team -> ann@x.example, admins@example.org$'
like 'from the sender' "$out" '^from     ann@x.example$'
is 'nothing is queued' "$(ls "$dir/spool" 2>/dev/null)" ''
run sendmail -C "$conf" -bv
is 'sendmail -bv without an address is 64' "$code" 64

printf '[queue]\ndir = spool\n' >"$conf"
explain root bob@x.example
is 'without a relay 2' "$code" 2
like 'in words' "$out" '^relay    none'
explain root carol
like 'an unknown name' "$out" 'local name "carol" has no address'
done_testing
