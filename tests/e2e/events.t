#!/usr/bin/env python3
"""The live stream of the control socket: what is told of a message from its coming to its end, in
which order, what of relays; following one message that is there, or has just left; and edits,
also of a message that is being delivered."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from system import *  # noqa: E402


class Stream:
    """One request to the control socket; next() is an event, None at the end."""

    def __init__(self, relay, request='events'):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(relay.spool + '/run/control')
        self.socket.sendall(request.encode() + b'\n')
        self.lines = self.socket.makefile('rb')
        self.last = None

    def next(self):
        line = self.lines.readline()
        if not line:
            return None
        self.last = line.decode().strip()
        return json.loads(self.last) if self.last.startswith('{') else self.last

    def until(self, kind, id=None):
        """All events up to one of that kind (of that message)."""
        seen = []
        while True:
            e = self.next()
            if e is None or 'ok' in e:
                ok(False, 'an event ' + kind, seen + [e])
                return seen
            seen.append(e)
            if e['event'] == kind and id in (None, e.get('id')):
                return seen


def kinds(events, id=None):
    return [e['event'] for e in events if id is None or e.get('id') == id]


def test_delivery():
    sink = Sink('--reply', 'rcpt:bad@example.org=550 5.1.1 nobody',
                '--reply', 'rcpt:slow@example.org=450 4.2.0 busy,1', name='s1')
    relay = Relay('r1', port=sink.port)
    s = Stream(relay)
    eq(s.next()['event'], 'following', 'the stream begins')
    id = relay.send('bob@example.org')
    seen = s.until('gone', id)
    eq(kinds(seen, id), ['queued', 'started', 'delivered', 'gone'], 'a message that is delivered')
    first, end = seen[0], [e for e in seen if e['event'] == 'delivered'][0]
    eq((first['from'], first['to'], first['recipients'], first['uid']),
       ('alice@home.example', 'bob@example.org', 1, os.getuid()), 'its envelope')
    eq((end['relay'], end['to'], end['status'], sorted(k for k in end if k.endswith('_ms'))),
       ('default', 'bob@example.org', '2.0.0', ['connect_ms', 'queue_ms', 'send_ms']),
       'and what became of it')
    eq(seen[-1]['outcome'], 'delivered', 'in short')
    id = relay.send('slow@example.org')
    seen = s.until('gone', id)
    eq(kinds(seen, id), ['queued', 'started', 'deferred', 'waits', 'started', 'delivered', 'gone'],
       'a message that waits in between')
    id = relay.send('bad@example.org', 'bob@example.org')
    seen = s.until('gone', id)
    eq(sorted(kinds(seen, id)), ['bounced', 'delivered', 'gone', 'queued', 'started'],
       'one that is refused for one of two')
    eq((seen[-1]['outcome'], seen[-1]['reply']), ('bounced', '550 5.1.1 nobody'), 'is a bounce')
    late = Stream(relay, 'events id=' + id)
    eq((late.next()['outcome'], late.next()), ('bounced', {'ok': True}),
       'who asks too late is told the end')
    words = Stream(relay, 'events format=words id=' + id)
    ok(re.match(r'gone time=\d+\.\d{3} id=%s uid=\d+ reply=550%%205\.1\.1%%20nobody outcome=bounced$'
                % id, words.next()), 'in words as well', words.last)
    counts = json.loads(relay.run('nightmail', 'status', '--json').stdout)
    eq((counts['since_start']['bounced'], counts['since_start']['deferred']), (1, 1),
       'status has counted')
    eq(sum(m[1] for m in counts['minutes']), counts['since_start']['queued'], 'by minutes, too')


def test_waiting():
    sink = Sink(name='s2')
    sink.stop()
    relay = Relay('r2', port=sink.port)
    s = Stream(relay)
    id = relay.send('bob@example.org', 'eve@example.org')
    held = s.until('relay-held')[-1]
    ok('refused' in held['reply'] and held['relay'] == 'default', 'a relay that is held is told', held)
    one = Stream(relay, 'events id=' + id[-6:])
    state = one.next()
    eq((state['event'], state['id'], state['recipients']), ('state', id, 2),
       'who follows one message hears how it is')
    relay.run('mailq', 'hold', id)
    eq(one.until('held')[-1]['by'], 'admin', 'that it is held')
    relay.run('mailq', 'release', id)
    one.until('released')
    r = relay.run('mailq', 'edit', id, '--remove', 'eve@example.org', '--json')
    new = json.loads(r.stdout)['new']
    seen = one.until('gone')
    eq((seen[-1]['outcome'], seen[-1]['new']), ('edited', new), 'that another takes its place')
    eq(one.next(), {'ok': True}, 'and then the stream ends')
    ok(s.until('queued', new), 'the new one comes')
    relay.run('nightmail', 'reload')
    s.until('reload')
    sink = sink.again()
    seen = s.until('gone', new)
    ok('relay-ok' in kinds(seen), 'a relay that works again is told', seen)
    sink.got(1, 'the edited message arrives, once')
    envelope = json.dumps(sink.received()[0][0])
    ok('bob@example.org' in envelope and 'eve@example.org' not in envelope, 'at who was left',
       envelope)


def test_active():
    """An edit that comes while the message is being delivered is done to what is left."""
    sink = Sink('--delay', '700', '--reply', 'content=451 4.3.0 later,1', name='s3')
    relay = Relay('r3', port=sink.port)
    id = relay.send('bob@example.org')
    ok(until(lambda: (relay.message(id) or {}).get('state') == 'active'), 'it is being delivered')
    r = relay.run('mailq', 'edit', id, '--to', 'bob@example.org=eve@example.org')
    ok(b'once the attempt that is under way has ended' in r.stdout, 'an edit waits for that', r)
    sink.got(1, 'then it is done')
    relay.is_empty('and the queue is empty')
    envelope = json.dumps(sink.received()[0][0])
    ok('eve@example.org' in envelope and 'bob@example.org' not in envelope,
       'the message went to the new recipient alone', envelope)


test_delivery()
test_waiting()
test_active()
done()
