//! Conditional writes of one item (DynamoDB's UpdateItem), and their repetition after a conflict.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use aws_sdk_dynamodb::{
    error::{ProvideErrorMetadata, SdkError},
    operation::update_item::{UpdateItemError, builders::UpdateItemFluentBuilder},
    types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure},
};

use super::{
    Error,
    keys::{Key, PK, SK},
    tasks::OPEN,
};
use crate::prelude::*;

/// How many times an optimistic write is tried.
const ATTEMPTS: u32 = 16;

/// The attempts of an optimistic write: read an item, change it, and write it under the condition that no other process
/// wrote it since.
pub(super) struct Attempts {
    pub(super) context: &'static str,
    conflicts: u32,
}

impl Attempts {
    /// The attempts of an operation, which follows "the table could not" in errors.
    pub(super) fn of(context: &'static str) -> Self {
        Self { context, conflicts: 0 }
    }

    /// Waits before the next attempt, after another process wrote the item first. Fails after the last attempt.
    pub(super) async fn after_conflict(&mut self) -> Result<()> {
        self.conflicts += 1;
        if self.conflicts == ATTEMPTS {
            return Err(too_many_conflicts(self.context));
        }
        // At random, so that two processes do not conflict again; up to 2 ms at first, and up to 64 ms later.
        let max = 1000 << self.conflicts.min(6);
        tokio::time::sleep(Duration::from_micros(RandomState::new().hash_one(self.conflicts) % max)).await;
        Ok(())
    }
}

/// The error after the last attempt of an optimistic write.
pub(super) fn too_many_conflicts(context: &'static str) -> Error {
    Error::new(context, "another process wrote the item before each attempt").with_item_fault()
}

/// The result of a conditional write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WriteOutcome {
    /// Written.
    Done,
    /// Not written: the condition was false.
    ConditionFailed,
}

/// An update of one item. In its expressions, `#name` is the attribute `name`.
#[derive(Default)]
pub(super) struct Update {
    key: Key,
    set: Vec<String>,
    add: Vec<String>,
    remove: Vec<String>,
    condition: Option<String>,
    values: Item,
    /// The SDK must not send the update again if it may have been executed: a second execution would be wrong.
    is_at_most_once: bool,
}

impl Update {
    /// An update of the item with this key, without changes yet.
    pub(super) fn of(key: Key) -> Self {
        Self { key, ..Self::default() }
    }

    /// Sets an attribute.
    pub(super) fn set(mut self, attribute: &str, value: AttributeValue) -> Self {
        self.set.push(format!("#{attribute} = :{attribute}"));
        self.values.insert(format!(":{attribute}"), value);
        self
    }

    /// Sets an attribute if the item does not have it.
    pub(super) fn set_if_missing(mut self, attribute: &str, value: AttributeValue) -> Self {
        self.set.push(format!("#{attribute} = if_not_exists(#{attribute}, :{attribute})"));
        self.values.insert(format!(":{attribute}"), value);
        self
    }

    /// Sets a string attribute, or removes it if the string is empty.
    pub(super) fn set_text(self, attribute: &str, value: &str) -> Self {
        if value.is_empty() { self.remove(attribute) } else { self.set(attribute, text(value)) }
    }

    /// Sets an attribute to `true`, or removes it.
    pub(super) fn set_flag(self, attribute: &str, value: bool) -> Self {
        if value { self.set(attribute, AttributeValue::Bool(true)) } else { self.remove(attribute) }
    }

    /// Sets when the item's task is due, or removes the task.
    pub(super) fn set_due(self, due: Option<UnixSeconds>) -> Self {
        match due {
            Some(due) => self.set(keys::TASK, text(OPEN)).set(keys::DUE, unix_seconds(due)),
            None => self.remove(keys::TASK).remove(keys::DUE),
        }
    }

    /// Adds to a number attribute, at most once: the update is not sent again if it may have been executed.
    pub(super) fn add(mut self, attribute: &str, by: i64) -> Self {
        self.is_at_most_once = true;
        self.add_at_least_once(attribute, by)
    }

