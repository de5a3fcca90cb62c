//! What operators see of the cloud's notices, and the choice of the notices that have to be applied again.

use std::collections::BTreeSet;

use super::live_callback::{StreamOwner, evidence_in, owner_of};
use super::prelude::*;
use store::{NoticeRecord, NoticeStatus};
use timeline::{Evidence, Reason, Timeline};

/// Finds the notices of a stream that its owner's timeline lacks: returns the owner, and the ids of those notices. `None`
/// if no user owns the stream. Old evidence, which the timeline may have forgotten, does not count as missing, except a
/// file whose replay has no row.
pub(super) async fn missing_from_timeline(
    app: &App,
    stream: &StreamId,
    records: &[NoticeRecord],
) -> Result<Option<(UserId, BTreeSet<String>)>, Error> {
    let owner = owner_of(app, stream).await?;
    let StreamOwner::User(user, _) = &owner else { return Ok(None) };
    let mut missing = BTreeSet::new();
    let mut timeline = app.broadcaster(user).timeline().await?;
    let mut forgotten: Vec<(FileId, &NoticeRecord)> = Vec::new();
    for record in records {
        let Some(evidence) = evidence_in(&owner, record)? else { continue };
        if let Evidence::Recorded(recording) = &evidence
            && timeline.may_have_forgotten(recording)
        {
            forgotten.push((recording.part.file.clone(), record));
        } else if add_if_new(&mut timeline, evidence, app.config.rules.grace_seconds) {
            missing.insert(record.notice.id.clone());
        }
    }
    let files: Vec<FileId> = forgotten.iter().map(|(file, _)| file.clone()).collect();
    let written = app.table.written_files(user, &files).await?;
    let lost = forgotten.into_iter().filter(|(file, _)| !written.contains(file));
    missing.extend(lost.map(|(_, record)| record.notice.id.clone()));
    Ok(Some((user.clone(), missing)))
}

/// Adds evidence to a timeline, and returns whether the evidence was new.
///
/// A timeline may know evidence without a push name and yet not keep it. Such evidence is new only if the timeline
/// implies something else with it than without it.
fn add_if_new(timeline: &mut Timeline, evidence: Evidence, grace: u64) -> bool {
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

/// A notice as operators see it.
#[derive(Serialize)]
pub struct NoticeRow {
    streamid: String,
    id: String,
    event: String,
    received_at: u64,
    /// How many times the cloud sent the notice.
    times: u64,
    /// The status of the notice.
    fate: &'static str,
    /// Why the notice was dropped; empty if it was not.
    reason: String,
    /// The user whose timeline has the notice; empty if none has.
    userid: String,
    #[serde(flatten)]
    push_end: PushEndReason,
}

/// Why a push ended, as the cloud reported it; no field if the cloud reported nothing.
#[derive(Default, Serialize)]
pub(super) struct PushEndReason {
    #[serde(skip_serializing_if = "Option::is_none")]
    errcode: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_errcode: Option<u64>,
    #[serde(skip_serializing_if = "String::is_empty")]
    errmsg: String,
}

impl PushEndReason {
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
    /// The row of a ledger record with the given status.
    pub(super) fn of(record: &NoticeRecord, status: &NoticeStatus) -> Self {
        let id = &record.notice.id;
        let (reason, user) = match status {
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
            fate: status.name(),
            reason,
            userid: user,
            push_end: PushEndReason::of(record.notice.reason.as_ref()),
        }
    }
}
