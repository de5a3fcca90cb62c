//! Reads of many items by key: BatchGetItem, in as many requests as it takes.

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::types::KeysAndAttributes;

use super::{Error, Item, Result, Table, counter_batcher::ItemId, failed, keys};

/// The maximum number of keys in one request, by DynamoDB.
const KEYS_PER_REQUEST: usize = 100;
/// How many times the keys that a throttled table left unprocessed are requested.
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
        let wanted: HashMap<ItemId, keys::Key> = wanted.into_iter().map(|key| (keys::id(&key), key)).collect();
        let wanted: Vec<(ItemId, keys::Key)> = wanted.into_iter().collect();
        let mut found = HashMap::new();
        for chunk in wanted.chunks(KEYS_PER_REQUEST) {
            found.extend(self.batch_chunk(chunk, consistency, attributes, context).await?);
        }
        Ok(found)
    }

    /// As [`Self::batch_of`], for at most [`KEYS_PER_REQUEST`] keys.
    async fn batch_chunk(
        &self,
        wanted: &[(ItemId, keys::Key)],
        consistency: Consistency,
        attributes: &[&str],
        context: &'static str,
    ) -> Result<HashMap<ItemId, Item>> {
        let mut left: HashMap<ItemId, keys::Key> = wanted.iter().cloned().collect();
        let mut found = HashMap::new();
        for attempt in 0..ATTEMPTS {
            if left.is_empty() {
                return Ok(found);
            }
            if attempt > 0 {
                tokio::time::sleep(BACKOFF * attempt).await;
            }
            let mut keys = KeysAndAttributes::builder()
                .set_keys(Some(left.values().cloned().collect()))
                .consistent_read(consistency == Consistency::Strong);
            if !attributes.is_empty() {
                let names = [keys::PK, keys::SK].iter().chain(attributes).map(|name| format!("#{name}"));
                keys = keys.projection_expression(names.collect::<Vec<_>>().join(", "));
                for name in [keys::PK, keys::SK].iter().chain(attributes) {
                    keys = keys.expression_attribute_names(format!("#{name}"), *name);
                }
            }
            let request =
                self.client.batch_get_item().request_items(&self.name, keys.build().map_err(failed(context))?);
            let mut answer = request.send().await.map_err(failed(context))?;
            for item in answer.responses.as_mut().and_then(|tables| tables.remove(&self.name)).unwrap_or_default() {
                found.insert(keys::id(&item), item);
            }
            let unprocessed = answer.unprocessed_keys.and_then(|mut tables| tables.remove(&self.name));
            let unprocessed: Vec<ItemId> = unprocessed.iter().flat_map(|keys| keys.keys()).map(keys::id).collect();
            left.retain(|id, _| unprocessed.contains(id));
        }
        if left.is_empty() { Ok(found) } else { Err(Error::new(context, "the table left keys unprocessed each time")) }
    }
}
