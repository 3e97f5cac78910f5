#!/usr/bin/env python3
"""mailq while the daemon runs: hold, release, flush, delete, bounce, and what happens to a message
that is being delivered at that moment."""
import json
import os
import re
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from system import *  # noqa: E402


def mailq(relay, *args):
    r = relay.run('mailq', *args)
    ok(r.returncode == 0, 'mailq %s: status 0' % args[0], r)
    return r


def status(relay):
    return json.loads(relay.run('nightmail', 'status', '--json').stdout)


def waiting(relay):
    return [(d['domain'], d['waiting']) for d in status(relay)['destinations']]


def test_hold_and_release():
    sink = Sink(name='s1')
    sink.stop()
    relay = Relay('r1', port=sink.port)
    held, free = relay.send('held@example.org'), relay.send('free@example.org')
    mailq(relay, 'hold', held[-6:])
    ok('held by' in relay.why(held) and relay.message(held)['state'] == 'held', 'hold: mailq tells',
       relay.why(held))
    sink = sink.again()
    ok(until(lambda: relay.files() == [held]), 'hold: only the other one goes', relay.files)
    relay.stop()
    relay.start()
    eq(relay.message(held)['state'], 'held', 'hold: it outlives a restart')
    mailq(relay, 'release', held)
    relay.is_empty('release: it goes')
    eq(sorted(t['address'] for e, _ in sink.received() for t in e['to']),
       ['free@example.org', 'held@example.org'], 'release: each once')
    r = relay.run('mailq', 'release', held)
    ok(r.returncode != 0, 'a message that is gone: told', r)


def test_flush():
    sink = Sink(name='s2')
    sink.stop()
    relay = Relay('r2', port=sink.port, probe='1h')
    id = relay.send('bob@example.org')
    relay.waits_because(id, r'next try in (59|60) min|next try in 1 h', 'flush: an hour to wait')
    sink = sink.again('--reply', 'mail=451 4.3.0 later,1')
    r = mailq(relay, 'flush', '--all')
    ok(b'will be tried now' in r.stdout, 'flush: so it is told', r)
    sink.got(1, 'flush: a held relay is tried at once', 20)
    relay.configure(port=sink.port, retry='1h 1h')
    relay.run('nightmail', 'reload')
    sink = sink.again('--reply', 'mail=451 4.3.0 later,1')
    id = relay.send('carol@example.org')
    relay.waits_because(id, r'451 4\.3\.0 later.*next try in', 'flush: a deferred message')
    told = status(relay)['relays'][0]
    ok('451 4.3.0 later' in told['last_reply'] and told['last_failure'] and
       '451' not in told['failure'], 'status: the last failure keeps its own words', told)
    mailq(relay, 'flush', id)
    relay.is_empty('flush: it is tried at once')


def test_held_is_not_waiting():
    sink = Sink('--reply', 'content=451 4.3.0 later', name='s8')
    relay = Relay('r8', port=sink.port, retry='1h 1h')
    ids = [relay.send(to) for to in ('bob@example.org', 'carol@example.org')]
    for id in ids:
        relay.waits_because(id, '451 4.3.0 later', 'waiting: a deferred message')
    eq(waiting(relay), [('example.org', 2)], 'waiting: both, for their destination')
    mailq(relay, 'hold', ids[0])
    eq(waiting(relay), [('example.org', 1)], 'waiting: one that is held does not')
    mailq(relay, 'hold', ids[1])
    eq(waiting(relay), [], 'waiting: a destination for which only held ones are is in no trouble')


def test_delete():
    sink = Sink(name='s3')
    sink.stop()
    relay = Relay('r3', port=sink.port)
    id = relay.send('bob@example.org')
    mailq(relay, 'delete', id)
    eq(relay.files(), [], 'delete: it is out of the queue')
    ok(relay.files('dead') == [id] and 'kept until' in relay.why(id), 'delete: kept for a day',
       relay.why(id))
    sink = sink.again()
    relay.send('carol@example.org')
    sink.got(1, 'delete: other mail goes, and no bounce')
    relay.is_empty('delete: nothing is left')


