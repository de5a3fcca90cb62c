//! The live cloud of `mini-lvb serve`: with the settings that the server invents, pushes and players find a live cloud in
//! this process.

use std::{
    env, fs, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use app::{
    config::{ApiUrl, CloudApi, Config},
    process::{now, random_u32},
};
use cli::{
    cloud_account::account,
    folder,
    listen::reachable,
    simulate::{backend::Backend, network::Remote},
};
use cloud::{
    account::Settings,
    chat::Chat,
    library::Library,
    listen::{serve_http, serve_rtmp},
    live::LiveCloud,
    notices::{Notice, Retries},
    object_storage::ObjectStorage,
};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, mpsc::Receiver},
    time::timeout,
};

/// RTMP's port.
const RTMP_PORT: u16 = 1935;
/// The length up to which a replay is not listed: who tries a live wants to see its replay.
const REPLAY_MIN_SECONDS: u64 = 1;
/// How often a notice is sent again that the business server in this process did not accept.
const RETRIES: Retries = Retries { times: 12, seconds: 5 };
/// How many notices are being delivered at a time. Further ones wait in the live cloud, which has a bound of them.
const MAX_DELIVERIES: usize = 64;
/// How long the end of the pushes and the last notices may take when the server stops.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(3);
const SHUTDOWN_INTERVAL: Duration = Duration::from_millis(20);

/// The listeners of a live cloud, before the cloud has the settings of the business server.
pub(crate) struct VideoPorts {
    rtmp: TcpListener,
    http: TcpListener,
    /// The addresses in URLs.
    rtmp_address: SocketAddr,
    http_address: SocketAddr,
}

/// The folder of the pictures and recordings.
pub(crate) enum Folder {
    /// It stays.
    Kept(PathBuf),
    /// It is deleted when the server stops.
    Temporary(PathBuf),
}

impl Folder {
    /// The folder of a server whose data is in `data`, or in memory.
    pub(crate) fn of(data: &Path, is_in_memory: bool) -> Self {
        if is_in_memory {
            return Self::Temporary(env::temp_dir().join(format!("mini-lvb-{:08x}", random_u32())));
        }
        Self::Kept(data.join("video"))
    }

    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Kept(path) | Self::Temporary(path) => path,
        }
    }
}

/// The running live cloud.
pub(crate) struct Video {
    cloud: Arc<LiveCloud>,
    /// The address to which publishers push by RTMP.
    pub(crate) rtmp_address: SocketAddr,
    /// The folder, if it is deleted at the end.
    temporary: Option<PathBuf>,
    /// The number of notices that were not delivered yet.
    undelivered: Arc<AtomicUsize>,
}

/// Whether a server with these settings has no cloud: those that `mini-lvb serve` invents, unchanged.
pub(crate) fn is_wanted(config: &Config) -> bool {
    let domains = &config.live.domains;
    let is_generated = domains.bizid == "8888" && domains.push == "8888.livepush.myqcloud.com";
    is_generated && config.cloud_api.is_none() && config.live.api_url.is_none() && config.cos.url.is_none()
}

impl VideoPorts {
    /// Listens beside a business server: at RTMP's port, and at the port after the server's. If a port is taken, a free one
    /// is used: the URLs have the port.
    pub(crate) async fn bind(server: SocketAddr) -> io::Result<Self> {
        let rtmp = bind(server, RTMP_PORT).await?;
        let http = bind(server, server.port().checked_add(1).unwrap_or_default()).await?;
        let address = |listener: &TcpListener| {
            let listening = listener.local_addr()?;
            io::Result::Ok(reachable(listening).first().copied().unwrap_or(listening))
        };
        let (rtmp_address, http_address) = (address(&rtmp)?, address(&http)?);
        Ok(Self { rtmp, http, rtmp_address, http_address })
    }

    /// Directs the business server to this live cloud.
    pub(crate) fn direct(&self, config: &mut Config) {
        let (domains, address) = (&mut config.live.domains, self.http_address);
        domains.push = match self.rtmp_address {
            SocketAddr::V4(address) if address.port() == RTMP_PORT => address.ip().to_string(),
            address @ (SocketAddr::V4(_) | SocketAddr::V6(_)) => address.to_string(),
        };
        domains.play = address.to_string();
        let base = format!("http://{address}");
        config.live.api_url = Some(format!("{base}/common_access"));
        let (secret_id, secret_key) = (config.vod.secret_id.clone(), config.vod.secret_key.clone());
        config.cloud_api = Some(CloudApi { url: ApiUrl::of_this_machine(address), secret_id, secret_key });
        config.cos.url = Some(base);
        config.rules.replay_min_seconds = config.rules.replay_min_seconds.min(REPLAY_MIN_SECONDS);
    }

