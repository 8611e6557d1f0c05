"""Stands in for AWS's lambda-core on 127.0.0.1: keeps runtimes in memory, and refuses what AWS's own model refuses.

Each request is taken apart by the newest botocore's model and checked against it: method and path,
members, types, patterns, lengths and enumerations. What is accepted is printed as one line of JSON,
{"operation", "params", "scope"}, the scope being that of the signature. The states are those of the
documentation: a version is CREATING when it is first asked for and ACTIVE after that; an image with
"broken" in its name makes a FAILED one.

    PYTHONPATH=cache/botocore python lambda_core_server.py    # prints its address first
"""

import http.server
import json
import re
import sys
import urllib.parse

import botocore.session
from botocore.validate import ParamValidator

SESSION = botocore.session.Session()
MODELS = {name: SESSION.get_service_model(name) for name in ("lambda-core", "lambda")}
# Of lambda's own operations those that a runtime has too.
OPERATIONS = [
    MODELS["lambda-core"].operation_model(name)
    for name in MODELS["lambda-core"].operation_names
    if "Runtime" in name
] + [
    MODELS["lambda"].operation_model(name)
    for name in ("PutResourcePolicy", "GetResourcePolicy", "CreateFunction")
]
STATUS = {
    "InvalidParameterValueException": 400,
    "ServiceQuotaExceededException": 402,
    "ResourceNotFoundException": 404,
    "ResourceConflictException": 409,
}

runtimes, policies = {}, {}


class Refused(Exception):
    """An error of the service."""


def route(operation):
    """The pattern of an operation's path, with a group for each label."""
    path = operation.http["requestUri"].split("?")[0]
    pattern = re.sub(r"\\\{(\w+)\+?\\\}", r"(?P<\1>[^/]+)", re.escape(path))
    return operation.http["method"], re.compile(f"{pattern}/?$")


ROUTES = [(*route(operation), operation) for operation in OPERATIONS]


def check(value, shape, where):
    """Checks what ParamValidator leaves out: patterns, largest lengths, enumerations."""
    rules = shape.metadata
    if shape.type_name == "structure":
        for name, member in value.items():
            check(member, shape.members[name], f"{where}.{name}")
    elif shape.type_name == "list":
        for member in value:
            check(member, shape.member, where)
    elif shape.type_name == "map":
        for name, member in value.items():
            check(name, shape.key, where)
            check(member, shape.value, where)
    elif shape.type_name == "string":
        pattern = rules.get("pattern", "(?s:.*)").replace(r"\p{C}", r"\x00-\x1f\x7f-\x9f")
        if not re.fullmatch(pattern, value):
            raise Refused("InvalidParameterValueException", f"{where}: {value!r} does not match {pattern}")
        if len(value) > rules.get("max", len(value)):
            raise Refused("InvalidParameterValueException", f"{where} is longer than {rules['max']}")
        if shape.enum and value not in shape.enum:
            raise Refused("InvalidParameterValueException", f"{where}: {value} is none of {shape.enum}")


def params_of(operation, labels, query, headers, body):
    """The members of a request, taken from where the model puts them."""
    shape, params = operation.input_shape, {}
    for name, member in shape.members.items():
        place = member.serialization
        key = place.get("name", name)
        if place.get("location") == "uri":
            params[name] = urllib.parse.unquote(labels[key])
        elif place.get("location") == "querystring" and key in query:
            params[name] = query[key]
        elif place.get("location") == "header" and key in headers:
            params[name] = headers[key]
        elif "location" not in place and key in body:
            params[name] = body.pop(key)
    if body:
        raise Refused("InvalidParameterValueException", f"unknown members {sorted(body)}")
    report = ParamValidator().validate(params, shape)
    if report.has_errors():
        raise Refused("InvalidParameterValueException", report.generate_report())
    check(params, shape, operation.name)
    return params


def found(collection, name, what):
    if name not in collection:
        raise Refused("ResourceNotFoundException", f"{what} {name} does not exist")
    return collection[name]


def added(collection, name, value):
    if name in collection:
        raise Refused("ResourceConflictException", f"{name} exists")
    collection[name] = value
    return value


