//! `mini-lvb`: the business server and its tools, on the command line.

use std::{error::Error, fs, net::SocketAddr, path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use clap::{Args, Parser, Subcommand};
use cli::{
    engine::{self, Engine},
    serve::serve,
    settings,
};
use lambda_http::tracing;
use shared::{
    answer::{CALLBACKS, INTERFACE},
    app::App,
    cloud::Cloud,
    config::{ActionAuth, SETTINGS},
    lambda::{getrandom_u32, now},
    table::Table,
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

/// How often expired items are deleted from the embedded table.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// The business server of a mobile live-streaming app.
#[derive(Parser)]
#[command(name = "mini-lvb", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
}

#[derive(Subcommand)]
enum Command {
    /// Serves every function in one process (the default).
    Serve(Serve),
    /// Lists the settings.
    Settings,
}

#[derive(Args)]
struct Serve {
    /// The address to listen at; 0.0.0.0:PORT lets phones of the same network in.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// The folder of the table and of the development configuration.
    #[arg(long, value_name = "DIR", default_value = "data")]
    data: PathBuf,
    /// The settings, lines of NAME = "value"; without it a development configuration is made in the data folder.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Keeps the data in memory: it goes with the process.
    #[arg(long)]
    memory: bool,
    /// Another DynamoDB-compatible server to keep the data in; AWS_ENDPOINT_URL_DYNAMODB does the same.
    #[arg(long, value_name = "URL", conflicts_with = "memory")]
    endpoint: Option<String>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command.unwrap_or(Command::Serve(cli.serve)) {
        Command::Settings => {
            list_settings();
            Ok(())
        }
        Command::Serve(options) => run(options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mini-lvb: {error}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(options: Serve) -> Result<(), Box<dyn Error>> {
    tracing::init_default_subscriber_with_writer(std::io::stderr);
    let endpoint = options.endpoint.clone().or_else(|| environment("AWS_ENDPOINT_URL_DYNAMODB"));
    let on_disk = !options.memory && endpoint.is_none();
    let settings_file = options.data.join("settings.toml");
    let needs_folder = on_disk || (options.config.is_none() && !options.memory);
    if needs_folder {
        fs::create_dir_all(&options.data)
            .map_err(|error| format!("{}: {error}; choose another folder with --data", options.data.display()))?;
    }
    let settings = match &options.config {
        Some(file) => settings::read(file)?,
        None if options.memory => settings::invented(),
        None => settings::development(&settings_file)?,
    };
    let config = settings::judge(&settings, environment)?;

    let engine = match (&endpoint, options.memory) {
        (Some(_), _) => None,
        (None, true) => Some(Engine::in_memory()?),
        (None, false) => Some(Engine::on_disk(&options.data.join("table.db"))?),
    };
    let client = match &engine {
        Some(engine) => engine.client(),
        None => engine::client_of(endpoint.clone().unwrap_or_default()),
    };
    let table = Table::new(client, config.table.clone());
    table.create_if_missing().await.map_err(|error| match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    })?;
    let listener = TcpListener::bind(options.listen)
        .await
        .map_err(|error| format!("{}: {error}; choose another address with --listen", options.listen))?;
    let app =
        App { cloud: Cloud::new(&config.live), table, clock: Box::new(now), random: Box::new(getrandom_u32), config };

    let data = match (&endpoint, options.memory) {
        (Some(url), _) => format!("in the table {} at {url}", app.config.table),
        (None, true) => "in memory: it goes with this process".to_owned(),
        (None, false) => fs::canonicalize(&options.data)?.display().to_string(),
    };
    let settings_from = match &options.config {
        Some(file) => file.display().to_string(),
        None if options.memory => "invented for this process".to_owned(),
        None => settings_file.display().to_string(),
    };
    announce(listener.local_addr()?, &app, &data, &settings_from);
    if let Some(engine) = engine.filter(|_| on_disk || options.memory) {
        tokio::spawn(sweep(engine));
    }
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let stop = async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    serve(Arc::new(app), listener, stop).await?;
    Ok(())
}

/// Deletes expired items, time and again.
async fn sweep(engine: Engine) {
    loop {
        tokio::time::sleep(SWEEP_EVERY).await;
        let engine = engine.clone();
        match tokio::task::spawn_blocking(move || engine.delete_expired()).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::error!(%error, "expired items could not be deleted"),
            Err(error) => tracing::error!(%error, "expired items could not be deleted"),
        }
    }
}

/// Says where the server is and what to put into the app.
fn announce(address: SocketAddr, app: &App, data: &str, settings: &str) {
    let base = format!("http://{address}");
    println!("mini-lvb serves at {base}");
    println!("  in the app     ServerAddr (Gen 1)  {base}{INTERFACE}");
    println!("                 base URL (Gen 2)    {base}");
    println!("  in the cloud   callback URL        {base}{}", CALLBACKS[0]);
    println!("  data           {data}");
    println!("  settings       {settings}");
    let reach =
        if address.ip().is_loopback() { "this machine only" } else { "every machine that reaches this address" };
    println!("  open to        {reach}");
    match app.config.action_auth {
        ActionAuth::Open => println!("  Gen-1 door     open: it believes the user id of every call (ACTION_AUTH=open)"),
        ActionAuth::UserSig => println!("  Gen-1 door     asks for a UserSig (ACTION_AUTH=user-sig)"),
    }
}

fn list_settings() {
    for setting in SETTINGS {
        let default = match setting.default {
            None => "must be set".to_owned(),
            Some("") => "may be left out".to_owned(),
            Some(default) => format!("default {default}"),
        };
        println!("{}  ({default})\n    {}", setting.name, setting.help);
    }
}

fn environment(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "the CLI's one place that reads the environment")]
    std::env::var(name).ok()
}
