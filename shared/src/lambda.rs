//! AWS Lambda: what every function's `main` does. The only place of the library that reads the environment and the clock.

use std::{convert::Infallible, time::Duration};

use aws_sdk_dynamodb::{
    Client,
    config::{
        BehaviorVersion, Builder, Credentials, Region, SharedHttpClient, retry::RetryConfig, timeout::TimeoutConfig,
    },
};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
pub use lambda_http::Error;
use lambda_http::{LambdaEvent, Request, RequestExt, lambda_runtime, request::RequestContext, service_fn, tracing};
use serde::de::IgnoredAny;

use crate::{
    answer::{Door, answer},
    app::App,
    cloud::Cloud,
    config::Config,
    error::Chain,
    oidc, sweep,
    table::Table,
    types::{Origin, RequestId, UnixSeconds},
};

/// Serves one door until the process is stopped: log, settings and table once, then a call at a time.
pub async fn serve(door: Door) -> Result<(), Error> {
    let app = &start().await?;
    lambda_http::run(service_fn(|request: Request| async move {
        let (origin, id) = (origin(&request), request_id(&request));
        let mut request = request.map(|body| body.to_vec());
        if let Some(origin) = origin {
            request.extensions_mut().insert(origin);
        }
        if let Some(id) = id {
            request.extensions_mut().insert(id);
        }
        Ok::<_, Infallible>(answer(app, door, request).await)
    }))
    .await
}

/// Sweeps each time the function is called, until the process is stopped.
pub async fn sweep() -> Result<(), Error> {
    tracing::init_default_subscriber();
    let app = &app()?;
    check_table(app).await?;
    lambda_runtime::run(service_fn(
        |_: LambdaEvent<IgnoredAny>| async move { Ok::<_, Error>(sweep::minute(app).await?) },
    ))
    .await
}

/// What a process does once that answers calls: log, settings, and a connection to the table.
pub async fn start() -> Result<App, Error> {
    tracing::init_default_subscriber();
    let app = app()?;
    check_table(&app).await?;
    Ok(app)
}

/// Refuses a table of another version. The connection made for that costs the first caller nothing.
async fn check_table(app: &App) -> Result<(), Error> {
    match app.table.version().await {
        // As a text: what `main` returns is printed as `Debug` has it.
        Ok(version) => Ok(version.check().map_err(|error| error.to_string())?),
        // If the table is away, the calls will say so.
        Err(error) => {
            tracing::warn!(error = %Chain(&error), "the table could not be reached at start");
            Ok(())
        }
    }
}

/// Where a call comes from, as the gateway saw it. What the caller says of it in a header is not looked at.
fn origin(request: &Request) -> Option<Origin> {
    match request.request_context_ref()? {
        RequestContext::ApiGatewayV2(context) => context.http.source_ip.as_ref()?.parse().ok().map(Origin),
        _ => None,
    }
}

/// What the gateway calls the request, in its own log too. Behind a function URL it is the request id of Lambda.
fn request_id(request: &Request) -> Option<RequestId> {
    match request.request_context_ref()? {
        RequestContext::ApiGatewayV2(context) => RequestId::parse(context.request_id.as_ref()?),
        _ => None,
    }
}

/// The world of a function, from its environment.
fn app() -> Result<App, Error> {
    let config = Config::read_function(environment)?;
    let mut sdk = sdk_config(tls_client())
        .region(Region::new(environment("AWS_REGION").unwrap_or_else(|| "us-east-1".to_owned())))
        .credentials_provider(credentials()?);
    sdk.set_endpoint_url(environment("AWS_ENDPOINT_URL_DYNAMODB").or_else(|| environment("AWS_ENDPOINT_URL")));
    let client = Client::from_conf(sdk.build());
    Ok(App {
        table: Table::new(client, config.table.clone()).with_log_names(config.log_names.clone()),
        cloud: Cloud::new(&config),
        oidc: config.oidc.as_ref().map(oidc::Provider::new),
        clock: Box::new(now),
        random: Box::new(getrandom_u32),
        config,
    })
}

/// What every client of the table has in common: the SDK by itself would wait without end.
pub fn sdk_config(http: SharedHttpClient) -> Builder {
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

/// How often a request to the table is made again, and after how long.
pub fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(4).with_initial_backoff(Duration::from_millis(25))
}

/// An HTTP client with the smaller of the TLS libraries: the SDK's own choice costs 20 ms at the first call.
pub fn tls_client() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https()
}

/// The credentials that Lambda puts into the environment of the process, good for as long as it lives.
fn credentials() -> Result<Credentials, Error> {
    let part = |name| environment(name).ok_or_else(|| format!("{name} is not set"));
    let (id, secret) = (part("AWS_ACCESS_KEY_ID")?, part("AWS_SECRET_ACCESS_KEY")?);
    Ok(Credentials::new(id, secret, environment("AWS_SESSION_TOKEN"), None, "environment"))
}

/// A variable of the process's environment.
pub fn environment(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "the one place of the library that reads the environment")]
    std::env::var(name).ok()
}

/// Now, by the machine's clock.
pub fn now() -> UnixSeconds {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    UnixSeconds(since.expect("the clock is past 1970").as_secs())
}

/// A number that nobody can foresee, by the operating system.
pub fn getrandom_u32() -> u32 {
    getrandom::u32().expect("the operating system gives random numbers")
}
