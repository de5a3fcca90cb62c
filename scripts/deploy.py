"""What scripts/deploy does, which says how it is called.

Settings are parameters of template.yaml and stand in a file. Secrets are members of one secret of AWS Secrets Manager:
those that are ours alone are invented; the others come from the environment or are asked for, and are never shown,
never in a file, and never on a command line.
"""

import argparse
import datetime
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
# What the names of those members of the secret begin with that hold the keys of a function, as JSON.
MEMBER = "SECRETS__"
MACHINES = {0x3E: "x86_64", 0xB7: "arm64"}
# What Lambda takes of variables for a function: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
ENVIRONMENT_BYTES = 4096
# Regions in which a function has no URL, which the cloud's notices come to: as
# https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html said on 30 November 2026.
WITHOUT_URLS = {
    "ap-east-2": "Taipei", "ap-south-2": "Hyderabad", "ap-southeast-4": "Melbourne", "ap-southeast-5": "Malaysia",
    "ap-southeast-6": "New Zealand", "ap-southeast-7": "Thailand", "ca-west-1": "Calgary", "eu-central-2": "Zurich",
    "eu-south-2": "Spain", "il-central-1": "Tel Aviv", "me-central-1": "UAE",
}
# What the file has beside parameters of the template. Those of the second row may be left out.
HEAD = {
    "Stack": "what all of it is called in AWS",
    "Region": "the region of AWS",
    "Account": "the AWS account that the stack belongs to, twelve digits: credentials of another are refused",
}
BESIDE = {
    "Role": "the ARN of the IAM role that CloudFormation does its work as; without it, as who deploys",
    "Tags": "a table of tags for all that the stack has",
}
# Which keys were exchanged with the next ones, in the secret: names, with a blank between them.
EXCHANGED = "EXCHANGED"
# AWS lets nobody reserve the last of these.
UNRESERVABLE = 100


def read_template():
    return yaml_parse((ROOT / "template.yaml").read_text())


def members_of(template):
    """The members of the secret that functions read, and the keys that each holds: the name of a member lists them."""
    members = dict.fromkeys(re.findall(r"SecretString:(\w+)::", json.dumps(template)))
    return {member: member.removeprefix(MEMBER).split("__") for member in members}


def known_secrets(template):
    """The keys that functions read, in the order of the settings: what each is, and whether it must be set."""
    names = {name for names in members_of(template).values() for name in names}
    source = (ROOT / "shared/app/src/config/settings.rs").read_text()
    # A setting is a line "NAME," or "NAME = default," under the lines of its description.
    setting = re.compile(r'((?: +/// .*\n)+) +(\w+)( = "[^"]*")?,\n')
    return {name: (" ".join(line.strip(" /") for line in help.splitlines()), not default)
            for help, name, default in setting.findall(source) if name in names}


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


def region_fault(region):
    if not re.fullmatch("[a-z]{2}(-[a-z]+)+-[0-9]", region):
        return "does not look like us-east-1 or ap-southeast-1"
    if region in WITHOUT_URLS:
        return ("has no function URLs, which the cloud's notices come to; others without: "
                + ", ".join(sorted(WITHOUT_URLS.keys() - {region})))
    return None


def contradictions(values):
    """What is wrong with parameters that are good each by itself: what the rules of the template say, and more."""
    value = lambda name: values.get(name, "")
    faults = []
    if value("DomainName") and not value("CertificateArn"):
        faults.append("DomainName needs CertificateArn, the certificate of that name")
    if value("HostedZoneId") and not value("DomainName"):
        faults.append("HostedZoneId needs DomainName, the name of the record")
    if value("OidcIssuer") and not value("OidcAudience"):
        faults.append("OidcIssuer needs OidcAudience, the client id that its tokens are meant for")
    if value("OidcAudience") and not value("OidcIssuer"):
        faults.append("OidcAudience needs OidcIssuer, the provider whose tokens are meant for it")
    if value("LogUsers") == "off" and not value("LogSalt"):
        faults.append("LogUsers off needs LogSalt, which the pseudonyms are made with")
    if int(value("RefreshSeconds") or 0) < int(value("SessionSeconds") or 0):
        faults.append("RefreshSeconds is less than SessionSeconds: a session that can be used can be refreshed")
    return faults


