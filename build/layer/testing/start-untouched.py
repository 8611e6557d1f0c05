"""Starts the AWS CLI of an untouched tree, as Debian's /usr/bin/aws does."""

import os
import sys

sys.path.append(os.path.join(os.path.dirname(os.__file__), 'site-packages'))

import awscli.clidriver  # noqa: E402

sys.exit(awscli.clidriver.main())
