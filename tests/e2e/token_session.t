#!/usr/bin/env python3
"""Access tokens that end while the daemon runs: the smarthost does not take them any more, at login
or in the middle of a session, and the same mail goes out with the next one. Nobody refreshes
twice, and nothing is lost when the daemon dies in the middle of a refresh."""
import glob
import itertools
import json
import os
import signal
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
os.environ['DBUS_SESSION_BUS_ADDRESS'] = 'unix:path=/nonexistent'  # nobody's keyring
from system import *  # noqa: E402
from tokens import Smarthost, Tokens, changed, tokens_of  # noqa: E402

server, smarthost = Tokens(), Smarthost()
server.pending = 0
count = itertools.count()
server.make = lambda: 'token-%d' % next(count)  # none is like another
OAUTH = {'login': 'alice', 'password': 'oauth2', 'client_id': 'this-program', 'scope': 'mail',
         'token_url': server.url + '/token', 'device_url': server.url + '/device',
         'token_ca': server.ca, 'host': 'localhost', 'port': smarthost.port, 'tls': 'implicit',
         'ca': smarthost.ca}


def new(name, **keys):
    told = path(name + '.told', '')
    relay = Relay(name, more='[notify]\ncommand = cat >>%s' % told, **dict(OAUTH, **keys))
    server.pending = 0
    eq(relay.run('nightmail', 'login', 'default').returncode, 0, name + ': login')
    server.used.clear()
    smarthost.logins.clear()
    smarthost.valid = lambda token: token == server.given[-1]
    smarthost.cut = ''
    return relay


def arrives(relay, subject, name):
    return ok(until(lambda: smarthost.about(subject)), name, relay.tail)


def unharmed(relay, name):
    """The one daemon is still there, and no mail came back."""
    ok(relay.popen.poll() is None, name + ': in one life of the daemon')
    relay.is_empty(name + ': and nothing is left, no bounce either')
    relay.reported(relay.stop())
    told = read(relay.name.split('/')[0] + '.told')
    ok('bounced' not in told, name + ': nothing was given up')
    return told


def refused_at_login(mechanism):
    """The second of two tokens in one life of the daemon; its clock says that the first holds."""
    name = 'login-' + mechanism
    relay = new(name, auth=mechanism, connections=1, per_connection=1)
    relay.send('bob@example.org', subject=name + '-1')
    arrives(relay, name + '-1', mechanism + ': the first token')
    server.given.append('another one is valid now')
    relay.send('bob@example.org', subject=name + '-2')
    arrives(relay, name + '-2', mechanism + ': a token that is refused is replaced')
    eq(len(server.used), 1, mechanism + ': by one refresh')
    seen = [fine for m, token, fine in smarthost.logins if m == mechanism]
    eq(seen, [True, False, True], mechanism + ': three logins, the second with what is over')
    ok(smarthost.about(name + '-1') != smarthost.about(name + '-2'), mechanism + ': another token')
    eq(unharmed(relay, name), '', mechanism + ': and nobody needs to hear of it')


def refused_again():
    """The next token is no better: then the relay is held, and tried once an interval."""
    relay = new('again', probe='1h')
    smarthost.valid = lambda token: False
    id = relay.send('bob@example.org', subject='again')
    relay.waits_because(id, 'login refused', 'again: a fresh token that is refused holds the relay')
    eq((len(server.used), len(smarthost.logins)), (1, 2), 'again: after one refresh')
    smarthost.valid = lambda token: True
    eq(relay.run('nightmail', 'relay', 'trust', 'default').returncode, 0, 'again: by hand')
    arrives(relay, 'again', 'again: it goes')
    ok('relay-held' in unharmed(relay, 'again'), 'again: and it was told')


def in_mid_session(name, cut):
    """An open session whose token ends."""
    relay = new(name, connections=1)
    relay.send('bob@example.org', subject=name + '-1')
    arrives(relay, name + '-1', name + ': the first mail')
    server.given.append('another one is valid now')
    smarthost.cut = cut
    id = relay.send('bob@example.org', subject=name + '-2')
    arrives(relay, name + '-2', name + ': the same mail goes with the next token')
    eq(len(server.used), 1, name + ': by one refresh')
    unharmed(relay, name)


