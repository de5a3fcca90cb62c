//! Doubt: requests of which nobody said whether they were done.
//!
//! The SDK sends them again. What is set twice is as if it were set once; but an addition is made twice, and a row that
//! moved the first time looks the second time as if it had been there before, and is not counted. So additions are
//! [not sent again](NoRetryIfSent), and whoever counts asks whether there was any doubt meanwhile.

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

/// How many requests there were of which nobody said whether they were done.
#[derive(Clone, Debug, Default)]
pub(super) struct UnconfirmedWrites(Arc<AtomicU64>);

impl UnconfirmedWrites {
    /// How many so far.
    pub(super) fn count(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

impl Intercept for UnconfirmedWrites {
    fn name(&self) -> &'static str {
        "Doubt"
    }

    fn read_after_attempt(
        &self,
        attempt: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let error = attempt.output_or_error().and_then(Result::err);
        if may_be_done(attempt.response(), error) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }
}

/// Forbids the SDK to send a request again that may have been done.
#[derive(Debug)]
pub(super) struct NoRetryIfSent;

impl ClassifyRetry for NoRetryIfSent {
    fn name(&self) -> &'static str {
        "NotIfDone"
    }

    fn classify_retry(&self, attempt: &InterceptorContext) -> RetryAction {
        let error = attempt.output_or_error().and_then(Result::err);
        if may_be_done(attempt.response(), error) {
            RetryAction::RetryForbidden
        } else {
            RetryAction::NoActionIndicated
        }
    }
}

/// Whether nobody said what became of a request: the table did not answer, or says that it failed. A refusal, and a
/// connection that was refused, prove that nothing was done.
fn may_be_done(response: Option<&HttpResponse>, error: Option<&OrchestratorError<Failure>>) -> bool {
    match response {
        Some(response) => response.status().is_server_error(),
        None => !error.and_then(OrchestratorError::as_connector_error).is_some_and(|error| is_refused(error)),
    }
}

/// Whether there was no connection on which the request could have been sent.
fn is_refused(error: &(dyn Error + 'static)) -> bool {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    let mut causes = causes.filter_map(|error| error.downcast_ref::<io::Error>());
    causes.any(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}
