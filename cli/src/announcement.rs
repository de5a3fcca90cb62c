//! The text that `mini-lvb serve` prints when it is ready: its addresses, and what its settings mean.

use std::{
    fmt::Write as _,
    io::{self, IsTerminal},
    net::SocketAddr,
};

use crate::video::Video;
use app::{
    answer::{CALLBACKS, INTERFACE},
    config::{Accounts, ActionAuth, Config, SETTINGS},
    process::environment,
};
use cli::{
    listen,
    terminal::{self, print},
};

/// Prints the announcement; on a terminal also the address for phones as a QR code.
pub(crate) fn announce(
    listening: SocketAddr,
    has_app: bool,
    config: &Config,
    video: Option<&Video>,
    data: &str,
    settings: &str,
) -> io::Result<()> {
    let addresses = listen::reachable(listening);
    print(&announcement(listening, &addresses, has_app, config, video, data, settings))?;
    let stdout = io::stdout();
    let Some(address) = addresses.first().filter(|address| stdout.is_terminal() && !address.ip().is_loopback()) else {
        return Ok(());
    };
    let (url, columns) = (format!("http://{address}"), terminal::columns(&stdout));
    terminal::qr_code(&url, columns, terminal::has_colour(&stdout)).map_or(Ok(()), |code| print(&code))
}

fn announcement(
    listening: SocketAddr,
    addresses: &[SocketAddr],
    has_app: bool,
    config: &Config,
    video: Option<&Video>,
    data: &str,
    settings: &str,
) -> String {
    let base = format!("http://{}", addresses.first().unwrap_or(&listening));
    let path_key = if config.live.callback_path_key.is_some() { "/<CALLBACK_PATH_KEY>" } else { "" };
    let reach = match (listening.ip().is_loopback(), addresses) {
        (true, _) => "this machine only",
        (false, []) => "every machine that can connect to this one, which is in no network now",
        (false, _) => "every machine that can connect to this address",
    };
    let switched_off =
        [("CLOUD_API_URL=none", config.cloud_api.is_none()), ("API_URL=none", config.live.api_url.is_none())];
    let switched_off: Vec<&str> = switched_off.iter().filter(|(_, is_off)| *is_off).map(|(what, _)| *what).collect();
    let cloud = match (video, switched_off.as_slice()) {
        (Some(video), _) => format!("in this process: pushes at rtmp://{}/live", video.rtmp_address),
        (None, []) => "called".to_owned(),
        (None, [one]) => format!("called, except where {one} forbids it"),
        (None, all) => format!("no calls ({})", all.join(", ")),
    };
    let accounts = match (&config.oidc, config.accounts) {
        (Some(provider), _) => format!("those of {} (OIDC_ISSUER)", provider.issuer),
        (None, Accounts::Open) => "anybody can register (ACCOUNTS=open)".to_owned(),
        (None, Accounts::Closed) => "nobody can register or log in (ACCOUNTS=closed)".to_owned(),
    };
    let gen_1 = match config.action_auth {
        ActionAuth::Open => "not authenticated: a caller can name any user (ACTION_AUTH=open)",
        ActionAuth::UserSig => "need the UserSig of the user (ACTION_AUTH=user-sig)",
    };
    let overridden = SETTINGS.iter().map(|setting| setting.name).filter(|name| environment(name).is_some());
    let overridden = overridden.collect::<Vec<_>>().join(", ");

    let console = console_command(listening, config, settings);
    let mut text = format!("mini-lvb serves at {base}\n");
    let mut row = |name: &str, value: &str| writeln!(text, "  {name:19}{value}").expect("a text can be written to");
    for address in addresses.iter().skip(1) {
        row("also at", &format!("http://{address}"));
    }
    if has_app {
        row("open in a browser", &format!("{base}{}", web::ROOT));
    }
    if let Some(command) = console {
        row("for operators", &command);
    }
    row("in the app", &format!("ServerAddr (Gen 1)  {base}{INTERFACE}"));
    row("", &format!("base URL (Gen 2)    {base}"));
    row("in the cloud", &format!("callback URL        {base}{path_key}{}", CALLBACKS[0]));
    row("data", data);
    row("settings", settings);
    if !overridden.is_empty() {
        row("environment", &format!("overrides {overridden}"));
    }
    row("open to", reach);
    row("cloud", &cloud);
    row("accounts", &accounts);
    row("Gen-1 calls", gen_1);
    text
}

/// The command that opens the operator's console; `None` if the settings have no key of operators. The key of generated
/// settings that are in no file is known to this process only.
fn console_command(listening: SocketAddr, config: &Config, settings: &str) -> Option<String> {
    let is_in_file = std::path::Path::new(settings).is_file() || environment("OPERATOR_KEY").is_some();
    config.operator_key.as_ref().filter(|_| is_in_file)?;
    let server = if listening.port() == 8080 { String::new() } else { format!(" --server {}", listening.port()) };
    let file = if settings == "data/settings.toml" { String::new() } else { format!(" --config {settings:?}") };
    Some(format!("mini-lvb console{server}{file}"))
}
