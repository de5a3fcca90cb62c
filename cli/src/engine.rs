//! The embedded table: a DynamoDB-compatible engine in this process.
//!
//! The engine takes the place of the SDK's HTTP client. The SDK sends the same requests and reads the same answers as
//! over the network, so all code but the socket is that which runs in the cloud.

use std::{
    io::Read,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock, mpsc},
};

use aws_sdk_dynamodb::config::SharedHttpClient;
use aws_smithy_runtime_api::{
    client::{
        http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn},
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
    },
    http::StatusCode,
};
use aws_smithy_types::body::SdkBody;
use dynoxide::{Database, DynoxideError};
use serde::{Serialize, de::DeserializeOwned};
use store::connect::{self, Credentials};
use tokio::sync::oneshot;

use crate::folder;

/// The prefix of an operation's name in the header `X-Amz-Target`.
const TARGET_PREFIX: &str = "DynamoDB_20120810.";

/// The first bytes of every file of SQLite.
const HEAD: &[u8] = b"SQLite format 3\0";

/// The embedded engine.
///
/// One thread executes the requests, one after the other. The engine is behind one lock anyway, and threads that wait for
/// a lock take twice the processor time of tasks that wait for an answer.
#[derive(Clone)]
pub struct Engine {
    database: Shared,
    jobs: mpsc::Sender<Job>,
    file: Option<PathBuf>,
}

/// The database; `None` once it is closed. Its last owner writes all of it into its file.
type Shared = Arc<RwLock<Option<Database>>>;

/// Runs `work` on a database; `None` if it is closed.
fn with<T>(database: &Shared, work: impl FnOnce(&Database) -> T) -> Option<T> {
    database.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(work)
}

/// A request, and the channel for its answer: the HTTP status and the JSON.
struct Job {
    request: HttpRequest,
    answer: oneshot::Sender<(u16, String)>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine with its data in memory.
    pub fn in_memory() -> Result<Self, DynoxideError> {
        Ok(Self::start(Database::memory()?, None))
    }

    /// An engine with its data in a file, which is created if there is none. Every acknowledged write is on the disk, in
    /// the file or in the log beside it.
    pub fn on_disk(file: &Path) -> Result<Self, Box<dyn std::error::Error>> {
        // SQLite creates the files beside it with the same mode.
        let mut head = Vec::new();
        folder::open(file)?.take(HEAD.len() as u64).read_to_end(&mut head)?;
        if !head.is_empty() && head != HEAD {
            return Err("this is no table of mini-lvb, or its beginning is damaged".into());
        }
        Ok(Self::start(Database::new(&file.to_string_lossy())?, Some(file.to_owned())))
    }

    /// Starts the thread. It ends when the last clone of the engine is dropped.
    fn start(database: Database, file: Option<PathBuf>) -> Self {
        let (jobs, queue) = mpsc::channel::<Job>();
        let database = Arc::new(RwLock::new(Some(database)));
        let shared = Arc::clone(&database);
        std::thread::spawn(move || {
            for Job { request, answer } in queue {
                if let Some(response) = with(&shared, |database| respond(database, &request)) {
                    // The caller may have been dropped.
                    drop(answer.send(response));
                }
            }
        });
        Self { database, jobs, file }
    }

    /// The database itself, for tests that serve it at an address or read all of it.
    ///
    /// # Panics
    ///
    /// If the engine is closed.
    pub fn database(&self) -> Database {
        with(&self.database, Database::clone).expect("the engine is not closed")
    }

    /// Deletes items that have expired, as DynamoDB does on its own.
    pub fn delete_expired(&self) -> Result<usize, DynoxideError> {
        with(&self.database, Database::sweep_ttl).unwrap_or(Ok(0))
    }

    /// Whether a table has no item but its version.
    pub fn is_empty(&self, table: &str) -> Result<bool, Box<dyn std::error::Error>> {
        let two = serde_json::from_value(serde_json::json!({"TableName": table, "Limit": 2}))?;
        let found = with(&self.database, |database| database.scan(two)).ok_or("the engine is closed")??;
        Ok(found.count < 2)
    }

