//! What `template.yaml` deploys, by what it expands to: every function, route, permission and setting of the table of
//! commands, and none besides.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, OnceLock},
};

use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn},
    orchestrator::HttpRequest,
};
use cli::engine::{self, Engine};
use serde_json::{Value, json};
use shared::{
    config::SETTINGS,
    table::{Table, keys},
    types::Secret,
};

use crate::{
    agreement::{binaries, read},
    policy::{OPERATIONS, Policy, operation},
};

/// Parameters that are no setting of the server.
const OF_THE_DEPLOYMENT: [&str; 18] = [
    "AlarmEmail",
    "Architecture",
    "CallbackConcurrency",
    "CertificateArn",
    "CorsOrigins",
    "Deployment",
    "DomainName",
    "FunctionMemory",
    "HostedZoneId",
    "LogDays",
    "LoginsPerSecond",
    "OldLiveSeconds",
    "PasswordMemory",
    "Release",
    "RequestsPerSecond",
    "Secrets",
    "SecretsVersion",
    "SlowMilliseconds",
];
/// What every function has, by what its name ends in.
const OF_EVERY_FUNCTION: [(&str, &str); 5] = [
    ("", "AWS::Lambda::Function"),
    ("Aliaslive", "AWS::Lambda::Alias"),
    ("DeploymentGroup", "AWS::CodeDeploy::DeploymentGroup"),
    ("Role", "AWS::IAM::Role"),
    ("Version0000000000", "AWS::Lambda::Version"),
];
/// What there is besides the functions and their routes.
const OTHERS: [(&str, &str); 30] = [
    ("AccessLogs", "AWS::Logs::LogGroup"),
    ("AlarmSubscription", "AWS::SNS::Subscription"),
    ("Alarms", "AWS::SNS::Topic"),
    ("BadNoticeAlarm", "AWS::CloudWatch::Alarm"),
    ("BadNoticeMetric", "AWS::Logs::MetricFilter"),
    ("Boundary", "AWS::IAM::ManagedPolicy"),
    ("CallbackAlarm", "AWS::CloudWatch::Alarm"),
    ("CodeDeployServiceRole", "AWS::IAM::Role"),
    ("Domain", "AWS::ApiGatewayV2::DomainName"),
    ("DomainMapping", "AWS::ApiGatewayV2::ApiMapping"),
    ("DomainRecord", "AWS::Route53::RecordSet"),
    ("FailureAlarm", "AWS::CloudWatch::Alarm"),
    ("FailureMetric", "AWS::Logs::MetricFilter"),
    ("GatewayAlarm", "AWS::CloudWatch::Alarm"),
    ("LiveCallbackUrl", "AWS::Lambda::Url"),
    ("LiveCallbackURLInvokeAllowPublicAccess", "AWS::Lambda::Permission"),
    ("LiveCallbackUrlPublicPermissions", "AWS::Lambda::Permission"),
    ("Logs", "AWS::Logs::LogGroup"),
    ("OldestLiveAlarm", "AWS::CloudWatch::Alarm"),
    ("OldestLiveMetric", "AWS::Logs::MetricFilter"),
    ("ServerlessDeploymentApplication", "AWS::CodeDeploy::Application"),
    ("ServerlessHttpApi", "AWS::ApiGatewayV2::Api"),
    ("ServerlessHttpApiApiGatewayDefaultStage", "AWS::ApiGatewayV2::Stage"),
    ("SlowAlarm", "AWS::CloudWatch::Alarm"),
    ("SweepAlarm", "AWS::CloudWatch::Alarm"),
    ("SweepEventInvokeConfig", "AWS::Lambda::EventInvokeConfig"),
    ("SweepMinute", "AWS::Scheduler::Schedule"),
    ("SweepMinuteRole", "AWS::IAM::Role"),
    ("Table", "AWS::DynamoDB::Table"),
    ("TableAlarm", "AWS::CloudWatch::Alarm"),
];

/// What the template expands to.
fn expanded() -> &'static Value {
    static EXPANDED: OnceLock<Value> = OnceLock::new();
    EXPANDED.get_or_init(|| serde_json::from_str(&read("tests/template/expanded.json")).unwrap())
}

fn resources() -> impl Iterator<Item = (&'static String, &'static Value)> {
    expanded()["Resources"].as_object().unwrap().iter()
}

