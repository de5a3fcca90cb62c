//! Output of the command line: text, errors, the log, colours and QR codes.

use std::io::{self, IsTerminal, Write};

use app::process::environment;
use qrcode::{EcLevel, QrCode, render::unicode::Dense1x2};
use rustix::{fd::AsFd, termios::tcgetwinsize};
use tracing_subscriber::filter::{EnvFilter, LevelFilter};

/// Writes the log to stderr, each line with its time. `RUST_LOG` sets the level, and `level` is the default. With
/// `LOG_FORMAT=json` each line is a JSON object, as on Lambda.
///
/// At the level `trace` the AWS SDK logs the requests to the table, with secrets. Other levels log no secrets.
pub fn log(level: LevelFilter) {
    let filter = EnvFilter::builder().with_default_directive(level.into()).from_env_lossy();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_target(false).with_writer(io::stderr);
    // A log line that cannot be written, on a full disk or to a closed terminal, must not fail its call: the subscriber
    // would report the error with `eprintln!`, which panics.
    let log = log.with_ansi(has_colour(&io::stderr())).log_internal_errors(false);
    if environment("LOG_FORMAT").is_some_and(|format| format.eq_ignore_ascii_case("json")) {
        log.json().init();
    } else {
        log.init();
    }
}

/// Whether a stream shows colours: a terminal that has them, unless `NO_COLOR` is set (<https://no-color.org>).
pub fn has_colour(stream: &impl IsTerminal) -> bool {
    let is_unwanted = environment("NO_COLOR").is_some_and(|value| !value.is_empty());
    let is_dumb = environment("TERM").is_some_and(|name| name == "dumb");
    stream.is_terminal() && !is_unwanted && !is_dumb
}

/// Prints to stdout. A closed pipe, as of `| head`, is not an error.
pub fn print(text: &str) -> io::Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome,
    }
}

/// Prints the error of a command to stderr.
pub fn print_error(error: &dyn std::error::Error) {
    // If this fails too, the exit status still reports the error.
    drop(writeln!(io::stderr(), "mini-lvb: {error}"));
}

/// The number of columns of a terminal; `None` if it is unknown.
pub fn columns(terminal: &impl AsFd) -> Option<usize> {
    tcgetwinsize(terminal).ok().map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// A text as a QR code, with two rows of the code in a line; `None` if the terminal is too narrow.
pub fn qr_code(text: &str, columns: Option<usize>, has_colour: bool) -> Option<String> {
    // Characters are light on a dark terminal, so the light modules of the code are drawn, and the dark ones are spaces.
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    let image = code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build();
    let is_too_wide = |line: &str| columns.is_some_and(|columns| line.chars().count() > columns);
    // White on black, whatever the colours of the terminal are.
    let (begin, end) = if has_colour { ("\u{1b}[97;40m", "\u{1b}[0m") } else { ("", "") };
    let lines = image.lines().map(|line| format!("{begin}{line}{end}\n")).collect();
    (!image.lines().any(is_too_wide)).then_some(lines)
}
