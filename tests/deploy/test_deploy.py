"""Tests scripts/deploy on a simulated AWS: what it refuses, what it keeps, and what it does."""

import argparse
import contextlib
import copy
import datetime
import io
import json
import os
import pathlib
import sys
import tempfile
import types
import unittest
from unittest import mock

os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import deploy
from botocore.exceptions import ClientError

TEMPLATE = deploy.read_template()
PARAMETERS, KNOWN, MEMBERS = TEMPLATE["Parameters"], deploy.known_secrets(TEMPLATE), deploy.members_of(TEMPLATE)
KEYS = {name: f"the-key-{name}-of-thirty-two-characters" for name in KNOWN} | {"CALLBACK_KEY_NEXT": deploy.NONE}
# What must be set; those of the server as the tests of the server have them.
GIVEN = {
    "Stack": "mini-lvb", "Region": "us-east-1", "Account": "123456789012", "ActionAuth": "open", "BizId": "8888",
    "LiveAppId": "1250000000", "CosAppId": "1250000000", "CosBucket": "covers", "CosSecretId": "AKIDtest",
    "CloudApiSecretId": "AKIDtest", "ImSdkAppId": "1400000000",
}


class NotFound(ClientError):
    def __init__(self, *_):
        super().__init__({"Error": {"Code": "ResourceNotFoundException", "Message": "does not exist"}}, "any")


class InvalidRequest(NotFound):
    pass


class Client:
    """A service of AWS, which notes what it was asked for; what it knows is its subclass's."""

    exceptions = types.SimpleNamespace(ResourceNotFoundException=NotFound, InvalidRequestException=InvalidRequest)

    def __init__(self):
        self.asked = []

    def __getattr__(self, operation):
        def ask(**arguments):
            self.asked.append((operation, arguments))
            return getattr(self, "on_" + operation, lambda **_: {})(**arguments)
        if operation.startswith("on_"):
            raise AttributeError(operation)
        return ask

    def get_waiter(self, name):
        return types.SimpleNamespace(wait=lambda **arguments: self.asked.append(("wait", name)))

    def operations(self):
        return [operation for operation, _ in self.asked]


class Secrets(Client):
    def __init__(self):
        super().__init__()
        self.text, self.version, self.is_deleted = None, 0, False

    def on_describe_secret(self, SecretId):
        if self.text is None:
            raise NotFound
        return {"DeletedDate": datetime.datetime.now()} if self.is_deleted else {}

    def on_get_secret_value(self, SecretId):
        if self.text is None:
            raise NotFound
        if self.is_deleted:
            raise InvalidRequest
        return {"SecretString": self.text, "VersionId": str(self.version)}

    def on_create_secret(self, Name, Description, SecretString):
        # As AWS has it: a name is taken until the secret is deleted at last.
        if self.text is not None:
            raise InvalidRequest
        return self.on_put_secret_value(Name, SecretString)

    def on_put_secret_value(self, SecretId, SecretString):
        self.text, self.version = SecretString, self.version + 1
        return {"VersionId": str(self.version)}

    def on_restore_secret(self, SecretId):
        self.is_deleted = False

    def on_delete_secret(self, SecretId, RecoveryWindowInDays):
        if self.text is None:
            raise NotFound
        self.is_deleted = True


class Stacks(Client):
    def __init__(self):
        super().__init__()
        self.is_there, self.is_protected = True, True

    def on_describe_stacks(self, StackName):
        if not self.is_there:
            raise NotFound
        outputs = [{"OutputKey": "Table", "OutputValue": "mini-lvb-Table-1"}]
        return {"Stacks": [{"StackStatus": "CREATE_COMPLETE", "Outputs": outputs}]}

    def on_update_termination_protection(self, StackName, EnableTerminationProtection):
        self.is_protected = EnableTerminationProtection

    def on_delete_stack(self, StackName, **_):
        if self.is_protected:
            raise InvalidRequest
        self.is_there = False


class Tables(Client):
    def __init__(self):
        super().__init__()
        self.tables, self.lives = {}, "DISABLED"
        self.restored = TEMPLATE["Resources"]["Table"]["Properties"]

    def on_describe_table(self, TableName):
        if TableName not in self.tables:
            raise NotFound
        return {"Table": self.tables[TableName]}

    def on_restore_table_to_point_in_time(self, TargetTableName, **_):
        # Nothing of this comes with a restored table: deletion protection, time to live, point-in-time recovery.
        parts = {name: self.restored[name] for name in ("KeySchema", "GlobalSecondaryIndexes")}
        self.tables[TargetTableName] = {**parts, "TableStatus": "ACTIVE", "DeletionProtectionEnabled": False}

    def on_describe_time_to_live(self, TableName):
        return {"TimeToLiveDescription": {"TimeToLiveStatus": self.lives}}


