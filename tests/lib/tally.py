"""tally.py - checks that are counted, and the line in which tests/run reads how many.

    tally.check(good, text)         a failure prints the text
    tally.end()                     `N passed, N failed`, and the exit status that goes with it
"""
import sys

passed = failed = 0


def check(good, text):
    global passed, failed
    if good:
        passed += 1
    else:
        failed += 1
        print('FAILED:', text)


def fail(text):
    """It makes no sense to go on."""
    check(False, text)
    end()


def end():
    print(f'{passed} passed, {failed} failed')
    sys.exit(failed > 0)
