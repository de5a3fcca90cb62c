//! `POST /report_user`: see [`shared::commands::ReportUser`].

use shared::{answer::Door, commands::ReportUser, lambda};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<ReportUser>()).await
}
