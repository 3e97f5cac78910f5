#!/usr/bin/env python3
"""When mail goes: connections grow and shrink with what the smarthost takes; urgent mail passes a
newsletter; mail for later waits for its time; a network that comes up is noticed."""
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from listening import Listening  # noqa: E402
from system import *  # noqa: E402


def fill(relay, count, name, domain='example.org'):
    """So many messages in the queue, by one merge."""
    rows = path(name + '.csv', 'to\n' + ''.join('u%d@%s\n' % (n, domain) for n in range(count)))
    text = path(name + '.eml', 'To: {{to}}\nSubject: %s\n\nHello.\n' % name)
    r = relay.run('send', '--template', text, '--data', rows, '-f', 'news@home.example')
    ok(r.returncode == 0, '%s: %d messages are queued' % (name, count), r)


def busy_smarthost(most, count):
    """It answers 421 beyond so many connections: nobody's mail waits for an interval."""
    name = 'a smarthost for %d connections' % most
    sink = Sink('--busy-beyond', str(most), '--connections', '200', '--delay', '5', keep=False,
                name='busy%d' % most)
    relay = Relay('busy%d' % most, start=False)
    relay.configure(port=sink.port, connections=50, probe='1h', retry='1h 4h',
                    queue='user-limit = never')
    fill(relay, count, 'busy%d' % most)
    relay.start()
    relay.is_empty('%s, connections = 50: %d of %d leave' % (name, count, count), PATIENCE * 2)
    eq(len(sink.events('message')), count, '%s: each once' % name)
    words = relay.words()
    ok('is held' not in words and 'status=deferred' not in words,
       '%s: the relay was never held, and no message put off' % name, relay.tail)
    opened, turned_away = len(sink.events('opened')), len(sink.events('turned-away'))
    ok(opened > 1 and turned_away <= 30 and (most > 2 or turned_away > 0),
       '%s: it was used by several connections, and not pressed' % name,
       '%d opened, %d turned away' % (opened, turned_away))
    relay.reported(relay.stop())
    sink.stop()


def full_for_a_moment():
    """Nothing of ours is open, and the server has no room: it is asked again in seconds."""
    sink = Sink('--busy-beyond', '1', name='moment')
    relay = Relay('moment', port=sink.port, probe='1h', retry='1h 4h')
    first = relay.send('a@example.org')
    ok(until(lambda: not relay.message(first)), 'a full server: it took mail a moment ago')
    ok(until(lambda: len(sink.events('closed')) == 1), 'a full server: we have left')
    with socket.create_connection(('127.0.0.1', sink.port)) as other:
        other.recv(100)
        relay.send('b@example.org')
        ok(until(lambda: sink.events('turned-away')), 'a full server: somebody else is there')
    relay.is_empty('a full server: the mail leaves without waiting for a probe')
    ok('is held' not in relay.words(), 'a full server: the relay was not held', relay.tail)
    relay.reported(relay.stop())
    sink.stop()


def priorities():
    """An alert passes a newsletter that was there long before."""
    sink = Sink(name='lanes')
    relay = Relay('lanes', start=False)
    relay.configure(port=sink.port, connections=1, queue='user-limit = never')
    rows = path('news.csv', 'to\n' + ''.join('n%d@example.org\n' % n for n in range(200)))
    text = path('news.eml', 'To: {{to}}\nSubject: News\nPrecedence: bulk\n\nHello.\n')
    r = relay.run('send', '--template', text, '--data', rows, '-f', 'news@home.example')
    ok(r.returncode == 0, 'lanes: a newsletter is queued', r)
    relay.send('plain@example.org', subject='Plain')
    relay.send('ops@example.org', subject='Disk full', args=['--priority', 'high'])
    relay.run('sendmail', 'boss@example.org', text='Subject: x\nX-Priority: 1\n\nNow.\n')
    relay.start()
    relay.is_empty('lanes: all leave', PATIENCE * 2)
    order = [e['to'][0]['address'] if isinstance(e['to'][0], dict) else e['to'][0]
             for e, _ in sink.received()]
    place = {a: order.index(a) for a in ('ops@example.org', 'boss@example.org', 'plain@example.org')}
    ok(max(place['ops@example.org'], place['boss@example.org']) < 10,
       'lanes: the alerts, which came last, go first', place)
    ok(place['plain@example.org'] < 10, 'lanes: then ordinary mail', place)
    eq(sum('X-Nightmail' in t for _, t in sink.received()), 0, 'lanes: nobody sees how it was sent')
    relay.reported(relay.stop())
    sink.stop()


