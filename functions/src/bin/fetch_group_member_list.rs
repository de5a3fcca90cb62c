//! `POST /fetch_group_member_list`: see [`app::commands::fetch_group_member_list`].

use app::{answer::Entrypoint, commands::fetch_group_member_list::FetchGroupMemberList};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<FetchGroupMemberList>())
}
