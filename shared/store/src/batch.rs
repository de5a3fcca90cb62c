//! Several items in one request.

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::types::KeysAndAttributes;

use super::{Error, Item, Result, Table, counter_batcher::ItemId, failed, keys};

/// How many keys DynamoDB takes in one request.
const KEYS_A_REQUEST: usize = 100;
/// How often keys that a busy table did not get to are asked for again.
const ATTEMPTS: u32 = 5;
/// How long is waited before that, the first time; each time as much longer.
const PAUSE: Duration = Duration::from_millis(25);

/// How fresh the items have to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Consistency {
    /// As they stand after every write that was acknowledged.
    Strong,
    /// As they stood a moment ago; half the price.
    Eventual,
}

impl Table {
    /// Items by their keys. What is not there is left out.
    pub(super) async fn batch(
        &self,
        wanted: impl IntoIterator<Item = keys::Key>,
        consistency: Consistency,
        context: &'static str,
    ) -> Result<HashMap<ItemId, Item>> {
        self.batch_of(wanted, consistency, &[], context).await
    }

    /// As [`Self::batch`], and of the items only these attributes and the key; without any, all.
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
        for some in wanted.chunks(KEYS_A_REQUEST) {
            found.extend(self.batch_of_some(some, consistency, attributes, context).await?);
        }
        Ok(found)
    }

    /// Items by so many keys as one request may have.
    async fn batch_of_some(
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
                tokio::time::sleep(PAUSE * attempt).await;
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
        if left.is_empty() { Ok(found) } else { Err(Error::new(context, "the table was too busy")) }
    }
}
