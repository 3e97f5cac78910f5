#!/usr/bin/env python3
"""Trouble is told by other ways than mail: a command, a webhook, a file for motd, a mailbox as the
last resort. Once for each cause, also over restarts, and again after a day."""
import http.server
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from system import *  # noqa: E402


class Told:
    """A command that keeps what it is told, one JSON object a line."""

    def __init__(self, name):
        self.file = path(name + '/told')
        self.script = path(name + '/tell', '#!/bin/sh\ncat >>%s\necho "told: it"\n' % self.file, 0o700)

    def all(self):
        try:
            with open(self.file) as f:
                return [json.loads(line) for line in f if line.endswith('\n')]
        except FileNotFoundError:
            return []

    def of(self, kind):
        return [a for a in self.all() if a['kind'] == kind]


def events():
    told = Told('events')
    sink = Sink('--reply', 'rcpt:nobody@example.org=550 5.1.1 no such user', name='events')
    relay = Relay('events', port=sink.port, more='[notify]\ncommand = ' + told.script)
    id = relay.send('nobody@example.org', 'nobody@example.org', subject='Lost')
    ok(until(lambda: told.of('bounced')), 'a bounce is told', relay.tail)
    a = told.of('bounced')[0]
    eq((a['id'], a['to'], a['relay'], a['again']), (id, 'nobody@example.org', 'default', False),
       'with the message and its recipient')
    ok('550 5.1.1 no such user' in a['text'] and a['title'], 'and a sentence', a)
    ok(relay.says('notify command: told: it'), 'what the command says goes to the log', relay.tail)
    null = relay.send('nobody@example.org', sender='', subject='Nobody to tell')
    ok(until(lambda: told.of('dead')), 'a message that is put aside is told', relay.tail)
    eq(told.of('dead')[0]['id'], null, 'with its ID')
    relay.is_empty('events: the queue is empty')
    relay.reported(relay.stop())
    sink.stop()


def relay_held():
    told, motd = Told('held'), path('held/motd')
    sink = Sink(name='held')
    sink.stop()
    more = '[notify]\ncommand = %s\nmotd = %s' % (told.script, motd)
    relay = Relay('held', port=sink.port, more=more)
    relay.send('a@example.org')
    ok(until(lambda: told.of('relay-held')), 'a held relay is told', relay.tail)
    ok('relay default is held: cannot connect' in told.of('relay-held')[0]['text'],
       'with the reason', told.all)
    ok(until(lambda: 'relay default is held' in read('held/motd')), 'the motd says so',
       lambda: read('held/motd'))
    relay.stop(signal.SIGKILL)
    relay.start()
    relay.send('b@example.org')
    ok(relay.says('started.*\n(.*\n)*.*started'), 'held: it was started again')
    relay.waits_because(relay.queue()[0]['id'], 'waiting for relay', 'held: the relay is held still')
    sink = sink.again()
    ok(until(lambda: told.of('relay-ok')), 'when it works again that is told', relay.tail)
    eq((len(told.of('relay-held')), len(told.of('relay-ok'))), (1, 1), 'each once')
    ok(until(lambda: not os.path.exists(motd)), 'and the motd is gone')
    relay.reported(relay.stop())
    sink.stop()


