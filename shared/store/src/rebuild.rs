//! Comparison of the rows of a user with the timeline, and the repair of those that differ.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::{
    lists::Position,
    lives::LiveRow,
    replays::{Rows, as_kept, is_kept_out, parts_of, position_in},
    rooms::Room,
    state::{Broadcaster, BroadcasterState, DirtyRow, Projection, row_content},
};
use crate::prelude::*;
use protocol::{error::Chain, types::StreamId};
use timeline::{Broadcasts, Live, ReplayFiles, ReplayPart, Timeline, UserStream};

/// How many replays are compared per call: a function can write as many before it has to answer.
const REPLAYS_PER_CALL: usize = 50;

/// A difference between the rows of a user and the timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    words: String,
    /// The rows to write.
    names: BTreeSet<DirtyRow>,
}

impl Difference {
    /// What differs, for operators.
    pub fn words(&self) -> &str {
        &self.words
    }
}

/// Where the next call continues: after the replay with this end and this first file.
pub type Compared = (UnixSeconds, FileId);

fn named(words: Vec<String>, names: impl IntoIterator<Item = DirtyRow>) -> impl Iterator<Item = Difference> {
    let names: BTreeSet<DirtyRow> = names.into_iter().collect();
    words.into_iter().map(move |words| Difference { words, names: names.clone() })
}

impl Table {
    /// The streams of a user, sorted: that of the room, and those of the room service. `None` if the user has no room.
    pub async fn streams_of(&self, user: &UserId) -> Result<Option<Vec<StreamId>>> {
        let (state, Some(room)) = self.state_and_room(user).await? else { return Ok(None) };
        let lives = self.lives(user).await?;
        let of_lives = lives.iter().map(|live| live.stream.as_str());
        let names: BTreeSet<&str> = state.timeline.room_service_streams().into_iter().chain(of_lives).collect();
        let streams = names.into_iter().filter_map(StreamId::parse).chain([room.stream]);
        Ok(Some(streams.collect::<BTreeSet<_>>().into_iter().collect()))
    }

    /// Which of these files have rows.
    pub async fn written_files(&self, user: &UserId, files: &[FileId]) -> Result<HashSet<FileId>> {
        let keys = files.iter().map(|file| keys::replay(user, file));
        let rows = self.batch(keys, Consistency::Strong, "read replays").await?;
        let is_written = |file: &&FileId| rows.contains_key(&keys::id(&keys::replay(user, file)));
        Ok(files.iter().filter(is_written).cloned().collect())
    }
}

