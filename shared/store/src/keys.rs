//! Every key of the table, and who reads what.
//!
//! | item       | `PK`                                | `SK`                   | read by                                          |
//! |------------|-------------------------------------|------------------------|--------------------------------------------------|
//! | room       | `USER#<user>`                       | `ROOM`                 | get_push_url, upload_room, change_status, change_count, get_live_info, enter_group, quit_group, get_link_mic_push_url, get_link_mic_play_url, merge_video_stream, get_roomservice_sign, forbid_live, live_callback, rebuild_user |
//! | account    | `USER#<user>`                       | `ACCOUNT`              | login, register, get_user_info, upload_user_info, upload_room, get_vod_list, get_ugc_list |
//! | sessions   | `SESSIONS#<user>`                   | `SESSIONS`             | login, refresh, every signed call of Gen 2, which writes it too |
//! | attempts   | `ATTEMPTS#<what>#<who>`             | `<window of time>`    | login, register                                  |
//! | stream     | `STREAM#<stream>`                   | `OWNER`                | get_push_url, upload_room, live_callback, get_link_mic_play_url |
//! | replay     | `USER#<user>`                       | `REPLAY#<file>`        | get_live_info, change_count, enter_group, quit_group, live_callback, update_replay, delete_replay, sweep, rebuild_user |
//! | timeline   | `USER#<user>`                       | `TIMELINE`             | get_push_url, upload_room, change_status, forbid_live, live_callback, sweep, rebuild_user |
//! | broadcast  | `USER#<user>`                       | `BROADCAST#<opened at>`     | live_callback, sweep, rebuild_user: what a live or a replay is called |
//! | live       | `USER#<user>`                       | `LIVE#<start>#<stream>` | live_callback, rebuild_user                     |
//! | video      | `USER#<user>`                       | `VIDEO#<file>`         | get_live_info                                    |
//! | member     | `GROUP#<length>#<user>#<group>`     | `MEMBER#<bin>#<user>` | enter_group, quit_group, fetch_group_member_list, get_link_mic_play_url |
//! | head count | `GROUP#<length>#<user>#<group>`     | `COUNT`                | fetch_group_member_list                          |
//! | list count | `COUNT#<list>`, `COUNT#<list>#<level>#<number>` | `<number>` | fetch_list, get_vod_list, get_ugc_list           |
//! | notice     | `NOTICE#<stream>`                   | `<event> <what tells it from others>` | live_callback, sweep, list_notices, show_notice, replay_notices, rebuild_user |
//! | report     | `REPORT#<user>`                     | `<time>#<reporter>`    | operators                                        |
//! | version    | `TABLE`                             | `VERSION`              | every function as it starts, which also opens the connection; without it the version is 1 |
//!
//! The index [`LISTS`] has every row that stands in a list, under `list` (`online`, `offline`, `replays` or `videos`)
//! and `position`; fetch_list, get_vod_list and get_ugc_list read it. Rows are complete in it: a list costs no read per
//! row. The index [`TASKS`] has the keys of what somebody has to look after, under `work` and `due`; sweep reads it, and
//! list_notices.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use super::{counter_batcher::ItemId, limits::Attempt, lists::Position, text};
use protocol::{
    log_names::LogNames,
    sign::md5_hex,
    types::{FileId, GroupId, StreamId, UnixSeconds, UserId},
};
use timeline::UserStream;

/// The partition key.
pub const PK: &str = "PK";
/// The sort key.
pub const SK: &str = "SK";
/// When DynamoDB may delete the item: seconds since 1970.
pub const EXPIRES_AT: &str = "expires_at";
/// The index of everything that stands in a list.
pub const LISTS: &str = "lists";
/// The partition key of [`LISTS`].
pub const LIST: &str = "list";
/// The sort key of [`LISTS`].
pub const POSITION: &str = "position";

/// The index of what somebody has to look after.
pub const TASKS: &str = "tasks";
/// The partition key of [`TASKS`].
pub const TASK: &str = "task";
/// The sort key of [`TASKS`]: seconds since 1970, a number.
pub const DUE: &str = "due";

/// When a count was last added to: seconds since 1970.
pub(super) const CHANGED_AT: &str = "changed_at";
/// How often a count was written.
pub(super) const CHANGES: &str = "changes";
/// What [`CHANGES`] was when a count was last set to what the rows say. If it is the same still, nobody has added since.
pub(super) const RECOUNTED: &str = "recounted";

/// The key of one item.
pub(super) type Key = HashMap<String, AttributeValue>;

/// What tells items apart: partition and sort key.
pub(super) fn id(item: &HashMap<String, AttributeValue>) -> ItemId {
    let part = |name| item.get(name).and_then(|value| value.as_s().ok()).cloned();
    (part(PK), part(SK))
}

/// A key as logs show it: what follows the first `#` may name somebody.
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

/// The partition of everything that is one user's own.
pub(super) fn user_partition(user: &UserId) -> String {
    format!("USER#{user}")
}

/// The room of a user.
pub(super) fn room(user: &UserId) -> Key {
    user_item_key(user, "ROOM")
}

/// The account of a user.
pub(super) fn account(user: &UserId) -> Key {
    user_item_key(user, "ACCOUNT")
}

/// The sessions of a user. Their partition is their own: a function that only has to know its caller may read and write
/// nothing else of a user.
pub(super) fn sessions(user: &UserId) -> Key {
    key(format!("SESSIONS#{user}"), "SESSIONS")
}

/// The count of attempts in a stretch of time.
pub(super) fn attempts(attempt: Attempt<'_>, window: u64) -> Key {
    let (what, who) = match attempt {
        Attempt::UserLogin(user) => ("USER_LOGIN", user),
        Attempt::AddressLogin(address) => ("ADDRESS_LOGIN", address),
        Attempt::AddressRegistration(address) => ("ADDRESS_REGISTRATION", address),
    };
    key(format!("ATTEMPTS#{what}#{who}"), window.to_string())
}

