//! The table: one method per question that a command asks.
//!
//! Everything is in one DynamoDB table, reached through the AWS SDK: in the cloud, on a machine of one's own, and in
//! the tests. [`keys`] says what is in it. Core paths use conditional writes of single items only, and nothing scans,
//! so any server that speaks DynamoDB's interface will do.

mod accounts;
mod batch;
mod broadcaster_state;
pub mod connect;
mod counter_batcher;
pub mod keys;
mod ledger;
mod limits;
mod lists;
mod lives;
mod members;
pub mod password;
mod rebuild;
mod recount;
mod replays;
mod reports;
mod rooms;
pub mod rules;
mod sessions;
mod streams;
mod tasks;
mod unconfirmed;
mod update;
mod version;
mod videos;

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
    broadcaster_state::{Ban, BroadcasterState, PendingAction},
    keys::Task,
    ledger::{Notice, NoticeRecord, NoticeStatus},
    limits::Attempt,
    lists::ListPage,
    lives::{LiveRow, Totals},
    members::Member,
    rebuild::{Compared, Difference},
    replays::{PendingDeletion, Replay, ReplayChanges},
    rooms::{BroadcastInfo, Opened, Profile, Room, Status},
    sessions::{Renewal, Session, Sessions},
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

/// The table could not answer: what was asked, and why not.
#[derive(Debug, ThisError)]
#[error("the table could not {context}")]
pub struct Error {
    context: &'static str,
    source: Box<dyn std::error::Error + Send + Sync>,
    /// It is because of the item: the table itself is well.
    is_item_fault: bool,
}

impl Error {
    fn new(context: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { context, source: source.into(), is_item_fault: false }
    }

    fn with_item_fault(self) -> Self {
        Self { is_item_fault: true, ..self }
    }

    /// Whether it is because of the item that was read or written, and other items are not concerned.
    fn is_item_fault(&self) -> bool {
        self.is_item_fault
    }
}

impl From<Error> for protocol::error::Error {
    fn from(error: Error) -> Self {
        Self::Table(error.into())
    }
}

/// Others wrote every time.
fn too_many_conflicts(context: &'static str) -> Error {
    Error::new(context, "others wrote the same item each time").with_item_fault()
}

type Result<T> = std::result::Result<T, Error>;

/// Wraps what the SDK says.
fn failed<E>(context: &'static str) -> impl FnOnce(E) -> Error
where
    E: std::error::Error + Send + Sync + 'static,
{
    move |source| Error::new(context, source)
}

/// An item that is not what our own code writes.
fn invalid_attribute(attribute: &str) -> Error {
    Error::new("understand an item", format!("{attribute} is missing or of another type")).with_item_fault()
}

/// The table.
#[derive(Clone, Debug)]
pub struct Table {
    client: Client,
    /// The same, for what must not be done twice.
    no_retry_client: Client,
    name: String,
    counter_batcher: Arc<CounterBatcher>,
    unconfirmed: UnconfirmedWrites,
    latest_clock: Arc<LatestClock>,
    log_names: LogNames,
}

/// What is left of a query: `None` if it has been answered whole.
struct Pages {
    request: Option<QueryFluentBuilder>,
    wanted: Option<usize>,
    context: &'static str,
}

impl Pages {
    /// The next answer, which may have no items although more follow.
    async fn next(&mut self) -> Result<Option<Vec<Item>>> {
        let Some(request) = self.request.take().filter(|_| self.wanted != Some(0)) else { return Ok(None) };
        let limit = self.wanted.and_then(|wanted| i32::try_from(wanted).ok());
        let answer = request.clone().set_limit(limit).send().await.map_err(failed(self.context))?;
        let items = answer.items.unwrap_or_default();
        self.wanted = self.wanted.map(|wanted| wanted.saturating_sub(items.len()));
        self.request = answer.last_evaluated_key.map(|last| request.set_exclusive_start_key(Some(last)));
        Ok(Some(items))
    }
}

/// An item as the SDK has it.
type Item = HashMap<String, AttributeValue>;

fn text(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

fn number(number: impl ToString) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

fn unix_seconds(UnixSeconds(seconds): UnixSeconds) -> AttributeValue {
    number(seconds)
}

/// The text of an attribute; attributes that are empty are not written.
fn text_in<'a>(item: &'a Item, attribute: &str) -> Result<&'a str> {
    match item.get(attribute) {
        None => Ok(""),
        Some(AttributeValue::S(text)) => Ok(text),
        Some(_) => Err(invalid_attribute(attribute)),
    }
}

/// The number of an attribute; a counter that nobody has counted up is not there and is zero.
fn number_in(item: &Item, attribute: &str) -> Result<i64> {
    match item.get(attribute) {
        None => Ok(0),
        Some(AttributeValue::N(number)) => number.parse().map_err(|_| invalid_attribute(attribute)),
        Some(_) => Err(invalid_attribute(attribute)),
    }
}

/// A counter: never below zero, whatever happened to it.
fn counter_in(item: &Item, attribute: &str) -> Result<u64> {
    Ok(number_in(item, attribute)?.try_into().unwrap_or(0))
}

fn unix_seconds_in(item: &Item, attribute: &str) -> Result<UnixSeconds> {
    number_in(item, attribute)?.try_into().map(UnixSeconds).map_err(|_| invalid_attribute(attribute))
}

