"""The code of scripts/deploy, which documents the usage.

Settings are parameters of template.yaml, and stand in a file. Secrets are members of one secret of AWS Secrets Manager.
Secrets that only this server uses are generated. The others come from the environment or from questions, and are never
shown, in a file, or on a command line.
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
# Parameters that follow from the deployment. They are not in the file.
OURS = {"Architecture", "Release", "Secrets", "SecretsVersion"}
# Parameters with a default for which the guide asks all the same. The second list follows if DomainName is set.
OFFERED = ["CosRegion", "RecordFormats", "AlarmEmail", "CallbackConcurrency", "DomainName"]
WITH_DOMAIN = ["CertificateArn", "HostedZoneId"]
# Secrets that only this server uses.
INVENTED = {"CALLBACK_PATH_KEY", "OPERATOR_KEY", "SESSION_KEY"}
# The value of a secret that is not set, since AWS has no empty secrets.
NONE = "none"
# Marks the binaries of scripts/build --fast.
FAST = ROOT / "target/lambda/fast"
# The prefix of the members of the secret that have the keys of a function, as JSON.
MEMBER = "SECRETS__"
MACHINES = {0x3E: "x86_64", 0xB7: "arm64"}
# The maximum size of the variables of a function: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
ENVIRONMENT_BYTES = 4096
# Regions without function URLs, which the cloud's notices need, on 30 November 2026 according to
# https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html
WITHOUT_URLS = {
    "ap-east-2": "Taipei", "ap-south-2": "Hyderabad", "ap-southeast-4": "Melbourne", "ap-southeast-5": "Malaysia",
    "ap-southeast-6": "New Zealand", "ap-southeast-7": "Thailand", "ca-west-1": "Calgary", "eu-central-2": "Zurich",
    "eu-south-2": "Spain", "il-central-1": "Tel Aviv", "me-central-1": "UAE",
}
# The entries of the file beside parameters of the template. Those in BESIDE are optional.
HEAD = {
    "Stack": "the name of the stack in AWS",
    "Region": "the AWS region",
    "Account": "the AWS account that the stack belongs to, twelve digits: credentials of another are refused",
}
BESIDE = {
    "Role": "the ARN of the IAM role of CloudFormation; without it, CloudFormation has the rights of the caller",
    "Tags": "a table of tags for all resources of the stack",
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
    """The keys that functions read, in the order of the settings: their descriptions, and whether each is required."""
    names = {name for names in members_of(template).values() for name in names}
    source = (ROOT / "shared/app/src/config/settings.rs").read_text()
    # A setting is a line "NAME," or "NAME = default," under the lines of its description.
    setting = re.compile(r'((?: +/// .*\n)+) +(\w+)( = "[^"]*")?,\n')
    return {name: (" ".join(line.strip(" /") for line in help.splitlines()), not default)
            for help, name, default in setting.findall(source) if name in names}


# The settings


def parameter_fault(parameter, value):
    """The error of a value, or None. CloudFormation would report the error after minutes."""
    allowed = [str(known) for known in parameter.get("AllowedValues", [])]
    if allowed and value not in allowed:
        return "must be one of " + ", ".join(allowed)
    if parameter["Type"] == "Number":
        if not re.fullmatch(r"\d+", value):
            return "must be a number"
        least, most = parameter.get("MinValue", 0), parameter.get("MaxValue", float("inf"))
        if not least <= int(value) <= most:
            return f"must be {least} to {most}" if "MaxValue" in parameter else f"must be {least} or more"
    if value == "" and "Default" not in parameter:
        return "must be set"
    if not re.fullmatch(parameter.get("AllowedPattern", ".*"), value):
        return "must match " + parameter["AllowedPattern"]
    return None


def region_fault(region):
    if not re.fullmatch("[a-z]{2}(-[a-z]+)+-[0-9]", region):
        return "must be the name of a region, such as us-east-1"
    if region in WITHOUT_URLS:
        return ("has no function URLs, which the cloud's notices need; neither have "
                + ", ".join(sorted(WITHOUT_URLS.keys() - {region})))
    return None


def contradictions(values):
    """The errors of parameters that contradict each other: those of the rules of the template, and more."""
    value = lambda name: values.get(name, "")
    faults = []
    if value("DomainName") and not value("CertificateArn"):
        faults.append("DomainName needs CertificateArn, a certificate for the domain")
    if value("HostedZoneId") and not value("DomainName"):
        faults.append("HostedZoneId needs DomainName, the name of the record")
    if value("OidcIssuer") and not value("OidcAudience"):
        faults.append("OidcIssuer needs OidcAudience, the client id of its tokens")
    if value("OidcAudience") and not value("OidcIssuer"):
        faults.append("OidcAudience needs OidcIssuer, the provider of the tokens")
    if value("LogUsers") == "off" and not value("LogSalt"):
        faults.append("LogUsers off needs LogSalt, the salt of the pseudonyms")
    if int(value("RefreshSeconds") or 0) < int(value("SessionSeconds") or 0):
        faults.append("RefreshSeconds must be at least SessionSeconds")
    return faults


def secret_fault(name, value, must):
    if value == NONE:
        return "must be set" if must else None
    least = 32 if name.startswith("SESSION_KEY") else 8
    if len(value) < least:
        return f"must have at least {least} characters"
    if value == "withheld":
        return "must not be withheld, which stands for a secret that a function does not get"
    if name == "CALLBACK_PATH_KEY" and not re.fullmatch("[-_A-Za-z0-9]+", value):
        return "may contain only letters, digits, - and _"
    return None


# Reads an answer. scripts/emulate replaces this function.
read = input


def ask(name, what, offer, fault, hidden=False, shown=None):
    """Asks until the answer is valid. An empty answer takes the offered value."""
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
            faults.append(f"{name} is not a parameter of template.yaml that can be set")
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
    lines = ["# The settings of scripts/deploy. template.yaml describes each. Do not write secrets here."]
    quoted = lambda value: json.dumps(value, ensure_ascii=False)
    lines += [f"{name} = {quoted(value)}" for name, value in given.items() if name != "Tags"]
    if given.get("Tags"):
        lines += ["", "[Tags]", *(f"{quoted(name)} = {quoted(value)}" for name, value in given["Tags"].items())]
    file.write_text("\n".join(lines) + "\n")


def guide(file, parameters):
    """Asks for the required parameters and for those that many users change, and writes the file. Offers the old values."""
    given = tomllib.loads(file.read_text()) if file.exists() else {}
    given = {name: value if name == "Tags" else str(value) for name, value in given.items()}
    print(f"An empty answer takes the value in brackets. The answers are written to {file}, without the secrets.")
    word = lambda value: None if re.fullmatch("[A-Za-z][-A-Za-z0-9]*", value) else "must be a letter, then letters, digits or -"
    given["Stack"] = ask("Stack", "The name of the stack in AWS.", given.get("Stack", "mini-lvb"), word)
    region = given.get("Region") or boto3.Session().region_name
    given["Region"] = ask("Region", "The AWS region, such as us-east-1 or ap-southeast-1.", region, region_fault)
    session, given["Account"] = connect(given)
    required = [name for name in parameters if "Default" not in parameters[name] and name not in OURS]
    todo = required + OFFERED
    for name in todo:
        parameter = parameters[name]
        offer = given.get(name, parameter.get("Default"))
        what = parameter["Description"]
        if name == "CallbackConcurrency" and name not in given and reservable(session) < int(offer):
            offer, what = 0, f"{what} This account cannot reserve any."
        fault = lambda value: parameter_fault(parameter, value)
        if name == "CertificateArn":
            fault = lambda value: "must be set for DomainName" if value == "" else parameter_fault(parameter, value)
            offer = offer or None
        given[name] = ask(name, what, None if offer is None else str(offer), fault)
        if name == "DomainName" and given[name]:
            todo += WITH_DOMAIN
    write_file(file, given)
    print(f"\n{file} is written.")


# The state in AWS


def connect(given):
    """A session with the account of the credentials, which must be that of the file; and the number of the account."""
    session = boto3.Session(region_name=given["Region"])
    try:
        account = session.client("sts").get_caller_identity()["Account"]
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"AWS refuses the credentials: {error}\nSet AWS_PROFILE, or "
                 "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run `aws configure`.")
    if given.get("Account", account) != account:
        sys.exit(f"these credentials are of the AWS account {account}, and the stack is of {given['Account']}: "
                 "set another AWS_PROFILE, or another --file")
    # On standard error, since the standard output may be public.
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
    """The members of the secret: each key by its name, and the keys of each function together."""
    together = {member: json.dumps({name: values[name] for name in names}) for member, names in members.items()}
    return {**values, **together}


class Keys:
    """The secret of AWS Secrets Manager with all keys: each by its name, and the keys of each function together."""

    def __init__(self, session, stack, restores=True):
        """Reads the secret. Restores a secret that is marked for deletion, or else ends the program."""
        self.client, self.name = session.client("secretsmanager"), f"{stack}/keys"
        try:
            # A removed stack leaves the secret marked for deletion, and its name taken.
            if "DeletedDate" in self.client.describe_secret(SecretId=self.name):
                if not restores:
                    sys.exit(f"The secret {self.name} is to be deleted, with its stack: its keys cannot be read. "
                             "A deployment restores them: scripts/deploy")
                self.client.restore_secret(SecretId=self.name)
                print(f"The secret {self.name}, which was to be deleted, is restored with its keys.", file=sys.stderr)
            stored = self.client.get_secret_value(SecretId=self.name)
            self.stored, self.version = json.loads(stored["SecretString"]), stored["VersionId"]
        except self.client.exceptions.ResourceNotFoundException:
            self.stored, self.version = {}, None

    @property
    def values(self):
        return {name: value for name, value in self.stored.items() if name != EXCHANGED and not name.startswith(MEMBER)}

    @property
    def exchanged(self):
        """The keys that have been exchanged: their next keys are the old ones."""
        return set(self.stored.get(EXCHANGED, "").split())

    def store(self, values, members, exchanged=frozenset()):
        """Stores a new version, if anything has changed."""
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
    """All secrets: the stored ones, except those to renew. The others are generated, read from the environment, or asked for."""
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
            shown = "unchanged" if not is_new else "a new one is generated" if ours else "none"
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
    """The values with NAME and NAME_NEXT exchanged."""
    following = name + "_NEXT"
    if values.get(following, NONE) == NONE:
        sys.exit(f"{following} is not set: scripts/deploy --secrets {following}")
    # While CALLBACK_KEY is not set, API_KEY is in force.
    now = values[name] if values[name] != NONE else values["API_KEY"]
    return {**values, name: values[following], following: now}


def renewed(keys, values, exchange=None, exchange_back=None):
    """The keys to store, and which of them have been exchanged. A repeated exchange does nothing."""
    # A key whose next one is new has not been exchanged with that.
    done = {name for name in keys.exchanged if values[name + "_NEXT"] == keys.values[name + "_NEXT"]}
    name = exchange or exchange_back
    if exchange and exchange in done:
        print(f"{exchange} is exchanged already: {exchange}_NEXT is the old key. Nothing changes. "
              f"To undo the exchange: scripts/deploy --exchange-back {exchange}")
    elif exchange_back and exchange_back not in done:
        sys.exit(f"{exchange_back} is not exchanged: scripts/deploy --exchange {exchange_back}")
    elif name:
        values, done = exchanged(values, name), done ^ {name}
    return values, done


# The deployment


def binaries(template):
    """The processor of the binaries, and a digest of all."""
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
    """The size of the variables of a function as Lambda counts it: as JSON, with the names."""
    def resolved(value):
        if isinstance(value, dict) and "Ref" in value:
            # The name of the table is not known before the table exists. It has at most 255 characters.
            return parameters.get(value["Ref"], 255 * "t")
        reference = re.search(r"SecretString:(\w+)::", json.dumps(value))
        return stored_form(values, members_of(value))[reference[1]] if reference else value
    return len(json.dumps({name: resolved(value) for name, value in variables.items()}))


def check_environments(template, parameters, values):
    """Refuses settings that are too long together. Lambda would refuse them after minutes."""
    shared = template["Globals"]["Function"]["Environment"]["Variables"]
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            own = resource["Properties"].get("Environment", {}).get("Variables", {})
            size = environment_bytes({**shared, **own}, parameters, values)
            if size > ENVIRONMENT_BYTES:
                sys.exit(f"the settings and keys of {name} have {size} bytes together, and Lambda takes "
                         f"{ENVIRONMENT_BYTES}: shorten them")


def sam(*words):
    """Runs SAM, which prints its errors itself."""
    process = subprocess.run(["sam", *words], cwd=ROOT, env={**os.environ, "SAM_CLI_TELEMETRY": "0"})
    if process.returncode:
        sys.exit(process.returncode)


def deploy(session, given, keys, template, prepare=None):
    """Packages and deploys. `prepare` may change the packaged template."""
    parameters = with_defaults(given, template["Parameters"])
    architecture, digest = binaries(template)
    parameters |= {"Architecture": architecture, "Secrets": keys.name, "SecretsVersion": keys.version}
    # A change of any of these publishes a new version of the functions.
    parameters.pop("Release")
    released = [digest, (ROOT / "template.yaml").read_text(), sorted(parameters.items())]
    parameters["Release"] = hashlib.sha256(json.dumps(released).encode()).hexdigest()
    check_environments(template, parameters, keys.values)

    stack = given["Stack"]
    there = stack_of(session, stack)
    cloudformation = session.client("cloudformation")
    if there and there["StackStatus"] == "ROLLBACK_COMPLETE":
        print("The first deployment failed: its remains are deleted.")
        cloudformation.delete_stack(StackName=stack)
        cloudformation.get_waiter("stack_delete_complete").wait(StackName=stack)
        there = None
    if not there and int(parameters["CallbackConcurrency"]) > max(0, reservable(session)):
        sys.exit("CallbackConcurrency is more than this account can reserve: set 0, or request a higher quota "
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
    """Protects the stack against deletion, or ends the protection."""
    session.client("cloudformation").update_termination_protection(
        StackName=stack, EnableTerminationProtection=protected)


# An existing table


def shape(table):
    """The properties in which a table must be equal to another one to replace it."""
    keys = lambda part: sorted((key["AttributeName"], key["KeyType"]) for key in part["KeySchema"])
    indices = {index["IndexName"]: (keys(index), index["Projection"]["ProjectionType"])
               for index in table.get("GlobalSecondaryIndexes", [])}
    return keys(table), indices


def take_in(session, table, template):
    """Refuses a table that cannot be the stack's. Switches on what a restored table lacks."""
    dynamodb = session.client("dynamodb")
    try:
        there = dynamodb.describe_table(TableName=table)["Table"]
    except dynamodb.exceptions.ResourceNotFoundException:
        sys.exit(f"ExistingTable: there is no table {table} in this account and region")
    if there["TableStatus"] != "ACTIVE":
        sys.exit(f"ExistingTable: {table} is {there['TableStatus']}: wait until it is ACTIVE, and deploy again")
    if shape(there) != shape(template["Resources"]["Table"]["Properties"]):
        sys.exit(f"ExistingTable: {table} has other keys or indices than the table of template.yaml")
    # A restored table lacks all of these.
    lives = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]["TimeToLiveStatus"]
    if lives in ("DISABLED", "DISABLING"):
        wanted = template["Resources"]["Table"]["Properties"]["TimeToLiveSpecification"]
        dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=wanted)
    dynamodb.update_continuous_backups(
        TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True})
    if not there.get("DeletionProtectionEnabled"):
        dynamodb.update_table(TableName=table, DeletionProtectionEnabled=True)


