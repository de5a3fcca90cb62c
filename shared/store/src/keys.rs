//! The schema of the DynamoDB table: every kind of item, its keys, and the functions that read it.
//!
//! | item       | `PK`                                | `SK`                   | read by                                          |
//! |------------|-------------------------------------|------------------------|--------------------------------------------------|
//! | room       | `USER#<user>`                       | `ROOM`                 | the writers of states, change_count, get_live_info, enter_group, quit_group, get_link_mic_push_url, get_link_mic_play_url, merge_video_stream, get_roomservice_sign, list_rooms, list_verdicts, list_notices |
//! | account    | `USER#<user>`                       | `ACCOUNT`              | login, get_user_info, upload_room, get_vod_list, get_ugc_list; login and register create it |
//! | sessions   | `SESSIONS#<user>`                   | `SESSIONS`             | login, refresh, every signed call of Gen 2, which writes it too |
//! | attempts   | `ATTEMPTS#<kind>#<user or address>` | `<time window>`        | login, register                                  |
//! | stream     | `STREAM#<stream>`                   | `OWNER`                | live_callback, replay_notices, rebuild_user, sweep, get_link_mic_play_url, merge_video_stream |
//! | replay     | `USER#<user>`                       | `REPLAY#<file>`        | the writers of states, get_live_info, change_count, enter_group, quit_group, list_replays |
//! | state      | `USER#<user>`                       | `TIMELINE`             | the writers of states, list_notices              |
//! | start request | `USER#<user>`                    | `BROADCAST#<time>`     | the writers of states: the title, the profile and the cover of the start request |
//! | live       | `USER#<user>`                       | `LIVE#<start>#<stream>` | the writers of states                            |
//! | video      | `USER#<user>`                       | `VIDEO#<file>`         | get_live_info                                    |
//! | member     | `GROUP#<length>#<user>#<group>`     | `MEMBER#<bin>#<user>`  | enter_group, quit_group, fetch_group_member_list, get_link_mic_play_url, sweep |
//! | head count | `GROUP#<length>#<user>#<group>`     | `COUNT`                | fetch_group_member_list                          |
//! | list count | `COUNT#<tree>`, `COUNT#<tree>#<level>#<number>` | `<number>` | fetch_list, get_vod_list, get_ugc_list, sweep    |
//! | notice     | `NOTICE#<stream>`                   | `<event> <id of the notice>` | live_callback, sweep, list_notices, show_notice, replay_notices, rebuild_user |
//! | report     | `REPORT#<user>`                     | `<time>#<reporter>`    | list_reports                                     |
//! | ban        | `USER#<user>`                       | `BAN`                  | list_bans: a copy of the ban in the state        |
//! | version    | `TABLE`                             | `VERSION`              | every function when it starts, to open the connection as well; a table without this item has version 1 |
//!
//! The writers of states are get_push_url, upload_room, change_status, update_replay, delete_replay, forbid_live,
//! live_callback, replay_notices, rebuild_user and sweep. Each also writes the dirty rows that an earlier process left,
//! so each may read every item that such a row follows from. `interface` serves all commands that have an Action.
//!
//! Two global secondary indexes:
//!
//! - [`LISTS`] has every row that is in a list, by `list` (`online`, `offline`, `replays` or `videos`) and `position`.
//!   fetch_list, get_vod_list and get_ugc_list read it. It has all attributes of a row: a list needs no read per row.
//!   The lists of operators (`hidden`, `bans`, `reports` and `verdicts`) have no counters. list_rooms, list_bans,
//!   list_reports and list_verdicts read them.
//! - [`TASKS`] has the keys of every item with a task, by `task` and `due`. sweep and list_notices read it.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use super::{counter_batcher::ItemId, limits::Attempt, lists::Position};
use crate::prelude::*;
use protocol::{
    log_names::LogNames,
    sign::md5_hex,
    types::{GroupId, StreamId},
};
use timeline::UserStream;

/// The partition key.
pub const PK: &str = "PK";
/// The sort key.
pub const SK: &str = "SK";
/// The time to live: DynamoDB may delete the item from this time on (seconds since 1970).
pub const EXPIRES_AT: &str = "expires_at";
/// The index of the rows that are in a list.
pub const LISTS: &str = "lists";
/// The partition key of [`LISTS`].
pub const LIST: &str = "list";
/// The sort key of [`LISTS`].
pub const POSITION: &str = "position";

/// The index of the items with a task: something that the sweep has to do at a time.
pub const TASKS: &str = "tasks";
/// The partition key of [`TASKS`].
pub const TASK: &str = "task";
/// The sort key of [`TASKS`], a number: when the task is due, in seconds since 1970.
pub const DUE: &str = "due";

/// When a counter of the item was last added to: seconds since 1970.
pub(super) const CHANGED_AT: &str = "changed_at";
/// How many times the counters of the item were written.
pub(super) const CHANGES: &str = "changes";
/// The value of [`CHANGES`] when a recount last set the counters. While both are equal, nothing was added since.
pub(super) const RECOUNTED: &str = "recounted";