def create_runtime(p):
    arn = f"arn:aws:lambda:us-east-1:123456789012:runtime/{p['Name']}"
    runtime = {**p, "Arn": arn, "State": "ACTIVE", "versions": {}, "aliases": {}}
    return added(runtimes, p["Name"], runtime)


def create_version(p):
    runtime = runtime_of(p)
    state = "FAILED" if "broken" in p["ImageUri"] else "CREATING"
    version = {**p, "Arn": f"{runtime['Arn']}/version/{p['Name']}", "State": state, "ResolvedUri": p["ImageUri"]}
    if p.get("DryRun"):
        return version
    return added(runtime["versions"], p["Name"], version)


def get_version(p):
    version = found(runtime_of(p)["versions"], p["Name"], "version")
    shown = dict(version)
    if version["State"] == "CREATING":
        version["State"] = "ACTIVE"
    return shown


def create_alias(p):
    runtime = runtime_of(p)
    version = found(runtime["versions"], p["RuntimeVersion"], "version")
    alias = {**p, "Arn": f"{runtime['Arn']}/alias/{p['Name']}", "State": "ACTIVE", "RuntimeVersionArn": version["Arn"]}
    return added(runtime["aliases"], p["Name"], alias)


def update_alias(p):
    runtime = runtime_of(p)
    alias = found(runtime["aliases"], p["Name"], "alias")
    found(runtime["versions"], p["RuntimeVersion"], "version")
    # What is left out is removed.
    for name in ("Description", "ReleaseLifecycle"):
        alias.pop(name, None)
    alias.update(p)
    return alias


def runtime_of(p):
    return found(runtimes, p["RuntimeName"].rsplit("/", 1)[-1], "runtime")


def put_policy(p):
    before = policies.get(p["ResourceArn"])
    if before and p.get("RevisionId") != before["RevisionId"]:
        raise Refused("ResourceConflictException", "the policy has another revision")
    revision = f"00000000-0000-0000-0000-{len(p['Policy']):012}"
    policies[p["ResourceArn"]] = {"Policy": p["Policy"], "RevisionId": revision}
    return policies[p["ResourceArn"]]


OPERATIONS = {
    "CreateRuntime": create_runtime,
    "GetRuntime": runtime_of,
    "CreateRuntimeVersion": create_version,
    "GetRuntimeVersion": get_version,
    "CreateRuntimeAlias": create_alias,
    "GetRuntimeAlias": lambda p: found(runtime_of(p)["aliases"], p["Name"], "alias"),
    "UpdateRuntimeAlias": update_alias,
    "PutResourcePolicy": put_policy,
    "GetResourcePolicy": lambda p: found(policies, p["ResourceArn"], "policy"),
    "CreateFunction": lambda p: {"FunctionName": p["FunctionName"], "RuntimeConfig": p["RuntimeConfig"]},
}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def respond(self):
        length = int(self.headers.get("content-length") or 0)
        body = json.loads(self.rfile.read(length) or b"{}")
        try:
            self.send(*self.handled(body))
        except Refused as refused:
            kind, message = refused.args
            self.send(STATUS[kind], {"Type": "User", "message": message}, kind)

    def handled(self, body):
        url = urllib.parse.urlsplit(self.path)
        for method, pattern, operation in ROUTES:
            labels = pattern.match(url.path)
            if labels is None or method != self.command:
                continue
            query = dict(urllib.parse.parse_qsl(url.query))
            params = params_of(operation, labels.groupdict(), query, self.headers, body)
            scope = re.search(r"Credential=[^/]+/\d+/([^,]+),", self.headers.get("authorization", ""))
            line = {"operation": operation.name, "params": params, "scope": scope and scope[1]}
            print(json.dumps(line, default=repr), flush=True)
            output = OPERATIONS[operation.name](params)
            members = operation.output_shape.members
            status = operation.http.get("responseCode", 200)
            return status, {name: value for name, value in output.items() if name in members}
        raise Refused("ResourceNotFoundException", f"no operation is at {self.command} {url.path}")

    def send(self, status, body, kind=None):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        if kind:
            self.send_header("x-amzn-errortype", kind)
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = respond

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(json.dumps({"url": f"http://127.0.0.1:{server.server_port}"}), flush=True)
try:
    server.serve_forever()
except KeyboardInterrupt:
    sys.exit(0)