    /// Closes the engine after the request that is being executed; later requests fail. Then the file has the whole table
    /// and may be copied alone.
    pub fn close(&self) -> Result<(), String> {
        drop(self.database.write().unwrap_or_else(PoisonError::into_inner).take());
        let Some(file) = &self.file else { return Ok(()) };
        let mut log = file.clone().into_os_string();
        log.push("-wal");
        match std::fs::metadata(&log) {
            Ok(log) if log.len() > 0 => Err("the log of the table could not be written into its file".to_owned()),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// A client of the SDK for this engine.
    pub fn client(&self) -> aws_sdk_dynamodb::Client {
        connect::in_process(self.http_client())
    }

    /// The engine in place of the SDK's HTTP client.
    pub fn http_client(&self) -> SharedHttpClient {
        let connector = SharedHttpConnector::new(self.clone());
        http_client_fn(move |_, _| connector.clone())
    }
}

impl HttpConnector for Engine {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (answer, answered) = oneshot::channel();
        let sent = self.jobs.send(Job { request, answer });
        HttpConnectorFuture::new(async move {
            let failed = |error| ConnectorError::other(error, None);
            sent.map_err(|_| failed("the engine's thread has ended".into()))?;
            let (status, json) = answered.await.map_err(|error| failed(error.into()))?;
            let status = StatusCode::try_from(status).map_err(|error| failed(error.into()))?;
            Ok(HttpResponse::new(status, SdkBody::from(json)))
        })
    }
}

/// Executes a request. Returns the HTTP status and the JSON of the answer.
fn respond(db: &Database, request: &HttpRequest) -> (u16, String) {
    let target = request.headers().get("x-amz-target").unwrap_or_default();
    let operation = target.strip_prefix(TARGET_PREFIX).unwrap_or_default();
    match run(db, operation, request.body().bytes().unwrap_or_default()) {
        Ok(json) => (200, json),
        Err(error) => (error.status_code(), error.to_json()),
    }
}

/// The operations that the table uses, and no others.
fn run(db: &Database, operation: &str, body: &[u8]) -> Result<String, DynoxideError> {
    match operation {
        "GetItem" => on(operation, body, |request| db.get_item(request)),
        "BatchGetItem" => on(operation, body, |request| db.batch_get_item(request)),
        "Query" => on(operation, body, |request| db.query(request)),
        "PutItem" => on(operation, body, |request| db.put_item(request)),
        "UpdateItem" => on(operation, body, |request| db.update_item(request)),
        "DeleteItem" => on(operation, body, |request| db.delete_item(request)),
        "CreateTable" => on(operation, body, |request| db.create_table(request)),
        "UpdateTimeToLive" => on(operation, body, |request| db.update_time_to_live(request)),
        other => Err(DynoxideError::ValidationException(format!("{other:?} is not an operation of the table"))),
    }
}

/// Reads a request, runs it and writes its answer.
fn on<Q: DeserializeOwned, A: Serialize>(
    operation: &str,
    body: &[u8],
    run: impl FnOnce(Q) -> Result<A, DynoxideError>,
) -> Result<String, DynoxideError> {
    let request = serde_json::from_slice(body).map_err(|error| unreadable(operation, &error))?;
    let answer = run(request)?;
    serde_json::to_string(&answer).map_err(|error| DynoxideError::SerializationException(error.to_string()))
}

/// The error of a request that cannot be read, as the engine's HTTP server answers it: that code is private to the crate.
/// The engine's types mark a value that breaks a rule, as opposed to a value of another type, by a prefix.
fn unreadable(operation: &str, error: &serde_json::Error) -> DynoxideError {
    const RULE: &str = "VALIDATION:";
    const RULE_OF_REQUEST: &str = "VALIDATION_REQUEST:";
    let text = error.to_string();
    let words = text.split(" at line ").next().unwrap_or_default();
    if let Some(rule) = words.strip_prefix(RULE) {
        DynoxideError::ValidationException(rule.to_owned())
    } else if let Some(rule) = words.strip_prefix(RULE_OF_REQUEST) {
        let is_wrapped = ["PutItem", "UpdateItem", "DeleteItem"].contains(&operation);
        let opening = if is_wrapped { "1 validation error detected: " } else { "" };
        DynoxideError::ValidationException(format!("{opening}{rule}"))
    } else {
        DynoxideError::SerializationException(text)
    }
}

/// A client of another server with DynamoDB's interface that accepts any credentials.
pub fn client_of(endpoint: impl Into<String>) -> aws_sdk_dynamodb::Client {
    let credentials = Credentials::new("local", "local", None, None, "a server of one's own");
    connect::remote(Some(endpoint.into()), "local".to_owned(), credentials)
}
