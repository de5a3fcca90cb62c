//! `POST /get_user_info`: see [`app::commands::get_user_info`].

use app::{answer::Entrypoint, commands::get_user_info::GetUserInfo};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<GetUserInfo>())
}
