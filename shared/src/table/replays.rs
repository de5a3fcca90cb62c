//! Replays: what remains of a live. The files of all its formats and parts are one entry, named by the first to come.
//!
//! Which files belong together the [`timeline`](crate::timeline) says; here the rows are written that follow from it. A
//! file that is a part of another's replay leads to that one, so that it is known, and found.

use aws_sdk_dynamodb::types::AttributeValue;

use super::{
    Item, Listed, Result, Table, contended, counter_in, damaged, keys,
    lists::{Change, List, Position, Series, counts_kept_until},
    lives::Totals,
    moment, moment_in, number, parsed,
    rooms::Profile,
    text, text_in,
    timelines::Work,
    update::{Update, Written},
};
use crate::{
    config::Rules,
    timeline::{Evidence, Lane, Live, Part, Recording, Replay as Entry},
    types::{FileId, Page, Text, UnixSeconds, UserId},
};

pub(super) const TREE: &str = "replays";
pub(super) const REPLAYS: List = List { tree: TREE, series: Series::All, partitions: &["replays"] };
/// How often a write is tried again that another one came before.
const ATTEMPTS: u32 = 8;
/// The most parts that a replay is kept with.
const MOST_PARTS: usize = 200;

/// Why a replay is kept out of the lists: its owner hid it, or deleted it, or was banned.
const KEPT_OUT: [&str; 3] = ["hidden", "deleted", "withheld"];

/// What remains of a live.
#[derive(Clone, Debug)]
pub struct Replay {
    /// Whose it is.
    pub user: UserId,
    /// Its first file, which names it.
    pub file: FileId,
    /// The title.
    pub title: Text<255>,
    /// The broadcaster.
    pub profile: Profile,
    /// Where it plays as one file; empty if it does not.
    pub play_url: String,
    /// Where it plays as HLS; empty if it does not.
    pub hls_url: String,
    /// When it started.
    pub started_at: UnixSeconds,
    /// When it ended.
    pub ended_at: UnixSeconds,
    /// How many are watching.
    pub viewers: u64,
    /// How many likes it got, those of the live included.
    pub likes: u64,
    /// Its files, the first picture first.
    pub parts: Vec<Part>,
    /// Whether its owner, or an operator, has taken it out of the lists.
    pub hidden: bool,
    /// What the live came to.
    pub totals: Totals,
}

impl Replay {
    fn read(item: &Item) -> Result<Self> {
        let totals = Totals {
            peak: counter_in(item, "peak")?,
            visits: counter_in(item, "visits")?,
            likes: counter_in(item, "live_likes")?,
            screenshot: text_in(item, "screenshot")?.to_owned(),
        };
        let mut profile = Profile::read(item)?;
        if profile.frontcover.as_str().is_empty() {
            profile.frontcover = Text::parse(&totals.screenshot).unwrap_or_default();
        }
        let title = match text_in(item, "renamed")? {
            "" => parsed(item, "title", Text::parse)?,
            renamed => Text::parse(renamed).ok_or_else(|| damaged("renamed"))?,
        };
        Ok(Self {
            user: parsed(item, "user", UserId::parse)?,
            file: parsed(item, "file", FileId::parse)?,
            title,
            profile,
            play_url: text_in(item, "play_url")?.to_owned(),
            hls_url: text_in(item, "hls_url")?.to_owned(),
            started_at: moment_in(item, "started_at")?,
            ended_at: moment_in(item, "ended_at")?,
            viewers: counter_in(item, "viewers")?,
            likes: counter_in(item, "likes")? + totals.likes,
            parts: parts_of(item)?,
            hidden: item.contains_key("hidden"),
            totals,
        })
    }
}

fn parts_of(item: &Item) -> Result<Vec<Part>> {
    match text_in(item, "parts")? {
        "" => Ok(Vec::new()),
        parts => serde_json::from_str(parts).map_err(|_| damaged("parts")),
    }
}

/// Where a row stands in the list of replays; `None` if it does not.
fn place_of(row: &Item) -> Result<Option<Position>> {
    if !row.contains_key(keys::LIST) {
        return Ok(None);
    }
    Position::read(text_in(row, keys::POSITION)?).map(Some).ok_or_else(|| damaged(keys::POSITION))
}

impl Table {
    /// Takes in a recording of a user who has a room. Once and for all, however often and in whatever order it comes.
    pub async fn record(&self, user: &UserId, recording: Recording, rules: &Rules, now: UnixSeconds) -> Result<()> {
        // Of what is too old for a timeline, the row tells that it is known.
        let is_old = recording.end < now.minus(super::timelines::KEPT_SECONDS);
        if is_old && self.get(keys::replay(user, &recording.file), "read a replay").await?.is_some() {
            return Ok(());
        }
        self.tell(user, Evidence::Recorded(recording), rules, now).await
    }