def later():
    """--at: held back until then, over restarts; a flush sends it now."""
    sink = Sink(name='later')
    relay = Relay('later', port=sink.port)
    soon = relay.send('soon@example.org', args=['--at', '+2s'])
    far = relay.send('far@example.org', args=['--at', '+3d'])
    m = relay.message(far)
    eq(m['state'], 'deferred', 'later: it is deferred')
    ok(abs(m['next'] - time.time() - 3 * 86400) < 60, 'later: until its time', m)
    ok('to be sent at a later time' in m['why'], 'later: and says so', m)
    ok(until(lambda: not relay.message(soon)), 'later: what is due leaves', relay.tail)
    relay.stop(signal.SIGKILL)
    relay.start()
    relay.waits_because(far, 'to be sent at a later time', 'later: a crash forgets nothing')
    eq(len(sink.received()), 1, 'later: it was not sent')
    eq(relay.run('mailq', 'flush', far).returncode, 0, 'later: it is flushed')
    relay.is_empty('later: and leaves at once')
    r = relay.run('send', 'x@example.org', '--at', 'yesterday 08:00', '-s', 'x', text='x')
    eq((r.returncode, b'--at' in r.stderr), (64, True), 'later: a time that is none is refused')
    r = relay.run('send', 'x@example.org', '--at', '2020-01-01 08:00', '-s', 'x', text='x')
    eq((r.returncode, b'over' in r.stderr), (64, True), 'later: and one that is over')
    relay.reported(relay.stop())
    sink.stop()


def chosen_relay():
    """--relay: the sender says which."""
    first, second = Sink(name='chosen1'), Sink(name='chosen2')
    more = '[relay office]\nhost = 127.0.0.1\nport = %d\ntls = none\n' % second.port
    relay = Relay('chosen', port=first.port, more=more)
    relay.send('a@example.org', args=['--relay', 'office'])
    relay.send('b@example.org')
    relay.is_empty('relay: both leave')
    eq((len(first.received()), len(second.received())), (1, 1), 'relay: each by its own')
    third = relay.send('c@example.org', args=['--at', '+3d'])
    r = relay.run('mailq', 'edit', third, '--relay', 'offce')
    ok(r.returncode and b'no [relay offce]' in r.stderr + r.stdout,
       'relay: an edit cannot invent one', r)
    fourth = relay.send('d@example.org', args=['--at', '+3d', '--relay', 'office', '--priority', 'low'])
    shown = relay.run('mailq', 'show', fourth).stdout
    ok(re.search(br'^relay +office$', shown, re.M) and re.search(br'^priority +low$', shown, re.M),
       'relay: show tells both wishes', shown)
    ok(b'\npriority' not in relay.run('mailq', 'show', third).stdout, 'relay: and none that is usual')
    eq(relay.run('mailq', 'delete', fourth).returncode, 0, 'relay: it is deleted')
    eq(relay.run('mailq', 'edit', third, '--relay', 'office', '--at', 'now').returncode, 0,
       'relay: a message that waits is given another relay and time')
    relay.is_empty('relay: and leaves at once')
    eq((len(first.received()), len(second.received())), (1, 2), 'relay: by that one')
    r = relay.run('send', 'x@example.org', '--relay', 'offce', '-s', 'x', text='x')
    eq((r.returncode, b'office' in r.stderr), (64, True),
       'relay: one that does not exist is refused, with the one that may be meant')
    relay.reported(relay.stop())
    first.stop()
    second.stop()


