//! `POST /fetch_group_member_list`: see [`app::commands::FetchGroupMemberList`].

use app::{answer::Door, commands::FetchGroupMemberList};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<FetchGroupMemberList>())
}
