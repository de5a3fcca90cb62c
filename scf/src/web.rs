//! The web function: SCF forwards each HTTP request unchanged to a port of this process.

use std::{
    future::pending,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use app::process;
use server::TrustedProxy;
use tokio::net::TcpListener;

use crate::{Error, REMOTE_ADDRESS};

/// The port to which SCF forwards requests.
const PORT: u16 = 9000;

/// Serves all entrypoints until the process is stopped, at port 9000 or at the port in the variable `PORT`.
pub async fn serve() -> Result<(), Error> {
    let app = lambda::start().await?;
    let port = match process::environment("PORT") {
        Some(port) => port.parse().map_err(|_| format!("PORT must be a port number, and is {port}"))?,
        None => PORT,
    };
    let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    let listener = TcpListener::bind(address).await.map_err(|error| format!("{address}: {error}"))?;
    tracing::info!(address = %listener.local_addr()?, "listening");
    server::serve(Arc::new(app), None, listener, TrustedProxy::Platform(REMOTE_ADDRESS), pending()).await;
    Ok(())
}
