"""What scripts/deploy does, which says how it is called.

Settings are parameters of template.yaml and stand in a file. Secrets are members of one secret of AWS Secrets Manager:
those that are ours alone are invented; the others come from the environment or are asked for, and are never shown,
never in a file, and never on a command line.
"""

import argparse
import getpass
import hashlib
import json
import os
import pathlib
import re
import secrets
import subprocess
import sys
import tomllib

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from samtranslator.yaml_helper import yaml_parse

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Parameters that are not asked for: what is deployed says what they are.
OURS = {"Architecture", "Release", "Secrets", "SecretsVersion"}
# Parameters with a default that many will want to change; each of the second row is asked for if that before it is set.
OFFERED = ["CosRegion", "RecordFormats", "AlarmEmail", "CallbackConcurrency", "DomainName"]
WITH_DOMAIN = ["CertificateArn", "HostedZoneId"]
# Secrets that are nobody's business but ours.
INVENTED = {"CALLBACK_PATH_KEY", "OPERATOR_KEY", "SESSION_KEY"}
# What stands for a secret that is not set: none can be empty.
NONE = "none"
# What scripts/build --fast leaves.
FAST = ROOT / "target/lambda/fast"
MACHINES = {0x3E: "x86_64", 0xB7: "arm64"}
# AWS lets nobody reserve the last of these.
UNRESERVABLE = 100


def read_template():
    return yaml_parse((ROOT / "template.yaml").read_text())


def known_secrets(template):
    """The secrets that the template reads, in its order: what each is, and whether it must be set."""
    names = dict.fromkeys(re.findall(r"SecretString:(\w+)::", json.dumps(template)))
    source = (ROOT / "shared/src/config.rs").read_text()
    setting = re.compile(r'\b(must|may)\(\s*"(\w+)",\s*(?:"[^"]*",\s*)?"([^"]+)",?\s*\)')
    settings = {name: (help, kind == "must") for kind, name, help in setting.findall(source)}
    return {name: settings[name] for name in names}


# What is given


def parameter_fault(parameter, value):
    """What is wrong with a value, or None: what CloudFormation would say after minutes."""
    allowed = [str(known) for known in parameter.get("AllowedValues", [])]
    if allowed and value not in allowed:
        return "is one of " + ", ".join(allowed)
    if parameter["Type"] == "Number":
        if not re.fullmatch(r"\d+", value):
            return "is a number"
        least, most = parameter.get("MinValue", 0), parameter.get("MaxValue", float("inf"))
        if not least <= int(value) <= most:
            return f"is {least} to {most}" if "MaxValue" in parameter else f"is {least} or more"
    if value == "" and "Default" not in parameter:
        return "must be set"
    if not re.fullmatch(parameter.get("AllowedPattern", ".*"), value):
        return "does not look like " + parameter["AllowedPattern"]
    return None


def secret_fault(name, value, must):
    if value == NONE:
        return "must be set" if must else None
    least = 32 if name.startswith("SESSION_KEY") else 8
    if len(value) < least:
        return f"has {least} characters or more"
    if value == "withheld":
        return "is another one: this word stands for a secret that a function does not get"
    if name == "CALLBACK_PATH_KEY" and not re.fullmatch("[-_A-Za-z0-9]+", value):
        return "may hold letters, digits, - and _ only"
    return None


# How answers are read.
read = input


def ask(name, what, offer, fault, hidden=False, shown=None):
    """Asks until the answer is good; nothing is what is offered."""
    print(f"\n{name}: {what}")
    while True:
        hint = "" if offer is None else f" [{offer if shown is None else shown}]"
        value = (getpass.getpass if hidden else read)(f"  {name}{hint}: ").strip()
        if value == "" and offer is not None:
            value = offer
        complaint = fault(value)
        if not complaint:
            return value
        print(f"  it {complaint}")


