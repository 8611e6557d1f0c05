"""Starts the AWS CLI in a Lambda layer.

Python runs isolated (-I) and without site (-S), so that neither the environment nor the working
directory, which is the user's code, changes what is imported; the path of the packages is set
here. What follows makes the start faster or the layer smaller, says what the layer does not have,
and changes nothing else that the CLI does.
"""

import _thread
import atexit
import gc
import os
import sys

# Collecting garbage while hundreds of modules are imported finds none and takes time.
gc.disable()

HERE = os.path.dirname(__file__)
sys.path.append(
    os.path.join(os.path.dirname(os.__file__), 'site-packages')
)


def take_modules_from_bundle():
    """Finds the modules that the common commands import in one file.

    The build has written them in the order of their import (build/layer/indexes.py). Python
    then neither looks for each of 500 files in several folders nor opens it, and a cold storage reads
    one file in a row. Everything else about a module is as if its own file were there; what is
    not in the bundle has one.
    """
    # Nothing that is itself in the bundle, as importlib is.
    import marshal
    from _frozen_importlib import ModuleSpec
    from _frozen_importlib_external import SourcelessFileLoader

    library = os.path.dirname(os.__file__)
    bundle = os.path.join(HERE, 'modules.bin')
    with open(os.path.join(HERE, 'modules.index'), 'rb') as file:
        modules = marshal.load(file)

    class BundleLoader(SourcelessFileLoader):
        def get_code(self, fullname):
            _, _, offset, size = modules[fullname]
            descriptor = os.open(bundle, os.O_RDONLY | os.O_CLOEXEC)
            try:
                return marshal.loads(os.pread(descriptor, size, offset))
            finally:
                os.close(descriptor)

    class BundleFinder:
        @staticmethod
        def find_spec(fullname, path=None, target=None):
            if fullname not in modules:
                return None
            place, is_package, _, _ = modules[fullname]
            place = os.path.join(library, place)
            spec = ModuleSpec(
                fullname,
                BundleLoader(fullname, place),
                origin=place,
                is_package=is_package,
            )
            spec.has_location = True
            spec.cached = place
            if is_package:
                spec.submodule_search_locations.append(os.path.dirname(place))
            return spec

    # After the finders of what is built in, before those of files.
    sys.meta_path.insert(2, BundleFinder)
    return modules


bundled = take_modules_from_bundle()


class Later(type(sys)):
    """Stands for a module that is imported when a name is taken from it."""

    # For a moment only: who imports a module may need one that another thread imports, and that thread this lock.
    lock = _thread.allocate_lock()
    must_hand_over = False

    def __getattr__(self, name):
        # By these an import asks whether there is a module.
        if name.startswith('__'):
            raise AttributeError(name)
        return getattr(self.imported(), name)

    def imported(self):
        import importlib

        with self.lock:
            if sys.modules.get(self.__name__) is self:
                del sys.modules[self.__name__]
                self.must_hand_over = True
        module = importlib.import_module(self.__name__)
        # Its own import may have asked for it, which has not come to the names yet.
        if self.must_hand_over and not getattr(module.__spec__, '_initializing', False):
            self.hand_over(module)
            self.must_hand_over = False
        return module

    def hand_over(self, module):
        """Has each know what the other one has. Two threads may both do it, to the same effect."""
        for name, value in list(vars(self).items()):
            # An import binds what is below a module to it once: to what stood here.
            if isinstance(value, type(sys)):
                setattr(module, name, value)
            elif isinstance(value, LaterName):
                setattr(self, name, getattr(module, name))

    def take_later(self, name):
        """Has something stand for a function or a class that is called, extended, or asked for what it has or is."""
        setattr(self, name, LaterName(self, name))

    def make_later(self, name):
        """Has a class stand for the real one, of which an instance is made when it is used."""
        import functools

        class LaterInstance:
            def __init__(instance, *args, **kwargs):
                def make():
                    return getattr(self.imported(), name)(*args, **kwargs)

                vars(instance)['_made'] = functools.cache(make)

            def __getattr__(instance, attribute):
                return getattr(instance._made(), attribute)

            def __setattr__(instance, attribute, value):
                setattr(instance._made(), attribute, value)

        setattr(self, name, LaterInstance)


class LaterName:
    """Stands for what has a name in a module that is imported when it is used."""

    def __init__(self, module, name):
        self._module, self._name = module, name

    def _real(self):
        return getattr(self._module.imported(), self._name)

    def __call__(self, *args, **kwargs):
        return self._real()(*args, **kwargs)

    def __getattr__(self, name):
        return getattr(self._real(), name)

    def __mro_entries__(self, bases):
        return (self._real(),)

    def __instancecheck__(self, instance):
        return isinstance(instance, self._real())

    def __subclasscheck__(self, subclass):
        return issubclass(subclass, self._real())