/// What was read of an item; of one that is damaged nothing, and a line in the log: it must not keep others from being
/// read.
fn ok_or_log<T>(names: &LogNames, item: &Item, read: Result<T>) -> Option<T> {
    match read {
        Ok(read) => Some(read),
        Err(error) => {
            tracing::error!(key = keys::key_for_log(item, names), error = %Chain(&error), "a damaged item is left out");
            None
        }
    }
}

/// Reads an attribute through the rule of its type.
fn parsed<T>(item: &Item, attribute: &str, parse: fn(&str) -> Option<T>) -> Result<T> {
    parse(text_in(item, attribute)?).ok_or_else(|| invalid_attribute(attribute))
}

impl Table {
    /// The table of this name.
    pub fn new(client: Client, name: impl Into<String>) -> Self {
        let unconfirmed = UnconfirmedWrites::default();
        let config = client.config().to_builder().interceptor(unconfirmed.clone());
        let no_retry_client = Client::from_conf(config.clone().retry_classifier(NoRetryIfSent).build());
        let client = Client::from_conf(config.build());
        let (counter_batcher, latest_clock, log_names) = (Arc::default(), Arc::default(), LogNames::Plain);
        Self { client, no_retry_client, name: name.into(), counter_batcher, unconfirmed, latest_clock, log_names }
    }

    /// The same; its log names users, streams and addresses so.
    #[must_use]
    pub fn with_log_names(self, log_names: LogNames) -> Self {
        Self { log_names, ..self }
    }

    /// A key as the log shows it.
    fn key_for_log(&self, key: &keys::Key) -> String {
        keys::key_for_log(key, &self.log_names)
    }

    /// See [`ok_or_log`].
    fn ok_or_log<T>(&self, item: &Item, read: Result<T>) -> Option<T> {
        ok_or_log(&self.log_names, item, read)
    }

    /// One item, as it stands after every write that was acknowledged.
    async fn get(&self, key: keys::Key, context: &'static str) -> Result<Option<Item>> {
        let request = self.client.get_item().table_name(&self.name).set_key(Some(key)).consistent_read(true);
        Ok(request.send().await.map_err(failed(context))?.item)
    }

    /// The items of a query, as many as are wanted, however many answers they come in.
    async fn query(&self, request: QueryFluentBuilder, wanted: usize, context: &'static str) -> Result<Vec<Item>> {
        let mut items = Vec::new();
        let mut pages = self.pages(request, Some(wanted), context);
        while let Some(page) = pages.next().await? {
            items.extend(page);
        }
        Ok(items)
    }

    /// The answers that a query comes in, up to as many items as are wanted.
    fn pages(&self, request: QueryFluentBuilder, wanted: Option<usize>, context: &'static str) -> Pages {
        Pages { request: Some(request.table_name(&self.name)), wanted, context }
    }

    /// Makes the table, unless it is there: for the local server and the tests. In the cloud `template.yaml` makes it.
    pub async fn create_if_missing(&self) -> Result<Created> {
        const MAKE: &str = "be made";
        let attribute = |name, kind| AttributeDefinition::builder().attribute_name(name).attribute_type(kind).build();
        let key = |name, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build();
        let index = |name, hash, range, projected| {
            let keys =
                [key(hash, KeyType::Hash).map_err(failed(MAKE))?, key(range, KeyType::Range).map_err(failed(MAKE))?];
            let projection = Projection::builder().projection_type(projected).build();
            let index = GlobalSecondaryIndex::builder().index_name(name).set_key_schema(Some(keys.to_vec()));
            index.projection(projection).build().map_err(failed(MAKE))
        };
        let mut request = self.client.create_table().table_name(&self.name).billing_mode(BillingMode::PayPerRequest);
        for name in [keys::PK, keys::SK, keys::LIST, keys::POSITION, keys::TASK] {
            request = request.attribute_definitions(attribute(name, ScalarAttributeType::S).map_err(failed(MAKE))?);
        }
        request = request.attribute_definitions(attribute(keys::DUE, ScalarAttributeType::N).map_err(failed(MAKE))?);
        let request = request
            .key_schema(key(keys::PK, KeyType::Hash).map_err(failed(MAKE))?)
            .key_schema(key(keys::SK, KeyType::Range).map_err(failed(MAKE))?)
            .global_secondary_indexes(index(keys::LISTS, keys::LIST, keys::POSITION, ProjectionType::All)?)
            .global_secondary_indexes(index(keys::TASKS, keys::TASK, keys::DUE, ProjectionType::KeysOnly)?);
        match request.send().await {
            Ok(_) => {
                let expiry = TimeToLiveSpecification::builder().enabled(true).attribute_name(keys::EXPIRES_AT).build();
                let request = self.client.update_time_to_live().table_name(&self.name);
                let request = request.time_to_live_specification(expiry.map_err(failed(MAKE))?);
                request.send().await.map_err(failed(MAKE))?;
                Ok(Created::Yes)
            }
            Err(SdkError::ServiceError(error)) if error.err().is_resource_in_use_exception() => {
                Ok(Created::AlreadyThere)
            }
            Err(error) => Err(failed(MAKE)(error)),
        }
    }
}
