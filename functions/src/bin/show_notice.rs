//! `POST /show_notice`: see [`app::commands::ShowNotice`].

use app::{answer::Entrypoint, commands::ShowNotice};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<ShowNotice>())
}