def secret_fault(name, value, must):
    if value == NONE:
        return "must be set" if must else None
    least = 32 if name.startswith("SESSION_KEY") else 8
    if len(value) < least:
        return f"has {least} characters or more"
    if value == "withheld":
        return "is another one: this word stands for a secret that a function does not get"
    if name == "CALLBACK_PATH_KEY" and not re.fullmatch("[-_A-Za-z0-9]+", value):
        return "may contain only letters, digits, - and _"
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
        if name not in {*HEAD, *BESIDE, *parameters} or name in OURS:
            faults.append(f"{name} is no parameter of template.yaml that can be set")
        elif name == "Tags":
            if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
                faults.append('Tags is a table of texts, as [Tags] and then team = "live"')
        elif not isinstance(value, (str, int)) or isinstance(value, bool):
            faults.append(f"{name} is neither a text nor a number")
        elif name in parameters and parameter_fault(parameters[name], str(value)):
            faults.append(f"{name} {parameter_fault(parameters[name], str(value))}")
    for name in [*HEAD, *(name for name in parameters if "Default" not in parameters[name])]:
        if name not in given and name not in OURS:
            faults.append(f"{name} is not set: {HEAD.get(name) or parameters[name]['Description']}")
    given = {name: value if name == "Tags" else str(value) for name, value in given.items()}
    if "Region" in given and region_fault(given["Region"]):
        faults.append(f"Region {given['Region']} {region_fault(given['Region'])}")
    if not faults:
        faults = contradictions(with_defaults(given, parameters))
    if faults:
        sys.exit("\n".join(f"{file}: {fault}" for fault in faults))
    return given


def with_defaults(given, parameters):
    """All parameters, as texts."""
    defaults = {name: str(parameter.get("Default", "")) for name, parameter in parameters.items()}
    return {name: given.get(name, default) for name, default in defaults.items()}


def write_file(file, given):
    lines = ["# What scripts/deploy deploys with: template.yaml says what each is. No secret belongs here."]
    quoted = lambda value: json.dumps(value, ensure_ascii=False)
    lines += [f"{name} = {quoted(value)}" for name, value in given.items() if name != "Tags"]
    if given.get("Tags"):
        lines += ["", "[Tags]", *(f"{quoted(name)} = {quoted(value)}" for name, value in given["Tags"].items())]
    file.write_text("\n".join(lines) + "\n")


def guide(file, parameters):
    """Asks for what must be set and for what many will want to change, and writes it down; what is there is offered."""
    given = tomllib.loads(file.read_text()) if file.exists() else {}
    given = {name: value if name == "Tags" else str(value) for name, value in given.items()}
    print(f"An empty answer takes what stands in brackets. {file} will have the answers, but for the secrets.")
    word = lambda value: None if re.fullmatch("[A-Za-z][-A-Za-z0-9]*", value) else "must be a letter, then letters, digits or -"
    given["Stack"] = ask("Stack", "What all of it is called in AWS.", given.get("Stack", "mini-lvb"), word)
    region = given.get("Region") or boto3.Session().region_name
    given["Region"] = ask("Region", "The region of AWS, as us-east-1 or ap-southeast-1.", region, region_fault)
    session, given["Account"] = connect(given)
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
    write_file(file, given)
    print(f"\n{file} is written.")


# What AWS has


def connect(given):
    """A session with the account that the credentials are of, which must be the one of the file; and its number."""
    session = boto3.Session(region_name=given["Region"])
    try:
        account = session.client("sts").get_caller_identity()["Account"]
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"AWS does not let us in: {error}\nSay who you are with AWS_PROFILE, or with "
                 "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or with `aws configure`.")
    if given.get("Account", account) != account:
        sys.exit(f"these credentials are of the AWS account {account}, and the stack is of {given['Account']}: "
                 "another AWS_PROFILE, or another --file")
    # Not among what is printed for others to read.
    print(f"\nAWS account {account}, region {given['Region']}, stack {given['Stack']}", file=sys.stderr)
    return session, account


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


