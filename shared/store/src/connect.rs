//! DynamoDB clients of the AWS SDK, with our timeouts and retries: for a remote server, or for the embedded engine.

use std::time::Duration;

pub use aws_sdk_dynamodb::config::Credentials;
use aws_sdk_dynamodb::{
    Client,
    config::{
        BehaviorVersion, Builder, Region, SharedHttpClient, StalledStreamProtectionConfig,
        retry::{ReconnectMode, RetryConfig},
        timeout::TimeoutConfig,
    },
};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

/// A client of DynamoDB in a region or, with an `endpoint`, of another server with DynamoDB's interface.
pub fn remote(endpoint: Option<String>, region: String, credentials: Credentials) -> Client {
    // Ring is the smaller TLS library: the SDK's default adds 20 ms to the first call.
    let tls = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let mut config = common(tls).region(Region::new(region)).credentials_provider(credentials);
    config.set_endpoint_url(endpoint);
    Client::from_conf(config.build())
}

/// A client of the embedded engine, through `http`, which calls the engine in this process. Requests are not signed,
/// because they do not leave the process.
pub fn in_process(http: SharedHttpClient) -> Client {
    // No request to the embedded engine is lost; under load its response is late. A timeout would report a write as
    // failed that is executed later, and a retry would execute that write twice. `disabled()` is explicit, because the
    // SDK sets defaults for timeouts that are not given.
    let config = common(http).timeout_config(TimeoutConfig::disabled());
    let config = config.stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    // Without this the SDK tries to close the connection after a failure, finds none, and logs an error.
    let retries = retries().with_reconnect_mode(ReconnectMode::ReuseAllConnections);
    let config = config.retry_config(retries).region(Region::new("local")).endpoint_url("http://engine.invalid");
    Client::from_conf(config.allow_no_auth().build())
}

/// The configuration that all clients share. By default the SDK has no timeout for a response.
fn common(http: SharedHttpClient) -> Builder {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(1))
        .operation_attempt_timeout(Duration::from_secs(1))
        .operation_timeout(Duration::from_secs(3))
        .build();
    Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .http_client(http)
        .timeout_config(timeouts)
        .retry_config(retries())
}

/// The retries of a request: four attempts, the first retry after about 25 ms, with exponential backoff.
fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(4).with_initial_backoff(Duration::from_millis(25))
}
