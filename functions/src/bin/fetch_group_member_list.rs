//! `POST /fetch_group_member_list`: see [`app::commands::FetchGroupMemberList`].

use app::{answer::Entrypoint, commands::FetchGroupMemberList};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<FetchGroupMemberList>())
}