def stored_form(values, members):
    """The members of the secret: each key by its name, and together those that a function reads."""
    together = {member: json.dumps({name: values[name] for name in names}) for member, names in members.items()}
    return {**values, **together}


class Keys:
    """The secret of AWS Secrets Manager that has all the keys: each by its name, and once more as functions read them."""

    def __init__(self, session, stack, restores=True):
        """Reads the secret. One that is to be deleted is restored, or else nothing is done."""
        self.client, self.name = session.client("secretsmanager"), f"{stack}/keys"
        try:
            # A removed stack leaves the secret marked for deletion, and its name taken.
            if "DeletedDate" in self.client.describe_secret(SecretId=self.name):
                if not restores:
                    sys.exit(f"The secret {self.name} is to be deleted, with its stack: its keys cannot be read. "
                             "A deployment takes them again: scripts/deploy")
                self.client.restore_secret(SecretId=self.name)
                print(f"The secret {self.name}, which was to be deleted, is restored: its keys hold again.", file=sys.stderr)
            stored = self.client.get_secret_value(SecretId=self.name)
            self.stored, self.version = json.loads(stored["SecretString"]), stored["VersionId"]
        except self.client.exceptions.ResourceNotFoundException:
            self.stored, self.version = {}, None

    @property
    def values(self):
        return {name: value for name, value in self.stored.items() if name != EXCHANGED and not name.startswith(MEMBER)}

    @property
    def exchanged(self):
        """The keys whose next ones are the old ones."""
        return set(self.stored.get(EXCHANGED, "").split())

    def store(self, values, members, exchanged=frozenset()):
        """A new version, if anything is new in it."""
        wanted = stored_form(values, members)
        if exchanged:
            wanted[EXCHANGED] = " ".join(sorted(exchanged))
        if wanted == self.stored:
            return
        text = json.dumps(wanted)
        if self.version is None:
            what = "The keys of mini-lvb; scripts/deploy writes them."
            stored = self.client.create_secret(Name=self.name, Description=what, SecretString=text)
        else:
            stored = self.client.put_secret_value(SecretId=self.name, SecretString=text)
        self.stored, self.version = wanted, stored["VersionId"]


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


def renewed(keys, values, exchange=None, exchange_back=None):
    """The keys to store, and which of them have been exchanged: once is enough, however often it is asked for."""
    # A key whose next one is new has not been exchanged with that.
    done = {name for name in keys.exchanged if values[name + "_NEXT"] == keys.values[name + "_NEXT"]}
    name = exchange or exchange_back
    if exchange and exchange in done:
        print(f"{exchange} is exchanged already, {exchange}_NEXT is the old one, and nothing of that changes: "
              f"scripts/deploy --exchange-back {exchange} would")
    elif exchange_back and exchange_back not in done:
        sys.exit(f"{exchange_back} is not exchanged: scripts/deploy --exchange {exchange_back}")
    elif name:
        values, done = exchanged(values, name), done ^ {name}
    return values, done


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


def environment_bytes(variables, parameters, values):
    """How long the variables of a function are, as Lambda counts them: as JSON, names included."""
    def resolved(value):
        if isinstance(value, dict) and "Ref" in value:
            # The name of the table, which has up to 255 characters, is not known before the table is there.
            return parameters.get(value["Ref"], 255 * "t")
        reference = re.search(r"SecretString:(\w+)::", json.dumps(value))
        return stored_form(values, members_of(value))[reference[1]] if reference else value
    return len(json.dumps({name: resolved(value) for name, value in variables.items()}))


def check_environments(template, parameters, values):
    """Refuses settings that are too long together, which Lambda would after minutes."""
    shared = template["Globals"]["Function"]["Environment"]["Variables"]
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            own = resource["Properties"].get("Environment", {}).get("Variables", {})
            size = environment_bytes({**shared, **own}, parameters, values)
            if size > ENVIRONMENT_BYTES:
                sys.exit(f"the settings and keys of {name} have {size} bytes together, and Lambda takes "
                         f"{ENVIRONMENT_BYTES}: shorten them")


