#!/usr/bin/env python3
"""Nothing but CRLF, dot, CRLF ends a message. Every other pair of bytes around the dot is tried in
one piece and in several, inwards (what a client sends to our listener) and outwards (what our
client makes of such a text for the next server): never does one message become two."""
import os
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from system import *  # noqa: E402
from listening import *  # noqa: E402

ENDS = {'LF': b'\n', 'CR': b'\r', 'CRLF': b'\r\n', 'NUL': b'\0', 'nothing': b''}
SECOND = b'MAIL FROM:<smuggled@example.com>\r\nRCPT TO:<victim@example.org>\r\nDATA\r\n' \
    b'Subject: smuggled\r\n\r\nsmuggled\r\n.\r\n'
sink = Sink()


def is_flawed(data):
    plain = data.replace(b'\r\n', b'')
    return b'\r' in plain or b'\n' in plain or b'\0' in plain


def pieces(before, after, several):
    text = [b'Subject: outer\r\n\r\nline', before, b'.', after, SECOND, b'\r\n.\r\n']
    return text if several else [b''.join(text)]


def attack(relay, hello, before, after, several):
    """The codes of all replies to the data and what stands behind it."""
    c = relay.client(hello)
    c.envelope()
    c.code('DATA')
    for piece in pieces(before, after, several):
        if several:
            time.sleep(0.002)  # so that they are several packets
        c.say(piece)
    c.say('QUIT\r\n')
    codes = [code for code, _ in c.rest()]
    c.close()
    return codes


def expected(hello, before, after, several, lenient):
    content = b'line' + before + b'.' + after + SECOND
    if before == b'\r\n' and after == b'\r\n':  # that is the end; what follows are commands
        return [250, 250, 250, 354, 250, 500, 500, 221]
    # The end of SECOND ends the message; then CRLF dot CRLF and QUIT are commands.
    if hello == 'HELO' and not several:
        return [554 if is_flawed(content) else 250, 421]
    taken = not is_flawed(content) or (lenient and b'\0' not in content)
    return [250 if taken else 554, 500, 500, 221]


def inwards(relay, lenient):
    wrong = []
    for b, before in ENDS.items():
        for a, after in ENDS.items():
            for several in (False, True):
                got = attack(relay, 'EHLO', before, after, several)
                want = expected('EHLO', before, after, several, lenient)
                if got != want:
                    wrong.append((b, a, several, got, want))
    eq(wrong, [], 'inwards%s: the end of a message is CRLF dot CRLF and nothing else'
       % (', lenient' if lenient else ''))


def inwards_helo(relay):
    wrong = []
    for b, before in ENDS.items():
        for a, after in ENDS.items():
            got = attack(relay, 'HELO', before, after, False)
            end = before == after == b'\r\n'
            want = [250, 421] if end else expected('HELO', before, after, False, False)
            if got != want:
                wrong.append((b, a, got, want))
    eq(wrong, [], 'by HELO nothing behind the data of the same flight is a command')


def chunks(relay):
    wrong = []
    for b, before in ENDS.items():
        for a, after in ENDS.items():
            content = b'Subject: outer\r\n\r\nline' + before + b'.' + after + SECOND
            for cut in (None, len(content) - len(SECOND) - len(after),
                        len(content) - len(SECOND) - len(after) - 1 - (len(before) > 1),
                        len(content) - len(SECOND) - (len(after) > 1)):
                c = relay.client()
                c.envelope()
                parts = [content] if cut is None else [content[:cut], content[cut:]]
                for n, part in enumerate(parts):
                    last = b' LAST' if n == len(parts) - 1 else b''
                    c.say(b'BDAT %d%s\r\n' % (len(part), last) + part)
                c.say('QUIT\r\n')
                codes = [code for code, _ in c.rest()]
                c.close()
                want = [250] * (len(parts) - 1) + [554 if is_flawed(content) else 250, 221]
                if codes != want:
                    wrong.append((b, a, cut, codes, want))
    eq(wrong, [], 'by BDAT, cut anywhere, every byte is content, and bare ones are refused')


def outwards(relay, lenient):
    """Through sendmail, which takes what a command gives it, and through the lenient listener."""
    ids = 0
    for b, before in ENDS.items():
        for a, after in ENDS.items():
            body = b'line' + before + b'.' + after + SECOND
            r = relay.run('sendmail', '-f', 'alice@home.example', 'bob@example.org',
                          text=b'Subject: outer\n\n' + body)
            if b'\0' in body:
                if r.returncode != 65:
                    ok(False, 'sendmail refuses a NUL', r)
                continue
            ids += r.returncode == 0
            if before == after == b'\r\n':
                continue
            c = lenient.client()
            c.envelope()
            c.code('DATA')
            c.say(b'Subject: outer\r\n\r\n' + body.replace(b'\r\n.\r\n', b'\r\n..\r\n') + b'\r\n.\r\n')
            ids += c.reply()[0] == 250
            c.close()
    relay.is_empty('outwards: all are gone')
    lenient.is_empty('and from the lenient listener')
    eq([e for e in sink.events('refused')], [], 'the next server had nothing to refuse')
    return ids


relay = Listening(port=sink.port)
inwards(relay, False)
relay.is_empty('what was taken is delivered')
senders = {e['from'] for e, _ in sink.received()}
smuggled = [t for e, t in sink.received() if e['from'] == 'smuggled@example.com']
eq(len(smuggled), 2, 'a second message came of the true end alone, once for each way of sending')
ok(all(t.count('\nsmuggled\n') == 1 for t in smuggled), 'with its own text')
inwards_helo(relay)
chunks(relay)
lenient = Listening('lenient', 'lenient-newlines = yes', port=sink.port)
inwards(lenient, True)
lenient.is_empty('what was taken is delivered')
relay.is_empty('here too')
before = len(sink.received())
count = outwards(relay, lenient)
eq(len(sink.received()) - before, count, 'outwards: each message is one message')
bodies = [t.split('\n\n', 1)[1] for _, t in sink.received()[before:]]
ok(all('MAIL FROM:<smuggled@example.com>' in t for t in bodies), 'what it held is still in it',
   lambda: [t for t in bodies if 'MAIL FROM' not in t])
ok(any(t.startswith('line\n.\nMAIL FROM') for t in bodies), 'with its dots')
relay.stop()
lenient.stop()
done()
