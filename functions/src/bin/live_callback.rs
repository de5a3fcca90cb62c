//! The live cloud's notices: see [`shared::commands::LiveCallback`].

use shared::{answer::Door, lambda};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::Callback).await
}
