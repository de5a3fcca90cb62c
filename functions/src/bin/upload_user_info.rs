//! `POST /upload_user_info`: see [`app::commands::UploadUserInfo`].

use app::{answer::Door, commands::UploadUserInfo};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<UploadUserInfo>())
}
