//! The list of the verdicts of the cloud's moderation (event 317), which are notices in the ledger.

use super::{Notice, NoticeRecord, lists::Position};
use crate::prelude::*;

/// The list.
const LIST: &str = "verdicts";
/// How far back the list goes: 30 days.
const LISTED_SECONDS: u64 = 30 * 24 * 3600;

/// Puts the record of a verdict into the list.
pub(super) fn list_if_verdict(update: Update, notice: &Notice, received_at: UnixSeconds) -> Update {
    if !notice.id.starts_with("317 ") {
        return update;
    }
    let position = Position::of(received_at, &notice.id);
    let place = keys::list_sort_key(position, &notice.id);
    update.set(keys::LIST, text(LIST)).set(keys::POSITION, text(place))
}

impl Table {
    /// A page of the verdicts of the last 30 days, newest first, and whether more follow.
    pub async fn verdicts(&self, now: UnixSeconds, page: Page) -> Result<(Vec<NoticeRecord>, bool)> {
        let (rows, has_more) = self.uncounted_page(LIST, now.minus(LISTED_SECONDS), page).await?;
        Ok((rows.iter().filter_map(|row| self.ok_or_log(row, NoticeRecord::read(row))).collect(), has_more))
    }
}
