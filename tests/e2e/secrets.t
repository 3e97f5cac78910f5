#!/usr/bin/env python3
"""Where secrets come from, and where they never show up: a command is run once for many workers
and holds up nobody else's mail; the keyring, real and headless, in all its states; one relay's
worker does not have the secret of another, not even in its memory; and no secret stands in a
command line, an environment, a log or the spool."""
import glob
import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from system import *  # noqa: E402
import keyring  # noqa: E402

ONE, TWO, RING = 'first-Secret-7719', 'second-Secret-8823', 'ring-Secret-9937'
COMMAND = '''#!/bin/sh
echo run >>%(count)s
cat %(password)s
'''


def command(name, password):
    p = path(name + '.password', password + '\n')
    return path(name + '.sh', COMMAND % {'count': path(name + '.count'), 'password': p}, 0o755)


def runs(name):
    return len(read(name + '.count').splitlines())


def login(name, password):
    return '--auth', 'alice:' + path(name + '.login', password + '\n')


def test_command():
    sink = Sink(*login('one', ONE), name='one-sink')
    relay = Relay('one', port=sink.port, login='alice', connections=4, per_connection=2,
                  password='command:' + command('one', ONE))
    for i in range(12):
        relay.send('bob@example.org', subject='command %d' % i)
    sink.got(12, 'a command: all mail arrives')
    eq(runs('one'), 1, 'it ran once for all workers')
    relay.stop()
    sink.stop()


def test_changed():
    sink = Sink(*login('new', TWO), name='new-sink')
    relay = Relay('new', port=sink.port, login='alice', password='command:' + command('new', ONE))
    id = relay.send('bob@example.org')
    relay.waits_because(id, 'login refused', 'a wrong password of a command holds the relay')
    path('new.password', TWO + '\n')
    sink.got(1, 'the right one is fetched for the next try')
    relay.stop()
    sink.stop()


def test_slow():
    """What does not end holds up its own relay alone."""
    slow, quick = Sink(*login('slow', ONE), name='slow-sink'), Sink(name='quick-sink')
    fifo = path('fifo')
    os.mkfifo(fifo)
    relay = Relay('slow', port=slow.port, login='alice', password='command:cat ' + fifo, more='''
        [relay other]
        host = 127.0.0.1
        port = %d
        tls = none
        [route r]
        recipient = *@quick.example
        relay = other
        '''.replace('        ', '') % quick.port)
    relay.send('bob@example.org', subject='slow')
    relay.send('bob@quick.example', subject='quick')
    quick.got(1, 'a command that takes its time does not hold up other relays')
    eq(len(slow.received()), 0, 'its own mail waits')
    with open(fifo, 'w') as f:
        f.write(ONE + '\n')
    slow.got(1, 'and goes when it has answered')
    relay.stop()
    slow.stop()
    quick.stop()


def processes():
    """{pid: (parent, command)} of ours."""
    found = {}
    for p in glob.glob('/proc/[0-9]*'):
        try:
            with open(p + '/stat') as f:
                stat = f.read()
            with open(p + '/environ', 'rb') as f:
                ours = DIR.encode() in f.read()
            if ours or DIR in open(p + '/cmdline').read():
                name, rest = stat[stat.index('(') + 1:].rsplit(')', 1)
                found[int(p[6:])] = (int(rest.split()[1]), name)
        except (OSError, PermissionError):
            continue
    return found


def memory(pid):
    """All of it that can be read."""
    found = b''
    try:
        with open('/proc/%d/maps' % pid) as maps, open('/proc/%d/mem' % pid, 'rb', 0) as mem:
            for line in maps:
                m = re.match(r'([0-9a-f]+)-([0-9a-f]+) rw', line)
                if m and '[v' not in line:
                    start, end = int(m[1], 16), int(m[2], 16)
                    if end - start > 64 << 20:
                        continue
                    mem.seek(start)
                    found += mem.read(end - start)
    except OSError:
        pass
    return found