/// The properties of the resources of a type, by their names.
fn all(kind: &str) -> BTreeMap<&'static str, &'static Value> {
    let of_kind = resources().filter(|(_, resource)| resource["Type"] == kind);
    of_kind.map(|(name, resource)| (name.as_str(), &resource["Properties"])).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

/// The names of the functions, by those of their binaries.
pub(crate) fn functions() -> &'static BTreeMap<String, &'static str> {
    static FUNCTIONS: OnceLock<BTreeMap<String, &'static str>> = OnceLock::new();
    FUNCTIONS.get_or_init(|| {
        let functions = all("AWS::Lambda::Function").into_iter();
        let folder = |function: &Value| text(&function["Code"]["S3Key"]).to_owned();
        let named = functions.map(|(name, function)| {
            let binary = folder(function).trim_start_matches("target/lambda/").trim_end_matches('/').to_owned();
            (binary, name)
        });
        named.collect()
    })
}

/// What a function may do to the table: all that its role allows, but for what every function may.
pub(crate) fn policy(function: &str) -> &'static Value {
    let name = functions()[function];
    let function = all("AWS::Lambda::Function")[name];
    assert_eq!(function["Role"], json!({"Fn::GetAtt": [format!("{name}Role"), "Arn"]}));
    let role = all("AWS::IAM::Role")[format!("{name}Role").as_str()];
    // SAM adds these for logs and traces; the boundary holds them to ours.
    let of_aws = ["service-role/AWSLambdaBasicExecutionRole", "AWSXrayWriteOnlyAccess"];
    let of_aws = of_aws.map(|policy| format!("arn:aws:iam::aws:policy/{policy}"));
    assert_eq!(role["ManagedPolicyArns"], json!(of_aws), "{name}");
    assert_eq!(role["PermissionsBoundary"], json!({"Ref": "Boundary"}), "{name}");
    let policies = role["Policies"].as_array().unwrap();
    assert_eq!(policies.len(), 1, "{name}");
    &policies[0]["PolicyDocument"]
}

/// What is called when a function is: the version of it that is in force.
fn alias(function: &str) -> String {
    format!("{function}Aliaslive")
}

