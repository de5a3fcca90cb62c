//! The live cloud's notices: see [`app::commands::live_callback`].

use app::answer::Entrypoint;

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::Callback)
}
