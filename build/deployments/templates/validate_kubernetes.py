"""Validates the Kubernetes manifests given as arguments, strictly: an unknown field is an error.

Kubernetes' own kinds by the schemas of kubernetes-validate; Knative's Service and Tekton's Task by
schemas/, with every Kubernetes type in them taken from kubernetes-validate too.
"""

import json
import pathlib
import sys

import jsonschema
import kubernetes_validate
import referencing.jsonschema
import yaml

HERE = pathlib.Path(__file__).parent
KUBERNETES = sorted(
    (pathlib.Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema").glob("*-strict"),
    key=lambda path: [int(part) for part in path.name[1:].split("-")[0].split(".")],
)[-1]
DEFINITIONS_URI = "https://kubernetes.io/api/_definitions.json"
DEFINITIONS = json.loads((KUBERNETES / "_definitions.json").read_text())
# metav1.Duration is a string in JSON; a parameter's value is one of three types, not a struct.
WRITTEN_OTHERWISE = {
    "v1.Duration": {"type": "string"},
    "v1.ParamValue": {"type": ["string", "array", "object"]},
}


def kubernetes_type(name):
    """The reference of a Kubernetes type, such as v1.EnvVar or v1.ObjectMeta."""
    for group in ("io.k8s.api.core", "io.k8s.apimachinery.pkg.apis.meta"):
        if f"{group}.{name}" in DEFINITIONS["$defs"]:
            return f"{DEFINITIONS_URI}#/$defs/{group}.{name}"
    raise SystemExit(f"failed to find the Kubernetes type {name} in {KUBERNETES.name}")


def strict(schema):
    """Forbids properties that an object does not name."""
    if isinstance(schema, dict):
        for value in schema.values():
            strict(value)
        if "properties" in schema and "x-kubernetes-preserve-unknown-fields" not in schema:
            schema.setdefault("additionalProperties", False)
    elif isinstance(schema, list):
        for value in schema:
            strict(value)
    return schema


def references(schema):
    """Every $ref in a schema."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            yield schema["$ref"]
        for value in schema.values():
            yield from references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from references(value)


def tekton_schema():
    schema = strict(json.loads((HERE / "schemas/tekton-task.json").read_text()))
    definitions = schema["definitions"]
    definitions.update(WRITTEN_OTHERWISE)
    for reference in set(references(schema)):
        name = reference.rsplit("/", 1)[1]
        if name not in definitions:
            definitions[name] = {"$ref": kubernetes_type(name)}
    return schema


def knative_schema():
    schema = strict(json.loads((HERE / "schemas/knative-service.json").read_text()))
    schema["properties"]["metadata"] = {"$ref": kubernetes_type("v1.ObjectMeta")}
    return schema


CUSTOM = {
    ("serving.knative.dev/v1", "Service"): knative_schema,
    ("tekton.dev/v1", "Task"): tekton_schema,
}


def check(path, manifest):
    kind = (manifest.get("apiVersion"), manifest.get("kind"))
    if kind not in CUSTOM:
        version = KUBERNETES.name[1:].split("-")[0]
        kubernetes_validate.validate(manifest, version, strict=True)
    else:
        resource = referencing.Resource(DEFINITIONS, referencing.jsonschema.DRAFT202012)
        registry = referencing.Registry().with_resource(DEFINITIONS_URI, resource)
        validator = jsonschema.Draft202012Validator(CUSTOM[kind](), registry=registry)
        errors = sorted(validator.iter_errors(manifest), key=lambda error: list(error.path))
        if errors:
            places = (f"{path}: {'/'.join(map(str, e.path))}: {e.message[:300]}" for e in errors)
            raise SystemExit("\n".join(places))
    print(f"{path}: {kind[1]} is valid")


for argument in sys.argv[1:]:
    for document in yaml.safe_load_all(pathlib.Path(argument).read_text()):
        check(argument, document)
