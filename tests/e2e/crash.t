#!/usr/bin/env python3
"""A storm of kill -9: eight submitters hand in 10,000 messages by sendmail and send while the
daemon, nightmail-deliver, its workers and the submitters are killed at random moments, the daemon
is restarted and told to read its configuration again, and the smarthost defers some recipients,
refuses some content for now, and cuts connections after the dot. After the storm everything that
was acknowledged has been delivered, and whatever came more than once was flagged possibly-twice
before. NIGHTMAIL_STORM: messages; NIGHTMAIL_SEED."""
import collections
import os
import random
import re
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from system import *  # noqa: E402

MESSAGES = int(os.environ.get('NIGHTMAIL_STORM', 600 if SANITIZED else 10000))
SEED = int(os.environ.get('NIGHTMAIL_SEED', 7))
KINDS = {'nightmaild', 'nightmail-deliver', 'worker', 'submitter'}
SUBMITTERS = 8
STORM_S = 150 if SANITIZED else 75     # what is not handed in by then stays out
CALM_S = 240 if SANITIZED else 120
WINDOW = 32                            # messages that one death of a worker can leave in doubt

# Every 10th message has three recipients, every 7th goes by send. A number that is printed is
# acknowledged.
SUBMITTER = '''
n=$1
while [ $n -lt %d ]; do
	to=r$n@example.org
	[ $((n %% 10)) -ne 0 ] || to="$to r$n.b@example.org r$n.c@example.org"
	if [ $((n %% 7)) -eq 0 ]; then
		"$0/send" $to -s "storm $n" -f a@home.example <"$2" && echo $n
	else
		"$0/sendmail" -i -f a@home.example $to <"$2" && echo $n
	fi
	n=$((n + %d))
done
''' % (MESSAGES, SUBMITTERS)


def recipients(n):
    return ['r%d%s@example.org' % (n, x) for x in (('', '.b', '.c') if n % 10 == 0 else ('',))]


def children(pid):
    try:
        with open('/proc/%d/task/%d/children' % (pid, pid)) as f:
            return [int(p) for p in f.read().split()]
    except OSError:
        return []


def kill(pid):
    """Only what is certainly ours: the pid was read from our own process tree just now."""
    try:
        os.kill(pid, signal.SIGKILL)
        return True
    except ProcessLookupError:
        return False


class Storm:
    def __init__(self, relay):
        self.relay = relay
        self.random = random.Random(SEED)
        self.struck = collections.Counter()
        body = path('body', 'Subject: storm\n\n' + 'Some text of a mail in a storm.\n' * 60)
        self.submitters = [Process('submitter%d' % i, ['sh', '-c', SUBMITTER, BUILD, str(i), body],
                                   relay.env) for i in range(SUBMITTERS)]

    def busy(self):
        return any(s.popen.poll() is None for s in self.submitters)

    def victims(self):
        daemon = self.relay.popen.pid
        deliver = children(daemon)
        return {'nightmaild': [daemon], 'nightmail-deliver': deliver,
                'worker': [w for d in deliver for w in children(d)],
                'submitter': [c for s in self.submitters for c in children(s.popen.pid)]}

    def strike(self):
        kind = self.random.choices(['nightmaild', 'nightmail-deliver', 'worker', 'submitter',
                                    'reload', 'restart'], [2, 3, 6, 8, 1, 1])[0]
        if kind == 'reload':
            self.relay.popen.send_signal(signal.SIGHUP)
        elif kind == 'restart':
            self.relay.stop()
            self.relay.start()
        else:
            self.kill_one(kind)
            return
        self.struck[kind] += 1

    def kill_one(self, kind):
        pids = self.victims()[kind]
        if not pids or not kill(self.random.choice(pids)):
            return
        self.struck[kind] += 1
        if kind == 'nightmaild':
            self.relay.popen.wait()
            self.relay.start()

    def rage(self):
        end = time.monotonic() + STORM_S
        while self.busy() and time.monotonic() < end:
            time.sleep(self.random.uniform(0.01, 0.12))
            self.strike()
        for s in self.submitters:
            s.stop(signal.SIGKILL)

    def acknowledged(self):
        return {int(line) for s in self.submitters for line in s.words().splitlines()
                if line.isdigit()}


def delivered(sink):
    """How often each recipient's mail was taken by the smarthost."""
    return collections.Counter(t['address'] for e in sink.events('message') for t in e['to'])


def flagged(relay):
    """Recipients whose message the log called possibly-twice."""
    owner, doubted = collections.defaultdict(set), set()
    for line in relay.words().splitlines():
        found = re.search(r'\bid=([0-9A-Z]{16})', line)
        if not found:
            continue
        if 'possibly-twice' in line:
            doubted.add(found[1])
        to = re.search(r'\bto=<([^>]*)>', line)
        if to:
            owner[found[1]].add(to[1])
    return {to for id in doubted for to in owner[id]}


sink = Sink('--reply', 'rcpt=450 4.2.0 later,150', '--reply', 'content=451 4.3.0 later,50',
            '--close-at', 'dot,10', keep=False)
relay = Relay(port=sink.port, probe='200ms', connections=4, queue='reserve = 0')
storm = Storm(relay)
started = time.monotonic()
storm.rage()
raged = time.monotonic() - started
acknowledged = storm.acknowledged()
relay.stop()
relay.start()  # a submitter that died before its wake-up is found at the start, else in a minute
relay.empty(CALM_S)
taken, doubted = delivered(sink), flagged(relay)

lost = [n for n in acknowledged for to in recipients(n) if not taken[to]]
twice = {to: count for to, count in taken.items() if count > 1}
silent = sorted(to for to in twice if to not in doubted)
say('seed %d: %d messages acknowledged in %.0f s, %d deliveries, %d recipients twice, %d flagged; '
    'struck: %s; then %.0f s of calm' %
    (SEED, len(acknowledged), raged, sum(taken.values()), len(twice), len(doubted),
     ', '.join('%s %d' % k for k in sorted(storm.struck.items())),
     time.monotonic() - started - raged))
ok(KINDS <= set(storm.struck) and sum(storm.struck.values()) > 20, 'the storm hit every kind of process',
   storm.struck)
ok(len(acknowledged) > MESSAGES / 2, 'most messages were acknowledged', len(acknowledged))
eq(lost[:20], [], 'nothing that was acknowledged is lost')
eq(silent[:20], [], 'what came twice was flagged possibly-twice')
for to in silent[:3]:
    id = next(iter(re.findall(r'id=(\w+) [^\n]*to=<%s>' % re.escape(to), relay.words())), 'unknown')
    say('\n'.join(line for line in relay.words().splitlines() if id in line))
deaths = storm.struck['worker'] + storm.struck['nightmail-deliver'] + storm.struck['nightmaild']
ok(len(twice) <= deaths * WINDOW, 'and no more of it than the windows that were open',
   '%d twice, %d deaths' % (len(twice), deaths))
relay.is_empty('the queue is empty in the end', 1)
eq(relay.files('dead'), [], 'nothing was given up')
eq(relay.run('mailq', 'check').returncode, 0, 'mailq check finds nothing wrong')
done()
