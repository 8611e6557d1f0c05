"""Starts the AWS CLI in a Lambda layer.

Python runs isolated (-I) and without site (-S), so that neither the environment nor the working
directory, which is the user's code, changes what is imported; the path of the packages is set
here. What follows makes the start faster or the layer smaller, says what the layer does not have,
and changes nothing else that the CLI does.
"""

import contextlib
import gc
import os
import sys

# Collecting garbage while hundreds of modules are imported finds none and takes time.
gc.disable()

HERE = os.path.dirname(__file__)
sys.path.append(
    os.path.join(os.path.dirname(os.__file__), 'site-packages')
)


def use_compiled_patterns():
    """Takes regular expressions from a file of compiled ones.

    The CLI compiles 200 patterns at every start, in Python. The build has compiled them with this
    very Python (build/layer/patterns.py); any other pattern is compiled as ever.
    """
    import _sre
    import marshal
    from re import _compiler

    with open(os.path.join(HERE, 'patterns.bin'), 'rb') as file:
        compiled = marshal.load(file)
    compile_pattern = _compiler.compile

    def compile_or_take(pattern, flags=0):
        code = compiled.get((pattern, flags))
        if code is None:
            return compile_pattern(pattern, flags)
        return _sre.compile(pattern, *code)

    _compiler.compile = compile_or_take


def use_compressed_models():
    """Lets botocore read service models that are stored as zstd.

    Loader.FILE_LOADER_CLASS is botocore's own place for another loader. Plain JSON still works,
    for a user's own models.
    """
    import json
    from compression import zstd

    # awscli makes this alias of awscli.botocore; everything imports it by this name.
    from botocore import loaders

    class CompressedFileLoader(loaders.JSONFileLoader):
        def exists(self, file_path):
            return super().exists(file_path) or os.path.isfile(
                file_path + '.json.zst'
            )

        def load_file(self, file_path):
            try:
                with open(file_path + '.json.zst', 'rb') as file:
                    payload = zstd.decompress(file.read())
            except FileNotFoundError:
                return super().load_file(file_path)
            return json.loads(
                payload, object_pairs_hook=loaders.OrderedDict
            )

    loaders.Loader.FILE_LOADER_CLASS = CompressedFileLoader


def ask_no_program_for_the_system():
    """Names the system in the user agent from /etc/os-release alone.

    Otherwise the package `distro` starts lsb_release and uname, which Lambda does not have.
    """
    import distro.distro

    distro.distro._distro = distro.distro.LinuxDistribution(
        include_lsb=False, include_uname=False
    )


def go_by_the_name_aws():
    """Names the program that the user has started, not this file.

    Errors begin with the name, and `aws ec2-instance-connect ssh` starts the path again.
    """
    sys.argv[0] = os.path.abspath(os.path.join(HERE, '..', 'bin', 'aws'))


def leave_the_environment_alone():
    """Gives the programs that the CLI starts the environment that it was started with.

    The CLI adds its own folder of data to AWS_DATA_PATH, and takes LD_LIBRARY_PATH away from a
    credential_process or a pager: it expects the libraries of AWS's own executable there. Here the
    loader got its path as an argument, and the variable is the user's (and Lambda's).
    """
    inherited = os.environ.get('AWS_DATA_PATH')
    import awscli

    del os.environ['AWS_DATA_PATH']
    if inherited is not None:
        os.environ['AWS_DATA_PATH'] = inherited

    # First: the next import takes this function by its name.
    import botocore.utils

    botocore.utils.original_ld_library_path = contextlib.nullcontext

    import botocore.session

    create_loader = botocore.session.create_loader
    own_folder = os.path.join(os.path.dirname(awscli.__file__), 'data')

    def create_loader_with_own_folder(search_path_string=None):
        users = os.environ.get('AWS_DATA_PATH')
        paths = [own_folder] if users is None else [users, own_folder]
        return create_loader(os.pathsep.join(paths))

    botocore.session.create_loader = create_loader_with_own_folder


def do_without_a_home():
    """Lets the CLI start for a user without HOME and without an entry in /etc/passwd, as on Lambda.

    It asks for the home folder when it imports its telemetry, and would end there. Later it does
    without a folder that cannot be made.
    """
    if os.path.expanduser('~') != '~':
        return
    os.environ['HOME'] = '/nonexistent'
    import awscli.telemetry  # noqa: F401

    del os.environ['HOME']


def say_what_is_missing():
    """Says in a sentence what help needs, and that there is no auto-prompt.

    Both are for a person at a terminal. Auto-prompt needs an index of 22 MB that the layer leaves
    out (layer/prune.json); `on-partial` would ask after a mistake, so that the mistake is told.
    """
    import awscli.clidriver
    import awscli.help
    from awscli.customizations.exceptions import ParamValidationError

    class NoFormatterError(awscli.help.ExecutableNotFoundError):
        def __init__(self, executable_name):
            Exception.__init__(
                self,
                f'aws help needs {executable_name}, which is not in PATH: read it at '
                'https://docs.aws.amazon.com/cli/latest/reference/',
            )

    resolve_mode = awscli.clidriver.resolve_auto_prompt_mode

    def resolve_no_auto_prompt(args, session):
        if resolve_mode(args, session) == 'on':
            raise ParamValidationError(
                'This AWS CLI has no auto-prompt: leave out --cli-auto-prompt, '
                'AWS_CLI_AUTO_PROMPT and cli_auto_prompt, and find the parameters at '
                'https://docs.aws.amazon.com/cli/latest/reference/'
            )
        return 'off'

    awscli.help.ExecutableNotFoundError = NoFormatterError
    awscli.clidriver.resolve_auto_prompt_mode = resolve_no_auto_prompt


def prepare():
    """Does all of the above: afterwards awscli.clidriver.main() runs the command of sys.argv."""
    go_by_the_name_aws()
    use_compiled_patterns()
    ask_no_program_for_the_system()
    leave_the_environment_alone()
    do_without_a_home()
    use_compressed_models()
    say_what_is_missing()


def main():
    prepare()
    import awscli.clidriver

    # What is imported stays: the collector need not look at it again.
    gc.freeze()
    gc.enable()
    return awscli.clidriver.main()


if __name__ == '__main__':
    sys.exit(main())