class Aws:
    """A session with an account."""

    def __init__(self, account="123456789012"):
        self.services = {"secretsmanager": Secrets(), "cloudformation": Stacks(), "dynamodb": Tables(), "sts": Client(),
                         "lambda": Client()}
        self.services["sts"].on_get_caller_identity = lambda: {"Account": account}
        limits = {"AccountLimit": {"UnreservedConcurrentExecutions": 1000}}
        self.services["lambda"].on_get_account_settings = lambda: limits

    def client(self, name):
        return self.services[name]


class Case(unittest.TestCase):
    def setUp(self):
        self.aws = Aws()
        self.enterContext(mock.patch.object(deploy.boto3, "Session", lambda **_: self.aws))
        self.said = io.StringIO()
        self.enterContext(contextlib.redirect_stdout(self.said))
        self.enterContext(contextlib.redirect_stderr(io.StringIO()))
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.file, self.fast = pathlib.Path(folder, "deploy.toml"), pathlib.Path(folder, "fast")
        deploy.write_file(self.file, GIVEN)

    def refusal(self, doing, *arguments):
        with self.assertRaises(SystemExit) as stopped:
            doing(*arguments)
        return str(stopped.exception)

    def deploy(self, *words):
        """Runs scripts/deploy, but for what SAM and scripts/smoke do; gives what SAM was called with."""
        ran = []
        # To parse the template takes most of a run's time, so it is parsed once for all tests.
        with mock.patch.object(deploy, "read_template", lambda: copy.deepcopy(TEMPLATE)), \
                mock.patch.object(deploy, "binaries", lambda _: ("arm64", "0" * 64)), \
                mock.patch.object(deploy, "FAST", self.fast), \
                mock.patch.object(deploy, "sam", lambda *words: ran.append(words)), \
                mock.patch.object(deploy, "announce", lambda *_: None), \
                mock.patch.object(deploy, "smoke", lambda *_: 0), \
                mock.patch.dict(os.environ, KEYS):
            self.assertEqual(deploy.main([*words, "--file", str(self.file)]), 0)
        return ran

    def stored(self):
        return json.loads(self.aws.client("secretsmanager").text)


