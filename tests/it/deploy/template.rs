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
use serde_json::{Value, json};

use crate::{
    deploy::agreement::{binaries, read},
    support::{
        harness::setting,
        policy::{OPERATIONS, Policy, operation},
    },
};
use app::config::{Config, SECRETS, SETTINGS};
use cli::engine::Engine;
use store::{Table, keys};

/// Parameters that are no setting of the server.
const OF_THE_DEPLOYMENT: [&str; 21] = [
    "AlarmEmail",
    "Architecture",
    "CallbackConcurrency",
    "CertificateArn",
    "CorsOrigins",
    "Deployment",
    "DomainName",
    "ExistingTable",
    "FunctionMemory",
    "HostedZoneId",
    "KmsKeyArn",
    "LogDays",
    "LoginsPerSecond",
    "OldLiveSeconds",
    "PasswordMemory",
    "Release",
    "RequestsPerSecond",
    "Secrets",
    "SecretsVersion",
    "SlowMilliseconds",
    "Tracing",
];
/// What every function has, by what its name ends in.
const OF_EVERY_FUNCTION: [(&str, &str); 4] = [
    ("", "AWS::Lambda::Function"),
    ("Aliaslive", "AWS::Lambda::Alias"),
    ("Role", "AWS::IAM::Role"),
    ("Version0000000000", "AWS::Lambda::Version"),
];
/// What there is besides the functions and their routes.
const OTHERS: [(&str, &str); 37] = [
    ("AccessLogs", "AWS::Logs::LogGroup"),
    ("AlarmSubscription", "AWS::SNS::Subscription"),
    ("Alarms", "AWS::SNS::Topic"),
    ("BadNoticeAlarm", "AWS::CloudWatch::Alarm"),
    ("BadNoticeMetric", "AWS::Logs::MetricFilter"),
    ("Boundary", "AWS::IAM::ManagedPolicy"),
    ("CallbackAlarm", "AWS::CloudWatch::Alarm"),
    ("CallbackAnswerAlarm", "AWS::CloudWatch::Alarm"),
    ("CallbackErrorAlarm", "AWS::CloudWatch::Alarm"),
    ("CrashAlarm", "AWS::CloudWatch::Alarm"),
    ("CrashMetric", "AWS::Logs::MetricFilter"),
    ("Dashboard", "AWS::CloudWatch::Dashboard"),
    ("Domain", "AWS::ApiGatewayV2::DomainName"),
    ("DomainMapping", "AWS::ApiGatewayV2::ApiMapping"),
    ("DomainRecord", "AWS::Route53::RecordSet"),
    ("FailureAlarm", "AWS::CloudWatch::Alarm"),
    ("FailureMetric", "AWS::Logs::MetricFilter"),
    ("GatewayAlarm", "AWS::CloudWatch::Alarm"),
    ("LiveCallbackUrl", "AWS::Lambda::Url"),
    ("LiveCallbackURLInvokeAllowPublicAccess", "AWS::Lambda::Permission"),
    ("LiveCallbackUrlPublicPermissions", "AWS::Lambda::Permission"),
    ("LivesMetric", "AWS::Logs::MetricFilter"),
    ("Logs", "AWS::Logs::LogGroup"),
    ("OldestLiveAlarm", "AWS::CloudWatch::Alarm"),
    ("OldestLiveMetric", "AWS::Logs::MetricFilter"),
    ("ServerlessHttpApi", "AWS::ApiGatewayV2::Api"),
    ("ServerlessHttpApiApiGatewayDefaultStage", "AWS::ApiGatewayV2::Stage"),
    ("SlowAlarm", "AWS::CloudWatch::Alarm"),
    ("SweepAlarm", "AWS::CloudWatch::Alarm"),
    ("SweepErrorAlarm", "AWS::CloudWatch::Alarm"),
    ("SweepEventInvokeConfig", "AWS::Lambda::EventInvokeConfig"),
    ("SweepMinute", "AWS::Scheduler::Schedule"),
    ("SweepMinuteRole", "AWS::IAM::Role"),
    ("Table", "AWS::DynamoDB::Table"),
    ("TableAlarm", "AWS::CloudWatch::Alarm"),
    ("TurnedAwayAlarm", "AWS::CloudWatch::Alarm"),
    ("TurnedAwayMetric", "AWS::Logs::MetricFilter"),
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
    // SAM adds this for logs; the boundary holds it to ours.
    let of_aws = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole";
    assert_eq!(role["ManagedPolicyArns"], json!([of_aws]), "{name}");
    assert_eq!(role["PermissionsBoundary"], json!({"Ref": "Boundary"}), "{name}");
    let policies = role["Policies"].as_array().unwrap();
    assert_eq!(policies.len(), 1, "{name}");
    &policies[0]["PolicyDocument"]
}

/// The name of the table: that of the stack's own, or of one that was there.
fn table_name() -> Value {
    json!({"Fn::If": ["MakesTable", {"Ref": "Table"}, {"Ref": "ExistingTable"}]})
}

