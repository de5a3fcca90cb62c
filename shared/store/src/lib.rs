//! The store: all data of the server, in one DynamoDB table. [`Table`] has one method per query or change that a
//! command makes; changes of a broadcaster's state are methods of [`Broadcaster`], those of a group of [`Group`].
//!
//! The table is reached through the AWS SDK in every environment: on AWS, on a server of one's own, and in the tests.
//! [`keys`] lists the items of the table and their keys. Each write changes one item. If two writers could conflict, the write
//! has a condition. Nothing scans the table or needs a transaction, so any server with DynamoDB's interface can be used.

mod accounts;
mod batch;
mod broadcasts;
pub mod connect;
mod counter_batcher;
mod group_sweep;
pub mod keys;
mod ledger;
mod limits;
mod lists;
mod lives;
mod members;
pub mod password;
mod prelude;
mod rebuild;
mod recount;
mod replays;
mod reports;
mod rooms;
pub mod rules;
mod sessions;
mod state;
mod streams;
mod tasks;
mod unconfirmed;
mod update;
mod verdicts;
mod version;
mod videos;
mod viewers;

use std::{collections::HashMap, sync::Arc};

use aws_sdk_dynamodb::{
    Client,
    error::SdkError,
    operation::query::builders::QueryFluentBuilder,
    types::{
        AttributeDefinition, AttributeValue, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
        ProjectionType, ScalarAttributeType, TimeToLiveSpecification,
    },
};

pub use self::{
    accounts::{Account, AccountChanges, Created, PublicProfile},
    broadcasts::{BroadcastInfo, Profile},
    keys::Task,
    ledger::{Notice, NoticeRecord, NoticeStatus},
    limits::Attempt,
    lists::ListPage,
    lives::{LiveRow, Totals},
    members::{Group, Member},
    rebuild::{Compared, Difference},
    replays::{PendingDeletion, Replay, ReplayChanges, UserReplay},
    reports::Report,
    rooms::{Opened, Room, Status},
    sessions::{Renewal, Session, Sessions},
    state::{Ban, Broadcaster, BroadcasterState, PendingAction},
    streams::Owner,
    version::{UnknownVersion, Version},
    videos::Video,
};
use self::{
    counter_batcher::CounterBatcher,
    tasks::LatestClock,
    unconfirmed::{NoRetryIfSent, UnconfirmedWrites},
};
use protocol::{error::Chain, log_names::LogNames, types::UnixSeconds};
use thiserror::Error as ThisError;

/// An operation on the table failed.
#[derive(Debug, ThisError)]
#[error("the table could not {context}")]
pub struct Error {
    /// The operation, in words that follow "the table could not".
    context: &'static str,
    source: Box<dyn std::error::Error + Send + Sync>,
    /// Whether the cause is the item that was read or written, so that operations on other items can succeed.
    is_item_fault: bool,
}

impl Error {
    fn new(context: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { context, source: source.into(), is_item_fault: false }
    }

    fn with_item_fault(self) -> Self {
        Self { is_item_fault: true, ..self }
    }
}

impl From<Error> for protocol::error::Error {
    fn from(error: Error) -> Self {
        Self::Table(error.into())
    }
}

type Result<T> = std::result::Result<T, Error>;

