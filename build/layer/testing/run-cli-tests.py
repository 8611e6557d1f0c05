"""Runs tests of the AWS CLI with a staged tree's Python, and writes how each of them ended.

    python3.N -S -B run-cli-tests.py SUPPORT SOURCE OUTPUT AWS_PY_FOLDER TESTS...

SUPPORT is a folder with pytest, SOURCE the unpacked source package of the CLI, TESTS are folders, files
or single tests of it. AWS_PY_FOLDER is the folder of the layer's aws.py: the CLI is prepared as the layer
does it; empty for a CLI that is not the layer's. OUTPUT becomes JSON: {test: outcome}.
"""

import os
import sys

support, source, output, aws_py_folder, *tests = sys.argv[1:]
# The tests import the CLI from this tree, not the one that lies beside them.
os.environ['TESTS_REMOVE_REPO_ROOT_FROM_PATH'] = '1'
sys.dont_write_bytecode = True
sys.path.append(support)

if aws_py_folder:
    import gc

    # First: much of the standard library is in its bundle, too.
    sys.path.insert(0, aws_py_folder)
    import aws  # appends the folder of packages

    aws.prepare()
    gc.enable()
else:
    sys.path.append(
        os.path.join(os.path.dirname(os.__file__), 'site-packages')
    )

import json  # noqa: E402
import pwd  # noqa: E402
import signal  # noqa: E402

import awscli  # noqa: E402 # the tests import botocore by its alias
import pytest  # noqa: E402

# The tests' own helpers read this variable, which the layer gives back as it was.
os.environ['AWS_DATA_PATH'] = os.pathsep.join(awscli._awscli_data_path)

# Some tests unset HOME: what they write to the user's files would go to the real ones.
home = os.environ['HOME']
user_of = pwd.getpwuid


def user_of_tests(user_id):
    fields = list(user_of(user_id))
    fields[5] = home
    return pwd.struct_passwd(fields)


pwd.getpwuid = user_of_tests

# Not run.
IGNORED = [
    # Each waits for a terminal program that never starts under Debian's prompt-toolkit, with any tree.
    'tests/unit/customizations/wizard/test_app.py',
    # A hundred thousand tests of what stands in the models, for hours: aws-cli.slow.ts compares all
    # models with the untouched ones.
    'tests/functional/botocore',
]

# A test that hangs (some do, with other versions of libraries than AWS's) fails after this time;
# the longest of the others takes a third of it, where nothing else runs.
TEST_SECONDS = 60


def give_up(signal_number, frame):
    raise TimeoutError(f'the test took longer than {TEST_SECONDS} s')


signal.signal(signal.SIGALRM, give_up)

RANK = ['passed', 'skipped', 'failed']


class Recorder:
    """Keeps the worst outcome of each test: of its set-up, its call and its end."""

    def __init__(self):
        self.outcomes = {}

    def record(self, report):
        known = self.outcomes.get(report.nodeid, 'passed')
        self.outcomes[report.nodeid] = max(known, report.outcome, key=RANK.index)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self):
        # Again each second: a test that waits for its threads would wait for them once more.
        signal.setitimer(signal.ITIMER_REAL, TEST_SECONDS, 1)
        try:
            return (yield)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def pytest_runtest_logreport(self, report):
        self.record(report)

    def pytest_collectreport(self, report):
        if report.outcome != 'passed':
            self.record(report)


os.chdir(source)
recorder = Recorder()
pytest.main(
    [
        *['-p', 'no:cacheprovider', '-q', '--no-header', '--tb=short'],
        *[f'--ignore={path}' for path in IGNORED],
        *['--disable-warnings', '-ra', '--continue-on-collection-errors', *tests],
    ],
    plugins=[recorder],
)
with open(output, 'w') as file:
    json.dump(recorder.outcomes, file, indent=1, sort_keys=True)
# Threads of tests that hung would be waited for.
sys.stdout.flush()
os._exit(0)
