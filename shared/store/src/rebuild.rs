//! Compares what is written of a user with what follows from the evidence, and writes it anew.

use std::collections::{BTreeSet, HashSet};

use super::{
    Item, Result, Table,
    batch::Consistency,
    keys,
    lists::Position,
    lives::LiveRow,
    replays::{Rows, as_kept, is_kept_out, parts_of, place_of},
    rooms::Room,
    state::{BroadcasterState, DirtyRow, KEPT_SECONDS, Projection},
    text_in, unix_seconds_in,
};
use crate::rules::Rules;
use protocol::{
    error::Chain,
    types::{FileId, StreamId, UnixSeconds, UserId},
};
use timeline::{ReplayFiles, ReplayPart, Timeline, UserStream};

/// How many replays are compared at a time: as many can be written anew before a function has to answer.
const REPLAYS_A_PART: usize = 50;

/// Something that is written of a user, or is not, and does not follow from the evidence; in words for operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    words: String,
    /// What is to be written.
    names: BTreeSet<DirtyRow>,
}

impl Difference {
    /// What differs.
    pub fn words(&self) -> &str {
        &self.words
    }
}

/// Where a comparison goes on: after the replay that ends at this second and is named by this file.
pub type Compared = (UnixSeconds, FileId);

fn named(words: Vec<String>, names: impl IntoIterator<Item = DirtyRow>) -> impl Iterator<Item = Difference> {
    let names: BTreeSet<DirtyRow> = names.into_iter().collect();
    words.into_iter().map(move |words| Difference { words, names: names.clone() })
}

impl Table {
    /// The streams that a user pushed, in their order: that of their room, and those that the room service made for them.
    /// `None` if they have no room.
    pub async fn streams_of(&self, user: &UserId) -> Result<Option<Vec<StreamId>>> {
        let (state, Some(room)) = self.state_and_room(user).await? else { return Ok(None) };
        let lives = self.lives(user).await?;
        let told = state.timeline.room_service_streams().into_iter().map(str::to_owned);
        let others = told.chain(lives.into_iter().map(|live| live.stream)).collect::<BTreeSet<_>>();
        let others = others.iter().filter_map(|stream| StreamId::parse(stream));
        let streams: BTreeSet<StreamId> = others.chain([room.stream]).collect();
        Ok(Some(streams.into_iter().collect()))
    }

    /// The timeline of a user, without what is too old by now.
    pub async fn timeline(&self, user: &UserId, rules: &Rules, now: UnixSeconds) -> Result<Timeline> {
        let mut timeline = self.state(user).await?.timeline;
        timeline.prune(now.minus(KEPT_SECONDS), rules.grace_seconds);
        Ok(timeline)
    }

    /// Which of these files have rows.
    pub async fn written_files(&self, user: &UserId, files: &[FileId]) -> Result<HashSet<FileId>> {
        let keys = files.iter().map(|file| keys::replay(user, file));
        let rows = self.batch(keys, Consistency::Strong, "read replays").await?;
        let is_written = |file: &&FileId| rows.contains_key(&keys::id(&keys::replay(user, file)));
        Ok(files.iter().filter(is_written).cloned().collect())
    }