class LaterCrt(Later):
    """Stands for the library of AWS's Common Runtime.

    Loading it is a twentieth of the start. The CLI calls it to copy files of S3, for checksums and for some
    keys and signatures; every command only tells it what to log, which starts a thread. It stays where it is
    when the library has been loaded: in a fork of a process that has loaded it, it has not been used.
    """

    # Its own: loading it imports no module that another thread might import.
    lock = _thread.RLock()
    real = None
    is_used = False
    told = ()

    def __getattr__(self, name):
        # Without the lock: threads that copy call it often.
        return getattr(self.real, name) if self.is_used else super().__getattr__(name)

    def init_logging(self, *arguments):
        self.tell('init_logging', arguments)

    def set_log_level(self, *arguments):
        self.tell('set_log_level', arguments)

    def tell(self, name, arguments):
        with self.lock:
            if not self.is_used:
                self.told += ((name, arguments),)
                return
        getattr(self.real, name)(*arguments)

    def imported(self):
        with self.lock:
            if self.real is None:
                self.real = super().imported()
                self.__spec__ = self.real.__spec__
                sys.modules[self.__name__] = self
            told, self.told = self.told, ()
            for name, arguments in told:
                getattr(self.real, name)(*arguments)
            self.is_used = True
            return self.real


sys.modules['_awscrt'] = LaterCrt('_awscrt')


def take_what_is_compiled():
    """Takes regular expressions, named tuples and data classes from a file in which they are compiled.

    The CLI compiles 200 patterns and the texts of 40 such classes at every start. The build has
    compiled them with this very Python (build/layer/compiled.py); any other is compiled as ever.
    """
    import _sre
    import collections
    import marshal

    with open(os.path.join(HERE, 'compiled.bin'), 'rb') as file:
        patterns, texts = marshal.load(file)

    def evaluate_compiled(text, namespace):
        return eval(texts.get(text, text), namespace)

    def execute_compiled(text, *namespaces):
        exec(texts.get(text, text), *namespaces)

    # By this name the module finds the built-in function.
    collections.eval = evaluate_compiled
    from re import _compiler

    compile_pattern = _compiler.compile

    def compile_or_take(pattern, flags=0):
        code = patterns.get((pattern, flags))
        if code is None:
            return compile_pattern(pattern, flags)
        return _sre.compile(pattern, *code)

    _compiler.compile = compile_or_take
    # It has patterns of its own.
    import dataclasses

    dataclasses.exec = execute_compiled


# Before any module that has something to compile.
take_what_is_compiled()


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
        SUFFIX = '.json.zst'
        DATA = loaders.Loader.BUILTIN_DATA_PATH
        # What the class above logs, for --debug.
        MESSAGE = 'Loading JSON file: %s'
        # What preload.py has loaded before it is asked for. Loaded once, given away once: the
        # CLI changes what it gets.
        kept = {}
        # Paths of the layer's own files that have been loaded.
        loaded = []

        def exists(self, file_path):
            return super().exists(file_path) or os.path.isfile(
                file_path + self.SUFFIX
            )

        def load_file(self, file_path):
            full_path = file_path + self.SUFFIX
            if file_path in self.kept:
                loaders.logger.debug(self.MESSAGE, full_path)
                return self.kept.pop(file_path)
            try:
                with open(full_path, 'rb') as file:
                    payload = zstd.decompress(file.read())
            except (FileNotFoundError, NotADirectoryError):
                return super().load_file(file_path)
            loaders.logger.debug(self.MESSAGE, full_path)
            self.loaded.append(file_path)
            return json.loads(
                payload, object_pairs_hook=loaders.OrderedDict
            )

    loaders.Loader.FILE_LOADER_CLASS = CompressedFileLoader


def use_index_of_services():
    """Lets botocore look up the layer's own services in an index that the build has made.

    It lists 430 folders five times in a call otherwise. Folders of the user (AWS_DATA_PATH,
    ~/.aws/models) are looked through as ever.
    """
    import copy
    import marshal

    from botocore import loaders
    from botocore.exceptions import DataNotFoundError

    with open(os.path.join(HERE, 'services.index'), 'rb') as file:
        # {type of model: {service: [versions]}}
        index = marshal.load(file)

    class IndexedLoader(loaders.Loader):
        def _without_own(self):
            others = copy.copy(self)
            others._search_paths = [
                path
                for path in self._search_paths
                if path != self.BUILTIN_DATA_PATH
            ]
            others._cache = {}
            return super(IndexedLoader, others)

        def _own(self, type_name):
            # A loader may have been made for other folders only.
            if self.BUILTIN_DATA_PATH not in self._search_paths:
                return {}
            return index.get(type_name, {})

        @loaders.instance_cache
        def list_available_services(self, type_name):
            found = self._without_own().list_available_services(type_name)
            own = self._own(type_name)
            return sorted({*found, *own}) if found else sorted(own)

        @loaders.instance_cache
        def list_api_versions(self, service_name, type_name):
            own = self._own(type_name).get(service_name, ())
            try:
                found = self._without_own().list_api_versions(
                    service_name, type_name
                )
            except DataNotFoundError:
                if not own:
                    raise
                return list(own)
            return sorted({*found, *own})

    loaders.Loader = IndexedLoader


