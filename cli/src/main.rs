//! `mini-lvb`: the business server and its tools, on the command line.

mod serve;

use std::{
    error::Error,
    fs, io,
    net::IpAddr,
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, Mutex},
};

use app::{
    config::{SETTINGS, Setting},
    process::{now, random_u32},
};
use clap::{Args, Parser, Subcommand};
use cli::{
    engine::endpoint,
    listen::Listen,
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
use tracing_subscriber::filter::LevelFilter;

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
        /// The notice, as the list names it; behind -- if it begins with a hyphen.
        #[arg(required = true)]
        id: Vec<String>,
        #[command(flatten)]
        operator: Operator,
    },
    /// Does again what follows from notices.
    Replay {
        /// The stream.
        stream: String,
        /// The notice, as the list names it, behind -- if it begins with a hyphen; without it all of the stream that tell of
        /// pushes and recordings.
        id: Vec<String>,
        #[command(flatten)]
        operator: Operator,
    },
}

/// Whom operators ask, and what lets them.
#[derive(Args)]
struct Operator {
    /// The server.
    #[arg(long, value_name = "URL", value_parser = operate::address, default_value = "http://127.0.0.1:8080")]
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
    /// The address to listen at: PORT or localhost:PORT for this machine only, 0.0.0.0:PORT for phones of the same network, too.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: Listen,
    /// The folder of the table and of the development configuration.
    #[arg(long, value_name = "DIR", default_value = "data")]
    data: PathBuf,
    /// The settings, lines of NAME = "value"; without it a development configuration is made in the data folder.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Keeps the data in memory: it goes with the process.
    #[arg(long)]
    memory: bool,
    /// The address of a proxy in front of the server, as for HTTPS: X-Forwarded-For is believed from there, and from nowhere else.
    #[arg(long, value_name = "ADDR")]
    proxy: Option<IpAddr>,
    /// Another DynamoDB-compatible server to keep the data in; AWS_ENDPOINT_URL_DYNAMODB does the same, but not with --memory.
    #[arg(long, value_name = "URL", value_parser = endpoint, conflicts_with = "memory")]
    endpoint: Option<String>,
}

#[derive(Args)]
struct Simulate {
    /// What happens, in the language of docs/simulate.md; - is the standard input; without it a demonstration.
    script: Option<PathBuf>,
    /// The server to play before.
    #[arg(long, value_name = "URL", value_parser = operate::address, default_value = "http://127.0.0.1:8080")]
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
    api: Option<Listen>,
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
        Command::Serve(options) => serve::run(options),
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
    let run = format!("{:08x}", random_u32());
    let cloud = Arc::new(Mutex::new(FakeCloud::new(&config, &format!("{run}-"))));
    let server = Remote::new(&options.server);
    if let Some(address) = options.api {
        let listener = address.bind().await.map_err(|error| format!("{address}: {error}"))?;
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