class Settings(Case):
    def test_what_the_server_refuses_is_refused_before_anything_is_deployed(self):
        of_settings = {name: value["Ref"] for name, value in
                       TEMPLATE["Globals"]["Function"]["Environment"]["Variables"].items() if "Ref" in value}
        for outcome, cases in json.loads((ROOT / "tests/template/settings.json").read_text()).items():
            for case in cases:
                deploy.write_file(self.file, GIVEN | {of_settings[name]: value for name, value in case.items()})
                with self.subTest(outcome=outcome, case=case):
                    if outcome == "taken":
                        deploy.read_file(self.file, PARAMETERS)
                    else:
                        self.assertIn(str(self.file), self.refusal(deploy.read_file, self.file, PARAMETERS))

    def test_the_rules_of_the_template_are_those_of_the_script(self):
        rules = json.dumps(TEMPLATE["Rules"])
        for values in [{"DomainName": "a.example.com"}, {"HostedZoneId": "Z1"}, {"OidcIssuer": "https://a"},
                       {"OidcAudience": "a"}, {"LogUsers": "off"}]:
            fault, = deploy.contradictions(values)
            first, needed = fault.split(" needs ")
            self.assertIn(f"{first} needs {needed.split(',')[0]}", rules.replace("its Cert", "Cert"))

    def test_the_rules_of_the_template_refuse_what_the_script_refuses(self):
        def holds(condition, values):
            (kind, parts), = condition.items()
            if kind == "Ref":
                return values[parts]
            parts = [holds(part, values) if isinstance(part, dict) else part for part in parts]
            return not parts[0] if kind == "Fn::Not" else {"Fn::Equals": parts[0] == parts[1]}[kind]
        parts = {"DomainName": "a.example.com", "CertificateArn": "arn", "HostedZoneId": "Z1", "OidcIssuer": "https://a",
                 "OidcAudience": "a", "LogUsers": "off", "LogSalt": "a-salt-of-some-length"}
        plain = deploy.with_defaults(GIVEN, PARAMETERS)
        for number in range(2 ** len(parts)):
            chosen = {name: value for at, (name, value) in enumerate(parts.items()) if number >> at & 1}
            values = plain | chosen
            refused = any(holds(rule["RuleCondition"], values) and not holds(assertion["Assert"], values)
                          for rule in TEMPLATE["Rules"].values() for assertion in rule["Assertions"])
            self.assertEqual(refused, bool(deploy.contradictions(values)), chosen)

    def test_a_file_holds_parameters_that_can_be_set_and_nothing_else(self):
        for name, value in [("Pushkey", "a"), ("Architecture", "arm64"), ("BizId", ""), ("Region", "Singapore")]:
            deploy.write_file(self.file, GIVEN | {name: value})
            self.assertIn(name, self.refusal(deploy.read_file, self.file, PARAMETERS))

    def test_a_region_without_function_urls_is_refused_with_the_others(self):
        deploy.write_file(self.file, GIVEN | {"Region": "eu-south-2"})
        refusal = self.refusal(deploy.read_file, self.file, PARAMETERS)
        self.assertIn("Region eu-south-2 has no function URLs", refusal)
        self.assertIn("ca-west-1, eu-central-2, il-central-1, me-central-1", refusal)

    def test_settings_that_are_too_long_together_are_refused(self):
        parameters = deploy.with_defaults(GIVEN, PARAMETERS)
        deploy.check_environments(TEMPLATE, parameters, KEYS)
        parameters["ImAdministrators"] = ",".join(["administrator"] * 200)
        self.assertIn("Lambda takes 4096", self.refusal(deploy.check_environments, TEMPLATE, parameters, KEYS))
        long = KEYS | {"SESSION_KEY": 4096 * "k"}
        self.assertIn("Lambda takes 4096",
                      self.refusal(deploy.check_environments, TEMPLATE, deploy.with_defaults(GIVEN, PARAMETERS), long))
        deploy.write_file(self.file, GIVEN | {"ImAdministrators": parameters["ImAdministrators"]})
        self.assertIn("Lambda takes 4096", self.refusal(self.deploy))

    def test_tags_and_a_role_reach_cloudformation(self):
        role = "arn:aws:iam::123456789012:role/deployer"
        deploy.write_file(self.file, GIVEN | {"Role": role, "Tags": {"team": "live", "cost": "4 2"}})
        words = self.deploy()[-1]
        self.assertEqual(words[words.index("--role-arn") + 1], role)
        self.assertEqual(words[words.index("--tags") + 1:], ("team=live", "cost=4 2"))
        deploy.write_file(self.file, {**GIVEN, "Tags": {"team": 1}})
        self.assertIn("is a table of texts", self.refusal(deploy.read_file, self.file, PARAMETERS))


class Questions(Case):
    def test_the_guide_says_of_each_key_where_it_stands_in_the_console(self):
        for name in ["PUSH_KEY", "API_KEY", "CALLBACK_KEY", "COS_SECRET_KEY", "CLOUD_API_SECRET_KEY", "IM_SECRET_KEY"]:
            help, _ = KNOWN[name]
            self.assertRegex(help, "(?i)console, ", name)
            self.assertNotIn("\\", help)
            self.assertIn(f"`{name}`", (ROOT / "docs/deploying.md").read_text())


class Accounts(Case):
    def test_another_account_than_that_of_the_file_is_refused(self):
        self.aws = Aws(account="999999999999")
        self.assertIn("of the AWS account 999999999999, and the stack is of 123456789012",
                      self.refusal(self.deploy))
        self.assertEqual(self.aws.client("secretsmanager").asked, [])

    def test_a_file_that_names_no_account_is_refused(self):
        deploy.write_file(self.file, {name: value for name, value in GIVEN.items() if name != "Account"})
        self.assertIn("Account is not set", self.refusal(deploy.read_file, self.file, PARAMETERS))

    def test_a_deployed_stack_cannot_be_deleted_by_mistake(self):
        self.aws.client("cloudformation").is_protected = False
        self.deploy()
        self.assertTrue(self.aws.client("cloudformation").is_protected)


class Binaries(Case):
    def test_those_that_were_built_for_the_emulation_only_are_refused(self):
        self.fast.touch()
        self.assertIn("scripts/build --fast", self.refusal(self.deploy))
        self.assertEqual(self.aws.client("secretsmanager").asked, [])


