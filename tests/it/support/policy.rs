//! What the policies of the deployment allow, read as AWS reads them: a request is allowed if a statement allows it, and
//! refused otherwise.
//!
//! Only what the policies use is known here. Whatever else one of them says, it is not understood, and no test of it
//! passes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::OnceLock,
};

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use serde_json::Value;

use crate::deploy::template;
use store::keys;

/// The operations of DynamoDB that functions may use. Each names the partitions that it is about, so that a condition on
/// them means something: `ForAllValues` holds if a request names none. And each is there wherever the table can be, which
/// transactions, PartiQL and scans are not (`docs/engines.md`).
pub(crate) const OPERATIONS: [&str; 5] = ["BatchGetItem", "DeleteItem", "GetItem", "Query", "UpdateItem"];

/// What a request asks for, in the words of policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    operation: String,
    index: Option<String>,
    /// The values of `dynamodb:LeadingKeys`.
    keys: BTreeSet<String>,
}

/// One thing that a policy allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Grant {
    operation: &'static str,
    index: Option<&'static str>,
    /// A pattern of partition keys.
    keys: &'static str,
}

/// What a function may do to the table.
#[derive(Debug)]
pub(crate) struct Policy(Vec<Statement>);

#[derive(Debug)]
struct Statement {
    operations: Vec<&'static str>,
    index: Option<&'static str>,
    keys: Vec<&'static str>,
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.keys.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        write!(f, "{} of {}: {keys}", self.operation, resource(self.index.as_deref()))
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}: {}", self.operation, resource(self.index), self.keys)
    }
}

fn resource(index: Option<&str>) -> String {
    index.map_or_else(|| "the table".to_owned(), |index| format!("the index {index}"))
}

/// The operation that a request is for.
pub(crate) fn operation(request: &HttpRequest) -> &str {
    request.headers().get("x-amz-target").unwrap_or_default().rsplit('.').next().unwrap_or_default()
}

impl Asked {
    /// What a request asks for; why not, if that cannot be said.
    pub(crate) fn read(request: &HttpRequest) -> Result<Self, String> {
        let operation = operation(request);
        let body = request.body().bytes().unwrap_or_default();
        let body: Value = serde_json::from_slice(body).map_err(|error| format!("{operation}: {error}"))?;
        Self::of(operation, &body).ok_or_else(|| format!("{operation} is not understood: {body}"))
    }

    fn of(operation: &str, body: &Value) -> Option<Self> {
        let index =
            body.get("IndexName").map(|name| name.as_str().map(str::to_owned)).map_or(Some(None), |i| i.map(Some))?;
        let keys = match operation {
            "GetItem" | "UpdateItem" | "DeleteItem" => BTreeSet::from([partition(&body["Key"])?]),
            "BatchGetItem" => {
                let tables = body["RequestItems"].as_object().filter(|tables| tables.len() == 1)?;
                let keys = tables.values().next()?["Keys"].as_array()?;
                keys.iter().map(partition).collect::<Option<_>>()?
            }
            "Query" => BTreeSet::from([partition_queried(index.as_deref(), body)?]),
            _ => return None,
        };
        Some(Self { operation: operation.to_owned(), index, keys })
    }
}

fn partition(key: &Value) -> Option<String> {
    key[keys::PK]["S"].as_str().map(str::to_owned)
}

/// The partition that a query reads, by its condition and what the names and values in that stand for.
fn partition_queried(index: Option<&str>, body: &Value) -> Option<String> {
    let hash_key = match index {
        None => keys::PK,
        Some(keys::LISTS) => keys::LIST,
        Some(keys::TASKS) => keys::TASK,
        Some(_) => return None,
    };
    let named = |name: &str| match name.starts_with('#') {
        true => body["ExpressionAttributeNames"][name].as_str().unwrap_or_default().to_owned(),
        false => name.to_owned(),
    };
    let options = body["KeyConditionExpression"].as_str()?.split(" AND ").filter_map(|term| term.split_once(" = "));
    let mut values = options.filter(|(name, _)| named(name) == hash_key).map(|(_, value)| value);
    let value = values.next().filter(|_| values.next().is_none())?;
    body["ExpressionAttributeValues"][value]["S"].as_str().map(str::to_owned)
}