    /// Writes the row of a replay.
    pub(super) async fn write_replay(&self, work: &Work<'_>, replay: &Entry, live: Option<&Live>) -> Result<()> {
        const CONTEXT: &str = "write a replay";
        let key = keys::replay(work.user, &replay.file);
        for _ in 0..ATTEMPTS {
            let row = self.get(key.clone(), CONTEXT).await?.unwrap_or_default();
            if work.is_written(&row)? {
                return Ok(());
            }
            let mut update = work
                .row(key.clone())
                .set("user", text(work.user.as_str()))
                .set("file", text(replay.file.as_str()))
                .set("started_at", moment(replay.start))
                .set("ended_at", moment(replay.end))
                .set_text("play_url", replay.play_url().unwrap_or_default())
                .set_text("hls_url", replay.hls_url().unwrap_or_default())
                .set("parts", text(with_known(replay, parts_of(&row)?)?))
                .remove("part_of");
            if !row.contains_key("title") {
                update = self.describe(work, replay, update).await?;
            }
            if let Some(live) = live.filter(|live| live.end.is_some() && live.lane == Lane::Own) {
                let totals = self.totals(work.user, live).await?;
                update = update
                    .set("peak", number(totals.peak))
                    .set("visits", number(totals.visits))
                    .set("live_likes", number(totals.likes))
                    .set_text("screenshot", &totals.screenshot);
            }
            let is_withheld = work.standing.ban.as_ref().is_some_and(|ban| ban.hides_replays);
            if is_withheld {
                update = update.set("withheld", AttributeValue::Bool(true));
            }
            let is_kept_out = is_withheld || KEPT_OUT.iter().any(|reason| row.contains_key(*reason));
            let is_listed = !is_kept_out && replay.seconds() > work.rules.replay_min_seconds;
            let place = is_listed.then_some((replay.end, &replay.file));
            if self.place_replay(update, &row, place, work.rules, work.now).await? == Written::Done {
                return Ok(());
            }
        }
        Err(contended(CONTEXT))
    }

    /// Takes all replays of a user out of the lists, or lets them in again, as far as it is for their ban.
    pub(crate) async fn withhold_replays(
        &self,
        user: &UserId,
        withheld: bool,
        rules: &Rules,
        now: UnixSeconds,
    ) -> Result<()> {
        let request = self
            .client
            .query()
            .consistent_read(true)
            .key_condition_expression("PK = :user AND begins_with(SK, :replay)")
            .expression_attribute_values(":user", text(keys::user_partition(user)))
            .expression_attribute_values(":replay", text(keys::REPLAY_PREFIX));
        let mut rows = self.query(request, usize::MAX, "read replays").await?;
        rows.retain(|row| !row.contains_key("part_of") && row.contains_key("withheld") != withheld);
        let replays: Vec<Replay> = rows.iter().map(Replay::read).collect::<Result<_>>()?;
        // Who tries again does not find the rows that were moved already, and does not count them.
        let positions = replays.iter().map(|replay| Position::of(replay.ended_at, replay.file.as_str()));
        self.doubt_counts(user, TREE, &positions.collect::<Vec<_>>(), rules, now).await?;
        for (mut row, replay) in rows.into_iter().zip(replays) {
            let update = Update::of(keys::replay(user, &replay.file)).when("attribute_exists(PK)");
            let was = row.clone();
            let update = if withheld {
                row.insert("withheld".to_owned(), AttributeValue::Bool(true));
                update.set("withheld", AttributeValue::Bool(true))
            } else {
                row.remove("withheld");
                update.remove("withheld")
            };
            let is_kept_out = KEPT_OUT.iter().any(|reason| row.contains_key(*reason));
            let is_long = replay.ended_at.0.saturating_sub(replay.started_at.0) > rules.replay_min_seconds;
            let place = (!is_kept_out && is_long).then_some((replay.ended_at, &replay.file));
            if self.place_replay(update, &was, place, rules, now).await? == Written::Unmet {
                return Err(contended("withhold a replay"));
            }
        }
        Ok(())
    }

    /// Writes that a file is a part of a replay that another file names.
    pub(super) async fn write_part(&self, work: &Work<'_>, replay: &Entry, file: &FileId) -> Result<()> {
        const CONTEXT: &str = "write a replay";
        let key = keys::replay(work.user, file);
        for _ in 0..ATTEMPTS {
            let row = self.get(key.clone(), CONTEXT).await?.unwrap_or_default();
            if work.is_written(&row)? {
                return Ok(());
            }
            let update = work.row(key.clone()).set("part_of", text(replay.file.as_str()));
            if self.place_replay(update, &row, None, work.rules, work.now).await? == Written::Done {
                return Ok(());
            }
        }
        Err(contended(CONTEXT))
    }

