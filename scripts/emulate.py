"""The code of scripts/emulate: deploys to MiniStack, an emulator of AWS on this machine.

MiniStack runs the packaged functions behind an HTTP API and a function URL, on a table, with a process for each call.
`emulated` replaces what MiniStack lacks. Everything else is the same as in a deployment to AWS.
"""

import getpass
import json
import os
import pathlib
import platform
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

import boto3
from samtranslator.yaml_helper import yaml_parse

import deploy
import expand

HOST = "127.0.0.1"
# The key with which tests/it/deploy/phone.rs signs notices and uploads.
KEY = "a-key-for-tests-only"
# The answers to the questions of scripts/deploy --guided.
ANSWERS = {
    "Stack": "mini-lvb", "Region": "us-east-1", "ActionAuth": "open", "BizId": "8888", "LiveAppId": "1250000000",
    "CosAppId": "1250000000", "CosBucket": "covers", "CosSecretId": "AKIDtest", "CloudApiSecretId": "AKIDtest",
    "ImSdkAppId": "1400000000", "PUSH_KEY": KEY, "API_KEY": KEY, "COS_SECRET_KEY": KEY, "CLOUD_API_SECRET_KEY": KEY,
    "IM_SECRET_KEY": KEY,
}
# The file before the questions. No address is called.
FILE = 'ApiUrl = "http://127.0.0.1:9/common_access"\nCloudApiUrl = "none"\n'
SERVICES = "apigateway,cloudformation,cloudwatch,dynamodb,iam,lambda,logs,s3,scheduler,secretsmanager,sns,sts"
# The types of resources that MiniStack lacks.
UNKNOWN = {"AWS::Logs::MetricFilter", "AWS::ApiGatewayV2::ApiMapping", "AWS::ApiGatewayV2::DomainName",
           "AWS::CloudWatch::Dashboard"}


def emulated(gateway):
    """Replaces in the packaged template what MiniStack lacks."""

    def prepare(packaged, parameters):
        # MiniStack expands templates without their parameters, and SAM needs one of them.
        template = expand.expand(yaml_parse(packaged.read_text()), parameters["Release"])
        resources = template["Resources"]
        for name, resource in list(resources.items()):
            # MiniStack has only alarms of one metric.
            if resource["Type"] in UNKNOWN or "Metrics" in resource.get("Properties", {}):
                del resources[name]
            # MiniStack creates a changed function again without its aliases. So the aliases must change, too.
            if resource["Type"] == "AWS::Lambda::Alias":
                resource["Properties"]["Description"] = {"Ref": "Release"}
        routes(template)
        # MiniStack has no dynamic references.
        values = json.loads(boto3.client("secretsmanager").get_secret_value(
            SecretId=parameters["Secrets"], VersionId=parameters["SecretsVersion"])["SecretString"])
        for function in resources.values():
            variables = function.get("Properties", {}).get("Environment", {}).get("Variables", {})
            for name, value in variables.items():
                if "{{resolve:" in str(value):
                    # {"Fn::Sub": "{{resolve:secretsmanager:${Secrets}:SecretString:<member>::${SecretsVersion}}}"}
                    variables[name] = values[re.search(r"SecretString:(\w+)::", str(value))[1]]
        # The addresses of MiniStack have another form.
        api = f"{gateway}/_aws/execute-api/${{ServerlessHttpApi}}"
        url = {"Fn::GetAtt": ["LiveCallbackUrl", "FunctionUrl"]}
        host = {"Fn::Select": [1, {"Fn::Split": ["//", url]}]}
        first = {"Fn::Select": [0, {"Fn::Split": [".", host]}]}
        outputs = template["Outputs"]
        outputs["Base"]["Value"] = {"Fn::Sub": api}
        outputs["Interface"]["Value"] = {"Fn::Sub": api + "/interface.php"}
        outputs["Callback"]["Value"] = {"Fn::Join": ["", [gateway + "/_aws/lambda-url/", first, "/"]]}
        del outputs["DomainTarget"], outputs["Dashboard"]
        packaged.write_text(json.dumps(template))

    return prepare


def routes(template):
    """Adds the routes of the API as resources, since MiniStack does not read them from the body of the API."""
    resources = template["Resources"]
    paths = resources["ServerlessHttpApi"]["Properties"].pop("Body")["paths"]
    resources["ServerlessHttpApi"]["Properties"] |= {"Name": "mini-lvb", "ProtocolType": "HTTP"}
    api = {"Ref": "ServerlessHttpApi"}
    for number, (path, method, operation) in enumerate(
            (path, method, operation) for path, methods in paths.items() for method, operation in methods.items()):
        integration = operation["x-amazon-apigateway-integration"]
        resources[f"Integration{number}"] = {"Type": "AWS::ApiGatewayV2::Integration", "Properties": {
            "ApiId": api, "IntegrationType": "AWS_PROXY", "IntegrationUri": integration["uri"],
            "PayloadFormatVersion": integration["payloadFormatVersion"]}}
        resources[f"Route{number}"] = {"Type": "AWS::ApiGatewayV2::Route", "Properties": {
            "ApiId": api, "RouteKey": f"{method.upper()} {path}",
            "Target": {"Fn::Join": ["/", ["integrations", {"Ref": f"Integration{number}"}]]}}}


