#!/usr/bin/env python3
"""What tokens are renewed by lies in the person's keyring where there is one: nowhere else, also
after the server has given another one; where the keyring does not take it, it is never lost. The
keyring is a real one, without a desktop."""
import glob
import json
import os
import stat
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
os.environ['DBUS_SESSION_BUS_ADDRESS'] = 'unix:path=/nonexistent'
from system import *  # noqa: E402
from tokens import Smarthost, Tokens  # noqa: E402
import keyring  # noqa: E402

server, smarthost = Tokens(), Smarthost()
OAUTH = {'login': 'alice', 'password': 'oauth2', 'client_id': 'this-program', 'scope': 'mail',
         'token_url': server.url + '/token', 'device_url': server.url + '/device',
         'token_ca': server.ca, 'host': 'localhost', 'port': smarthost.port, 'tls': 'implicit',
         'ca': smarthost.ca}
relay = Relay('ring', start=False, **OAUTH)
FILE = relay.spool + '/oauth2/default.json'


def login(*args):
    server.pending = 0
    r = relay.run('nightmail', 'login', *args, 'default')
    eq(r.returncode, 0, ' '.join(('nightmail login',) + args))
    return r.stdout.decode() + r.stderr.decode()


def secret(act):
    r = relay.run('nightmail', 'secret', act, 'default')
    return r.returncode, r.stdout.decode() + r.stderr.decode()


def entry(act):
    """The keyring's entry itself, through a relay whose password it would be."""
    config = path('entry.conf', '[relay default]\nhost = x.example\nlogin = a\n'
                  'password = keyring:oauth2:default\n[queue]\ndir = %s\n' % relay.spool, 0o644)
    return relay.run('nightmail', 'secret', '--config', config, act, 'default').returncode


def config_check():
    """What it says of the password."""
    words = relay.run('nightmail', 'config', 'check').stderr.decode()
    return '\n'.join(line for line in words.splitlines() if 'password' in line)


def tokens():
    with open(FILE) as f:
        return json.load(f)


def over():
    """The access token is over, and nobody has another one in memory."""
    relay.stop()
    t = dict(tokens(), refresh_at=0, expires=1, access_token='over')
    with open(FILE, 'w') as f:
        json.dump(t, f)
    relay.start()


def arrives(subject, name):
    id = relay.send('bob@example.org', subject=subject)
    ok(until(lambda: smarthost.about(subject)), name, relay.tail)
    return id


def in_no_file(name):
    wanted = ['refresh-%d' % n for n in range(1, 60)]
    found = [f for f in glob.glob(DIR + '/ring/**', recursive=True)
             if os.path.isfile(f) and any(w in open(f, errors='replace').read() for w in wanted)]
    eq(found, [], name)


def without():
    ok('no tokens yet: run nightmail login default' in config_check(),
       'config check says that there are none')
    code, words = secret('test')
    ok(code == 69 and 'run nightmail login default' in words, 'so does secret test', words)
    words = login()
    ok('the keyring cannot have them' in words and FILE in words,
       'without a keyring login says where they are, and why', words)
    eq(tokens()['refresh_token'], server.refresh, 'in the file')
    eq(secret('test')[0], 0, 'secret test finds them there')
    code, words = secret('set')
    ok(code == 78 and 'nightmail login default gets' in words, 'secret set is not for tokens', words)
    eq(config_check(), '', 'config check has nothing to say')


def kept(ring):
    words = login()
    ok('in the keyring' in words, 'with a keyring login says so', words)
    ok(server.refresh not in words, 'and shows nothing', words)
    eq(stat.S_IMODE(os.stat(FILE).st_mode), 0o600, 'the file is for its owner alone')
    in_no_file('what the tokens are renewed by is in no file any more')
    eq(entry('test'), 0, 'it is in the keyring')
    code, words = secret('test')
    ok(code == 0 and 'in the keyring' in words, 'secret test says so', words)
    eq(config_check(), '', 'config check has nothing to say')
    relay.start()
    arrives('kept', 'a mail goes')
    for n in range(2):
        used = len(server.used)
        over()
        arrives('rotated %d' % n, 'a token that is over is renewed')
        eq(len(server.used) - used, 1, 'once')
    in_no_file('what the server gave instead is in no file either')
    ok(relay.words().find('refresh-') < 0, 'nor in the log')


def locked(ring):
    ring.lock()
    code, words = secret('test')
    ok(code == 77 and 'the keyring is locked' in words, 'secret test: it is locked', words)
    ok('the keyring is locked' in config_check(), 'config check says so too', config_check())
    arrives('locked', 'while it is locked a valid token will do')
    over()
    id = relay.send('bob@example.org', subject='unlocked')
    relay.waits_because(id, 'the keyring is locked', 'without one mailq says that it is locked')
    ok('nightmail login' not in relay.why(id), 'and not that a login is needed')
    ring.end()
    relay.waits_because(id, 'no keyring runs', 'that none runs is something else')
    ring.start()
    ok(until(lambda: smarthost.about('unlocked')), 'it goes when it is open', relay.tail)


def locked_meanwhile(ring):
    """The token server forgets the old one; the keyring does not take the new one."""
    server.before = ring.lock
    over()
    arrives('meanwhile', 'a mail goes')
    server.before = None
    eq(tokens()['refresh_token'], server.refresh, 'what the keyring did not take is in the file')
    ok(relay.says('cannot be put into the keyring'), 'the log says so')
    eq(stat.S_IMODE(os.stat(FILE).st_mode), 0o600, 'for its owner alone')
    code, words = secret('test')
    ok(code == 0 and FILE in words, 'secret test knows where it is', words)
    ring.end()
    ring.start()
    over()
    arrives('afterwards', 'the next one is in the keyring again')
    in_no_file('and in no file')


def missing():
    eq(entry('delete'), 0, 'somebody deletes the entry')
    over()
    id = relay.send('bob@example.org', subject='missing')
    relay.waits_because(id, 'not in the keyring any more; run nightmail login default',
                        'that it is missing is told, and what helps')
    code, words = secret('test')
    ok(code == 69 and 'run nightmail login default' in words, 'secret test says so too', words)
    ok('not in the keyring any more' in config_check(), 'and config check')
    login()
    ok(until(lambda: smarthost.about('missing')), 'after a login it goes', relay.tail)


def in_a_file():
    words = login('--file')
    ok('they are in ' + FILE in words, 'login --file', words)
    eq(tokens()['refresh_token'], server.refresh, 'all of it is in the file')
    eq(entry('test'), 69, 'and the keyring has no entry any more')
    over()
    arrives('file', 'a mail goes')
    eq(tokens()['refresh_token'], server.refresh, 'the next one is there too')


def deleted():
    login()
    eq(entry('test'), 0, 'in the keyring again')
    code, words = secret('delete')
    ok(code == 0 and 'no tokens any more' in words, 'secret delete', words)
    eq((entry('test'), os.path.exists(FILE)), (69, False), 'neither keyring nor file has them')
    eq(secret('delete')[0], 69, 'there is nothing more to delete')


if not keyring.here():
    skip_all('no gnome-keyring, dbus or nightmail-secret')
without()
ring = keyring.Keyring()
relay.env.update(ring.env)
if ok(ring.start(), 'gnome-keyring runs', lambda: read('keyring.log')):
    kept(ring)
    locked(ring)
    locked_meanwhile(ring)
    missing()
    in_a_file()
    relay.is_empty('nothing is left in the queue')
    relay.reported(relay.stop())
    deleted()
ring.stop()
done()
