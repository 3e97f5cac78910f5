#!/usr/bin/env python3
"""How much goes: rates, quotas and limits for each recipient domain hold, also over restarts and
crashes, and mailq says what mail waits for."""
import json
import os
import re
import signal
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from system import *  # noqa: E402


def fill(relay, count, name, domain='example.org'):
    """So many messages in the queue, by one merge."""
    rows = path(name + '.csv', 'to\n' + ''.join('u%d@%s\n' % (n, domain) for n in range(count)))
    text = path(name + '.eml', 'To: {{to}}\nSubject: %s\n\nHello.\n' % name)
    r = relay.run('send', '--template', text, '--data', rows, '-f', 'news@home.example')
    ok(r.returncode == 0, '%s: %d messages are queued' % (name, count), r)


class Noon(Relay):
    """A relay whose day has hours to go."""

    def start(self):
        self.env['TZ'] = 'TST%+d' % (time.gmtime().tm_hour - 12)
        super().start()


def sent_times(sink):
    return len(sink.events('message'))


def quota():
    """A day's quota in recipients: what is over it waits and says so, also after a restart and
    after a crash; when it is raised, the rest goes."""
    sink = Sink(name='quota', keep=False)
    relay = Noon('quota', port=sink.port, quota='10/d', queue='user-limit = never')
    both = relay.send('a@example.org', 'b@example.org', subject='Two')
    ok(until(lambda: not relay.message(both)), 'quota: a message for two goes', relay.tail)
    fill(relay, 12, 'quota')
    ok(until(lambda: sent_times(sink) == 9), 'quota: eight more recipients get their mail',
       lambda: sent_times(sink))
    relay.waits_because(relay.queue()[0]['id'],
                        r'^waits for the quota of relay default: 10 a day, free again at 00:00$',
                        'quota: mailq says what the others wait for')
    ok(b'10 a day, free again at 00:00' in relay.run('nightmail', 'status').stdout,
       'quota: and so does status', relay.run('nightmail', 'status').stdout)
    ok(b'waits: 10 a day, free' in relay.run('nightmail', '--plain').stdout,
       'quota: and the dashboard', relay.run('nightmail', '--plain').stdout)
    eq([m['state'] for m in relay.queue()], ['deferred'] * 4, 'quota: four are deferred')
    eq(sum(m['attempts'] for m in relay.queue()), 0, 'quota: and were not tried')
    eq(relay.stop(), 0, 'quota: the relay stops')
    relay.start()
    relay.waits_because(relay.queue()[0]['id'], 'waits for the quota', 'quota: a restart knows it')
    relay.stop(signal.SIGKILL)
    relay.start()
    relay.waits_because(relay.queue()[0]['id'], 'waits for the quota', 'quota: and so does a crash')
    eq(sent_times(sink), 9, 'quota: nothing more has left')
    relay.configure(port=sink.port, quota='100/d', queue='user-limit = never')
    eq(relay.run('nightmail', 'reload').returncode, 0, 'quota: a larger one is read')
    relay.is_empty('quota: then the rest leaves')
    eq(sent_times(sink), 13, 'quota: each once')
    relay.reported(relay.stop())
    sink.stop()


def of_one_relay():
    """Who waits for the quota of one relay keeps nobody waiting whose mail goes another way."""
    sink, office = Sink(name='one'), Sink(name='office')
    quota, more = 'quota = 1/d', '''
[relay office]
host = 127.0.0.1
port = %d
tls = none
%%s
[route lan]
recipient = *@lan.example
relay = office
''' % office.port
    relay = Noon('one', port=sink.port, more=more % quota)
    relay.send('a@lan.example')
    office.got(1, 'relays: the quota of one is used up')
    both = relay.send('x@lan.example', 'b@example.org')
    sink.got(1, 'relays: by the other one mail goes on')
    relay.waits_because(both, 'waits for the quota of relay office', 'relays: and the rest waits')
    eq(len(office.received()), 1, 'relays: nothing more has left by the first')
    relay.configure(port=sink.port, more=more % '')
    eq(relay.run('nightmail', 'reload').returncode, 0, 'relays: without a quota')
    relay.is_empty('relays: the rest leaves')
    eq(sorted(r['address'] for e, _ in sink.received() + office.received() for r in e['to']),
       ['a@lan.example', 'b@example.org', 'x@lan.example'], 'relays: each once')
    relay.reported(relay.stop())