class MiniStack:
    """The process of MiniStack, at a free port of this machine, until the end of the block."""

    def __init__(self, folder):
        with socket.socket() as free:
            free.bind((HOST, 0))
            port = free.getsockname()[1]
        self.url, self.log = f"http://{HOST}:{port}", pathlib.Path(folder, "ministack.log")
        # Without the credentials of a real account.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        credentials = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1",
                       "AWS_DEFAULT_REGION": "us-east-1", "AWS_ENDPOINT_URL": self.url}
        os.environ.clear()
        os.environ.update(environment | credentials | {"TMPDIR": folder})
        settings = {"SERVICES": SERVICES, "BIND_HOST": HOST, "GATEWAY_PORT": str(port), "IOT_MTLS_ENABLED": "0",
                    "SFTP_ENABLED": "0"}
        with self.log.open("w") as log:
            self.process = subprocess.Popen(["ministack"], env={**os.environ, **settings}, stdout=log, stderr=log,
                                            start_new_session=True)

    def __enter__(self):
        for _ in range(120):
            try:
                urllib.request.urlopen(f"{self.url}/_ministack/health", timeout=1).close()
                return self
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.5)
        self.__exit__()
        sys.exit("MiniStack does not start: " + self.log.read_text()[-2000:])

    def __exit__(self, *_):
        # The group includes the functions that MiniStack has started.
        try:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def packaged_once(sam):
    """Runs SAM, but packages the functions only once. They do not change, and compressing them takes most of the time of a
    deployment."""
    packaged = {}

    def run(command, *words):
        if command != "package":
            return sam(command, *words)
        file = pathlib.Path(words[words.index("--output-template-file") + 1])
        if words not in packaged:
            sam(command, *words)
            packaged[words] = file.read_text()
        file.write_text(packaged[words])

    return run


def deployed(gateway, *words):
    """Deploys and tests as scripts/deploy does. Ends the program if that fails."""
    status = deploy.main(list(words), emulated(gateway))
    if status:
        sys.exit(status)


def answering(prompt):
    """Answers a question of scripts/deploy. The first answers to some questions are wrong, to test the checks."""
    name = re.match(r"\s*(\w+)", prompt)[1]
    answer = ANSWERS.get(name, "")
    is_new, answering.asked = name not in answering.asked, answering.asked | {name}
    if is_new:
        answer = {"ActionAuth": "opne", "LiveAppId": "my account", "PUSH_KEY": "short"}.get(name, answer)
    print(prompt + (answer if name[:2].istitle() else "*" * len(answer)))
    return answer


answering.asked = set()


def play(name, **environment):
    """Runs the tests of tests/it with this name, which need these variables."""
    words = ["cargo", "test", "--quiet", "--workspace", "--test", "it", "--", "--include-ignored", name]
    if subprocess.run(words, cwd=deploy.ROOT, env={**os.environ, **environment}).returncode:
        sys.exit(1)


def main():
    machine = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
    if deploy.binaries(deploy.read_template())[0] != machine:
        sys.exit(f"MiniStack runs the functions on this machine: scripts/build --arch {machine}")
    if "--stay" not in sys.argv:
        # These tests check the logs of the functions, which MiniStack discards.
        play("runtime::", BINARIES=str(deploy.ROOT / "target/lambda"))
    with tempfile.TemporaryDirectory(prefix="mini-lvb-") as folder, MiniStack(folder) as ministack:
        file = pathlib.Path(folder, "deploy.toml")
        file.write_text(FILE)
        began = time.time()
        deploy.read, getpass.getpass = answering, answering
        deploy.sam = packaged_once(deploy.sam)
        # MiniStack has no protection of stacks.
        deploy.protect = lambda *_: None
        deployed(ministack.url, "--guided", "--file", str(file))
        print(f"deployed in {time.time() - began:.0f} s")
        session = boto3.Session()
        outputs, keys = deploy.outputs_of(session, "mini-lvb"), deploy.Keys(session, "mini-lvb").values
        if "--stay" in sys.argv:
            print(f"""
Running until interrupted. The live cloud signs its notices with {KEY} and sends them to
{deploy.callback_url(outputs, keys)}
Use the AWS command line with AWS_ENDPOINT_URL={ministack.url} and any credentials.""", flush=True)
            signal.pause()
        play("before_a_deployed_stack", BASE_URL=outputs["Base"], CALLBACK_URL=deploy.callback_url(outputs, keys))
        # Change a key without an interruption: notices with the old and the new key are accepted.
        os.environ["CALLBACK_KEY_NEXT"] = "another-key-for-tests"
        deployed(ministack.url, "--secrets", "CALLBACK_KEY_NEXT", "--file", str(file))
        deployed(ministack.url, "--exchange", "CALLBACK_KEY", "--file", str(file))


if __name__ == "__main__":
    # However the program ends, MiniStack ends with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(1)
