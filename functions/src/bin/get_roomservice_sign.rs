//! `POST /get_roomservice_sign`: see [`app::commands::GetRoomserviceSign`].

use app::{answer::Door, commands::GetRoomserviceSign};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<GetRoomserviceSign>())
}
