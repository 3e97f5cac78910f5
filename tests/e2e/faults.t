#!/usr/bin/env python3
"""Every trouble a smarthost can make: nothing is lost, nothing bounced that should not be, mailq
tells why in words and when the next try is, and the mail leaves by itself when the cause is gone."""
import os
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from system import *  # noqa: E402

sequence = 0


def scene(*sink_args, **keys):
    """A relay and a smarthost of their own, so that no trouble is left over."""
    global sequence
    sequence += 1
    sink = Sink(*sink_args, name='sink%d' % sequence)
    return sink, Relay('relay%d' % sequence, port=sink.port, **keys)


def leaves(sink, relay, id, name, count=1):
    """After the cause is gone: delivered once, nothing else sent, nothing left, no bounce."""
    relay.is_empty('%s: it leaves by itself' % name)
    sink.got(count, '%s: the smarthost has it once' % name)
    eq([e['from'] for e, _ in sink.received()].count(''), 0, '%s: nobody got a bounce' % name)
    eq(relay.files('dead'), [], '%s: nothing was given up' % name)
    eq(relay.stop(), 0, '%s: the relay ends with status 0' % name)
    sink.stop()


def test_away():
    sink, relay = scene()
    sink.stop()
    id = relay.send('bob@example.org')
    relay.waits_because(id, r'^waiting for relay default: .*127\.0\.0\.1.*refused.*; next try in \d+ ',
                        'away: mailq names the cause and the next try')
    m = relay.message(id)
    eq((m['state'], m['attempts']), ('deferred', 0), 'away: it is no attempt of the message')
    ok(m['next'] and abs(m['next'] - time.time()) < 10, 'away: the time of the next try is told', m)
    ok(relay.run('send', 'b@example.org', '-s', 'x').returncode == 0, 'away: mail is accepted')
    ok(relay.run('mailq').stdout.decode().rstrip().splitlines()[-1].startswith('-- '),
       'away: the last line is what monitoring reads')
    leaves(sink.again(), relay, id, 'away', 2)


def test_wrong_password():
    good = path('good', 'sesame\n')
    bad = path('bad', 'open\n')
    sink, relay = scene('--tls', path('auth-tls'), '--auth', 'alice:' + good, '--require-auth',
                        tls='starttls', ca=path('auth-tls/ca.pem'), login='alice',
                        password='file:' + bad, probe='2s')
    ids = [relay.send('bob@example.org', subject=str(n)) for n in range(5)]
    relay.waits_because(ids[4], r'^waiting for relay default: login refused.*535.*; next try in ',
                        'password: mailq tells that the login was refused')
    started, before = time.monotonic(), len(sink.events('auth'))
    time.sleep(5)
    attempts = len(sink.events('auth')) - before
    ok(attempts <= (time.monotonic() - started) / 2 + 1, 'password: one attempt an interval',
       '%d attempts' % attempts)
    ok(all(e['code'] == 535 for e in sink.events('auth')), 'password: each one refused')
    ok('open' not in relay.words().replace('opened', '').replace('cannot open', ''),
       'password: it is not in the log', relay.words)
    path('bad', 'sesame\n')
    leaves(sink, relay, ids[0], 'password', 5)


def test_untrusted_certificate():
    sink, relay = scene('--tls', path('trust-tls'), tls='starttls', ca=own_ca('other')[0])
    id = relay.send('bob@example.org')
    relay.waits_because(id, r'the certificate is not trusted.*; next try in ',
                        'untrusted: mailq says so')
    eq(sink.received(), [], 'untrusted: nothing is sent')
    relay.configure(port=sink.port, tls='starttls', ca=path('trust-tls/ca.pem'))
    eq(relay.run('nightmail', 'reload').returncode, 0, 'untrusted: reload')
    leaves(sink, relay, id, 'untrusted')


def test_wrong_name():
    ca, cert, key = own_ca('other.example')
    sink, relay = scene('--cert', cert, '--key', key, tls='starttls', ca=ca, host='localhost')
    id = relay.send('bob@example.org')
    relay.waits_because(id, r'the certificate is not trusted.*localhost.*; next try in ',
                        'wrong name: mailq tells which name was expected')
    eq(sink.received(), [], 'wrong name: nothing is sent')
    relay.configure(port=sink.port, tls='starttls', ca=ca, host='127.0.0.1')
    eq(relay.run('nightmail', 'reload').returncode, 0, 'wrong name: reload')
    leaves(sink, relay, id, 'wrong name')


def test_452():
    sink, relay = scene('--reply', 'mail=452 4.3.1 the disk is full,1')
    id = relay.send('bob@example.org')
    relay.waits_because(id, r'refused for now by .*452 4\.3\.1 the disk is full.*; tried once, next try ',
                        '452: mailq has the words of the server')
    leaves(sink, relay, id, '452')


