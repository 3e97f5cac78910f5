#!/usr/bin/env python3
"""Storm control: a program that sends the same mail over and over reaches people a few times, the
rest is held, one digest tells of it, and people let it go or throw it away. Other mail goes as
ever, and neither a restart nor a kill in the middle changes any of that."""
import os
import quopri
import re
import signal
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from system import *  # noqa: E402

LONG = 'storm-limit = 5/1h'     # no digest while the test runs
SOON = 90                       # seconds for a digest that comes after a window of 20


def subjects(sink):
    return [re.search(r'^Subject: (.*)', text, re.M)[1].strip() for _, text in sink.received()]


def held(relay):
    return [m for m in relay.queue() if m['state'] == 'held']


def flood(relay, count, subject='disk full', sender='cron@home.example', first=0):
    for n in range(first, first + count):
        relay.send('ops@example.org', subject=subject, sender=sender, body='Alarm number %d.\n' % n)


def scene(name, queue, **keys):
    sink = Sink(name=name + '-sink')
    return sink, Relay(name, port=sink.port, queue=queue, **keys)


def settled(relay, waiting):
    """Everything else is gone, and nothing is in the making."""
    return until(lambda: len(held(relay)) == waiting and len(relay.files()) == waiting)


def digests(sink):
    return [(e, text) for e, text in sink.received() if 'Subject: Mail storm' in text]


def test_limit():
    sink, relay = scene('limit', LONG)
    flood(relay, 30)
    relay.send('ops@example.org', subject='disk empty', sender='cron@home.example')
    relay.send('ops@example.org', subject='disk full', sender='other@home.example')
    ok(settled(relay, 25), 'of 30 alike beyond 5 the rest is held', relay.tail)
    sink.got(7, 'five arrive, and what has another subject or sender')
    eq((subjects(sink).count('disk full'), subjects(sink).count('disk empty')), (6, 1),
       'these and no others')
    rows = held(relay)
    tags = {f for m in rows for f in m['flags']}
    eq({m['reason'] for m in rows}, {'storm'}, 'the reason is storm')
    ok(len(tags) == 1 and tags.pop() in ['storm=' + m['id'] for m in rows],
       'all have the tag of one of them', rows)
    ok(all('storm control' in m['why'] and 'mailq release' in m['why'] for m in rows),
       'mailq tells why in words', rows[:1])
    return sink, relay


def test_restart(sink, relay):
    relay.stop(signal.SIGKILL)
    relay.start()
    flood(relay, 3, first=30)
    ok(settled(relay, 28), 'after a kill the storm goes on', relay.tail)
    eq(len({f for m in held(relay) for f in m['flags']}), 1, 'it is the same storm')
    sink.got(7, 'nothing more arrives')
    eq(len(relay.files('dead')), 0, 'nothing is put aside')


def test_people(sink, relay):
    tag = held(relay)[0]['flags'][0]
    some = [m['id'] for m in held(relay)][-3:]
    eq(relay.run('mailq', 'delete', *some).returncode, 0, 'some are deleted')
    eq(sorted(relay.files('dead')), sorted(some), 'they are where deleted mail is')
    eq(relay.run('mailq', 'release', 'reason=storm', 'flags=storm=CCCCCCCCCCCCCCCC').returncode, 0,
       'another storm is named')
    eq(len(held(relay)), 25, 'and that touches none of this one')
    eq(relay.run('mailq', 'release', 'flags=' + tag).returncode, 0, 'the storm is released')
    relay.is_empty('it leaves')
    sink.got(32, 'each message once')
    numbers = sorted(int(re.search(r'number (\d+)', t)[1]) for _, t in sink.received() if 'Alarm' in t
                     and 'other@' not in t)
    eq(len(numbers), len(set(numbers)), 'none of them twice')
    eq(digests(sink), [], 'and nobody needs a digest of what people have seen')
    flood(relay, 1, first=40)
    ok(settled(relay, 1), 'the next one is too many still', relay.tail)
    ok(held(relay)[0]['flags'] == ['storm=' + held(relay)[0]['id']], 'and begins a storm of its own',
       held(relay))
    relay.stop()