# What the CLI imports at every start and few commands use, with the functions and classes that other modules
# take from it when they are imported. Measured: a tenth of the start.
USED_BY_FEW = {
    # Keys of the CLI's own sign-in, and signatures of CloudFront.
    'awscrt.crypto': ('EC', 'RSA', 'RSASignatureAlgorithm'),
    # Times: those that are not as AWS writes them most often, and arithmetic with them.
    'calendar': (),
    'dateutil.parser': ('parse',),
    # Hosts that are numbers.
    'ipaddress': ('IPv4Address', 'IPv6Address', 'ip_address'),
    'difflib': ('get_close_matches',),
    # The version of a package, for HTTP/2.
    'importlib.metadata': ('version',),
    # The command's own history, and its telemetry where there is a home folder.
    'sqlite3': (),
    # Processes that copy for `aws s3`, of which the CLI starts none.
    'multiprocessing.managers': ('BaseManager',),
    # Texts for help.
    'awscli.bcdoc.restdoc': (),
    'botocore.docs.bcdoc.restdoc': ('DocumentStructure',),
    'botocore.docs.method': ('document_model_driven_method',),
    'botocore.docs.paginator': ('document_paginate_method',),
    'botocore.docs.service': ('ServiceDocumenter',),
    'botocore.docs.waiter': ('document_wait_method',),
    # Commands of their own.
    'awscli.customizations.history.show': ('ShowCommand',),
    'awscli.customizations.sso.login': ('LoginCommand',),
}


def import_for_few_commands_only():
    """Lets the CLI import some modules when it uses them, not at every start."""
    for name, taken in USED_BY_FEW.items():
        module = sys.modules[name] = Later(name)
        for taken_name in taken:
            module.take_later(taken_name)
        path, is_package, _, _ = bundled.get(name, ('', False, 0, 0))
        if is_package:
            module.__path__ = [os.path.join(os.path.dirname(os.__file__), os.path.dirname(path))]
    # Each command makes one for its help.
    sys.modules['awscli.bcdoc.restdoc'].make_later('ReSTDocument')
    # Python itself may take it from there.
    import importlib
    import xml

    importlib.metadata = sys.modules['importlib.metadata']

    def below_xml(name):
        if name not in ('dom', 'parsers'):
            raise AttributeError(f"module 'xml' has no attribute {name!r}")
        import xml.dom.minidom
        import xml.parsers.expat

        return vars(xml)[name]

    # A skeleton in YAML takes both from there: otherwise the command's own history has imported them.
    xml.__getattr__ = below_xml


def give_plugins_the_real_modules():
    """Imports what something stands for before a user's plug-ins are, which may do anything with a module."""
    import awscli.plugin

    import_plugins = awscli.plugin._import_plugins

    def import_plugins_after_the_rest(plugin_mapping):
        for module in list(sys.modules.values()):
            if type(module) is Later:
                module.imported()
        return import_plugins(plugin_mapping)

    awscli.plugin._import_plugins = import_plugins_after_the_rest


def import_docutils_for_help_only():
    """Lets awscli.help import docutils when it shows a page, not at every start.

    That is an eighth of the start. The names that awscli.help and awscli.topictags take from docutils
    stand for the real ones until they are used.
    """
    docutils, core, writers, html, manpage, text = modules = [
        Later('docutils'),
        Later('docutils.core'),
        Later('docutils.writers'),
        Later('docutils.writers.html4css1'),
        Later('docutils.writers.manpage'),
        Later('awscli.bcdoc.textwriter'),
    ]
    docutils.core, writers.html4css1, writers.manpage = core, html, manpage
    core.take_later('publish_string')
    text.take_later('TextWriter')
    for module in modules:
        sys.modules[module.__name__] = module
    import awscli.help  # noqa: F401

    for module in modules:
        del sys.modules[module.__name__]