/// Makes an [`Error`] of an error of the SDK.
fn table_error<E>(context: &'static str) -> impl FnOnce(E) -> Error
where
    E: std::error::Error + Send + Sync + 'static,
{
    move |source| Error::new(context, source)
}

/// The error for an attribute that this program cannot have written.
fn invalid_attribute(attribute: &str) -> Error {
    Error::new("read an item", format!("its attribute {attribute} is missing or invalid")).with_item_fault()
}

/// The DynamoDB table. A clone shares the connections of the original.
#[derive(Clone, Debug)]
pub struct Table {
    client: Client,
    /// Sends no request a second time that may have been executed: for additions to counters.
    no_retry_client: Client,
    name: String,
    counter_batcher: Arc<CounterBatcher>,
    unconfirmed: UnconfirmedWrites,
    latest_clock: Arc<LatestClock>,
    log_names: LogNames,
}

/// A query that is read response by response.
struct Pages {
    /// The next request; `None` after the last response.
    request: Option<QueryFluentBuilder>,
    /// How many more items are wanted; `None` for all.
    wanted: Option<usize>,
    context: &'static str,
}

impl Pages {
    /// The items of the next response; `None` after the last. A response can be empty although more responses follow.
    async fn next(&mut self) -> Result<Option<Vec<Item>>> {
        let Some(request) = self.request.take().filter(|_| self.wanted != Some(0)) else { return Ok(None) };
        let limit = self.wanted.and_then(|wanted| i32::try_from(wanted).ok());
        let answer = request.clone().set_limit(limit).send().await.map_err(table_error(self.context))?;
        let items = answer.items.unwrap_or_default();
        self.wanted = self.wanted.map(|wanted| wanted.saturating_sub(items.len()));
        self.request = answer.last_evaluated_key.map(|last| request.set_exclusive_start_key(Some(last)));
        Ok(Some(items))
    }
}

/// An item of the table, as the SDK represents it: attributes by name.
type Item = HashMap<String, AttributeValue>;

/// A string as the value of an attribute.
fn text(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

/// A number as the value of an attribute.
fn number(number: impl ToString) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// A time as the value of an attribute.
fn unix_seconds(UnixSeconds(seconds): UnixSeconds) -> AttributeValue {
    number(seconds)
}

/// Reads a string attribute. A missing attribute is the empty string, since empty strings are not written.
fn text_in<'a>(item: &'a Item, attribute: &str) -> Result<&'a str> {
    match item.get(attribute) {
        None => Ok(""),
        Some(AttributeValue::S(text)) => Ok(text),
        Some(_) => Err(invalid_attribute(attribute)),
    }
}

/// Reads a number attribute. A missing attribute is zero, since a counter is created by its first addition.
fn number_in(item: &Item, attribute: &str) -> Result<i64> {
    match item.get(attribute) {
        None => Ok(0),
        Some(AttributeValue::N(number)) => number.parse().map_err(|_| invalid_attribute(attribute)),
        Some(_) => Err(invalid_attribute(attribute)),
    }
}

/// Reads a counter. A negative one counts as zero.
fn counter_in(item: &Item, attribute: &str) -> Result<u64> {
    Ok(number_in(item, attribute)?.try_into().unwrap_or(0))
}

/// Reads a time attribute. A missing attribute is second 0.
fn unix_seconds_in(item: &Item, attribute: &str) -> Result<UnixSeconds> {
    number_in(item, attribute)?.try_into().map(UnixSeconds).map_err(|_| invalid_attribute(attribute))
}

/// Reads a string attribute and parses it.
fn parsed<T>(item: &Item, attribute: &str, parse: fn(&str) -> Option<T>) -> Result<T> {
    parse(text_in(item, attribute)?).ok_or_else(|| invalid_attribute(attribute))
}

/// The projection expression for these attributes and the key, and the names in it.
fn attributes_expression(attributes: &[&str]) -> (String, HashMap<String, String>) {
    let names: Vec<&str> = [keys::PK, keys::SK].into_iter().chain(attributes.iter().copied()).collect();
    let placeholders = names.iter().map(|name| (format!("#{name}"), (*name).to_owned())).collect();
    (format!("#{}", names.join(", #")), placeholders)
}

impl Table {
    /// The table with this name, reached through `client`.
    pub fn new(client: Client, name: impl Into<String>) -> Self {
        let unconfirmed = UnconfirmedWrites::default();
        let config = client.config().to_builder().interceptor(unconfirmed.clone());
        let no_retry_client = Client::from_conf(config.clone().retry_classifier(NoRetryIfSent).build());
        let client = Client::from_conf(config.build());
        let (counter_batcher, latest_clock, log_names) = (Arc::default(), Arc::default(), LogNames::Plain);
        Self { client, no_retry_client, name: name.into(), counter_batcher, unconfirmed, latest_clock, log_names }
    }

    /// The same table with another form of the names of users, streams and addresses in the log.
    #[must_use]
    pub fn with_log_names(self, log_names: LogNames) -> Self {
        Self { log_names, ..self }
    }

