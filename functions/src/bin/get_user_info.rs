//! `POST /get_user_info`: see [`app::commands::GetUserInfo`].

use app::{answer::Entrypoint, commands::GetUserInfo};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<GetUserInfo>())
}