/// The primary key of one item: the attributes [`PK`] and [`SK`].
pub(super) type Key = HashMap<String, AttributeValue>;

/// The primary key of an item, as a key of maps.
pub(super) fn id(item: &HashMap<String, AttributeValue>) -> ItemId {
    let part = |name| item.get(name).and_then(|value| value.as_s().ok()).cloned();
    (part(PK), part(SK))
}

/// A key, as the log shows it. What follows the first `#` of each part can be a user, so the log may need a pseudonym.
pub(super) fn key_for_log(key: &Key, names: &LogNames) -> String {
    let part = |part: Option<String>| {
        let part = part.unwrap_or_default();
        part.split_once('#').map(|(kind, name)| format!("{kind}#{}", names.of(name))).unwrap_or(part)
    };
    let (pk, sk) = id(key);
    format!("{} {}", part(pk), part(sk))
}

fn key(pk: String, sk: impl Into<String>) -> Key {
    HashMap::from([(PK.to_owned(), text(pk)), (SK.to_owned(), text(sk.into()))])
}

fn user_item_key(user: &UserId, sk: impl Into<String>) -> Key {
    key(user_partition(user), sk)
}

/// The partition of a user's room, account, timeline, broadcasts, lives, replays and videos.
pub(super) fn user_partition(user: &UserId) -> String {
    format!("USER#{user}")
}

pub(super) fn room(user: &UserId) -> Key {
    user_item_key(user, "ROOM")
}

pub(super) fn account(user: &UserId) -> Key {
    user_item_key(user, "ACCOUNT")
}

/// The sessions of a user. They have a partition of their own, so that a function that only authenticates its caller
/// needs no right to the user's other items.
pub(super) fn sessions(user: &UserId) -> Key {
    key(format!("SESSIONS#{user}"), "SESSIONS")
}

pub(super) fn attempts(attempt: Attempt<'_>, window: u64) -> Key {
    let (what, who) = match attempt {
        Attempt::UserLogin(user) => ("USER_LOGIN", user),
        Attempt::AddressLogin(address) => ("ADDRESS_LOGIN", address),
        Attempt::AddressRegistration(address) => ("ADDRESS_REGISTRATION", address),
    };
    key(format!("ATTEMPTS#{what}#{who}"), window.to_string())
}

pub(super) fn stream(stream: &StreamId) -> Key {
    key(format!("STREAM#{stream}"), "OWNER")
}

pub(super) fn notices_partition(stream: &StreamId) -> String {
    format!("NOTICE#{stream}")
}

pub(super) fn notice(stream: &StreamId, id: &str) -> Key {
    key(notices_partition(stream), id)
}

pub(super) fn replay(user: &UserId, file: &FileId) -> Key {
    user_item_key(user, format!("{REPLAY_PREFIX}{file}"))
}

pub(super) const REPLAY_PREFIX: &str = "REPLAY#";

/// An item with a task for the sweep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// The state of this user.
    User(UserId),
    /// A notice of the live cloud that is not finished: its stream and its id.
    Notice(StreamId, String),
    /// The viewers of a group: its host and its id.
    Group(UserId, GroupId),
    /// A deleted replay whose files are not all deleted yet: its user and the file that identifies it.
    Replay(UserId, FileId),
}

impl Task {
    /// The task of the item with this key; `None` if items of its kind have no task.
    pub(super) fn of_key(key: &Key) -> Option<Self> {
        let (Some(pk), Some(sk)) = id(key) else { return None };
        let (kind, name) = pk.split_once('#')?;
        match (kind, sk.as_str()) {
            ("USER", "TIMELINE") => UserId::parse(name).map(Self::User),
            ("USER", _) => Some(Self::Replay(UserId::parse(name)?, FileId::parse(sk.strip_prefix(REPLAY_PREFIX)?)?)),
            ("NOTICE", _) => Some(Self::Notice(StreamId::parse(name)?, sk)),
            ("GROUP", "COUNT") => {
                let (length, rest) = name.split_once('#')?;
                let (host, group) = rest.split_at_checked(length.parse().ok()?)?;
                Some(Self::Group(UserId::parse(host)?, GroupId::parse(group.strip_prefix('#')?)?))
            }
            _ => None,
        }
    }

    /// The key of the item.
    pub(super) fn key(&self) -> Key {
        match self {
            Self::User(user) => timeline(user),
            Self::Notice(stream, id) => notice(stream, id),
            Self::Group(host, group) => head_count(host, group),
            Self::Replay(user, file) => replay(user, file),
        }
    }
}

pub(super) fn timeline(user: &UserId) -> Key {
    user_item_key(user, "TIMELINE")
}

/// The information of the start request of this second, also of one that only renews a broadcast.
pub(super) fn start_request(user: &UserId, UnixSeconds(opened): UnixSeconds) -> Key {
    user_item_key(user, format!("BROADCAST#{opened:010}"))
}

/// The id of a live among its user's: the second of its start, then the stream unless that is the user's own.
pub(super) fn live_id(UnixSeconds(start): UnixSeconds, user_stream: &UserStream) -> String {
    match user_stream {
        UserStream::Own => format!("{start:010}"),
        UserStream::RoomService(stream) => format!("{start:010}#{stream}"),
    }
}