    /// A key, as the log shows it: see [`keys::key_for_log`].
    fn key_for_log(&self, key: &keys::Key) -> String {
        keys::key_for_log(key, &self.log_names)
    }

    /// The result of reading an item, or `None` and a line in the log if the item is invalid. One invalid row must not
    /// make a whole list unreadable.
    fn ok_or_log<T>(&self, item: &Item, read: Result<T>) -> Option<T> {
        let log = |error: &Error| {
            tracing::error!(key = self.key_for_log(item), error = %Chain(error), "an invalid item is skipped");
        };
        read.inspect_err(log).ok()
    }

    /// Reads one item, strongly consistent.
    async fn get(&self, key: keys::Key, context: &'static str) -> Result<Option<Item>> {
        let request = self.client.get_item().table_name(&self.name).set_key(Some(key)).consistent_read(true);
        Ok(request.send().await.map_err(table_error(context))?.item)
    }

    /// Reads the items of a query, at most `wanted`, in as many requests as it takes.
    async fn query(&self, request: QueryFluentBuilder, wanted: usize, context: &'static str) -> Result<Vec<Item>> {
        let mut items = Vec::new();
        let mut pages = self.pages(request, Some(wanted), context);
        while let Some(page) = pages.next().await? {
            items.extend(page);
        }
        Ok(items)
    }

    /// The strongly consistent query for the items of a partition whose sort keys begin with `prefix`.
    fn items_of(&self, partition: String, prefix: &str) -> QueryFluentBuilder {
        let query =
            self.client.query().consistent_read(true).expression_attribute_values(":partition", text(partition));
        if prefix.is_empty() {
            return query.key_condition_expression("PK = :partition");
        }
        let query = query.key_condition_expression("PK = :partition AND begins_with(SK, :prefix)");
        query.expression_attribute_values(":prefix", text(prefix))
    }

    /// Starts a query that is read response by response, up to `wanted` items.
    fn pages(&self, request: QueryFluentBuilder, wanted: Option<usize>, context: &'static str) -> Pages {
        Pages { request: Some(request.table_name(&self.name)), wanted, context }
    }

    /// Creates the table if there is none: for the local server and the tests. On AWS, `template.yaml` creates it.
    pub async fn create_if_missing(&self) -> Result<Created> {
        self.create().await.map_err(|error| Error::new("be created", error))
    }

    async fn create(&self) -> std::result::Result<Created, Box<dyn std::error::Error + Send + Sync>> {
        let attribute = |name, kind| AttributeDefinition::builder().attribute_name(name).attribute_type(kind).build();
        let key = |name, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build();
        let index = |name, hash, range, projected| {
            let keys = vec![key(hash, KeyType::Hash)?, key(range, KeyType::Range)?];
            let projection = Projection::builder().projection_type(projected).build();
            GlobalSecondaryIndex::builder().index_name(name).set_key_schema(Some(keys)).projection(projection).build()
        };
        let mut request = self.client.create_table().table_name(&self.name).billing_mode(BillingMode::PayPerRequest);
        for name in [keys::PK, keys::SK, keys::LIST, keys::POSITION, keys::TASK] {
            request = request.attribute_definitions(attribute(name, ScalarAttributeType::S)?);
        }
        let request = request
            .attribute_definitions(attribute(keys::DUE, ScalarAttributeType::N)?)
            .key_schema(key(keys::PK, KeyType::Hash)?)
            .key_schema(key(keys::SK, KeyType::Range)?)
            .global_secondary_indexes(index(keys::LISTS, keys::LIST, keys::POSITION, ProjectionType::All)?)
            .global_secondary_indexes(index(keys::TASKS, keys::TASK, keys::DUE, ProjectionType::KeysOnly)?);
        match request.send().await {
            Err(SdkError::ServiceError(error)) if error.err().is_resource_in_use_exception() => {
                return Ok(Created::AlreadyThere);
            }
            outcome => drop(outcome?),
        }
        let expiry = TimeToLiveSpecification::builder().enabled(true).attribute_name(keys::EXPIRES_AT).build()?;
        self.client.update_time_to_live().table_name(&self.name).time_to_live_specification(expiry).send().await?;
        Ok(Created::Yes)
    }
}
