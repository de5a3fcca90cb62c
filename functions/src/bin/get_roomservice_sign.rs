//! `POST /get_roomservice_sign`: see [`shared::commands::GetRoomserviceSign`].

use shared::{answer::Door, commands::GetRoomserviceSign, lambda};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<GetRoomserviceSign>()).await
}