def test_one_bad_of_three():
    sink, relay = scene('--reply', 'rcpt:bad@example.org=450 4.2.1 come back,2')
    id = relay.send('a@example.org', 'bad@example.org', 'c@example.org')
    relay.waits_because(id, r'450 4\.2\.1 come back.*1 of 3 recipients wait',
                        'one of three: mailq tells which part waits')
    states = {r['address']: r['state'] for r in relay.message(id)['recipients']}
    eq(states, {'a@example.org': 'delivered', 'bad@example.org': 'deferred',
                'c@example.org': 'delivered'}, 'one of three: each recipient has its own state')
    relay.is_empty('one of three: the last one goes too')
    sink.got(2, 'one of three: two transactions')
    eq([sorted(t['address'] for t in e['to']) for e, _ in sink.received()],
       [['a@example.org', 'c@example.org'], ['bad@example.org']],
       'one of three: nobody gets it twice')
    relay.stop()
    sink.stop()


def test_421_greeting():
    sink, relay = scene('--reply', 'greeting=421 4.7.0 too busy')
    id = relay.send('bob@example.org')
    relay.waits_because(id, r'^waiting for relay default: .*421 4\.7\.0 too busy.*; next try ',
                        '421: the relay is held, not the message')
    eq(relay.message(id)['attempts'], 0, '421: it is no attempt of the message')
    leaves(sink.again(), relay, id, '421')


def test_cut_in_data():
    sink, relay = scene('--close-at', 'content,1')
    # More than the buffers of two sockets hold, so that the dot cannot have been sent.
    id = relay.send('bob@example.org', body=('x' * 70 + '\n') * 300000)
    leaves(sink, relay, id, 'cut in DATA')
    ok('status=deferred' in relay.words(), 'cut in DATA: the first attempt failed', relay.tail)
    ok('possibly-twice' not in relay.words(), 'cut in DATA: it went once, and nobody doubts it',
       relay.tail)


def test_cut_after_the_dot():
    sink, relay = scene('--close-at', 'dot,1', retry='3s 3s')
    id = relay.send('bob@example.org')
    ok(until(lambda: 'possibly-twice' in (relay.message(id) or {}).get('flags', [])),
       'cut after the dot: mailq flags it', lambda: '%s\n%s' % (relay.message(id), relay.tail()))
    ok(any(f.get('possibly-twice') == 'yes' for f in relay.results(id)),
       'cut after the dot: the log flags it', relay.tail)
    relay.is_empty('cut after the dot: it is tried again')
    sink.got(2, 'cut after the dot: the smarthost has it twice, as flagged')
    eq(relay.stop(), 0, 'cut after the dot: the relay ends with status 0')
    sink.stop()


def test_second_host():
    """Of several hosts the first one that works is taken."""
    second = Sink(name='second', host='127.0.0.2')
    relay = Relay('relay-second', host='127.0.0.1 127.0.0.2', port=second.port)
    id = relay.send('bob@example.org')
    second.got(1, 'second host: it has the mail')
    ok(until(lambda: relay.results(id, 'sent')) and '127.0.0.2' in relay.results(id)[0]['host'],
       'second host: the log names it', relay.tail)
    first = Sink('--reply', 'greeting=554 5.3.2 no service', name='first', port=second.port)
    second.stop()
    id = relay.send('bob@example.org')
    relay.waits_because(id, r'^waiting for relay default: ', 'both hosts fail: mailq tells')
    leaves(first.again(), relay, id, 'the first one is back')


def test_many_connections():
    """With mail waiting, connections grow up to what is allowed, and shrink when refused."""
    sink, relay = scene(connections=4)
    sink.stop()
    for n in range(150):
        relay.sendmail('-f', 'a@home.example', 'r%d@example.org' % n)
    sink = sink.again('--delay', '20')
    relay.is_empty('connections: all mail is gone')
    sink.got(150, 'connections: each message once')
    used = {e['connection'] for e in sink.events('opened')}
    ok(2 <= len(used) <= 8, 'connections: several were used', len(used))


def test_per_connection():
    sink, relay = scene(per_connection=10)
    for n in range(45):
        relay.sendmail('-f', 'a@home.example', 'r%d@example.org' % n)
    relay.is_empty('per-connection: all mail is gone')
    count = {}
    for envelope, _ in sink.received():
        count[envelope['connection']] = count.get(envelope['connection'], 0) + 1
    eq(sum(count.values()), 45, 'per-connection: each message once')
    ok(max(count.values()) <= 10, 'per-connection: no connection had more than allowed', count)


test_away()
test_wrong_password()
test_untrusted_certificate()
test_wrong_name()
test_452()
test_one_bad_of_three()
test_421_greeting()
test_cut_in_data()
test_cut_after_the_dot()
test_second_host()
test_many_connections()
test_per_connection()
done()
