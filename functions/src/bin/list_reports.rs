//! `POST /list_reports`: see [`app::commands::list_reports`].

use app::{answer::Entrypoint, commands::list_reports::ListReports};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<ListReports>())
}
