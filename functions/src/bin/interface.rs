//! `/interface.php`, the address of Gen-1 apps, for every command that they know: see [`shared::answer::Door::Interface`].

use shared::{answer::Door, lambda};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::Interface).await
}
