//! From a request to its response: the body is read within its limits, and the call is executed.

use std::{error::Error, net::IpAddr, sync::Arc};

use app::{App, answer::answer_anywhere};
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{CONNECTION, HeaderValue},
};
use protocol::{error::BodyFault, wire::MAX_BODY_BYTES};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, timeout_at},
};

use crate::{
    Pages,
    connections::{ClientConnection, Phase},
    limits::{DISCARDED_BYTES, LONG_BODIES, Limits, SHORT_BODY_BYTES},
    proxy::TrustedProxy,
};

/// What the requests of a connection are answered with.
pub(crate) struct Responder {
    pub(crate) app: Arc<App>,
    pub(crate) pages: Option<Pages>,
    pub(crate) limits: Limits,
    /// Has a permit for each running call, and is closed when the server stops.
    pub(crate) calls: Arc<Semaphore>,
    pub(crate) connection: Arc<ClientConnection>,
    /// The address from which the connection comes.
    pub(crate) from: IpAddr,
    pub(crate) proxy: TrustedProxy,
}

impl Responder {
    /// Answers one request.
    pub(crate) async fn respond(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Box<dyn Error + Send + Sync>> {
        self.connection.enter(Phase::Reading)?;
        let client_address = self.proxy.client_address(self.from, &request);
        let (mut head, body) = request.into_parts();
        let (body, permit, fault) = match read(body, self.limits).await {
            Ok((body, permit)) => (body, permit, None),
            Err(fault) => (Vec::new(), None, Some(fault)),
        };
        self.connection.enter(Phase::Executing)?;
        let is_visit = fault.is_none() && [Method::GET, Method::HEAD].contains(&head.method);
        let page = self.pages.as_ref().filter(|_| is_visit).and_then(|pages| pages(&head));
        if let Some(page) = page {
            self.connection.enter(Phase::Responding)?;
            return Ok(page.map(Full::new));
        }
        if let Some(client_address) = client_address {
            head.extensions.insert(client_address);
        }
        if let Some(fault) = fault {
            head.extensions.insert(fault);
        }
        let Ok(running) = Arc::clone(&self.calls).acquire_owned().await else { return Ok(stopping()) };
        // The call runs in a task of its own: a client that closes the connection must not abort the call between two
        // writes, which would leave a row that its list does not count.
        let call = tokio::spawn({
            let responder = Arc::clone(&self);
            async move {
                let response = answer_anywhere(&responder.app, Request::from_parts(head, body)).await;
                drop((permit, responder, running));
                response
            }
        });
        let mut response = call.await?.map(|body| Full::new(Bytes::from(body)));
        if fault.is_some() {
            // The rest of the body is unread, so the connection cannot be reused.
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        self.connection.enter(Phase::Responding)?;
        Ok(response)
    }
}

/// Reads a body within its time limit. A long body acquires a permit of [`LONG_BODIES`], to be held until the end of the
/// call.
async fn read(mut body: Incoming, limits: Limits) -> Result<(Vec<u8>, Option<SemaphorePermit<'static>>), BodyFault> {
    let began = Instant::now();
    let (mut bytes, mut length, mut permit) = (Vec::new(), 0, None);
    loop {
        let due = began + limits.body_timeout(length);
        let Some(frame) = timeout_at(due, body.frame()).await.map_err(|_| BodyFault::TooSlow)? else { break };
        let data = frame.map_err(|_| BodyFault::Truncated)?.into_data().unwrap_or_default();
        length += data.len();
        if length > MAX_BODY_BYTES {
            (bytes, permit) = (Vec::new(), None);
            if length > DISCARDED_BYTES {
                break;
            }
            continue;
        }
        if length > SHORT_BODY_BYTES && permit.is_none() {
            permit = timeout_at(due, LONG_BODIES.acquire()).await.map_err(|_| BodyFault::TooSlow)?.ok();
        }
        bytes.extend_from_slice(&data);
    }
    if length > MAX_BODY_BYTES { Err(BodyFault::TooLong) } else { Ok((bytes, permit)) }
}

/// The answer to a call that is received after the server has begun to stop.
fn stopping() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
