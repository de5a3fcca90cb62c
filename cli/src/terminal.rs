//! What the command line prints, whether a terminal shows it or a file takes it.

use std::io::{self, IsTerminal, Write};

use qrcode::{EcLevel, QrCode, render::unicode::Dense1x2};
use rustix::{fd::AsFd, termios::tcgetwinsize};
use tracing_subscriber::filter::{EnvFilter, LevelFilter};

/// Writes the log to stderr, with the time, which a function's log has from Lambda. `RUST_LOG` sets the level, `level`
/// is the default. With `LOG_FORMAT=json` each line is a JSON object, as on Lambda.
///
/// Nothing secret is in the log down to `debug`; at `trace` the AWS SDK prints the requests to the table, with what
/// they write.
pub fn log(level: LevelFilter, environment: impl Fn(&str) -> Option<String>) {
    let filter = EnvFilter::builder().with_default_directive(level.into()).from_env_lossy();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_target(false).with_writer(io::stderr);
    // A log line that cannot be written, on a full disk or a closed terminal, must not fail the call that it is about:
    // the subscriber reports such an error with `eprintln!`, which panics.
    let log = log.with_ansi(has_colour(&io::stderr(), &environment)).log_internal_errors(false);
    if environment("LOG_FORMAT").is_some_and(|format| format.eq_ignore_ascii_case("json")) {
        log.json().init();
    } else {
        log.init();
    }
}

/// Whether a stream shows colours: a terminal that knows them, unless `NO_COLOR` is set (<https://no-color.org>).
pub fn has_colour(stream: &impl IsTerminal, environment: impl Fn(&str) -> Option<String>) -> bool {
    let is_unwanted = environment("NO_COLOR").is_some_and(|value| !value.is_empty());
    let is_dumb = environment("TERM").is_some_and(|name| name == "dumb");
    stream.is_terminal() && !is_unwanted && !is_dumb
}

/// Prints to stdout. A reader that went away, as behind `| head`, is no error.
pub fn print(text: &str) -> io::Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome,
    }
}

/// Prints why the command failed to stderr.
pub fn complain(error: &dyn std::error::Error) {
    // Where nobody takes the complaint, the exit status has to do.
    drop(writeln!(io::stderr(), "mini-lvb: {error}"));
}

/// How many columns a terminal has; `None` if it does not say.
pub fn columns(terminal: &impl AsFd) -> Option<usize> {
    tcgetwinsize(terminal).ok().map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// A text as a QR code, two of its rows in one line; `None` if the terminal is too narrow for it.
pub fn qr_code(text: &str, columns: Option<usize>, has_colour: bool) -> Option<String> {
    // On a dark terminal the letters are light: what is light in the code is drawn, and what is dark left out.
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    let image = code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build();
    let is_too_wide = |line: &str| columns.is_some_and(|columns| line.chars().count() > columns);
    // With colours, white on black whatever those of the terminal are.
    let (begin, end) = if has_colour { ("\u{1b}[97;40m", "\u{1b}[0m") } else { ("", "") };
    let lines = image.lines().map(|line| format!("{begin}{line}{end}\n")).collect();
    (!image.lines().any(is_too_wide)).then_some(lines)
}
