#!/usr/bin/env python3
"""Where mail goes: rules, several relays, recipients of one message with different ones, relays
that are no server, and what holds one of them up never holds up the others."""
import collections
import json
import os
import re
import signal
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from system import *  # noqa: E402

LAN = '''[relay office]
host = 127.0.0.1
port = %d
tls = none
probe = 1s
[route lan]
recipient = *@*.lan.example
relay = office
'''


def recipients(envelope):
    return [r['address'] for r in envelope['to']]


def rcpt(sink):
    return sorted(r for envelope, _ in sink.received() for r in recipients(envelope))


def test_rules():
    first, office, night = Sink(name='a1'), Sink(name='a2'), Sink(name='a3')
    relay = Relay('a', port=first.port, more=LAN % office.port + '''
[relay night]
host = 127.0.0.1
port = %d
tls = none
[route night]
sender = *@night.example <>
relay = night
[route me]
user = %d
sender = me@home.example
relay = office
''' % (night.port, os.getuid()))
    both = relay.send('x@x.example', 'h@h.LAN.example', 'y@y.example')
    relay.send('n@x.example', sender='carol@night.example')
    relay.send('l@h.lan.example', sender='carol@night.example')
    relay.send('m@x.example', sender='me@home.example')
    relay.is_empty('rules: everything is delivered')
    eq(rcpt(first), ['x@x.example', 'y@y.example'], 'rules: no rule matches: the default relay')
    eq(rcpt(office), ['h@h.LAN.example', 'l@h.lan.example', 'm@x.example'],
       'rules: by recipient, by user and sender, and the first in file order')
    eq(rcpt(night), ['n@x.example'], 'rules: by sender')
    eq(sorted((f['to'], f['relay']) for f in relay.results(both, 'sent')),
       [('h@h.LAN.example', 'office'), ('x@x.example', 'default'), ('y@y.example', 'default')],
       'rules: the log tells each one\'s relay')
    relay.stop()


def test_held():
    first, office = Sink(name='b1'), Sink(name='b2')
    relay = Relay('b', port=first.port, more=LAN % office.port)
    office.stop()
    one = relay.send('h@h.lan.example', 'x@x.example')
    first.got(1, 'held: who is not behind the relay that is down gets it at once')
    relay.waits_because(one, r'relay office', 'held: mailq says which relay the rest waits for')
    m = relay.message(one)
    eq(sorted((r['address'], r['state']) for r in m['recipients']),
       [('h@h.lan.example', 'pending'), ('x@x.example', 'delivered')], 'held: and who has it')
    for n in range(20):
        relay.send('h%d@h.lan.example' % n)
    relay.send('z@z.example')
    first.got(2, 'held: others pass')
    office = office.again()
    relay.is_empty('held: all goes when it is back')
    eq(len(office.received()), 21, 'held: each one once')
    eq(rcpt(first), ['x@x.example', 'z@z.example'], 'held: and nobody a second time')
    relay.stop()


def reads(relay):
    """How often the daemon has read anything so far."""
    with open('/proc/%d/io' % relay.popen.pid) as f:
        return int(re.search(r'^syscr: (\d+)', f.read(), re.M).group(1))


def probes(relay, count):
    """Waits for so many failed probes of each relay."""
    def failures():
        status = json.loads(relay.run('nightmail', 'status', '--json').stdout)
        return {r['name']: r['last_failure'] for r in status['relays']}
    seen = collections.defaultdict(set)
    return until(lambda: [seen[n].add(t) for n, t in failures().items()] and
                 all(len(s) > count for s in seen.values()), step=0.3)


