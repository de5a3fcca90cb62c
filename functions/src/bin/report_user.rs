//! `POST /report_user`: see [`app::commands::ReportUser`].

use app::{answer::Entrypoint, commands::ReportUser};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<ReportUser>())
}