class Keys(Case):
    def test_a_function_finds_its_keys_in_one_member(self):
        self.deploy()
        member = json.loads(self.stored()["SECRETS__SESSION_KEY__IM_SECRET_KEY"])
        self.assertEqual(member, {name: KEYS[name] for name in ("SESSION_KEY", "IM_SECRET_KEY")})

    def test_nothing_is_stored_when_nothing_has_changed(self):
        self.deploy()
        self.deploy()
        self.assertEqual(self.aws.client("secretsmanager").version, 1)

    def test_a_secret_of_an_older_version_gets_the_members_that_functions_read(self):
        self.aws.client("secretsmanager").on_put_secret_value("mini-lvb/keys", json.dumps(KEYS))
        self.deploy()
        self.assertLessEqual(MEMBERS.keys(), self.stored().keys())
        self.assertEqual({name: self.stored()[name] for name in KEYS}, KEYS)

    def exchange(self, *words):
        self.deploy(*words)
        return tuple(self.stored()[name] for name in ("SESSION_KEY", "SESSION_KEY_NEXT"))

    def test_an_exchange_that_is_asked_for_twice_is_made_once(self):
        self.deploy()
        old, new = KEYS["SESSION_KEY"], KEYS["SESSION_KEY_NEXT"]
        self.assertEqual(self.exchange("--exchange", "SESSION_KEY"), (new, old))
        self.assertEqual(self.exchange("--exchange", "SESSION_KEY"), (new, old))
        self.assertIn("is exchanged already", self.said.getvalue())
        self.assertEqual(self.exchange(), (new, old))
        self.assertEqual(self.exchange("--exchange-back", "SESSION_KEY"), (old, new))
        self.assertIn("is not exchanged", self.refusal(self.exchange, "--exchange-back", "SESSION_KEY"))

    def test_a_new_next_key_can_be_exchanged_again(self):
        self.deploy()
        self.exchange("--exchange", "SESSION_KEY")
        newest = "the-newest-key-of-thirty-two-characters"
        with mock.patch.dict(KEYS, SESSION_KEY_NEXT=newest):
            self.exchange("--secrets", "SESSION_KEY_NEXT")
        self.assertEqual(self.exchange("--exchange", "SESSION_KEY")[0], newest)

    def test_a_key_without_a_next_one_is_not_exchanged(self):
        self.deploy()
        before = self.stored()
        self.assertIn("CALLBACK_KEY_NEXT is not set", self.refusal(self.deploy, "--exchange", "CALLBACK_KEY"))
        self.assertIn("PUSH_KEY has no next one", self.refusal(self.deploy, "--exchange", "PUSH_KEY"))
        self.assertEqual(self.stored(), before)

    def test_the_key_of_before_a_callback_key_stays_good(self):
        with mock.patch.dict(KEYS, CALLBACK_KEY=deploy.NONE, CALLBACK_KEY_NEXT="the-key-that-is-new"):
            self.deploy()
            self.deploy("--exchange", "CALLBACK_KEY")
        self.assertEqual([self.stored()[name] for name in ("CALLBACK_KEY", "CALLBACK_KEY_NEXT")],
                         ["the-key-that-is-new", KEYS["API_KEY"]])


class Removal(Case):
    def test_a_removed_stack_is_deployed_again_with_its_keys(self):
        self.deploy()
        before = self.stored()
        self.deploy("--remove", "mini-lvb")
        self.assertTrue(self.aws.client("secretsmanager").is_deleted)
        self.assertFalse(self.aws.client("cloudformation").is_there)
        self.assertIn('ExistingTable = "mini-lvb-Table-1"', self.said.getvalue())
        # Once more does no harm.
        self.deploy("--remove", "mini-lvb")
        self.aws.client("cloudformation").is_there = True
        self.deploy()
        self.assertEqual((self.aws.client("secretsmanager").is_deleted, self.stored()), (False, before))

    def test_who_only_looks_at_a_key_of_a_removed_stack_does_not_restore_it(self):
        self.deploy()
        self.deploy("--remove", "mini-lvb")
        self.assertIn("to be deleted", self.refusal(self.deploy, "--print", "SESSION_KEY"))
        self.assertTrue(self.aws.client("secretsmanager").is_deleted)

    def test_a_stack_is_removed_by_its_role_and_gone_before_its_keys_are(self):
        role = "arn:aws:iam::123456789012:role/deployer"
        deploy.write_file(self.file, GIVEN | {"Role": role})
        stacks, secrets = self.aws.client("cloudformation"), self.aws.client("secretsmanager")
        waited = []
        secrets.on_delete_secret = lambda **_: waited.append(("wait", "stack_delete_complete") in stacks.asked)
        # No binaries are needed for that.
        self.assertEqual(deploy.main(["--remove", "mini-lvb", "--file", str(self.file)]), 0)
        self.assertEqual((dict(stacks.asked)["delete_stack"]["RoleARN"], waited), (role, [True]))

    def test_a_stack_that_has_no_keys_is_removed(self):
        self.assertEqual(deploy.main(["--remove", "mini-lvb", "--file", str(self.file)]), 0)
        self.assertFalse(self.aws.client("cloudformation").is_there)

    def test_another_stack_than_that_of_the_file_is_not_removed(self):
        self.assertIn("nothing is removed", self.refusal(self.deploy, "--remove", "another"))
        self.assertTrue(self.aws.client("cloudformation").is_there)


