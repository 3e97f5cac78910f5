#!/usr/bin/env python3
"""What ends one day is told in time: the certificate that a relay's server shows, our own ones,
and the grant by which tokens are got. Once at a fifth of its lifetime, once more at a twentieth,
never twice, also over restarts and broken configurations; in the log, in status and in motd as
long as it lasts."""
import json
import os
import re
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
os.environ['DBUS_SESSION_BUS_ADDRESS'] = 'unix:path=/nonexistent'  # nobody's keyring
from system import *  # noqa: E402
from tokens import Smarthost, Tokens  # noqa: E402

ca, good, key = own_ca('localhost')
DAY = 86400
T = int(time.time())


def stamp(t):
    return time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(t))


def certificate(name, since, until):
    """One by our CA that holds from `since` days ago for `until` days more."""
    template = path(name + '.tmpl', 'cn = "localhost"\ndns_name = "localhost"\nsigning_key\n'
                    'tls_www_server\ntls_www_client\nactivation_date = "%s"\nexpiration_date = "%s"\n'
                    % (stamp(T - since * DAY), stamp(T + until * DAY)))
    folder = os.path.dirname(ca)
    subprocess.run(['certtool', '--no-text', '-c', '--load-privkey', key, '--load-ca-privkey',
                    folder + '/ca.key', '--load-ca-certificate', ca, '--template', template,
                    '--outfile', path(name + '.pem')], check=True, stderr=subprocess.DEVNULL)
    return path(name + '.pem')


# Two with the same end are one certificate, sooner and later: what is left of it is less.
low, last, other = certificate('low', 90, 10), certificate('last', 1000, 10), certificate('other', 90, 9)


class Watched(Relay):
    """A relay whose alerts and motd are kept."""

    def __init__(self, name, more='', **keys):
        self.told, self.motd = path(name + '/told', ''), path(name + '/motd')
        notify = '[notify]\ncommand = cat >>%s\nmotd = %s\n' % (self.told, self.motd)
        super().__init__(name, more=notify + more, **keys)

    def configure(self, more='', **keys):
        if '[notify]' not in more:
            more = '[notify]\ncommand = cat >>%s\nmotd = %s\n' % (self.told, self.motd) + more
        super().configure(more=more, **keys)

    def alerts(self, kind='certificate'):
        return [a for a in map(json.loads, read(os.path.relpath(self.told, DIR)).splitlines())
                if a['kind'] == kind]

    def shows(self, pattern):
        """The motd is written with each look at what is wrong."""
        return until(lambda: re.search(pattern, read(os.path.relpath(self.motd, DIR))))

    def again(self, how=signal.SIGTERM):
        """Started anew; what was shown before is not there any more."""
        self.stop(how)
        if os.path.exists(self.motd):
            os.unlink(self.motd)
        self.start()

    def status(self):
        r = self.run('nightmail', 'status')
        return r.returncode, r.stdout.decode()


def of_a_server():
    sink = Sink('--cert', low, '--key', key, name='server')
    keys = {'host': 'localhost', 'port': sink.port, 'tls': 'starttls', 'ca': ca}
    relay = Watched('server', **keys)
    eq(relay.status()[0], 0, 'all is well')
    relay.send('bob@example.org')
    sink.got(1, 'a mail goes')
    words = r'the certificate of localhost \(relay default\) ends in (9|10) d'
    ok(until(relay.alerts), 'that little is left of the certificate is told', relay.tail)
    a = relay.alerts()[0]
    ok(re.match(words, a['text']) and a['relay'] == 'default' and not a['again'],
       'whose it is, and when it ends', a)
    ok(relay.says('warning: ' + words), 'it is in the log', relay.tail)
    code, text = relay.status()
    ok(code == 1 and re.search('^warning  ' + words, text, re.M), 'status warns', text)
    r = relay.run('nightmail', 'status', '--json')
    ok(re.search(words, json.loads(r.stdout.splitlines()[0])['warnings'][0]), 'in JSON too', r)
    r = relay.run('nightmail', '--plain')
    ok(b'the certificate of localhost' in r.stdout, 'and so does the overview', r)
    ok(relay.shows(words), 'motd says so')
    for how in (signal.SIGKILL, signal.SIGTERM):
        relay.again(how)
        ok(relay.shows(words), 'it is known after a restart')
    eq(len(relay.alerts()), 1, 'and not told again')
    test_thresholds(relay, sink, keys)