    /// Says what a replay is called that has no name yet: as its show was, or if that is long ago, as the room is now.
    async fn describe(&self, work: &Work<'_>, replay: &Entry, update: Update) -> Result<Update> {
        let show = match replay.show {
            Some(opened_at) => self.show(work.user, opened_at).await?,
            None => None,
        };
        if let Some(show) = show {
            return Ok(show.profile.write(update).set_text("title", show.title.as_str()));
        }
        Ok(match self.room(work.user).await? {
            Some(room) => room.profile.write(update).set_text("title", room.title.as_str()),
            None => update,
        })
    }

    /// Writes a row that has been read, and puts it in its place of the list, or takes it out. Unmet if somebody else put
    /// it elsewhere since.
    pub(super) async fn place_replay(
        &self,
        update: Update,
        row: &Item,
        place: Option<(UnixSeconds, &FileId)>,
        rules: &Rules,
        now: UnixSeconds,
    ) -> Result<Written> {
        let before = place_of(row)?;
        let position = place.map(|(end, file)| Position::of(end, file.as_str()));
        let update = match (position, place) {
            (Some(position), Some((_, file))) => {
                let place = keys::place(position, file.as_str());
                update.set(keys::LIST, text(TREE)).set(keys::POSITION, text(place))
            }
            (None, _) | (_, None) => update.remove(keys::LIST).remove(keys::POSITION),
        };
        let as_seen =
            KEPT_OUT.into_iter().chain([keys::POSITION]).fold(update, |update, attribute| match row.get(attribute) {
                Some(seen) => {
                    let update = update.when(&format!("#{attribute} = :seen_{attribute}"));
                    update.value(&format!(":seen_{attribute}"), seen.clone())
                }
                None => update.when(&format!("attribute_not_exists(#{attribute})")),
            });
        if as_seen.send(self, "write a replay").await? == Written::Unmet {
            return Ok(Written::Unmet);
        }
        if before != position {
            let moves = [(before, -1), (position, 1)];
            let moves = moves.into_iter().filter_map(|(place, by)| Some((Series::All, place?, by)));
            let end = place.map_or(UnixSeconds(0), |(end, _)| end);
            let expires_at = place.map(|_| counts_kept_until(end, rules.replay_window_seconds));
            self.count(TREE, &moves.collect::<Vec<Change>>(), expires_at, now).await?;
        }
        Ok(Written::Done)
    }

    /// The replay that a file belongs to.
    pub async fn replay(&self, user: &UserId, file: &FileId) -> Result<Option<Replay>> {
        /// A replay can have become part of another one, and that of a third, and not every row tells so yet.
        const MOST_STEPS: usize = 4;
        let mut file = file.clone();
        for _ in 0..MOST_STEPS {
            let Some(row) = self.get(keys::replay(user, &file), "read a replay").await? else { return Ok(None) };
            match text_in(&row, "part_of")? {
                "" if row.contains_key("deleted") => return Ok(None),
                "" => return Replay::read(&row).map(Some),
                replay => file = FileId::parse(replay).ok_or_else(|| damaged("part_of"))?,
            }
        }
        Ok(None)
    }

    /// Counts a like of a replay, or takes one back. Nothing happens if there is no such replay.
    pub async fn count_replay_likes(&self, user: &UserId, file: &FileId, by: i64) -> Result<()> {
        self.count_on_replay(user, file, "likes", by).await
    }

    /// Counts a viewer of a replay, or one less. Nothing happens if there is no such replay.
    pub async fn count_replay_viewers(&self, user: &UserId, file: &FileId, by: i64) -> Result<()> {
        self.count_on_replay(user, file, "viewers", by).await
    }

    async fn count_on_replay(&self, user: &UserId, file: &FileId, counter: &'static str, by: i64) -> Result<()> {
        match self.replay(user, file).await? {
            Some(replay) => self.count_on(keys::replay(user, &replay.file), counter, by).await,
            None => Ok(()),
        }
    }

    /// A page of the replays that ended in the last `window` seconds.
    pub async fn recent_replays(&self, now: UnixSeconds, window: u64, page: Page) -> Result<Listed<Replay>> {
        self.recent_page(&REPLAYS, now, window, page).await?.parse(Replay::read)
    }
}

/// The parts of a replay, and those that its row knows and the timeline has forgotten.
fn with_known(replay: &Entry, known: Vec<Part>) -> Result<String> {
    let is_forgotten = |part: &Part| !replay.parts.iter().any(|other| other.file == part.file);
    let mut parts: Vec<Part> = known.into_iter().filter(is_forgotten).chain(replay.parts.iter().cloned()).collect();
    parts.sort_by_key(|part| part.start);
    parts.truncate(MOST_PARTS);
    serde_json::to_string(&parts).map_err(super::failed("write a replay"))
}