/// The owner of a stream.
pub(super) fn stream(stream: &StreamId) -> Key {
    key(format!("STREAM#{stream}"), "OWNER")
}

/// The partition of what the cloud told of a stream.
pub(super) fn notices_partition(stream: &StreamId) -> String {
    format!("NOTICE#{stream}")
}

/// A notice of the cloud.
pub(super) fn notice(stream: &StreamId, id: &str) -> Key {
    key(notices_partition(stream), id)
}

/// The replay that a file belongs to.
pub(super) fn replay(user: &UserId, file: &FileId) -> Key {
    user_item_key(user, format!("{REPLAY_PREFIX}{file}"))
}

/// What the sort keys of replays begin with.
pub(super) const REPLAY_PREFIX: &str = "REPLAY#";

/// What somebody has to look after, by its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// The timeline of a user.
    User(UserId),
    /// A notice of the cloud, by its stream and its id.
    Notice(StreamId, String),
    /// The viewers of a group, by its host.
    Group(UserId, GroupId),
    /// A deleted replay whose files are not deleted yet, by its user and the file that names it.
    Replay(UserId, FileId),
}

impl Task {
    /// What the item of this key is.
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

    /// Its key.
    pub(super) fn key(&self) -> Key {
        match self {
            Self::User(user) => timeline(user),
            Self::Notice(stream, id) => notice(stream, id),
            Self::Group(host, group) => head_count(host, group),
            Self::Replay(user, file) => replay(user, file),
        }
    }
}

/// What is known of a user.
pub(super) fn timeline(user: &UserId) -> Key {
    user_item_key(user, "TIMELINE")
}

/// The show that was opened at this second.
pub(super) fn broadcast(user: &UserId, UnixSeconds(opened): UnixSeconds) -> Key {
    user_item_key(user, format!("BROADCAST#{opened:010}"))
}

/// What tells the lives of a user apart: the second at which they started, and the stream unless it is the user's own.
pub(super) fn live_id(UnixSeconds(start): UnixSeconds, user_stream: &UserStream) -> String {
    match user_stream {
        UserStream::Own => format!("{start:010}"),
        UserStream::RoomService(stream) => format!("{start:010}#{stream}"),
    }
}

/// A live.
pub(super) fn live(user: &UserId, place: &str) -> Key {
    user_item_key(user, format!("{}{place}", LIVE_PREFIX))
}

/// What the sort keys of lives begin with.
pub(super) const LIVE_PREFIX: &str = "LIVE#";

/// A short video.
pub(super) fn video(user: &UserId, file: &FileId) -> Key {
    user_item_key(user, format!("VIDEO#{file}"))
}

/// The partition of a group. The length keeps `a#b` in `c` apart from `a` in `b#c`.
pub(super) fn group_partition(host: &UserId, group: &GroupId) -> String {
    format!("GROUP#{}#{host}#{group}", host.as_str().len())
}

/// A member of a group. Members stand in bins, each with a count of its own.
pub(super) fn member(host: &UserId, group: &GroupId, user: &UserId) -> Key {
    key(group_partition(host, group), format!("{}{user}", bin_prefix(bin(user))))
}

/// How many bins the members of a group stand in.
pub(super) const BINS: u8 = 64;

/// The bin of a member: by a hash, so that bins fill evenly.
pub(super) fn bin(user: &UserId) -> u8 {
    hash(user.as_str()) % BINS
}

/// What the sort keys of the members of a bin begin with.
pub(super) fn bin_prefix(bin: u8) -> String {
    format!("{MEMBER_PREFIX}{bin:02}#")
}

/// The bin of a member, by what follows [`MEMBER_PREFIX`] in their sort key.
pub(super) fn bin_of(place: &str) -> u8 {
    place.split('#').next().and_then(|bin| bin.parse().ok()).unwrap_or(BINS)
}

/// What the sort keys of members begin with.
pub(super) const MEMBER_PREFIX: &str = "MEMBER#";

/// The counts of a group.
pub(super) fn head_count(host: &UserId, group: &GroupId) -> Key {
    key(group_partition(host, group), "COUNT")
}

/// One byte of a digest: spreads names evenly.
pub(super) fn hash(name: &str) -> u8 {
    u8::from_str_radix(&md5_hex(&[name])[..2], 16).expect("an MD5 is hexadecimal digits")
}

/// The partition of a list's topmost counts.
pub(super) fn top_counts_partition(list: &str) -> String {
    format!("COUNT#{list}")
}

/// A node of a list's counts. The topmost level is one partition, to be read whole; each node below has its own.
pub(super) fn list_count(list: &str, level: u32, top: u32, number: u64) -> Key {
    let partition = top_counts_partition(list);
    let partition = if level == top { partition } else { format!("{partition}#{level}#{number}") };
    key(partition, format!("{number:010}"))
}

/// The sort key in [`LISTS`] of a row. The id keeps the order of rows at one position the same on every page.
pub(super) fn list_sort_key(position: Position, id: &str) -> String {
    format!("{}#{id}", first_sort_key(position))
}

/// A sort key that stands just before every row at this position.
pub(super) fn first_sort_key(Position(position): Position) -> String {
    format!("{position:012}")
}

/// The version of the table.
pub(super) fn version() -> Key {
    key("TABLE".to_owned(), "VERSION")
}

/// A report about `host`.
pub(super) fn report(host: &UserId, at: UnixSeconds, reporter: &UserId) -> Key {
    key(format!("REPORT#{host}"), format!("{at}#{reporter}"))
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
