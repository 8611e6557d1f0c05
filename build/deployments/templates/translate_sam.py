"""Prints a SAM template as the CloudFormation template that AWS's transform makes of it.

    python translate_sam.py TEMPLATE NAME=VALUE...    # values of parameters
"""

import json
import sys

from samcli.yamlhelper import yaml_parse
from samtranslator.translator.transform import transform


class ManagedPolicies:
    """The ARNs that the transform would ask IAM for."""

    @staticmethod
    def load():
        names = ("AWSLambdaBasicExecutionRole", "AWSXrayWriteOnlyAccess")
        return {name: f"arn:aws:iam::aws:policy/service-role/{name}" for name in names}


with open(sys.argv[1], encoding="utf-8") as file:
    template = yaml_parse(file.read())
values = dict(word.split("=", 1) for word in sys.argv[2:])
print(json.dumps(transform(template, values, ManagedPolicies()), indent=1))