/// The function of an alias.
fn of_alias(alias: &'static Value) -> &'static str {
    text(&alias["Ref"]).strip_suffix("Aliaslive").unwrap()
}

/// Whether `name` is `push_url` as the template spells it, `PushUrl`.
fn is_named(name: &str, binary: &str) -> bool {
    binary.replace('_', "") == name.to_ascii_lowercase()
}

#[test]
fn every_binary_is_a_function_and_every_function_a_binary() {
    assert_eq!(functions().keys().cloned().collect::<BTreeSet<_>>(), binaries());
    for (binary, name) in functions() {
        assert!(is_named(name, binary), "{name} is {binary}");
        let function = all("AWS::Lambda::Function")[name];
        assert_eq!((&function["Handler"], &function["Runtime"]), (&json!("bootstrap"), &json!("provided.al2023")));
        let may_assume = &all("AWS::IAM::Role")[format!("{name}Role").as_str()]["AssumeRolePolicyDocument"];
        let lambda = json!([{
            "Action": ["sts:AssumeRole"], "Effect": "Allow", "Principal": {"Service": ["lambda.amazonaws.com"]},
        }]);
        assert_eq!(may_assume["Statement"], lambda, "{name}");
    }
}

/// The routes of the table of commands: method, path and function.
fn routes() -> BTreeSet<(String, String, &'static str)> {
    let mut routes = BTreeSet::new();
    for (binary, name) in functions() {
        let route = |method: &str, path: &str| (method.to_owned(), path.to_owned(), *name);
        match binary.as_str() {
            "live_callback" | "sweep" => {}
            "interface" => {
                let pages = ["/interface.php", "/index.php", "/"];
                routes.extend(pages.iter().flat_map(|page| [route("GET", page), route("POST", page)]));
            }
            command => drop(routes.insert(route("POST", &format!("/{command}")))),
        }
    }
    routes
}

#[test]
fn every_command_has_a_route_and_every_route_a_command() {
    let paths = all("AWS::ApiGatewayV2::Api")["ServerlessHttpApi"]["Body"]["paths"].as_object().unwrap();
    let mut deployed = BTreeSet::new();
    for (path, methods) in paths {
        for (method, route) in methods.as_object().unwrap() {
            let integration = &route["x-amazon-apigateway-integration"];
            assert_eq!(integration["payloadFormatVersion"], "2.0");
            let function = text(&integration["uri"]["Fn::Sub"]).split("/functions/${").nth(1).unwrap();
            let function = function.strip_suffix("Aliaslive}/invocations").unwrap();
            deployed.insert((method.to_uppercase(), path.clone(), function));
        }
    }
    assert_eq!(deployed, routes());
}

#[test]
fn a_function_may_be_called_by_its_route_and_by_nobody_else() {
    let (mut by_route, mut otherwise) = (BTreeSet::new(), BTreeMap::new());
    for (name, permission) in all("AWS::Lambda::Permission") {
        let function = of_alias(&permission["FunctionName"]);
        if permission["Principal"] == "apigateway.amazonaws.com" {
            assert_eq!(permission["Action"], "lambda:InvokeFunction", "{name}");
            let source = text(&permission["SourceArn"]["Fn::Sub"][0]);
            let (method, path) = source.split("${__ApiId__}/${__Stage__}/").nth(1).unwrap().split_once('/').unwrap();
            by_route.insert((method.to_owned(), format!("/{path}"), function));
        } else {
            otherwise.insert(text(&permission["Action"]), (function, permission));
        }
    }
    assert_eq!(by_route, routes());
    // Anybody may send a notice, to its address only; the signature says whether it is the cloud's.
    let of_callback = |action: &str| match otherwise[action] {
        ("LiveCallback", permission) => permission,
        (other, _) => panic!("{other} is public"),
    };
    assert_eq!(otherwise.len(), 2);
    assert_eq!(of_callback("lambda:InvokeFunctionUrl")["FunctionUrlAuthType"], "NONE");
    assert_eq!(of_callback("lambda:InvokeFunction")["InvokedViaFunctionUrl"], true);
    let urls: Vec<_> = all("AWS::Lambda::Url").into_values().collect();
    assert_eq!(urls, [&json!({"AuthType": "NONE", "TargetFunctionArn": {"Ref": alias("LiveCallback")}})]);
    // And every minute the clock calls the sweep.
    let schedules = all("AWS::Scheduler::Schedule");
    let clock: Vec<_> = schedules.values().map(|s| (text(&s["ScheduleExpression"]), &s["Target"]["Arn"])).collect();
    let sweep = json!({"Ref": alias("Sweep")});
    assert_eq!(clock, [("rate(1 minute)", &sweep)]);
    let clocks = &all("AWS::IAM::Role")["SweepMinuteRole"]["Policies"][0]["PolicyDocument"]["Statement"];
    assert_eq!(*clocks, json!([{"Action": "lambda:InvokeFunction", "Effect": "Allow", "Resource": sweep}]));
}

/// `PUSH_URL_SECONDS` as the template's parameter spells it.
fn parameter(setting: &str) -> String {
    let capital = |word: &str| word[..1].to_owned() + &word[1..].to_ascii_lowercase();
    let name: String = setting.split('_').map(capital).collect();
    name.replace("Bizid", "BizId").replace("Appid", "AppId")
}

/// Whether a setting is a secret.
pub(crate) fn is_secret(setting: &str) -> bool {
    setting.split('_').any(|word| word == "KEY")
}

/// What a function is given of the secrets. The binaries run with these and no others in `runtime.rs`.
pub(crate) fn secrets(function: &str) -> BTreeSet<&'static str> {
    let variables = &all("AWS::Lambda::Function")[functions()[function]]["Environment"]["Variables"];
    let secrets = SETTINGS.iter().map(|setting| setting.name).filter(|name| is_secret(name));
    secrets.filter(|name| variables[name] != Secret::WITHHELD).collect()
}

#[test]
fn every_setting_reaches_every_function_but_secrets_which_only_some_have() {
    let value = |function: &str, name: &str| match name {
        "TABLE_NAME" => json!({"Ref": "Table"}),
        name if is_secret(name) && !secrets(function).contains(name) => json!(Secret::WITHHELD),
        name if is_secret(name) => {
            json!({"Fn::Sub": format!("{{{{resolve:secretsmanager:${{Secrets}}:SecretString:{name}::${{SecretsVersion}}}}}}")})
        }
        name => json!({"Ref": parameter(name)}),
    };
    for (binary, name) in functions() {
        let value = |name: &str| (name.to_owned(), value(binary, name));
        let expected: Value = SETTINGS.iter().map(|setting| value(setting.name)).collect();
        assert_eq!(all("AWS::Lambda::Function")[name]["Environment"]["Variables"], expected, "{name}");
    }
}

