"""Test Anything Protocol, for tests in Python: each check prints one line, its name is a sentence;
done() prints the plan and ends the test."""
import sys

_count = 0
_failures = 0


def ok(passed, name, detail=''):
    """Notes a check. detail: what to show when it fails, or a function that tells."""
    global _count, _failures
    _count += 1
    print('%sok %d - %s' % ('' if passed else 'not ', _count, name.replace('#', '.')), flush=True)
    if not passed:
        _failures += 1
        say(detail() if callable(detail) else detail)
    return passed


def eq(got, want, name):
    return ok(got == want, name, 'got %r\nwant %r' % (got, want))


def skip(name, why):
    global _count
    _count += 1
    print('ok %d - %s # SKIP %s' % (_count, name, why), flush=True)


def say(text):
    for line in str(text).splitlines():
        print('# ' + line, flush=True)


def skip_missing(name, path):
    """For a file from elsewhere: whoever reads the output of all tests is to see that, too."""
    skip(name, 'not found: ' + path)
    print('SKIPPED: %s is not there' % path, file=sys.stderr)


def skip_all(why):
    print('1..0 # SKIP ' + why)
    sys.exit(0)


def done():
    print('1..%d' % _count)
    sys.exit(1 if _failures or not _count else 0)
