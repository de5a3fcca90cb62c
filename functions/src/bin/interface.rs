//! `/interface.php`, the address of Gen-1 apps, for every command that they know: see [`app::answer::Door::Interface`].

use app::answer::Door;

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::Interface)
}
