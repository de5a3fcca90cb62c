//! What a program asks of its table, counted or held up: a layer between the SDK and the embedded engine.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
};

use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn},
    orchestrator::HttpRequest,
};
use serde_json::Value;

/// One request: its operation, and how many items were read for it.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) operation: String,
    pub(crate) items: u64,
}

type Interruption = Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// Any operation.
pub(crate) const ANY: &str = "";

/// What happens before the request that comes after so many others of this operation.
struct Planned {
    operation: &'static str,
    after: usize,
    happen: Interruption,
}

/// Watches the requests that go through [`Watch::over`].
#[derive(Clone, Default)]
pub(crate) struct Watch {
    asked: Arc<Mutex<Vec<Asked>>>,
    interruption: Arc<Mutex<Option<Planned>>>,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("asked", &self.asked).finish_non_exhaustive()
    }
}

impl Watch {
    /// The requests since this was asked last.
    pub(crate) fn take(&self) -> Vec<Asked> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    /// Holds up the request of this operation that comes after so many others, until something else has happened.
    pub(crate) fn interrupt<F: Future<Output = ()> + Send + 'static>(
        &self,
        operation: &'static str,
        after: usize,
        happen: impl FnOnce() -> F + Send + 'static,
    ) {
        let happen: Interruption = Box::new(|| Box::pin(happen()));
        *self.interruption.lock().unwrap() = Some(Planned { operation, after, happen });
    }

    /// Whether what was planned has not happened, as there were not so many requests; it will not any more.
    pub(crate) fn call_off(&self) -> bool {
        self.interruption.lock().unwrap().take().is_some()
    }

    /// The client, watched.
    pub(crate) fn over(&self, client: SharedHttpClient) -> SharedHttpClient {
        let watch = self.clone();
        http_client_fn(move |settings, components| {
            SharedHttpConnector::new(Connector {
                watch: watch.clone(),
                inner: client.http_connector(settings, components),
            })
        })
    }

    fn interruption_of(&self, operation: &str) -> Option<Interruption> {
        let mut planned = self.interruption.lock().unwrap();
        let next = planned.as_mut().filter(|planned| [operation, ANY].contains(&planned.operation))?;
        if next.after > 0 {
            next.after -= 1;
            return None;
        }
        planned.take().map(|planned| planned.happen)
    }
}

#[derive(Debug)]
struct Connector {
    watch: Watch,
    inner: SharedHttpConnector,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (watch, inner) = (self.watch.clone(), self.inner.clone());
        HttpConnectorFuture::new(async move {
            let target = request.headers().get("x-amz-target").unwrap_or_default();
            let operation = target.rsplit('.').next().unwrap().to_owned();
            let interruption = watch.interruption_of(&operation);
            if let Some(happen) = interruption {
                happen().await;
            }
            let response = inner.call(request).await?;
            let answer = serde_json::from_slice(response.body().bytes().unwrap()).unwrap();
            watch.asked.lock().unwrap().push(Asked { operation, items: items_read(&answer) });
            Ok(response)
        })
    }
}

/// How many items an answer of the table was made from.
fn items_read(answer: &Value) -> u64 {
    let batch = answer["Responses"].as_object();
    let batch = batch.map_or(0, |tables| tables.values().map(|items| items.as_array().unwrap().len()).sum());
    answer["ScannedCount"].as_u64().unwrap_or(0) + batch as u64 + u64::from(answer["Item"].is_object())
}
