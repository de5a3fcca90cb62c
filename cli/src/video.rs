//! The live cloud of `mini-lvb serve`: with settings for development, pushes and players find it in this process.

use std::{
    io,
    net::SocketAddr,
    path::Path,
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
    listen::reachable,
    simulate::{
        backend::{Answer, Backend},
        network::Remote,
    },
};
use cloud::{
    account::Settings,
    chat::Chat,
    listen::{serve_http, serve_rtmp},
    live::LiveCloud,
    notices::{Notice, Retries},
    object_storage::ObjectStorage,
    recording::Recordings,
};
use tokio::{net::TcpListener, sync::mpsc::UnboundedReceiver, time::timeout};

/// RTMP's port.
const RTMP_PORT: u16 = 1935;
/// The length up to which a replay is not listed: who tries a live wants to see its replay.
const REPLAY_MIN_SECONDS: u64 = 1;
/// How often a notice is sent again that the business server in this process did not accept.
const RETRIES: Retries = Retries { times: 12, seconds: 5 };
/// How long the last notices may take when the server stops.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// The listeners of a live cloud, before it has the settings of the business server.
pub(crate) struct VideoPorts {
    rtmp: TcpListener,
    http: TcpListener,
    /// The addresses that URLs have.
    rtmp_address: SocketAddr,
    http_address: SocketAddr,
}

/// Whether a server with these settings has no cloud but its own: those that `mini-lvb serve` invents.
pub(crate) fn is_wanted(config: &Config) -> bool {
    let domains = &config.live.domains;
    let is_invented = domains.bizid == "8888" && domains.push == "8888.livepush.myqcloud.com";
    is_invented && config.cloud_api.is_none() && config.live.api_url.is_none()
}

impl VideoPorts {
    /// Listens at the addresses beside that of the business server: RTMP's port, and the port after the server's. A port
    /// that is taken is replaced by a free one: the URLs have the port.
    pub(crate) async fn bind(server: SocketAddr) -> io::Result<Self> {
        let is_any = server.port() < 1024 || server.port() >= u16::MAX;
        let port = |port| if is_any { 0 } else { port };
        let rtmp = bind(server, port(RTMP_PORT)).await?;
        let http = bind(server, port(server.port().wrapping_add(1))).await?;
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
        domains.push = match self.rtmp_address.port() {
            RTMP_PORT => self.rtmp_address.ip().to_string(),
            _ => self.rtmp_address.to_string(),
        };
        domains.play = address.to_string();
        let base = format!("http://{address}");
        config.live.api_url = Some(format!("{base}/common_access"));
        let (secret_id, secret_key) = (config.vod.secret_id.clone(), config.vod.secret_key.clone());
        config.cloud_api = Some(CloudApi { url: ApiUrl::of_this_machine(address), secret_id, secret_key });
        config.cos.url = Some(base);
        config.rules.replay_min_seconds = config.rules.replay_min_seconds.min(REPLAY_MIN_SECONDS);
    }

    /// Starts the live cloud, with its files in a folder, and sends its notices to the business server.
    pub(crate) fn start(self, config: &Config, folder: &Path, server: SocketAddr) -> io::Result<Video> {
        let (run, base) = (format!("{:x}-{:08x}-", now().0, random_u32()), format!("http://{}", self.http_address));
        let account = account(config, &run);
        let settings = account.settings().clone();
        let objects = ObjectStorage::new(
            folder.join("pictures"),
            config.cos.secret_id.clone(),
            config.cos.secret_key.clone(),
        );
        let chat = Chat::new(config.im.sdk_app_id, config.im.secret_key.clone());
        let recordings = Recordings::open(folder.join("recordings"))?;
        let (cloud, notices) = LiveCloud::new(account, objects, chat, recordings, &base, now);
        tokio::spawn(serve_rtmp(Arc::clone(&cloud), self.rtmp));
        tokio::spawn(serve_http(Arc::clone(&cloud), self.http));
        let undelivered = Arc::new(AtomicUsize::new(0));
        let server = Remote::new(&format!("http://{server}"));
        let delivery = tokio::spawn(deliver_all(notices, server, settings, Arc::clone(&undelivered)));
        Ok(Video { cloud, delivery, undelivered })
    }
}
