//! `POST /register`: see [`shared::commands::Register`].

use shared::{answer::Door, commands::Register, lambda};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<Register>()).await
}
