//! Faults between a program and its table: a layer between the SDK and the embedded engine that refuses a request, or
//! loses it or its answer, as a network and a table far away do.

use std::{
    fmt, io,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use aws_sdk_dynamodb::{
    Client,
    config::retry::{RetryConfig, RetryPartition, TokenBucket},
};
use aws_smithy_runtime_api::{
    client::{
        http::{HttpClient, HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn},
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
    },
    http::StatusCode,
};
use aws_smithy_types::body::SdkBody;

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// The table takes no more requests for this item.
    Overloaded,
    /// Nor for the whole table.
    Throttled,
    /// Somebody else is writing this item.
    Conflict,
    /// The table fails, and has done nothing.
    Broken,
    /// The table fails, but has done it.
    BrokenLate,
    /// The request is not answered in time, and was never done.
    RequestLost,
    /// The request is not answered in time, but was done.
    AnswerLost,
    /// There is no connection.
    Refused,
    /// The connection breaks before the request is through.
    Reset,
    /// The connection breaks before the answer is through.
    ResetLate,
}

impl Fault {
    pub(crate) const ALL: [Self; 10] = [
        Self::Overloaded,
        Self::Throttled,
        Self::Conflict,
        Self::Broken,
        Self::BrokenLate,
        Self::RequestLost,
        Self::AnswerLost,
        Self::Refused,
        Self::Reset,
        Self::ResetLate,
    ];

    /// Whether the table does what it was asked.
    pub(crate) fn takes_effect(self) -> bool {
        match self {
            Self::BrokenLate | Self::AnswerLost | Self::ResetLate => true,
            Self::Overloaded
            | Self::Throttled
            | Self::Conflict
            | Self::Broken
            | Self::RequestLost
            | Self::Refused
            | Self::Reset => false,
        }
    }

    /// Whether the SDK sends again what must not be done twice: it proves that nothing was done, and passes.
    pub(crate) fn is_tried_again(self) -> bool {
        matches!(self, Self::Overloaded | Self::Throttled | Self::Refused)
    }

    /// What the SDK gets to see.
    fn answer(self) -> Result<HttpResponse, ConnectorError> {
        let refusal = |status: u16, name: &str| {
            let body = format!(r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{name}","message":"injected"}}"#);
            Ok(HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::from(body)))
        };
        match self {
            Self::Overloaded => refusal(400, "ProvisionedThroughputExceededException"),
            Self::Throttled => refusal(400, "ThrottlingException"),
            Self::Conflict => refusal(400, "TransactionConflictException"),
            Self::Broken | Self::BrokenLate => refusal(500, "InternalServerError"),
            Self::RequestLost | Self::AnswerLost => Err(ConnectorError::timeout("injected: no answer".into())),
            Self::Refused => Err(ConnectorError::io(io::Error::from(io::ErrorKind::ConnectionRefused).into())),
            Self::Reset | Self::ResetLate => Err(ConnectorError::io("injected: connection reset".into())),
        }
    }
}

/// How long a fault lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lasts {
    /// It hits one request: the SDK may try again.
    Once,
    /// From that request on nothing gets through until the call has ended, as if the process had been killed.
    ForTheCall,
}

impl Lasts {
    pub(crate) const ALL: [Self; 2] = [Self::Once, Self::ForTheCall];
}

/// Which request is hit, counted from 1, and by what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Strike {
    pub(crate) at: usize,
    pub(crate) fault: Fault,
    pub(crate) lasts: Lasts,
}

impl fmt::Display for Strike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "request {} {:?} {:?}", self.at, self.fault, self.lasts)
    }
}

#[derive(Debug, Default)]
struct State {
    asked: usize,
    strikes: Vec<Strike>,
    struck: Vec<String>,
    away: Option<Fault>,
}

/// Counts the requests that go through [`Injector::client`], and strikes some of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Injector(Arc<Mutex<State>>);

impl Injector {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Begins to count, and strikes when it is time.
    pub(crate) fn arm(&self, strikes: Vec<Strike>) {
        *self.state() = State { strikes, ..State::default() };
    }

    /// How many requests there were, but for those while the table was away.
    pub(crate) fn asked(&self) -> usize {
        self.state().asked
    }

    /// What the requests were that were struck.
    pub(crate) fn struck(&self) -> Vec<String> {
        self.state().struck.clone()
    }

    /// The table can be reached again, once what the ended call left running has failed too.
    pub(crate) async fn call_ended(&self) {
        /// More than the additions of a call take to give up, which nothing holds up.
        const TURNS: usize = 200;
        if self.state().away.is_some() {
            for _ in 0..TURNS {
                tokio::task::yield_now().await;
            }
            self.state().away = None;
        }
    }

    /// A client of the table behind this one that tries again at once, and never tires of it.
    pub(crate) fn client(&self, http: SharedHttpClient) -> Client {
        let injector = self.clone();
        let struck = http_client_fn(move |settings, components| {
            let inner = http.http_connector(settings, components);
            SharedHttpConnector::new(Connector { injector: injector.clone(), inner })
        });
        let at_once = RetryConfig::standard().with_max_attempts(4).with_max_backoff(Duration::ZERO);
        let untiring = RetryPartition::custom("faults").token_bucket(TokenBucket::unlimited()).build();
        let config =
            store::connect::in_process(struck).config().to_builder().retry_config(at_once).retry_partition(untiring);
        Client::from_conf(config.build())
    }

    /// The fault that hits the next request, and whether that is done all the same.
    fn next(&self, request: &HttpRequest) -> Option<(Fault, bool)> {
        let mut state = self.state();
        if let Some(fault) = state.away {
            return Some((fault, false));
        }
        state.asked += 1;
        let strike = state.strikes.iter().find(|strike| strike.at == state.asked).copied()?;
        state.away = (strike.lasts == Lasts::ForTheCall).then_some(strike.fault);
        let operation = request.headers().get("x-amz-target").unwrap_or_default().rsplit('.').next().unwrap();
        let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default());
        state.struck.push(format!("{operation} {body}"));
        Some((strike.fault, strike.fault.takes_effect()))
    }
}

#[derive(Debug)]
struct Connector {
    injector: Injector,
    inner: SharedHttpConnector,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (injector, inner) = (self.injector.clone(), self.inner.clone());
        HttpConnectorFuture::new(async move {
            match injector.next(&request) {
                None => inner.call(request).await,
                Some((fault, false)) => fault.answer(),
                Some((fault, true)) => {
                    inner.call(request).await?;
                    fault.answer()
                }
            }
        })
    }
}
