#!/usr/bin/env python3
"""Configuration read again: a broken one changes nothing and is told, a good one holds for the
mail that waits; with none that is valid mail is accepted, and mailq tells why it stays."""
import os
import re
import signal
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from system import *  # noqa: E402


def break_config(relay, text='[relay default]\nhsot = 127.0.0.1\n'):
    with open(relay.config, 'w') as f:
        f.write(text + '[queue]\ndir = %s\n' % relay.spool)


def test_broken_keeps_the_old():
    sink = Sink(name='s1')
    relay = Relay('r1', port=sink.port)
    good = path('r1/good.conf', read('r1/nightmail.conf'))
    break_config(relay)
    relay.popen.send_signal(signal.SIGHUP)
    ok(relay.says(r'error: .*nightmail\.conf:2:1: .*hsot.*host'), 'SIGHUP, broken: the log tells where',
       relay.tail)
    relay.run('sendmail', '-f', 'a@home.example', 'bob@example.org', text='Subject: 1\n\nx\n')
    sink.got(1, 'SIGHUP, broken: the old one is in force')
    r = relay.run('nightmail', 'reload')
    ok(r.returncode != 0 and b'hsot' in r.stdout + r.stderr, 'reload, broken: told to who asked', r)
    eq(relay.run('nightmail', 'config', 'check').returncode, 78, 'config check says the same')
    relay.is_empty('reload, broken: nothing is left')
    r = relay.run('nightmail', 'status', '--config', good)
    ok(r.returncode == 1 and re.search(rb'reload refused, the old configuration is in force: .*hsot', r.stdout),
       'status says that the reload was refused', r)
    relay.configure(port=sink.port)
    relay.run('nightmail', 'reload')
    r = relay.run('nightmail', 'status')
    ok(r.returncode == 0 and b'refused' not in r.stdout, 'until one is taken', r)


def test_good_holds_for_queued_mail():
    away, sink = Sink(name='s2'), Sink(name='s3')
    away.stop()
    relay = Relay('r2', port=away.port, probe='1h')
    ids = [relay.send('bob@example.org', subject=str(n)) for n in range(10)]
    relay.waits_because(ids[0], r'^waiting for relay', 'reload: the mail waits')
    relay.configure(port=sink.port)
    relay.popen.send_signal(signal.SIGHUP)
    relay.is_empty('SIGHUP, good: the mail that waited goes to the new relay')
    sink.got(10, 'SIGHUP, good: all of it')


def test_no_valid_configuration():
    sink = Sink(name='s4')
    relay = Relay('r3', port=sink.port, start=False)
    break_config(relay)
    relay.start()
    ok(relay.says(r'nothing can be delivered'), 'no valid configuration: said loudly', relay.tail)
    eq(relay.run('sendmail', '-f', 'a@home.example', 'bob@example.org',
                 text='Subject: x\n\nx\n').returncode, 0, 'no valid configuration: mail is accepted')
    ok(until(lambda: relay.queue()), 'no valid configuration: it waits')
    id = relay.files()[0]
    relay.waits_because(id, r'cannot be delivered.*hsot', 'no valid configuration: mailq tells why')
    relay.configure(port=sink.port)
    eq(relay.run('nightmail', 'reload').returncode, 0, 'a valid one: reload')
    relay.is_empty('a valid one: the mail goes')


def test_another_directory():
    sink = Sink(name='s5')
    relay = Relay('r4', port=sink.port)
    with open(relay.config) as f:
        text = f.read()
    with open(relay.config, 'w') as f:
        f.write(text.replace(relay.spool, relay.spool + '2'))
    relay.popen.send_signal(signal.SIGHUP)
    ok(relay.says(r'queue directory changed: that needs a restart'), 'another directory: told', relay.tail)
    eq(relay.popen.poll(), None, 'another directory: it goes on')


def test_second_daemon():
    sink = Sink(name='s6')
    relay = Relay('r5', port=sink.port)
    r = subprocess.run([BUILD + '/nightmaild'], env=relay.env, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, timeout=PATIENCE)
    ok(r.returncode != 0 and str(relay.popen.pid).encode() in r.stdout,
       'a second daemon on the same queue leaves, and names the first', r)
    relay.send('bob@example.org')
    sink.got(1, 'and the first one is not disturbed')


def test_reload_in_mid_delivery():
    """Fifty reloads while mail flows: everything arrives once."""
    sink = Sink(name='s7', keep=False)
    relay = Relay('r6', port=sink.port, connections=3)
    for n in range(200):
        relay.run('sendmail', '-f', 'a@home.example', 'r%d@example.org' % n, text='Subject: x\n\nx\n')
        if n % 4 == 0:
            relay.popen.send_signal(signal.SIGHUP)
    relay.is_empty('fifty reloads: nothing is left')
    got = [t['address'] for e in sink.events('message') for t in e['to']]
    eq((len(got), len(set(got))), (200, 200), 'fifty reloads: everything arrives once')
    ok('possibly-twice' not in relay.words(), 'fifty reloads: nothing is in doubt')


test_broken_keeps_the_old()
test_good_holds_for_queued_mail()
test_no_valid_configuration()
test_another_directory()
test_second_daemon()
test_reload_in_mid_delivery()
done()
