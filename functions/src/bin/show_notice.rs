//! `POST /show_notice`: see [`app::commands::show_notice`].

use app::{answer::Entrypoint, commands::show_notice::ShowNotice};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<ShowNotice>())
}