def test_digest():
    sink, relay = scene('digest', 'storm-limit = 5/20s')
    flood(relay, 12)
    yield
    ok(until(lambda: digests(sink), SOON), 'when it is over a digest goes out', relay.tail)
    envelope, text = digests(sink)[0]
    waiting = held(relay)
    eq((envelope['from'], [t['address'] for t in envelope['to']]), ('', ['ops@example.org']),
       'from nobody, to who gets the mail')
    body = quopri.decodestring(text.split('\n\n', 1)[-1].split('\r\n\r\n', 1)[-1]).decode()
    tag = waiting[0]['flags'][0]
    for what, words in {'the count': '7 messages', 'the limit': 'more than 5', 'the time': '20 s',
                        'the sender': 'cron@home.example', 'the subject': 'disk full',
                        'how to release': 'mailq release flags=' + tag,
                        'how to delete': 'mailq delete flags=' + tag,
                        'a first text': '> Alarm number'}.items():
        ok(words in re.sub(r'\s+', ' ', body), 'it tells ' + what, body)
    ok(body.count('> Alarm number') == 2, 'and a last one', body)
    ok('Auto-Submitted: auto-generated' in text, 'it is marked as made by a program')
    ok(settled(relay, 7), 'what is held stays', relay.tail)
    relay.stop(signal.SIGKILL)
    relay.start()
    relay.send('ops@example.org', subject='marker')
    ok(until(lambda: 'marker' in subjects(sink)), 'after a kill other mail goes out', relay.tail)
    eq(len(digests(sink)), 1, 'there is one digest')
    eq(relay.run('mailq', 'delete', 'flags=' + tag).returncode, 0, 'the storm is deleted')
    relay.is_empty('nothing is left in the queue')
    relay.stop()


def test_digest_after_kill():
    """Killed while the storm goes on, and again when its digest is due."""
    sink, relay = scene('kill', 'storm-limit = 2/20s')
    flood(relay, 6)
    ok(settled(relay, 4), 'a storm', relay.tail)
    relay.stop(signal.SIGKILL)
    relay.start()
    yield
    ok(until(lambda: digests(sink), SOON), 'its digest comes after a kill', relay.tail)
    relay.stop(signal.SIGKILL)
    relay.start()
    relay.send('ops@example.org', subject='marker')
    ok(until(lambda: 'marker' in subjects(sink)), 'other mail goes out', relay.tail)
    eq(len(digests(sink)), 1, 'it comes once')
    ok('4 messages' in digests(sink)[0][1], 'with the whole count', digests(sink)[0][1])
    eq(len(held(relay)), 4, 'and nothing is lost')
    relay.stop()


def test_gathered():
    """What came while nightmaild was away is no storm, and switched off everything goes."""
    sink, relay = scene('gathered', 'storm-limit = 2/1h')
    relay.stop()
    flood(relay, 6)
    relay.start()
    relay.is_empty('what had gathered goes out')
    sink.got(6, 'all of it')
    flood(relay, 4)
    ok(settled(relay, 2), 'then it counts', relay.tail)
    relay.configure(port=sink.port, queue='storm-limit = never')
    eq(relay.run('nightmail', 'reload').returncode, 0, 'storm control is switched off')
    flood(relay, 4)
    ok(settled(relay, 2), 'what comes now goes out', relay.tail)
    sink.got(12, 'and what was held stays held')
    relay.stop()


sink, relay = test_limit()
test_restart(sink, relay)
test_people(sink, relay)
storms = [test_digest_after_kill(), test_digest()]  # whose time passes for both at once
for part in storms * 2:
    next(part, None)
test_gathered()
done()
