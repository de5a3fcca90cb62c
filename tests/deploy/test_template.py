"""What the template expands to: within the quotas of AWS, and what its parameters switch on and off."""

import json
import os
import pathlib
import re
import sys
import unittest

os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import deploy
import expand

# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
DYNAMIC_REFERENCES = 60
RESOURCES = 500
PARAMETERS = 200
OUTPUTS = 200
MAPPINGS = 200
MAPPING_ATTRIBUTES = 200
PARAMETER_VALUE_BYTES = 4096
TEMPLATE_BYTES = 1_000_000
DESCRIPTION_BYTES = 1024
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html: characters without white space, all inline
# policies of a role together, a managed policy, a trust policy; managed policies on a role.
INLINE_POLICY_CHARACTERS = 10_240
MANAGED_POLICY_CHARACTERS = 6_144
TRUST_POLICY_CHARACTERS = 2_048
POLICIES_OF_A_ROLE = 10
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html: all variables of a function together, and the
# resource-based policy of a function.
ENVIRONMENT_BYTES = 4096
FUNCTION_POLICY_BYTES = 20_480
# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
ROUTES = 300
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
FILTERS_OF_A_LOG_GROUP = 100
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html
METRICS_OF_AN_ALARM = 10
# https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
SECRET_BYTES = 65_536

# The longest ARN of a table: names have up to 255 characters.
TABLE_ARN = "arn:aws-us-gov:dynamodb:us-gov-west-1:123456789012:table/" + 255 * "t"
# Parameters that switch on what is off by default.
EVERYTHING = {"Deployment": "Linear10PercentEvery1Minute", "Tracing": "Active"}
# Values as long as real ones are, or longer.
LONG = {
    "BizId": "1234567", "LiveAppId": "1250000000", "PushDomain": "push.live.a-long-domain-name.example.com",
    "PlayDomain": "play.live.a-long-domain-name.example.com", "CosAppId": "1250000000",
    "CosBucket": "a-bucket-with-a-name-of-fifty-characters-or-so-1234", "CosSecretId": 40 * "A",
    "CloudApiSecretId": 40 * "A", "ImSdkAppId": "1400000000", "ActionAuth": "user-sig",
    "ImAdministrators": "administrator,another-administrator",
    "OidcIssuer": "https://login.example.com/realms/a-realm-with-a-long-name/v2.0", "OidcAudience": 64 * "a",
    "OidcUserClaim": "https://example.com/claims/user",
}
KEYS = 64 * "k"


def expanded(**parameters):
    return expand.expand(deploy.read_template(), "0" * 64, parameters)


def of_type(template, kind):
    return {name: part["Properties"] for name, part in template["Resources"].items() if part["Type"] == kind}


def length(document):
    """As IAM counts: without white space, and with what intrinsic functions come to."""
    def resolved(value):
        if isinstance(value, dict) and len(value) == 1 and next(iter(value)) in ("Fn::GetAtt", "Ref", "Fn::Sub", "Fn::If"):
            return TABLE_ARN + "/index/lists"
        if isinstance(value, dict):
            return {name: resolved(part) for name, part in value.items()}
        return [resolved(part) for part in value] if isinstance(value, list) else value
    return len(re.sub(r"\s", "", json.dumps(resolved(document))))


class Expanded(unittest.TestCase):
    template, plain, all = deploy.read_template(), expanded(), expanded(**EVERYTHING)

    def both(self):
        return (self.plain, self.all)


