//! The events that a timeline is made of.

use serde::{Deserialize, Serialize};

use super::{End, ReplayPart, is_default};
use protocol::types::{StreamId, UnixSeconds};

/// One event in the history of a user's streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// A start request: the app asked for a push URL, either for a new broadcast or again during the current one.
    StartRequested(UnixSeconds),
    /// The cloud reported the start of a push.
    Started {
        /// The stream of the push.
        user_stream: UserStream,
        /// The name of the push: the cloud's `sequence`.
        push: String,
        /// When the push started.
        at: UnixSeconds,
    },
    /// The cloud reported the end of a push.
    Ended {
        /// The stream of the push.
        user_stream: UserStream,
        /// The name of the push: the cloud's `sequence`.
        push: String,
        /// When the push ended.
        at: UnixSeconds,
        /// The duration of the push; `None` if the notice has none.
        seconds: Option<u64>,
        /// Why the push ended; `None` if the notice has no reason.
        reason: Option<Reason>,
    },
    /// A status report without the name of a push: the user's own stream is live.
    On(UnixSeconds),
    /// A status report without the name of a push: the user's own stream is not live.
    Off(UnixSeconds, End),
    /// The cloud recorded a file.
    Recorded(Recording),
}

/// Why a push ended, as the cloud reports it: an entry of its table of interruption reasons.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// `errcode`.
    #[serde(rename = "c", default)]
    pub code: u64,
    /// `sub_errcode`; 0 if the notice has none.
    #[serde(rename = "s", default, skip_serializing_if = "is_default")]
    pub detail: u64,
    /// `errmsg`, a text for people. No rule depends on this text.
    #[serde(rename = "m", default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

impl Reason {
    /// Whether the cloud refused the push: no right to push (18/500 to 503, 19), too many pushes of the stream (18/601),
    /// a forbidden stream (18/305), and so on.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(self.code, 18 | 19)
    }

    /// Whether a newer push of the stream replaced the push.
    pub(crate) fn is_replacement(&self) -> bool {
        self.code == 21 && matches!(self.detail, 102 | 103)
    }
}

/// One of the streams of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum UserStream {
    /// The user's own stream, which this server assigned.
    #[default]
    #[serde(rename = "own")]
    Own,
    /// A stream that the cloud's room service created for the user.
    #[serde(rename = "by")]
    RoomService(String),
}

impl UserStream {
    /// The user stream of a stream of the room service.
    pub fn of_room_service(stream: &StreamId) -> Self {
        Self::RoomService(stream.to_string())
    }

    /// The id of a stream of the room service; empty for the user's own stream.
    pub fn stream(&self) -> &str {
        match self {
            Self::Own => "",
            Self::RoomService(stream) => stream,
        }
    }
}

/// A file that the cloud recorded, and the stream that the file is a recording of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recording {
    /// The recorded stream.
    #[serde(rename = "l", default)]
    pub user_stream: UserStream,
    /// The file.
    #[serde(flatten)]
    pub part: ReplayPart,
}

/// The version of a notice about a file. Versions are ordered by the expiry of the notice; with the same expiry, a notice
/// with a play URL other than that of the first notice is newer (`true`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Version(pub u64, pub bool);
