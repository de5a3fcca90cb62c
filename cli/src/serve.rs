//! `mini-lvb serve`: all commands in one process, from the start to a signal that stops it.

use std::{error::Error, fmt::Display, fs, future::Future, io, net::IpAddr, path::PathBuf, sync::Arc, time::Duration};

use app::{App, config::Config, process::environment, sweep};
use aws_sdk_dynamodb::{Client, config::Credentials};
use clap::Args;
use cli::{
    engine::{self, Engine},
    folder::{self, FolderLock},
    listen::Listen,
    settings, terminal,
};
use http::request::Parts;
use protocol::error::Chain;
use server::{Pages, Stopped, TrustedProxy, serve};
use store::{Created, Table};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::JoinSet,
};
use tracing_subscriber::filter::LevelFilter;

use crate::{
    announcement::announce,
    video::{self, VideoPorts},
};

/// How often expired items are deleted from the embedded table.
const CLEAN_INTERVAL: Duration = Duration::from_secs(60);
/// How long the sweep may run after the last call when the server stops.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);
/// The variable with which every AWS SDK can be directed to another server.
const ENDPOINT: &str = "AWS_ENDPOINT_URL_DYNAMODB";

#[derive(Args)]
pub(crate) struct Options {
    /// The address to listen at. PORT or localhost:PORT is for this machine only, 0.0.0.0:PORT also for phones of the network.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: Listen,
    /// The folder of the table and of settings.toml. The first start creates both, for development.
    #[arg(long, value_name = "DIR", default_value = "data")]
    data: PathBuf,
    /// A settings file with lines of NAME = "value", instead of the one in the data folder.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Keeps the data in memory, until the process ends.
    #[arg(long)]
    memory: bool,
    /// Trusts X-Forwarded-For from the proxy at this address.
    #[arg(long, value_name = "ADDR")]
    proxy: Option<IpAddr>,
    /// Starts no live cloud in this process. Without this option there is one as long as the settings are the generated ones.
    #[arg(long)]
    no_video: bool,
    /// Keeps the data in another server with DynamoDB's interface. Without --memory, AWS_ENDPOINT_URL_DYNAMODB does the same.
    #[arg(long, value_name = "URL", value_parser = endpoint, conflicts_with = "memory")]
    endpoint: Option<String>,
    /// Serves the commands only, without the demo app for browsers at /app/.
    #[arg(long)]
    no_app: bool,
}

/// Reads the address of a server with DynamoDB's interface.
fn endpoint(url: &str) -> Result<String, String> {
    let fault = || "expected an address that begins with http:// or https://, as http://127.0.0.1:8000".to_owned();
    http_client::is_address(url).then(|| url.to_owned()).ok_or_else(fault)
}

/// Where the data is kept.
enum Store {
    /// In this data folder, by the embedded engine.
    Folder(PathBuf),
    /// In this process, by the embedded engine.
    Memory,
    /// In the server at this address.
    Endpoint(String),
}

impl Store {
    fn of(options: &Options) -> Result<Self, String> {
        if options.memory {
            return Ok(Self::Memory);
        }
        if let Some(url) = &options.endpoint {
            return Ok(Self::Endpoint(url.clone()));
        }
        match environment(ENDPOINT).filter(|url| !url.is_empty()) {
            Some(url) => endpoint(&url).map(Self::Endpoint).map_err(|what| format!("{ENDPOINT}: {what}")),
            None => Ok(Self::Folder(options.data.clone())),
        }
    }

    /// An error of this store at the start, and what to do about it.
    fn fault(&self, why: impl Display) -> String {
        match self {
            Self::Folder(folder) => format!(
                "{}: {why}; put back a copy of the file, or choose another folder with --data; if the disk is full, free \
                 some space",
                folder::table(folder).display()
            ),
            Self::Memory => why.to_string(),
            Self::Endpoint(url) => format!("{url}: {why}; choose another server with --endpoint or {ENDPOINT}"),
        }
    }

    /// The client of the table, and the embedded engine if that keeps the table.
    fn connect(&self) -> Result<(Client, Option<Engine>), String> {
        let engine = match self {
            Self::Folder(folder) => Engine::on_disk(&folder::table(folder)).map_err(|error| self.fault(error))?,
            Self::Memory => Engine::in_memory().map_err(|error| self.fault(error))?,
            Self::Endpoint(url) => return Ok((client(url), None)),
        };
        Ok((engine.client(), Some(engine)))
    }

    /// Creates the table if there is none, and refuses a table of another version.
    async fn create(&self, table: &Table) -> Result<Created, String> {
        let fault = |error: store::Error| self.fault(Chain(&error));
        let created = table.create_if_missing().await.map_err(fault)?;
        table.version().await.map_err(fault)?.check().map_err(|error| error.to_string())?;
        table.write_version().await.map_err(fault)?;
        Ok(created)
    }

