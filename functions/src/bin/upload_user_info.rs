//! `POST /upload_user_info`: see [`app::commands::upload_user_info`].

use app::{answer::Entrypoint, commands::upload_user_info::UploadUserInfo};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<UploadUserInfo>())
}
