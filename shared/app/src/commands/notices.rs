//! How operators are told of notices of the cloud, and which of them are not known to a timeline.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::live_callback::{self, Subject};
use crate::App;
use protocol::{
    error::Error,
    types::{FileId, StreamId, UserId},
};
use store::{NoticeRecord, NoticeStatus};
use timeline::{Evidence, Reason, Timeline};

/// Of some notices of a stream those that are to be done again: they are not dealt with, or the timeline lacks what they
/// are evidence of. What it may have forgotten it does not lack, unless it is a file of which there is no row.
pub(super) struct Unknown {
    /// By their ids.
    unsettled: BTreeSet<String>,
    missing: BTreeMap<String, UserId>,
}

impl Unknown {
    /// Those of these notices.
    pub(super) async fn of(app: &App, stream: &StreamId, records: &[NoticeRecord]) -> Result<Self, Error> {
        let (rules, now) = (&app.config.rules, app.now());
        let is_unsettled = |record: &&NoticeRecord| !matches!(record.status, NoticeStatus::Applied(_));
        let unsettled = records.iter().filter(is_unsettled).map(|record| record.notice.id.clone()).collect();
        let mut unknown = Self { unsettled, missing: BTreeMap::new() };
        let subject = live_callback::subject(app, stream).await?;
        let Subject::User(user, _) = &subject else { return Ok(unknown) };
        let mut timeline = app.table.timeline(user, rules, now).await?;
        let mut forgotten: Vec<(FileId, &NoticeRecord)> = Vec::new();
        for record in records {
            let Some(evidence) = live_callback::evidence_in(&subject, record)? else { continue };
            if let Evidence::Recorded(recording) = &evidence
                && timeline.may_have_forgotten(recording)
            {
                forgotten.push((recording.file.clone(), record));
            } else if is_new(&mut timeline, evidence, rules.grace_seconds) {
                unknown.missing.insert(record.notice.id.clone(), user.clone());
            }
        }
        let files: Vec<FileId> = forgotten.iter().map(|(file, _)| file.clone()).collect();
        let written = app.table.written_files(user, &files).await?;
        let lost = forgotten.into_iter().filter(|(file, _)| !written.contains(file));
        unknown.missing.extend(lost.map(|(_, record)| (record.notice.id.clone(), user.clone())));
        Ok(unknown)
    }

    /// Leaves those that the timeline of this user lacks.
    pub(super) fn retain_of(&mut self, user: &UserId) {
        self.unsettled.clear();
        self.missing.retain(|_, owner| owner == user);
    }

    /// Whether this one is one of them.
    pub(super) fn has(&self, record: &NoticeRecord) -> bool {
        let id = &record.notice.id;
        self.unsettled.contains(id) || self.missing.contains_key(id)
    }
}

/// Takes in evidence; says whether it was new. A word that names no push may be known although it is not kept: it is new
/// if it means something.
fn is_new(timeline: &mut Timeline, evidence: Evidence, grace: u64) -> bool {
    if !matches!(evidence, Evidence::On(_) | Evidence::Off(..)) {
        return timeline.add(evidence);
    }
    let mut with = timeline.clone();
    let is_new = with.add(evidence) && !with.implies_same_as(timeline, grace);
    if is_new {
        *timeline = with;
    }
    is_new
}

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
    pub(super) fn of(record: &NoticeRecord, fate: &NoticeStatus) -> Self {
        let id = &record.notice.id;
        let (reason, user) = match fate {
            NoticeStatus::Open | NoticeStatus::Parked => (String::new(), String::new()),
            NoticeStatus::Applied(user) => (String::new(), user.to_string()),
            NoticeStatus::Dropped(reason) => (reason.clone(), String::new()),
        };
        Self {
            streamid: record.notice.stream.to_string(),
            event: id.split(' ').next().unwrap_or_default().to_owned(),
            id: id.clone(),
            received_at: record.received_at.0,
            times: record.times,
            fate: fate.name(),
            reason,
            userid: user,
            interruption: Interruption::of(record.notice.reason.as_ref()),
        }
    }
}