def by_its_own_clock():
    """The daemon and another program want a token at once when theirs is over: one of them refreshes,
    the other waits for that."""
    relay = new('clock', connections=2, per_connection=1)
    relay.stop()
    changed(relay, refresh_at=0, expires=1, access_token='over')
    meet = threading.Event()
    server.before = lambda: meet.wait(PATIENCE)
    server.most = 0
    relay.start()
    for n in range(6):
        relay.send('bob@example.org', subject='clock')
    ok(until(lambda: server.used), 'clock: it is refreshed before it is shown')
    probe = Process('probe', [BUILD + '/smtp-probe', '--as-relay', 'default'], relay.env)
    lock = os.stat(relay.spool + '/oauth2/default.json.lock')
    ok(until(lambda: waits_for(probe, lock) or probe.popen.poll() is not None),
       'clock: another program comes to the lock')
    ok(probe.popen.poll() is None, 'clock: and waits', probe.words)
    meet.set()
    server.before = None
    ok(until(lambda: len(smarthost.about('clock')) == 6), 'clock: all of it goes', relay.tail)
    ok(until(lambda: probe.popen.poll() is not None), 'clock: and the other program has a token')
    ok('235' in probe.words() or 'logged in' in probe.words(), 'clock: that is good', probe.words)
    eq((len(server.used), server.most), (1, 1), 'clock: one refresh for all of them')
    ok(all(fine for _, _, fine in smarthost.logins), 'clock: no login with what is over')
    unharmed(relay, 'clock')


def waits_for(process, lock):
    """It has the file open."""
    try:
        open_files = os.listdir('/proc/%d/fd' % process.popen.pid)
        return any(os.path.samestat(os.stat('/proc/%d/fd/%s' % (process.popen.pid, f)), lock)
                   for f in open_files)
    except OSError:
        return False


def children(pid):
    found = []
    for p in glob.glob('/proc/[0-9]*/stat'):
        try:
            with open(p) as f:
                if int(f.read().rsplit(')', 1)[1].split()[1]) == pid:
                    found.append(int(p.split('/')[2]))
        except OSError:
            continue
    return found


def lives(pid):
    """One that nobody has waited for has ended all the same."""
    try:
        with open('/proc/%d/stat' % pid) as f:
            return f.read().rsplit(')', 1)[1].split()[0] != 'Z'
    except OSError:
        return False


def killed():
    """The token server has given another refresh token and forgotten the old one."""
    relay = new('killed')
    relay.stop()
    changed(relay, refresh_at=0, expires=1, access_token='over')
    meet = threading.Event()
    server.before = lambda: meet.wait(PATIENCE)
    relay.start()
    relay.send('bob@example.org', subject='killed')
    ok(until(lambda: server.used), 'killed: a refresh is under way')
    deliver, old = children(relay.popen.pid), server.refresh
    relay.stop(signal.SIGKILL)
    for pid in deliver:
        os.kill(pid, signal.SIGTERM)
    ok(deliver and until(lambda: not any(map(lives, deliver))),
       'killed: the daemon is gone, and nightmail-deliver with it', deliver)
    server.before = None
    meet.set()
    ok(until(lambda: tokens_of(relay)['refresh_token'] == server.refresh != old),
       'killed: what came of it is kept all the same', lambda: tokens_of(relay))
    relay.start()
    arrives(relay, 'killed', 'killed: the next daemon needs no login')
    eq(len(server.used), 1, 'killed: and no other refresh')
    unharmed(relay, 'killed')


def full():
    """A refresh token is not used up where the next one could not be kept."""
    relay = new('full')
    relay.stop()
    changed(relay, refresh_at=0, expires=1, access_token='over')
    os.rename(relay.spool + '/oauth2', relay.spool + '/aside')
    path(os.path.relpath(relay.spool, DIR) + '/oauth2/default.json', json.dumps(
        json.load(open(relay.spool + '/aside/default.json'))), 0o600)
    os.mkdir(relay.spool + '/oauth2/default.ends')  # what has to be written cannot be
    relay.start()
    id = relay.send('bob@example.org', subject='full')
    relay.waits_because(id, r'default\.ends', 'full: it waits, and says what cannot be written')
    eq(server.used, [], 'full: the token server was not asked')
    os.rmdir(relay.spool + '/oauth2/default.ends')
    arrives(relay, 'full', 'full: it goes when it can be')
    unharmed(relay, 'full')


for mechanism in ('XOAUTH2', 'OAUTHBEARER'):
    refused_at_login(mechanism)
refused_again()
in_mid_session('421', '421 4.7.0 the token of this session is over')
in_mid_session('530', '530 5.7.0 authentication required')
by_its_own_clock()
killed()
full()
done()
