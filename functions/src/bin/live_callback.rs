//! The live cloud's notices: see [`app::commands::LiveCallback`].

use app::answer::Door;

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::Callback)
}