def explained():
    """`explain` tells which limits hold, what is used of them and when mail goes on."""
    sink = Sink(name='explained', keep=False)
    relay = Noon('explained', port=sink.port, quota='10/d', rate='1/h', domain_quota='5/h 2/d',
                 start=False)

    def told(*to):
        return relay.run('nightmail', 'explain', 'a@home.example', *to).stdout.decode()

    ok(re.search(r'^limits   1 messages in 1 h\n +10 recipients a day\n +to x.example: 5 recipients an '
                 r'hour\n +to x.example: 2 recipients a day\n +how much is used is not known: ',
                 told('b@x.example'), re.M), 'explain: the limits, while no daemon runs',
       lambda: told('b@x.example'))
    relay.start()
    ok('10 recipients a day: nothing used\n' in told('b@x.example'), 'explain: nothing is used yet',
       lambda: told('b@x.example'))
    first = relay.send('b@x.example', 'c@x.example')
    ok(until(lambda: not relay.message(first)), 'explain: a message for two goes', relay.tail)
    text = told('b@x.example', 'z@z.example')
    for pattern in (r'^limits   1 messages in 1 h; the next one goes at 20\d\d-',
                    r'^ +10 recipients a day: 2 used, counted until 20\d\d-\d\d-\d\d 00:00:00',
                    r'^ +to x.example: 2 recipients a day: used up, mail waits until 20.* 00:00:00',
                    r'^ +to z.example: 2 recipients a day: nothing used'):
        ok(re.search(pattern, text, re.M), 'explain: ' + pattern, text)
    r = relay.run('nightmail', 'explain', '--json', 'a@home.example', 'b@x.example')
    eq([(l['domain'], l['kind'], l['limit'], l['per'], l['used'], l['waits'], l['next'] is not None)
        for l in json.loads(r.stdout)['ways'][0]['limits']],
       [(None, 'rate', 1, 3600, None, True, True), (None, 'day', 10, 86400, 2, False, True),
        ('x.example', 'hour', 5, 3600, 2, False, True), ('x.example', 'day', 2, 86400, 2, True, True)],
       'explain: and as JSON')
    relay.reported(relay.stop())
    sink.stop()


def refused_is_free():
    """What the server refuses costs no quota."""
    sink = Sink('--reply', 'rcpt:u0@example.org=450 4.2.1 busy', name='refused', keep=False)
    relay = Noon('refused', port=sink.port, quota='4/d', retry='1h 4h',
                  queue='user-limit = never')
    id = relay.send('u0@example.org', subject='Refused')
    ok(until(lambda: (relay.message(id) or {}).get('attempts')), 'refused: it is tried', relay.tail)
    fill(relay, 6, 'later', 'example.net')
    ok(until(lambda: sent_times(sink) == 4), 'refused: four others go', lambda: sent_times(sink))
    relay.waits_because(relay.queue()[-1]['id'], 'quota', 'refused: and then the quota is used up')
    relay.reported(relay.stop())
    sink.stop()


def rate():
    """Messages are spread over time, and a restart is no way around that."""
    sink = Sink(name='rate', keep=False)
    relay = Relay('rate', port=sink.port, rate='5/s', queue='user-limit = never')
    began = time.monotonic()
    fill(relay, 20, 'rate')
    relay.is_empty('rate: 20 messages leave')
    took = time.monotonic() - began
    ok(took >= 2.9, 'rate: five of them a second', took)
    relay.configure(port=sink.port, rate='1/h', queue='user-limit = never')
    relay.run('nightmail', 'reload')
    first = relay.send('a@example.org')
    ok(until(lambda: not relay.message(first)), 'rate: one an hour goes at once', relay.tail)
    second = relay.send('b@example.org')
    relay.waits_because(second, 'waits for the rate of relay default: 1 every 1 h',
                        'rate: the second waits')
    relay.stop(signal.SIGKILL)
    relay.start()
    relay.waits_because(second, 'waits for the rate', 'rate: also after a crash')
    relay.reported(relay.stop())
    sink.stop()


def domains():
    """Limits for each recipient domain: one that is used up holds nobody else up."""
    sink = Sink(name='domains', keep=False)
    relay = Noon('domains', port=sink.port, domain_quota='3/d', queue='user-limit = never')
    fill(relay, 10, 'domains', 'slow.example')
    ok(until(lambda: sent_times(sink) == 3), 'domains: three go to the one', lambda: sent_times(sink))
    fast = relay.send('x@fast.example')
    ok(until(lambda: not relay.message(fast)), 'domains: another has its own', relay.tail)
    relay.waits_because(relay.queue()[0]['id'],
                        'waits for the quota of relay default to slow.example: 3 a day',
                        'domains: mailq names it')
    mixed = relay.send('y@fast.example', 'y@slow.example')
    ok(until(lambda: sent_times(sink) == 5), 'domains: of mail for both one part goes now',
       relay.tail)
    relay.waits_because(mixed, 'to slow.example', 'domains: and the other waits')
    eq([(r['address'], r['state']) for r in relay.message(mixed)['recipients']],
       [('y@fast.example', 'delivered'), ('y@slow.example', 'pending')],
       'domains: mailq shows who has it')
    relay.stop(signal.SIGKILL)
    relay.start()
    relay.waits_because(mixed, 'to slow.example', 'domains: also after a crash')
    eq(sent_times(sink), 5, 'domains: nothing else has left')
    relay.configure(port=sink.port, domain_rate='5/s', queue='user-limit = never')
    began = time.monotonic()
    eq(relay.run('nightmail', 'reload').returncode, 0, 'domains: a rate instead')
    relay.is_empty('domains: the rest leaves')
    took = time.monotonic() - began
    ok(took >= 0.6, 'domains: at that rate', took)
    relay.reported(relay.stop())
    sink.stop()


