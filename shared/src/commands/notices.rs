//! How operators are told of notices of the cloud.

use serde::Serialize;

use crate::{
    table::{Entry, Fate},
    timeline::Reason,
};

/// A notice, and what became of it.
#[derive(Debug, Serialize)]
pub(super) struct NoticeRow {
    streamid: String,
    id: String,
    event: String,
    received_at: u64,
    /// How often it came.
    times: u64,
    fate: &'static str,
    /// Why nothing followed from it.
    reason: String,
    /// Whose timeline it went into.
    userid: String,
    #[serde(flatten)]
    interruption: Interruption,
}

/// Why a push ended, in the cloud's words; nothing if it told nothing.
#[derive(Debug, Default, Serialize)]
pub(super) struct Interruption {
    #[serde(skip_serializing_if = "Option::is_none")]
    errcode: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_errcode: Option<u64>,
    #[serde(skip_serializing_if = "String::is_empty")]
    errmsg: String,
}

impl Interruption {
    pub(super) fn of(reason: Option<&Reason>) -> Self {
        let of = |reason: &Reason| Self {
            errcode: Some(reason.code),
            sub_errcode: Some(reason.detail).filter(|detail| *detail > 0),
            errmsg: reason.message.clone(),
        };
        reason.map(of).unwrap_or_default()
    }
}

impl NoticeRow {
    /// The row of an entry of the ledger of which this became.
    pub(super) fn of(entry: &Entry, fate: &Fate) -> Self {
        let id = &entry.notice.id;
        let (reason, user) = match fate {
            Fate::Open | Fate::Parked => (String::new(), String::new()),
            Fate::Applied(user) => (String::new(), user.to_string()),
            Fate::Dropped(reason) => (reason.clone(), String::new()),
        };
        Self {
            streamid: entry.notice.stream.to_string(),
            event: id.split(' ').next().unwrap_or_default().to_owned(),
            id: id.clone(),
            received_at: entry.received_at.0,
            times: entry.times,
            fate: fate.name(),
            reason,
            userid: user,
            interruption: Interruption::of(entry.notice.reason.as_ref()),
        }
    }
}
