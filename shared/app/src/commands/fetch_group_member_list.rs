//! `fetch_group_member_list`: a page of the members of a group.

use super::prelude::*;

pub struct FetchGroupMemberList {
    host: UserId,
    group: GroupId,
    page: Page,
}

#[derive(Serialize)]
pub struct Reply {
    totalcount: u64,
    memberlist: Vec<MemberRow>,
}

#[derive(Serialize)]
struct MemberRow {
    userid: String,
    nickname: String,
    headpic: String,
}

impl Command for FetchGroupMemberList {
    const NAMES: Names = Names::both("fetch_group_member_list", "FetchGroupMemberList");
    type Caller = AnyUser;
    type Reply = Reply;

    fn parse(params: &Params) -> Result<Self, Error> {
        let (host, group) = (params.required("liveuserid")?, params.required("groupid")?);
        let (number, size) = (params.required("pageno")?, params.required("pagesize")?);
        Ok(Self { host, group, page: Page::new(number, size) })
    }

    async fn run(self, _: AnyUser, app: &App) -> Result<Reply, Error> {
        let members = app.table.members(&self.host, &self.group, self.page).await?;
        let rows = members.rows.into_iter().map(|member| MemberRow {
            userid: member.user.to_string(),
            nickname: member.nickname.as_str().to_owned(),
            headpic: member.headpic.as_str().to_owned(),
        });
        Ok(Reply { totalcount: members.total, memberlist: rows.collect() })
    }
}