def read_file(file, parameters):
    """Stack, Region and parameters, as texts."""
    try:
        given = tomllib.loads(file.read_text())
    except FileNotFoundError:
        sys.exit(f"{file} is missing: scripts/deploy --guided writes it")
    except tomllib.TOMLDecodeError as error:
        sys.exit(f"{file}: {error}")
    faults = []
    for name, value in given.items():
        if name not in {"Stack", "Region", *parameters} or name in OURS:
            faults.append(f"{name} is no parameter of template.yaml that can be set")
        elif not isinstance(value, (str, int)) or isinstance(value, bool):
            faults.append(f"{name} is neither a text nor a number")
        elif name in parameters and parameter_fault(parameters[name], str(value)):
            faults.append(f"{name} {parameter_fault(parameters[name], str(value))}")
    for name in ["Stack", "Region", *(name for name in parameters if "Default" not in parameters[name])]:
        if name not in given and name not in OURS:
            what = parameters.get(name, {}).get("Description", "scripts/deploy --guided asks for it")
            faults.append(f"{name} is not set: {what}")
    if faults:
        sys.exit("\n".join(f"{file}: {fault}" for fault in faults))
    return {name: str(value) for name, value in given.items()}


def guide(file, parameters):
    """Asks for what must be set and for what many will want to change, and writes it down; what is there is offered."""
    given = {name: str(value) for name, value in tomllib.loads(file.read_text()).items()} if file.exists() else {}
    print(f"An empty answer takes what stands in brackets. {file} will have the answers, but for the secrets.")
    word = lambda value: None if re.fullmatch("[A-Za-z][-A-Za-z0-9]*", value) else "holds letters, digits and - only"
    given["Stack"] = ask("Stack", "What all of it is called in AWS.", given.get("Stack", "mini-lvb"), word)
    region = given.get("Region") or boto3.Session().region_name
    given["Region"] = ask("Region", "The region of AWS, as us-east-1 or ap-southeast-1.", region, word)
    session = connect(given)
    required = [name for name in parameters if "Default" not in parameters[name] and name not in OURS]
    todo = required + OFFERED
    for name in todo:
        parameter = parameters[name]
        offer = given.get(name, parameter.get("Default"))
        what = parameter["Description"]
        if name == "CallbackConcurrency" and name not in given and reservable(session) < int(offer):
            offer, what = 0, f"{what} This account has none to spare."
        fault = lambda value: parameter_fault(parameter, value)
        if name == "CertificateArn":
            fault = lambda value: "must be set for DomainName" if value == "" else parameter_fault(parameter, value)
            offer = offer or None
        given[name] = ask(name, what, None if offer is None else str(offer), fault)
        if name == "DomainName" and given[name]:
            todo += WITH_DOMAIN
    lines = ["# What scripts/deploy deploys with: template.yaml says what each is. No secret belongs here."]
    lines += [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in given.items()]
    file.write_text("\n".join(lines) + "\n")
    print(f"\n{file} is written.")


# What AWS has


def connect(given):
    """A session with the account that the credentials are of."""
    session = boto3.Session(region_name=given["Region"])
    try:
        account = session.client("sts").get_caller_identity()["Account"]
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"AWS does not let us in: {error}\nSay who you are with AWS_PROFILE, or with "
                 "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or with `aws configure`.")
    print(f"\nAWS account {account}, region {given['Region']}, stack {given['Stack']}")
    return session


def reservable(session):
    limits = session.client("lambda").get_account_settings()["AccountLimit"]
    return limits["UnreservedConcurrentExecutions"] - UNRESERVABLE


def stack_of(session, stack):
    """The stack, or None if there is none."""
    try:
        return session.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise


class Keys:
    """The secret of AWS Secrets Manager that has all the keys."""

    def __init__(self, session, stack):
        self.client, self.name = session.client("secretsmanager"), f"{stack}/keys"
        try:
            stored = self.client.get_secret_value(SecretId=self.name)
            self.values, self.version = json.loads(stored["SecretString"]), stored["VersionId"]
        except self.client.exceptions.ResourceNotFoundException:
            self.values, self.version = {}, None

    def store(self, values):
        """A new version, if anything is new in it."""
        if values == self.values:
            return
        text = json.dumps(values)
        if self.version is None:
            what = "The keys of mini-lvb; scripts/deploy writes them."
            stored = self.client.create_secret(Name=self.name, Description=what, SecretString=text)
        else:
            stored = self.client.put_secret_value(SecretId=self.name, SecretString=text)
        self.values, self.version = values, stored["VersionId"]