impl Policy {
    /// The policy of a function, by the name of its binary.
    pub(crate) fn of(function: &str) -> &'static Self {
        static POLICIES: OnceLock<BTreeMap<&'static str, Policy>> = OnceLock::new();
        let policies = POLICIES.get_or_init(|| {
            let functions = template::functions().keys();
            functions.map(|name| (name.as_str(), Policy::parse(template::policy(name)))).collect()
        });
        policies.get(function).unwrap_or_else(|| panic!("{function} is not deployed"))
    }

    /// Reads a policy.
    fn parse(document: &'static Value) -> Self {
        assert_eq!(members(document), ["Statement", "Version"], "{document}");
        assert_eq!(document["Version"], "2012-10-17");
        Self(document["Statement"].as_array().unwrap().iter().map(Statement::parse).collect())
    }

    /// All that it allows.
    pub(crate) fn grants(&self) -> Vec<Grant> {
        self.0.iter().flat_map(Statement::grants).collect()
    }

    /// What of it allows a request, if anything does.
    pub(crate) fn allows(&self, asked: &Asked) -> Option<Vec<Grant>> {
        self.0.iter().find_map(|statement| statement.allows(asked))
    }
}

impl Statement {
    fn parse(statement: &'static Value) -> Self {
        assert_eq!(members(statement), ["Action", "Condition", "Effect", "Resource"], "{statement}");
        assert_eq!(statement["Effect"], "Allow");
        let operations: Vec<_> = texts(&statement["Action"]).iter().map(|action| operation_of(action)).collect();
        let resource = &statement["Resource"];
        let index = [None, Some(keys::LISTS), Some(keys::TASKS)]
            .into_iter()
            .find(|index| *resource == template::arn_of_table(*index))
            .unwrap_or_else(|| panic!("{resource} is no resource of ours"));
        let condition = &statement["Condition"];
        assert_eq!(members(condition), ["ForAllValues:StringLike"], "{condition}");
        let condition = &condition["ForAllValues:StringLike"];
        assert_eq!(members(condition), ["dynamodb:LeadingKeys"], "{condition}");
        let keys = texts(&condition["dynamodb:LeadingKeys"]);
        assert!(keys.iter().all(|pattern| !pattern.contains("${")), "{keys:?}");
        Self { operations, index, keys }
    }

    fn grants(&self) -> Vec<Grant> {
        let of = |operation: &&'static str| {
            let (operation, index) = (*operation, self.index);
            self.keys.iter().map(move |keys| Grant { operation, index, keys })
        };
        self.operations.iter().flat_map(of).collect()
    }

    fn allows(&self, asked: &Asked) -> Option<Vec<Grant>> {
        let operation = self.operations.iter().find(|operation| **operation == asked.operation)?;
        if self.index != asked.index.as_deref() {
            return None;
        }
        let pattern = |key: &String| self.keys.iter().find(|pattern| is_like(key, pattern));
        let grant = |key| Some(Grant { operation, index: self.index, keys: pattern(key)? });
        asked.keys.iter().map(grant).collect()
    }
}

