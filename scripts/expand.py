"""Expands template.yaml as AWS does in a deployment, and prints a line for each parameter, resource and output.

Usage: expand.py < template.yaml
"""

import json
import logging
import os
import sys

from samtranslator.translator.managed_policy_translator import ManagedPolicyLoader
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse


class NoPolicies(ManagedPolicyLoader):
    """Loads no managed policies from AWS, since the template names none."""

    def __init__(self):
        super().__init__(None)

    def load(self):
        return {}


def expand(template, release, parameters=None):
    """Expands a template, packaged or not, with these parameters."""
    logging.disable(logging.WARNING)
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    for function in template["Resources"].values():
        code = function.get("Properties", {}).get("CodeUri", "s3://")
        if not code.startswith("s3://"):
            function["Properties"]["CodeUri"] = "s3://code/" + code
    # SAM reads this one of the parameters without a default.
    return transform(template, {"Release": release, **(parameters or {})}, NoPolicies())


def main():
    os.environ["AWS_DEFAULT_REGION"] = "us-east-1"
    expanded = expand(yaml_parse(sys.stdin.read()), "0" * 64)
    sections = []
    for section, parts in sorted(expanded.items()):
        if isinstance(parts, dict):
            lines = [f"{json.dumps(name)}: {json.dumps(part, sort_keys=True)}" for name, part in sorted(parts.items())]
            sections.append(f"{json.dumps(section)}: {{\n" + ",\n".join(lines) + "\n}")
        else:
            sections.append(f"{json.dumps(section)}: {json.dumps(parts)}")
    print("{\n" + ",\n".join(sections) + "\n}")


if __name__ == "__main__":
    main()