    /// Starts the live cloud, with its files in a folder. It sends its notices to the business server at an address.
    pub(crate) fn start(self, config: &Config, folder: &Folder, server: SocketAddr) -> io::Result<Video> {
        let path = folder.path();
        folder::create(path).map_err(io::Error::other)?;
        let (run, base) = (format!("{:x}{:08x}-", now().0, random_u32()), format!("http://{}", self.http_address));
        let account = account(config, &run);
        let settings = account.settings().clone();
        let (secret_id, secret_key) = (config.cos.secret_id.clone(), config.cos.secret_key.clone());
        let objects = ObjectStorage::new(path.join("pictures"), secret_id, secret_key);
        let library = Library::open(path.join("recordings"))?;
        let chat = Chat::new(config.im.sdk_app_id, config.im.secret_key.clone());
        let (cloud, notices) = LiveCloud::new(account, library, objects, chat, &base, now);
        tokio::spawn(serve_rtmp(Arc::clone(&cloud), self.rtmp));
        tokio::spawn(serve_http(Arc::clone(&cloud), self.http));
        let undelivered = Arc::new(AtomicUsize::new(0));
        tokio::spawn(deliver_all(notices, from_here(server), settings, Arc::clone(&undelivered)));
        let temporary = match folder {
            Folder::Kept(_) => None,
            Folder::Temporary(folder) => Some(folder.clone()),
        };
        Ok(Video { cloud, rtmp_address: self.rtmp_address, temporary, undelivered })
    }
}

/// The address at which this machine reaches what listens at an address.
fn from_here(listening: SocketAddr) -> SocketAddr {
    let loopback = match listening {
        SocketAddr::V4(_) => IpAddr::from(Ipv4Addr::LOCALHOST),
        SocketAddr::V6(_) => IpAddr::from(Ipv6Addr::LOCALHOST),
    };
    if listening.ip().is_unspecified() { SocketAddr::new(loopback, listening.port()) } else { listening }
}

/// Listens at a port beside another address, or at a free port.
async fn bind(beside: SocketAddr, port: u16) -> io::Result<TcpListener> {
    match TcpListener::bind((beside.ip(), port)).await {
        Err(error) if port != 0 => {
            let free = TcpListener::bind((beside.ip(), 0)).await?;
            tracing::info!(port, %error, instead = free.local_addr()?.port(), "a port of the live cloud is taken");
            Ok(free)
        }
        listener => listener,
    }
}

impl Video {
    /// Ends every push, and waits until the business server has been told and the recordings are complete.
    pub(crate) async fn stop(&self) {
        self.cloud.stop();
        let idle = async {
            while self.cloud.is_busy() || self.undelivered.load(Ordering::SeqCst) > 0 {
                tokio::time::sleep(SHUTDOWN_INTERVAL).await;
            }
        };
        if timeout(SHUTDOWN_TIMEOUT, idle).await.is_err() {
            tracing::warn!("some pushes ended without a notice: their lives end when the cloud is asked about them");
        }
        if let Some(folder) = &self.temporary
            && let Err(error) = fs::remove_dir_all(folder)
        {
            tracing::warn!(folder = %folder.display(), %error, "the recordings could not be deleted");
        }
    }
}

/// Delivers notices to the business server, each in a task of its own.
async fn deliver_all(
    mut notices: Receiver<Notice>,
    server: SocketAddr,
    settings: Settings,
    undelivered: Arc<AtomicUsize>,
) {
    let (server, settings) = (Remote::new(&format!("http://{server}")), Arc::new(settings));
    let places = Arc::new(Semaphore::new(MAX_DELIVERIES));
    while let Some(notice) = notices.recv().await {
        undelivered.fetch_add(1, Ordering::SeqCst);
        let place = Arc::clone(&places).acquire_owned().await;
        let (server, settings, undelivered) = (server.clone(), Arc::clone(&settings), Arc::clone(&undelivered));
        tokio::spawn(async move {
            deliver(&notice, &server, &settings).await;
            undelivered.fetch_sub(1, Ordering::SeqCst);
            drop(place);
        });
    }
}

/// Sends a notice until the business server accepts it.
async fn deliver(notice: &Notice, server: &Remote, Settings { callback_path, callback_key, .. }: &Settings) {
    for _ in 0..=RETRIES.times {
        let body = notice.body(now(), callback_key);
        match server.post(callback_path, None, body).await {
            Ok(answer) if answer.status == 200 => return,
            Ok(answer) => tracing::warn!(answer.status, "a notice of the live cloud was not accepted"),
            Err(error) => tracing::warn!(error, "a notice of the live cloud was not accepted"),
        }
        tokio::time::sleep(Duration::from_secs(RETRIES.seconds)).await;
    }
}