def test_all_held():
    """Mail for two relays that both are down waits where it is, and is not read again for each probe;
    but each of the two is probed, and when one is back it gets its part of all."""
    first, office = Sink(name='q1'), Sink(name='q2')
    first.stop()
    office.stop()
    relay = Relay('q', port=first.port, more=LAN % office.port, queue='user-limit = never')
    rows = path('q.csv', 'n\n' + ''.join('%d\n' % n for n in range(200)))
    text = path('q.eml', 'To: x{{n}}@x.example, h{{n}}@h.lan.example\nSubject: x\n\nHello.\n')
    r = relay.run('send', '--template', text, '--data', rows, '-f', 'news@home.example')
    ok(r.returncode == 0, 'all held: 200 messages for two relays are queued', r)
    ok(probes(relay, 2), 'all held: both are probed', relay.tail)
    before = reads(relay)
    ok(probes(relay, 3), 'all held: again and again', relay.tail)
    spent = reads(relay) - before
    ok(spent < 200, 'all held: and for that the messages are not read again', spent)
    office = office.again()
    ok(until(lambda: len(rcpt(office)) == 200), 'all held: the one that is back gets its mail',
       lambda: '%d\n%s' % (len(rcpt(office)), relay.tail()))
    eq(len(relay.queue()), 200, 'all held: the rest waits for the other')
    first = first.again()
    relay.is_empty('all held: which gets it when it is back')
    eq((len(rcpt(first)), len(rcpt(office))), (200, 200), 'all held: each one once')
    relay.reported(relay.stop())


def test_reload():
    first, office = Sink(name='c1'), Sink(name='c2')
    office.stop()
    relay = Relay('c', port=first.port, more=LAN % office.port)
    ids = [relay.send('h%d@h.lan.example' % n, 'x%d@x.example' % n) for n in range(3)]
    first.got(3, 'reload: one recipient of each has another relay')
    relay.waits_because(ids[0], r'relay office', 'reload: the others wait')
    relay.configure(port=first.port)
    relay.popen.send_signal(signal.SIGHUP)
    relay.is_empty('reload: without the route they go to the default relay')
    eq(len(first.received()), 6, 'reload: each once')
    relay.stop()


def test_alias():
    first, office = Sink(name='d1'), Sink(name='d2')
    office.stop()
    aliases = path('d/aliases', 'team: x@x.example, h@h.lan.example\n', 0o644)
    relay = Relay('d', port=first.port, identity='aliases = ' + aliases,
                  more=LAN % office.port)
    one = relay.send('team', 'y@y.example')
    first.got(1, 'alias: addresses of an alias have their own relays')
    eq(rcpt(first), ['x@x.example', 'y@y.example'], 'alias: one of them gets it now')
    relay.waits_because(one, r'relay office', 'alias: the other one waits')
    office = office.again()
    relay.is_empty('alias: until its relay is back')
    eq((rcpt(first), rcpt(office)), (['x@x.example', 'y@y.example'], ['h@h.lan.example']),
       'alias: nobody has it twice')
    relay.stop()
    bad = Sink('--reply', 'rcpt=550 5.1.1 no such user', name='d3')
    relay = Relay('d4', port=first.port, identity='aliases = ' + aliases, more=LAN % bad.port)
    one = relay.send('team', sender='alice@x.example')
    relay.is_empty('alias: one address is refused, after a while')
    told = [text for _, text in first.received() if 'no such user' in text]
    eq(len(told), 1, 'alias: the sender is told once')
    eq(len([t for e, t in first.received() if recipients(e) == ['x@x.example'] and e['from']]), 1,
       'alias: and the other address got it once')
    relay.stop()


def test_lifetime():
    """The time of who waits behind a relay that is down stands still, that of the others does not."""
    first, office, busy = Sink(name='h1'), Sink(name='h2'), Sink('--reply', 'rcpt=450 4.2.0 busy', name='h3')
    office.stop()
    relay = Relay('h', port=first.port, queue='lifetime = 4s\nwarning = never', more=LAN % office.port + '''
[relay busy]
host = 127.0.0.1
port = %d
tls = none
[route busy]
recipient = *@busy.example
relay = busy
''' % busy.port)
    one = relay.send('h@h.lan.example', 'b@busy.example', 'x@x.example', sender='alice@x.example')
    first.got(2, 'lifetime: one has it, one is too late and comes back')
    told = [text for e, text in first.received() if not e['from']]
    ok(told and 'b@busy.example' in told[0] and 'Final-Recipient: rfc822; h@' not in told[0],
       'lifetime: who waits for a relay that is held is not returned', told)
    states = {r['address']: r['state'] for r in (relay.message(one) or {'recipients': []})['recipients']}
    eq(states, {'x@x.example': 'delivered', 'b@busy.example': 'failed', 'h@h.lan.example': 'pending'},
       'lifetime: it is in the queue still')
    office = office.again()
    relay.is_empty('lifetime: and goes when the relay is back')
    eq(rcpt(office), ['h@h.lan.example'], 'lifetime: to whom it was for')
    relay.stop()