def addresses(sink):
    return sorted(r['address'] for e, _ in sink.received() for r in e['to'])


def pauses():
    """Of a message that is partly tried those go at a restart that wait for nothing; who was told to
    come later keeps his pause, also when there are no limits any more."""
    sink = Sink('--reply', 'rcpt:busy@third.example=450 4.2.1 busy', name='pauses')
    keys = dict(port=sink.port, retry='1h 4h')
    relay = Noon('pauses', domain_quota='1/d', **keys)
    first = relay.send('x@slow.example')
    ok(until(lambda: not relay.message(first)), 'pauses: the quota of one domain is used', relay.tail)
    both = relay.send('busy@third.example', 'y@slow.example')
    ok(until(lambda: relay.results(both, 'deferred')), 'pauses: of two one is deferred', relay.tail)
    relay.stop()
    relay.configure(**keys)
    relay.start()
    ok(until(lambda: 'y@slow.example' in addresses(sink)), 'pauses: without limits the other one goes',
       relay.tail)
    ok(until(lambda: (relay.message(both) or {}).get('state') == 'deferred'), 'pauses: one is left',
       lambda: relay.message(both))
    eq(len(relay.results(both, 'deferred')), 1, 'pauses: who was deferred keeps his pause')
    relay.reported(relay.stop())
    sink.stop()


def parts():
    """One domain of a message is over its quota: all the others go at once, whatever else is wrong;
    an alias counts as the addresses that it is; who goes elsewhere is not kept waiting."""
    sink = Sink('--reply', 'rcpt:busy@third.example=450 4.2.1 busy', name='parts')
    office = Sink(name='parts2')
    aliases = path('parts.aliases', 'team: t@slow.example, t@fast.example, t@lan.example\n', 0o644)
    more = '''
[relay office]
host = 127.0.0.1
port = %d
tls = none
[route lan]
recipient = *@lan.example
relay = office
''' % office.port
    keys = dict(port=sink.port, more=more, identity='aliases = ' + aliases, retry='3s 3s')
    relay = Noon('parts', domain_quota='1/d', **keys)
    first = relay.send('x@slow.example')
    ok(until(lambda: not relay.message(first)), 'parts: the quota of one domain is used', relay.tail)
    alias = relay.send('team')
    ok(until(lambda: addresses(sink) == ['t@fast.example', 'x@slow.example'] and
             addresses(office) == ['t@lan.example']),
       'parts: of an alias all other addresses have it', lambda: (relay.tail(), addresses(sink)))
    relay.waits_because(alias, 'relay default to slow.example', 'parts: and one waits')
    later = relay.send('busy@third.example', 'y@slow.example')
    ok(until(lambda: len(relay.results(later, 'deferred')) >= 2),
       'parts: who was told to come later is tried again while another waits', relay.tail)
    eq({f['to'] for f in relay.results(later)}, {'busy@third.example'},
       'parts: that one is not tried')
    sink = sink.again()
    ok(until(lambda: 'busy@third.example' in addresses(sink)), 'parts: and gets it in its turn',
       relay.tail)
    lan = relay.send('z@slow.example', 'z@lan.example')
    ok(until(lambda: addresses(office) == ['t@lan.example', 'z@lan.example']),
       'parts: another relay is not kept waiting', relay.tail)
    relay.waits_because(lan, 'relay default to slow.example', 'parts: the rest waits')
    eq(addresses(sink), ['busy@third.example', 't@fast.example', 'x@slow.example'],
       'parts: nothing more has left')
    relay.configure(domain_quota='50/d', **keys)
    eq(relay.run('nightmail', 'reload').returncode, 0, 'parts: a larger quota')
    relay.is_empty('parts: all goes')
    eq(addresses(sink) + addresses(office),
       ['busy@third.example', 't@fast.example', 't@slow.example', 'x@slow.example', 'y@slow.example',
        'z@slow.example', 't@lan.example', 'z@lan.example'], 'parts: everybody has it once')
    relay.reported(relay.stop())


quota()
of_one_relay()
parts()
pauses()
explained()
refused_is_free()
rate()
domains()
done()
