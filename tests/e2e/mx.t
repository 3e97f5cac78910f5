#!/usr/bin/env python3
"""Servers found by DNS: MX and SRV from a name server of our own; destinations that are down hold
up nobody else, and their mail comes back when its time is over."""
import os
import re
import socket
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from names import Nsd, Silent, Zone, need  # noqa: E402
from system import *  # noqa: E402

need('nsd')
RECORDS = '''
a       MX 20 back.a
a       MX 10 mx.a
mx.a    A 127.0.0.2
back.a  A 127.0.0.3
b       A 127.0.0.3
null    MX 0 .
dead    MX 10 mx.dead
mx.dead A 127.0.0.9
dead2   MX 10 mx.dead2
mx.dead2 A 127.0.0.9
turn    MX 10 mx.dead
turn    MX 20 mx.a
us      MX 10 client
us      MX 20 mx.a
client  A 127.0.0.4
none    MX 10 nowhere
_submission._tcp.srv SRV 10 0 1 mx.dead
_submission._tcp.srv SRV 20 0 %d mx.a
srv     A 127.0.0.4
sts     MX 10 mx.a
xn--bcher-kva MX 10 mx.a
'''


def recipients(sink):
    return sorted(r['address'] for e, _ in sink.received() for r in e['to'])


def two_sinks(name):
    """On one port of two addresses of this machine."""
    for _ in range(20):
        one = Sink(name=name + '-2', host='127.0.0.2')
        with socket.socket() as s:
            try:
                s.bind(('127.0.0.3', one.port))
            except OSError:
                one.stop()
                continue
        return one, Sink(name=name + '-3', host='127.0.0.3', port=one.port)
    sys.exit('no port for two sinks')


one, two = two_sinks('sink')
zone = Nsd(Zone('example', RECORDS % one.port))


def more(server=zone.server):
    return 'resolver = ' + server


class Mx(Relay):
    """host = mx: through the name server; a smarthost takes what comes back to the sender."""

    def __init__(self, name, home, server=zone.server, port=one.port, **keys):
        self.server = server
        super().__init__(name, host='mx:', port=port, **dict({'tls': 'opportunistic', 'more': way_home(home)}, **keys))

    def configure(self, **keys):
        super().configure(**keys)
        with open(self.config) as f:
            text = f.read()
        with open(self.config, 'w') as f:
            f.write('resolver = %s\n' % self.server + text)


def test_mx():
    home = Sink(name='home1')
    told = path('mx1/told')
    tell = path('mx1/tell', '#!/bin/sh\ncat >>%s\n' % told, 0o700)
    relay = Mx('mx1', home, queue='[notify]\ncommand = ' + tell)
    which = relay.send('x@a.example', 'y@A.example', 'z@b.example', 'n@null.example',
                       'g@gone.example', 'u@us.example', 'v@none.example', 'l@[127.0.0.2]')
    one.got(2, 'MX: a domain\'s recipients go to its server, in one message')
    two.got(1, 'MX: without MX to the address of the domain')
    eq((recipients(one), recipients(two)),
       (['l@[127.0.0.2]', 'x@a.example', 'y@A.example'], ['z@b.example']), 'MX: each to its own')
    relay.is_empty('MX: what cannot go comes back')
    told = '\n'.join(text for _, text in home.received())
    for address, status, words in (
            ('n@null.example', '5.1.10', 'takes no mail'),
            ('g@gone.example', '5.1.2', 'does not exist'),
            ('u@us.example', '5.4.6', 'loops back to myself'),
            ('v@none.example', '5.4.4', 'no mail server of none.example has an address')):
        ok(address in told and status in told and words in re.sub(r'\s+', ' ', told),
           'MX: the sender hears why not: ' + words, told)
    ok(until(lambda: '"bounced"' in read('mx1/told')), 'MX: an alert tells of it', relay.tail)
    eq({json.loads(line).get('relay') for line in read('mx1/told').splitlines()
        if '"bounced"' in line}, {'default'}, 'MX: and names the relay as it is configured')
    relay.stop()


def test_nameless():
    home = Sink(name='home7')
    before = len(one.received())
    relay = Mx('mx7', home, identity='aliases = ' + path('mx7/aliases', 'broken: |/bin/log\n', 0o644))
    which = relay.send('broken', 'x@a.example')
    one.got(before + 1, 'local name: who has a domain gets it')
    ok(until(lambda: (relay.message(which) or {}).get('state') == 'held'),
       'local name: one that nobody knows is held, where each domain has its own servers, too',
       relay.tail)
    ok(not re.search(r'relay default is held', relay.words()), 'local name: and no relay is')
    relay.stop()


