//! The business server that a script is played against, and a clock.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use app::{App, answer::answer_anywhere, config::Config};
use cloud::notices::Retries;
use http::Request;
use protocol::{
    error::Chain,
    types::{Secret, UnixSeconds},
};
use store::Table;

use crate::{engine::Engine, operate};

/// An answer of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body, if the status is 200.
    pub body: String,
}

/// A business server, and a clock.
pub trait Backend: Sync {
    /// The current time.
    fn now(&self) -> UnixSeconds;

    /// Waits.
    fn wait(&self, seconds: u64) -> impl Future<Output = ()> + Send;

    /// Reports a delay to people who wait.
    fn report(&self, _line: &str) {}

    /// Posts a body to a path of the server, with an operator's key if there is one.
    fn post(
        &self,
        path: &str,
        key: Option<&Secret>,
        body: String,
    ) -> impl Future<Output = Result<Answer, String>> + Send;
}

/// Posts a notice until it gets status 200 or there are no more retries. Returns the last answer.
pub async fn deliver(backend: &impl Backend, path: &str, body: String, retries: Retries) -> Result<Answer, String> {
    for number in 1..=retries.times {
        let reason = match backend.post(path, None, body.clone()).await {
            Ok(answer) if answer.status == 200 => return Ok(answer),
            Ok(answer) => format!("HTTP status {}", answer.status),
            Err(error) => error,
        };
        backend.report(&format!("{reason}; again in {} s ({number} of {})", retries.seconds, retries.times));
        backend.wait(retries.seconds).await;
    }
    backend.post(path, None, body).await
}

/// Posts a body to a server in this process.
pub async fn post(app: &App, path: &str, key: Option<&Secret>, body: String) -> Result<Answer, String> {
    let request = Request::post(path);
    let request = key.into_iter().fold(request, |request, key| request.header(operate::HEADER, key.expose()));
    let request = request.body(body.into_bytes()).map_err(|error| error.to_string())?;
    let response = answer_anywhere(app, request).await;
    Ok(Answer { status: response.status().as_u16(), body: response.into_body() })
}

/// A server in this process, with its table in memory. Its clock moves only when a script waits.
#[derive(Debug)]
pub struct Memory {
    /// The server.
    pub app: App,
    now: Arc<AtomicU64>,
}

impl Memory {
    /// A fresh server with these settings, at this time.
    pub async fn new(config: Config, now: UnixSeconds) -> Result<Self, String> {
        let engine = Engine::in_memory().map_err(|error| error.to_string())?;
        let table = Table::new(engine.client(), config.table.clone());
        table.create_if_missing().await.map_err(|error| Chain(&error).to_string())?;
        let now = Arc::new(AtomicU64::new(now.0));
        let clock = {
            let now = Arc::clone(&now);
            Box::new(move || UnixSeconds(now.load(Ordering::SeqCst)))
        };
        Ok(Self { app: App { clock, ..App::new(config, table) }, now })
    }
}

impl Backend for Memory {
    fn now(&self) -> UnixSeconds {
        self.app.now()
    }

    async fn wait(&self, seconds: u64) {
        self.now.fetch_add(seconds, Ordering::SeqCst);
    }

    async fn post(&self, path: &str, key: Option<&Secret>, body: String) -> Result<Answer, String> {
        post(&self.app, path, key, body).await
    }
}
