//! `POST /report_user`: see [`app::commands::report_user`].

use app::{answer::Entrypoint, commands::report_user::ReportUser};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<ReportUser>())
}