    /// Adds to a number attribute, at least once: a retry can add twice.
    pub(super) fn add_at_least_once(mut self, attribute: &str, by: i64) -> Self {
        self.add.push(format!("#{attribute} :{attribute}"));
        self.values.insert(format!(":{attribute}"), number(by));
        self
    }

    /// Removes an attribute.
    pub(super) fn remove(mut self, attribute: &str) -> Self {
        self.remove.push(format!("#{attribute}"));
        self
    }

    /// Adds a condition. All conditions of an update must be true.
    pub(super) fn when(mut self, condition: &str) -> Self {
        self.condition = Some(match self.condition {
            Some(before) => format!("{before} AND {condition}"),
            None => condition.to_owned(),
        });
        self
    }

    /// Adds the condition that an attribute has the value, or absence, that was read.
    pub(super) fn when_unchanged(self, attribute: &str, seen: &Item) -> Self {
        match seen.get(attribute) {
            Some(value) => self
                .when(&format!("#{attribute} = :seen_{attribute}"))
                .value(&format!(":seen_{attribute}"), value.clone()),
            None => self.when(&format!("attribute_not_exists(#{attribute})")),
        }
    }

    /// Defines a placeholder of a condition.
    pub(super) fn value(mut self, placeholder: &str, value: AttributeValue) -> Self {
        self.values.insert(placeholder.to_owned(), value);
        self
    }

    /// Sends the update.
    pub(super) async fn send(self, table: &Table, context: &'static str) -> Result<WriteOutcome> {
        match self.request(table).send().await {
            Ok(_) => Ok(WriteOutcome::Done),
            Err(SdkError::ServiceError(error)) if error.err().is_conditional_check_failed_exception() => {
                Ok(WriteOutcome::ConditionFailed)
            }
            Err(error) => Err(update_error(context, error)),
        }
    }

    /// Sends the update. With the outcome comes the item before the write; empty if there was none.
    pub(super) async fn send_returning_old(self, table: &Table, context: &'static str) -> Result<(WriteOutcome, Item)> {
        let request = self
            .request(table)
            .return_values(ReturnValue::AllOld)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match request.send().await {
            Ok(done) => {
                let before = done.attributes.unwrap_or_default();
                // For an item that did not exist, some engines return its key. Every item of ours has further
                // attributes.
                let existed = before.keys().any(|name| name != PK && name != SK);
                Ok((WriteOutcome::Done, if existed { before } else { Item::new() }))
            }
            Err(SdkError::ServiceError(error)) => {
                let error = error.into_err();
                if let UpdateItemError::ConditionalCheckFailedException(failed) = error {
                    return Ok((WriteOutcome::ConditionFailed, failed.item.unwrap_or_default()));
                }
                Err(update_error(context, error))
            }
            Err(error) => Err(update_error(context, error)),
        }
    }

    fn request(self, table: &Table) -> UpdateItemFluentBuilder {
        let clauses = [("SET", self.set), ("ADD", self.add), ("REMOVE", self.remove)];
        let clauses = clauses.iter().filter(|(_, parts)| !parts.is_empty());
        let clauses: Vec<_> = clauses.map(|(verb, parts)| format!("{verb} {}", parts.join(", "))).collect();
        let expression = clauses.join(" ");
        let client = if self.is_at_most_once { &table.no_retry_client } else { &table.client };
        let mut request = client.update_item().table_name(&table.name).set_key(Some(self.key));
        for name in names(&expression).chain(self.condition.iter().flat_map(|condition| names(condition))) {
            request = request.expression_attribute_names(format!("#{name}"), name);
        }
        request
            .update_expression(expression)
            .set_condition_expression(self.condition)
            .set_expression_attribute_values((!self.values.is_empty()).then_some(self.values))
    }
}

/// The error of an update. A `ValidationException` is the item's fault: it would be larger than DynamoDB allows.
fn update_error<E>(context: &'static str, error: E) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let is_item_fault = error.code() == Some("ValidationException");
    let error = table_error(context)(error);
    if is_item_fault { error.with_item_fault() } else { error }
}

/// The names of the attributes in an expression.
fn names(expression: &str) -> impl Iterator<Item = &str> {
    expression.split('#').skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        &rest[..end]
    })
}
