//! `mini-lvb serve`: every function in one process, until a signal stops it.

use std::{
    error::Error,
    fmt::Display,
    fs,
    future::Future,
    io::{self, IsTerminal},
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::Duration,
};

use app::{
    App,
    answer::{CALLBACKS, INTERFACE},
    config::{Accounts, ActionAuth},
    sweep,
};
use aws_sdk_dynamodb::{Client, config::Credentials};
use cli::{
    engine::{self, Engine},
    folder::{self, Folder},
    listen,
    settings::{self, Development},
    terminal::{self, print},
};
use protocol::error::Chain;
use server::{Stopped, TrustedProxy, serve};
use store::{Created, Table};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
    task::JoinSet,
};
use tracing_subscriber::filter::LevelFilter;

use crate::{Serve, environment};

/// How often expired items are deleted from the embedded table.
const CLEAN_EVERY: Duration = Duration::from_secs(60);
/// How much longer than the last call a pass of the sweep may take when the server is told to stop.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);
/// The variable by which every AWS SDK is told of another server to keep the data in.
const ENDPOINT: &str = "AWS_ENDPOINT_URL_DYNAMODB";

/// Where the data is kept.
enum Store {
    /// In the data folder, by the embedded engine.
    Folder,
    /// In this process, by the embedded engine.
    Memory,
    /// In another DynamoDB-compatible server, at this address.
    Endpoint(String),
}

impl Store {
    fn of(options: &Serve) -> Result<Self, String> {
        if options.memory {
            return Ok(Self::Memory);
        }
        if let Some(url) = &options.endpoint {
            return Ok(Self::Endpoint(url.clone()));
        }
        match environment(ENDPOINT).filter(|url| !url.is_empty()) {
            Some(url) => engine::endpoint(&url).map(Self::Endpoint).map_err(|what| format!("{ENDPOINT}: {what}")),
            None => Ok(Self::Folder),
        }
    }
}

/// Serves until a signal stops it.
#[tokio::main]
pub(crate) async fn run(options: Serve) -> Result<(), Box<dyn Error>> {
    terminal::log(LevelFilter::INFO, environment);
    let store = Store::of(&options)?;
    let is_on_disk = matches!(store, Store::Folder);
    let settings_file = options.config.clone().unwrap_or_else(|| folder::settings(&options.data));
    let had_settings = settings_file.exists();
    let development = settings(&options)?;
    let config = settings::judge(&development.settings, environment)?;
    let listener = options.listen.bind().await;
    let listener =
        listener.map_err(|error| format!("{}: {error}; choose another address with --listen", options.listen))?;

    // A start that fails before here leaves nothing behind.
    let (was_used, had_table) = (folder::was_used(&options.data), folder::has_table(&options.data));
    if is_on_disk || (options.config.is_none() && !options.memory) {
        folder::make(&options.data)?;
        folder::make_private(&options.data);
    }
    let mut folder = if is_on_disk { Some(Folder::occupy(&options.data)?) } else { None };
    if settings_file.exists() != had_settings {
        return Err(
            format!("{}: somebody else has just made or removed it; start again", settings_file.display()).into()
        );
    }

    let engine = match &store {
        Store::Endpoint(_) => None,
        Store::Memory => Some(Engine::in_memory()?),
        Store::Folder => {
            let file = folder::table(&options.data);
            Some(Engine::on_disk(&file).map_err(|error| unusable(&file, error))?)
        }
    };
    let (data, settings_from) = (place(&store, &options.data, &config.table)?, place_of_settings(&options));
    let client = match (&engine, &store) {
        (Some(engine), _) => engine.client(),
        (None, Store::Endpoint(url)) => client(url),
        (None, Store::Folder | Store::Memory) => unreachable!("the embedded engine keeps these"),
    };
    let table = Table::new(client, config.table.clone()).with_log_names(config.log_names.clone());
    let created = open(&table, &store, &folder::table(&options.data)).await?;
    let is_empty = match &engine {
        Some(engine) => engine.is_empty(&config.table)?,
        None => created == Created::Yes,
    };
    if folder.as_ref().is_some_and(Folder::was_killed) {
        tracing::warn!("the last run was killed, or stopped while calls were running: the lists are counted again");
        table.recount_lists(config.rules.replay_window_seconds).await.map_err(|error| Chain(&error).to_string())?;
    }

    development.save(&settings_file)?;
    if is_on_disk && had_settings && was_used && !had_table {
        tracing::warn!(
            "there are settings ({settings_from}), but {} is missing: a new table is made, without accounts, rooms and \
             replays. If that is a mistake, stop the server, and put back table.db, with table.db-wal if there is one, \
             from where they were copied or moved",
            folder::table(&options.data).display()
        );
    }
    if !options.memory && !had_settings && !is_empty {
        tracing::warn!(
            "there is a table with data ({data}), but there were no settings: {settings_from} was made, with invented \
             keys. Sessions and URLs of before are no longer good, and the cloud's notices are refused. Stop the server, \
             and put back the settings.toml that belongs to the table, or name the file with --config"
        );
    }

    let app = Arc::new(App::new(config, table));
    folder.as_mut().map_or(Ok(()), Folder::begin)?;
    // Before the address is said: who reads it may tell the server to stop at once.
    let stop = stop_signal()?;
    announce(listener.local_addr()?, &app, &data, &settings_from)?;

    let (running, stopping) = watch::channel(());
    let mut background = JoinSet::new();
    if let Some(engine) = engine.clone() {
        background.spawn(every(CLEAN_EVERY, stopping.clone(), move || clean(engine.clone())));
    }
    let swept = Arc::clone(&app);
    let period = Duration::from_secs(sweep::RECHECK_SECONDS);
    background.spawn(every(period, stopping, move || look_after(Arc::clone(&swept))));
    let stop = async move {
        stop.await;
        drop(running);
    };
    let front = options.proxy.map_or(TrustedProxy::None, |proxy| TrustedProxy::Address(proxy.to_canonical()));
    let stopped = serve(app, listener, front, stop).await;
    let all = async { while background.join_next().await.is_some() {} };
    let is_at_rest = tokio::time::timeout(SHUTDOWN_TIMEOUT, all).await.is_ok();

    // Closed before the folder is marked as left in order: what still ran would write after the mark.
    if let Some(Err(error)) = engine.map(|engine| engine.close()) {
        tracing::warn!(error, "keep table.db-wal with table.db: a copy of table.db alone is not whole");
    }
    let is_in_order = stopped == Stopped::Drained && is_at_rest;
    if is_in_order {
        tracing::info!("stopped: every call was answered");
    }
    match folder {
        Some(folder) if is_in_order => folder.leave()?,
        Some(_) => tracing::warn!("the stop cut calls short: the next start counts the lists again"),
        None => {}
    }
    Ok(())
}

