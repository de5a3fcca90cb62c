//! All replays of a user, also those that no list has, for operators.

use super::Replay;
use crate::prelude::*;

/// A replay of a user, and what keeps it out of the list.
#[derive(Clone, Debug)]
pub struct UserReplay {
    /// The replay.
    pub replay: Replay,
    /// Whether the replay is in the list.
    pub is_listed: bool,
    /// Whether the replay is deleted. Its files may still have to be deleted.
    pub is_deleted: bool,
    /// Whether the ban of the owner keeps the replay out of the list.
    pub is_withheld: bool,
    /// Whether a forbidden picture keeps the replay out of the list.
    pub is_forbidden: bool,
}

impl Table {
    /// All replays of a user, newest first.
    pub async fn replays_of(&self, user: &UserId) -> Result<Vec<UserReplay>> {
        let read = |row: &Item| -> Result<UserReplay> {
            Ok(UserReplay {
                replay: Replay::read(row)?,
                is_listed: row.contains_key(keys::LIST),
                is_deleted: row.contains_key("deleted"),
                is_withheld: row.contains_key("withheld"),
                is_forbidden: row.contains_key("forbidden"),
            })
        };
        let request = self.items_of(keys::user_partition(user), keys::REPLAY_PREFIX);
        let rows = self.query(request, usize::MAX, "read replays").await?;
        // Such a row has no replay of its own: a part of another replay, or a file that was deleted before it was one.
        let rows = rows.iter().filter(|row| !row.contains_key("part_of") && row.contains_key("file"));
        let mut replays: Vec<UserReplay> = rows.filter_map(|row| self.ok_or_log(row, read(row))).collect();
        let order = |UserReplay { replay, .. }: &UserReplay| (replay.ended_at, replay.file.clone());
        replays.sort_by_key(|replay| std::cmp::Reverse(order(replay)));
        Ok(replays)
    }
}
