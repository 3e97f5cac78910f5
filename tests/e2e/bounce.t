#!/usr/bin/env python3
"""Mail that cannot be delivered comes back as an RFC 3464 report, once, and only where somebody
can read it; what has no sender lands in dead/ with an alert; late mail is announced; mail behind a
relay that does not work is never returned."""
import email.policy
import os
import re
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from system import *  # noqa: E402

REFUSED = '550 5.1.1 <bad@example.org>: no such user here'


def bounces(sink):
    """[(envelope, report, delivery-status groups)] of the reports that the smarthost has."""
    found = []
    for envelope, text in sink.received():
        if envelope['from'] == '':
            report = email.message_from_string(text, policy=email.policy.default)
            groups = [g for p in report.walk() if p.get_content_type() == 'message/delivery-status'
                      for g in p.get_payload()]
            found.append((envelope, report, groups))
    return found


def one_bounce(sink, label):
    until(lambda: bounces(sink))
    found = bounces(sink)
    if not eq(len(found), 1, label + ': one report'):
        sys.exit(1)
    return found[0]


def part(report, kind):
    return next((p for p in report.walk() if p.get_content_type() == kind), None)


def test_one_of_three():
    sink = Sink('--reply', 'rcpt:bad@example.org=' + REFUSED, name='s1')
    relay = Relay('r1', port=sink.port)
    id = relay.send('a@example.org', 'bad@example.org', 'c@example.org', subject='Grüße',
                    body='A line of the body.\n')
    envelope, report, groups = one_bounce(sink, 'refused')
    eq([t['address'] for t in envelope['to']], ['alice@home.example'], 'refused: it goes to the sender')
    eq((report.get_content_type(), report.get_param('report-type')),
       ('multipart/report', 'delivery-status'), 'refused: a delivery status report')
    eq([p.get_content_type() for p in report.iter_parts()][:2],
       ['text/plain', 'message/delivery-status'], 'refused: words for people come first')
    ok(re.match('auto-(replied|generated)', report['Auto-Submitted'] or ''),
       'refused: no vacation answers it', report['Auto-Submitted'])
    ok(report['Date'] and report['Message-ID'] and report['From'] and report['Subject'],
       'refused: a complete header', report.items())
    words = part(report, 'text/plain').get_content()
    ok('bad@example.org' in words and 'no such user here' in words,
       'refused: the words name recipient and reason', words)
    ok('a@example.org' not in words.replace('bad@', '') or 'c@example.org' not in words,
       'refused: the others are not blamed', words)
    ok(groups[0]['Reporting-MTA'] == 'dns; home.example' and groups[0]['Arrival-Date'],
       'refused: who reports, by the domain of [identity], since when', groups[0].items())
    ok(report['Message-ID'].endswith('@home.example>') and '@home.example>' in report['From'],
       'refused: Message-ID and sender have that domain', report.items())
    eq(len(groups), 2, 'refused: one recipient group')
    eq({k: groups[1][k] for k in ('Final-Recipient', 'Action', 'Status')},
       {'Final-Recipient': 'rfc822; bad@example.org', 'Action': 'failed', 'Status': '5.1.1'},
       'refused: recipient, action, status')
    ok('550 5.1.1' in groups[1]['Diagnostic-Code'] and '127.0.0.1' in groups[1]['Remote-MTA'],
       'refused: the words of the server, and which one', groups[1].items())
    ok('Hello' not in str(report) and 'Subject: =?' in str(report), 'refused: the header comes back')
    relay.is_empty('refused: nothing is left')
    eq(sorted(t['address'] for e, _ in sink.received() if e['from'] for t in e['to']),
       ['a@example.org', 'c@example.org'], 'refused: the other two have it')
    eq([f['to'] for f in relay.results(id, 'bounced')], ['bad@example.org'], 'refused: the log tells')
    return sink, relay


def test_options(sink, relay):
    """NOTIFY, RET, ENVID of the same relay."""
    before = len(bounces(sink))
    relay.sendmail('-N', 'never', '-f', 'a@home.example', 'bad@example.org')
    relay.is_empty('NOTIFY=NEVER: nothing is left')
    eq(len(bounces(sink)), before, 'NOTIFY=NEVER: no report')
    relay.sendmail('-R', 'full', '-V', 'order 7', '-f', 'a@home.example', 'bad@example.org',
                   text='Subject: full\n\nThe whole body.\n')
    until(lambda: len(bounces(sink)) > before)
    _, report, groups = bounces(sink)[-1]
    ok('The whole body.' in str(part(report, 'message/rfc822')), 'RET=FULL: the whole message comes back')
    eq(groups[0]['Original-Envelope-Id'], 'order 7', 'ENVID: it is named')
    relay.sendmail('-R', 'hdrs', '-f', 'a@home.example', 'bad@example.org',
                   text='Subject: headers\n\nThe whole body.\n')
    until(lambda: len(bounces(sink)) > before + 1)
    _, report, _ = bounces(sink)[-1]
    ok(part(report, 'text/rfc822-headers') and 'The whole body.' not in str(report),
       'RET=HDRS: only the header comes back', report)


