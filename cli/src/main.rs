//! `mini-lvb`: the business server and its tools, on the command line.

use std::{
    error::Error,
    fs, io,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_sdk_dynamodb::{Client, config::Credentials};
use clap::{Args, Parser, Subcommand};
use cli::{
    engine::{self, Engine},
    folder::{self, Folder},
    operate::{self, Form, Question},
    settings,
    simulate::{
        cloud::Cloud as FakeCloud,
        demonstration,
        edge::{self, Remote},
        notices::Retries,
        play::Player,
        script,
        stage::{Memory, Stage},
    },
    terminal::{self, print},
};
use lambda_http::tracing::{self, subscriber::filter::LevelFilter};
use server::{Front, serve};
use shared::{
    answer::{CALLBACKS, INTERFACE},
    app::App,
    cloud::Cloud,
    config::{Accounts, ActionAuth, Config, SETTINGS, Setting},
    error::Chain,
    lambda::{getrandom_u32, now},
    oidc::Provider,
    sweep,
    table::Table,
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

/// How often expired items are deleted from the embedded table.
const CLEAN_EVERY: Duration = Duration::from_secs(60);
/// The variable by which every AWS SDK is told of another server to keep the data in.
const ENDPOINT: &str = "AWS_ENDPOINT_URL_DYNAMODB";

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
    /// Plays users and a live cloud before a server, for tests and demonstrations.
    Simulate(Simulate),
    /// Shows what the cloud told a running server, and has it done again.
    #[command(subcommand)]
    Callbacks(Callbacks),
    /// Compares a user's room, lives and replays with what the cloud told a running server, and repairs them.
    Rebuild {
        /// The user.
        user: String,
        /// Says what differs, and writes nothing.
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        operator: Operator,
    },
}

#[derive(Subcommand)]
enum Callbacks {
    /// Lists notices, the newest first: those of a user or a stream, or else those that are not dealt with.
    List {
        /// The user.
        #[arg(long, value_name = "USER", conflicts_with = "stream")]
        user: Option<String>,
        /// The stream.
        #[arg(long, value_name = "STREAM")]
        stream: Option<String>,
        /// The page, of a hundred notices.
        #[arg(long, value_name = "NUMBER", default_value_t = 1)]
        page: usize,
        #[command(flatten)]
        operator: Operator,
    },
    /// Shows a notice, as it came but for its signature.
    Show {
        /// The stream.
        stream: String,
        /// The notice, as the list names it.
        #[arg(required = true)]
        id: Vec<String>,
        #[command(flatten)]
        operator: Operator,
    },
    /// Does again what follows from notices.
    Replay {
        /// The stream.
        stream: String,
        /// The notice, as the list names it; without it all of the stream that tell of pushes and recordings.
        id: Vec<String>,
        #[command(flatten)]
        operator: Operator,
    },
}

/// Whom operators ask, and what lets them.
#[derive(Args)]
struct Operator {
    /// The server.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    server: String,
    /// The data folder of the server, where its settings are; OPERATOR_KEY in the environment goes before them.
    #[arg(long, value_name = "DIR", default_value = "data")]
    data: PathBuf,
    /// The settings of the server, if it was started with a file of them.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Prints the answer as the server gave it.
    #[arg(long)]
    json: bool,
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
    /// The address of a proxy in front of the server, as for HTTPS: where its calls come from, its X-Forwarded-For says.
    #[arg(long, value_name = "ADDR")]
    proxy: Option<IpAddr>,
    /// Another DynamoDB-compatible server to keep the data in; AWS_ENDPOINT_URL_DYNAMODB does the same, but not with --memory.
    #[arg(long, value_name = "URL", conflicts_with = "memory")]
    endpoint: Option<String>,
}

#[derive(Args)]
struct Simulate {
    /// What happens, in the language of docs/simulate.md; - is the standard input; without it a demonstration.
    script: Option<PathBuf>,
    /// The server to play before.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    server: String,
    /// Plays before a server in this process, in memory, whose clock runs ahead where the script waits.
    #[arg(long, conflicts_with_all = ["server", "api"])]
    memory: bool,
    /// The data folder of the server, where its settings are.
    #[arg(long, value_name = "DIR", default_value = "data")]
    data: PathBuf,
    /// The settings of the server, if it was started with a file of them.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Answers the server's calls to the cloud at this address; without a script until it is stopped.
    #[arg(long, value_name = "ADDR")]
    api: Option<SocketAddr>,
    /// After how many seconds a notice is sent again that was not taken.
    #[arg(long, value_name = "SECONDS", default_value_t = Retries::OF_TODAY.seconds)]
    retry_seconds: u64,
    /// How often it is sent again.
    #[arg(long, value_name = "TIMES", default_value_t = Retries::OF_TODAY.times)]
    retries: u32,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command.unwrap_or(Command::Serve(cli.serve)) {
        Command::Settings => print(&list_of_settings()).map_err(Into::into),
        Command::Serve(options) => run(options),
        Command::Simulate(options) => simulate(options),
        Command::Callbacks(callbacks) => {
            let (question, operator) = question(callbacks);
            ask(&question, &operator)
        }
        Command::Rebuild { user, dry_run, operator } => {
            ask(&Question::Rebuild { user, is_rehearsal: dry_run }, &operator)
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            terminal::complain(error.as_ref());
            ExitCode::FAILURE
        }
    }
}

fn question(callbacks: Callbacks) -> (Question, Operator) {
    match callbacks {
        Callbacks::List { user, stream, page, operator } => (Question::List { user, stream, page }, operator),
        Callbacks::Show { stream, id, operator } => (Question::Show { stream, id: id.join(" ") }, operator),
        Callbacks::Replay { stream, id, operator } => {
            let id = Some(id.join(" ")).filter(|id| !id.is_empty());
            (Question::Replay { stream, id }, operator)
        }
    }
}

/// Asks a running server, and prints what it answers.
#[tokio::main(flavor = "current_thread")]
async fn ask(question: &Question, operator: &Operator) -> Result<(), Box<dyn Error>> {
    let file = operator.config.clone().unwrap_or_else(|| operator.data.join("settings.toml"));
    let server = operate::Server::new(&operator.server, operate::key(&file, environment)?)?;
    let form = if operator.json { Form::Json } else { Form::Table };
    Ok(print(&server.ask(question, form).await?)?)
}

#[tokio::main]
async fn run(options: Serve) -> Result<(), Box<dyn Error>> {
    terminal::log(LevelFilter::INFO, environment);
    let from_environment = || environment(ENDPOINT).filter(|url| !url.is_empty() && !options.memory);
    let endpoint = options.endpoint.clone().or_else(from_environment);
    let on_disk = !options.memory && endpoint.is_none();
    let settings_file = options.data.join("settings.toml");
    if on_disk || (options.config.is_none() && !options.memory) {
        folder::make(&options.data)?;
    }
    let settings = match &options.config {
        Some(file) => settings::read(file)?,
        None if options.memory => settings::invented(),
        None => settings::development(&settings_file)?,
    };
    let config = settings::judge(&settings, environment)?;

    let mut folder = if on_disk { Some(Folder::occupy(&options.data)?) } else { None };
    let engine = match (&endpoint, options.memory) {
        (Some(_), _) => None,
        (None, true) => Some(Engine::in_memory()?),
        (None, false) => {
            let file = options.data.join("table.db");
            Some(Engine::on_disk(&file).map_err(|error| format!("{}: {error}", file.display()))?)
        }
    };
    let was_killed = folder.as_ref().is_some_and(Folder::was_killed);
    let table = table(engine.as_ref(), endpoint.as_deref(), was_killed, &config).await?;
    let listener = TcpListener::bind(options.listen)
        .await
        .map_err(|error| format!("{}: {error}; choose another address with --listen", options.listen))?;
    let app = App {
        cloud: Cloud::new(&config),
        oidc: config.oidc.as_ref().map(Provider::new),
        table,
        clock: Box::new(now),
        random: Box::new(getrandom_u32),
        config,
    };

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
    folder.as_mut().map_or(Ok(()), Folder::begin)?;
    // Before the address is said: who reads it may tell the server to stop at once.
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    print(&announcement(listener.local_addr()?, &app, &data, &settings_from))?;
    if let Some(engine) = engine {
        tokio::spawn(clean(engine));
    }
    let app = Arc::new(app);
    tokio::spawn(look_after(Arc::clone(&app)));
    let stop = async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    let front = options.proxy.map_or(Front::Nothing, |proxy| Front::Proxy(proxy.to_canonical()));
    serve(app, listener, front, stop).await;
    folder.map_or(Ok(()), Folder::leave)?;
    Ok(())
}

#[tokio::main]
async fn simulate(options: Simulate) -> Result<(), Box<dyn Error>> {
    terminal::log(LevelFilter::WARN, environment);
    let settings = match &options.config {
        Some(file) => settings::read(file)?,
        None if options.memory => settings::invented(),
        None => settings::read(&options.data.join("settings.toml")).map_err(|error| {
            format!("{error}; start the server first, or say with --config what it was started with")
        })?,
    };
    let config = settings::judge(&settings, environment)?;
    let retries = Retries { times: options.retries, seconds: options.retry_seconds };
    let run = format!("{:08x}", getrandom_u32());
    let cloud = Arc::new(Mutex::new(FakeCloud::new(&config, &format!("{run}-"))));
    let server = Remote::new(&options.server);
    if let Some(address) = options.api {
        let listener = TcpListener::bind(address).await.map_err(|error| format!("{address}: {error}"))?;
        print(&format!("the cloud answers at http://{}\n", listener.local_addr()?))?;
        let port = edge::serve(listener, Arc::clone(&cloud), server.clone(), retries);
        match options.script {
            Some(_) => drop(tokio::spawn(port)),
            None => match port.await {},
        }
    }
    let text = match &options.script {
        None => demonstration(&run),
        Some(file) if file.as_os_str() == "-" => io::read_to_string(io::stdin())?,
        Some(file) => fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?,
    };
    let steps = script::parse(&text)?;
    if options.memory {
        let memory = Memory::new(config.clone(), now()).await?;
        return play(Player::new(memory, cloud, &config, retries), &steps).await;
    }
    play(Player::new(server, cloud, &config, retries), &steps).await
}

/// Plays a script, and prints each line as it is done.
async fn play(mut player: Player<impl Stage>, steps: &[script::Step]) -> Result<(), Box<dyn Error>> {
    let mut printed = Ok(());
    let tell = |line: &str| {
        if printed.is_ok() {
            printed = print(&format!("{line}\n"));
        }
    };
    player.play(steps, tell).await?;
    printed?;
    print("all is as it should be\n")?;
    Ok(())
}

/// The table, made if it is not there, and its lists counted again if the last run could not finish them.
async fn table(
    engine: Option<&Engine>,
    endpoint: Option<&str>,
    was_killed: bool,
    config: &Config,
) -> Result<Table, Box<dyn Error>> {
    let client = match engine {
        Some(engine) => engine.client(),
        None => client(endpoint.unwrap_or_default()),
    };
    let table = Table::new(client, config.table.clone());
    table.create_if_missing().await.map_err(|error| match endpoint {
        Some(url) => format!("{url}: {}; choose another server with --endpoint or {ENDPOINT}", Chain(&error)),
        None => Chain(&error).to_string(),
    })?;
    if was_killed {
        tracing::warn!("the last run was killed: the lists are counted again");
        table.recount_lists(config.rules.replay_window_seconds).await.map_err(|error| Chain(&error).to_string())?;
    }
    Ok(table)
}

/// A client of another server, which is shown the credentials of the environment if there are any.
fn client(endpoint: &str) -> Client {
    match (environment("AWS_ACCESS_KEY_ID"), environment("AWS_SECRET_ACCESS_KEY")) {
        (Some(id), Some(secret)) => {
            let credentials = Credentials::new(id, secret, environment("AWS_SESSION_TOKEN"), None, "environment");
            engine::client_as(
                endpoint,
                environment("AWS_REGION").unwrap_or_else(|| "us-east-1".to_owned()),
                credentials,
            )
        }
        _ => engine::client_of(endpoint),
    }
}

/// Looks after what nobody else does, time and again.
async fn look_after(app: Arc<App>) {
    loop {
        tokio::time::sleep(Duration::from_secs(sweep::DOUBT_SECONDS)).await;
        if let Err(error) = sweep::round(&app).await {
            tracing::error!(error = %Chain(&error), "a round of the sweep failed");
        }
    }
}

/// Deletes expired items, time and again.
async fn clean(engine: Engine) {
    loop {
        tokio::time::sleep(CLEAN_EVERY).await;
        let engine = engine.clone();
        match tokio::task::spawn_blocking(move || engine.delete_expired()).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::error!(%error, "expired items could not be deleted"),
            Err(error) => tracing::error!(%error, "expired items could not be deleted"),
        }
    }
}

