//! `fetch_group_member_list`, `FetchGroupMemberList`.

use std::collections::BTreeSet;

use crate::support::{
    harness::{action, golden, program, rest},
    steps::{done, enter, fields},
};

#[tokio::test]
async fn the_members_are_listed() {
    let program = program().await;
    let bob = fields!(
        "userid": "bob", "liveuserid": "alice", "groupid": "g", "flag": 0, "nickname": "Bob", "headpic": "http://h/b"
    );
    done(&program, "EnterGroup", bob).await;
    enter(&program, "carol", "alice", "g").await;
    let body = r#"{"Action":"FetchGroupMemberList","liveuserid":"alice","groupid":"g","pageno":1,"pagesize":10}"#;
    golden("fetch_group_member_list/ok.action.json", &action(&program, body).await);
}

#[tokio::test]
async fn a_group_that_nobody_is_in_has_no_members() {
    let program = program().await;
    let body = r#"{"Action":"FetchGroupMemberList","liveuserid":"alice","groupid":"g","pageno":1,"pagesize":10}"#;
    golden("fetch_group_member_list/nobody.action.json", &action(&program, body).await);
}

#[tokio::test]
async fn the_pages_joined_are_all_members_once_each() {
    let program = program().await;
    let everybody: BTreeSet<String> = (0..53).map(|n| format!("viewer-{n}")).collect();
    for viewer in &everybody {
        enter(&program, viewer, "alice", "g").await;
    }
    let mut listed = Vec::new();
    for page in 1..=6 {
        let fields = fields!("liveuserid": "alice", "groupid": "g", "pageno": page, "pagesize": 10);
        let answer = done(&program, "FetchGroupMemberList", fields).await;
        assert_eq!(answer["totalcount"], 53);
        let rows = answer["memberlist"].as_array().unwrap();
        assert_eq!(rows.len(), if page == 6 { 3 } else { 10 }, "page {page}");
        listed.extend(rows.iter().map(|row| row["userid"].as_str().unwrap().to_owned()));
    }
    assert_eq!(listed.len(), 53);
    assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), everybody);
}

#[tokio::test]
async fn a_page_beyond_the_end_is_empty_and_tells_the_total() {
    let program = program().await;
    enter(&program, "bob", "alice", "g").await;
    let fields = fields!("liveuserid": "alice", "groupid": "g", "pageno": 2, "pagesize": 10);
    assert_eq!(done(&program, "FetchGroupMemberList", fields).await.to_string(), r#"{"memberlist":[],"totalcount":1}"#);
}

#[tokio::test]
async fn a_caller_of_the_rest_dialect_must_sign() {
    let program = program().await;
    let body = r#"{"userid":"bob","liveuserid":"alice","groupid":"g","pageno":1,"pagesize":10}"#;
    let answer = rest(&program, "fetch_group_member_list", body).await;
    golden("fetch_group_member_list/unsigned.rest.json", &answer);
}

#[tokio::test]
async fn a_host_is_needed() {
    let program = program().await;
    let body = r#"{"Action":"FetchGroupMemberList","groupid":"g","pageno":1,"pagesize":10}"#;
    golden("fetch_group_member_list/no_liveuserid.action.json", &action(&program, body).await);
}

#[tokio::test]
async fn a_negative_page_is_out_of_range() {
    let program = program().await;
    let body = r#"{"Action":"FetchGroupMemberList","liveuserid":"alice","groupid":"g","pageno":-1,"pagesize":10}"#;
    golden("fetch_group_member_list/pageno_negative.action.json", &action(&program, body).await);
}

#[tokio::test]
async fn a_page_size_is_needed() {
    let program = program().await;
    let body = r#"{"Action":"FetchGroupMemberList","liveuserid":"alice","groupid":"g","pageno":1}"#;
    golden("fetch_group_member_list/no_pagesize.action.json", &action(&program, body).await);
}
