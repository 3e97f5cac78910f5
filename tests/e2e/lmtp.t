#!/usr/bin/env python3
"""A real Dovecot that takes mail by LMTP, at a socket and at a port: each recipient has a result
of its own, a full mailbox is tried again, and nobody gets anything twice."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from system import *  # noqa: E402
import peers  # noqa: E402
from peers import asked, ids  # noqa: E402

peers.need('root', 'usr/lib/dovecot/lmtp')
ROOM = 20000
port, sock = free_port(), path('dovecot/lmtp')
os.makedirs(path('boxes'))
os.chmod(path('boxes'), 0o777)
dovecot = peers.Dovecot('''
    protocols = lmtp
    hostname = mail.example
    postmaster_address = postmaster@mail.example
    mail_location = maildir:%(boxes)s/%%u
    mail_plugins = quota
    quota_full_tempfail = yes
    plugin {
      quota = maildir:User quota
      quota_rule = *:bytes=%(room)d
      quota_grace = 0
    }
    service lmtp {
      unix_listener %(sock)s {
        mode = 0666
      }
      inet_listener lmtp {
        address = 127.0.0.1
        port = %(port)d
      }
    }
    ''' % {'boxes': path('boxes'), 'room': ROOM, 'sock': sock, 'port': port},
    **{name + '@mail.example': 'unused' for name in ('ann', 'ben', 'cat', 'ann2', 'ben2', 'cat2')})
until(lambda: os.path.exists(sock))
home = Sink(name='home')


def box(name):
    return peers.maildir('boxes/%s@mail.example' % name)


def trouble():
    return '%s\n%s' % (relay.tail(), '\n'.join(dovecot.words().splitlines()[-10:]))


def test_delivery(kind, ann, ben, cat):
    """Two of three exist; then cat's mailbox is full, and has room again."""
    address = {name: name + '@mail.example' for name in (ann, ben, cat)}
    one = relay.send(address[ann], 'nobody@mail.example', address[ben], subject='three',
                     body='.\nx\n')
    ok(until(lambda: len(relay.results(one)) >= 3), kind + ': each recipient has a result', trouble)
    eq({f['to']: (f['status'], f['dsn']) for f in relay.results(one)},
       {address[ann]: ('sent', '2.0.0'), address[ben]: ('sent', '2.0.0'),
        'nobody@mail.example': ('bounced', '5.1.1')}, kind + ': two have it, the third is refused')
    ok(relay.empty(), kind + ': nothing stays', trouble)
    eq([[(m['Subject'], m['Return-Path'], m.get_content()) for m in box(name)]
        for name in (ann, ben)], 2 * [[('three', '<alice@home.example>', '.\nx\n')]],
       kind + ': once and whole, with its sender')
    relay.send(address[cat], subject='first', body='0123456789\n' * (ROOM // 2 // 11))
    ok(until(lambda: box(cat)), kind + ': what fits is taken', trouble)
    two = relay.send(address[cat], address[ben], subject='second',
                     body='0123456789\n' * (ROOM // 2 // 11))
    ok(until(lambda: relay.results(two, 'deferred')), kind + ': a full mailbox is tried again', trouble)
    eq([(f['to'], f['dsn']) for f in relay.results(two, 'deferred')[:1]], [(address[cat], '4.2.2')],
       kind + ': with the status for that')
    for folder in ('new', 'cur'):
        folder = path('boxes/%s/%s' % (address[cat], folder))
        for name in os.listdir(folder):
            os.unlink(os.path.join(folder, name))
    os.unlink(path('boxes/%s/maildirsize' % address[cat]))
    ok(relay.empty(), kind + ': and goes when there is room', trouble)
    eq([[m['Subject'] for m in box(name)] for name in (cat, ben)], [['second'], ['three', 'second']],
       kind + ': everybody has it once')


def test_probe(there):
    a = asked(there, '--lmtp', '-f', 'a@home.example', '-t', 'ann@mail.example')
    eq((ids(a, 'fail', 'warn'), asked.code), ([], 0), 'smtp-probe --lmtp: nothing is wrong')
    ok([r for r in a['servers'][0]['rcpt'] if '250' in str(r)], 'smtp-probe --lmtp: the recipient '
       'is taken', a['servers'][0])
    a = asked(there, '--lmtp', '--tls')
    eq(ids(a, 'fail'), ['tls.not_offered'], 'smtp-probe --lmtp --tls: no TLS is told')
    a = asked(there, '--lmtp', '-f', 'a@home.example', '-t', 'nobody@mail.example')
    eq((ids(a, 'fail'), asked.code), (['rcpt.rejected'], 2),
       'smtp-probe --lmtp: a recipient who does not exist is told')


HOME = way_home(home)
relay = Relay('socket', host='lmtp:' + sock, tls=None, port=None, more=HOME)
test_delivery('socket', 'ann', 'ben', 'cat')
home.got(1, 'socket: the sender is told')
relay.stop()
relay = Relay('port', host='lmtp:127.0.0.1:%d' % port, tls=None, port=None, more=HOME)
test_delivery('port', 'ann2', 'ben2', 'cat2')
home.got(2, 'port: the sender is told')
relay.stop()
for there in ('127.0.0.1:%d' % port, sock):
    test_probe(there)
done()
