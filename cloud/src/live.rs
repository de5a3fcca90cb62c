//! The live cloud as it runs: pushes are accepted, relayed, recorded and cut, and the business server is told.

use std::{
    borrow::Cow,
    collections::{HashMap, VecDeque},
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use http::{Request, Response, StatusCode, request::Parts};
use protocol::types::UnixSeconds;
use tokio::sync::{
    mpsc::{self, Receiver, Sender, error::TrySendError},
    watch,
};

use crate::{
    account::{Account, CLOSED, CLOSED_BY_PEER, FAILED, FilePart, lock},
    bounds::{MAX_NOTICES, MAX_PUSHES},
    channel::Channel,
    chat::{self, Chat, Member},
    flv::Tag,
    hls::{Entry, LIVE_SEGMENTS, live_playlist},
    library::Library,
    listen::{Body, text},
    notices::Notice,
    object_storage::ObjectStorage,
    picture::Camera,
    playback,
    publish::{CutReason, EndReason, Ingest, Push, Refused},
    recording::{Event, Recorder, Request as Recording},
    recording_thread::RecordingThread,
};

/// What a publisher is told whose push the business server, or a newer push of the stream, ended.
const CUT: &str = "the stream was dropped or forbidden, or is pushed from elsewhere";

/// What a publisher is told who comes when there are as many pushes as there may be.
const TOO_MANY: &str = "too many streams are pushed at the same time; try again later";
/// How often old recordings are deleted while others are written.
const SHRINK_SECONDS: u64 = 60;

/// A live cloud with one account.
#[derive(Debug)]
pub struct LiveCloud {
    account: Mutex<Account>,
    /// The running pushes by their names.
    pushes: Mutex<HashMap<String, Running>>,
    /// The number of pushes since the start.
    count: AtomicU64,
    library: Library,
    objects: ObjectStorage,
    chat: Arc<Chat>,
    /// The address of this cloud in the URLs of recordings and pictures.
    base: String,
    notices: Sender<Notice>,
    /// When old recordings were deleted last.
    shrunk: Mutex<UnixSeconds>,
    clock: fn() -> UnixSeconds,
}

/// A running push, for its viewers and for those who end it.
#[derive(Clone, Debug)]
struct Running {
    stream: String,
    channel: Arc<Channel>,
    playlist: Arc<Mutex<LivePlaylist>>,
    cut: watch::Sender<bool>,
}

/// The last segments of a push.
#[derive(Debug, Default)]
struct LivePlaylist {
    entries: VecDeque<Entry>,
    /// How many segments, and how many discontinuities, were dropped.
    dropped: usize,
    changes: usize,
}

/// A push that the live cloud accepted.
#[derive(Debug)]
pub struct LivePush {
    cloud: Arc<LiveCloud>,
    name: String,
    channel: Arc<Channel>,
    recording: RecordingThread,
    camera: Camera,
    cut: watch::Receiver<bool>,
}

impl LivePlaylist {
    fn add(&mut self, entry: Entry) {
        self.entries.push_back(entry);
        while self.entries.len() > LIVE_SEGMENTS {
            let dropped = self.entries.pop_front();
            self.dropped += 1;
            self.changes += usize::from(dropped.is_some_and(|entry| entry.is_discontinuous));
        }
    }
}

impl LiveCloud {
    /// A live cloud without pushes, whose URLs begin with `base`; and its notices to the business server.
    pub fn new(
        mut account: Account,
        library: Library,
        objects: ObjectStorage,
        chat: Arc<Chat>,
        base: &str,
        clock: fn() -> UnixSeconds,
    ) -> (Arc<Self>, Receiver<Notice>) {
        let (notices, receiver) = mpsc::channel(MAX_NOTICES);
        match library.ids() {
            Ok(ids) => ids.into_iter().for_each(|id| account.add_file(id)),
            Err(error) => tracing::warn!(%error, "the recordings could not be listed"),
        }
        let (account, base) = (Mutex::new(account), base.to_owned());
        let (pushes, count) = (Mutex::default(), AtomicU64::new(0));
        let shrunk = Mutex::new(UnixSeconds(0));
        let cloud = Self { account, pushes, count, library, objects, chat, base, notices, shrunk, clock };
        cloud.shrink();
        (Arc::new(cloud), receiver)
    }

    /// Answers a call of the business server to the cloud's interfaces: the JSON text, always with HTTP status 200.
    pub fn answer(&self, request: &Request<Vec<u8>>) -> String {
        let (answer, notices, deleted) = {
            let mut account = lock(&self.account);
            let (answer, notices) = account.answer(request, self.now());
            (answer, notices, account.take_deleted())
        };
        self.send(notices);
        self.cut_ended();
        for id in deleted {
            if let Err(error) = self.library.delete(&id) {
                tracing::warn!(id, %error, "a recording could not be deleted");
            }
        }
        answer
    }

    /// Ends every push, as the process ends.
    pub fn stop(&self) {
        let streams: Vec<String> = self.pushes().values().map(|running| running.stream.clone()).collect();
        for stream in streams {
            let notices = lock(&self.account).drop_stream(&stream, self.now());
            self.send(notices);
        }
        self.cut_ended();
    }

    /// Whether a push runs, or its files are not complete yet.
    pub fn is_busy(&self) -> bool {
        !lock(&self.account).is_idle()
    }

    /// The time.
    pub(crate) fn now(&self) -> UnixSeconds {
        (self.clock)()
    }

    /// The object storage.
    pub(crate) fn objects(&self) -> &ObjectStorage {
        &self.objects
    }

    /// Lets a user enter the chat of a group: `group=..&userid=..&usersig=..`.
    pub(crate) fn enter_chat(&self, query: &str) -> Result<Member, chat::Refused> {
        let params: HashMap<_, _> = form_urlencoded::parse(query.as_bytes()).collect();
        let param = |name: &str| params.get(name).map(|value| &**value).unwrap_or_default();
        self.chat.enter(param("group"), param("userid"), param("usersig"), self.now())
    }

    /// Plays a stream or a recording.
    pub(crate) async fn play(&self, head: &Parts) -> Response<Body> {
        let path = head.uri.path();
        if let Some(path) = path.strip_prefix("/vod/") {
            let Some(file) = self.library.file(path) else {
                return text(StatusCode::NOT_FOUND, "there is no such recording");
            };
            let response = playback::file(&file, head).await;
            return response.unwrap_or_else(|error| text(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()));
        }
        let Some((stream, extension)) = playback::stream_in(path) else {
            return text(StatusCode::NOT_FOUND, "streams are at /live/<stream>.flv and .m3u8, recordings at /vod/");
        };
        let running = self.pushes().values().find(|running| running.stream == stream).cloned();
        let Some(running) = running else { return text(StatusCode::NOT_FOUND, "the stream is not live") };
        match extension {
            "flv" => match running.channel.view() {
                Some(viewer) => playback::flv(viewer),
                None => text(StatusCode::NOT_FOUND, "the stream is not live"),
            },
            "m3u8" => {
                let list = running.playlist.lock().unwrap_or_else(PoisonError::into_inner);
                if list.entries.is_empty() {
                    return text(StatusCode::NOT_FOUND, "the stream has no segment yet; try again");
                }
                let entries: Vec<Entry> = list.entries.iter().cloned().collect();
                playback::playlist(live_playlist(&entries, list.dropped, list.changes))
            }
            _ => text(StatusCode::NOT_FOUND, "streams are played as .flv and .m3u8"),
        }
    }

    /// Cuts the pushes that the account has ended.
    fn cut_ended(&self) {
        let account = lock(&self.account);
        for (name, running) in &*self.pushes() {
            if !account.is_running(name) {
                running.cut.send_replace(true);
            }
        }
    }

    /// Receives what the recorder of a push reports.
    fn recorded(&self, name: &str, playlist: &Mutex<LivePlaylist>, event: Event) {
        match event {
            Event::Segment(entry) => {
                playlist.lock().unwrap_or_else(PoisonError::into_inner).add(entry);
                let since = self.now().0.saturating_sub(self.shrunk().0);
                if since >= SHRINK_SECONDS {
                    self.shrink();
                }
            }
            Event::Recorded(recorded) => {
                let url = format!("{}/vod/{}/{}", self.base, recorded.id, recorded.format.entry());
                let (from, to) = (Some(recorded.start), Some(recorded.end));
                let part = FilePart { from, to, url: Some(&url), bytes: Some(recorded.bytes) };
                let (format, now) = (recorded.format.name(), self.now());
                self.send(lock(&self.account).record_as(name, format, &recorded.id, part, now));
                self.shrink();
            }
        }
    }

    /// Deletes the recordings that are too old or too many.
    fn shrink(&self) {
        let now = self.now();
        *self.shrunk() = now;
        match self.library.shrink(SystemTime::UNIX_EPOCH + Duration::from_secs(now.0)) {
            Ok(deleted) => deleted.iter().for_each(|id| lock(&self.account).forget_file(id)),
            Err(error) => tracing::warn!(%error, "old recordings could not be deleted"),
        }
    }

    fn shrunk(&self) -> MutexGuard<'_, UnixSeconds> {
        self.shrunk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, notices: impl IntoIterator<Item = Notice>) {
        for notice in notices {
            match self.notices.try_send(notice) {
                Ok(()) => {}
                Err(TrySendError::Full(_)) => tracing::warn!("a notice is lost: {MAX_NOTICES} others are waiting"),
                // The process ends.
                Err(TrySendError::Closed(_)) => {}
            }
        }
    }

    fn pushes(&self) -> MutexGuard<'_, HashMap<String, Running>> {
        self.pushes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ingest for Arc<LiveCloud> {
    type Push = LivePush;

    fn open(&self, app: &str, stream: &str, _from: Option<IpAddr>) -> Result<LivePush, Refused> {
        let name = format!("push{}", self.count.fetch_add(1, Ordering::Relaxed));
        let (sender, cut) = watch::channel(false);
        let (channel, playlist) = (Arc::<Channel>::default(), Arc::<Mutex<LivePlaylist>>::default());
        let (notices, file) = {
            let mut account = lock(&self.account);
            if account.count() >= MAX_PUSHES {
                return Err(Refused(TOO_MANY.into()));
            }
            let url = format!("rtmp://{}/{app}/{stream}", account.settings().domains.push);
            let notices = account.replace(&url, &name, self.now()).map_err(|refusal| {
                tracing::info!(reason = %refusal, "a push was refused");
                Refused(refusal.to_string().into())
            })?;
            (notices, account.file_name(&name))
        };
        let (stream, query) = stream.split_once('?').unwrap_or((stream, ""));
        let running = Running {
            stream: stream.to_owned(),
            channel: Arc::clone(&channel),
            playlist: Arc::clone(&playlist),
            cut: sender,
        };
        self.pushes().insert(name.clone(), running);
        self.send(notices);
        self.cut_ended();
        let recorder = Recorder::new(self.library.folder(), Recording::of_query(&file, query), self.clock);
        let (cloud, of) = (Arc::clone(self), name.clone());
        let recording = RecordingThread::start(recorder, move |event| match event {
            Some(event) => cloud.recorded(&of, &playlist, event),
            None => lock(&cloud.account).forget(&of),
        });
        Ok(LivePush { cloud: Arc::clone(self), name, channel, recording, camera: Camera::default(), cut })
    }
}

impl Push for LivePush {
    fn tag(&mut self, tag: Tag) {
        let tag = self.channel.push(&tag);
        let place = self.camera.due(&tag);
        self.recording.add(tag);
        if let Some(place) = place
            && let Some(beginning) = self.channel.beginning()
        {
            let (cloud, name) = (Arc::clone(&self.cloud), self.name.clone());
            self.camera.shoot(place, beginning, move |picture| cloud.keep_picture(&name, &picture));
        }
    }

    async fn cut(&self) -> CutReason {
        let mut cut = self.cut.clone();
        // An error means that the push has ended for the cloud.
        drop(cut.wait_for(|is_cut| *is_cut).await);
        CutReason(Cow::Borrowed(CUT))
    }

    fn end(self, reason: EndReason) {
        let errcode = match reason {
            EndReason::Closed => CLOSED,
            EndReason::Left => CLOSED_BY_PEER,
            // A push that was cut has ended for the account.
            EndReason::Silent | EndReason::Broken(_) | EndReason::Cut => FAILED,
        };
        let Self { cloud, name, channel, recording, .. } = self;
        tracing::info!(push = name, %reason, "a push ended");
        channel.end();
        let notice = lock(&cloud.account).stop(&name, errcode, cloud.now());
        cloud.pushes().remove(&name);
        cloud.send(notice);
        // The files of the push are complete after its end was reported.
        recording.end();
    }
}

impl LiveCloud {
    /// Keeps a picture of a push, and reports it.
    fn keep_picture(&self, name: &str, picture: &[u8]) {
        let now = self.now();
        let path = format!("/screenshots/{}.jpg", lock(&self.account).file_name(name));
        if let Err(refused) = self.objects.write(&http::Method::PUT, &path, picture) {
            tracing::warn!(reason = refused.reason, "a picture of a push could not be kept");
            return;
        }
        // One picture is kept of each push. The query tells players and the business server that it is a new one.
        let url = format!("{}{path}?t={now}", self.base);
        let notice = lock(&self.account).shot(name, Some(&url), now);
        self.send(notice);
    }
}
