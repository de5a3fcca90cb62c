//! Connections to the table: the client of the AWS SDK, with time limits and retries.

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

/// A client of DynamoDB in a region or, with an `endpoint`, of another server that speaks its interface.
pub fn remote(endpoint: Option<String>, region: String, credentials: Credentials) -> Client {
    // The smaller of the TLS libraries: the SDK's own choice costs 20 ms at the first call.
    let tls = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let mut config = common(tls).region(Region::new(region)).credentials_provider(credentials);
    config.set_endpoint_url(endpoint);
    Client::from_conf(config.build())
}

/// A client of an engine in this process, which `http` hands the requests to. Requests are not signed: they never leave
/// the process.
pub fn in_process(http: SharedHttpClient) -> Client {
    // No request is lost on the way to an engine in this process: under load the answer comes later. A time limit would
    // make a failure of a write that happens all the same, and a retry would do that write twice. Each limit is disabled
    // by name, since the SDK fills in the ones that are left out.
    let config = common(http).timeout_config(TimeoutConfig::disabled());
    let config = config.stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    // There is no connection that could be closed after a failure; the SDK would log an error that it found none.
    let retries = retries().with_reconnect_mode(ReconnectMode::ReuseAllConnections);
    let config = config.retry_config(retries).region(Region::new("local")).endpoint_url("http://engine.invalid");
    Client::from_conf(config.allow_no_auth().build())
}

/// What all clients have in common: the SDK by itself would wait without end.
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

/// How often a request is made again, and after how long.
fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(4).with_initial_backoff(Duration::from_millis(25))
}