class Island(Relay):
    """A relay in a network of its own, which has no interface that is up."""

    def start(self):
        Process.__init__(self, self.name, ['unshare', '-n', '--', BUILD + '/nightmaild'], self.env)
        ok(until(lambda: b'running' in self.run('nightmail', 'status').stdout),
           'the relay starts without a network', self.words)

    def inside(self, *command):
        return ['nsenter', '-t', str(self.popen.pid), '-n'] + list(command)


def asked_for_by_header():
    """Programs that know no option say it in the header; a client by TCP cannot choose the relay."""
    first, second = Sink(name='header1'), Sink(name='header2')
    more = '[relay office]\nhost = 127.0.0.1\nport = %d\ntls = none\n' % second.port
    relay = Listening('header', port=first.port, more=more)
    field = 'x\r\nX-Nightmail: priority=low relay=office'
    for client in (relay.local(), relay.client()):
        eq(client.mail(subject=field)[0], 250, 'header: a message is taken')
    relay.is_empty('header: both leave')
    eq((len(first.received()), len(second.received())), (1, 1),
       'header: the user of this machine chose the relay, the client by TCP did not')
    eq(sum('X-Nightmail' in t for _, t in first.received() + second.received()), 0,
       'header: nobody sees it')
    eq(relay.client().mail(subject='x\r\nX-Nightmail: at=whenever')[0], 554,
       'header: what is not understood is refused')
    eq(relay.local().mail(subject='x\r\nX-Nightmail: at=+3d')[0], 250, 'header: one for later')
    ok(until(lambda: 'at a later time' in (relay.queue() or [{'why': ''}])[0]['why']),
       'header: waits', relay.queue)
    relay.reported(relay.stop())
    first.stop()
    second.stop()


def network_comes_up():
    """Mail that waits for want of a network leaves when there is one, not an hour later."""
    if os.geteuid() != 0 or not all(map(shutil.which, ('unshare', 'nsenter', 'ip'))):
        skip('a network that comes up', 'needs root, unshare, nsenter and ip')
        return
    relay = Island('island', port=2525, probe='1h')
    id = relay.send('bob@example.org')
    relay.waits_because(id, 'waiting for relay default: cannot connect', 'network: none, and it waits')
    subprocess.run(relay.inside('ip', 'link', 'set', 'lo', 'up'), check=True)
    sink = Process('island-sink', relay.inside(BUILD + '/nightmail', 'sink', '--json',
                                               '--listen', '127.0.0.1:2525'))
    ok(until(lambda: 'listening' in read('island-sink.log')), 'network: a smarthost is there',
       sink.words)
    subprocess.run(relay.inside('ip', 'address', 'add', '192.0.2.1/32', 'dev', 'lo'), check=True)
    relay.is_empty('network: one comes up, and the mail leaves at once')
    ok(relay.says('relays that are held are tried at once'), 'network: the log says why', relay.tail)
    relay.reported(relay.stop())
    sink.stop()


def refused_senders():
    """One sender that is refused is that message's fault; three different ones in a row, and the
    relay takes nobody: the third waits, and so does all that follows."""
    sink = Sink('--reply', 'mail=550 5.7.1 sender refused', name='senders')
    relay = Relay('senders', port=sink.port, probe='1h', start=False)
    ids = []
    for n, sender in enumerate(('a@home.example', 'a@home.example', 'b@home.example')):
        ids.append(relay.send('x@example.org', sender=sender, args=['--priority', 'high']))
    relay.start()
    ok(until(lambda: not [i for i in ids if relay.message(i)]),
       'senders: mail of two that are refused is returned', relay.tail)
    third = relay.send('x@example.org', sender='c@home.example', args=['--priority', 'high'])
    relay.waits_because(third, 'waiting for relay default: every sender is refused',
                        'senders: the third in a row waits')
    relay.reported(relay.stop())
    sink.stop()


busy_smarthost(20, 600)
busy_smarthost(2, 500)
full_for_a_moment()
priorities()
later()
chosen_relay()
refused_senders()
asked_for_by_header()
network_comes_up()
done()