impl Broadcaster<'_> {
    /// The state of the user, without old evidence.
    async fn pruned_state(&self) -> Result<BroadcasterState> {
        let mut state = self.table.state(self.user).await?;
        state.prune(self.now, self.rules.grace_seconds);
        Ok(state)
    }

    /// The timeline of the user, without old evidence.
    pub async fn timeline(&self) -> Result<Timeline> {
        Ok(self.pruned_state().await?.timeline)
    }

    /// The differences between the rows and the timeline: those of the room, the lives and the first replays, or those of
    /// the replays after `after`. With them where the next call continues. Rows whose evidence may be forgotten do not
    /// differ.
    pub async fn differences(&self, after: Option<&Compared>) -> Result<(Vec<Difference>, Option<Compared>)> {
        let Broadcaster { table, user, rules, .. } = *self;
        let state = self.pruned_state().await?;
        let projection = Projection::of(&state.timeline, rules);
        let broadcasts = state.timeline.broadcasts();
        let mut found = Vec::new();
        if after.is_none() {
            if let Some(opened_at) = state.timeline.broadcasts().last() {
                let room = table.get(keys::room(user), "read a room").await?;
                let written = room.as_ref().map(|room| unix_seconds_in(room, "opened_at")).transpose()?;
                let counts = written.into_iter().chain([opened_at]).map(|opened| DirtyRow::room_count(opened, user));
                let words = room_differs(user, &state, opened_at, room.as_ref())?;
                found.extend(named(words, counts.chain([DirtyRow::Room])));
            }
            found.extend(self.live_differences(&state.timeline, &projection, &broadcasts).await?);
        }
        let mut replays: Vec<(Compared, &ReplayFiles)> =
            projection.replays.iter().map(|replay| ((replay.end, replay.file.clone()), replay)).collect();
        replays.sort_by(|(one, _), (other, _)| one.cmp(other));
        replays.retain(|(place, _)| after.is_none_or(|after| place > after));
        let has_more = replays.len() > REPLAYS_PER_CALL;
        replays.truncate(REPLAYS_PER_CALL);
        let files = replays.iter().flat_map(|(_, replay)| &replay.parts).map(|part| &part.file);
        let rows = table.rows_of_files(user, files).await?;
        // The start request whose title a replay has; `None` if the row may have that of another one.
        let described_by = |replay: &ReplayFiles| match projection.live_of(replay) {
            Some(live) => row_content(live, &broadcasts).described_by.and(replay.described_by),
            None => replay.described_by,
        };
        let titles =
            table.titles(user, replays.iter().filter_map(|(_, replay)| described_by(replay)).collect()).await?;
        for (_, replay) in &replays {
            let is_forbidden = state.is_forbidden(&projection, replay);
            let title = described_by(replay).and_then(|at| titles.get(&at)).map(Text::as_str);
            let words = replay_differs(replay, title, is_forbidden, &state.timeline, &rows, rules);
            let words = words.unwrap_or_else(|error| vec![format!("the replay {}: {}", replay.file, Chain(&error))]);
            let names = replay.parts.iter().map(|part| DirtyRow::file(&part.file));
            found.extend(named(words, names.chain(rows.counts_of(replay))));
        }
        Ok((found, replays.pop().map(|(place, _)| place).filter(|_| has_more)))
    }

    async fn live_differences(
        &self,
        timeline: &Timeline,
        projection: &Projection,
        broadcasts: &Broadcasts,
    ) -> Result<Vec<Difference>> {
        let mut rows: BTreeMap<String, LiveRow> = self.table.live_rows(self.user).await?;
        let mut found = Vec::new();
        for live in &projection.lives {
            let id = keys::live_id(live.start, &live.user_stream);
            let words = live_differs(live, rows.remove(&id).as_ref(), broadcasts);
            found.extend(named(words, [DirtyRow::Live(id)]));
        }
        // The evidence of older lives is forgotten.
        let first = projection.lives.iter().map(|live| live.start).min().unwrap_or(self.now);
        let is_known = |row: &LiveRow| {
            let user_stream =
                StreamId::parse(&row.stream).as_ref().map_or(UserStream::Own, UserStream::of_room_service);
            row.started_at >= first && timeline.is_complete_since(&user_stream, row.started_at)
        };
        for (id, row) in rows.into_iter().filter(|(_, row)| is_known(row)) {
            let words = format!("the live of {} should not be there", row.started_at.in_utc());
            found.extend(named(vec![words], [DirtyRow::Live(id)]));
        }
        Ok(found)
    }

    /// Writes the rows that differ, and removes those that should not be there.
    pub async fn rewrite(&self, differences: &[Difference]) -> Result<()> {
        let names: BTreeSet<&DirtyRow> = differences.iter().flat_map(|difference| &difference.names).collect();
        let mark = |state: &mut BroadcasterState| {
            state.mark_dirty(names.iter().copied().cloned(), self.now);
            !names.is_empty()
        };
        self.change(mark).await.map(drop)
    }
}

fn live_differs(live: &Live, row: Option<&LiveRow>, broadcasts: &Broadcasts) -> Vec<String> {
    let name = format!("the live of {}", live.start.in_utc());
    let Some(row) = row else { return vec![format!("{name} is not written")] };
    let mut found = Vec::new();
    let at = |(end, reason): (UnixSeconds, &str)| format!("at {} ({reason})", end.in_utc());
    let written = row.ended_at.map(|end| at((end, &row.reason)));
    let expected = live.end.map(|(end, reason)| at((end, reason.name())));
    if written != expected {
        let written = written.map_or("goes on".to_owned(), |end| format!("ended {end}"));
        let expected = expected.map_or("go on".to_owned(), |end| format!("have ended {end}"));
        found.push(format!("{name} {written} and should {expected}"));
    }
    let broadcast = live.broadcast.unwrap_or_default();
    if row.broadcast != broadcast {
        let (row, broadcast) = (row.broadcast.in_utc(), broadcast.in_utc());
        found.push(format!("{name} is of the broadcast of {row} and should be of that of {broadcast}"));
    }
    let as_written = Live { described_by: Some(row.described_by).filter(|at| at.0 > 0), ..live.clone() };
    if row_content(&as_written, broadcasts) != row_content(live, broadcasts) {
        let (row, expected) = (row.described_by.in_utc(), live.described_by.unwrap_or_default().in_utc());
        found.push(format!("{name} has the information of {row} and should have that of {expected}"));
    }
    found
}