/// How policies name the table, or an index of it.
pub(crate) fn arn_of_table(index: Option<&str>) -> Value {
    let index = index.map(|index| format!("/index/{index}")).unwrap_or_default();
    let arn = format!("arn:${{AWS::Partition}}:dynamodb:${{AWS::Region}}:${{AWS::AccountId}}:table/${{Name}}{index}");
    json!({"Fn::Sub": [arn, {"Name": table_name()}]})
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

/// What a function is given of the secrets. The binaries run with these and no others in `runtime.rs`.
pub(crate) fn secrets(function: &str) -> BTreeSet<&'static str> {
    let variables = &all("AWS::Lambda::Function")[functions()[function]]["Environment"]["Variables"];
    let secrets = &variables[SECRETS];
    if *secrets == "{}" {
        return BTreeSet::new();
    }
    let member = text(&secrets["Fn::Sub"])
        .strip_prefix("{{resolve:secretsmanager:${Secrets}:SecretString:SECRETS__")
        .and_then(|rest| rest.strip_suffix("::${SecretsVersion}}}"))
        .unwrap_or_else(|| panic!("{function}: {secrets}"));
    let known = |name| SETTINGS.iter().any(|setting| setting.name == name && setting.is_secret());
    member.split("__").inspect(|name| assert!(known(*name), "{function}: {name} is no secret")).collect()
}

#[test]
fn every_setting_reaches_every_function_but_secrets_which_only_some_have() {
    let value = |name: &str| if name == "TABLE_NAME" { table_name() } else { json!({"Ref": parameter(name)}) };
    let settings = SETTINGS.iter().filter(|setting| !setting.is_secret());
    let expected: BTreeMap<_, _> = settings.map(|setting| (setting.name.to_owned(), value(setting.name))).collect();
    for (binary, name) in functions() {
        let variables = all("AWS::Lambda::Function")[name]["Environment"]["Variables"].as_object().unwrap();
        let but_secrets = variables.iter().filter(|(name, _)| *name != SECRETS);
        let deployed: BTreeMap<_, _> = but_secrets.map(|(name, value)| (name.clone(), value.clone())).collect();
        assert_eq!(deployed, expected, "{name}");
        // Which ones they must be is for `secrets.rs` to say.
        assert!(variables.contains_key(SECRETS) && secrets(binary).len() < SETTINGS.len(), "{name}");
    }
}

#[test]
fn every_setting_is_a_parameter_but_secrets_which_are_written_nowhere() {
    let parameters = expanded()["Parameters"].as_object().unwrap();
    let settings = SETTINGS.iter().filter(|setting| setting.name != "TABLE_NAME" && !setting.is_secret());
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
    for setting in SETTINGS.iter().filter(|setting| setting.is_secret()) {
        let is_said = setting.help.contains("onsole, ") || setting.help.contains("in no console: ");
        assert!(is_said, "{}: {}", setting.name, setting.help);
        assert!(template.contains(&format!("\n  #   {}: {}\n", setting.name, setting.help)), "{}", setting.name);
    }
}

/// What SAM adds to the roles of functions is for all log groups; a role may do what both it and the boundary allow.
#[test]
fn the_boundary_is_the_table_our_log_and_traces() {
    let boundary = &all("AWS::IAM::ManagedPolicy")["Boundary"]["PolicyDocument"]["Statement"];
    let [table, logs, traces, key] = &boundary.as_array().unwrap()[..] else { panic!("{boundary}") };
    let mut operations: Vec<_> = table["Action"].as_array().unwrap().iter().map(text).collect();
    operations.sort_unstable();
    assert_eq!(operations, OPERATIONS.map(|operation| format!("dynamodb:{operation}")));
    assert_eq!(table["Resource"], json!([None, Some(keys::LISTS), Some(keys::TASKS)].map(arn_of_table)));
    assert_eq!(logs["Resource"], json!({"Fn::GetAtt": ["Logs", "Arn"]}));
    // These two only where there are traces, and a key of one's own.
    let only_if = |condition: &str, statement: &'static Value| {
        let [holds, then, otherwise] = &statement["Fn::If"].as_array().unwrap()[..] else { panic!("{statement}") };
        assert_eq!((text(holds), otherwise), (condition, &json!({"Ref": "AWS::NoValue"})));
        then
    };
    assert_eq!(only_if("Traces", traces)["Action"], json!(["xray:PutTraceSegments", "xray:PutTelemetryRecords"]));
    assert_eq!(only_if("HasKmsKey", key)["Resource"], json!({"Ref": "KmsKeyArn"}));
}

/// What the server refuses is refused before it is deployed: by the parameters and rules of the template, which
/// `tests/deploy` holds to the same file, and by those here, which the server is held to.
#[test]
fn the_server_refuses_and_takes_the_settings_that_the_template_does() {
    let cases: Value = serde_json::from_str(&read("tests/template/settings.json")).unwrap();
    for (outcome, is_taken) in [("refused", false), ("taken", true)] {
        for case in cases[outcome].as_array().unwrap() {
            let value = |name: &str| case[name].as_str().or(setting(name)).map(str::to_owned);
            assert_eq!(Config::read(value).is_ok(), is_taken, "{case} is to be {outcome}");
        }
    }
}

#[test]
fn the_server_takes_the_least_and_the_greatest_number_that_the_template_takes() {
    let numbers = SETTINGS.iter().map(|known| (known.name, &expanded()["Parameters"][parameter(known.name)]));
    for (name, parameter) in numbers.filter(|(_, parameter)| parameter["Type"] == "Number") {
        for bound in ["MinValue", "MaxValue"] {
            let number = parameter[bound].as_u64().unwrap_or_else(|| panic!("{name} has no {bound}")).to_string();
            let value = |wanted: &str| match wanted {
                wanted if wanted == name => Some(number.clone()),
                // The one must not be more than the other.
                "SESSION_SECONDS" => Some("1".to_owned()),
                "REFRESH_SECONDS" => Some("157680000".to_owned()),
                _ => setting(wanted).map(str::to_owned),
            };
            Config::read(value).unwrap_or_else(|faults| panic!("{bound} of {name}: {faults}"));
        }
    }
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
    let client = store::connect::in_process(http_client_fn(move |_, _| connector.clone()));
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
