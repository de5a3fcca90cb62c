//! Where a script is played: a business server, and a clock.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use lambda_http::http::Request;
use shared::{
    answer::answer_anywhere, app::App, cloud, config::Config, error::Chain, lambda::getrandom_u32, oidc::Provider,
    table::Table, types::UnixSeconds,
};

use super::notices::Retries;
use crate::engine::Engine;

/// What the server answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body, if the status is 200.
    pub body: String,
}

/// A business server, and a clock.
pub trait Stage: Sync {
    /// Now.
    fn now(&self) -> UnixSeconds;

    /// Lets seconds pass.
    fn wait(&self, seconds: u64) -> impl Future<Output = ()> + Send;

    /// Posts a body to an address of the server; the answer, or why there is none.
    fn post(&self, path: &str, body: Vec<u8>) -> impl Future<Output = Result<Answer, String>> + Send;
}

impl<S: Stage> Stage for &S {
    fn now(&self) -> UnixSeconds {
        (**self).now()
    }

    fn wait(&self, seconds: u64) -> impl Future<Output = ()> + Send {
        (**self).wait(seconds)
    }

    fn post(&self, path: &str, body: Vec<u8>) -> impl Future<Output = Result<Answer, String>> + Send {
        (**self).post(path, body)
    }
}

/// Posts a notice until it gets status 200, or until the cloud gives up; the last answer.
pub async fn deliver(stage: &impl Stage, path: &str, body: Vec<u8>, retries: Retries) -> Result<Answer, String> {
    let mut left = retries.times;
    loop {
        let answer = stage.post(path, body.clone()).await;
        if left == 0 || answer.as_ref().is_ok_and(|answer| answer.status == 200) {
            return answer;
        }
        left -= 1;
        stage.wait(retries.seconds).await;
    }
}

/// A server of one's own in this process, with its table in memory and a clock that only waiting moves.
#[derive(Debug)]
pub struct Memory {
    /// The server.
    pub app: App,
    now: Arc<AtomicU64>,
}

impl Memory {
    /// A fresh server with these settings, whose clock stands at `start`.
    pub async fn new(config: Config, start: UnixSeconds) -> Result<Self, String> {
        let engine = Engine::in_memory().map_err(|error| error.to_string())?;
        let table = Table::new(engine.client(), config.table.clone());
        table.create_if_missing().await.map_err(|error| Chain(&error).to_string())?;
        let now = Arc::new(AtomicU64::new(start.0));
        let clock = {
            let now = Arc::clone(&now);
            Box::new(move || UnixSeconds(now.load(Ordering::SeqCst)))
        };
        let (cloud, oidc) = (cloud::Cloud::new(&config), config.oidc.as_ref().map(Provider::new));
        let app = App { cloud, oidc, table, clock, random: Box::new(getrandom_u32), config };
        Ok(Self { app, now })
    }
}

impl Stage for Memory {
    fn now(&self) -> UnixSeconds {
        self.app.now()
    }

    async fn wait(&self, seconds: u64) {
        self.now.fetch_add(seconds, Ordering::SeqCst);
    }

    async fn post(&self, path: &str, body: Vec<u8>) -> Result<Answer, String> {
        let request = Request::post(path).body(body).map_err(|error| error.to_string())?;
        let response = answer_anywhere(&self.app, request).await;
        Ok(Answer { status: response.status().as_u16(), body: response.into_body() })
    }
}