fn room_differs(
    user: &UserId,
    state: &BroadcasterState,
    opened_at: UnixSeconds,
    row: Option<&Item>,
) -> Result<Vec<String>> {
    let Some(row) = row else { return Ok(vec!["the room is not written".to_owned()]) };
    let mut found = Vec::new();
    let room = Room::read(row)?;
    let (list, expected) = (text_in(row, keys::LIST)?, state.list());
    if list != expected {
        found.push(format!("the room is {list} and should be {expected}"));
    }
    if room.opened_at != opened_at {
        let (is, should) = (room.opened_at.in_utc(), opened_at.in_utc());
        found.push(format!("the room is open for the broadcast of {is} and should be for that of {should}"));
    }
    let place = keys::list_sort_key(Position::of(opened_at, user.as_str()), user.as_str());
    if text_in(row, keys::POSITION)? != place && room.opened_at == opened_at {
        found.push("the room stands at another place of its list".to_owned());
    }
    match (room.banned, state.ban.is_some()) {
        (true, false) => found.push("the room is banned and should not be".to_owned()),
        (false, true) => found.push("the room is not banned and should be".to_owned()),
        (true, true) | (false, false) => {}
    }
    Ok(found)
}

fn replay_differs(
    whole: &ReplayFiles,
    title: Option<&str>,
    is_forbidden: bool,
    timeline: &Timeline,
    rows: &Rows,
    rules: &Rules,
) -> Result<Vec<String>> {
    let name = format!("the replay {}", whole.file);
    let row = rows.of(&whole.file);
    if row.is_empty() {
        return Ok(vec![format!("{name} is not written")]);
    }
    if row.contains_key("deleted") {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    let mut differs = |words: String| found.push(format!("{name} {words}"));
    let (replay, _) = as_kept(whole, &row, rows, timeline)?;
    let lead = text_in(&row, "part_of")?;
    if !lead.is_empty() {
        differs(format!("is written as a part of {lead}"));
    }
    for (what, expected, attribute) in [("starts", replay.start, "started_at"), ("ends", replay.end, "ended_at")] {
        let written = unix_seconds_in(&row, attribute)?;
        if written != expected {
            differs(format!("{what} at {} and should at {}", written.in_utc(), expected.in_utc()));
        }
    }
    let texts = [
        ("playurl", Some(replay.play_url().unwrap_or_default()), "play_url"),
        ("hls_play_url", Some(replay.hls_url().unwrap_or_default()), "hls_url"),
        ("title", title, "title"),
    ];
    for (what, expected, attribute) in texts {
        let written = text_in(&row, attribute)?;
        if let Some(expected) = expected.filter(|expected| *expected != written) {
            differs(format!("has the {what} {written:?} and should have {expected:?}"));
        }
    }
    let parts = parts_of(&row)?;
    let is_written = |part: &&ReplayPart| {
        parts.iter().any(|written| ReplayPart { version: part.version, ..written.clone() } == **part)
    };
    for part in replay.parts.iter().filter(|part| !is_written(part)) {
        differs(format!("lacks the file {}", part.file));
    }
    // If the live is forgotten, so are the verdicts on its pictures.
    let is_known = is_forbidden || whole.live.is_some() || timeline.knows_lives_of(&replay);
    match (row.contains_key("forbidden"), is_forbidden) {
        (true, false) if is_known => {
            differs("is kept out of the list for a forbidden picture and should not be".to_owned());
        }
        (false, true) => differs("is not kept out of the list for a forbidden picture and should be".to_owned()),
        (true | false, _) => {}
    }
    let is_listed = !is_kept_out(&row) && replay.seconds() > rules.replay_min_seconds;
    let expected = is_listed.then(|| Position::of(replay.end, replay.file.as_str()));
    match (position_in(&row)?, expected) {
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
