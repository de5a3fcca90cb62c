//! The server of an operator, and calls of its commands with the operator's key.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use app::process::environment;
use clap::Args;
use http::{
    Request,
    header::{CONTENT_TYPE, HeaderValue},
};
use http_client::{self, Client};
use protocol::{error::Chain, types::Secret};
use serde_json::{Value, json};

use super::table::plain;
use crate::{folder, listen::Listen, settings};

/// The time limit of a request: a deployed function has 10 seconds, a server of one's own has no limit.
const TIMEOUT: Duration = Duration::from_secs(60);
/// The setting with the operator's key.
const OPERATOR_KEY: &str = "OPERATOR_KEY";
/// The header in which the key is sent.
pub(crate) const HEADER: &str = "x-operator-key";
/// The error for an answer that is not one of ours.
const NO_ANSWER: &str = "the answer is not that of a business server; is the address right?";

/// The server of an operator, and the key.
#[derive(Args, Debug)]
pub struct Operator {
    /// The address of the server.
    #[arg(long, global = true, value_name = "URL", value_parser = address, default_value = "http://127.0.0.1:8080")]
    server: String,
    /// The data folder of the server. Its settings.toml has the OPERATOR_KEY, unless the environment has it.
    #[arg(long, global = true, value_name = "DIR", default_value = "data")]
    data: PathBuf,
    /// The settings file of the server, instead of the one in the data folder.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Prints the server's answer as JSON.
    #[arg(long, global = true)]
    json: bool,
}

/// The operator's key: from the environment, or from a settings file.
fn key(file: &Path) -> Result<Secret, String> {
    let is_set = |key: &String| !key.trim().is_empty();
    let key = match environment(OPERATOR_KEY).filter(is_set) {
        None if file.exists() => settings::read(file)?.remove(OPERATOR_KEY).filter(is_set),
        key => key,
    };
    let key = key.ok_or_else(|| {
        let file = file.display();
        format!("there is no {OPERATOR_KEY} in the environment or in {file}; it must be the key of the server")
    })?;
    Ok(Secret::new(key.trim()))
}

/// The address of a server from the command line: a URL, or an address of this machine as in `--listen`.
pub fn address(text: &str) -> Result<String, String> {
    let text = text.trim_end_matches('/');
    if let Some(here) = text.parse().ok().filter(Listen::is_loopback) {
        return Ok(format!("http://{here}"));
    }
    let fault = || "expected an address that begins with http:// or https://, as http://127.0.0.1:8080".to_owned();
    http_client::is_address(text).then(|| text.to_owned()).ok_or_else(fault)
}

/// Refuses an address if others could read a key on the way to it.
pub(crate) fn is_private(address: &str) -> Result<(), String> {
    let refused = || {
        format!(
            "{address}: the operator key is sent only over https, or to this machine; give the address with https://"
        )
    };
    http_client::is_secure(address).then_some(()).ok_or_else(refused)
}

/// An operator's key as the value of [`HEADER`].
pub(crate) fn key_header(key: &Secret) -> Result<HeaderValue, String> {
    let invalid = |_| "the operator key has characters that a header cannot have".to_owned();
    HeaderValue::from_str(key.expose()).map_err(invalid)
}

/// A running server.
pub(crate) struct Server {
    http: Client,
    address: String,
    key: HeaderValue,
    json: bool,
}

impl Server {
    pub(crate) fn of(operator: &Operator) -> Result<Self, String> {
        let file = operator.config.clone().unwrap_or_else(|| folder::settings(&operator.data));
        let key = key_header(&key(&file)?)?;
        is_private(&operator.server)?;
        Ok(Self { http: Client::unconnected(), address: operator.server.clone(), key, json: operator.json })
    }

    /// Calls a command that works in parts, until an answer has no `next`. Returns the lists of all parts, joined, and
    /// prints the progress after each part but the last.
    pub(super) async fn call_in_parts(
        &self,
        command: &str,
        mut fields: Value,
        progress: impl Fn(&Value) -> String,
    ) -> Result<Value, String> {
        let mut whole = json!({});
        loop {
            let Value::Object(mut part) = self.call(command, fields.clone()).await? else {
                return Err(NO_ANSWER.to_owned());
            };
            let next = part.remove("next");
            for (name, lines) in part {
                match (whole.get_mut(&name), lines) {
                    (Some(Value::Array(known)), Value::Array(more)) => known.extend(more),
                    (_, lines) => whole[name] = lines,
                }
            }
            let Some(next) = next else { return Ok(whole) };
            if fields["after"] == next {
                return Err(NO_ANSWER.to_owned());
            }
            eprintln!("{}", progress(&whole));
            fields["after"] = next;
        }
    }

    /// Calls a command. Fields that are null count as missing.
    pub(super) async fn call(&self, command: &str, fields: Value) -> Result<Value, String> {
        let answer = self.relay(command, fields.to_string()).await?;
        let mut answer: Value = serde_json::from_str(&answer).map_err(|_| NO_ANSWER.to_owned())?;
        match answer["code"].as_u64() {
            Some(200) => Ok(answer["data"].take()),
            Some(403) => Err(format!("{} does not accept this {OPERATOR_KEY}", self.address)),
            Some(code) => Err(format!("{} answers {code} {}", self.address, plain(&answer["message"]))),
            None => Err(NO_ANSWER.to_owned()),
        }
    }

    /// Calls a command with this body, and returns the whole answer.
    pub(crate) async fn relay(&self, command: &str, body: String) -> Result<String, String> {
        let failed = |error: http_client::Error| format!("{}: {}", self.address, Chain(&error));
        let request = Request::post(format!("{}/{command}", self.address))
            .header(CONTENT_TYPE, "application/json")
            .header(HEADER, &self.key)
            .body(body);
        let request = request.map_err(|error| failed(error.into()))?;
        self.http.send_within(TIMEOUT, request).await.map_err(failed)
    }

    /// Whether the server is on this machine.
    pub(crate) fn is_local(&self) -> bool {
        // The key is sent over http to this machine only.
        !self.address.to_ascii_lowercase().starts_with("https://")
    }

    /// The address of the server.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn shown(&self, answer: &Value, table: impl FnOnce(&Value) -> String) -> String {
        if self.json { format!("{answer}\n") } else { table(answer) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_this_machine_is_written_in_many_ways() {
        for (text, meant) in [
            ("localhost:8080", "http://127.0.0.1:8080"),
            ("LOCALHOST:8080/", "http://127.0.0.1:8080"),
            ("8080", "http://127.0.0.1:8080"),
            ("[::1]:8080", "http://[::1]:8080"),
            ("127.0.0.2:80", "http://127.0.0.2:80"),
            ("HTTP://LOCALHOST:8080", "HTTP://LOCALHOST:8080"),
            ("https://lvb.example.com/", "https://lvb.example.com"),
        ] {
            let address = address(text).unwrap();
            assert_eq!(address, meant);
            assert_eq!(is_private(&address), Ok(()), "{text}");
        }
        for text in ["", "lvb.example.com", "192.0.2.1:8080", "ftp://localhost", "http://"] {
            assert!(address(text).unwrap_err().contains("begins with http://"), "{text}");
        }
        assert!(is_private("http://lvb.example.com").unwrap_err().contains("https"));
    }
}
