//! Replays: what remains of a live. The files of all its formats are one entry.
//!
//! A recording that overlaps exactly one replay of its user, which has no file of its format yet, belongs to it;
//! any other one is a replay of its own. Two formats are announced in the same second, so the decision must not be made
//! twice at once: it is written to the user's journal under a condition, one at a time, before the entry is written. Who
//! finds a decision in the journal whose entry is missing writes that entry first; so a process may die anywhere, and the
//! cloud's next try, or the next recording, finishes its work.

use super::{
    Item, Listed, Result, Table, contended, counter_in, damaged, keys,
    lists::{List, Position, Series, counts_kept_until},
    moment, moment_in, number, number_in, parsed,
    rooms::{Profile, Room},
    text, text_in,
    update::{Update, Written},
};
use crate::types::{FileId, Page, Text, UnixSeconds, UserId};

const TREE: &str = "replays";
pub(super) const REPLAYS: List = List { tree: TREE, series: Series::All, partitions: &["replays"] };
/// How often a decision is tried again that another one came before.
const ATTEMPTS: u32 = 16;

/// A file that the cloud recorded.
#[derive(Clone, Debug)]
pub struct Recording {
    /// The file.
    pub file: FileId,
    /// Where it plays.
    pub url: Text<1024>,
    /// Its format, in small letters.
    pub format: Text<16>,
    /// The second of its first picture.
    pub start: UnixSeconds,
    /// The second of its last picture.
    pub end: UnixSeconds,
}

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
    /// How many likes it got.
    pub likes: u64,
}

/// What a recording is.
struct Decision {
    recording: Recording,
    /// The replay that it is another format of; `None` if it is one of its own.
    joins: Option<FileId>,
}

/// What the journal of a user says.
struct Journal {
    revision: i64,
    /// The longest replay so far: how far back one must look for an overlap.
    longest: u64,
    last: Option<Decision>,
}

impl Replay {
    fn read(item: &Item) -> Result<Self> {
        Ok(Self {
            user: parsed(item, "user", UserId::parse)?,
            file: parsed(item, "file", FileId::parse)?,
            title: parsed(item, "title", Text::parse)?,
            profile: Profile::read(item)?,
            play_url: text_in(item, "play_url")?.to_owned(),
            hls_url: text_in(item, "hls_url")?.to_owned(),
            started_at: moment_in(item, "started_at")?,
            ended_at: moment_in(item, "ended_at")?,
            viewers: counter_in(item, "viewers")?,
            likes: counter_in(item, "likes")?,
        })
    }
}

impl Journal {
    fn read(item: Option<&Item>) -> Result<Self> {
        let Some(item) = item else { return Ok(Self { revision: 0, longest: 0, last: None }) };
        let recording = Recording {
            file: parsed(item, "file", FileId::parse)?,
            url: parsed(item, "url", Text::parse)?,
            format: parsed(item, "format", Text::parse)?,
            start: moment_in(item, "started_at")?,
            end: moment_in(item, "ended_at")?,
        };
        let joins = match text_in(item, "joins")? {
            "" => None,
            joins => Some(FileId::parse(joins).ok_or_else(|| damaged("joins"))?),
        };
        Ok(Self {
            revision: number_in(item, "revision")?,
            longest: counter_in(item, "longest")?,
            last: Some(Decision { recording, joins }),
        })
    }
}

impl Table {
    /// Keeps a recording of `room`: as a replay of its own, or as another format of one. Once and for all, however
    /// often and in whatever order it comes.
    pub async fn record(&self, room: &Room, recording: Recording, window: u64) -> Result<()> {
        const CONTEXT: &str = "keep a recording";
        let user = &room.user;
        for _ in 0..ATTEMPTS {
            let (known, journal) = tokio::try_join!(
                self.get(keys::replay(user, &recording.file), CONTEXT),
                self.get(keys::journal(user), CONTEXT)
            )?;
            if known.is_some() {
                return Ok(());
            }
            let journal = Journal::read(journal.as_ref())?;
            if let Some(last) = &journal.last
                && (last.recording.file == recording.file || !self.is_written(user, &last.recording.file).await?)
            {
                self.write_decision(room, last, window).await?;
                if last.recording.file == recording.file {
                    return Ok(());
                }
            }
            let mut overlapped = self.overlapped(user, &recording, journal.longest).await?;
            let joins = match overlapped.pop().filter(|_| overlapped.is_empty()) {
                Some(replay) if self.lacks(user, &replay, recording.format.as_str()).await? => Some(replay),
                Some(_) | None => None,
            };
            let decision = Decision { recording: recording.clone(), joins };
            let length = recording.end.0.saturating_sub(recording.start.0);
            let update = Update::of(keys::journal(user))
                .set("revision", number(journal.revision + 1))
                .set("longest", number(journal.longest.max(length)))
                .set("file", text(recording.file.as_str()))
                .set_text("url", recording.url.as_str())
                .set_text("format", recording.format.as_str())
                .set("started_at", moment(recording.start))
                .set("ended_at", moment(recording.end))
                .set_text("joins", decision.joins.as_ref().map_or("", FileId::as_str));
            let update = if journal.revision == 0 {
                update.when("attribute_not_exists(PK)")
            } else {
                update.when("#revision = :seen").value(":seen", number(journal.revision))
            };
            if update.send(self, CONTEXT).await? == Written::Done {
                return self.write_decision(room, &decision, window).await;
            }
        }
        Err(contended(CONTEXT))
    }

