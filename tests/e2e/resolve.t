#!/usr/bin/env python3
"""nightmail-resolve: many channels, its cache, silence, its death in the middle of a question; then
in the whole relay, whose hosts are looked up by the configured resolver."""
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from system import *  # noqa: E402
from system import _running  # noqa: E402
import names  # noqa: E402

ASK = BUILD + '/tools/dns_ask'
if not os.access(ASK, os.X_OK):
    skip_all('%s is not built' % ASK)


def channel():
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)


def hand_over(control, end):
    socket.send_fds(control, [b'channel\n'], [end.fileno()])


class Resolver(Process):
    """nightmail-resolve, as nightmail-deliver starts it."""

    def __init__(self, *options, name='resolve', conf=None):
        """conf: what it sees as /etc/resolv.conf; needs root."""
        self.control, theirs = channel()
        keeper = [BUILD + '/nightmail-resolve', *options]
        if conf:
            keeper = ['unshare', '-m', 'sh', '-c',
                      'mount --bind "$1" /etc/resolv.conf && shift && exec "$@"', 'sh',
                      conf] + keeper
        self.name, self.log = name, path(name + '.log')
        with open(self.log, 'ab') as log:
            self.popen = subprocess.Popen(
                ['bash', '-c', 'exec 3<&$1; shift; exec "$@"', 'bash',
                 str(theirs.fileno())] + keeper, pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        theirs.close()
        _running.append(self)


class Client:
    """dns_ask on a channel; the resolver's end stays with us, as with nightmail-deliver."""

    def __init__(self, resolver, deadline=0):
        ours, self.end = channel()
        self.popen = subprocess.Popen(
            [ASK, '--channel', str(ours.fileno())] + (['--deadline', str(deadline)] if deadline
                                                      else []),
            pass_fds=[ours.fileno()], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        ours.close()
        hand_over(resolver.control, self.end)

    def note(self, *questions):
        self.popen.stdin.write(('\n'.join(questions) + '\n\n').encode())
        self.popen.stdin.flush()

    def answers(self):
        found = []
        for line in self.popen.stdout:
            if line == b'\n':
                return found
            found.append(json.loads(line))
        return found

    def ask(self, *questions):
        self.note(*questions)
        return self.answers()

    def close(self):
        self.popen.stdin.close()
        self.popen.stdout.close()
        self.popen.wait(PATIENCE)
        self.end.close()


RECORDS = {'host%d.lab' % i: [['A', '127.0.%d.%d' % (i >> 8, i & 255)]] for i in range(1000)}
RECORDS.update({
    'slow.lab': [['TIMEOUT']],
    'fails.lab': [['SERVFAIL']],
    'mail.lab': [['A', '127.0.0.1'], ['MX', 10, 'mail.lab']],
    'long.lab': [['TXT', ['x' * 250] * 60]],
})
server = names.Dict(RECORDS)
OPTIONS = ['--server=' + server.server, '--trust-anchor=none']


def status(answers):
    return [a['status'] for a in answers]


def test_types():
    """Each type arrives by the channel as libunbound gave it: what it holds, how long it holds, the end
    of its chain, and whether it is signed, unsigned or forged."""
    if names.missing('nsd', 'ldns-keygen', 'ldns-signzone'):
        return skip('all types', 'no nsd, or no ldnsutils')
    text = '''
@ MX 10 mx1
@ TXT "v=spf1 mx"
@ CAA 0 issue "ca.example"
mx1 A 192.0.2.1
mx1 AAAA 2001:db8::1
bad A 192.0.2.66
ptr PTR mx1
www CNAME mx1
_25._tcp.mx1 TLSA 3 1 1 aabbcc
_submission._tcp SRV 0 1 587 mx1
sub DS 12345 13 2 0011223344556677889900112233445566778899001122334455667788990011
'''
    nsd = names.Nsd(names.Zone('good.lab', text, 'good'), names.Zone('broken.lab', text, 'broken'),
                    names.Zone('plain.lab', text))
    keeper = Resolver('--server=' + nsd.server, '--trust-anchor=' + nsd.anchor, name='types')
    c = Client(keeper)
    wanted = {'good.lab MX': ['10 mx1.good.lab'], 'good.lab TXT': ['"v=spf1 mx"'],
              'good.lab CAA': ['0 "issue" "ca.example"'], 'mx1.good.lab A': ['192.0.2.1'],
              'mx1.good.lab AAAA': ['2001:db8::1'], 'ptr.good.lab PTR': ['mx1.good.lab'],
              '_25._tcp.mx1.good.lab TLSA': ['3 1 1 aabbcc'], 'www.good.lab CNAME': ['mx1.good.lab'],
              '_submission._tcp.good.lab SRV': ['0 1 587 mx1.good.lab'],
              'sub.good.lab DS': ['12345 13 2 0011223344556677889900112233445566778899001122334455'
                                  '667788990011'],
              'good.lab NS': None, 'good.lab SOA': None, 'www.good.lab A': ['192.0.2.1']}
    for question, answer in zip(wanted, c.ask(*wanted)):
        ok(answer['status'] == 'found' and answer['secure'] and answer['ttl'] > 0 and
           wanted[question] in (None, answer['records']), 'all types: ' + question, answer)
    chain, plain, forged, none = c.ask('www.good.lab A', 'mx1.plain.lab A', 'bad.broken.lab A',
                                       'none.good.lab A')
    eq((chain['canonical'], chain['cnames']), ('mx1.good.lab', 1), 'all types: the end of a chain')
    eq((plain['status'], plain['secure']), ('found', False), 'all types: what is not signed')
    eq((forged['status'], forged['secure']), ('bogus', False), 'all types: what is forged')
    eq((none['status'], none['secure']), ('NXDOMAIN', True), 'all types: what is not there')
    c.close()
    keeper.stop()


def test_answers(resolver):
    a, b = Client(resolver), Client(resolver)
    eq(a.ask('mail.lab MX')[0]['records'], ['10 mail.lab'], 'a channel is answered')
    asked = server.asked('mail.lab', 'MX')
    eq(b.ask('mail.lab MX')[0]['records'], ['10 mail.lab'], 'so is another one')
    eq(server.asked('mail.lab', 'MX'), asked, 'from the cache')
    eq(status(a.ask('mail.lab A', 'mail.lab AAAA', 'none.lab A', 'fails.lab A', 'x..y A')),
       ['found', 'no such record', 'NXDOMAIN', 'SERVFAIL', 'bad name'], 'with every status')
    long = a.ask('long.lab TXT')[0]
    eq(len(''.join(long['records'])), 60 * 252 + 59, 'a long answer is whole')
    for c in (a, b):
        c.close()


def test_many(resolver):
    a, b = Client(resolver), Client(resolver)
    b.note('slow.lab A', 'slow.lab MX')
    found = {}

    def all_found():
        """On a busy machine some of them may come late: these are asked again."""
        late = ['%s A' % n for n in wanted if n not in found]
        found.update((f['name'], f['records']) for f in a.ask('forget', *late)
                     if f['status'] == 'found')
        return len(found) == len(wanted)

    wanted = ['host%d.lab' % i for i in range(1000)]
    ok(until(all_found), 'a thousand questions at once', '%d were answered' % len(found))
    eq(found.get('host777.lab'), ['127.0.3.9'], 'each with its own answer')
    late = b.answers()
    eq([(f['status'], f['why']) for f in late], [('timeout', 'no answer in 5 s')] * 2,
       'a name that is not answered is told at the deadline')
    for c in (a, b):
        c.close()


def test_death(resolver):
    """Killed with a question under way: the next one is handed the same end."""
    c = Client(resolver, deadline=15000)
    eq(status(c.ask('host1.lab A')), ['found'], 'before its death it answers')
    asked = server.asked('slow.lab', 'TXT')
    c.note('slow.lab TXT', 'host2.lab A')
    until(lambda: server.asked('slow.lab', 'TXT') > asked)
    resolver.stop(signal.SIGKILL)
    second = Resolver(*OPTIONS, name='second')
    again = server.asked('slow.lab', 'TXT')
    hand_over(second.control, c.end)
    ok(until(lambda: server.asked('slow.lab', 'TXT') > again),
       'the next one is asked what the dead one was asked', second.words)
    eq(status(c.answers()), ['timeout', 'found'], 'the client sees a temporary failure at most')
    eq(status(c.ask('host3.lab A')), ['found'], 'and is answered by the next one')

    c.close()

    c = Client(second)
    c.note('slow.lab A')
    second.stop(signal.SIGKILL)
    begun = time.monotonic()
    eq(status(c.answers()), ['timeout'], 'without a next one the deadline is all there is')
    c.end.close()
    found = c.ask('host4.lab A')[0]
    eq((found['status'], found['why']), ('SERVFAIL', 'nightmail-resolve is not there'),
       'and where nobody will ever be, that is said at once')
    ok(time.monotonic() - begun < PATIENCE, 'in time')
    c.close()


def test_poison():
    """A question that kills whoever reads it is not asked for ever."""
    resolver = Resolver(*OPTIONS, name='poison0')
    c = Client(resolver, deadline=60000)
    eq(status(c.ask('host5.lab A')), ['found'], 'a client with a long patience')
    asked = server.asked('slow.lab', 'AAAA')
    c.note('slow.lab AAAA')
    for n in range(1, 4):
        until(lambda: server.asked('slow.lab', 'AAAA') > asked)
        resolver.stop(signal.SIGKILL)
        asked = server.asked('slow.lab', 'AAAA')
        resolver = Resolver(*OPTIONS, name='poison%d' % n)
        hand_over(resolver.control, c.end)
    found = c.answers()[0]
    eq((found['status'], found['why']), ('SERVFAIL', 'nightmail-resolve ended without an answer'),
       'after three deaths the question has failed')
    c.close()
    resolver.control.close()
    eq(resolver.popen.wait(PATIENCE), 0, 'it leaves when its control channel ends')


def test_resolv_conf():
    """The machine comes into another network, whose name server has another port here."""
    if os.geteuid() != 0 or subprocess.run(
            ['unshare', '-m', 'mount', '--bind', '/etc/resolv.conf', '/etc/resolv.conf'],
            stderr=subprocess.DEVNULL).returncode:
        skip('another /etc/resolv.conf', 'needs root and mount namespaces')
        return
    other = names.Dict({'there.lab': [['A', '127.0.0.2']]}, name='other')
    conf = path('resolv.conf', '# here\nnameserver %s\n' % server.server.replace(':', '@'), 0o644)
    resolver = Resolver('--trust-anchor=none', name='conf', conf=conf)
    c = Client(resolver)
    eq(status(c.ask('mail.lab A', 'there.lab A')), ['found', 'NXDOMAIN'],
       'without a server those of /etc/resolv.conf are asked')
    path('resolv.conf', 'search lab\nnameserver %s\n' % other.server.replace(':', '@'), 0o644)
    eq(status(c.ask('forget', 'mail.lab A', 'there.lab A')), ['NXDOMAIN', 'found'],
       'and when it changes, the new ones')
    c.close()
    resolver.stop()
    other.stop()


def test_program():
    r = subprocess.run([BUILD + '/nightmail-resolve'], stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    ok(r.returncode == 64 and b'not run by hand' in r.stderr, 'started by hand it says so', r)
    wrong = Resolver('--server=localhost', name='wrong')
    ok(wrong.popen.wait(PATIENCE) == 1 and 'not the address of a name server' in wrong.words(),
       'a server that is no address is said in the log', wrong.words)


def resolvers(relay):
    """The nightmail-resolve processes below a relay."""
    found = []
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open('/proc/%s/cmdline' % pid) as f:
                command = f.read().split('\0')
        except OSError:
            continue
        if command[0].endswith('/nightmail-resolve') and '--server=' + server.server in command:
            found.append(int(pid))
    return found


def test_relay():
    sink = Sink()
    relay = Relay(port=sink.port, host='mail.lab', identity='', start=False)
    with open(relay.config) as f:
        text = f.read()
    path(os.path.relpath(relay.config, DIR),
         'resolver = %s\ntrust-anchor = none\n' % server.server + text, 0o644)
    relay.start()
    asked = server.asked('mail.lab', 'A')
    relay.send('bob@example.org', subject='one')
    relay.is_empty('a relay whose name only the resolver knows takes the mail')
    ok(server.asked('mail.lab', 'A') > asked, 'which was asked for it', server.words)
    found = until(lambda: resolvers(relay))
    if ok(found and len(found) == 1, 'one nightmail-resolve was started', found):
        os.kill(found[0], signal.SIGKILL)
    ok(until(lambda: 'nightmail-resolve: killed by signal 9' in relay.words() or
             not resolvers(relay)), 'it is killed')
    until(lambda: not any('per_connection' in l for l in relay.files()), 0.1)
    relay.send('bob@example.org', subject='two')
    relay.is_empty('the mail goes all the same')
    text = re.sub(r'(?m)^host = .*$', 'host = slow.lab', text)
    path(os.path.relpath(relay.config, DIR),
         'resolver = %s\ntrust-anchor = none\n' % server.server + text, 0o644)
    eq(relay.run('nightmail', 'reload').returncode, 0, 'another host')
    which = relay.send('bob@example.org', subject='three')
    relay.waits_because(which, 'the name server does not tell its address now: no answer in 5 s',
                        'a name that is not answered is a reason to wait')
    relay.stop()
    ok(until(lambda: not resolvers(relay)), 'and with the relay it ends')


test_types()
resolver = Resolver(*OPTIONS)
test_answers(resolver)
test_many(resolver)
test_death(resolver)
test_poison()
test_resolv_conf()
test_program()
test_relay()
done()
