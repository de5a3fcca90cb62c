//! `POST /show_notice`: see [`app::commands::ShowNotice`].

use app::{answer::Door, commands::ShowNotice};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<ShowNotice>())
}
