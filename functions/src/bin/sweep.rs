//! What nobody else looks after, once a minute: see [`shared::sweep`].

use shared::lambda;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::sweep().await
}
