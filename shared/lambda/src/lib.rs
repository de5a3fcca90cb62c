//! AWS Lambda: what every function's `main` does.

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

/// Serves one door until the process is stopped: log, settings and table once, then a call at a time.
pub fn serve(entrypoint: Entrypoint) -> Result<(), Error> {
    runtime()?.block_on(async {
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
            Ok::<_, Infallible>(answer(app, entrypoint, request).await)
        }))
        .await
    })
}

/// Sweeps each time the function is called, until the process is stopped.
pub fn sweep() -> Result<(), Error> {
    runtime()?.block_on(async {
        let app = &start().await?;
        lambda_runtime::run(service_fn(|_: LambdaEvent<IgnoredAny>| async move {
            Ok::<_, Error>(sweep::minute(app).await?)
        }))
        .await
    })
}

/// A function has one call at a time: one thread is enough.
fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
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
fn origin(request: &Request) -> Option<ClientAddress> {
    match request.request_context_ref()? {
        RequestContext::ApiGatewayV2(context) => context.http.source_ip.as_ref()?.parse().ok().map(ClientAddress),
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

/// What the commands of a function need, from its environment.
fn app() -> Result<App, Error> {
    let config = Config::read_function(environment)?;
    // Lambda puts credentials into the environment that are good for as long as the process lives.
    let part = |name| environment(name).ok_or_else(|| format!("{name} is not set"));
    let (id, secret) = (part("AWS_ACCESS_KEY_ID")?, part("AWS_SECRET_ACCESS_KEY")?);
    let credentials = Credentials::new(id, secret, environment("AWS_SESSION_TOKEN"), None, "environment");
    let endpoint = environment("AWS_ENDPOINT_URL_DYNAMODB").or_else(|| environment("AWS_ENDPOINT_URL"));
    let region = environment("AWS_REGION").unwrap_or_else(|| "us-east-1".to_owned());
    let table = Table::new(connect::remote(endpoint, region, credentials), config.table.clone());
    Ok(App::new(config, table))
}
