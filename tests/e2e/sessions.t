#!/usr/bin/env python3
"""What serves a user's connection may serve the same user's next one, and nobody else's: each
message keeps its own sender, recipients and uid; processes that are killed while they wait, new
settings and a stop lose nothing; many at once arrive once; refusals are told in words."""
import os
import re
import signal
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import multiuser  # noqa: E402

multiuser.enter(__file__)
from system import *  # noqa: E402

USERS = {'nightmail': (61990, 61990, []), 'alice': (61001, 61001, []), 'bob': (61002, 61002, [])}
BIN = path('bin')
QUEUE = '/var/spool/nightmail/queue'
ENV = {'PATH': BIN + ':/usr/bin:/bin', 'TZ': 'UTC', 'LC_ALL': 'C.UTF-8'}


def configure(limit='never'):
    multiuser.configure('[relay default]\nhost = 127.0.0.1\nport = 1\ntls = none\nprobe = 1h\n'
                        '[identity]\ndomain = relay.example\n[queue]\nuser-limit = %s\n' % limit)


def start(who, subject, *to):
    uid, gid, _ = USERS[who]
    p = subprocess.Popen([BIN + '/sendmail', '-i', '-v', '-f', who + '@home.example', *to],
                         env=ENV, user=uid, group=gid, extra_groups=[], cwd='/',
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    p.stdin.write(b'Subject: %s\n\nHello.\n' % subject.encode())
    p.stdin.close()
    p.stdin = None
    return p


def send(who, subject, *to):
    p = start(who, subject, *to)
    out, words = p.communicate(timeout=PATIENCE)
    return p.returncode, (out or words).decode().split()[-1] if p.returncode == 0 else words.decode()


def sessions():
    """The processes of sessions now."""
    pid = daemon.popen.pid
    found = []
    for child in open('/proc/%d/task/%d/children' % (pid, pid)).read().split():
        try:
            if open('/proc/%s/comm' % child).read() == 'nightmaild\n':
                found.append(int(child))
        except OSError:
            pass
    return set(found)


def served():
    """By which process each message of a uid was taken."""
    found = {}
    for pid, uid in re.findall(r'\[(\d+)\].* uid=(\d+) .*status=queued', daemon.words()):
        found.setdefault(int(uid), []).append(int(pid))
    return found


def content(name):
    with open(QUEUE + '/' + name, errors='replace') as f:
        return f.read()


multiuser.make_system(DIR, BUILD, USERS,
                      ('nightmaild', 'nightmail-deliver', 'sendmail', 'nightmail'))
configure()
daemon = Process('daemon', [BIN + '/nightmaild'], ENV)
until(lambda: os.path.exists('/run/nightmail/submit'))

queued = []
for i in range(6):
    who = ('alice', 'bob')[i % 2]
    status, name = send(who, 'Number %d' % i, 'to%d@x.example' % i)
    ok(status == 0, 'message %d is queued' % i, name)
    queued.append((who, i, name))
alice, bob = served().get(USERS['alice'][0], []), served().get(USERS['bob'][0], [])
eq((len(alice), len(bob)), (3, 3), 'each of them by a process that says so')
ok(not set(alice) & set(bob), 'two users who take turns never share one', (alice, bob))
ok(until(lambda: send('alice', 'again', 'a@x.example')[0] == 0 and
         len(set(served()[USERS['alice'][0]])) < len(served()[USERS['alice'][0]])),
   'but one user has a process twice', daemon.words())
for who, i, name in queued:
    text = content(name)
    ok('uid %d' % USERS[who][0] in text and who + '@home.example' in text and
       'to%d@x.example' % i in text and 'Number %d' % i in text,
       'message %d has its own uid, sender, recipient and content' % i, text)
    ok(not any('to%d@x.example' % j in text for j in range(6) if j != i), 'and no other')

ok(until(lambda: send('alice', 'wake', 'w@x.example')[0] == 0 and sessions()),
   'a process waits')
for pid in sessions():
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # it has waited long enough
eq(send('alice', 'after', 'a@x.example')[0], 0, 'killed while it waits: the next is queued')

send('alice', 'before the settings', 'b@x.example')
old = sessions()
configure('3/h 1G')
daemon.popen.send_signal(signal.SIGHUP)
ok(until(lambda: not old & sessions()), 'new settings let those go that wait')
refused = []


def over_the_limit():
    status, words = send('bob', 'limited', 'l@x.example')
    refused.append((status, words))
    return status == 75 and 'user-limit' in words


ok(until(over_the_limit), 'the next ones know them: over the limit is 75 with words', refused)

configure()
daemon.popen.send_signal(signal.SIGHUP)
until(lambda: send('bob', 'unlimited', 'u@x.example')[0] == 0)
running, results = [], []
for i in range(200):
    running.append(start('alice', 'Many %d' % i, 'm%d@x.example' % i))
    if len(running) == 8:
        p = running.pop(0)
        p.communicate(timeout=PATIENCE)
        results.append(p.returncode)
for p in running:
    p.communicate(timeout=PATIENCE)
    results.append(p.returncode)
eq(results, [0] * 200, '200 messages, 8 at once, are all queued')
many = [n for n in os.listdir(QUEUE) if 'Subject: Many ' in content(n)]
eq((len(many), len({content(n).split('Subject: Many ')[1].split()[0] for n in many})), (200, 200),
   'each of them once')

eq(send('alice', 'to many', *['r%d@x.example' % i for i in range(50)])[0], 0,
   'fifty recipients are accepted')

send('alice', 'last', 'z@x.example')
daemon.reported(daemon.stop())
ok(True, 'a daemon with processes that wait stops at once')
done()