def test_lifetime_hold():
    """What a route holds for a person is not returned because another recipient's time is over."""
    first, busy = Sink(name='h4'), Sink('--reply', 'rcpt=450 4.2.0 busy', name='h5')
    relay = Relay('h6', port=first.port, queue='lifetime = 3s\nwarning = never', more='''
[relay busy]
host = 127.0.0.1
port = %d
tls = none
[route busy]
recipient = *@busy.example
relay = busy
[relay stop]
host = hold: the boss looks at it first
[route c]
recipient = *@stop.example
relay = stop
''' % busy.port)
    one = relay.send('s@stop.example', 'b@busy.example', sender='alice@x.example')
    first.got(1, 'lifetime: who is too late comes back')
    told = [text for e, text in first.received() if not e['from']]
    ok(told and 'b@busy.example' in told[0] and 'Final-Recipient: rfc822; s@' not in told[0],
       'lifetime: who is held by a route does not', told)
    ok(until(lambda: (relay.message(one) or {}).get('state') == 'held'), 'lifetime: that is held then',
       lambda: '%s\n%s' % (relay.message(one), relay.tail()))
    relay.stop()


WORDS = '''
[relay none]
host = discard:
[relay no]
host = error:5.7.1 not from here
[relay stop]
host = hold: the boss looks at it first
[route a]
recipient = *@none.example
relay = none
[route b]
recipient = *@no.example
relay = no
[route c]
recipient = *@stop.example
relay = stop
'''


def test_words():
    sink = Sink(name='e1')
    relay = Relay('e', port=sink.port, more=WORDS)
    one = relay.send('a@none.example', 'b@no.example', 'c@stop.example', 'd@x.example',
                     sender='alice@x.example')
    sink.got(2, 'words: one recipient has a server, and the sender a bounce')
    bounce = [text for envelope, text in sink.received() if recipients(envelope) == ['alice@x.example']]
    ok(bounce and 'not from here' in bounce[0] and '5.7.1' in bounce[0] and
       'Final-Recipient: rfc822; b@no.example' in bounce[0] and
       bounce[0].count('Final-Recipient') == 1,
       'words: error: returns it with its words', bounce)
    ok(until(lambda: relay.results(one, 'sent')), 'words: discard: counts as delivered')
    ok(until(lambda: (relay.message(one) or {}).get('state') == 'held'), 'words: hold: holds the rest',
       relay.tail)
    m = relay.message(one) or {}
    eq(m.get('reason'), 'route', 'words: by its route')
    ok(re.match('held by its route: the boss looks', m.get('why', '')), 'words: as mailq says', m)
    ok('the boss looks at it first' in json.dumps(m), 'words: with its reason', m)
    relay.configure(port=sink.port)
    relay.run('nightmail', 'reload')
    relay.is_empty('words: with another route it goes')
    relay.stop()


def test_hosts():
    sink, dead = Sink(name='f1'), Sink(name='f2')
    dead.stop()
    relay = Relay('f3', host='127.0.0.9 127.0.0.1', port=sink.port)
    relay.send('a@x.example')
    sink.got(1, 'hosts: the next one of the list takes it')
    relay.stop()
    relay = Relay('f4', host='127.0.0.9*5 127.0.0.1*1 127.0.0.8', port=sink.port)
    for n in range(3):
        relay.send('a%d@x.example' % n)
    relay.is_empty('hosts: with weights, too')
    relay.stop()


def test_loop():
    sink = Sink(name='g1')
    relay = Relay('g', port=sink.port)
    hops = ''.join('Received: from h%d by g%d; Thu, 1 Jan 2026 00:00:00 +0000\n' % (n, n)
                   for n in range(60))
    relay.sendmail('-f', 'a@x.example', 'b@x.example', text=hops + 'Subject: x\n\nx\n')
    ok(until(lambda: relay.files('dead')), 'loop: more than 50 Received fields: dead', relay.tail)
    ok(any('loop' in json.dumps(m) for m in relay.queue('--all')), 'loop: and why')
    eq(len(sink.received()), 0, 'loop: it was sent nowhere')
    relay.stop()


test_rules()
test_held()
test_all_held()
test_reload()
test_alias()
test_lifetime()
test_lifetime_hold()
test_words()
test_hosts()
test_loop()
done()
