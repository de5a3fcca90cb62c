//! The live cloud as it runs: pushes are accepted, relayed, recorded and cut, and the business server is told.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use http::Request;
use protocol::types::UnixSeconds;
use tokio::sync::{
    mpsc::{self, UnboundedReceiver, UnboundedSender},
    watch,
};

use crate::{
    account::{Account, CLOSED, CLOSED_BY_PEER, FAILED, lock},
    chat::{self, Chat, Member},
    flv::Tag,
    notices::Notice,
    object_storage::ObjectStorage,
    publish::{CutReason, EndReason, Ingest, Push, Refused},
};

/// What a publisher is told whose push the business server dropped or forbade.
const CUT: CutReason = CutReason(std::borrow::Cow::Borrowed("the stream was dropped or forbidden"));

/// A live cloud with one account.
#[derive(Debug)]
pub struct LiveCloud {
    account: Mutex<Account>,
    /// The running pushes by their names: the stream, and the sender that cuts the push.
    pushes: Mutex<HashMap<String, Running>>,
    /// The number of pushes since the start.
    count: AtomicU64,
    objects: ObjectStorage,
    chat: Arc<Chat>,
    notices: UnboundedSender<Notice>,
    clock: fn() -> UnixSeconds,
}

/// A running push.
#[derive(Debug)]
struct Running {
    cut: watch::Sender<bool>,
}

/// A push that the live cloud accepted.
#[derive(Debug)]
pub struct LivePush {
    cloud: Arc<LiveCloud>,
    name: String,
    cut: watch::Receiver<bool>,
}

impl LiveCloud {
    /// A live cloud without pushes, and its notices to the business server. `run` is a prefix of the names of pushes and
    /// files, which must differ from those of earlier processes.
    pub fn new(
        account: Account,
        objects: ObjectStorage,
        chat: Arc<Chat>,
        clock: fn() -> UnixSeconds,
    ) -> (Arc<Self>, UnboundedReceiver<Notice>) {
        let (notices, receiver) = mpsc::unbounded_channel();
        let (account, pushes, count) = (Mutex::new(account), Mutex::default(), AtomicU64::new(0));
        (Arc::new(Self { account, pushes, count, objects, chat, notices, clock }), receiver)
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

    /// Answers a call of the business server to the cloud's interfaces: the JSON text, always with HTTP status 200.
    pub fn answer(&self, request: &Request<Vec<u8>>) -> String {
        let (answer, notices) = lock(&self.account).answer(request, self.now());
        self.send(notices);
        self.cut_ended();
        answer
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

    fn send(&self, notices: impl IntoIterator<Item = Notice>) {
        for notice in notices {
            // The receiver is dropped when the process ends.
            drop(self.notices.send(notice));
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
        let now = self.now();
        let mut account = lock(&self.account);
        let url = format!("rtmp://{}/{app}/{stream}", account.settings().domains.push);
        let notices = account.replace(&url, &name, now).map_err(|refusal| {
            tracing::info!(reason = %refusal, "a push was refused");
            Refused(refusal.to_string().into())
        })?;
        let (sender, cut) = watch::channel(false);
        self.pushes().insert(name.clone(), Running { cut: sender });
        drop(account);
        self.send(notices);
        self.cut_ended();
        Ok(LivePush { cloud: Arc::clone(self), name, cut })
    }
}

impl Push for LivePush {
    fn tag(&mut self, _tag: Tag) {}

    async fn cut(&self) -> CutReason {
        let mut cut = self.cut.clone();
        // An error means that the push has ended for the cloud.
        drop(cut.wait_for(|is_cut| *is_cut).await);
        CUT
    }

    fn end(self, reason: EndReason) {
        let errcode = match reason {
            EndReason::Closed => CLOSED,
            EndReason::Left => CLOSED_BY_PEER,
            // A push that was cut has ended for the account.
            EndReason::Silent | EndReason::Broken(_) | EndReason::Cut => FAILED,
        };
        let (cloud, name) = (&self.cloud, &self.name);
        tracing::info!(push = name, %reason, "a push ended");
        let notice = lock(&cloud.account).stop(name, errcode, cloud.now());
        cloud.pushes().remove(name);
        cloud.send(notice);
    }
}
