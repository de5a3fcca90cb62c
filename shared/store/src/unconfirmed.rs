//! Unconfirmed writes: requests that may or may not have been executed, because no response said so.
//!
//! The SDK sends a failed request again. That is harmless for a write that sets attributes. It is not harmless in two
//! cases: an addition that was executed is executed twice; and a row that was moved by the first request looks, to the
//! second, as if it had never moved, so its move is not counted. Therefore:
//!
//! - additions are [not sent again](NoRetryIfSent) if they may have been executed;
//! - code that counts moved rows checks [`UnconfirmedWrites::count`] before and after, and has the sweep recount if the
//!   number has changed.

use std::{
    error::Error,
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents, interceptors::FinalizerInterceptorContextRef};
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::context::{Error as Failure, InterceptorContext},
        orchestrator::{HttpResponse, OrchestratorError},
        retries::classifiers::{ClassifyRetry, RetryAction},
    },
};

/// The number of requests of this process that may or may not have been executed. An interceptor of the SDK's client
/// counts them.
#[derive(Clone, Debug, Default)]
pub(super) struct UnconfirmedWrites(Arc<AtomicU64>);

impl UnconfirmedWrites {
    /// The number so far.
    pub(super) fn count(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

impl Intercept for UnconfirmedWrites {
    fn name(&self) -> &'static str {
        "UnconfirmedWrites"
    }

    fn read_after_attempt(
        &self,
        attempt: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let error = attempt.output_or_error().and_then(Result::err);
        if may_be_executed(attempt.response(), error) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }
}

/// Forbids the SDK to retry a request that may have been executed.
#[derive(Debug)]
pub(super) struct NoRetryIfSent;

impl ClassifyRetry for NoRetryIfSent {
    fn name(&self) -> &'static str {
        "NoRetryIfSent"
    }

    fn classify_retry(&self, attempt: &InterceptorContext) -> RetryAction {
        let error = attempt.output_or_error().and_then(Result::err);
        if may_be_executed(attempt.response(), error) {
            RetryAction::RetryForbidden
        } else {
            RetryAction::NoActionIndicated
        }
    }
}

/// Whether a request may have been executed: there was no response, or a response with a server error. It was not
/// executed if the response is a client error (4xx), or if the connection was refused.
fn may_be_executed(response: Option<&HttpResponse>, error: Option<&OrchestratorError<Failure>>) -> bool {
    match response {
        Some(response) => response.status().is_server_error(),
        None => !error.and_then(OrchestratorError::as_connector_error).is_some_and(|error| is_refused(error)),
    }
}

/// Whether the connection was refused, so that the request was not sent.
fn is_refused(error: &(dyn Error + 'static)) -> bool {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    let mut causes = causes.filter_map(|error| error.downcast_ref::<io::Error>());
    causes.any(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}
