//! `POST /report_user`: see [`app::commands::ReportUser`].

use app::{answer::Door, commands::ReportUser};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<ReportUser>())
}