    /// A description of the place of a table.
    fn place(&self, table: &str) -> io::Result<String> {
        Ok(match self {
            Self::Endpoint(url) => format!("in the table {table} at {url}"),
            Self::Memory => "in memory, until the process ends".to_owned(),
            Self::Folder(folder) => fs::canonicalize(folder)?.display().to_string(),
        })
    }
}

/// A client of another server, with the credentials of the environment if there are any.
fn client(endpoint: &str) -> Client {
    match (environment("AWS_ACCESS_KEY_ID"), environment("AWS_SECRET_ACCESS_KEY")) {
        (Some(id), Some(secret)) => {
            let credentials = Credentials::new(id, secret, environment("AWS_SESSION_TOKEN"), None, "environment");
            let region = environment("AWS_REGION").unwrap_or_else(|| "us-east-1".to_owned());
            store::connect::remote(Some(endpoint.to_owned()), region, credentials)
        }
        _ => engine::client_of(endpoint),
    }
}

/// Serves until a signal stops it.
#[tokio::main]
pub(crate) async fn run(options: Options) -> Result<(), Box<dyn Error>> {
    terminal::log(LevelFilter::INFO);
    let store = Store::of(&options)?;
    let is_on_disk = matches!(store, Store::Folder(_));
    let settings_file = options.config.clone().unwrap_or_else(|| folder::settings(&options.data));
    let had_settings = settings_file.exists();
    let mut settings_from = settings_file.display().to_string();
    let (settings, new_text) = if options.config.is_some() {
        (settings::read(&settings_file)?, None)
    } else if options.memory {
        "generated for this process".clone_into(&mut settings_from);
        (settings::generated(), None)
    } else {
        settings::read_or_invent(&settings_file, environment)?
    };
    let mut config = settings::config_from(&settings, environment)?;
    let listener = options.listen.bind().await;
    let listener =
        listener.map_err(|error| format!("{}: {error}; choose another address with --listen", options.listen))?;

    let listening = listener.local_addr()?;
    let ports = if options.no_video || !video::is_wanted(&config) {
        None
    } else {
        let ports = VideoPorts::bind(listening).await;
        ports.map_err(|error| tracing::warn!(%error, "there is no live cloud: no port is free for it")).ok()
    };
    if let Some(ports) = &ports {
        ports.direct(&mut config);
    }

    // A start that fails before here leaves nothing behind.
    let (was_used, had_table) = (folder::was_used(&options.data), folder::has_table(&options.data));
    if is_on_disk || (options.config.is_none() && !options.memory) {
        folder::create(&options.data)?;
        folder::make_private(&options.data);
    }
    let mut lock = if is_on_disk { Some(FolderLock::acquire(&options.data)?) } else { None };
    if settings_file.exists() != had_settings {
        let file = settings_file.display();
        return Err(format!("{file}: another process has just created or removed the file; start again").into());
    }

    let (client, engine) = store.connect()?;
    let data = store.place(&config.table)?;
    let table = Table::new(client, config.table.clone()).with_log_names(config.log_names.clone());
    let created = store.create(&table).await?;
    let is_empty = match &engine {
        Some(engine) => engine.is_empty(&config.table)?,
        None => created == Created::Yes,
    };
    if lock.as_ref().is_some_and(|lock| lock.was_killed) {
        tracing::warn!("the last run was killed, or stopped while calls were running: the lists are counted again");
        table.recount_lists(config.rules.replay_window_seconds).await.map_err(|error| Chain(&error).to_string())?;
    }

    if let Some(text) = new_text {
        if had_settings {
            tracing::warn!(
                file = settings_from,
                "SESSION_KEY is not set: a new key is generated and written to the file"
            );
        }
        folder::write(&settings_file, &text).map_err(|error| format!("{settings_from}: {error}"))?;
    }
    if is_on_disk && had_settings && was_used && !had_table {
        tracing::warn!(
            "there are settings ({settings_from}), but {} is missing: a new table is created, without accounts, rooms \
             and replays. If that is a mistake, stop the server, and put back table.db, and table.db-wal if there is \
             one, from where they were copied or moved",
            folder::table(&options.data).display()
        );
    }
    if !options.memory && !had_settings && !is_empty {
        tracing::warn!(
            "there is a table with data ({data}), but there were no settings: {settings_from} was created, with \
             generated keys. Earlier sessions and URLs are invalid now, and the cloud's notices are refused. Stop the \
             server, and put back the settings.toml that belongs to the table, or name the file with --config"
        );
    }

    let app = Arc::new(App::new(config, table));
    lock.as_mut().map_or(Ok(()), FolderLock::mark_in_use)?;
    // Before the announcement: a reader of it may stop the server at once.
    let stop = stop_signal()?;
    let folder = video::Folder::of(&options.data, options.memory);
    let video = ports.and_then(|ports| {
        let started = ports.start(&app.config, &folder, listening);
        let folder = folder.path().display();
        started
            .map_err(|error| tracing::warn!(%folder, %error, "there is no live cloud: its folder cannot be used"))
            .ok()
    });
    let has_app = !options.no_app;
    announce(listening, has_app, &app.config, video.as_ref(), &data, &settings_from)?;
    let pages = has_app.then(|| demo_app(&app.config, video.is_some()));
    let stop = async move {
        stop.await;
        // Before the business server stops: it has to be told of the end of the pushes.
        if let Some(video) = video {
            video.stop().await;
        }
    };

    let proxy = options.proxy.map_or(TrustedProxy::None, |proxy| TrustedProxy::Address(proxy.to_canonical()));
    let is_in_order = serve_with_tasks(app, pages, engine.clone(), listener, proxy, stop).await;
    // Closed before the lock is released: a call that still runs would write after the release.
    if let Some(Err(error)) = engine.map(|engine| engine.close()) {
        tracing::warn!(error, "keep table.db-wal with table.db: a copy of table.db alone is incomplete");
    }
    if is_in_order {
        tracing::info!("stopped: every call was answered");
    }
    match lock {
        Some(lock) if is_in_order => lock.release()?,
        Some(_) => tracing::warn!("the stop aborted calls: the next start counts the lists again"),
        None => {}
    }
    Ok(())
}