def test_while_active():
    """The server takes its time over the message; what is asked meanwhile happens afterwards."""
    sink = Sink('--delay', '700', '--reply', 'content=451 4.3.0 later', name='s4')
    relay = Relay('r4', port=sink.port)
    id = relay.send('bob@example.org')
    ok(until(lambda: (relay.message(id) or {}).get('state') == 'active'), 'active: it is being delivered',
       relay.tail)
    started = time.monotonic()
    r = mailq(relay, 'hold', id)
    ok(re.search(rb'after|attempt|being delivered', r.stdout + r.stderr), 'active: told that it comes later', r)
    ok(time.monotonic() - started < 3, 'active: mailq does not wait')
    mailq(relay, 'flush', '--all')
    ok(until(lambda: relay.message(id)['state'] == 'held'),
       'active: held after the attempt, whatever was flushed meanwhile', relay.tail)
    eq(relay.message(id)['attempts'], 1, 'active: the attempt was finished')


def test_release_while_active():
    """Nothing is held during an attempt; what is to be held afterwards can be let off."""
    sink = Sink('--delay', '700', '--reply', 'content=451 4.3.0 later', name='s7')
    relay = Relay('r7', port=sink.port)
    id = relay.send('bob@example.org')
    ok(until(lambda: (relay.message(id) or {}).get('state') == 'active'), 'active: delivery begins',
       relay.tail)
    r = relay.run('mailq', 'release', id)
    ok(r.returncode == 75 and b'it is not held' in r.stderr, 'active: it is not held, and that is told', r)
    mailq(relay, 'hold', id)
    mailq(relay, 'release', id)
    ok(until(lambda: relay.message(id)['state'] == 'deferred'), 'active: it is not held afterwards', relay.tail)


def test_listing():
    sink = Sink(name='s5')
    sink.stop()
    relay = Relay('r5', port=sink.port)
    eq(relay.run('mailq').stdout, b'Mail queue is empty\n', 'an empty queue')
    for n in range(300):
        relay.sendmail('-f', 'a@home.example', 'r%d@example.org' % n)
    r = mailq(relay, 'list')
    lines = r.stdout.decode().splitlines()
    eq(len([x for x in lines if re.match(r'[0-9A-Z]{16}\b', x)]), 300, 'each ID stands in column one')
    ok(re.fullmatch(r'-- \d+ Kbytes in 300 Requests\.', lines[-1]), 'the last line counts', lines[-1])
    eq(len(relay.queue()), 300, '--json has each of them')
    status = relay.run('nightmail', 'status').stdout.decode()
    ok('300' in status and 'held' in status, 'nightmail status counts too', status)
    mailq(relay, 'delete', '--all')
    eq(relay.files(), [], 'delete --all')


def test_bounce_log():
    """What is given up by hand is told in the log as what a server refused."""
    sink = Sink(name='s6')
    sink.stop()
    relay = Relay('r6', port=sink.port)
    id = relay.send('bob@example.org', 'eve@example.org')
    relay.waits_because(id, 'refused', 'it waits')
    r = mailq(relay, 'bounce', id)
    ok(until(lambda: len(relay.results(id, 'bounced')) == 2), 'bounce: a line for each recipient', r)
    eq([(f['to'], f['dsn'], f['relay']) for f in relay.results(id, 'bounced')],
       [('bob@example.org', '5.7.1', 'none'), ('eve@example.org', '5.7.1', 'none')],
       'bounce: with the fields of every other')


def test_edit_large():
    sink = Sink(name='s9')
    sink.stop()
    relay = Relay('r9', port=sink.port)
    small, large = [relay.send('bob@example.org', body='x' * 70 + '\n' + ('y' * 70 + '\n') * lines)
                    for lines in (1, 250000)]
    mailq(relay, 'edit', small, '--to', 'bob@example.org=joe@example.org')
    r = relay.run('mailq', 'edit', large, '--to', 'bob@example.org=joe@example.org')
    ok(r.returncode == 77 and b'edit it while nightmaild is stopped' in r.stderr,
       'edit: a message that would stop all other mail for long is refused', r)
    eq([t['address'] for t in relay.message(large)['recipients']], ['bob@example.org'], 'and stays')
    relay.stop()
    mailq(relay, 'edit', large, '--to', 'bob@example.org=joe@example.org')
    eq([[t['address'] for t in m['recipients']] for m in relay.queue()], [['joe@example.org']] * 2,
       'without the daemon it is done')


test_bounce_log()
test_edit_large()
test_hold_and_release()
test_flush()
test_held_is_not_waiting()
test_delete()
test_while_active()
test_release_while_active()
test_listing()
done()