def test_apart():
    """Two relays with sessions that stay open, so that their workers can be looked at."""
    sinks = [Sink(*login(n, p), name=n + '-sink') for n, p in (('a', ONE), ('b', TWO))]
    relay = Relay('apart', port=sinks[0].port, login='alice',
                  password='command:' + command('a', ONE), more='''
        [relay other]
        host = 127.0.0.1
        port = %d
        tls = none
        login = alice
        password = command:%s
        [route r]
        recipient = *@b.example
        relay = other
        '''.replace('        ', '') % (sinks[1].port, command('b', TWO)))
    relay.send('bob@example.org')
    sinks[0].got(1, 'a mail by one relay')
    relay.send('bob@b.example')
    sinks[1].got(1, 'a mail by another')
    all = processes()
    deliver = [p for p, (_, name) in all.items() if name.startswith('nightmail-deliv')]
    workers = [p for p in deliver if all[p][0] in deliver]
    if os.environ.get('NIGHTMAIL_BUILD', '').find('san') >= 0 or os.geteuid() != 0:
        skip('memory of the workers', 'only root may look, and a sanitizer keeps copies')
    elif ok(len(workers) == 2, 'both workers are there', all):
        had = [(ONE.encode() in m, TWO.encode() in m) for m in map(memory, workers)]
        ok(had.count((True, False)) == 1 and had.count((False, True)) == 1,
           'each worker has the one secret in its memory, and not the other', had)
    if os.environ.get('NIGHTMAIL_BUILD', '').find('san') < 0:
        limits = [open('/proc/%d/limits' % p).read() for p in deliver]
        ok(deliver and all_zero(limits), 'they leave no core', limits)
    search('while workers run', all)
    relay.stop()
    for s in sinks:
        s.stop()


def all_zero(limits):
    return all(re.search(r'Max core file size +0 +0 ', text) for text in limits)


def search(when, pids):
    wanted = [s.encode() for s in (ONE, TWO, RING)]
    leaks = []
    for pid in pids:
        for what in ('cmdline', 'environ'):
            try:
                with open('/proc/%d/%s' % (pid, what), 'rb') as f:
                    text = f.read()
            except OSError:
                continue
            leaks += ['%d %s' % (pid, what)] * any(w in text for w in wanted)
    eq(leaks, [], when + ': no secret in a command line or an environment')


def search_files():
    wanted = [s.encode() for s in (ONE, TWO, RING)]
    leaks = []
    for folder, _, files in os.walk(DIR):
        for name in files:
            full = os.path.join(folder, name)
            if name.endswith(('.password', '.login')) or not os.path.isfile(full):
                continue
            with open(full, 'rb') as f:
                if any(w in f.read() for w in wanted):
                    leaks.append(full)
    eq(leaks, [], 'no secret in a log, the spool, or any other file')


def test_keyring():
    if not keyring.here():
        skip('the keyring', 'no gnome-keyring, dbus or nightmail-secret')
        return
    sink = Sink(*login('ring', RING), name='ring-sink')
    relay = Relay('ring', port=sink.port, login='alice', password='keyring', start=False)

    def secret(*args, text=''):
        return relay.run('nightmail', 'secret', *args, text=text)

    relay.env.pop('DBUS_SESSION_BUS_ADDRESS', None)
    relay.env['XDG_RUNTIME_DIR'] = path('nobus')
    r = secret('test', 'default')
    ok(r.returncode != 0 and b'no session bus' in r.stderr, 'without a session bus it says so', r)
    ring = keyring.Keyring()
    relay.env.update(ring.env)
    r = secret('test', 'default')
    ok(r.returncode != 0 and b'no keyring runs' in r.stderr, 'without a keyring it says so', r)
    if not ok(ring.start(), 'gnome-keyring runs', read('keyring.log')):
        ring.stop()
        return
    r = secret('test', 'default')
    ok(r.returncode != 0 and b'has no entry default' in r.stderr, 'a missing entry is one', r)
    relay.start()
    id = relay.send('bob@example.org', subject='ring')
    relay.waits_because(id, 'the keyring has no entry default', 'mailq says so too')
    r = secret('set', 'default', text=RING + '\n')
    eq(r.returncode, 0, 'nightmail secret set')
    ok(RING.encode() not in r.stdout + r.stderr, 'it repeats nothing of the secret', r)
    eq(secret('test', 'default').returncode, 0, 'nightmail secret test')
    sink.got(1, 'the mail goes with the password of the keyring')
    search('with the keyring', processes())
    relay.stop()
    ring.lock()
    r = secret('test', 'default')
    ok(r.returncode != 0 and b'the keyring is locked' in r.stderr, 'a locked keyring is told', r)
    relay.start()
    id = relay.send('bob@example.org', subject='locked')
    relay.waits_because(id, 'the keyring is locked', 'mailq tells that it is locked')
    relay.stop()
    ring.stop()
    sink.stop()


test_command()
test_changed()
test_slow()
test_apart()
test_keyring()
search_files()
done()
