#!/usr/bin/env python3
"""Addresses that are rewritten on their way out: what the smarthost receives, what waits for a
name to be known and leaves by itself, and changed configuration that counts for queued mail."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from system import *  # noqa: E402

CRON = 'From: root (Cron Daemon)\nTo: root\nSubject: Cron <root@h> job\n\nTo: root\n'


def rules(relay, port, keys='', root='', domain=''):
    """Writes the configuration with these keys of [identity], and root at the top."""
    relay.configure(port=port, identity=keys)
    text = read(relay.config)
    text = text.replace('domain = home.example\n', domain and 'domain = %s\n' % domain)
    with open(relay.config, 'w') as f:
        f.write((root and 'root = %s\n' % root) + text)


def started(name, port, *args):
    relay = Relay(name, port=port, start=False)
    rules(relay, port, *args)
    relay.start()
    return relay


def envelopes(sink):
    """[(sender, [recipients])] of what it received, oldest first."""
    return [(e['from'], sorted(to['address'] for to in e['to'])) for e, _ in sink.received()]


def test_cron():
    sink = Sink(name='s1')
    relay = started('r1', sink.port, 'from = noreply@example.org\n', 'admins@example.org')
    relay.run('sendmail', '-FCronDaemon', '-i', '-odi', '-oem', '-oi', '-t', '-f', 'root', text=CRON)
    sink.got(1, 'cron mail for root goes')
    eq(envelopes(sink), [('noreply@example.org', ['admins@example.org'])], 'to and from the addresses set')
    text = sink.received()[0][1]
    ok('\nFrom: noreply@example.org (Cron Daemon)\n' in text, 'From has the address and keeps the name', text)
    ok('\nTo: admins@example.org\n' in text, 'To has the address', text)
    ok('\nSubject: Cron <root@h> job\n' in text and text.endswith('\n\nTo: root\n'),
       'the rest is as it was', text)
    relay.is_empty('nothing is left')
    ok(relay.says(r' to=<admins@example\.org> orig_to=<root> .*status=sent'),
       'the log has the address, and the name it stands for', relay.tail)


def test_unknown_name():
    sink = Sink(name='s2')
    relay = started('r2', sink.port)
    id = relay.send('carol', 'bob@example.net')
    sink.got(1, 'the recipient elsewhere has it')
    relay.waits_because(id, r'local name "carol" has no address', 'the unknown name waits, with words')
    message = relay.message(id)
    eq((message['state'], message['reason']), ('held', 'local-name'), 'as held, by its reason')
    relay.stop()
    relay.start()
    relay.waits_because(id, r'local name "carol"', 'also after a restart')
    rules(relay, sink.port, '', 'admins@example.org')
    eq(relay.run('nightmail', 'reload').returncode, 0, 'root is set, reload')
    relay.is_empty('it leaves by itself')
    sink.got(2, 'to root')
    eq(envelopes(sink)[-1][1], ['admins@example.org'], 'and to nobody else')


def test_reload_in_mid_attempt():
    sink = Sink('--delay', '700', name='s6')
    relay = started('r6', sink.port)
    relay.send('carol')
    ok(until(lambda: any(m['state'] == 'active' for m in relay.queue())), 'an attempt is under way')
    rules(relay, sink.port, '', 'admins@example.org')
    eq(relay.run('nightmail', 'reload').returncode, 0, 'root is set meanwhile')
    relay.is_empty('what the old settings held leaves by the new ones')
    eq(envelopes(sink)[-1][1], ['admins@example.org'], 'to root')


def test_alias_file():
    sink = Sink('--reply', 'rcpt=450 4.2.0 busy', name='s3')
    aliases = path('aliases', 'team: a@example.net, b@example.net\n')
    relay = started('r3', sink.port, 'aliases = %s\n' % aliases)
    id = relay.send('team')
    relay.waits_because(id, r'busy', 'mail to an alias waits like other mail')
    with open(aliases, 'w') as f:
        f.write('team: c@example.net, d@example.net\n')
    sink = sink.again()
    relay.is_empty('the server takes it')
    eq(envelopes(sink)[-1][1], ['c@example.net', 'd@example.net'],
       'a changed file counts for mail that is queued')
    for address in 'cd':
        ok(relay.says(r'id=%s .* to=<%s@example\.net> orig_to=<team> .*status=sent' % (id, address)),
           'the log has a line for each address of the alias', relay.tail)
    relay.send('bob@example.net')
    ok(relay.says(r' to=<bob@example\.net> relay='), 'and no other name where there is none', relay.tail)
    sink.stop()
    sink = Sink('--reply', 'rcpt:d@example.net=450 4.2.0 busy', name='s7')
    rules(relay, sink.port, 'aliases = %s\n' % aliases)
    relay.run('nightmail', 'reload')
    id = relay.send('team')
    ok(relay.says(r'id=%s .* to=<c@example\.net> orig_to=<team> .*status=sent dsn=2\.0\.0' % id),
       'an address of an alias that has it already is logged so', relay.tail)
    ok(relay.says(r'id=%s .* to=<d@example\.net> orig_to=<team> .*status=deferred dsn=4\.2\.0 .*busy' % id),
       'and one that has it not', relay.tail)


def test_changed_sender():
    sink = Sink(name='s4')
    sink.stop()
    relay = started('r4', sink.port)
    relay.sendmail('-f', 'www-data', 'bob@example.net')
    ok(until(lambda: relay.queue()), 'mail waits')
    rules(relay, sink.port, 'from = noreply@example.org\n')
    relay.run('nightmail', 'reload')
    sink = sink.again()
    relay.is_empty('the server is back')
    eq(envelopes(sink)[-1], ('noreply@example.org', ['bob@example.net']), 'the new sender counts')


def test_signed_mail_is_untouched():
    sink = Sink(name='s5')
    relay = started('r5', sink.port, 'from = noreply@example.org\n', 'admins@example.org')
    fields = ('DKIM-Signature: v=1; a=rsa-sha256; h=from:to;\n\tbh=x; b=y\n'
              'From:  "A,  B"  <ann@example.net> (x)\nto: Bob\n\t<bob@example.net> , undisclosed: ;\n'
              'Reply-To: root@example.net\nDate: Sun, 22 Nov 2026 02:06:29 +0000\nMessage-ID: <1@x>\n')
    relay.run('sendmail', '-f', 'ann@example.net', 'bob@example.net', text=fields + '\nhi\n')
    sink.got(1, 'mail between others goes')
    ok(fields in sink.received()[0][1], 'byte by byte', sink.received()[0][1])


test_cron()
test_unknown_name()
test_reload_in_mid_attempt()
test_alias_file()
test_changed_sender()
test_signed_mail_is_untouched()
done()
