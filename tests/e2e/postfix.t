#!/usr/bin/env python3
"""A five-line configuration and a real Postfix with STARTTLS, a CA of its own and SASL: what
programs hand in arrives with the right envelope and the right header fields."""
import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from system import *  # noqa: E402
import peers  # noqa: E402

peers.need()
dovecot = peers.Dovecot(alice='sesame')
postfix = peers.Postfix(dovecot.socket)
relay = Relay(port=postfix.port, tls='starttls', ca=postfix.ca, login='alice',
              password='file:' + path('password', 'sesame\n'))


def trouble():
    return '%s\n%s' % (relay.tail(), '\n'.join(postfix.words().splitlines()[-15:]))


def envelope(messages):
    return sorted((m['Return-Path'].strip('<>'), m['Delivered-To']) for m in messages)


def test_sendmail_t():
    text = ('From: Alice <alice@home.example>\nTo: bob@example.org, "C, D" <carol@example.net>\n'
            'Bcc: dave@example.com\nSubject: by -t\n\n.\nA dot alone does not end it.\n..\n')
    eq(relay.sendmail('-t', '-i', '-f', 'alice@home.example', text=text), 0, 'sendmail -t -i takes it')
    got = postfix.about('by -t', 3)
    eq(envelope(got), [('alice@home.example', to) for to in
                       ('bob@example.org', 'carol@example.net', 'dave@example.com')],
       'sendmail -t -i: sender, To and Bcc are the envelope')
    if not got:
        say(trouble())
        done()
    eq(got[0]['Bcc'], None, 'sendmail -t -i: Bcc is not shown')
    eq(got[0].get_content(), '.\nA dot alone does not end it.\n..\n', 'sendmail -t -i: the body is intact')
    ok(got[0]['Date'] and got[0]['Message-ID'], 'sendmail -t -i: Date and Message-ID are there')
    ok(any('by smarthost.example' in r and 'using TLSv1.3' in r for r in got[0].get_all('Received')),
       'sendmail -t -i: it went over TLS', got[0].get_all('Received'))


def test_sendmail_f():
    text = 'Subject: by -f\nTo: somebody@else.example\n\nHello.\n'
    eq(relay.sendmail('-f', 'a@home.example', '--', 'b@example.org', 'c@example.org', text=text), 0,
       'sendmail -f a -- b c takes it')
    got = postfix.about('by -f', 2)
    eq(envelope(got), [('a@home.example', 'b@example.org'), ('a@home.example', 'c@example.org')],
       'sendmail -f a -- b c: the envelope is what the arguments say')
    ok(got and all(m['To'] == 'somebody@else.example' for m in got),
       'sendmail -f a -- b c: the header is what the message says')


def test_send():
    id = relay.send('alice@example.org', subject='Prüfung', body='Grüße\n')
    got = postfix.about('Prüfung')
    eq(envelope(got), [('alice@home.example', 'alice@example.org')], 'send: the envelope')
    if got:
        eq(got[0].get_content(), 'Grüße\n', 'send: the text')
        eq((got[0]['To'], got[0]['From'].addresses[0].addr_spec if got[0]['From'] else None),
           ('alice@example.org', 'alice@home.example'), 'send: To and From')
    line = until(lambda: relay.results(id, 'sent'))
    ok(line and line[0]['dsn'] == '2.0.0' and 'queued as' in line[0]['reply'] and
       line[0]['tls'] == 'TLS1.3', 'send: the log has what Postfix answered', relay.tail)


def test_local_name():
    eq(relay.sendmail('-f', 'alice', 'bob@example.org', text='Subject: local name\n\nx\n'), 0,
       'a sender without a domain is taken')
    eq(envelope(postfix.about('local name')), [('alice@home.example', 'bob@example.org')],
       'it got the domain of the configuration')


def test_null_sender():
    eq(relay.sendmail('-f', '<>', 'bob@example.org', text='Subject: null\n\nx\n'), 0,
       'the null sender is taken')
    eq(envelope(postfix.about('null')), [('', 'bob@example.org')], 'and stays null')


def test_8bit_and_dsn():
    """NOTIFY, ORCPT and ENVID show in the success report that Postfix itself writes."""
    eq(relay.sendmail('-N', 'success,failure', '-R', 'hdrs', '-V', 'my+id=1', '-f', 'a@home.example',
                      'bob@example.org', text='Subject: dsn\n\nÄ\n'), 0, 'sendmail -N -R -V takes it')
    got = postfix.about('dsn')
    ok(len(got) == 1 and got[0].get_payload(decode=True) == 'Ä\n'.encode(),
       '8-bit text arrives as it was', trouble)
    reports = until(lambda: [m for m in postfix.mail()
                             if m.get_content_type() == 'multipart/report']) or []
    eq([(m['Return-Path'], m['Delivered-To']) for m in reports], [('<>', 'a@home.example')],
       'NOTIFY=SUCCESS: Postfix reports the success')
    status = ''.join(str(p) for m in reports for p in m.walk()
                     if p.get_content_type() == 'message/delivery-status')
    ok('Original-Envelope-Id: my+id=1' in status, 'ENVID reached Postfix', status)
    ok('Original-Recipient: rfc822;bob@example.org' in status, 'ORCPT reached Postfix', status)


def test_internationalized():
    eq(relay.sendmail('-f', 'a@home.example', 'jörg@bücher.example', 'bob@bücher.example',
                      text='Subject: utf8\nTo: jörg@bücher.example\n\nÄ\n'), 0,
       'addresses that need SMTPUTF8 are taken')
    got = [str(m['Delivered-To']) for m in postfix.about('utf8', 2)]
    ok(len(got) == 2, 'both arrive over SMTPUTF8', lambda: '%s %s' % (got, trouble()))


def test_many_recipients():
    to = ['r%03d@example.org' % n for n in range(150)]
    eq(relay.sendmail('-f', 'a@home.example', *to, text='Subject: many\n\nx\n'), 0,
       '150 recipients are taken')
    got = postfix.about('many', 150)
    eq(sorted(m['Delivered-To'] for m in got), to, '150 recipients: each gets it once')


def test_restart():
    """The smarthost goes away while mail waits, and comes back."""
    postfix.stop()
    ids = [relay.send('bob@example.org', subject='later') for _ in range(20)]
    relay.waits_because(ids[-1], r'^waiting for relay default: .*refused', 'Postfix away: mailq tells')
    postfix.start()
    eq(len(postfix.about('later', 20)), 20, 'Postfix is back: all of them arrive')


test_sendmail_t()
test_sendmail_f()
test_send()
test_local_name()
test_null_sender()
test_8bit_and_dsn()
test_internationalized()
test_many_recipients()
test_restart()
relay.is_empty('nothing is left in the queue')
eq(relay.files('dead'), [], 'nothing was given up')
ok(not re.search(r'(?i)bare|pipelining after|improper command', postfix.words()),
   'Postfix has no complaint about the protocol', trouble)
done()
