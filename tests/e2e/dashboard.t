#!/usr/bin/env python3
"""The dashboard in a real terminal (tmux) against a daemon with mail moving: start, keys, sizes,
Ctrl-Z, a daemon that goes and comes back, the end of the terminal, and what is left behind."""
import os
import random
import re
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from system import *  # noqa: E402
from terminal import *  # noqa: E402

if not shutil.which('tmux'):
    skip_all('no tmux')
def waiting_mail(relay, count):
    ids = [relay.send('user%d@example.org' % i, subject='Mail number %d' % i)
           for i in range(count)]
    until(lambda: all((relay.message(i) or {}).get('state') == 'deferred' for i in ids))
    return ids


def test_life(relay, sink):
    """Start, mail that comes and goes, views, and leaving."""
    t = Terminal(relay)
    t.line('echo before; stty -a | cksum')
    t.shows('^before\n[0-9]+ [0-9]+$', 'the terminal is as it was')
    modes = re.search('^before\n([0-9]+)', t.screen(), re.M).group(1)
    t.start()
    t.shows(r'^nightmail \[1 Overview\] 2 Queue +0 messages$', 'it starts with the Overview')
    t.shows(r'^State +idle . up 00:00', 'and says how the daemon is')
    ids = [relay.send('user%d@example.org' % i) for i in range(3)]
    t.shows(r'^  deferred +3 ', 'mail that has to wait is counted')
    t.shows(r'^State +relay default does not work', 'a relay that does not answer is told')
    t.shows(r'^> default +held ', 'and where mail waits')
    t.keys('2')
    t.shows(r'^nightmail  1 Overview \[2 Queue\] +3 msgs', 'the Queue is a key away')
    t.shows(re.escape(ids[0][-4:]), 'with the messages')
    t.keys('?')
    t.shows(r'\[Help\]', 'Help too')
    t.keys('q')
    t.shows(r'\[2 Queue\]', 'q goes back one step')
    sink = sink.again()
    t.keys('1')
    t.shows(r'^  deferred +0 ', 'mail that left is not shown any more')
    t.shows(r'\d\d:\d\d:\d\d sent ', 'but that it was sent')
    t.quit('q leaves')
    t.line('clear; echo after; stty -a | cksum')
    t.shows('^after\n%s [0-9]+$' % modes, 'the modes of the terminal are as before')
    t.close()
    return sink


def test_keys(relay):
    """Every key of the table in every view, at three sizes: it goes on drawing."""
    ids = waiting_mail(relay, 4)
    for columns, rows in ((80, 24), (120, 30), (40, 10)):
        t = Terminal(relay, columns, rows, PAGER='cat >/dev/null')
        t.start('--read-only')
        t.shows(r'Overview\] 2 Queue +4 messages|Overview\] read-only',
                'read-only in %dx%d' % (columns, rows))
        for view in '12':
            t.keys(view)
            for key in ['j', 'k', 'Down', 'Up', 'NPage', 'PPage', 'G', 'g', 'Home', 'End', 'Space',
                        '*', 'U', 'S', 'S', 'v', 'v', 'v', 'v', 'w', 'Tab', 'j', 'k', 'G', 'g', 'Tab',
                        '+', '+', '-', '-', 'n', 'N', 'r', 'H', 'R', 'd', 'b', 'e', 'C-l', 'C-r',
                        'Enter', 'Escape', 'x', 'F5', 'C-f', 'C-b', 'Left', 'M-x']:
                t.keys(key)
            t.keys('Escape')
            t.keys(view)
            t.keys('d')
            if view == '2':
                t.shows('delete: not with --read-only', 'read-only means it')
        t.keys('?', 'G')
        t.shows(r'line \d+ of \d+', 'Help scrolls to its end')
        t.keys('q', '2', '/')
        t.type('user2')
        t.keys('Enter')
        t.shows(r'>.*user2@', 'the search finds a row')
        t.keys('f')
        t.type('to~user3')
        t.keys('Enter')
        t.lacks('user1@', 'the filter hides the others')
        t.shows('user3@', 'and shows what matches')
        t.keys('Escape')
        t.shows('user1@', 'Esc removes it')
        t.keys(':')
        t.type('overview')
        t.keys('Enter')
        t.shows(r'\[1 Overview\]', 'an action has a name too')
        t.keys(':')
        t.type('nonsense')
        t.keys('Enter')
        t.shows('no action "nonsense" here', 'another name has none')
        t.quit('it leaves in %dx%d' % (columns, rows))
        t.close()
    eq([relay.message(i)['state'] for i in ids], ['deferred'] * 4, 'nothing has changed')
    return ids


