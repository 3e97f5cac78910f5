#!/usr/bin/env python3
"""[watch]: a domain that nobody answers for has not changed; and the settings: reload, a program that
is not there, domains that are not watched."""
import os
import signal
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from watching import *  # noqa: E402


def status_of_check(relay):
    """Of its program, while that waits for DNS."""
    for pid in processes_of(relay.popen.pid):
        try:
            with open('/proc/%d/status' % pid) as f:
                return f.read()
        except OSError:
            pass
    return ''


def silence():
    server.serve(domain(), zen())
    relay = Watcher('silence')
    relay.check()
    server.serve(zen())
    a = relay.check()
    eq((a['verdict'], a['silent'], a['code']), ('unknown', 1, 3), 'a domain that is not answered for')
    ok('no answer to the question for' in a['why'] and len(a['records']) > 5,
       'its records are not forgotten', a)
    wait = a['next'] - a['checked']
    ok(3000 <= wait <= 4000, 'it is asked about again sooner', wait)
    relay.stop(signal.SIGKILL)
    relay.start()
    server.stop()
    asker = subprocess.Popen([BUILD + '/nightmail', 'watch', '--now'], env=relay.env,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    ok(until(lambda: 'Seccomp:\t2' in status_of_check(relay)), 'a check is confined',
       lambda: status_of_check(relay))
    asker.wait(PATIENCE)
    a = json.loads(relay.run('nightmail', 'watch', '--json').stdout)
    eq((a['silent'], relay.told()), (2, []), 'silence is no change')
    server.zones = [zen()]
    server.run_again()
    relay.check()
    relay.hears(1, 'domain-unknown', r'3 checks in a row did not tell all: no answer to',
                'unless it lasts')
    relay.check()
    server.serve(domain(spf='@ TXT "v=spf1 -all"'), zen())
    a = relay.check()
    relay.hears(2, 'domain-changed', r'is now "v=spf1 -all"; all questions are answered again',
                'its end is told, with what changed meanwhile')
    eq((a['verdict'], a['silent']), ('warn', 0), 'and it is as before')
    relay.reported(relay.stop())


def settings():
    """Reload, a program that is not there, and domains that are not watched."""
    server.serve(domain(), zen(), Zone('example.com', '@ MX 0 .\n@ TXT "v=spf1 -all"\n'
                                       '_dmarc TXT "v=DMARC1; p=reject"'))
    relay = Watcher('settings', notify=False)
    r = relay.run('nightmail', 'config', 'check')
    ok(b'nobody hears of changes' in r.stderr, 'config check says when nobody would hear', r)
    relay.watch, relay.notify = 'domain = example.org example.com\nevery = 10m', True
    relay.check()
    relay.configure(port=1)
    r = relay.run('nightmail', 'reload')
    eq(r.returncode, 0, 'the configuration is read again')
    lines = [json.loads(l) for l in relay.run('nightmail', 'watch', '--json').stdout.splitlines()]
    eq([(l['domain'], l['verdict'], l['checked'] is not None) for l in lines],
       [('example.org', 'warn', True), ('example.com', 'unknown', False)],
       'one more domain, and what was known of the other')
    ok(all(l['next'] - time.time() <= 660 for l in lines), 'more often', lines)
    ok(until(lambda: relay.run('nightmail', 'watch', 'example.com').returncode == 0),
       'which is soon looked at by itself', relay.tail)
    r = relay.run('nightmail', 'watch', 'example.net')
    ok(r.returncode == 78 and b'not in [watch]' in r.stderr, 'another one is not watched', r)
    r = relay.run('nightmail', 'watch', 'example.org').stdout.decode()
    ok(re.search(r'^  warn    dkim.ed25519_only: ', r, re.M) and
       '  example.org. MX 10 mx1.example.org\n' in r, 'one domain is shown in full', r)
    relay.watch = 'domain = example.com'
    relay.configure(port=1)
    relay.run('nightmail', 'reload')
    ok('example.org' not in open(relay.spool + '/watch').read(), 'one that is gone is forgotten')
    path(os.path.relpath(relay.config, DIR), open(relay.config).read().replace('[watch]', '[queue]'), 0o644)
    for program in ('dns-check', 'smtp-probe'):
        os.unlink(relay.bin + '/' + program)
    relay.configure(port=1)
    if not os.path.exists('/usr/local/bin/dns-check'):
        a = relay.check()
        ok('dns-check is not installed' in a['why'] and 'nightmail-tools' in a['why'],
           'a program that is not there', a)
        ok(relay.says('watch: dns-check is not installed'), 'is told in the log', relay.tail)
    else:
        skip('a program that is not there', 'dns-check is installed')
    relay.reported(relay.stop())


silence()
settings()
done()
