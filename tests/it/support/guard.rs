//! What stands between a program and its table: it lets through what the function may ask for that would serve the call
//! in the cloud, by its policy, and refuses the rest as DynamoDB does.

use std::{
    collections::BTreeSet,
    fmt,
    future::Future,
    sync::{Arc, Mutex},
};

use aws_smithy_runtime_api::{
    client::{
        http::{HttpClient, HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn},
        orchestrator::{HttpRequest, HttpResponse},
    },
    http::StatusCode,
};
use aws_smithy_types::body::SdkBody;

use crate::support::policy::{Asked, Grant, OPERATIONS, Policy, operation};
use app::answer::Entrypoint;

/// What those use beside the functions who make a table and count it again: the local server and the tests.
const TOOLS: [&str; 3] = ["CreateTable", "PutItem", "UpdateTimeToLive"];

tokio::task_local! {
    /// The function that the task is.
    static FUNCTION: &'static str;
}

/// Judges the requests that go through it.
#[derive(Clone, Default)]
pub(crate) struct Guard(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// The functions that are serving a call. What one of them has left to another task may be for any of them.
    serving: Vec<&'static str>,
    used: BTreeSet<(&'static str, Grant)>,
    refused: Vec<String>,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Guard").finish_non_exhaustive()
    }
}

/// The function that serves an entrypoint on AWS.
pub(crate) fn function_of(entrypoint: Entrypoint) -> &'static str {
    match entrypoint {
        Entrypoint::Interface => "interface",
        Entrypoint::Callback => "live_callback",
        Entrypoint::Command(entry) => entry.names.name,
    }
}

impl Guard {
    /// The guard of one function, for good.
    pub(crate) fn of(function: &'static str) -> Self {
        let guard = Self::default();
        guard.0.lock().unwrap().serving.push(function);
        guard
    }

    /// Has a function serve a call. Fails if it asked for something that it may not.
    pub(crate) async fn serve<T>(&self, function: &'static str, call: impl Future<Output = T>) -> T {
        self.0.lock().unwrap().serving.push(function);
        let serving = Serving { guard: self, function };
        let answer = FUNCTION.scope(function, call).await;
        drop(serving);
        self.assert_obeyed();
        answer
    }

    /// Fails if something was refused.
    pub(crate) fn assert_obeyed(&self) {
        let refused = std::mem::take(&mut self.0.lock().unwrap().refused);
        assert!(refused.is_empty(), "not allowed by template.yaml: {}", refused.join("; "));
    }

    /// What was used of what functions are allowed, since this was asked last.
    pub(crate) fn take_used(&self) -> BTreeSet<(&'static str, Grant)> {
        std::mem::take(&mut self.0.lock().unwrap().used)
    }

    /// The client, guarded.
    pub(crate) fn over(&self, client: SharedHttpClient) -> SharedHttpClient {
        let guard = self.clone();
        http_client_fn(move |settings, components| guard.before(client.http_connector(settings, components)))
    }

    /// The connector, guarded.
    pub(crate) fn before(&self, inner: SharedHttpConnector) -> SharedHttpConnector {
        SharedHttpConnector::new(Connector { guard: self.clone(), inner })
    }

    /// Why a request is refused, if it is.
    fn judge(&self, request: &HttpRequest) -> Result<(), String> {
        let functions = match FUNCTION.try_with(|function| *function) {
            Ok(function) => vec![function],
            Err(_) => self.0.lock().unwrap().serving.clone(),
        };
        if functions.is_empty() {
            let is_known = OPERATIONS.iter().chain(&TOOLS).any(|known| *known == operation(request));
            return if is_known { Ok(()) } else { Err(format!("nobody may {}", operation(request))) };
        }
        let asked = Asked::read(request)?;
        let used = functions.iter().find_map(|function| Some((*function, Policy::of(function).allows(&asked)?)));
        let (function, grants) = used.ok_or_else(|| format!("{} asked for {asked}", functions.join(" or ")))?;
        self.0.lock().unwrap().used.extend(grants.into_iter().map(|grant| (function, grant)));
        Ok(())
    }
}

