//! Reads of many items by key: BatchGetItem, in as many requests as it takes.

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::types::KeysAndAttributes;

use super::{Error, attributes_expression, counter_batcher::ItemId};
use crate::prelude::*;

/// The maximum number of keys in one request, by DynamoDB.
const KEYS_PER_REQUEST: usize = 100;
/// How many responses in succession may leave keys unprocessed: a throttled table, or more than 16 MB of items.
const ATTEMPTS: u32 = 5;
/// The delay before the second attempt; each further delay is longer by this.
const BACKOFF: Duration = Duration::from_millis(25);

/// The read consistency, as DynamoDB defines it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Consistency {
    /// Includes every write that was acknowledged.
    Strong,
    /// May lack the writes of the last second, at half the price.
    Eventual,
}

impl Table {
    /// Reads items by their keys. The result lacks items that do not exist.
    pub(super) async fn batch(
        &self,
        wanted: impl IntoIterator<Item = keys::Key>,
        consistency: Consistency,
        context: &'static str,
    ) -> Result<HashMap<ItemId, Item>> {
        self.batch_of(wanted, consistency, &[], context).await
    }

    /// As [`Self::batch`], but reads only these attributes and the key; all attributes if the list is empty.
    pub(super) async fn batch_of(
        &self,
        wanted: impl IntoIterator<Item = keys::Key>,
        consistency: Consistency,
        attributes: &[&str],
        context: &'static str,
    ) -> Result<HashMap<ItemId, Item>> {
        // Each key once, as DynamoDB requires.
        let wanted: HashMap<ItemId, keys::Key> = wanted.into_iter().map(|key| (keys::id(&key), key)).collect();
        let mut left: Vec<keys::Key> = wanted.into_values().collect();
        let (mut found, mut throttled) = (HashMap::new(), 0);
        while !left.is_empty() {
            let chunk = left.split_off(left.len().saturating_sub(KEYS_PER_REQUEST));
            let mut keys =
                KeysAndAttributes::builder().set_keys(Some(chunk)).consistent_read(consistency == Consistency::Strong);
            if !attributes.is_empty() {
                let (attributes, names) = attributes_expression(attributes);
                keys = keys.projection_expression(attributes).set_expression_attribute_names(Some(names));
            }
            let keys = keys.build().map_err(table_error(context))?;
            let request = self.client.batch_get_item().request_items(&self.name, keys);
            let mut answer = request.send().await.map_err(table_error(context))?;
            let items = answer.responses.as_mut().and_then(|tables| tables.remove(&self.name)).unwrap_or_default();
            found.extend(items.into_iter().map(|item| (keys::id(&item), item)));
            match answer.unprocessed_keys.and_then(|mut tables| tables.remove(&self.name)) {
                None => throttled = 0,
                Some(_) if throttled + 1 == ATTEMPTS => {
                    return Err(Error::new(context, "the table left keys unprocessed each time"));
                }
                Some(unprocessed) => {
                    throttled += 1;
                    tokio::time::sleep(BACKOFF * throttled).await;
                    left.extend(unprocessed.keys);
                }
            }
        }
        Ok(found)
    }
}