def complete(stored, known, renew, guided):
    """All secrets: those that are stored, but for those to renew; what is missing is invented, given or asked for."""
    values, faults = {}, []
    for name, (what, must) in known.items():
        is_new = name not in stored or name in renew
        if not is_new and not (guided and must and name not in INVENTED):
            values[name] = stored[name]
        elif is_new and os.environ.get(name):
            values[name] = os.environ[name]
        elif is_new and name in INVENTED and name not in renew:
            values[name] = secrets.token_hex(32)
        elif is_new and not must and name not in renew and not (guided and name == "CALLBACK_KEY"):
            values[name] = NONE
        elif not sys.stdin.isatty() and not guided:
            faults.append(f"{name} is not in the environment: {what}")
            continue
        else:
            ours = name.removesuffix("_NEXT") in INVENTED
            offer = stored.get(name) if not is_new else secrets.token_hex(32) if ours else None if must else NONE
            shown = "as it is" if not is_new else "a new one is invented" if ours else "none"
            what += f" `{NONE}`: not set." if not must else ""
            fault = lambda value: secret_fault(name, value, must)
            values[name] = ask(name, what, offer, fault, True, shown)
        complaint = secret_fault(name, values[name], must)
        if complaint:
            faults.append(f"{name} {complaint}")
    if faults:
        sys.exit("\n".join(faults))
    return values


def exchanged(values, name):
    """NAME and NAME_NEXT, the one for the other."""
    following = name + "_NEXT"
    if values.get(following, NONE) == NONE:
        sys.exit(f"{following} is not set: scripts/deploy --secrets {following}")
    # While CALLBACK_KEY is not set, API_KEY is in force.
    now = values[name] if values[name] != NONE else values["API_KEY"]
    return {**values, name: values[following], following: now}


# What goes there


def binaries(template):
    """What they were built for, and a digest of all."""
    digest, machines = hashlib.sha256(), set()
    for function in template["Resources"].values():
        if "CodeUri" not in function.get("Properties", {}):
            continue
        file = ROOT / function["Properties"]["CodeUri"] / "bootstrap"
        if not file.exists():
            sys.exit(f"{file.relative_to(ROOT)} is missing: scripts/build")
        code = file.read_bytes()
        machines.add(MACHINES.get(int.from_bytes(code[18:20], "little")))
        digest.update(hashlib.sha256(code).digest())
    if len(machines) > 1 or None in machines:
        sys.exit("target/lambda has binaries for several processors: scripts/build")
    return machines.pop(), digest.hexdigest()


def sam(*words):
    """Runs SAM, which says itself what is wrong."""
    process = subprocess.run(["sam", *words], cwd=ROOT, env={**os.environ, "SAM_CLI_TELEMETRY": "0"})
    if process.returncode:
        sys.exit(process.returncode)


def deploy(session, given, keys, template, prepare=None):
    """Packages and deploys. `prepare` may change the packaged template."""
    parameters = {name: str(parameter.get("Default", "")) for name, parameter in template["Parameters"].items()}
    parameters |= {name: value for name, value in given.items() if name in parameters}
    architecture, digest = binaries(template)
    parameters |= {"Architecture": architecture, "Secrets": keys.name, "SecretsVersion": keys.version}
    # Whatever of this changes, the functions are published anew.
    parameters.pop("Release")
    released = [digest, (ROOT / "template.yaml").read_text(), sorted(parameters.items())]
    parameters["Release"] = hashlib.sha256(json.dumps(released).encode()).hexdigest()

    stack = given["Stack"]
    there = stack_of(session, stack)
    cloudformation = session.client("cloudformation")
    if there and there["StackStatus"] == "ROLLBACK_COMPLETE":
        print("The first deployment failed: what is left of it goes away.")
        cloudformation.delete_stack(StackName=stack)
        cloudformation.get_waiter("stack_delete_complete").wait(StackName=stack)
        there = None
    if not there and int(parameters["CallbackConcurrency"]) > max(0, reservable(session)):
        sys.exit("CallbackConcurrency is more than this account can reserve: 0, or have the quota raised "
                 "(Service Quotas, AWS Lambda, Concurrent executions)")
    packaged, overrides = ROOT / "target/packaged.yaml", ROOT / "target/parameters.yaml"
    overrides.write_text(json.dumps(parameters))
    where = ["--region", given["Region"], "--resolve-s3"]
    sam("package", *where, "--template-file", "template.yaml", "--output-template-file", str(packaged))
    if prepare:
        prepare(packaged, parameters)
    sam("deploy", *where, "--template-file", str(packaged), "--stack-name", stack, "--capabilities", "CAPABILITY_IAM",
        "--parameter-overrides", f"file://{overrides}", "--no-confirm-changeset", "--no-fail-on-empty-changeset")


