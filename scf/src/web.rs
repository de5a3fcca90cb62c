//! The web function: SCF sends each request on to a port of this process, as it came.

use std::{
    future::pending,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use app::process;
use server::Front;
use tokio::net::TcpListener;

use crate::{Error, REMOTE_ADDRESS};

/// Where SCF looks for the server.
const PORT: u16 = 9000;

/// Serves every door until the process is stopped, at the port that SCF wants or `PORT` names.
pub async fn serve() -> Result<(), Error> {
    let app = lambda::start().await?;
    let port = match process::environment("PORT") {
        Some(port) => port.parse().map_err(|_| format!("PORT is {port}, which is none"))?,
        None => PORT,
    };
    let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    let listener = TcpListener::bind(address).await.map_err(|error| format!("{address}: {error}"))?;
    tracing::info!(address = %listener.local_addr()?, "listening");
    server::serve(Arc::new(app), listener, Front::Platform(REMOTE_ADDRESS), pending()).await;
    Ok(())
}