def keep_policy(relay, domain):
    """As if it had been fetched a moment ago: only a server that the domain has not is allowed."""
    line = b'policy id=1 fetched=%d' % (time.time() * 1000 - 1000)
    with open('%s/sts/%s' % (relay.spool, domain), 'wb') as f:
        f.write(b'%08x %s\nversion: STSv1\r\nmode: enforce\r\nmx: mx.other.example\r\n'
                b'max_age: 86400\r\n' % (crc32c(line), line))


def test_sts():
    home = Sink(name='home8')
    before = len(one.received())
    relay = Mx('mx8', home)
    keep_policy(relay, 'sts.example')
    keep_policy(relay, 'xn--bcher-kva.example')
    ascii_name = relay.send('x@sts.example')
    utf8_name = relay.send('x@b\u00fccher.example')
    words = r'MTA-STS policy \(mode enforce\) does not name mx\.a\.example'
    relay.waits_because(ascii_name, words, 'MTA-STS: a server that the policy does not name is not used')
    relay.waits_because(utf8_name, words, 'MTA-STS: also where the domain is written with U-labels')
    eq(len(one.received()), before, 'MTA-STS: nothing went there')
    ok('works again' not in relay.words(), 'MTA-STS: and what does not work is not said to', relay.tail)
    relay.stop()


def test_failover():
    before = len(one.received())
    home = Sink(name='home2')
    relay = Mx('mx2', home)
    relay.send('x@turn.example')
    one.got(before + 1, 'MX: the second server when the first does not answer')
    relay.stop()


def test_dead():
    before = len(one.received())
    home = Sink(name='home3')
    relay = Mx('mx3', home, queue='lifetime = 4s\nwarning = never')
    dead = relay.send('x@dead.example', 'y@a.example', 'z@dead2.example')
    ids = [relay.send('m%d@dead.example' % n) for n in range(5)]
    one.got(before + 1, 'dead: a domain whose server is down holds up no other')
    ok(until(lambda: re.search(r'127\.0\.0\.9', json.dumps(relay.message(dead) or {})) or
             home.received()), 'dead: mailq tells why it waits', lambda: relay.message(dead))
    relay.is_empty('dead: it comes back when its time is over')
    told = [text for _, text in home.received()]
    eq(len(told), 6, 'dead: all of it')
    ok(all('5.4.7' in text for text in told), 'dead: as expired', told[:1])
    ok(any('connection refused' in re.sub(r'\s+', ' ', t) for t in told),
       'dead: with what the server said', told[:1])
    log = relay.words()
    tries = len(re.findall(r'relay=default host=mx\.dead\.example:\d+ event="cannot connect"', log))
    ok(0 < tries <= 12, 'dead: it is tried once an interval, whatever waits for it', tries)
    ok('default to dead.example' in log, 'dead: the log names the destination', relay.tail)
    ok(not re.search(r'relay (default|home) is held', log), 'dead: and no relay is held', relay.tail)
    relay.stop()


def test_no_dns():
    silent = Silent()
    home = Sink(name='home4')
    relay = Mx('mx4', home, server=silent.server)
    which = relay.send('x@a.example', 'b@home.example')
    home.got(1, 'no DNS: what needs none goes')
    ok(until(lambda: re.search(r'cannot be looked up now', json.dumps(relay.message(which) or {}))),
       'no DNS: the rest waits, since nothing is proved', relay.tail)
    relay.stop()


def test_srv():
    before = len(one.received())
    relay = Mx('srv', Sink(name='home5'))
    relay.configure(host='srv:srv.example', port=1, tls='none')
    relay.run('nightmail', 'reload')
    relay.send('x@anywhere.test')
    one.got(before + 1, 'SRV: port and host come from the name server, in their order')
    relay.configure(host='srv:gone.example', port=1, tls='none')
    relay.run('nightmail', 'reload')
    which = relay.send('x@anywhere.test')
    relay.waits_because(which, r'gone\.example names no submission server',
                        'SRV: without a record the relay is held, not the mail returned')
    relay.stop()
    relay = Mx('mxof', Sink(name='home6'))
    relay.configure(host='mx:a.example', port=one.port, tls='none')
    relay.run('nightmail', 'reload')
    relay.send('x@elsewhere.test', 'y@b.example')
    one.got(before + 2, 'MX of one domain as the relay of all')
    relay.stop()


test_mx()
test_sts()
test_nameless()
test_failover()
test_dead()
test_no_dns()
test_srv()
done()
