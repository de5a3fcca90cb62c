//! Where a script is played: a business server, and a clock.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use app::{App, answer::answer_anywhere, config::Config};
use http::Request;
use protocol::{
    error::Chain,
    types::{Secret, UnixSeconds},
};
use store::Table;

use super::notices::Retries;
use crate::{engine::Engine, operate};

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

    /// Says why it goes on later, where people wait for it.
    fn tell(&self, _line: &str) {}

    /// Posts a body to an address of the server, as an operator with this key if there is one; the answer, or why there
    /// is none.
    fn post(
        &self,
        path: &str,
        key: Option<&Secret>,
        body: Vec<u8>,
    ) -> impl Future<Output = Result<Answer, String>> + Send;
}

impl<S: Stage> Stage for &S {
    fn now(&self) -> UnixSeconds {
        (**self).now()
    }

    fn wait(&self, seconds: u64) -> impl Future<Output = ()> + Send {
        (**self).wait(seconds)
    }

    fn tell(&self, line: &str) {
        (**self).tell(line);
    }

    fn post(
        &self,
        path: &str,
        key: Option<&Secret>,
        body: Vec<u8>,
    ) -> impl Future<Output = Result<Answer, String>> + Send {
        (**self).post(path, key, body)
    }
}

/// Posts a notice until it gets status 200, or until the cloud gives up; the last answer.
pub async fn deliver(stage: &impl Stage, path: &str, body: Vec<u8>, retries: Retries) -> Result<Answer, String> {
    let mut left = retries.times;
    loop {
        let answer = stage.post(path, None, body.clone()).await;
        if left == 0 || answer.as_ref().is_ok_and(|answer| answer.status == 200) {
            return answer;
        }
        let why = match &answer {
            Ok(answer) => format!("HTTP status {}", answer.status),
            Err(error) => error.clone(),
        };
        let number = retries.times - left + 1;
        stage.tell(&format!("{why}; again in {} s ({number} of {})", retries.seconds, retries.times));
        left -= 1;
        stage.wait(retries.seconds).await;
    }
}

/// Posts a body to a server in this process.
pub async fn post(app: &App, path: &str, key: Option<&Secret>, body: Vec<u8>) -> Result<Answer, String> {
    let request = Request::post(path);
    let request = key.into_iter().fold(request, |request, key| request.header(operate::HEADER, key.expose()));
    let request = request.body(body).map_err(|error| error.to_string())?;
    let response = answer_anywhere(app, request).await;
    Ok(Answer { status: response.status().as_u16(), body: response.into_body() })
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
        let table = Table::new(engine.client(), config.table.clone()).with_log_names(config.log_names.clone());
        table.create_if_missing().await.map_err(|error| Chain(&error).to_string())?;
        let now = Arc::new(AtomicU64::new(start.0));
        let clock = {
            let now = Arc::clone(&now);
            Box::new(move || UnixSeconds(now.load(Ordering::SeqCst)))
        };
        Ok(Self { app: App { clock, ..App::new(config, table) }, now })
    }
}

impl Stage for Memory {
    fn now(&self) -> UnixSeconds {
        self.app.now()
    }

    async fn wait(&self, seconds: u64) {
        self.now.fetch_add(seconds, Ordering::SeqCst);
    }

    async fn post(&self, path: &str, key: Option<&Secret>, body: Vec<u8>) -> Result<Answer, String> {
        post(&self.app, path, key, body).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// A server that refuses everything.
    #[derive(Default)]
    struct Wall(Mutex<Vec<String>>);

    impl Stage for Wall {
        fn now(&self) -> UnixSeconds {
            UnixSeconds(0)
        }

        async fn wait(&self, _: u64) {}

        fn tell(&self, line: &str) {
            self.0.lock().unwrap().push(line.to_owned());
        }

        async fn post(&self, _: &str, _: Option<&Secret>, _: Vec<u8>) -> Result<Answer, String> {
            Ok(Answer { status: 403, body: String::new() })
        }
    }

    #[tokio::test]
    async fn each_time_that_a_notice_is_sent_again_is_said() {
        let wall = Wall::default();
        let answer = deliver(&wall, "/live_callback", Vec::new(), Retries { times: 2, seconds: 60 }).await.unwrap();
        assert_eq!(answer.status, 403);
        let said = wall.0.into_inner().unwrap();
        assert_eq!(said, ["HTTP status 403; again in 60 s (1 of 2)", "HTTP status 403; again in 60 s (2 of 2)"]);
    }
}