def webhook():
    got, answers = [], [503, 200]

    class Hook(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            got.append((self.path, self.headers['Content-Type'],
                        json.loads(self.rfile.read(int(self.headers['Content-Length'])))))
            self.send_response(answers.pop(0) if answers else 200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sink = Sink('--reply', 'rcpt=550 5.1.1 no such user', name='hook')
    url = 'http://127.0.0.1:%d/mail' % server.server_port
    relay = Relay('hook', port=sink.port, more='[notify]\nwebhook = ' + url)
    relay.send('nobody@example.org')
    ok(until(lambda: got), 'the webhook is asked', relay.tail)
    eq(got[0][:2], ('/mail', 'application/json'), 'with JSON')
    eq(got[0][2]['kind'], 'bounced', 'that says what happened')
    ok(relay.says('notify webhook for bounced: the server answered with status 503'),
       'a server in trouble is asked again later', relay.tail)
    relay.reported(relay.stop())
    server.shutdown()
    sink.stop()


def queue_size():
    told = Told('size')
    relay = Relay('size', start=False)
    relay.configure(port=1, more='[notify]\ncommand = %s\nqueue-size = 3' % told.script)
    for n in range(5):
        relay.send('a@example.org', subject=str(n))
    relay.start()
    ok(until(lambda: told.of('queue-size'), 60 + PATIENCE), 'a long queue is told', relay.tail)
    eq(told.of('queue-size')[0]['text'], '5 messages wait', 'with its length')
    relay.reported(relay.stop())


def other_kinds():
    """What is late, what waits for a quota, a disk without room; on the desktop too."""
    told, shown = Told('kinds'), path('kinds/shown')
    path('kinds/bin/notify-send', '#!/bin/sh\nprintf "%%s\\n" "$*" >>%s\n' % shown, 0o700)
    sink = Sink('--reply', 'rcpt:late@example.org=450 4.2.2 full', name='kinds')
    more = '[notify]\ncommand = %s\ndesktop = yes' % told.script
    relay = Relay('kinds', start=False)
    relay.env['PATH'] = path('kinds/bin') + ':' + os.environ['PATH']
    relay.configure(port=sink.port, queue='warning = 1s', quota='1/d', more=more)
    relay.start()
    relay.send('late@example.org')
    ok(until(lambda: told.of('delayed')), 'mail that is late is told', relay.tail)
    ok(until(lambda: 'late' in read('kinds/shown')), 'and shown on the desktop',
       lambda: read('kinds/shown'))
    for n in range(3):
        relay.send('a@example.org', subject=str(n))
    ok(until(lambda: len(sink.received()) == 1), 'the quota is used up', relay.tail)
    relay.reported(relay.stop())
    relay.start()
    ok(until(lambda: told.of('quota'), 60 + PATIENCE), 'mail that waits for a quota is told',
       relay.tail)
    relay.reported(relay.stop())
    relay.configure(port=sink.port, queue='reserve = 1000G', quota='1/d', more=more)
    relay.start()
    ok(until(lambda: told.of('disk'), 60 + PATIENCE), 'a disk without room is told', relay.tail)
    relay.reported(relay.stop())
    sink.stop()


def markup():
    """Desktops read a text as markup; what a server says is none."""
    shown = path('markup/shown')
    path('markup/bin/notify-send', '#!/bin/sh\nprintf "%%s\\n" "$*" >>%s\n' % shown, 0o700)
    sink = Sink('--reply', 'rcpt=550 5.1.1 <b>no</b> & never', name='markup')
    relay = Relay('markup', start=False)
    relay.env['PATH'] = path('markup/bin') + ':' + os.environ['PATH']
    relay.configure(port=sink.port, more='[notify]\ndesktop = yes')
    relay.start()
    relay.send('a@example.org')
    ok(until(lambda: '&lt;b&gt;no&lt;/b&gt; &amp; never' in read('markup/shown')),
       'words of a server are no markup on the desktop', lambda: read('markup/shown'))
    relay.reported(relay.stop())
    sink.stop()


def certificate():
    """A certificate of our own that ends soon is told, once."""
    told = Told('certificate')
    _, cert, key = own_ca()
    day = path('short.tmpl', 'cn = "x"\nactivation_date = "2020-01-01 00:00:00"\n'
               'expiration_date = "%s"\n' % time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(time.time() + 86400 * 9)))
    subprocess.run(['certtool', '--no-text', '-s', '--load-privkey', key, '--template', day,
                    '--outfile', path('short.pem')], check=True, stderr=subprocess.DEVNULL)
    more = '[notify]\ncommand = %s\n[listen]\ntcp = 127.0.0.1:0\ntrust-local = yes\ntls = %s %s' % (
        told.script, path('short.pem'), key)
    relay = Relay('certificate', port=1, more=more)
    ok(until(lambda: told.of('certificate')), 'a certificate that ends soon is told', relay.tail)
    ok(re.search('ends in [89] d', told.of('certificate')[0]['text']), 'with the time that is left', told.all)
    relay.stop()
    relay.configure(port=1, more=more.replace(path('short.pem'), cert))
    relay.start()
    relay.send('a@example.org')
    ok(until(lambda: told.of('relay-held')), 'another certificate is there')
    eq(len(told.of('certificate')), 1, 'and no more is told')
    relay.reported(relay.stop())


def days():
    """What lasts is told once a day; after some days root's mail is in a mailbox too."""
    if os.geteuid() != 0 or not shutil.which('unshare'):
        skip('what lasts for days', 'needs root, and unshare -T')
        return
    told = Told('days')
    relay = Relay('days', port=1, start=False)
    relay.configure(port=1, queue='lifetime = 30d', more='root = x@example.org')
    more = '[notify]\ncommand = %s\nlast-resort = 3d\nqueue-age = 2d' % told.script
    relay.configure(port=1, queue='lifetime = 30d', more=more)
    relay.start()
    relay.sendmail('root', text='Subject: Dump\n\n' + ('x' * 70 + '\n') * 300000)
    relay.sendmail('root', text='Subject: Disk\n\nFrom here on\nit fails.\n')
    relay.send('a@example.org')
    ok(until(lambda: told.of('relay-held')), 'the relay is held', relay.tail)
    for day, held, aged in ((0.5, 1, 0), (1.5, 2, 0), (2.6, 3, 1), (4, 4, 2)):
        relay.stop()
        relay.days = day
        relay.start()
        ok(until(lambda: len(told.of('relay-held')) == held and len(told.of('queue-age')) == aged,
                 60 + PATIENCE), 'after %s days it was told %d times' % (day, held), told.all)
    box = relay.spool + '/last-resort'
    ok(until(lambda: os.path.exists(box)), "root's mail is in a mailbox", relay.tail)
    text = open(box).read()
    ok(text.startswith('From ') and '\n>From here on\nit fails.\n' in text and
       text.count('Subject: ') == 1, 'that one alone, in the form of an mbox', text)
    eq(told.of('relay-held')[-1]['again'], True, 'and it says that it was told before')
    relay.stop()
    relay.start()
    ok(relay.says('started'), 'once more')
    eq(open(box).read(), text, 'nothing is written twice')
    eq(len(relay.files()), 3, 'and the messages wait on, also one that no mailbox takes')
    relay.reported(relay.stop())


events()
relay_held()
webhook()
queue_size()
other_kinds()
markup()
certificate()
days()
done()
