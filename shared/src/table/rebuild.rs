//! Compares what is written of a user with what follows from the evidence, and writes it anew.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::{
    Item, Result, Table,
    batch::Reads,
    keys,
    lists::Position,
    moment_in,
    replays::{Rows, is_kept_out, parts_of, place_of},
    rooms::Room,
    text_in,
    timelines::{KEPT_SECONDS, Meaning, Standing},
};
use crate::{
    config::Rules,
    timeline::{Replay, Timeline},
    types::{FileId, StreamId, UnixSeconds, UserId},
};

/// Something that is written of a user, or is not, and does not follow from the evidence; in words for operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    words: String,
    /// The place of a live that should not be there.
    stale_live: Option<String>,
}

impl Difference {
    fn new(words: String) -> Self {
        Self { words, stale_live: None }
    }

    /// What differs.
    pub fn words(&self) -> &str {
        &self.words
    }
}

impl Table {
    /// The streams that a user pushed: that of their room, and those that the room service made for them. `None` if they
    /// have no room.
    pub async fn streams_of(&self, user: &UserId) -> Result<Option<Vec<StreamId>>> {
        let (standing, Some(room)) = self.standing_and_room(user).await? else { return Ok(None) };
        let lives = self.lives(user).await?;
        let told = standing.timeline.room_service_streams().into_iter().map(str::to_owned);
        let others = told.chain(lives.into_iter().map(|live| live.stream)).collect::<BTreeSet<_>>();
        let others = others.iter().filter_map(|stream| StreamId::parse(stream));
        Ok(Some([room.stream.clone()].into_iter().chain(others.filter(|other| *other != room.stream)).collect()))
    }

    /// From when on the evidence of now says all that there is to say.
    pub fn known_since(now: UnixSeconds) -> UnixSeconds {
        now.minus(KEPT_SECONDS)
    }

    /// Which of these files have rows.
    pub async fn written_files(&self, user: &UserId, files: &[FileId]) -> Result<HashSet<FileId>> {
        let keys = files.iter().map(|file| keys::replay(user, file));
        let rows = self.batch(keys, Reads::Consistent, "read replays").await?;
        let is_written = |file: &&FileId| rows.contains_key(&keys::id(&keys::replay(user, file)));
        Ok(files.iter().filter(is_written).cloned().collect())
    }

    /// What is written of a user and does not follow from this timeline.
    pub async fn differences(
        &self,
        user: &UserId,
        timeline: &Timeline,
        rules: &Rules,
        now: UnixSeconds,
    ) -> Result<Vec<Difference>> {
        let mut standing = self.standing(user).await?;
        standing.timeline = timeline.clone();
        standing.timeline.prune(Self::known_since(now), rules.grace_seconds);
        let meaning = Meaning::of(&standing.timeline, rules);
        let mut found = Vec::new();
        if let Some(opened_at) = standing.timeline.show() {
            let room = self.get(keys::room(user), "read a room").await?;
            found.extend(room_differs(user, &standing, opened_at, room.as_ref())?);
        }
        found.extend(self.live_differences(user, &meaning, now).await?);
        for replay in &meaning.replays {
            found.extend(replay_differs(replay, &self.rows_of(user, replay).await?, rules)?);
        }
        Ok(found)
    }

    async fn live_differences(&self, user: &UserId, meaning: &Meaning, now: UnixSeconds) -> Result<Vec<Difference>> {
        let mut rows = self.live_rows(user).await?;
        let mut found = Vec::new();
        for live in &meaning.lives {
            let place = keys::live_place(live.start, &live.lane);
            let name = format!("the live of {}", live.start.in_utc());
            let Some(row) = rows.remove(&place) else {
                found.push(Difference::new(format!("{name} is not written")));
                continue;
            };
            let end = live.end.map(|(end, why)| (end, why.name().to_owned()));
            let written = row.ended_at.map(|end| (end, row.reason.clone()));
            if end != written {
                found.push(Difference::new(format!("{name} {} and {}", ended(written), ought_to_have_ended(end))));
            }
            let show = live.show.unwrap_or_default();
            if row.show != show {
                let (row, show) = (row.show.in_utc(), show.in_utc());
                found.push(Difference::new(format!("{name} is of the show of {row} and should be of that of {show}")));
            }
        }
        // Of what is older the evidence is gone.
        let first = meaning.lives.iter().map(|live| live.start).min().unwrap_or(now);
        let is_known = |start: UnixSeconds, end: Option<UnixSeconds>| {
            start >= first && end.is_none_or(|end| end >= Self::known_since(now))
        };
        let stale: BTreeMap<_, _> =
            rows.into_iter().filter(|(_, row)| is_known(row.started_at, row.ended_at)).collect();
        found.extend(stale.into_iter().map(|(place, row)| Difference {
            words: format!("the live of {} should not be there", row.started_at.in_utc()),
            stale_live: Some(place),
        }));
        Ok(found)
    }

