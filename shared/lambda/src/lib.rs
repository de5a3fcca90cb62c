//! The adapter to AWS Lambda: the body of every function's `main`.

use std::{convert::Infallible, io};

pub use lambda_http::Error;
use lambda_http::{LambdaEvent, Request, RequestExt, lambda_runtime, request::RequestContext, service_fn, tracing};
use serde::de::IgnoredAny;
use tokio::runtime::{Builder, Runtime};

use app::{
    App,
    answer::{Entrypoint, answer},
    config::Config,
    process::environment,
    sweep,
};
use protocol::{
    error::Chain,
    types::{ClientAddress, RequestId},
};
use store::{
    Table,
    connect::{self, Credentials},
};

/// Serves one entrypoint until the process is stopped. Log, settings and table are set up once; then calls are answered
/// one at a time.
pub fn serve(entrypoint: Entrypoint) -> Result<(), Error> {
    runtime()?.block_on(async {
        let app = &start().await?;
        lambda_http::run(service_fn(|request: Request| async move {
            let (client_address, id) = (client_address(&request), request_id(&request));
            let mut request = request.map(|body| body.to_vec());
            if let Some(client_address) = client_address {
                request.extensions_mut().insert(client_address);
            }
            if let Some(id) = id {
                request.extensions_mut().insert(id);
            }
            Ok::<_, Infallible>(answer(app, entrypoint, request).await)
        }))
        .await
    })
}

/// Runs the sweep each time the function is invoked, until the process is stopped.
pub fn sweep() -> Result<(), Error> {
    runtime()?.block_on(async {
        let app = &start().await?;
        lambda_runtime::run(service_fn(|_: LambdaEvent<IgnoredAny>| async move {
            Ok::<_, Error>(sweep::run_with_recheck(app).await?)
        }))
        .await
    })
}

/// A runtime with one thread, since a Lambda process has one call at a time.
fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// Sets up a process once: log, settings, and a connection to the table.
pub async fn start() -> Result<App, Error> {
    tracing::init_default_subscriber();
    let app = app()?;
    check_table(&app).await?;
    Ok(app)
}

/// Refuses a table of another version. The check also opens the connection, so that the first call does not wait for
/// it.
async fn check_table(app: &App) -> Result<(), Error> {
    match app.table.version().await {
        // The error becomes a text, since an error returned by `main` is printed in its `Debug` form.
        Ok(version) => Ok(version.check().map_err(|error| error.to_string())?),
        // The process starts all the same: calls report a table that stays unreachable.
        Err(error) => {
            tracing::warn!(error = %Chain(&error), "the table could not be reached at start");
            Ok(())
        }
    }
}

/// The address of a call, as the gateway reports it. Headers of the caller are ignored.
fn client_address(request: &Request) -> Option<ClientAddress> {
    match request.request_context_ref()? {
        RequestContext::ApiGatewayV2(context) => context.http.source_ip.as_ref()?.parse().ok().map(ClientAddress),
        _ => None,
    }
}

/// The gateway's id of the request, which the gateway's log has, too. Behind a function URL it is Lambda's request id.
fn request_id(request: &Request) -> Option<RequestId> {
    match request.request_context_ref()? {
        RequestContext::ApiGatewayV2(context) => RequestId::parse(context.request_id.as_ref()?),
        _ => None,
    }
}

/// Creates the `App` of a function from its environment variables.
fn app() -> Result<App, Error> {
    let config = Config::read_function(environment)?;
    // Lambda sets credentials in the environment that are valid for the life of the process.
    let part = |name| environment(name).ok_or_else(|| format!("{name} is not set"));
    let (id, secret) = (part("AWS_ACCESS_KEY_ID")?, part("AWS_SECRET_ACCESS_KEY")?);
    let credentials = Credentials::new(id, secret, environment("AWS_SESSION_TOKEN"), None, "environment");
    let endpoint = environment("AWS_ENDPOINT_URL_DYNAMODB").or_else(|| environment("AWS_ENDPOINT_URL"));
    let region = environment("AWS_REGION").unwrap_or_else(|| "us-east-1".to_owned());
    let table = Table::new(connect::remote(endpoint, region, credentials), config.table.clone());
    Ok(App::new(config, table))
}