class Quotas(Expanded):
    def test_a_template_has_at_most_60_dynamic_references(self):
        for template in self.both():
            self.assertLessEqual(json.dumps(template).count("{{resolve:"), DYNAMIC_REFERENCES)

    def test_a_function_has_at_most_one_dynamic_reference(self):
        for name, function in of_type(self.all, "AWS::Lambda::Function").items():
            self.assertLessEqual(json.dumps(function).count("{{resolve:"), 1, name)

    def test_a_stack_has_at_most_so_many_parts(self):
        for template in self.both():
            for section, most in [("Resources", RESOURCES), ("Parameters", PARAMETERS), ("Outputs", OUTPUTS),
                                  ("Mappings", MAPPINGS)]:
                self.assertLessEqual(len(template.get(section, {})), most, section)
            for name, mapping in template.get("Mappings", {}).items():
                self.assertLessEqual(len(mapping), MAPPING_ATTRIBUTES, name)
            self.assertLessEqual(len(template["Description"].encode()), DESCRIPTION_BYTES)

    def test_a_template_has_at_most_a_megabyte(self):
        for template in self.both():
            # As SAM writes it, indented.
            self.assertLessEqual(len(json.dumps(template, indent=4).encode()), TEMPLATE_BYTES)

    def test_a_parameter_fits(self):
        for name, parameter in self.plain["Parameters"].items():
            self.assertLessEqual(len(str(parameter.get("Default", ""))), PARAMETER_VALUE_BYTES, name)

    def test_the_environment_of_a_function_fits_into_4_kilobytes_with_its_keys(self):
        parameters = {name: LONG.get(name, str(parameter.get("Default", "")))
                      for name, parameter in self.template["Parameters"].items()}
        parameters["Secrets"] = parameters["SecretsVersion"] = ""
        known = deploy.known_secrets(self.template)
        for name, function in of_type(self.all, "AWS::Lambda::Function").items():
            variables = function["Environment"]["Variables"]
            size = deploy.environment_bytes(variables, parameters, dict.fromkeys(known, KEYS))
            self.assertLessEqual(size, ENVIRONMENT_BYTES, name)

    def test_the_policies_of_a_role_fit(self):
        for template in self.both():
            for name, role in of_type(template, "AWS::IAM::Role").items():
                inline = sum(length(policy["PolicyDocument"]) for policy in role.get("Policies", []))
                self.assertLessEqual(inline, INLINE_POLICY_CHARACTERS, name)
                self.assertLessEqual(length(role["AssumeRolePolicyDocument"]), TRUST_POLICY_CHARACTERS, name)
                self.assertLessEqual(len(role.get("ManagedPolicyArns", [])), POLICIES_OF_A_ROLE, name)
            for name, policy in of_type(template, "AWS::IAM::ManagedPolicy").items():
                self.assertLessEqual(length(policy["PolicyDocument"]), MANAGED_POLICY_CHARACTERS, name)

    def test_who_may_call_a_function_fits_into_its_policy(self):
        sizes = {}
        for permission in of_type(self.all, "AWS::Lambda::Permission").values():
            function = json.dumps(permission["FunctionName"])
            # A statement of such a policy has some 400 characters around what is known here.
            sizes[function] = sizes.get(function, 0) + len(json.dumps(permission)) + 400
        self.assertLessEqual(max(sizes.values()), FUNCTION_POLICY_BYTES)

    def test_the_gateway_has_at_most_300_routes(self):
        paths = of_type(self.all, "AWS::ApiGatewayV2::Api")["ServerlessHttpApi"]["Body"]["paths"]
        self.assertLessEqual(sum(len(methods) for methods in paths.values()), ROUTES)

    def test_logs_and_alarms_fit(self):
        for name, alarm in of_type(self.all, "AWS::CloudWatch::Alarm").items():
            self.assertLessEqual(len(alarm.get("Metrics", [])), METRICS_OF_AN_ALARM, name)
        self.assertLessEqual(len(of_type(self.all, "AWS::Logs::MetricFilter")), FILTERS_OF_A_LOG_GROUP)

    def test_the_secret_fits(self):
        known, members = deploy.known_secrets(self.template), deploy.members_of(self.template)
        stored = deploy.stored_form(dict.fromkeys(known, KEYS), members)
        self.assertLessEqual(len(json.dumps(stored)), SECRET_BYTES)