    /// Writes anew all that follows from what is known of a user, and takes away what these differences say should not
    /// be there.
    pub async fn rewrite(
        &self,
        user: &UserId,
        differences: &[Difference],
        rules: &Rules,
        now: UnixSeconds,
    ) -> Result<()> {
        let stale: Vec<String> = differences.iter().filter_map(|difference| difference.stale_live.clone()).collect();
        self.rewrite_with(user, &stale, rules, now).await
    }
}

fn ended(end: Option<(UnixSeconds, String)>) -> String {
    match end {
        Some((end, why)) => format!("ended at {} ({why})", end.in_utc()),
        None => "goes on".to_owned(),
    }
}

fn ought_to_have_ended(end: Option<(UnixSeconds, String)>) -> String {
    match end {
        Some((end, why)) => format!("should have ended at {} ({why})", end.in_utc()),
        None => "should go on".to_owned(),
    }
}

fn room_differs(
    user: &UserId,
    standing: &Standing,
    opened_at: UnixSeconds,
    row: Option<&Item>,
) -> Result<Vec<Difference>> {
    let Some(row) = row else { return Ok(vec![Difference::new("the room is not written".to_owned())]) };
    let mut found = Vec::new();
    let room = Room::read(row)?;
    let (list, expected) = (text_in(row, keys::LIST)?, standing.list());
    if list != expected {
        found.push(Difference::new(format!("the room is {list} and should be {expected}")));
    }
    if room.opened_at != opened_at {
        let (is, should) = (room.opened_at.in_utc(), opened_at.in_utc());
        found
            .push(Difference::new(format!("the room is open for the show of {is} and should be for that of {should}")));
    }
    let place = keys::place(Position::of(opened_at, user.as_str()), user.as_str());
    if text_in(row, keys::POSITION)? != place && room.opened_at == opened_at {
        found.push(Difference::new("the room stands at another place of its list".to_owned()));
    }
    match (room.banned, standing.ban.is_some()) {
        (true, false) => found.push(Difference::new("the room is banned and should not be".to_owned())),
        (false, true) => found.push(Difference::new("the room is not banned and should be".to_owned())),
        (true, true) | (false, false) => {}
    }
    Ok(found)
}

fn replay_differs(whole: &Replay, rows: &Rows, rules: &Rules) -> Result<Vec<Difference>> {
    let name = format!("the replay {}", whole.file);
    let row = rows.of(&whole.file);
    if row.is_empty() {
        return Ok(vec![Difference::new(format!("{name} is not written"))]);
    }
    if row.contains_key("deleted") {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    let mut differs = |words: String| found.push(Difference::new(format!("{name} {words}")));
    let replay = whole.without(|file| rows.have(file, "deleted"));
    let lead = text_in(&row, "part_of")?;
    if !lead.is_empty() {
        differs(format!("is written as a part of {lead}"));
    }
    for (what, expected, attribute) in [("starts", replay.start, "started_at"), ("ends", replay.end, "ended_at")] {
        let written = moment_in(&row, attribute)?;
        if written != expected {
            differs(format!("{what} at {} and should at {}", written.in_utc(), expected.in_utc()));
        }
    }
    for (what, expected, attribute) in
        [("playurl", replay.play_url(), "play_url"), ("hls_play_url", replay.hls_url(), "hls_url")]
    {
        let written = text_in(&row, attribute)?;
        if written != expected.unwrap_or_default() {
            differs(format!("has the {what} {written:?} and should have {:?}", expected.unwrap_or_default()));
        }
    }
    let parts = parts_of(&row)?;
    for part in replay.parts.iter().filter(|part| !parts.contains(part)) {
        differs(format!("lacks the file {}", part.file));
    }
    let is_listed = !is_kept_out(&row) && replay.seconds() > rules.replay_min_seconds;
    let expected = is_listed.then(|| Position::of(replay.end, replay.file.as_str()));
    match (place_of(&row)?, expected) {
        (Some(_), None) => differs("is in the list and should not be".to_owned()),
        (None, Some(_)) => differs("is not in the list and should be".to_owned()),
        (written, expected) if written != expected => differs("stands at another place of the list".to_owned()),
        (None | Some(_), _) => {}
    }
    for part in replay.parts.iter().filter(|part| part.file != replay.file) {
        if text_in(&rows.of(&part.file), "part_of")? != replay.file.as_str() {
            differs(format!("is not found by its file {}", part.file));
        }
    }
    Ok(found)
}