    /// Whether a replay has no file of this format yet. A second one is no other format of it, but another part.
    async fn lacks(&self, user: &UserId, replay: &FileId, format: &str) -> Result<bool> {
        let replay = self.get(keys::replay(user, replay), "read a replay").await?;
        let formats = replay.as_ref().and_then(|item| item.get("formats")?.as_ss().ok());
        Ok(!formats.is_some_and(|formats| formats.iter().any(|known| known == format)))
    }

    /// Whether a decision about this file has been carried out.
    async fn is_written(&self, user: &UserId, file: &FileId) -> Result<bool> {
        Ok(self.get(keys::replay(user, file), "read a replay").await?.is_some())
    }

    /// The replays that the recording overlaps; touching is not overlapping.
    async fn overlapped(&self, user: &UserId, recording: &Recording, longest: u64) -> Result<Vec<FileId>> {
        let request = self
            .client
            .query()
            .consistent_read(true)
            .key_condition_expression("PK = :user AND SK BETWEEN :first AND :end")
            .expression_attribute_values(":user", text(keys::user_partition(user)))
            .expression_attribute_values(":first", text(keys::span_prefix(recording.start.minus(longest))))
            .expression_attribute_values(":end", text(keys::span_prefix(recording.end)));
        let mut overlapped = Vec::new();
        for span in self.query(request, usize::MAX, "look for overlapping replays").await? {
            if moment_in(&span, "ended_at")? > recording.start {
                overlapped.push(parsed(&span, "file", FileId::parse)?);
            }
        }
        Ok(overlapped)
    }

    /// Carries out a decision; what has been carried out already is left as it is.
    async fn write_decision(&self, room: &Room, decision: &Decision, window: u64) -> Result<()> {
        const CONTEXT: &str = "write a replay";
        let Decision { recording, joins } = decision;
        let user = &room.user;
        let url = if recording.format.as_str() == "hls" { "hls_url" } else { "play_url" };
        let Some(replay) = joins else {
            let span = Update::of(keys::span(user, recording.start, &recording.file))
                .set("file", text(recording.file.as_str()))
                .set("ended_at", moment(recording.end));
            span.send(self, CONTEXT).await?;
            let position = Position::of(recording.end, recording.file.as_str());
            let update = Update::of(keys::replay(user, &recording.file))
                .set("user", text(user.as_str()))
                .set("file", text(recording.file.as_str()))
                .set_text("title", room.title.as_str())
                .set(url, text(recording.url.as_str()))
                .add_text("formats", recording.format.as_str())
                .set("started_at", moment(recording.start))
                .set("ended_at", moment(recording.end))
                .set(keys::LIST, text(TREE))
                .set(keys::POSITION, text(keys::place(position, recording.file.as_str())))
                .when("attribute_not_exists(PK)");
            if room.profile.write(update).send(self, CONTEXT).await? == Written::Done {
                let expires_at = counts_kept_until(recording.end, window);
                self.count(TREE, &[(Series::All, position, 1)], Some(expires_at)).await?;
            }
            return Ok(());
        };
        let entry = Update::of(keys::replay(user, replay))
            .set(url, text(recording.url.as_str()))
            .add_text("formats", recording.format.as_str());
        entry.when("attribute_exists(PK)").send(self, CONTEXT).await?;
        let alias = Update::of(keys::replay(user, &recording.file)).set("part_of", text(replay.as_str()));
        alias.when("attribute_not_exists(PK)").send(self, CONTEXT).await.map(|_| ())
    }

    /// The replay that a file belongs to.
    pub async fn replay(&self, user: &UserId, file: &FileId) -> Result<Option<Replay>> {
        const CONTEXT: &str = "read a replay";
        let Some(item) = self.get(keys::replay(user, file), CONTEXT).await? else { return Ok(None) };
        match text_in(&item, "part_of")? {
            "" => Replay::read(&item).map(Some),
            replay => {
                let replay = FileId::parse(replay).ok_or_else(|| damaged("part_of"))?;
                self.get(keys::replay(user, &replay), CONTEXT).await?.as_ref().map(Replay::read).transpose()
            }
        }
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