class ExistingTable(Case):
    def test_a_restored_table_is_put_in_place_with_what_does_not_come_with_a_backup(self):
        ran = self.deploy("--restore", "2026-11-30T18:00:00+01:00")
        table = "mini-lvb-20261130T170000Z"
        self.assertEqual(deploy.read_file(self.file, PARAMETERS)["ExistingTable"], table)
        overrides = json.loads((ROOT / "target/parameters.yaml").read_text())
        self.assertEqual((overrides["ExistingTable"], ran[-1][0]), (table, "deploy"))
        asked = dict(self.aws.client("dynamodb").asked)
        self.assertEqual(asked["restore_table_to_point_in_time"]["SourceTableName"], "mini-lvb-Table-1")
        self.assertEqual(asked["update_time_to_live"]["TimeToLiveSpecification"]["AttributeName"], "expires_at")
        self.assertTrue(asked["update_continuous_backups"]["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"])
        self.assertTrue(asked["update_table"]["DeletionProtectionEnabled"])
        self.assertIn(("wait", "table_exists"), self.aws.client("dynamodb").asked)
        self.assertEqual(asked["restore_table_to_point_in_time"]["RestoreDateTime"].isoformat(), "2026-11-30T17:00:00+00:00")
        # It goes on where it was stopped.
        self.deploy("--restore", "2026-11-30T17:00:00Z")
        self.assertEqual(self.aws.client("dynamodb").operations().count("restore_table_to_point_in_time"), 1)

    def test_a_table_that_is_not_there_or_not_like_ours_is_refused(self):
        deploy.write_file(self.file, GIVEN | {"ExistingTable": "restored"})
        self.assertIn("there is no table restored", self.refusal(self.deploy))
        tables = self.aws.client("dynamodb")
        tables.on_restore_table_to_point_in_time("restored")
        tables.tables["restored"] |= {"TableStatus": "CREATING"}
        self.assertIn("restored is CREATING", self.refusal(self.deploy))
        tables.tables["restored"] |= {"TableStatus": "ACTIVE", "GlobalSecondaryIndexes": []}
        self.assertIn("other keys or indices", self.refusal(self.deploy))
        ours = TEMPLATE["Resources"]["Table"]["Properties"]
        first, *others = ours["GlobalSecondaryIndexes"]
        for unlike in [{"KeySchema": ours["KeySchema"][:1]},
                       {"GlobalSecondaryIndexes": [first | {"Projection": {"ProjectionType": "OTHER"}}, *others]}]:
            tables.on_restore_table_to_point_in_time("restored")
            tables.tables["restored"] |= unlike
            self.assertIn("other keys or indices", self.refusal(self.deploy))

    def test_a_restored_table_keeps_the_key_that_it_is_encrypted_with(self):
        key = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000"
        deploy.write_file(self.file, GIVEN | {"KmsKeyArn": key})
        self.deploy("--restore", "2026-11-30T17:00:00Z")
        asked = dict(self.aws.client("dynamodb").asked)["restore_table_to_point_in_time"]
        self.assertEqual(asked["SSESpecificationOverride"]["KMSMasterKeyId"], key)

    def test_a_table_that_is_fit_already_is_left_as_it_is(self):
        tables = self.aws.client("dynamodb")
        tables.on_restore_table_to_point_in_time("restored")
        tables.tables["restored"]["DeletionProtectionEnabled"], tables.lives = True, "ENABLED"
        deploy.write_file(self.file, GIVEN | {"ExistingTable": "restored"})
        self.deploy()
        self.assertFalse({"update_time_to_live", "update_table"} & set(tables.operations()))

    def test_a_second_has_a_time_zone(self):
        self.assertEqual(deploy.second_of("2026-11-30T18:00:00+01:00").hour, 17)
        for text in ["2026-11-30T17:00:00", "yesterday"]:
            self.assertRaises(argparse.ArgumentTypeError, deploy.second_of, text)


if __name__ == "__main__":
    unittest.main()