def import_yaml_for_its_use_only():
    """Lets the CLI import ruamel.yaml when it reads or writes YAML, not at every start.

    That is a fifteenth of the start. The CLI's modules take the name YAML from it, of which each command of some
    services makes an instance for their wizards, and what the modules below it have, which are imported as ever.
    """
    import ruamel

    yaml = Later('ruamel.yaml')
    yaml.__path__ = [os.path.join(path, 'yaml') for path in ruamel.__path__]
    yaml.make_later('YAML')
    sys.modules[yaml.__name__] = ruamel.yaml = yaml
    # A class of awscli.utils extends one of it.
    import ruamel.yaml.emitter  # noqa: F401


def import_colors_without_ctypes():
    """Spares colorama the import of ctypes, by which it asks for the consoles of Windows.

    Elsewhere it goes on in the same way as without ctypes.
    """
    before = sys.modules.get('ctypes')
    sys.modules['ctypes'] = None
    import colorama  # noqa: F401

    del sys.modules['ctypes']
    if before is not None:
        sys.modules['ctypes'] = before


def ask_no_program_for_the_system():
    """Names the system in the user agent from /etc/os-release alone.

    Otherwise the package `distro` starts lsb_release and uname, which Lambda does not have.
    """
    import distro.distro

    distro.distro._distro = distro.distro.LinuxDistribution(
        include_lsb=False, include_uname=False
    )


def do_repeated_steps_once():
    """Does three things faster that a call does hundreds of times, with the same result.

    Measured for `ssm get-parameter`: together a third of what follows the imports.
    """
    import functools
    import inspect
    import types

    import awscli.clidriver
    from botocore import hooks

    accepts_kwargs = hooks.accepts_kwargs

    def function_accepts_kwargs(function):
        plain = function
        if type(function) is types.MethodType:
            plain = function.__func__
        elif type(function) is functools.partial:
            plain = function.func
        if type(plain) is not types.FunctionType or plain.__dict__:
            return accepts_kwargs(function)
        return bool(plain.__code__.co_flags & inspect.CO_VARKEYWORDS)

    def copy_handlers(self):
        copies = self.first.copy(), self.middle.copy(), self.last.copy()
        return tuple.__new__(hooks.NodeList, copies)

    def copy_trie(self, node):
        return {
            key: copy_trie(self, value)
            if type(value) is dict
            else copy_handlers(value)
            if type(value) is hooks.NodeList
            else value
            for key, value in node.items()
        }

    # Reads the signature of each of 160 event handlers.
    hooks.accepts_kwargs = function_accepts_kwargs
    # Copies all handlers for each client.
    hooks.PrefixTrie._recursive_copy = copy_trie
    # Copies all variables for each operation of the service, which may have 800.
    awscli.clidriver.OutputStreamFactory = functools.lru_cache(maxsize=1)(
        awscli.clidriver.OutputStreamFactory
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
    import contextlib

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


def take_back_the_locale():
    """Takes back the variable that Python sets when it starts in the locale C (PEP 538).

    The programs that the CLI starts get the environment that it was started with.
    """
    if os.environ.get('LC_CTYPE') != 'C.UTF-8':
        return
    try:
        with open('/proc/self/environ', 'rb') as file:
            given = dict(
                line.partition(b'=')[::2] for line in file.read().split(b'\0')
            )
    except OSError:
        return
    if b'LC_CTYPE' in given:
        os.environb[b'LC_CTYPE'] = given[b'LC_CTYPE']
    else:
        del os.environ['LC_CTYPE']


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
    """Imports the CLI, which is most of a short call's time; run() runs a command."""
    go_by_the_name_aws()
    import_for_few_commands_only()
    ask_no_program_for_the_system()
    leave_the_environment_alone()
    do_without_a_home()
    import_yaml_for_its_use_only()
    import_colors_without_ctypes()
    import_docutils_for_help_only()
    give_plugins_the_real_modules()
    use_compressed_models()
    use_index_of_services()
    do_repeated_steps_once()
    say_what_is_missing()
    # What is imported stays: the collector need not look at it again.
    gc.freeze()


def run(end=os._exit):
    """Runs the command of sys.argv and ends the process.

    Python takes itself apart object by object when it ends. What can be seen of that is done here:
    threads and functions for the end run, and output is flushed. Where that fails, Python ends as
    ever and says so. So it does with plug-ins and with cli_history, which may count on the rest.
    """
    import threading

    import awscli.clidriver
    from botocore.history import get_global_history_recorder

    paths = len(sys.path)
    gc.enable()
    status = awscli.clidriver.main()
    has_plugins = len(sys.path) != paths
    has_history = get_global_history_recorder()._enabled
    if isinstance(status, int) and not has_plugins and not has_history:
        try:
            threading._shutdown()
            atexit._run_exitfuncs()
            sys.stdout.flush()
            sys.stderr.flush()
        except BaseException:
            pass
        else:
            end(status & 0xFF)
    sys.exit(status)


if __name__ == '__main__':
    take_back_the_locale()
    prepare()
    run()