def outputs_of(session, stack):
    return {output["OutputKey"]: output["OutputValue"] for output in stack_of(session, stack)["Outputs"]}


def callback_url(outputs, keys):
    first = keys.get("CALLBACK_PATH_KEY", NONE)
    path = "" if first == NONE else first + "/"
    return f"{outputs['Callback'].rstrip('/')}/{path}callback/Live_callback.php"


def announce(outputs, keys):
    callback = callback_url(outputs, keys)
    if not sys.stdout.isatty() and keys.get("CALLBACK_PATH_KEY", NONE) != NONE:
        callback = callback.replace(keys["CALLBACK_PATH_KEY"], "<CALLBACK_PATH_KEY>")
    print(f"""
mini-lvb is deployed
  in the app     ServerAddr (Gen 1)      {outputs['Interface']}
                 server address (Gen 2)  {outputs['Base']}
  in the cloud   callback URL            {callback}
  for operators  --server                {outputs['Base']}""")
    if "DomainTarget" in outputs:
        print(f"  in the DNS     CNAME                   {outputs['DomainTarget']}, unless HostedZoneId is set")


def smoke(outputs, keys):
    """Tries what is deployed, as a phone and as the cloud."""
    key = keys["CALLBACK_KEY"] if keys["CALLBACK_KEY"] != NONE else keys["API_KEY"]
    environment = {**os.environ, "CALLBACK_URL": callback_url(outputs, keys), "CALLBACK_KEY": key}
    return subprocess.run(["scripts/smoke", outputs["Base"]], cwd=ROOT, env=environment).returncode


def main(arguments=None, prepare=None):
    ap = argparse.ArgumentParser(prog="scripts/deploy", usage="see scripts/deploy --help")
    way = ap.add_mutually_exclusive_group()
    way.add_argument("--guided", action="store_true")
    way.add_argument("--secrets", nargs="+", default=[], metavar="NAME")
    way.add_argument("--exchange", metavar="NAME")
    way.add_argument("--print", metavar="NAME")
    ap.add_argument("--file", type=pathlib.Path, default=ROOT / "deploy.toml")
    args = ap.parse_args(arguments)
    template = read_template()
    parameters, known = template["Parameters"], known_secrets(template)
    for name in [*args.secrets, *filter(None, [args.exchange, args.print])]:
        if name not in known:
            sys.exit(f"{name} is no secret: " + ", ".join(known))
    if args.exchange and f"{args.exchange}_NEXT" not in known:
        sys.exit(f"{args.exchange} has no next one: scripts/deploy --secrets {args.exchange}")
    if not args.print:
        # Nobody should have to answer everything first.
        binaries(template)
        if prepare is None and FAST.exists():
            sys.exit("target/lambda has the binaries of scripts/build --fast, which are for scripts/emulate only: scripts/build")
    if args.guided:
        guide(args.file, parameters)
    given = read_file(args.file, parameters)
    if args.print:
        print(Keys(boto3.Session(region_name=given["Region"]), given["Stack"]).values.get(args.print, NONE))
        return 0
    session = connect(given)
    keys = Keys(session, given["Stack"])
    values = complete(keys.values, known, args.secrets, args.guided)
    keys.store(exchanged(values, args.exchange) if args.exchange else values)
    deploy(session, given, keys, template, prepare)
    outputs = outputs_of(session, given["Stack"])
    announce(outputs, keys.values)
    return smoke(outputs, keys.values)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"AWS: {error}")
    except EOFError:
        sys.exit("\nnot all is answered: nothing is deployed")
    except KeyboardInterrupt:
        sys.exit("\nstopped; scripts/deploy goes on where this was")
