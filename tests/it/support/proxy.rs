//! A table behind an address of its own, for one function: what stands there lets through what its policy allows.

use std::convert::Infallible;

use aws_smithy_runtime_api::client::{
    http::{HttpConnector, SharedHttpConnector},
    orchestrator::HttpRequest,
};
use aws_smithy_types::body::SdkBody;
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::support::guard::Guard;

/// Puts a guarded table behind an address, and gives that.
pub(crate) async fn listen(table: SharedHttpConnector, guard: &Guard) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(serve(listener, guard.before(table)));
    address
}

async fn serve(listener: TcpListener, table: SharedHttpConnector) {
    while let Ok((stream, _)) = listener.accept().await {
        stream.set_nodelay(true).unwrap();
        let table = table.clone();
        let service = service_fn(move |request| {
            let table = table.clone();
            async move { Ok::<_, Infallible>(pass_on(request, &table).await) }
        });
        // A connection ends with the process at its other end; that is no fault of either.
        tokio::spawn(async move { http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.ok() });
    }
}

async fn pass_on(request: Request<Incoming>, table: &SharedHttpConnector) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let mut asked = HttpRequest::new(SdkBody::from(body));
    let target = head.headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    asked.headers_mut().insert("x-amz-target", target.to_owned());
    let answer = table.call(asked).await.unwrap();
    let body = Bytes::copy_from_slice(answer.body().bytes().unwrap_or_default());
    let response =
        Response::builder().status(answer.status().as_u16()).header("content-type", "application/x-amz-json-1.0");
    response.body(Full::new(body)).unwrap()
}
