//! Doubt: requests of which nobody said whether they were done.
//!
//! The SDK sends them again. What is set twice is as if it were set once; but an addition is made twice, and a row that
//! moved the first time looks the second time as if it had been there before, and is not counted. So whoever counts asks
//! whether there was any doubt meanwhile.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents, interceptors::FinalizerInterceptorContextRef};
use aws_smithy_runtime_api::box_error::BoxError;

/// How many requests there were of which nobody said whether they were done.
#[derive(Clone, Debug, Default)]
pub(super) struct Doubt(Arc<AtomicU64>);

impl Doubt {
    /// How many so far.
    pub(super) fn so_far(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

impl Intercept for Doubt {
    fn name(&self) -> &'static str {
        "Doubt"
    }

    fn read_after_attempt(
        &self,
        attempt: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if attempt.response().is_none_or(|response| response.status().is_server_error()) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }
}
