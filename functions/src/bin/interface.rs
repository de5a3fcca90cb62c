//! `/interface.php`, the address of Gen-1 apps, for every command that they know: see [`app::answer::Entrypoint::Interface`].

use app::answer::Entrypoint;

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::Interface)
}