/// The demo app, which may load video and pictures from the addresses of the settings. With a live cloud in this process
/// it also pushes from cameras, and chats.
fn demo_app(config: &Config, has_video: bool) -> Pages {
    let domains = &config.live.domains;
    let play = format!("{}://{}", domains.play_scheme.name(), domains.play);
    let video = has_video.then(|| play.clone());
    let media = [play, config.cos.address()].into();
    let app = web::App::new(web::Settings { media, chat: has_video, video });
    Arc::new(move |head: &Parts| app.respond(head))
}

/// Serves until `stop` completes, and meanwhile executes due tasks and deletes expired items. Whether all that had begun
/// was completed.
async fn serve_with_tasks(
    app: Arc<App>,
    pages: Option<Pages>,
    engine: Option<Engine>,
    listener: TcpListener,
    proxy: TrustedProxy,
    stop: impl Future<Output = ()>,
) -> bool {
    let (running, stopping) = watch::channel(());
    let mut background = JoinSet::new();
    if let Some(engine) = engine {
        background.spawn(every(CLEAN_INTERVAL, stopping.clone(), move || delete_expired(engine.clone())));
    }
    let (swept, period) = (Arc::clone(&app), Duration::from_secs(sweep::RECHECK_SECONDS));
    background.spawn(every(period, stopping, move || execute_due_tasks(Arc::clone(&swept))));
    let stop = async move {
        stop.await;
        drop(running);
    };
    let stopped = serve(app, pages, listener, proxy, stop).await;
    let all = async { while background.join_next().await.is_some() {} };
    tokio::time::timeout(SHUTDOWN_TIMEOUT, all).await.is_ok() && stopped == Stopped::Drained
}

/// Completes when the process is told to stop: by a user, by a supervisor, or because its terminal is closed.
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let mut hangup = if ignores_hangup() { None } else { Some(signal(SignalKind::hangup())?) };
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            Some(()) = async { hangup.as_mut()?.recv().await } => {}
        }
    })
}

/// Whether the process was started to outlive its terminal, as by `nohup`. Known on Linux only.
fn ignores_hangup() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    // Bit 0 is signal 1, SIGHUP.
    ignored & 1 == 1
}

/// Runs `work` once per period, until the sender of `stopping` is dropped. Running work is completed.
async fn every<F: Future<Output = ()>>(period: Duration, mut stopping: watch::Receiver<()>, work: impl Fn() -> F) {
    while tokio::time::timeout(period, stopping.changed()).await.is_err() {
        work().await;
    }
}

/// Executes the due tasks.
async fn execute_due_tasks(app: Arc<App>) {
    if let Err(error) = sweep::run(&app).await {
        tracing::error!(error = %Chain(&error), "a round of the sweep failed");
    }
}

/// Deletes the expired items of the embedded table.
async fn delete_expired(engine: Engine) {
    let deleted = tokio::task::spawn_blocking(move || engine.delete_expired().map_err(|error| error.to_string())).await;
    if let Err(error) = deleted.unwrap_or_else(|error| Err(error.to_string())) {
        tracing::error!(error, "expired items could not be deleted");
    }
}