fn settings(options: &Serve) -> Result<Development, settings::Error> {
    match &options.config {
        Some(file) => settings::read(file).map(Development::given),
        None if options.memory => Ok(Development::given(settings::invented())),
        None => Development::read(&folder::settings(&options.data), environment),
    }
}

/// Where the data is, for people.
fn place(store: &Store, folder: &Path, table: &str) -> io::Result<String> {
    Ok(match store {
        Store::Endpoint(url) => format!("in the table {table} at {url}"),
        Store::Memory => "in memory: it goes with this process".to_owned(),
        Store::Folder => fs::canonicalize(folder)?.display().to_string(),
    })
}

/// Where the settings are from, for people.
fn place_of_settings(options: &Serve) -> String {
    match &options.config {
        Some(file) => file.display().to_string(),
        None if options.memory => "invented for this process".to_owned(),
        None => folder::settings(&options.data).display().to_string(),
    }
}

/// Makes the table if it is not there, and refuses one of another version.
async fn open(table: &Table, store: &Store, file: &Path) -> Result<Created, Box<dyn Error>> {
    let created = table.create_if_missing().await.map_err(|error| match store {
        Store::Endpoint(url) => {
            format!("{url}: {}; choose another server with --endpoint or {ENDPOINT}", Chain(&error))
        }
        Store::Folder => unusable(file, Chain(&error)),
        Store::Memory => Chain(&error).to_string(),
    })?;
    let fault = |error: store::Error| match store {
        Store::Folder => unusable(file, Chain(&error)),
        Store::Endpoint(_) | Store::Memory => Chain(&error).to_string(),
    };
    table.version().await.map_err(fault)?.check()?;
    table.write_version().await.map_err(fault)?;
    Ok(created)
}

/// What is said of the file of a table that cannot be read or written at the start.
fn unusable(file: &Path, why: impl Display) -> String {
    format!(
        "{}: {why}; put back a copy of the file, or choose another folder with --data; if the disk is full, free some space",
        file.display()
    )
}

/// A client of another server, which is shown the credentials of the environment if there are any.
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

/// Ends when the process is told to stop: by a user, by a supervisor, or because its terminal is closed.
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    async fn received(signal: Option<&mut Signal>) {
        match signal {
            Some(signal) => drop(signal.recv().await),
            None => std::future::pending().await,
        }
    }
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let mut hangup = if ignores_hangup() { None } else { Some(signal(SignalKind::hangup())?) };
    Ok(async move {
        tokio::select! {
            () = received(Some(&mut interrupt)) => {}
            () = received(Some(&mut terminate)) => {}
            () = received(hangup.as_mut()) => {}
        }
    })
}

