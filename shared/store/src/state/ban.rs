//! Bans, and the actions that a ban or its end requires.

use serde::{Deserialize, Serialize};

use super::{BroadcasterState, KEPT_SECONDS, RowWriter};
use crate::{lists::Position, prelude::*};
use protocol::json::to_text;
use timeline::{End, Evidence};

/// The list of the users who are banned.
const LIST: &str = "bans";

/// A ban: the user may not broadcast.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ban {
    /// When the operator banned the user.
    pub at: u64,
    /// The end; `None` if the ban has no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
    /// The reason, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The operator.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub actor: String,
    /// Whether the user's replays are not listed either.
    #[serde(default)]
    pub hides_replays: bool,
    /// When the cloud has to be asked again to forbid the stream: it does so for a limited time.
    #[serde(default)]
    pub renew_at: u64,
}

impl Ban {
    /// Whether the ban has not ended.
    pub fn holds(&self, now: UnixSeconds) -> bool {
        self.until.is_none_or(|until| now.0 < until)
    }
}

/// An action that a ban, or the end of a ban, requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PendingAction {
    /// Ask the cloud to cut the push of the stream, and to refuse further ones.
    ForbidStream,
    /// Ask the cloud to accept pushes of the stream again.
    AllowStream,
    /// Ask the cloud to cut the push of the stream, and to accept further ones.
    CutStream,
    /// End all sessions of the user.
    EndSessions,
    /// Remove the user's replays from the list.
    WithholdReplays,
    /// Return them to the list.
    ReleaseReplays,
}

impl BroadcasterState {
    /// Bans the user, or replaces the ban, and adds the pending actions.
    pub(crate) fn ban(&mut self, ban: &Ban, now: UnixSeconds) {
        // Even if no live is known: its start may be reported late.
        self.timeline.add(Evidence::Off(now, End::Banned));
        self.withhold_or_release(ban.hides_replays);
        self.pending_actions.extend([PendingAction::ForbidStream, PendingAction::EndSessions]);
        self.pending_actions.remove(&PendingAction::AllowStream);
        self.ban = Some(ban.clone());
    }

    /// Lifts the ban, and adds the pending actions.
    pub(crate) fn lift(&mut self) {
        self.withhold_or_release(false);
        self.pending_actions.insert(PendingAction::AllowStream);
        self.pending_actions
            .retain(|action| ![PendingAction::ForbidStream, PendingAction::EndSessions].contains(action));
        self.ban = None;
    }

    fn withhold_or_release(&mut self, withholds: bool) {
        let withheld = self.ban.as_ref().is_some_and(|ban| ban.hides_replays);
        if withholds {
            self.pending_actions.remove(&PendingAction::ReleaseReplays);
            self.pending_actions.insert(PendingAction::WithholdReplays);
        } else if withheld {
            self.pending_actions.remove(&PendingAction::WithholdReplays);
            self.pending_actions.insert(PendingAction::ReleaseReplays);
        }
    }
}

impl RowWriter<'_> {
    /// Writes the row of the ban, which list_bans reads. After the ban the row stays for some time, in no list: its revision
    /// keeps slower writers from listing the ban again.
    pub(super) async fn write_ban(&self) -> Result<()> {
        let Self { user, state, now, .. } = self;
        let update = self.update(keys::ban(user)).set("user", text(user.as_str()));
        let update = match &state.ban {
            Some(ban) => {
                let position = Position::of(UnixSeconds(ban.at), user.as_str());
                update
                    .set("ban", text(to_text(ban)))
                    .set(keys::LIST, text(LIST))
                    .set(keys::POSITION, text(keys::list_sort_key(position, user.as_str())))
                    .remove(keys::EXPIRES_AT)
            }
            None => {
                let update = update.remove("ban").remove(keys::LIST).remove(keys::POSITION);
                update.set(keys::EXPIRES_AT, unix_seconds(now.plus(KEPT_SECONDS)))
            }
        };
        update.send(self.table, "write a ban").await.map(drop)
    }
}

impl Table {
    /// A page of the bans, newest first, with their users; and whether more follow.
    pub async fn bans(&self, page: Page) -> Result<(Vec<(UserId, Ban)>, bool)> {
        let read = |row: &Item| -> Result<(UserId, Ban)> {
            let ban = serde_json::from_str(text_in(row, "ban")?).map_err(|_| invalid_attribute("ban"))?;
            Ok((parsed(row, "user", UserId::parse)?, ban))
        };
        let (rows, has_more) = self.uncounted_page(LIST, UnixSeconds(0), page).await?;
        Ok((rows.iter().filter_map(|row| self.ok_or_log(row, read(row))).collect(), has_more))
    }
}