class Switches(Expanded):
    def test_codedeploy_is_there_only_where_it_is_asked_for_and_for_functions_that_have_many_calls(self):
        kinds = lambda template: {part["Type"] for part in template["Resources"].values()}
        self.assertFalse([kind for kind in kinds(self.plain) if "CodeDeploy" in kind])
        self.assertLessEqual(len(self.plain["Resources"]), 260)
        groups = of_type(self.all, "AWS::CodeDeploy::DeploymentGroup")
        self.assertEqual({name.removesuffix("DeploymentGroup") for name in groups}, {
            "ChangeCount", "ChangeStatus", "EnterGroup", "FetchGroupMemberList", "FetchList", "GetPushUrl", "Interface",
            "LiveCallback", "Login", "QuitGroup"})
        alarms = [{"Name": {"Ref": "FailureAlarm"}}, {"Name": {"Ref": "CrashAlarm"}}]
        for name, group in groups.items():
            self.assertEqual(group["AlarmConfiguration"]["Alarms"], alarms, name)

    def test_traces_are_there_only_where_they_are_asked_for(self):
        traced = lambda template: [function.get("TracingConfig") for function in
                                   of_type(template, "AWS::Lambda::Function").values()]
        self.assertEqual(set(map(str, traced(self.plain))), {"None"})
        self.assertNotIn(None, traced(self.all))
        roles = json.dumps(of_type(self.plain, "AWS::IAM::Role"))
        self.assertNotIn("XRay", roles)

    def test_the_table_and_the_environments_are_encrypted_with_a_key_of_ones_own_if_there_is_one(self):
        key = {"Fn::If": ["HasKmsKey", {"Ref": "KmsKeyArn"}, {"Ref": "AWS::NoValue"}]}
        self.assertEqual(of_type(self.plain, "AWS::DynamoDB::Table")["Table"]["SSESpecification"]["KMSMasterKeyId"], key)
        for name, function in of_type(self.plain, "AWS::Lambda::Function").items():
            self.assertEqual(function["KmsKeyArn"], key, name)

    def test_no_table_is_made_beside_one_that_is_there(self):
        table = self.plain["Resources"]["Table"]
        self.assertEqual((table["Condition"], table["DeletionPolicy"]), ("MakesTable", "Retain"))
        self.assertEqual(self.plain["Conditions"]["MakesTable"], {"Fn::Equals": [{"Ref": "ExistingTable"}, ""]})
        # Whatever names the table must do so also when it is not the stack's own.
        named = json.dumps({name: part for name, part in self.plain["Resources"].items() if name != "Table"})
        self.assertNotIn('"Fn::GetAtt": ["Table"', named)
        self.assertEqual(named.count('{"Ref": "Table"}'), named.count('["MakesTable", {"Ref": "Table"}, '))

    def test_an_alarm_sees_what_the_functions_do_not_say_themselves(self):
        alarms = of_type(self.plain, "AWS::CloudWatch::Alarm")
        seen = {(alarm["Namespace"], alarm["MetricName"], json.dumps(alarm.get("Dimensions", [])))
                for alarm in alarms.values() if "Namespace" in alarm and isinstance(alarm["Namespace"], str)}
        of = lambda function: json.dumps([{"Name": "FunctionName", "Value": {"Ref": function}}])
        for metric, function in [("Errors", "Sweep"), ("Errors", "LiveCallback"), ("Url5xxCount", "LiveCallback"),
                                 ("Throttles", "LiveCallback")]:
            self.assertIn(("AWS/Lambda", metric, of(function)), seen)
        filtered = {name: part["MetricTransformations"][0]["MetricName"] for name, part in
                    of_type(self.plain, "AWS::Logs::MetricFilter").items()}
        by_name = {alarm.get("MetricName") for alarm in alarms.values()}
        for name in ["FailureMetric", "CrashMetric", "TurnedAwayMetric", "BadNoticeMetric", "OldestLiveMetric"]:
            self.assertIn(filtered[name], by_name, name)
        throttles = [metric["MetricStat"]["Metric"] for metric in alarms["TableAlarm"]["Metrics"] if "MetricStat" in metric]
        where = {(metric["MetricName"], *(part["Value"] for part in metric["Dimensions"][1:])) for metric in throttles}
        self.assertEqual(where, {(f"{kind}ThrottleEvents", *index) for kind in ("Read", "Write")
                                 for index in [(), ("lists",), ("tasks",)]})

    def test_every_metric_of_the_dashboard_is_one_that_there_is(self):
        body, names = of_type(self.plain, "AWS::CloudWatch::Dashboard")["Dashboard"]["DashboardBody"]["Fn::Sub"]
        known = {part["MetricTransformations"][0]["MetricName"] for part in
                 of_type(self.plain, "AWS::Logs::MetricFilter").values()}
        references = set(re.findall(r"\$\{([^}]+)\}", body))
        self.assertLessEqual({name for name in references if "::" not in name}, {*self.plain["Resources"], *names})
        for widget in json.loads(body)["widgets"]:
            for metric in widget["properties"].get("metrics", []):
                if metric[0] == "${AWS::StackName}":
                    self.assertIn(metric[1], known)

    def test_logs_stay_when_the_stack_goes(self):
        for name, part in self.plain["Resources"].items():
            if part["Type"] == "AWS::Logs::LogGroup":
                self.assertEqual(part["DeletionPolicy"], "RetainExceptOnCreate", name)

    def test_the_access_log_says_why_an_integration_failed(self):
        stage = of_type(self.plain, "AWS::ApiGatewayV2::Stage")["ServerlessHttpApiApiGatewayDefaultStage"]
        line = stage["AccessLogSettings"]["Format"]
        for variable in ["error", "integrationStatus", "latency", "requestId"]:
            self.assertIn(f"$context.integration.{variable}", line)
        # It must be JSON, whatever the numbers are, or no filter finds the 429.
        json.loads(re.sub(r"\$context\.[A-Za-z.]+", "1", line))


if __name__ == "__main__":
    unittest.main()
