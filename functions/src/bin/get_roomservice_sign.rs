//! `POST /get_roomservice_sign`: see [`app::commands::GetRoomserviceSign`].

use app::{answer::Entrypoint, commands::GetRoomserviceSign};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<GetRoomserviceSign>())
}