/// The start and the stream of the live with this [id](live_id).
pub(super) fn live_of_id(id: &str) -> Option<(UnixSeconds, UserStream)> {
    let (start, stream) = id.split_once('#').map_or((id, None), |(start, stream)| (start, Some(stream)));
    let user_stream = match stream {
        Some(stream) => UserStream::of_room_service(&StreamId::parse(stream)?),
        None => UserStream::Own,
    };
    Some((UnixSeconds(start.parse().ok()?), user_stream))
}

/// A live, by its [id](live_id).
pub(super) fn live(user: &UserId, id: &str) -> Key {
    user_item_key(user, format!("{LIVE_PREFIX}{id}"))
}

pub(super) const LIVE_PREFIX: &str = "LIVE#";

pub(super) fn video(user: &UserId, file: &FileId) -> Key {
    user_item_key(user, format!("VIDEO#{file}"))
}

/// The partition of a group. With the length of the host's name, group `c` of host `a#b` and group `b#c` of host `a`
/// have different partitions.
pub(super) fn group_partition(host: &UserId, group: &GroupId) -> String {
    format!("GROUP#{}#{host}#{group}", host.as_str().len())
}

/// A member of a group. Members are divided into bins by a hash, each with a count of its own.
pub(super) fn member(host: &UserId, group: &GroupId, user: &UserId) -> Key {
    key(group_partition(host, group), format!("{}{user}", bin_prefix(bin(user))))
}

/// How many bins the members of a group are divided into.
pub(super) const BINS: u8 = 64;

/// The bin of a member. The hash makes bins about equally large.
pub(super) fn bin(user: &UserId) -> u8 {
    hash(user.as_str()) % BINS
}

/// The prefix of the sort keys of the members of a bin.
pub(super) fn bin_prefix(bin: u8) -> String {
    format!("{MEMBER_PREFIX}{bin:02}#")
}

/// The bin of a member, from the part of the sort key after [`MEMBER_PREFIX`].
pub(super) fn bin_of(suffix: &str) -> u8 {
    suffix.split('#').next().and_then(|bin| bin.parse().ok()).unwrap_or(BINS)
}

pub(super) const MEMBER_PREFIX: &str = "MEMBER#";

pub(super) fn head_count(host: &UserId, group: &GroupId) -> Key {
    key(group_partition(host, group), "COUNT")
}

/// A hash of one byte.
pub(super) fn hash(name: &str) -> u8 {
    u8::from_str_radix(&md5_hex(&[name])[..2], 16).expect("an MD5 is hexadecimal digits")
}

/// The partition of the top-level nodes of a list's tree of counters.
pub(super) fn top_counts_partition(list: &str) -> String {
    format!("COUNT#{list}")
}

/// A node of a list's tree of counters. All nodes of the top level are in one partition, which one query reads. Each
/// node of a lower level has a partition of its own.
pub(super) fn list_count(list: &str, level: u32, top: u32, number: u64) -> Key {
    let partition = top_counts_partition(list);
    let partition = if level == top { partition } else { format!("{partition}#{level}#{number}") };
    key(partition, format!("{number:010}"))
}

/// The sort key of a row in [`LISTS`]. The id makes the order of rows at one position the same for every page.
pub(super) fn list_sort_key(position: Position, id: &str) -> String {
    format!("{}#{id}", first_sort_key(position))
}

/// The sort key in [`LISTS`] that sorts just before every row at this position.
pub(super) fn first_sort_key(Position(position): Position) -> String {
    format!("{position:012}")
}

pub(super) fn version() -> Key {
    key("TABLE".to_owned(), "VERSION")
}

/// The ban of a user, for the list of bans.
pub(super) fn ban(user: &UserId) -> Key {
    user_item_key(user, "BAN")
}

/// The partition of the reports about a broadcaster.
pub(super) fn reports_partition(host: &UserId) -> String {
    format!("REPORT#{host}")
}

/// A report of abuse by `host`.
pub(super) fn report(host: &UserId, at: UnixSeconds, reporter: &UserId) -> Key {
    key(reports_partition(host), format!("{at}#{reporter}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_hold_the_separator_do_not_meet() {
        let user = |name| UserId::parse(name).unwrap();
        let group = |name| GroupId::parse(name).unwrap();
        assert_ne!(group_partition(&user("a#b"), &group("c")), group_partition(&user("a"), &group("b#c")));
    }

    #[test]
    fn the_longest_names_fit_into_a_key() {
        let (user, group) = (UserId::parse(&"😀".repeat(128)).unwrap(), GroupId::parse(&"😀".repeat(200)).unwrap());
        let file = FileId::parse(&"😀".repeat(200)).unwrap();
        assert!(group_partition(&user, &group).len() <= 2048);
        for key in [member(&user, &group, &user), video(&user, &file)] {
            assert!(key[SK].as_s().unwrap().len() <= 1024);
        }
        assert!(list_sort_key(Position(0), file.as_str()).len() <= 1024);
    }
}