def sam(*words):
    """Runs SAM, which says itself what is wrong."""
    process = subprocess.run(["sam", *words], cwd=ROOT, env={**os.environ, "SAM_CLI_TELEMETRY": "0"})
    if process.returncode:
        sys.exit(process.returncode)


def deploy(session, given, keys, template, prepare=None):
    """Packages and deploys. `prepare` may change the packaged template."""
    parameters = with_defaults(given, template["Parameters"])
    architecture, digest = binaries(template)
    parameters |= {"Architecture": architecture, "Secrets": keys.name, "SecretsVersion": keys.version}
    # Whatever of this changes, the functions are published anew.
    parameters.pop("Release")
    released = [digest, (ROOT / "template.yaml").read_text(), sorted(parameters.items())]
    parameters["Release"] = hashlib.sha256(json.dumps(released).encode()).hexdigest()
    check_environments(template, parameters, keys.values)

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
    if parameters["ExistingTable"]:
        take_in(session, parameters["ExistingTable"], template)
    packaged, overrides = ROOT / "target/packaged.yaml", ROOT / "target/parameters.yaml"
    overrides.write_text(json.dumps(parameters))
    where = ["--region", given["Region"], "--resolve-s3"]
    sam("package", *where, "--template-file", "template.yaml", "--output-template-file", str(packaged))
    if prepare:
        prepare(packaged, parameters)
    sam("deploy", *where, "--template-file", str(packaged), "--stack-name", stack, "--capabilities", "CAPABILITY_IAM",
        "--parameter-overrides", f"file://{overrides}", "--no-confirm-changeset", "--no-fail-on-empty-changeset",
        *(["--role-arn", given["Role"]] if "Role" in given else []),
        *(["--tags", *(f"{name}={value}" for name, value in given["Tags"].items())] if given.get("Tags") else []))
    protect(session, stack)


def protect(session, stack, protected=True):
    """Lets nobody delete the stack by mistake, or lets them again."""
    session.client("cloudformation").update_termination_protection(
        StackName=stack, EnableTerminationProtection=protected)


# The table that was there


def shape(table):
    """What must be alike of two tables for the one to stand in for the other."""
    keys = lambda part: sorted((key["AttributeName"], key["KeyType"]) for key in part["KeySchema"])
    indices = {index["IndexName"]: (keys(index), index["Projection"]["ProjectionType"])
               for index in table.get("GlobalSecondaryIndexes", [])}
    return keys(table), indices


def take_in(session, table, template):
    """Makes a table fit to be the stack's, or says why it is not: what a restored one lacks is switched on."""
    dynamodb = session.client("dynamodb")
    try:
        there = dynamodb.describe_table(TableName=table)["Table"]
    except dynamodb.exceptions.ResourceNotFoundException:
        sys.exit(f"ExistingTable: there is no table {table} in this account and region")
    if there["TableStatus"] != "ACTIVE":
        sys.exit(f"ExistingTable: {table} is {there['TableStatus']}: wait until it is ACTIVE, and deploy again")
    if shape(there) != shape(template["Resources"]["Table"]["Properties"]):
        sys.exit(f"ExistingTable: {table} has other keys or indices than the table of template.yaml")
    # None of these comes with the data of a backup.
    lives = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]["TimeToLiveStatus"]
    if lives in ("DISABLED", "DISABLING"):
        wanted = template["Resources"]["Table"]["Properties"]["TimeToLiveSpecification"]
        dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=wanted)
    dynamodb.update_continuous_backups(
        TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True})
    if not there.get("DeletionProtectionEnabled"):
        dynamodb.update_table(TableName=table, DeletionProtectionEnabled=True)