/// A function that is serving a call, until that has been answered or is given up.
struct Serving<'a> {
    guard: &'a Guard,
    function: &'static str,
}

impl Drop for Serving<'_> {
    fn drop(&mut self) {
        let serving = &mut self.guard.0.lock().unwrap().serving;
        let at = serving.iter().position(|serving| *serving == self.function);
        serving.swap_remove(at.expect("it has begun"));
    }
}

#[derive(Debug)]
struct Connector {
    guard: Guard,
    inner: SharedHttpConnector,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        match self.guard.judge(&request) {
            Ok(()) => self.inner.call(request),
            Err(why) => {
                self.guard.0.lock().unwrap().refused.push(why);
                let body = r#"{"__type":"com.amazon.coral.service#AccessDeniedException","Message":"not allowed"}"#;
                HttpConnectorFuture::ready(Ok(HttpResponse::new(
                    StatusCode::try_from(400).unwrap(),
                    SdkBody::from(body),
                )))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use app::answer::answer;
    use aws_sdk_dynamodb::{error::ProvideErrorMetadata, types::AttributeValue};
    use cli::engine::Engine;
    use http::Request;

    use super::*;
    use crate::support::harness::program;

    /// What a test is told in which another function than its own serves an Action.
    async fn told(function: &'static str, action: &'static str) -> String {
        let program = program().await;
        let call = tokio::spawn(async move {
            let request = Request::post("/interface.php").body(action.as_bytes().to_vec()).unwrap();
            program.guard.serve(function, answer(&program.app, Entrypoint::Interface, request)).await
        });
        *call.await.unwrap_err().into_panic().downcast::<String>().unwrap()
    }

    #[tokio::test]
    async fn a_function_that_asks_for_more_than_it_may_fails_the_test() {
        let told = told("show_notice", r#"{"Action":"GetUserInfo","userid":"alice","type":0}"#).await;
        assert_eq!(told, "not allowed by template.yaml: show_notice asked for GetItem of the table: USER#alice");
    }

    /// Counts are written by tasks of their own.
    #[tokio::test]
    async fn what_a_function_leaves_to_another_task_is_judged_too() {
        let video = r#"{"Action":"UploadUGCVideo","userid":"alice","file_id":"f","play_url":"http://v","title":"t"}"#;
        let told = told("upload_user_info", video).await;
        let asked = "not allowed by template.yaml: upload_user_info asked for UpdateItem of the table: COUNT#videos";
        assert!(told.starts_with(asked), "{told}");
    }

    #[tokio::test]
    async fn a_request_that_is_not_allowed_is_refused_as_dynamodb_does() {
        let guard = Guard::of("show_notice");
        let client = store::connect::in_process(guard.over(Engine::in_memory().unwrap().http_client()));
        let s = |text: &str| AttributeValue::S(text.to_owned());
        let get = client.get_item().table_name("t").key("PK", s("USER#a")).key("SK", s("ROOM")).send().await;
        let scan = client.scan().table_name("t").send().await;
        assert_eq!(get.unwrap_err().code(), Some("AccessDeniedException"));
        assert_eq!(scan.unwrap_err().code(), Some("AccessDeniedException"));
        assert_eq!(guard.0.lock().unwrap().refused.len(), 2);
    }

    #[tokio::test]
    async fn nobody_asks_for_what_not_every_store_has() {
        let client = store::connect::in_process(Guard::default().over(Engine::in_memory().unwrap().http_client()));
        let transaction = client.transact_get_items().set_transact_items(Some(vec![])).send().await;
        let statement = client.execute_statement().statement("SELECT * FROM t").send().await;
        assert_eq!(transaction.unwrap_err().code(), Some("AccessDeniedException"));
        assert_eq!(statement.unwrap_err().code(), Some("AccessDeniedException"));
    }
}
