#!/usr/bin/env python3
"""A full disk: mail that cannot be kept is refused with 75, mail that was taken is delivered once
even though nothing can be written down, and the disk is free again afterwards. The spool is on a
small file system in memory, in a mount namespace of its own."""
import atexit
import collections
import os
import shutil
import subprocess
import sys

if os.geteuid() != 0:
    print('1..0 # SKIP mounting needs root')
    sys.exit(0)
if 'NIGHTMAIL_INNER' not in os.environ:
    os.environ['NIGHTMAIL_INNER'] = '1'
    os.execvp('unshare', ['unshare', '--mount', '--propagation', 'private', sys.executable] + sys.argv)

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from system import *  # noqa: E402

KIB = 1024


def small_disk(name, kib):
    """A Relay's folder on a file system of its own."""
    folder = path(name + '/x', '') and path(name)
    r = subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=%dk' % kib, 'tmpfs', folder],
                       stderr=subprocess.PIPE)
    if r.returncode != 0:
        skip_all('cannot mount here: ' + r.stderr.decode().strip())
    atexit.register(subprocess.run, ['umount', '-l', folder])


def free_kib(name):
    st = os.statvfs(path(name))
    return st.f_bavail * st.f_frsize // KIB


def fill(name, but=0):
    """Somebody else takes the rest of the disk."""
    with open(path(name + '/hog'), 'wb') as f:
        try:
            while free_kib(name) > but:
                f.write(b'x' * 4 * KIB)
                f.flush()
        except OSError:
            pass


def submit(relay, to):
    return relay.run('sendmail', '-f', 'a@home.example', to,
                     text='Subject: x\n\n' + 'A line of text.\n' * 200).returncode


def submit_until_refused(name, relay):
    fill(name, 700)
    taken, status = [], 0
    while status == 0 and len(taken) < 1000:
        to = 'r%d@example.org' % len(taken)
        status = submit(relay, to)
        taken += [to] if status == 0 else []
    return taken, status


def refused_and_delivered(name):
    """The disk runs full while the smarthost is away; then it comes back, and defers at first."""
    sink = Sink(name='sink-' + name, keep=False)
    sink.stop()
    small_disk(name, 4096)
    relay = Relay(name, port=sink.port, connections=2, queue='reserve = 0', probe='300ms')
    relay.waits_because(relay.send('first@example.org'), 'refused', name + ': the relay is away')
    taken, status = submit_until_refused(name, relay)
    eq(status, 75, name + ': mail that cannot be kept is refused with 75')
    ok(len(taken) > 20, name + ': some was taken', len(taken))
    fill(name)
    eq(free_kib(name), 0, name + ': nothing more fits')
    ok(relay.popen.poll() is None, name + ': the daemon lives')
    eq(relay.run('mailq').stdout.decode().splitlines()[-1].split()[-2],
       str(len(taken) + 1), name + ': mailq shows all of it')
    sink = Sink('--reply', 'rcpt=450 4.2.0 later,10', name=sink.name, port=sink.port, keep=False)
    relay.is_empty(name + ': it leaves, although nothing can be written down', 2 * PATIENCE)
    got = collections.Counter(t['address'] for e in sink.events('message') for t in e['to'])
    eq(sorted(set(taken) - set(got)), [], name + ': nothing is lost')
    eq({to: n for to, n in got.items() if n > 1}, {}, name + ': nothing goes twice')
    eq(relay.files('dead'), [], name + ': nothing is given up')
    ok(free_kib(name) >= 150, name + ': its space is free again', free_kib(name))
    os.unlink(path(name + '/hog'))
    eq(submit(relay, 'last@example.org'), 0, name + ': mail is taken again')
    relay.is_empty(name + ': and delivered')
    eq(relay.run('mailq', 'check').returncode, 0, name + ': mailq check finds nothing wrong')
    relay.stop()
    sink.stop()


def never_delivered_before():
    """Not even the journals of completions have their place yet."""
    small_disk('fresh', 4096)
    sink = Sink(name='sink-fresh', keep=False)
    relay = Relay('fresh', port=sink.port, queue='reserve = 0', probe='300ms')
    relay.stop()
    taken, _ = submit_until_refused('fresh', relay)
    fill('fresh')
    relay.start()
    relay.waits_because(relay.files()[0], r'^waiting for relay default: .*[Nn]o space left',
                        'fresh: mailq tells that the disk is full')
    eq(sink.events('message'), [], 'fresh: nothing is sent that could not be recorded')
    os.unlink(path('fresh/hog'))
    relay.is_empty('fresh: it leaves when there is space')
    eq(sorted(t['address'] for e in sink.events('message') for t in e['to']), sorted(taken),
       'fresh: each mail once')


def reserve():
    """The reserve is kept for what is under way."""
    small_disk('reserve', 4096)
    sink = Sink(name='sink-reserve')
    relay = Relay('reserve', port=sink.port, queue='reserve = 2M')
    eq(submit(relay, 'r1@example.org'), 0, 'reserve: mail is taken above it')
    relay.is_empty('reserve: and delivered')
    fill('reserve', 1900)
    r = relay.run('sendmail', '-f', 'a@home.example', 'r2@example.org', text='Subject: x\n\nx\n')
    ok(r.returncode == 75 and b'must stay free' in r.stderr, 'reserve: below it 75, and why', r)


refused_and_delivered('full')
never_delivered_before()
reserve()
done()