def test_changes(relay, ids):
    """What the keys do to mail."""
    t = Terminal(relay)
    t.start()
    t.keys('2')
    t.shows('4 msgs', 'the queue is there')
    t.keys('g', 'H')
    ok(until(lambda: relay.message(ids[0])['state'] == 'held'), 'H holds the selected message',
       t.screen)
    t.shows('^.>%s +held ' % ids[0][-5:], 'and the list says so')
    t.keys('R')
    ok(until(lambda: relay.message(ids[0])['state'] != 'held'), 'R releases it', t.screen)
    t.keys('g', 'j', 'Space', 'Space', ';', 'H')
    ok(until(lambda: [relay.message(i)['state'] for i in ids].count('held') == 2),
       '; H holds what is tagged', t.screen)
    t.keys('U', 'g', 'd')
    t.shows(r'\(y/n\)', 'd asks')
    t.keys('n')
    t.lacks(r'\(y/n\)', 'n: nothing happens')
    eq(relay.message(ids[0])['state'], 'deferred', 'and nothing has happened')
    t.keys('d', 'y')
    ok(until(lambda: relay.message(ids[0])['state'] == 'dead'), 'y: it is in dead/', t.screen)
    t.shows('deleted; what was not in dead/ yet', 'and the last line says so')
    t.quit('it leaves')
    t.close()


HOSTILE = b"""From: =?utf-8?Q?J=C3=B6?= <alice@home.example>
Subject: =?utf-8?Q?=1B[2JGr=C3=BC=C3=9Fe?=
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain; charset=iso-8859-1

caf\xe9 \x1b[31mred\x1b]0;title\x07
--b
Content-Type: application/pdf; name="report.pdf"

12345
--b--
"""


def test_message(relay):
    """One message: its parts, the pager, other recipients, its end."""
    relay.run('sendmail', '-f', 'alice@home.example', 'odd@example.org', text=HOSTILE)
    old = [m['id'] for m in relay.queue() if m['recipients'][0]['address'] == 'odd@example.org'][0]
    paged = path('paged')
    t = Terminal(relay, PAGER='cat >' + paged)
    t.start('--read-only')
    t.keys('2', 'f')
    t.type('to=odd@example.org')
    t.shows('1 of [0-9]+ msgs', 'a filter works while it is typed')
    t.keys('Enter')
    t.shows('^ Subj +.2JGr\u00fc\u00dfe', 'the envelope has the subject, decoded and safe')
    t.keys('v')
    t.shows('^ From: J\u00f6 <alice@home.example>', 'v shows the header')
    t.keys('v')
    t.shows('caf\u00e9 .x1b.31mred', 'v shows the text, converted and safe')
    t.shows('attachment: report.pdf, application/pdf, 5 bytes', 'and what is attached')
    t.keys('v')
    t.shows('it was not tried yet|^ #1', 'v shows the attempts')
    t.keys('o')
    ok(until(lambda: 'report.pdf' in read('paged')), 'o gives the message to the pager', t.screen)
    ok('\x1b' not in read('paged') and 'caf\u00e9' in read('paged'), 'decoded and safe',
       lambda: repr(read('paged')))
    t.shows('^nightmail  1 Overview .2 Queue', 'and the dashboard comes back')
    t.quit('q leaves')
    t.start()
    t.keys('2', 'f')
    t.type('to~odd')
    t.keys('Enter')
    t.shows('^.>%s' % old[-5:], 'the message is found again')
    t.has('Queued .* by uid')
    t.keys('e')
    t.shows('^To: odd@example.org', 'e edits the recipients')
    t.keys('C-u')
    t.type('even@example.org')
    t.keys('Enter')
    t.shows('changed: it is [0-9A-V]{16} now', 'and the message has another ID')
    ok(not relay.message(old) or relay.message(old)['state'] == 'dead', 'the old one is gone',
       lambda: relay.message(old))
    t.keys('f', 'C-u')
    t.type('to~even')
    t.keys('Enter')
    t.shows('^.>.*even@example.org', 'the new one is in the list')
    t.keys('b', 'y')
    t.shows('given up; the sender is told', 'b bounces it')
    ok(until(lambda: any(m['from'] == '' for m in relay.queue())), 'there is a bounce',
       relay.queue)
    t.quit('q leaves')
    t.close()