    /// What is written of a user and does not follow from their timeline, and after which replay to go on with it; without
    /// one that is the room, the lives and the first replays. Of what the timeline may have forgotten nothing differs.
    pub async fn differences(
        &self,
        user: &UserId,
        after: Option<&Compared>,
        rules: &Rules,
        now: UnixSeconds,
    ) -> Result<(Vec<Difference>, Option<Compared>)> {
        let mut state = self.state(user).await?;
        state.timeline.prune(now.minus(KEPT_SECONDS), rules.grace_seconds);
        let projection = Projection::of(&state.timeline, rules);
        let mut found = Vec::new();
        if after.is_none() {
            if let Some(opened_at) = state.timeline.broadcasts().last() {
                let room = self.get(keys::room(user), "read a room").await?;
                let opened = room.as_ref().map(|room| unix_seconds_in(room, "opened_at")).transpose()?;
                let counts = opened.into_iter().chain([opened_at]).map(|opened| DirtyRow::room_count(opened, user));
                let words = room_differs(user, &state, opened_at, room.as_ref())?;
                found.extend(named(words, counts.chain([DirtyRow::Room])));
            }
            found.extend(self.live_differences(user, &state.timeline, &projection, now).await?);
        }
        let mut replays: Vec<(Compared, &ReplayFiles)> =
            projection.replays.iter().map(|replay| ((replay.end, replay.file.clone()), replay)).collect();
        replays.sort_by(|(one, _), (other, _)| one.cmp(other));
        replays.retain(|(place, _)| after.is_none_or(|after| place > after));
        let more = replays.len() > REPLAYS_A_PART;
        replays.truncate(REPLAYS_A_PART);
        let files = replays.iter().flat_map(|(_, replay)| &replay.parts).map(|part| &part.file);
        let rows = self.rows_of_files(user, files).await?;
        for (_, replay) in &replays {
            let is_forbidden = state.is_forbidden(&projection, replay);
            let words = match replay_differs(replay, is_forbidden, &state.timeline, &rows, rules) {
                Ok(words) => words,
                Err(error) => vec![format!("the replay {}: {}", replay.file, Chain(&error))],
            };
            let names = replay.parts.iter().map(|part| DirtyRow::file(&part.file));
            found.extend(named(words, names.chain([DirtyRow::replay_count(replay)])));
        }
        let next = replays.pop().map(|(place, _)| place).filter(|_| more);
        Ok((found, next))
    }

    async fn live_differences(
        &self,
        user: &UserId,
        timeline: &Timeline,
        projection: &Projection,
        now: UnixSeconds,
    ) -> Result<Vec<Difference>> {
        let mut rows = self.live_rows(user).await?;
        let mut found = Vec::new();
        for live in &projection.lives {
            let place = keys::live_id(live.start, &live.user_stream);
            let name = format!("the live of {}", live.start.in_utc());
            let mut words = Vec::new();
            match rows.remove(&place) {
                None => words.push(format!("{name} is not written")),
                Some(row) => {
                    let end = live.end.map(|(end, why)| (end, why.name().to_owned()));
                    let written = row.ended_at.map(|end| (end, row.reason.clone()));
                    if end != written {
                        words.push(format!("{name} {} and {}", ended(written), ought_to_have_ended(end)));
                    }
                    let broadcast = live.broadcast.unwrap_or_default();
                    if row.broadcast != broadcast {
                        let (row, broadcast) = (row.broadcast.in_utc(), broadcast.in_utc());
                        words.push(format!("{name} is of the show of {row} and should be of that of {broadcast}"));
                    }
                }
            }
            found.extend(named(words, [DirtyRow::Live(place)]));
        }
        // Of what is older the evidence is gone.
        let first = projection.lives.iter().map(|live| live.start).min().unwrap_or(now);
        let is_known = |row: &LiveRow| {
            let user_stream = StreamId::parse(&row.stream).as_ref().map_or(UserStream::Own, UserStream::of);
            row.started_at >= first && timeline.is_complete_since(&user_stream, row.started_at)
        };
        for (place, row) in rows.into_iter().filter(|(_, row)| is_known(row)) {
            let words = format!("the live of {} should not be there", row.started_at.in_utc());
            found.extend(named(vec![words], [DirtyRow::Live(place)]));
        }
        Ok(found)
    }

    /// Writes anew what differs, and takes away what should not be there.
    pub async fn rewrite(
        &self,
        user: &UserId,
        differences: &[Difference],
        rules: &Rules,
        now: UnixSeconds,
    ) -> Result<()> {
        let names = differences.iter().flat_map(|difference| &difference.names).cloned().collect();
        self.write_anew(user, &names, rules, now).await
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
        found.push(format!("the room is open for the show of {is} and should be for that of {should}"));
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
    for (what, expected, attribute) in
        [("playurl", replay.play_url(), "play_url"), ("hls_play_url", replay.hls_url(), "hls_url")]
    {
        let written = text_in(&row, attribute)?;
        if written != expected.unwrap_or_default() {
            differs(format!("has the {what} {written:?} and should have {:?}", expected.unwrap_or_default()));
        }
    }
    let parts = parts_of(&row)?;
    // How new an address is, rows of before do not say.
    let is_written = |part: &&ReplayPart| {
        parts.iter().any(|written| ReplayPart { version: part.version, ..written.clone() } == **part)
    };
    for part in replay.parts.iter().filter(|part| !is_written(part)) {
        differs(format!("lacks the file {}", part.file));
    }
    // Of a live that is forgotten it is not known any more whether a picture of it was forbidden.
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
