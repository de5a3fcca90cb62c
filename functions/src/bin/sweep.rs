//! The sweep, once a minute: see [`app::sweep`].

fn main() -> Result<(), lambda::Error> {
    lambda::sweep()
}