/// Where the server is and what to put into the app.
fn announcement(address: SocketAddr, app: &App, data: &str, settings: &str) -> String {
    let base = format!("http://{address}");
    let key = if app.config.live.callback_path_key.is_some() { "/<CALLBACK_PATH_KEY>" } else { "" };
    let callback = format!("{key}{}", CALLBACKS[0]);
    let reach =
        if address.ip().is_loopback() { "this machine only" } else { "every machine that reaches this address" };
    let door = match app.config.action_auth {
        ActionAuth::Open => "open: it believes the user id of every call (ACTION_AUTH=open)",
        ActionAuth::UserSig => "asks for a UserSig (ACTION_AUTH=user-sig)",
    };
    let accounts = match (&app.config.oidc, app.config.accounts) {
        (Some(provider), _) => format!("those of {} (OIDC_ISSUER)", provider.issuer),
        (None, Accounts::Open) => "open: anybody can register (ACCOUNTS=open)".to_owned(),
        (None, Accounts::Closed) => "closed: nobody can register or log in (ACCOUNTS=closed)".to_owned(),
    };
    format!(
        "mini-lvb serves at {base}
  in the app     ServerAddr (Gen 1)  {base}{INTERFACE}
                 base URL (Gen 2)    {base}
  in the cloud   callback URL        {base}{callback}
  data           {data}
  settings       {settings}
  open to        {reach}
  accounts       {accounts}
  Gen-1 door     {door}
"
    )
}

fn list_of_settings() -> String {
    let entry = |setting: &Setting| {
        let default = match setting.default {
            None => "must be set".to_owned(),
            Some("") => "may be left out".to_owned(),
            Some(default) => format!("default {default}"),
        };
        format!("{}  ({default})\n    {}\n", setting.name, setting.help)
    };
    SETTINGS.iter().map(entry).collect()
}

fn environment(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "the CLI's one place that reads the environment")]
    std::env::var(name).ok()
}
