//! What somebody has to look after: items that say in the index of work when they are due.

use super::{Result, Table, keys, keys::Work, moment, number, text, timelines::OPEN, update::Update};
use crate::types::UnixSeconds;

impl Table {
    /// What is due, the longest due first, at most so much of it. One request, if nothing is.
    pub async fn due(&self, now: UnixSeconds, most: usize) -> Result<Vec<Work>> {
        let request = self
            .client
            .query()
            .index_name(keys::WORKS)
            .key_condition_expression("#work = :open AND #due <= :now")
            .expression_attribute_names("#work", keys::WORK)
            .expression_attribute_names("#due", keys::DUE)
            .expression_attribute_values(":open", text(OPEN))
            .expression_attribute_values(":now", number(now));
        let items = self.query(request, most, "look for work").await?;
        Ok(items.iter().filter_map(Work::at).collect())
    }

    /// Writes when somebody should look after it again; never, without a time. Nothing happens if it is gone.
    pub async fn postpone(&self, work: &Work, due: Option<UnixSeconds>) -> Result<()> {
        let update = Update::of(work.key()).when("attribute_exists(PK)");
        let update = match due {
            Some(due) => update.set(keys::WORK, text(OPEN)).set(keys::DUE, moment(due)),
            None => update.remove(keys::WORK).remove(keys::DUE),
        };
        update.send(self, "postpone work").await.map(|_| ())
    }
}