def test_thresholds(relay, sink, keys):
    words = 'the certificate of localhost'
    sink = sink.again('--cert', last, '--key', key)
    relay.again()
    relay.send('bob@example.org')
    sink.got(2, 'some days later')
    ok(until(lambda: len(relay.alerts()) == 2), 'when next to nothing is left it is told again',
       relay.alerts)
    ok(relay.says('(?s)' + words + '.*warning: ' + words), 'in the log too')
    sink = sink.again('--cert', good, '--key', key)
    relay.again()
    ok(relay.shows(words), 'as long as nobody has met the new certificate it is shown')
    relay.send('bob@example.org')
    sink.got(3, 'the certificate is renewed')
    ok(until(lambda: relay.status()[0] == 0), 'and all is well', relay.status)
    ok(until(lambda: not os.path.exists(relay.motd)), 'motd is gone')
    for cert, told, name in ((low, 2, 'the same one again is not told'),
                             (other, 3, 'another one is another cause')):
        sink = sink.again('--cert', cert, '--key', key)
        relay.again()
        relay.send('bob@example.org')
        ok(relay.shows(words), 'one that ends is met again')
        ok(until(lambda: len(relay.alerts()) == told), name, relay.alerts)
    relay.configure(**dict(keys, port='none'))
    relay.again()
    ok(relay.shows('nothing can be delivered'), 'the configuration is broken')
    relay.configure(**keys)
    relay.again()
    ok(relay.shows(words), 'and mended')
    eq(len(relay.alerts()), 3, 'nothing is told twice for that')
    relay.reported(relay.stop())
    sink.stop()


def key_hash(cert):
    r = subprocess.run(['certtool', '--key-id', '--hash=sha256', '--infile', cert],
                       stdout=subprocess.PIPE, check=True)
    import base64
    return base64.b64encode(bytes.fromhex(r.stdout.decode().strip())).decode()


def of_our_own():
    """The listener's and a client's; and a server's that is known by its key, whose dates do not
    matter."""
    sink = Sink('--cert', last, '--key', key, name='own')
    relay = Watched('own', host='localhost', port=sink.port, tls='starttls', ca=ca,
                    pin='sha256:' + key_hash(last), cert='%s %s' % (low, key),
                    more='[listen]\ntcp = 127.0.0.1:0\ntrust-local = yes\ntls = %s %s\n' % (last, key))
    relay.send('bob@example.org')
    sink.got(1, 'a mail goes to a server with a pinned key')
    ok(until(lambda: len(relay.alerts()) == 2), 'two of our own certificates end', relay.alerts)
    relay.again()
    ok(relay.shows('shown to relay default') and relay.shows('of the listener'),
       'which ones is said')
    ok('certificate of localhost' not in read('own/motd'),
       'of a server that is known by its key the dates do not matter')
    texts = [a['text'] for a in relay.alerts()]
    ok(len(texts) == 2 and any(low in t for t in texts) and any(last in t for t in texts),
       'and no more is told', texts)
    relay.reported(relay.stop())
    sink.stop()


def of_a_grant():
    server, smarthost = Tokens(), Smarthost()
    server.pending, server.grant_life = 0, 90 * DAY
    relay = Watched('grant', host='localhost', port=smarthost.port, tls='implicit', ca=smarthost.ca,
                    login='alice', password='oauth2', client_id='this-program', scope='mail',
                    token_url=server.url + '/token', device_url=server.url + '/device',
                    token_ca=server.ca)
    eq(relay.run('nightmail', 'login', 'default').returncode, 0, 'login')
    ends = relay.spool + '/oauth2/default.ends'
    word, since, until_ = open(ends).read().split()
    ok(word == 'grant' and int(until_) - int(since) == 90 * DAY and abs(int(since) - T) < 3600,
       'how long the grant holds is kept', open(ends).read)
    eq(os.stat(ends).st_mode & 0o777, 0o600, 'for its owner alone')
    relay.send('bob@example.org', subject='fresh')
    ok(until(lambda: smarthost.about('fresh')), 'a mail goes', relay.tail)
    eq(relay.status()[0], 0, 'all is well with a fresh one')
    for n, (before, after) in enumerate(((80, 10), (88, 2)), 1):
        path(os.path.relpath(ends, DIR), 'grant %d %d\n' % (T - before * DAY, T + after * DAY))
        relay.again()
        words = r'the login of relay default \(run nightmail login default\) ends in \d+ [dh]'
        ok(relay.shows(words), 'the grant ends: it is said what to do')
        ok(until(lambda: len(relay.alerts('token')) == n), 'it is told, time %d' % n, relay.tail)
    relay.again()
    ok(relay.shows(words) and len(relay.alerts('token')) == 2, 'not again')
    server.pending = 0
    eq(relay.run('nightmail', 'login', 'default').returncode, 0, 'login again')
    relay.again()
    eq(relay.status()[0], 0, 'then all is well')
    server.grant_life, server.pending = None, 0
    eq(relay.run('nightmail', 'login', 'default').returncode, 0, 'a server that does not say')
    ok(not os.path.exists(ends), 'nothing is kept of a grant that nobody knows the end of')
    relay.reported(relay.stop())


of_a_server()
of_our_own()
of_a_grant()
done()