#[test]
fn every_setting_is_a_parameter_but_secrets_which_are_written_nowhere() {
    let parameters = expanded()["Parameters"].as_object().unwrap();
    let settings = SETTINGS.iter().filter(|setting| setting.name != "TABLE_NAME" && !is_secret(setting.name));
    let expected = settings.clone().map(|setting| parameter(setting.name));
    let expected: BTreeSet<_> = expected.chain(OF_THE_DEPLOYMENT.map(str::to_owned)).collect();
    assert_eq!(parameters.keys().cloned().collect::<BTreeSet<_>>(), expected);
    for setting in settings {
        let parameter = &parameters[&parameter(setting.name)];
        let default = parameter.get("Default").map(|value| value.as_str().map_or(value.to_string(), str::to_owned));
        assert_eq!(default.as_deref(), setting.default, "{}", setting.name);
    }
}

#[test]
fn every_secret_says_where_it_stands_in_the_settings_and_in_the_template() {
    let template = read("template.yaml");
    for setting in SETTINGS.iter().filter(|setting| is_secret(setting.name)) {
        let is_said = setting.help.contains("onsole, ") || setting.help.contains("in no console: ");
        let is_its_neighbours = setting.help.contains("where CALLBACK_KEY stands");
        assert!(is_said || is_its_neighbours, "{}: {}", setting.name, setting.help);
        assert!(template.contains(&format!("\n  #   {}: {}\n", setting.name, setting.help)), "{}", setting.name);
    }
}

/// What SAM adds to the roles of functions is for all log groups; a role may do what both it and the boundary allow.
#[test]
fn the_boundary_is_the_table_our_log_and_traces() {
    let boundary = &all("AWS::IAM::ManagedPolicy")["Boundary"]["PolicyDocument"]["Statement"];
    let [table, logs, traces] = &boundary.as_array().unwrap()[..] else { panic!("{boundary}") };
    let mut operations: Vec<_> = table["Action"].as_array().unwrap().iter().map(text).collect();
    operations.sort_unstable();
    assert_eq!(operations, OPERATIONS.map(|operation| format!("dynamodb:{operation}")));
    let index = |index: &str| json!({"Fn::Sub": format!("${{Table.Arn}}/index/{index}")});
    let arn = |name: &str| json!({"Fn::GetAtt": [name, "Arn"]});
    assert_eq!(table["Resource"], json!([arn("Table"), index(keys::LISTS), index(keys::WORKS)]));
    assert_eq!(logs["Resource"], arn("Logs"));
    assert_eq!(traces["Action"], json!(["xray:PutTraceSegments", "xray:PutTelemetryRecords"]));
}

#[tokio::test]
async fn the_table_is_the_one_that_the_code_makes() {
    #[derive(Debug, Clone)]
    struct Noting(Engine, Arc<Mutex<BTreeMap<String, Value>>>);
    impl HttpConnector for Noting {
        fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
            let body = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
            self.1.lock().unwrap().insert(operation(&request).to_owned(), body);
            self.0.call(request)
        }
    }
    let asked = Arc::default();
    let connector = SharedHttpConnector::new(Noting(Engine::in_memory().unwrap(), Arc::clone(&asked)));
    let client = engine::client(http_client_fn(move |_, _| connector.clone()));
    Table::new(client, "made").create_if_missing().await.unwrap();
    let made = asked.lock().unwrap();
    let deployed = all("AWS::DynamoDB::Table")["Table"];
    for part in ["BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes"] {
        assert_eq!(deployed[part], made["CreateTable"][part], "{part}");
    }
    assert_eq!(deployed["TimeToLiveSpecification"], made["UpdateTimeToLive"]["TimeToLiveSpecification"]);
}

#[test]
fn nothing_is_deployed_that_nobody_knows() {
    let deployed: BTreeSet<_> = resources().map(|(name, part)| (name.clone(), text(&part["Type"]))).collect();
    let of_functions = functions()
        .values()
        .flat_map(|function| OF_EVERY_FUNCTION.map(|(ending, kind)| (format!("{function}{ending}"), kind)));
    // The name of a route's permission has that of the event in it, which says nothing.
    let of_routes = deployed.iter().filter(|(name, kind)| {
        let is_permission = *kind == "AWS::Lambda::Permission" && name.ends_with("Permission");
        is_permission && functions().values().any(|function| name.starts_with(function))
    });
    let others = OTHERS.map(|(name, kind)| (name.to_owned(), kind));
    let expected: BTreeSet<_> = of_functions.chain(of_routes.cloned()).chain(others).collect();
    assert_eq!(deployed, expected);
}

/// Reading them is the test: they may say nothing but what is known, and grant no other operations.
#[test]
fn every_function_has_a_policy_of_the_known_kind() {
    for function in functions().keys() {
        assert!(!Policy::of(function).grants().is_empty(), "{function}");
    }
}
