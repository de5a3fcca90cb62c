//! `POST /get_roomservice_sign`: see [`app::commands::get_roomservice_sign`].

use app::{answer::Entrypoint, commands::get_roomservice_sign::GetRoomserviceSign};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<GetRoomserviceSign>())
}