def restore(session, given, second):
    """Makes a table as the stack's was at a second, under a name that follows from it, and waits until it is there."""
    dynamodb = session.client("dynamodb")
    source = outputs_of(session, given["Stack"])["Table"]
    table = f"{given['Stack']}-{second:%Y%m%dT%H%M%SZ}"
    try:
        dynamodb.describe_table(TableName=table)
    except dynamodb.exceptions.ResourceNotFoundException:
        override = {}
        if given.get("KmsKeyArn"):
            override = {"SSESpecificationOverride": {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": given["KmsKeyArn"]}}
        dynamodb.restore_table_to_point_in_time(
            SourceTableName=source, TargetTableName=table, RestoreDateTime=second, **override)
    print(f"{source} is restored as of {second:%Y-%m-%d %H:%M:%S} UTC into {table}, which takes from minutes to hours.")
    dynamodb.get_waiter("table_exists").wait(TableName=table, WaiterConfig={"Delay": 20, "MaxAttempts": 4320})
    return table


def second_of(text):
    """A second, as 2026-11-30T17:00:00Z."""
    try:
        second = datetime.datetime.fromisoformat(text)
    except ValueError:
        second = None
    if second is None or second.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text} is no second with a time zone, as 2026-11-30T17:00:00Z")
    return second.astimezone(datetime.timezone.utc)


def remove(session, given):
    """Deletes the stack and marks its keys for deletion. The table and the logs stay, and it says where."""
    stack = given["Stack"]
    there = stack_of(session, stack)
    if there:
        table = outputs_of(session, stack).get("Table") if there.get("Outputs") else None
        protect(session, stack, False)
        role = {"RoleARN": given["Role"]} if "Role" in given else {}
        cloudformation = session.client("cloudformation")
        cloudformation.delete_stack(StackName=stack, **role)
        cloudformation.get_waiter("stack_delete_complete").wait(StackName=stack)
        if table:
            print(f"""The stack {stack} is removed. Its table stays, with all that is in it: {table}
To deploy it again with this table, add to the file that scripts/deploy reads:
  ExistingTable = "{table}"
To delete it for good:
  aws dynamodb update-table --table-name {table} --no-deletion-protection-enabled
  aws dynamodb delete-table --table-name {table}""")
    else:
        print(f"There is no stack {stack}.")
    secret = session.client("secretsmanager")
    try:
        secret.delete_secret(SecretId=f"{stack}/keys", RecoveryWindowInDays=30)
        print(f"The secret {stack}/keys is deleted in 30 days; a deployment before that takes its keys again.")
    except (secret.exceptions.ResourceNotFoundException, secret.exceptions.InvalidRequestException):
        # It is not there, or is to be deleted already.
        pass


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
    way.add_argument("--exchange-back", metavar="NAME")
    way.add_argument("--print", metavar="NAME")
    way.add_argument("--restore", metavar="SECOND", type=second_of)
    way.add_argument("--remove", metavar="STACK")
    ap.add_argument("--file", type=pathlib.Path, default=ROOT / "deploy.toml")
    args = ap.parse_args(arguments)
    template = read_template()
    parameters, known = template["Parameters"], known_secrets(template)
    exchange = args.exchange or args.exchange_back
    for name in [*args.secrets, *filter(None, [exchange, args.print])]:
        if name not in known:
            sys.exit(f"{name} is no secret: " + ", ".join(known))
    if exchange and f"{exchange}_NEXT" not in known:
        sys.exit(f"{exchange} has no next one: scripts/deploy --secrets {exchange}")
    if not args.print and not args.remove:
        # Nobody should have to answer everything first.
        binaries(template)
        if prepare is None and FAST.exists():
            sys.exit("target/lambda has the binaries of scripts/build --fast, which are for scripts/emulate only: scripts/build")
    if args.guided:
        guide(args.file, parameters)
    given = read_file(args.file, parameters)
    if args.remove and args.remove != given["Stack"]:
        sys.exit(f"{args.file} is of the stack {given['Stack']}, not of {args.remove}: nothing is removed")
    session, _ = connect(given)
    if args.remove:
        remove(session, given)
        return 0
    keys = Keys(session, given["Stack"], restores=not args.print)
    if args.print:
        print(keys.values.get(args.print, NONE))
        return 0
    if args.restore:
        given["ExistingTable"] = restore(session, given, args.restore)
        write_file(args.file, given)
        print(f"{args.file} has it as ExistingTable.")
    values = complete(keys.values, known, args.secrets, args.guided)
    values, done = renewed(keys, values, args.exchange, args.exchange_back)
    keys.store(values, members_of(template), done)
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
