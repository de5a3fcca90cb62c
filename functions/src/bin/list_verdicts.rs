//! `POST /list_verdicts`: see [`app::commands::list_verdicts`].

use app::{answer::Entrypoint, commands::list_verdicts::ListVerdicts};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<ListVerdicts>())
}
