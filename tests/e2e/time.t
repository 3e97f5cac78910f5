#!/usr/bin/env python3
"""What months do, without waiting: the daemon runs in a time namespace whose CLOCK_BOOTTIME is
ahead. Mail behind a held relay is neither returned nor expired; after 30 days it is put aside,
with an alert; a storm after 7, and after its digest; what was put aside goes when its time is over.
Five crashes within a minute pause delivery, and a flush ends the pause."""
import os
import signal
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from system import *  # noqa: E402

DAY = 86400
LOOKS_AGAIN = 60 + PATIENCE  # the daemon does so once a minute


def made_older(name, seconds):
    """Puts the wall time of a file's last record, that of its burial, into the past."""
    with open(name, 'rb') as f:
        text = f.read()
    start = text.rstrip(b'\n').rfind(b'\n') + 1
    record = text[start:].rstrip(b'\n')[9:].decode()
    older = re.sub(r'(wall_ms=)(\d+)', lambda m: m[1] + str(int(m[2]) - seconds * 1000), record, count=1)
    if not ok(record.startswith('dead ') and older != record, 'the record of its burial', record):
        return
    with open(name, 'wb') as f:
        f.write(text[:start] + b'%08x ' % crc32c(older.encode()) + older.encode() + b'\n')


def held_for_a_month():
    relay = Relay('month', port=1, queue='lifetime = 5d')
    id = relay.send('bob@example.org', subject='Patience')
    relay.waits_because(id, 'cannot connect', 'the relay is held')
    relay.again(29)
    relay.waits_because(id, 'cannot connect', '29 days later it still waits')
    eq(relay.files(), [id], 'it is not returned, and there is no notice')
    relay.again(31)
    return relay, id


def see_it_put_aside(relay, id):
    ok(until(lambda: relay.files('dead') == [id], LOOKS_AGAIN), 'after 30 days it is put aside',
       relay.tail)
    relay.is_empty('and nobody gets a bounce')
    ok(relay.says('id=%s status=dead.*30 d' % id), 'the log says why', relay.tail)
    sink = Sink(name='month-sink')
    relay.stop()
    relay.days = 0
    relay.configure(port=sink.port)
    relay.start()
    eq(relay.run('mailq', 'release', id).returncode, 0, 'a person lets it go')
    sink.got(1, 'and it arrives')
    relay.is_empty('nothing is left of it')
    relay.stop()


def held_for_a_week():
    """A storm whose digest is due long before nightmaild is there again."""
    sink = Sink(name='week-sink')
    relay = Relay('week', port=sink.port, queue='storm-limit = 1/1h')
    ids = [relay.send('bob@example.org', subject='Again') for n in range(4)]
    ok(until(lambda: len(sink.received()) == 1 and
             [m['state'] for m in relay.queue()] == ['held'] * 3), 'a storm is held', relay.tail)
    relay.again(8)
    sink.got(2, 'eight days later its digest comes')
    ok('3 messages' in sink.received()[-1][1], 'with the count', sink.received()[-1][1])
    return relay, sorted(set(ids) & set(relay.files() + relay.files('dead')))


def see_the_storm_put_aside(relay, ids):
    ok(until(lambda: relay.files('dead') == ids and not relay.files(), LOOKS_AGAIN),
       'then the storm is put aside', relay.tail)
    eq(len(ids), 3, 'all of it')
    ok(relay.says('id=%s status=dead.*7 d' % ids[0]), 'the log says why', relay.tail)
    relay.stop()


def one_is_old():
    relay = Relay('sweep', port=1)
    young, old = relay.send('young@example.org'), relay.send('old@example.org')
    eq(relay.run('mailq', 'delete', young, old).returncode, 0, 'two messages are deleted')
    eq(sorted(relay.files('dead')), sorted([young, old]), 'they are kept for a day')
    relay.stop()
    made_older(os.path.join(relay.spool, 'dead', old), DAY + 60)
    relay.start()
    return relay, young


def see_it_swept(relay, young):
    ok(until(lambda: relay.files('dead') == [young], LOOKS_AGAIN),
       'the older one goes after its day', lambda: relay.files('dead'))
    relay.stop()


def deliver_pid(relay):
    out = subprocess.run(['pgrep', '-P', str(relay.popen.pid), '-f', 'nightmail-deliver'],
                         stdout=subprocess.PIPE).stdout.split()
    return int(out[0]) if out else None


def test_pause():
    sink = Sink(name='pause-sink')
    relay = Relay('pause', port=sink.port)
    for n in range(5):
        relay.send('r%d@example.org' % n)
        if not until(lambda: deliver_pid(relay)):
            break
        os.kill(deliver_pid(relay), signal.SIGABRT)
        until(lambda: not deliver_pid(relay))
    ok(relay.says('crashed five times'), 'five crashes are told loudly', relay.tail)
    id = relay.send('late@example.org')
    relay.waits_because(id, 'crashed five times', 'mailq tells why nothing goes out')
    eq(relay.run('mailq', 'flush', '--all').returncode, 0, 'a person asks for a try')
    relay.is_empty('and everything leaves')
    ok({'late@example.org'} | {'r%d@example.org' % n for n in range(5)} <=
       {t['address'] for e, _ in sink.received() for t in e['to']}, 'nothing is lost')
    relay.stop()


month = week = None
if subprocess.run(['unshare', '-T', '--boottime', '60', 'true'], stderr=subprocess.DEVNULL).returncode:
    skip('time namespaces', 'needs root and a kernel that has them')
else:
    month = held_for_a_month()
    week = held_for_a_week()
sweep = one_is_old()
test_pause()
if month:
    see_it_put_aside(*month)
    see_the_storm_put_aside(*week)
see_it_swept(*sweep)
done()
