//! One conditional write, built up attribute by attribute.

use aws_sdk_dynamodb::{
    error::{ProvideErrorMetadata, SdkError},
    operation::update_item::{UpdateItemError, builders::UpdateItemFluentBuilder},
    types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure},
};

use super::{
    Error, Item, Result, Table, failed,
    keys::{Key, PK, SK},
    number, text,
};

/// What became of a conditional write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WriteOutcome {
    /// It was done.
    Done,
    /// The condition did not hold.
    ConditionFailed,
}

/// What became of a conditional write, and the item as it was before: empty if there was none.
#[derive(Debug)]
pub(super) enum OutcomeWithOldItem {
    /// It was done.
    Done(Item),
    /// The condition did not hold.
    ConditionFailed(Item),
}

/// An update of one item. In its expressions `#name` stands for the attribute `name`.
pub(super) struct Update {
    key: Key,
    set: Vec<String>,
    add: Vec<String>,
    remove: Vec<String>,
    condition: Option<String>,
    values: Item,
    retries: Retries,
}

/// Whether the SDK may send an update again that may have been done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Retries {
    /// The second time changes nothing.
    Allowed,
    /// The second time would do more.
    Forbidden,
}

impl Update {
    pub(super) fn of(key: Key) -> Self {
        Self {
            key,
            set: vec![],
            add: vec![],
            remove: vec![],
            condition: None,
            values: Item::new(),
            retries: Retries::Allowed,
        }
    }

    /// Sets an attribute.
    pub(super) fn set(mut self, attribute: &str, value: AttributeValue) -> Self {
        self.set.push(format!("#{attribute} = :{attribute}"));
        self.values.insert(format!(":{attribute}"), value);
        self
    }

    /// Sets an attribute that is not there yet.
    pub(super) fn set_if_missing(mut self, attribute: &str, value: AttributeValue) -> Self {
        self.set.push(format!("#{attribute} = if_not_exists(#{attribute}, :{attribute})"));
        self.values.insert(format!(":{attribute}"), value);
        self
    }

    /// Sets an attribute to a text, or removes it if the text is empty.
    pub(super) fn set_text(self, attribute: &str, value: &str) -> Self {
        if value.is_empty() { self.remove(attribute) } else { self.set(attribute, text(value)) }
    }

    /// Counts an attribute up or down, at most once: nobody sends it again if it is not known whether it was done.
    pub(super) fn add(self, attribute: &str, by: i64) -> Self {
        self.at_most_once().add_at_least_once(attribute, by)
    }

    /// Counts an attribute up or down, once more if it is not known whether it was done.
    pub(super) fn add_at_least_once(mut self, attribute: &str, by: i64) -> Self {
        self.add.push(format!("#{attribute} :{attribute}"));
        self.values.insert(format!(":{attribute}"), number(by));
        self
    }

    /// Nobody sends it again if it is not known whether it was done.
    pub(super) fn at_most_once(mut self) -> Self {
        self.retries = Retries::Forbidden;
        self
    }

    /// Removes an attribute.
    pub(super) fn remove(mut self, attribute: &str) -> Self {
        self.remove.push(format!("#{attribute}"));
        self
    }

    /// Writes only if this holds; joined to what was asked before by "and".
    pub(super) fn when(mut self, condition: &str) -> Self {
        self.condition = Some(match self.condition {
            Some(before) => format!("{before} AND {condition}"),
            None => condition.to_owned(),
        });
        self
    }

    /// Writes only if an attribute is as it was read.
    pub(super) fn when_unchanged(self, attribute: &str, seen: &Item) -> Self {
        match seen.get(attribute) {
            Some(value) => self
                .when(&format!("#{attribute} = :seen_{attribute}"))
                .value(&format!(":seen_{attribute}"), value.clone()),
            None => self.when(&format!("attribute_not_exists(#{attribute})")),
        }
    }

    /// A value that a condition names.
    pub(super) fn value(mut self, placeholder: &str, value: AttributeValue) -> Self {
        self.values.insert(placeholder.to_owned(), value);
        self
    }

    /// Writes.
    pub(super) async fn send(self, table: &Table, context: &'static str) -> Result<WriteOutcome> {
        match self.request(table).send().await {
            Ok(_) => Ok(WriteOutcome::Done),
            Err(SdkError::ServiceError(error)) if error.err().is_conditional_check_failed_exception() => {
                Ok(WriteOutcome::ConditionFailed)
            }
            Err(error) => Err(refused(context, error)),
        }
    }

    /// Writes, and gives the item as it was.
    pub(super) async fn send_returning_old(self, table: &Table, context: &'static str) -> Result<OutcomeWithOldItem> {
        let request = self
            .request(table)
            .return_values(ReturnValue::AllOld)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match request.send().await {
            Ok(done) => {
                let before = done.attributes.unwrap_or_default();
                // Of an item that was not there, some engines give back the key; all of ours have more than that.
                let was_there = before.keys().any(|name| name != PK && name != SK);
                Ok(OutcomeWithOldItem::Done(if was_there { before } else { Item::new() }))
            }
            Err(SdkError::ServiceError(error)) => {
                let error = error.into_err();
                if let UpdateItemError::ConditionalCheckFailedException(unmet) = error {
                    return Ok(OutcomeWithOldItem::ConditionFailed(unmet.item.unwrap_or_default()));
                }
                Err(refused(context, error))
            }
            Err(error) => Err(refused(context, error)),
        }
    }

    fn request(self, table: &Table) -> UpdateItemFluentBuilder {
        let clauses = [("SET", self.set), ("ADD", self.add), ("REMOVE", self.remove)];
        let clauses = clauses.iter().filter(|(_, parts)| !parts.is_empty());
        let expression = clauses.map(|(verb, parts)| format!("{verb} {}", parts.join(", "))).collect::<Vec<_>>();
        let expression = expression.join(" ");
        let client = match self.retries {
            Retries::Allowed => &table.client,
            Retries::Forbidden => &table.no_retry_client,
        };
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

/// Why something was not written; because of the item, if that has no room for it.
fn refused<E>(context: &'static str, error: E) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let is_item_fault = error.code() == Some("ValidationException");
    let error = failed(context)(error);
    if is_item_fault { error.with_item_fault() } else { error }
}

/// The attributes that an expression names.
fn names(expression: &str) -> impl Iterator<Item = &str> {
    expression.split('#').skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        &rest[..end]
    })
}
