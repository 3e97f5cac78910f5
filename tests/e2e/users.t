#!/usr/bin/env python3
"""Ordinary users and the control socket, on a system of their own (a private mount namespace
with /etc, /run and /var/spool): everybody sees and changes their own mail and cannot even tell
that there is more; members of the daemon's group are administrators; nobody's garbage or flood
disturbs root; the dashboard shows users their own mail; send --wait ends in all its ways."""
import os
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import multiuser  # noqa: E402

multiuser.enter(__file__)
from system import *  # noqa: E402
from terminal import *  # noqa: E402

USERS = {'root': (0, 0, []), 'nightmail': (61990, 61990, []), 'alice': (61001, 61001, []),
         'bob': (61002, 61002, []), 'carol': (61003, 61003, [61990])}
BIN = path('bin')
CONTROL = '/run/nightmail/control'
ENV = {'PATH': BIN + ':/usr/bin:/bin', 'TZ': 'UTC', 'LC_ALL': 'C.UTF-8'}


def configure(port, probe='1s'):
    multiuser.configure('[relay default]\nhost = 127.0.0.1\nport = %d\ntls = none\nprobe = %s\n'
                        '[identity]\ndomain = relay.example\n[queue]\nretry = 1s 2s\n' % (port, probe))


def run(who, *command, text=''):
    uid, gid, groups = USERS[who]
    return subprocess.run([BIN + '/' + command[0]] + list(command[1:]), env=ENV, user=uid,
                          group=gid, extra_groups=groups, cwd='/', input=text.encode(),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def start(who, *command):
    """A command with an empty stdin, that goes on meanwhile."""
    uid, gid, groups = USERS[who]
    return subprocess.Popen([BIN + '/' + command[0]] + list(command[1:]), env=ENV, user=uid,
                            group=gid, extra_groups=groups, cwd='/', stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def send(who, to):
    r = run(who, 'send', to, '-s', 'from ' + who, '-v', text='The words of %s.\n' % who)
    if r.returncode != 0:
        ok(False, who + ' queues a message', r)
        return ''
    return r.stdout.split()[-1].decode()


def queue(who, *args):
    r = run(who, 'mailq', '--json', *args)
    return {m['id']: m for m in map(json.loads, r.stdout.splitlines())}


def start_daemon():
    daemon = Process('daemon', [BIN + '/nightmaild'], ENV)
    until(lambda: run('root', 'nightmail', 'status').returncode < 64 or
          daemon.popen.poll() is not None)
    return daemon


ASK = '''
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(%r)
try:
    s.sendall(bytes.fromhex(sys.stdin.readline()) + b"\\n")
except BrokenPipeError:
    pass
while True:
    try:
        b = s.recv(65536)
    except ConnectionResetError:
        break
    if not b:
        break
    sys.stdout.buffer.write(b)
    sys.stdout.flush()
''' % CONTROL


def python(who, *argv):
    uid, gid, groups = USERS[who]
    return subprocess.Popen(['/usr/bin/python3', '-c'] + list(argv), user=uid, group=gid, cwd='/',
                            extra_groups=groups, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            env=ENV)


def start_ask(who, request):
    process = python(who, ASK)
    process.stdin.write(request.encode().hex().encode() + b'\n')
    process.stdin.flush()
    return process


def ask(who, request):
    return start_ask(who, request).communicate(timeout=PATIENCE)[0].decode()


multiuser.make_system(DIR, BUILD, USERS)
sink = Sink('--reply', 'rcpt:bad@y.example=550 5.1.1 no such user')
configure(free_port(), '1h')
daemon = start_daemon()

# --- who sees what
a1, a2, b1, r1 = send('alice', 'x@y.example'), send('alice', 'y@y.example'), \
    send('bob', 'x@y.example'), send('root', 'z@y.example')
ok(until(lambda: len(queue('root')) == 4 and
         all('relay default' in m['why'] for m in queue('root').values())),
   'four messages wait for a relay that does not work', lambda: queue('root'))
eq(sorted(queue('alice')), sorted([a1, a2]), 'alice sees her own')
eq(sorted(queue('bob')), [b1], 'bob his')
eq(sorted(queue('carol')), sorted([a1, a2, b1, r1]), 'a member of the group sees all')
ok(all('127.0.0.1' not in m['why'] for m in queue('alice').values()),
   'what the relay said is not told to everybody', lambda: queue('alice'))


def same_words(who, *command):
    """Of bob's message as of none: status and words."""
    none = b1[:-1] + ('0' if b1[-1] != '0' else '1')
    r, s = (run(who, *[i if c == 'ID' else c for c in command]) for i in (b1, none))
    return (r.returncode, r.stdout, r.stderr.replace(b1.encode(), b'ID')) == \
        (s.returncode, s.stdout, s.stderr.replace(none.encode(), b'ID')) and \
        r.returncode == 66


for command in (['list', 'ID'], ['show', 'ID'], ['show', 'ID', '--body'], ['hold', 'ID'],
                ['release', 'ID'], ['flush', 'ID'], ['delete', 'ID'], ['bounce', 'ID'],
                ['edit', 'ID', '--to', 'x@y.example=z@y.example'],
                ['edit', 'ID', '--remove', 'x@y.example']):
    ok(same_words('alice', 'mailq', *command),
       "to alice bob's message is not there: mailq " + ' '.join(command),
       lambda: run('alice', 'mailq', *[b1 if c == 'ID' else c for c in command]))
eq(ask('alice', 'events id=' + b1).replace(b1, 'ID'),
   ask('alice', 'events id=' + '0' * 16).replace('0' * 16, 'ID'), 'nor for events')
r = run('alice', 'mailq', 'delete', '--all')
eq((r.returncode, sorted(queue('bob'))), (0, [b1]), 'alice deletes all: all of hers')
eq(sorted(queue('alice', '--all')), sorted([a1, a2]), 'which are dead')
eq(run('alice', 'mailq', 'release', a1, a2).returncode, 0, 'and which she brings back')
eq(sorted(queue('alice')), sorted([a1, a2]), 'both')
r = run('alice', 'mailq', 'show', a1[-6:], '--body')
ok(r.returncode == 0 and b'The words of alice.' in r.stdout and b'x@y.example' in r.stdout,
   'alice reads her own message', r)

# --- a flush
r = run('alice', 'mailq', 'flush', a1)
ok(r.returncode == 0 and b'due, but waiting for relay default: ' in r.stdout and
   b'next try in ' in r.stdout and b'127.0.0.1' not in r.stdout,
   'what alice flushes behind a held relay still waits for it, and she is told', r)

# --- who changes what
eq(run('alice', 'mailq', 'hold', a1).returncode, 0, 'alice holds a message')
eq((queue('root')[a1]['state'], queue('root')[a1]['reason']), ('held', 'user'), 'as a user')
eq(run('alice', 'mailq', 'release', a1).returncode, 0, 'and releases it')
eq(run('root', 'mailq', 'hold', a1).returncode, 0, 'root holds it')
for verb in ('release', 'flush', 'delete', 'bounce'):
    r = run('alice', 'mailq', verb, a1)
    ok(r.returncode == 75 and b'held' in r.stderr and queue('root')[a1]['state'] == 'held',
       'then alice cannot %s it' % verb, r)
r = run('alice', 'mailq', 'edit', a1, '--to', 'x@y.example=z@y.example')
eq((r.returncode, queue('root')[a1]['state']), (77, 'held'), 'nor edit it')
eq(run('carol', 'mailq', 'release', a1).returncode, 0, 'a member of the group releases it')
r = run('alice', 'mailq', 'edit', a1, '--to', 'x@y.example=bad@y.example', '--json')
a3 = json.loads(r.stdout or '{}').get('new')
eq(sorted(queue('alice')), sorted([a2, a3]), 'alice edits a message: it has another ID')
eq([t['address'] for t in queue('alice')[a3]['recipients']], ['bad@y.example'],
   'and another recipient')
eq(sorted(queue('bob')), [b1], 'which is none of the business of bob')
eq(run('alice', 'nightmail', 'reload').returncode, 77, 'alice may not reload')

# --- status
own = json.loads(run('alice', 'nightmail', 'status', '--json').stdout)
every = json.loads(run('carol', 'nightmail', 'status', '--json').stdout)
eq((own['admin'], every['admin']), (False, True), 'status says who is an administrator')
eq((own['waiting'], every['waiting']), (2, 4), 'and counts what one may see')
eq(sorted({'queue', 'destinations', 'since_start', 'hours'} & set(own)), [], 'and no more')
eq(sorted(set(own['relays'][0]) & {'hosts', 'host', 'auth', 'reason', 'last_reply', 'failure'}), [],
   'of relays neither')
ok('hosts' in every['relays'][0] and every['relays'][0]['reason'].startswith(
    own['relays'][0]['words'] + ': '), 'administrators hear in full why a relay is held', every)
r = run('alice', 'nightmail', 'status')
ok(r.returncode == 1 and b'2 waiting' in r.stdout, 'as text, too', r)

# --- the dashboard


class OfUser(Terminal):
    programs = BIN

    def __init__(self, who):
        uid, gid, groups = USERS[who]
        self.shell = 'setpriv --reuid %d --regid %d --groups %s sh -i' % (
            uid, gid, ','.join(map(str, groups + [gid])))
        super().__init__(None, columns=120, HOME='/nonexistent', PATH=ENV['PATH'])


def test_dashboard():
    if not shutil.which('tmux'):
        skip('the dashboard', 'no tmux')
        return
    tmux('new-session', '-d', '-s', 'keep', 'exec cat')  # a server without a session would end
    t = OfUser('alice')
    t.start()
    t.shows(r'\[1 Overview\] .*\b2 messages', 'the dashboard counts her own mail')
    t.lacks(r'127\.0\.0\.1', 'and says nothing of the host of the relay')
    t.keys('2')
    t.shows(re.escape(a2[-4:]), 'lists it')
    t.shows(re.escape(a3[-4:]), 'all of it')
    t.lacks('|'.join(re.escape(i[-4:]) + r'\b' for i in (b1, r1)), "and nobody else's")
    b = send('bob', 'w@y.example')
    a = send('alice', 'w@y.example')
    t.shows(re.escape(a[-4:]), 'a new message of hers comes up')
    t.lacks(re.escape(b[-4:]) + r'\b', 'one of bob does not')
    eq(run('bob', 'mailq', 'delete', b).returncode, 0, 'bob deletes his')
    eq(run('alice', 'mailq', 'delete', a).returncode, 0, 'alice hers')
    t.shows(r'\[2 Queue\] .*\b2 msgs', 'and it is gone from her dashboard')
    t.quit('q leaves')
    t.close()
    t = OfUser('carol')
    t.start()
    t.shows(r'\[1 Overview\] .*\b4 messages', 'an administrator sees everything')
    t.quit('q leaves')
    t.close()
    tmux('kill-server')


test_dashboard()

# --- events
hers = start_ask('alice', 'events')
all_of_them = start_ask('root', 'events')
eq([json.loads(p.stdout.readline())['event'] for p in (hers, all_of_them)], ['following'] * 2,
   'a stream of events says when it begins')
b2, a4 = send('bob', 'q@y.example'), send('alice', 'q@y.example')


def queued(process, count):
    found = []
    while len(found) < count:
        e = json.loads(process.stdout.readline())
        if e['event'] == 'queued':
            found.append(e['id'])
    return found


eq(queued(hers, 1), [a4], 'alice hears of her own mail')
eq(queued(all_of_them, 2), [b2, a4], 'root of all')
for process in (hers, all_of_them):
    process.kill()
    process.wait()

# --- garbage and floods
FLOOD = r'''
import os, socket, sys, time
open_ones = []
words = b""
for i in range(60):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(10)
    s.connect(%r)
    try:
        s.sendall(os.urandom(3000).replace(b"\n", b"x") if i %% 3 else b"list all=1")
    except OSError:
        pass
    open_ones.append(s)
try:
    words = open_ones[-1].recv(1000)
except OSError as e:
    words = str(e).encode()
sys.stdout.write(words.decode(errors="replace"))
sys.stdout.flush()
for s in open_ones:
    try:
        s.sendall(b"\n")
    except OSError:
        pass
sys.stdin.readline()
''' % CONTROL
flood = python('alice', FLOOD)
said = flood.stdout.readline().decode()
ok('too many' in said, 'who opens too many connections is told so', said)
eq(len(queue('root')), 6, 'root is served meanwhile')
eq(sorted(queue('bob')), sorted([b1, b2]), 'and bob')
flood.stdin.close()
flood.wait()
ok(until(lambda: sorted(queue('alice')) == sorted([a2, a3, a4])), 'and alice when that is over')
for garbage in ('\0' * 100, 'list id=%zz', 'list id=' + 'A' * 70000, 'events id=', 'show', 'edit',
                'edit id=' + a2, 'status more', 'hold', '%', '=', 'list all=2', '\xff\xfe'):
    said = ask('alice', garbage)
    ok('"ok":' in said, 'garbage is answered: ' + repr(garbage[:20]), said[:300])
ok(run('root', 'nightmail', 'status').returncode == 1, 'and the daemon lives')

# --- send --wait
r = run('alice', 'send', 'x@y.example', '-s', 'x', '--timeout', '1s', '--json')
ok(r.returncode == 75 and b'"outcome":"queued"' in r.stdout and b'not delivered yet' in r.stderr,
   'send --wait: still queued when the time is over', r)
configure(sink.port)
run('root', 'nightmail', 'reload')
r = run('alice', 'send', 'x@y.example', '-s', 'x', '--wait', '--json')
ok(r.returncode == 0 and b'"outcome":"delivered"' in r.stdout, 'delivered', r)
r = run('alice', 'send', 'x@y.example', 'bad@y.example', '-s', 'x', '--wait', '--json')
ok(r.returncode == 69 and b'"outcome":"bounced"' in r.stdout and b'550' in r.stderr, 'bounced', r)
slow = Sink('--delay', '2000', '--reply', 'content=451 4.3.0 later')
configure(slow.port)
run('root', 'nightmail', 'reload')
a5 = send('alice', 'slow@y.example')
ok(until(lambda: queue('root').get(a5, {}).get('state') == 'active'), 'a message is being delivered',
   lambda: queue('root'))
r = run('root', 'mailq', 'hold', a5, '--json')
pending = b'"pending":true' in r.stdout
for command in (['release', a5], ['delete', a5], ['edit', a5, '--from', 'x@y.example']):
    r = run('alice', 'mailq', *command)
    ok(not pending or (r.returncode != 0 and b'administrator' in r.stderr),
       'what root wants with it afterwards alice cannot change: ' + command[0], r)
ok(until(lambda: queue('root').get(a5, {}).get('reason') == 'admin'), 'it is held then',
   lambda: queue('root'))
run('root', 'mailq', 'release', a5)
bye = Sink('--reply', 'mail=421 4.3.2 secret words')
configure(bye.port)
run('root', 'nightmail', 'reload')
ok(until(lambda: 'secret words' in queue('root').get(a5, {}).get('why', '')),
   'a relay that says 421 is held, and root reads why', lambda: queue('root'))
why = queue('alice')[a5]['why']
ok(re.search('relay default: told to come back later; ', why) and
   '127.0.0.1' not in why and 'secret' not in why, 'alice reads that it does not work', why)
configure(sink.port)
run('root', 'nightmail', 'reload')
run('root', 'mailq', 'flush', '--all')
ok(until(lambda: not queue('root')), 'everything is delivered in the end', lambda: queue('root'))

# --- without a daemon
daemon.stop()
r = run('alice', 'mailq')
ok(r.returncode == 77 and b'nightmaild is not running, and only root' in r.stderr,
   'without the daemon there is nobody to ask for users', r)
r = run('alice', 'send', 'x@y.example', '-s', 'x', '--timeout', '1s', '-v')
ok(r.returncode == 75 and b'nightmaild is not running' in r.stderr,
   'send --wait says so when the time is over', r)
dropped = queue('root')
eq([(m['from'].split('@')[0], m['state']) for m in dropped.values()], [('alice', 'queued')],
   'but root sees what she left')
ok('picked up when nightmaild starts' in list(dropped.values())[0]['why'] if dropped else False,
   'and that it waits to be picked up', dropped)

# --- send --wait by nightmail-drop, and a daemon that comes and goes
waiting = start('alice', 'send', 'drop@y.example', '-s', 'dropped', '--wait', '--json')
refused = start('alice', 'send', 'bad@y.example', '-s', 'dropped', '--wait', '--json')
ok(until(lambda: len(queue('root')) == 3), 'two more messages are dropped', lambda: queue('root'))
eq((waiting.poll(), refused.poll()), (None, None), 'send --wait waits for the daemon')
daemon = start_daemon()
out, err = waiting.communicate(timeout=PATIENCE)
ok(waiting.returncode == 0 and b'"outcome":"delivered"' in out, 'and follows the message to its end',
   (out, err))
out, err = refused.communicate(timeout=PATIENCE)
ok(refused.returncode == 69 and b'"outcome":"bounced"' in out and b'550' in err, 'whatever that is',
   (out, err))
configure(free_port(), '1h')
run('root', 'nightmail', 'reload')
waiting = start('alice', 'send', 'again@y.example', '-s', 'again', '--wait', '--json')
ok(until(lambda: 'relay default' in ''.join(m['why'] for m in queue('alice').values())),
   'a message waits for its relay', lambda: queue('root'))
daemon.stop()
eq(waiting.poll(), None, 'the end of the daemon does not end send --wait')
configure(sink.port)
daemon = start_daemon()
run('root', 'mailq', 'flush', '--all')
out, err = waiting.communicate(timeout=PATIENCE)
ok(waiting.returncode == 0 and b'"outcome":"delivered"' in out, 'which goes on with the next one',
   (out, err))
daemon.stop()
done()
