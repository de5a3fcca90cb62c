//! `POST /upload_user_info`: see [`app::commands::UploadUserInfo`].

use app::{answer::Entrypoint, commands::UploadUserInfo};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<UploadUserInfo>())
}
