"""Parses the Terraform files of a module and checks what can be checked without the binary.

Every file must parse; every var.X and local.X that is used must be declared; every variable and every
output must have a description; the files must be free of trailing spaces.
"""

import pathlib
import re
import sys

import hcl2

folder = pathlib.Path(sys.argv[1])
variables, locals_, outputs, text = {}, set(), {}, ""
for path in sorted(folder.glob("*.tf")):
    source = path.read_text()
    module = hcl2.loads(source)
    text += source
    for block in module.get("variable", []):
        variables.update(block)
    for block in module.get("output", []):
        outputs.update(block)
    for block in module.get("locals", []):
        locals_.update(block)
    if re.search(r"[ \t]+$", source, re.MULTILINE):
        raise SystemExit(f"{path}: has spaces at the end of a line")


def names(mapping):
    """Names without the quotes that newer parsers keep."""
    return {name.strip('"') for name in mapping if not name.startswith("__")}


for kind, declared in (("var", names(variables)), ("local", names(locals_))):
    used = set(re.findall(rf"\b{kind}\.(\w+)", text))
    if used - declared:
        raise SystemExit(f"{kind}.{sorted(used - declared)[0]} is used and not declared")
    if kind == "var" and declared - used:
        raise SystemExit(f"var.{sorted(declared - used)[0]} is declared and not used")
for name, body in {**variables, **outputs}.items():
    if "description" not in body:
        raise SystemExit(f"{name} has no description")
print(f"{folder}: {len(names(variables))} variables, {len(names(outputs))} outputs")
