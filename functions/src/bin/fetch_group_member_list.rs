//! `POST /fetch_group_member_list`: see [`shared::commands::FetchGroupMemberList`].

use shared::{answer::Door, commands::FetchGroupMemberList, lambda};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<FetchGroupMemberList>()).await
}