def test_null_sender(sink, relay):
    before = len(bounces(sink))
    relay.sendmail('-f', '<>', 'bad@example.org')
    ok(until(lambda: relay.files('dead')), 'null sender: it lands in dead/', relay.tail)
    id = relay.files('dead')[0]
    ok(until(lambda: re.search(r'(warning|error): id=%s .*dead' % id, relay.words())),
       'null sender: an alert is logged', relay.tail)
    eq(len(bounces(sink)), before, 'null sender: no report')
    m = relay.message(id)
    ok(m and m['state'] == 'dead' and 'given up' in m['why'], 'null sender: mailq --all shows it', m)
    eq([x['id'] for x in relay.queue()], [], 'null sender: mailq alone does not')


def test_refused_report():
    """The sender does not exist either: no report about a report."""
    sink = Sink('--reply', 'rcpt=' + REFUSED, name='s2')
    relay = Relay('r2', port=sink.port)
    relay.send('bad@example.org')
    ok(until(lambda: relay.files('dead')), 'refused report: it lands in dead/', relay.tail)
    relay.is_empty('refused report: nothing is left')
    eq(len(relay.files('dead')), 1, 'refused report: and nothing else does')


def test_by_hand():
    sink = Sink(name='s3')
    sink.stop()
    relay = Relay('r3', port=sink.port)
    id = relay.send('bob@example.org', subject='by hand')
    relay.waits_because(id, 'refused', 'mailq bounce: the mail waits')
    eq(relay.run('mailq', 'bounce', id).returncode, 0, 'mailq bounce: taken')
    sink = sink.again()
    _, _, groups = one_bounce(sink, 'mailq bounce')
    eq(groups[1]['Action'], 'failed', 'mailq bounce: it says so')
    relay.is_empty('mailq bounce: nothing is left')
    sink.got(1, 'mailq bounce: the mail itself did not go')


def test_expiry():
    """Tried in vain: first a warning, then the end."""
    sink = Sink('--reply', 'rcpt:late@example.org=450 4.2.2 mailbox full', name='s4')
    relay = Relay('r4', port=sink.port, queue='lifetime = 6s\nwarning = 2s')
    relay.send('late@example.org')
    until(lambda: len(bounces(sink)) == 2)
    found = bounces(sink)
    if not eq([b[2][1]['Action'] for b in found], ['delayed', 'failed'], 'late: a warning, then the end'):
        say(relay.tail(30))
        return
    ok('450 4.2.2' in found[0][2][1]['Diagnostic-Code'], 'late: the warning says why')
    ok(found[0][2][1]['Will-Retry-Until'], 'late: and until when it is tried', found[0][2][1].items())
    ok(found[1][2][1]['Status'].startswith('5.4.7') or found[1][2][1]['Status'].startswith('4.'),
       'late: the end is told as expired', found[1][2][1].items())
    relay.is_empty('late: nothing is left')


def test_held_relay_never_expires():
    sink = Sink(name='s5')
    sink.stop()
    relay = Relay('r5', port=sink.port, queue='lifetime = 2s\nwarning = 1s')
    id = relay.send('bob@example.org')
    relay.waits_because(id, 'refused', 'held relay: the mail waits')
    time.sleep(5)  # more than twice its lifetime
    eq([m['id'] for m in relay.queue()], [id], 'held relay: it outlives its lifetime')
    relay.stop()
    relay.start()
    relay.waits_because(id, 'refused', 'held relay: after a restart too')
    sink = sink.again()
    relay.is_empty('held relay: it leaves when the relay is back')
    eq([e['from'] for e, _ in sink.received()], ['alice@home.example'],
       'held relay: it is delivered, and nobody was alarmed')


sink, relay = test_one_of_three()
test_options(sink, relay)
test_null_sender(sink, relay)
test_refused_report()
test_by_hand()
test_expiry()
test_held_relay_never_expires()
done()