def test_sizes(relay):
    t = Terminal(relay)
    t.start()
    t.shows('Overview', 'start')
    shapes = random.Random(7)
    for i in range(40):
        t.resize(shapes.randrange(10, 200), shapes.randrange(3, 60))
        t.keys(shapes.choice(['1', '2', 'j', 'Tab', 'v', '?', 'G', 'k']))
        if not t.has('.', 1):
            break
    t.keys('Escape', '2')
    t.resize(40, 10)
    t.shows(r'^\[2 Queue\] \d+ msgs', 'after 40 sizes: 40x10')
    t.resize(120, 30)
    t.shows(r'^nightmail  1 Overview \[2 Queue\] .*\d\d:\d\d:\d\d$', 'and 120x30')
    t.resize(10, 3)
    t.shows('2', 'even 10x3 shows something')
    t.resize(80, 24)
    t.shows(r'^nightmail  1 Overview \[2 Queue\]', 'and back to 80x24')
    t.keys('1')
    t.quit('it leaves')
    t.close()


def test_stop_and_go(relay):
    t = Terminal(relay)
    t.line('echo marker')
    t.shows('^marker', 'a line from before')
    t.start()
    t.shows('Overview', 'start')
    t.keys('C-z')
    t.shows('^marker[^$]*Stopped', 'Ctrl-Z gives the shell, and its screen, back')
    t.line('stty -a | grep -ow -e -icanon -e icanon')
    t.shows('^icanon', 'with the modes of the terminal')
    t.resize(100, 30)
    t.line('fg')
    t.shows(r'^State +', 'fg shows the dashboard again')
    t.keys('2')
    t.shows(r'\[2 Queue\]', 'which takes keys')
    for i in range(5):
        t.keys('1', ':')
        t.type('suspend')
        t.keys('Enter')
        t.shows('Stopped', ':suspend does the same')
        t.line('clear; fg')
        t.shows(r'^State +', 'and fg')
    t.keys('C-c')
    t.shows('^' + PROMPT, 'Ctrl-C leaves')
    t.close()


def test_daemon_gone(relay):
    t = Terminal(relay)
    t.start('--read-only')
    t.shows('^State +(idle|delivering|relay)', 'start')
    relay.stop(signal.SIGKILL)
    t.shows(r'daemon gone, data from \d\d:\d\d:\d\d|nightmaild is not running: read from the disk',
            'a daemon that ends is told')
    t.shows(r'^State +not running', 'in the Overview')
    t.shows('nightmaild is not running: read from the disk', 'the queue is read from the disk')
    r = relay.run('nightmail', '--plain')
    ok(r.returncode == 0 and re.search(rb'^State +not running', r.stdout, re.M) and
       re.search(rb'^  deferred +\d', r.stdout, re.M), '--plain reads it too', r)
    relay.start()
    t.shows('^State +(idle|delivering|relay)', 'a daemon that starts is found')
    t.lacks('not running', 'and nothing is stale')
    t.quit('it leaves')
    t.close()


def test_terminals(relay):
    for term in ('xterm-256color', 'tmux', 'screen', 'linux', 'vt100'):
        t = Terminal(relay, TERM=term)
        t.start()
        t.shows(r'^nightmail \[1 Overview\] 2 Queue .*messages?$', '%s: it starts' % term)
        t.keys('2', 'Down', 'Up')
        t.shows(r'^nightmail  1 Overview \[2 Queue\]', '%s: it draws' % term)
        t.lacks('lqqq', '%s: lines are lines' % term)
        t.quit('%s: it leaves' % term)
        t.close()
    t = Terminal(relay, TERM='no-such-terminal')
    t.start()
    t.shows('the terminal "no-such-terminal" is not known', 'an unknown one is told')
    t.line('TERM=dumb ' + BUILD + '/nightmail')
    t.shows('the terminal "dumb" is not known here, or too simple', 'one that cannot do it too')
    t.close()
    t = Terminal(relay, TERM='screen-256color', NO_COLOR='1')
    t.start()
    t.shows('Overview', 'NO_COLOR: it starts')
    ok(not re.search(r'\x1b\[[0-9;]*3[0-7]', t.screen('-e')), 'NO_COLOR: no colour',
       lambda: repr(t.screen('-e')))
    ok('\x1b[1m' in t.screen('-e'), 'NO_COLOR: bold tells what colours would', t.screen)
    t.quit('it leaves')
    t.start('--mouse', '--theme', 'light')
    t.shows('Overview', '--mouse and --theme light')
    t.quit('it leaves')
    t.close()
    t = Terminal(relay, LC_ALL='C')
    t.start()
    t.shows(r'^-{80}$', 'without UTF-8 lines are of hyphens')
    t.quit('it leaves')
    t.close()