/// Whether the process was started to outlive its terminal, as by `nohup`. Only Linux says.
fn ignores_hangup() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    // Bit 0 is signal 1, SIGHUP.
    ignored & 1 == 1
}

/// Works time and again, until the sender of `stopping` is dropped. No work is broken off.
async fn every<F: Future<Output = ()>>(period: Duration, mut stopping: watch::Receiver<()>, work: impl Fn() -> F) {
    while tokio::time::timeout(period, stopping.changed()).await.is_err() {
        work().await;
    }
}

/// Looks after what nobody else does.
async fn look_after(app: Arc<App>) {
    if let Err(error) = sweep::run(&app).await {
        tracing::error!(error = %Chain(&error), "a round of the sweep failed");
    }
}

/// Deletes expired items.
async fn clean(engine: Engine) {
    match tokio::task::spawn_blocking(move || engine.delete_expired()).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::error!(%error, "expired items could not be deleted"),
        Err(error) => tracing::error!(%error, "expired items could not be deleted"),
    }
}

/// Prints where the server is; for phones also as a QR code, if a terminal shows it.
fn announce(listening: SocketAddr, app: &App, data: &str, settings: &str) -> io::Result<()> {
    let addresses = listen::reachable(listening);
    print(&announcement(listening, &addresses, app, data, settings))?;
    let stdout = io::stdout();
    match addresses.first() {
        Some(address) if stdout.is_terminal() && !address.ip().is_loopback() => {
            let code = terminal::qr_code(
                &format!("http://{address}"),
                terminal::columns(&stdout),
                terminal::has_colour(&stdout, environment),
            );
            code.map_or(Ok(()), |code| print(&code))
        }
        Some(_) | None => Ok(()),
    }
}

/// Where the server is and what to put into the app.
fn announcement(listening: SocketAddr, addresses: &[SocketAddr], app: &App, data: &str, settings: &str) -> String {
    let base = format!("http://{}", addresses.first().unwrap_or(&listening));
    let others: Vec<String> = addresses.iter().skip(1).map(|address| format!("http://{address}")).collect();
    let others = if others.is_empty() {
        String::new()
    } else {
        format!("\n  also at        {}", others.join("\n                 "))
    };
    let key = if app.config.live.callback_path_key.is_some() { "/<CALLBACK_PATH_KEY>" } else { "" };
    let callback = format!("{key}{}", CALLBACKS[0]);
    let reach = if listening.ip().is_loopback() {
        "this machine only"
    } else if addresses.is_empty() {
        "every machine that reaches this one, which is in no network now"
    } else {
        "every machine that reaches this address"
    };
    let overridden = settings::overridden(environment).join(", ");
    let environment =
        if overridden.is_empty() { String::new() } else { format!("\n  environment    overrides {overridden}") };
    let entrypoint = match app.config.action_auth {
        ActionAuth::Open => "open: it believes the user id of every call (ACTION_AUTH=open)",
        ActionAuth::UserSig => "asks for a UserSig (ACTION_AUTH=user-sig)",
    };
    let accounts = match (&app.config.oidc, app.config.accounts) {
        (Some(provider), _) => format!("those of {} (OIDC_ISSUER)", provider.issuer),
        (None, Accounts::Open) => "open: anybody can register (ACCOUNTS=open)".to_owned(),
        (None, Accounts::Closed) => "closed: nobody can register or log in (ACCOUNTS=closed)".to_owned(),
    };
    let switched_off =
        [("CLOUD_API_URL=none", app.config.cloud_api.is_none()), ("API_URL=none", app.config.live.api_url.is_none())];
    let switched_off: Vec<&str> = switched_off.iter().filter(|(_, is_off)| *is_off).map(|(what, _)| *what).collect();
    let cloud = match switched_off.len() {
        0 => "called".to_owned(),
        1 => format!("called, but for {}", switched_off[0]),
        _ => format!("no calls ({})", switched_off.join(", ")),
    };
    format!(
        "mini-lvb serves at {base}{others}
  in the app     ServerAddr (Gen 1)  {base}{INTERFACE}
                 base URL (Gen 2)    {base}
  in the cloud   callback URL        {base}{callback}
  data           {data}
  settings       {settings}{environment}
  open to        {reach}
  cloud          {cloud}
  accounts       {accounts}
  Gen-1 door     {entrypoint}
"
    )
}
