//! `mini-lvb`: the business server and its tools, on the command line.

mod announcement;
mod serve;
mod video;

use std::{
    error::Error,
    fs,
    future::Future,
    io,
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, Mutex},
};

use app::{
    config::{SETTINGS, Setting},
    process::{environment, now, random_u32},
};
use clap::{Args, Parser, Subcommand};
use cli::{
    cloud_account::account,
    console,
    listen::Listen,
    operate::{self, Callbacks, Operator},
    settings,
    simulate::{
        backend::{Backend, Memory},
        demonstration,
        network::{self, Remote},
        play::Player,
        script,
    },
    terminal::{self, print},
};
use cloud::notices::Retries;
use tracing_subscriber::filter::LevelFilter;

/// The business server of a mobile live-streaming app.
#[derive(Parser)]
#[command(name = "mini-lvb", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: serve::Options,
}

#[derive(Subcommand)]
enum Command {
    /// Serves all commands of the apps in one process (the default).
    Serve(serve::Options),
    /// Lists the settings.
    Settings,
    /// Plays users and a live cloud against a server, for tests and demonstrations.
    Simulate(Simulate),
    /// Lists, shows and applies again the notices that a running server received from the live cloud.
    Callbacks {
        #[command(subcommand)]
        callbacks: Callbacks,
        #[command(flatten)]
        operator: Operator,
    },
    /// Serves the operator's console on this machine, for a running server here or elsewhere.
    Console(console::Options),
    #[command(flatten)]
    People(operate::People),
    /// Compares a user's room, lives and replays on a running server with the notices of the live cloud, and repairs them.
    Rebuild {
        /// The user.
        user: String,
        /// Prints the differences, and writes nothing.
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        operator: Operator,
    },
}

#[derive(Args)]
struct Simulate {
    /// The script, in the language of docs/simulate.md; - reads the standard input; the default is a demonstration.
    script: Option<PathBuf>,
    /// The address of the server.
    #[arg(long, value_name = "URL", value_parser = operate::address, default_value = "http://127.0.0.1:8080")]
    server: String,
    /// Plays against a server in this process, with its data in memory. Its clock skips the time that the script waits.
    #[arg(long, conflicts_with_all = ["server", "api"])]
    memory: bool,
    /// The data folder of the server, with its settings.toml.
    #[arg(long, value_name = "DIR", default_value = "data")]
    data: PathBuf,
    /// The settings file of the server, instead of the one in the data folder.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Answers the server's requests to the cloud at this address: during the script, or without a script until stopped.
    #[arg(long, value_name = "ADDR")]
    api: Option<Listen>,
    /// The seconds after which a notice that failed is sent again.
    #[arg(long, value_name = "SECONDS", default_value_t = Retries::DEFAULT.seconds)]
    retry_seconds: u64,
    /// How many times a notice that failed is sent again.
    #[arg(long, value_name = "TIMES", default_value_t = Retries::DEFAULT.times)]
    retries: u32,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command.unwrap_or(Command::Serve(cli.serve)) {
        Command::Serve(options) => serve::run(options),
        Command::Settings => print(&list_of_settings()).map_err(Into::into),
        Command::Simulate(options) => simulate(options),
        Command::Callbacks { callbacks, operator } => print_answer(callbacks.run(&operator)),
        Command::Console(options) => serve_console(&options),
        Command::People(people) => print_answer(people.run()),
        Command::Rebuild { user, dry_run, operator } => print_answer(operate::rebuild(&user, dry_run, &operator)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            terminal::print_error(error.as_ref());
            ExitCode::FAILURE
        }
    }
}

/// Prints the answer of a running server.
#[tokio::main(flavor = "current_thread")]
async fn print_answer(answer: impl Future<Output = Result<String, String>>) -> Result<(), Box<dyn Error>> {
    Ok(print(&answer.await?)?)
}

/// Serves the console until the process is ended.
#[tokio::main(flavor = "current_thread")]
async fn serve_console(options: &console::Options) -> Result<(), Box<dyn Error>> {
    match console::run(options).await? {}
}

#[tokio::main]
async fn simulate(options: Simulate) -> Result<(), Box<dyn Error>> {
    terminal::log(LevelFilter::WARN);
    let settings = match &options.config {
        Some(file) => settings::read(file)?,
        None if options.memory => settings::generated(),
        None => settings::read(&options.data.join("settings.toml"))
            .map_err(|error| format!("{error}; start the server first, or name its settings file with --config"))?,
    };
    let config = settings::config_from(&settings, environment)?;
    let retries = Retries { times: options.retries, seconds: options.retry_seconds };
    let run = format!("{:08x}", random_u32());
    let cloud = Arc::new(Mutex::new(account(&config, &format!("{run}-"))));
    let server = Remote::new(&options.server);
    if let Some(address) = options.api {
        let listener = address.bind().await.map_err(|error| format!("{address}: {error}"))?;
        print(&format!("the cloud answers at http://{}\n", listener.local_addr()?))?;
        let port = network::serve(listener, Arc::clone(&cloud), server.clone(), retries);
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
        return play(Player::new(&memory, &cloud, &config, retries), &steps).await;
    }
    play(Player::new(&server, &cloud, &config, retries), &steps).await
}

/// Plays a script, and prints each line as it is done.
async fn play(mut player: Player<'_, impl Backend>, steps: &[script::Step]) -> Result<(), Box<dyn Error>> {
    let mut printed = Ok(());
    let tell = |line: &str| {
        if printed.is_ok() {
            printed = print(&format!("{line}\n"));
        }
    };
    player.play(steps, tell).await?;
    printed?;
    print("the script ran to its end, and every answer was as expected\n")?;
    Ok(())
}

fn list_of_settings() -> String {
    let entry = |setting: &Setting| {
        let default = match setting.default {
            None => "required".to_owned(),
            Some("") => "optional".to_owned(),
            Some(default) => format!("default {default}"),
        };
        format!("{}  ({default})\n    {}\n", setting.name, setting.help)
    };
    SETTINGS.iter().map(entry).collect()
}