def children(pid):
    try:
        with open('/proc/%s/task/%s/children' % (pid, pid)) as f:
            return f.read().split()
    except OSError:
        return []


def lives(pid):
    """A process that has ended counts as gone, also while nobody has asked for its status."""
    try:
        with open('/proc/%s/stat' % pid) as f:
            return f.read().rsplit(')', 1)[1].split()[0] not in 'ZX'
    except OSError:
        return False


def state(pid):
    try:
        with open('/proc/%s/status' % pid) as f, open('/proc/%s/wchan' % pid) as w:
            return f.read() + w.read()
    except OSError as e:
        return str(e)


def test_vanishing(relay):
    # The leak checker does not always survive the loss of its terminal; it has looked before.
    t = Terminal(relay, ASAN_OPTIONS=os.environ.get('ASAN_OPTIONS', '') + ':detect_leaks=0')
    t.start()
    t.shows('Overview', 'start')
    shell = tmux('display-message', '-p', '-t', t.name, '#{pane_pid}').strip()
    pids = children(shell)
    eq(len(pids), 1, 'the dashboard is one process')
    t.close()
    ok(until(lambda: not any(lives(p) for p in pids)), 'it ends with its terminal',
       lambda: '\n'.join(state(p) for p in pids))


def ticks(pid):
    with open('/proc/%s/stat' % pid) as f:
        return sum(map(int, f.read().rsplit(')', 1)[1].split()[11:13]))


def tell_idle(relay):
    """How much of a core it takes while nothing happens: told, not judged."""
    t = Terminal(relay, 120, 30)
    t.start()
    t.shows('Overview', 'start')
    pid = children(tmux('display-message', '-p', '-t', t.name, '#{pane_pid}').strip())[0]
    began, before = time.monotonic(), ticks(pid)
    until(lambda: time.monotonic() > began + 5)
    used = (ticks(pid) - before) / os.sysconf('SC_CLK_TCK')
    say('idle: %.2f %% of a core' % (100 * used / (time.monotonic() - began)))
    t.quit('it leaves')
    t.close()


def test_plain(relay):
    r = relay.run('nightmail', '--plain')
    ok(r.returncode == 0 and re.search(rb'^State +', r.stdout, re.M) and
       re.search(rb'^  deferred +\d', r.stdout, re.M) and b'\x1b' not in r.stdout,
       '--plain prints the Overview', r)
    r = relay.run('nightmail')
    ok(r.returncode == 64 and r.stderr.startswith(b'usage:') and not r.stdout,
       'without a terminal and arguments: the usage', r)
    r = relay.run('nightmail', '--read-only')
    ok(r.returncode == 64 and b'needs a terminal' in r.stderr, 'and with them: the reason', r)
    r = relay.run('nightmail', '--theme', 'pink')
    ok(r.returncode == 64 and b"not 'pink'" in r.stderr, 'a theme that does not exist', r)


tmux('new-session', '-d', '-s', 'keep', 'exec cat')  # a server without a session would end
sink = Sink(name='sink')
sink.stop()
relay = Relay('r', port=sink.port, retry='1h 1h', probe='1s')
sink = test_life(relay, sink)
sink.stop()
held = test_keys(relay)
test_changes(relay, held)
test_message(relay)
test_sizes(relay)
test_stop_and_go(relay)
test_terminals(relay)
test_vanishing(relay)
tell_idle(relay)
test_plain(relay)
test_daemon_gone(relay)
tmux('kill-server')
done()