fn operation_of(action: &'static str) -> &'static str {
    let operation =
        action.strip_prefix("dynamodb:").unwrap_or_else(|| panic!("{action} is nothing that is known here"));
    assert!(OPERATIONS.contains(&operation), "no function may {operation}");
    operation
}

/// The names of an object's members, in alphabetical order.
fn members(object: &Value) -> Vec<&str> {
    let mut names: Vec<_> = object.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// One text, or several.
fn texts(value: &'static Value) -> Vec<&'static str> {
    match value.as_array() {
        Some(texts) => texts.iter().map(|text| text.as_str().unwrap()).collect(),
        None => vec![value.as_str().unwrap()],
    }
}

/// Whether a text is like a pattern, as `StringLike` has it: `*` stands for any characters, `?` for one.
fn is_like(text: &str, pattern: &str) -> bool {
    match pattern.chars().next() {
        None => text.is_empty(),
        Some('*') => {
            text.char_indices().map(|(at, _)| at).chain([text.len()]).any(|at| is_like(&text[at..], &pattern[1..]))
        }
        Some(wanted) => {
            let mut rest = text.chars();
            let found = rest.next();
            found.is_some_and(|found| wanted == '?' || wanted == found)
                && is_like(rest.as_str(), &pattern[wanted.len_utf8()..])
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A policy of one statement.
    fn policy(actions: &Value, resource: &Value, keys: &Value) -> Policy {
        let statement = json!({
            "Effect": "Allow",
            "Action": actions,
            "Resource": resource,
            "Condition": {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": keys}},
        });
        Policy::parse(Box::leak(Box::new(json!({"Version": "2012-10-17", "Statement": [statement]}))))
    }

    fn on_the_table(actions: &Value, keys: &Value) -> Policy {
        policy(actions, &template::arn_of_table(None), keys)
    }

    fn key(partition: &str) -> Value {
        json!({"PK": {"S": partition}, "SK": {"S": "s"}})
    }

    fn get(partition: &str) -> Asked {
        Asked::of("GetItem", &json!({"TableName": "t", "Key": key(partition)})).unwrap()
    }

    fn get_all(partitions: &[&str]) -> Asked {
        let keys: Vec<_> = partitions.iter().map(|partition| key(partition)).collect();
        Asked::of("BatchGetItem", &json!({"RequestItems": {"t": {"Keys": keys}}})).unwrap()
    }

    fn query(index: Option<&str>, condition: &str, name: &str, value: &str) -> Option<Asked> {
        let mut body = json!({
            "TableName": "t",
            "KeyConditionExpression": condition,
            "ExpressionAttributeNames": {"#name": name, "#other": "due"},
            "ExpressionAttributeValues": {":value": {"S": value}, ":other": {"S": "other"}},
        });
        if let Some(index) = index {
            body["IndexName"] = index.into();
        }
        Asked::of("Query", &body)
    }

    #[test]
    fn what_a_statement_names_is_allowed() {
        let policy =
            on_the_table(&json!(["dynamodb:GetItem", "dynamodb:BatchGetItem"]), &json!(["USER#*", "STREAM#*"]));
        let grant = |operation, keys| Grant { operation, index: None, keys };
        assert_eq!(policy.allows(&get("USER#a")), Some(vec![grant("GetItem", "USER#*")]));
        let both = vec![grant("BatchGetItem", "STREAM#*"), grant("BatchGetItem", "USER#*")];
        assert_eq!(policy.allows(&get_all(&["USER#a", "STREAM#b"])), Some(both));
        assert_eq!(policy.grants().len(), 4);
    }

    #[test]
    fn another_action_is_refused() {
        let policy = on_the_table(&json!("dynamodb:UpdateItem"), &json!(["USER#*"]));
        assert_eq!(policy.allows(&get("USER#a")), None);
    }

    #[test]
    fn another_key_is_refused_also_beside_one_that_is_allowed() {
        let policy = on_the_table(&json!(["dynamodb:GetItem", "dynamodb:BatchGetItem"]), &json!(["USER#*"]));
        assert_eq!(policy.allows(&get("STREAM#a")), None);
        assert_eq!(policy.allows(&get_all(&["USER#a", "STREAM#b"])), None);
    }

    #[test]
    fn the_keys_of_a_request_are_not_gathered_from_several_statements() {
        let mut policy = on_the_table(&json!("dynamodb:BatchGetItem"), &json!(["USER#*"]));
        policy.0.extend(on_the_table(&json!("dynamodb:BatchGetItem"), &json!(["STREAM#*"])).0);
        assert!(policy.allows(&get_all(&["USER#a", "USER#b"])).is_some());
        assert!(policy.allows(&get_all(&["STREAM#a"])).is_some());
        assert!(policy.allows(&get_all(&["USER#a", "STREAM#b"])).is_none());
    }

    #[test]
    fn an_index_is_not_the_table_nor_another_index() {
        let of_index = |name: &str| template::arn_of_table(Some(name));
        let on_lists = policy(&json!("dynamodb:Query"), &of_index("lists"), &json!(["online"]));
        let on_work = policy(&json!("dynamodb:Query"), &of_index("tasks"), &json!(["online"]));
        let on_table = on_the_table(&json!("dynamodb:Query"), &json!(["online"]));
        let asked = query(Some("lists"), "#name = :value AND #other <= :other", "list", "online").unwrap();
        assert!(on_lists.allows(&asked).is_some());
        assert!(on_work.allows(&asked).is_none() && on_table.allows(&asked).is_none());
        assert!(on_lists.allows(&query(None, "PK = :value", "", "online").unwrap()).is_none());
    }

    #[test]
    fn a_query_is_about_the_partition_of_its_condition() {
        let keys = |asked: Option<Asked>| asked.map(|asked| asked.keys.into_iter().collect::<Vec<_>>());
        let found = Some(vec!["a".to_owned()]);
        assert_eq!(keys(query(None, "PK = :value", "", "a")), found);
        assert_eq!(keys(query(None, "PK = :value AND SK BETWEEN :other AND :other", "", "a")), found);
        assert_eq!(keys(query(Some("tasks"), "#other <= :other AND #name = :value", "task", "a")), found);
        for not_understood in [
            query(None, "PK = :unknown", "", "a"),
            query(None, "SK = :value", "", "a"),
            query(None, "PK=:value", "", "a"),
            query(None, "PK = :value AND PK = :other", "", "a"),
            query(Some("lists"), "PK = :value", "", "a"),
            query(Some("others"), "PK = :value", "", "a"),
        ] {
            assert_eq!(not_understood, None);
        }
    }

    #[test]
    fn what_names_no_partition_is_not_understood() {
        for operation in ["Scan", "ExecuteStatement", "TransactWriteItems", "PutItem", "DescribeTable"] {
            assert_eq!(Asked::of(operation, &json!({"TableName": "t", "Key": key("USER#a")})), None, "{operation}");
        }
        assert_eq!(Asked::of("GetItem", &json!({"TableName": "t"})), None);
        assert_eq!(Asked::of("BatchGetItem", &json!({"RequestItems": {"t": {"Keys": []}, "u": {"Keys": []}}})), None);
    }

    /// Why functions may use only what always names a partition.
    #[test]
    fn for_all_values_holds_where_there_are_none() {
        let policy = on_the_table(&json!("dynamodb:BatchGetItem"), &json!(["USER#*"]));
        assert_eq!(policy.allows(&get_all(&[])), Some(vec![]));
    }

    #[test]
    fn wildcards_are_those_of_string_like() {
        for (text, pattern) in [
            ("USER#a", "USER#*"),
            ("USER#", "USER#*"),
            ("USER#用户", "USER#*"),
            ("USER#a*b?", "USER#*"),
            ("open", "open"),
            ("a-b-c", "a*c"),
            ("abc", "a?c"),
            ("a用c", "a?c"),
            ("aXbXc", "*X*X*"),
            ("", "*"),
        ] {
            assert!(is_like(text, pattern), "{text} is like {pattern}");
        }
        for (text, pattern) in [
            ("user#a", "USER#*"),
            ("USERS#a", "USER#*"),
            ("xUSER#a", "USER#*"),
            ("USER", "USER#*"),
            ("opened", "open"),
            ("ac", "a?c"),
            ("abbc", "a?c"),
            ("USER#a", "USER#.*"),
            ("a", ""),
        ] {
            assert!(!is_like(text, pattern), "{text} is not like {pattern}");
        }
    }

    #[test]
    fn a_policy_that_says_more_than_is_known_here_is_not_read() {
        let table = template::arn_of_table(None);
        let with = |member: &str, value: Value| {
            let mut statement = json!({
                "Effect": "Allow",
                "Action": "dynamodb:GetItem",
                "Resource": table,
                "Condition": {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["USER#*"]}},
            });
            statement[member] = value;
            let document: &'static Value =
                Box::leak(Box::new(json!({"Version": "2012-10-17", "Statement": [statement]})));
            std::panic::catch_unwind(|| Policy::parse(document)).is_ok()
        };
        assert!(with("Effect", json!("Allow")));
        for (member, value) in [
            ("Effect", json!("Deny")),
            ("NotAction", json!("dynamodb:GetItem")),
            ("Action", json!("dynamodb:*")),
            ("Action", json!("dynamodb:Scan")),
            ("Action", json!("dynamodb:PartiQLSelect")),
            ("Action", json!("s3:GetObject")),
            ("Resource", json!("*")),
            ("Resource", json!([table])),
            ("Resource", json!({"Fn::GetAtt": ["Another", "Arn"]})),
            ("Resource", template::arn_of_table(Some("*"))),
            ("Condition", json!({})),
            ("Condition", json!({"StringLike": {"dynamodb:LeadingKeys": ["USER#*"]}})),
            ("Condition", json!({"ForAllValues:StringLike": {"dynamodb:Attributes": ["PK"]}})),
            ("Condition", json!({"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["${aws:userid}"]}})),
        ] {
            assert!(!with(member, value.clone()), "{member}: {value}");
        }
    }
}
