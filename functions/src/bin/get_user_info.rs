//! `POST /get_user_info`: see [`app::commands::GetUserInfo`].

use app::{answer::Door, commands::GetUserInfo};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<GetUserInfo>())
}