def restore(session, given, second):
    """Restores the stack's table as of a second into a new table with that time in its name, and waits for it."""
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
    print(f"{source} is being restored as of {second:%Y-%m-%d %H:%M:%S} UTC into {table}, which takes from minutes to hours.")
    dynamodb.get_waiter("table_exists").wait(TableName=table, WaiterConfig={"Delay": 20, "MaxAttempts": 4320})
    return table


def second_of(text):
    """Parses a second, such as 2026-11-30T17:00:00Z."""
    try:
        second = datetime.datetime.fromisoformat(text)
    except ValueError:
        second = None
    if second is None or second.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text} must be a second with a time zone, such as 2026-11-30T17:00:00Z")
    return second.astimezone(datetime.timezone.utc)


def remove(session, given):
    """Deletes the stack and marks its keys for deletion. Keeps the table and the logs, and prints the table's name."""
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
            print(f"""The stack {stack} is removed. Its table and the data remain: {table}
To use this table in a new deployment, add to the file of scripts/deploy:
  ExistingTable = "{table}"
To delete the table:
  aws dynamodb update-table --table-name {table} --no-deletion-protection-enabled
  aws dynamodb delete-table --table-name {table}""")
    else:
        print(f"There is no stack {stack}.")
    secret = session.client("secretsmanager")
    try:
        secret.delete_secret(SecretId=f"{stack}/keys", RecoveryWindowInDays=30)
        print(f"The secret {stack}/keys is deleted in 30 days; a deployment before that restores its keys.")
    except (secret.exceptions.ResourceNotFoundException, secret.exceptions.InvalidRequestException):
        # The secret does not exist, or is already marked for deletion.
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
    """Tests the deployment as a phone and as the cloud."""
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
            sys.exit(f"{name} is not a secret; the secrets are " + ", ".join(known))
    if exchange and f"{exchange}_NEXT" not in known:
        sys.exit(f"{exchange} has no next one: scripts/deploy --secrets {exchange}")
    if not args.print and not args.remove:
        # Before any question is asked.
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
        print(f"ExistingTable in {args.file} is the restored table.")
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
        sys.exit("\nthe answers are incomplete: nothing is deployed")
    except KeyboardInterrupt:
        sys.exit("\nstopped; scripts/deploy continues from here")
