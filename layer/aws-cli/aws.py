"""Starts the AWS CLI in a Lambda layer.

Python runs isolated (-I) and without site (-S), so that neither the environment nor the working
directory, which is the user's code, changes what is imported; the path of the packages is set
here. Service models are stored as gzip: botocore's documented way to replace its file loader
(Loader.FILE_LOADER_CLASS) lets it read them, and plain JSON still works for a user's own models.
"""

import gc
import os
import sys

# Measured: collecting garbage while hundreds of modules are imported costs a tenth of the start.
gc.disable()

sys.path.append(
    os.path.join(os.path.dirname(os.__file__), 'site-packages')
)


def use_compressed_models():
    import gzip
    import json

    from awscli.botocore import loaders

    class CompressedFileLoader(loaders.JSONFileLoader):
        def exists(self, file_path):
            return super().exists(file_path) or os.path.isfile(
                file_path + '.json.gz'
            )

        def load_file(self, file_path):
            try:
                with open(file_path + '.json.gz', 'rb') as file:
                    payload = gzip.decompress(file.read())
            except FileNotFoundError:
                return super().load_file(file_path)
            return json.loads(
                payload, object_pairs_hook=loaders.OrderedDict
            )

    loaders.Loader.FILE_LOADER_CLASS = CompressedFileLoader


def main():
    import awscli.clidriver

    use_compressed_models()
    gc.freeze()
    gc.enable()
    return awscli.clidriver.main()


if __name__ == '__main__':
    sys.exit(main())
