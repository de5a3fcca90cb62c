//! `report_user`, `ReportUser`.

use crate::support::{
    harness::{START, action, golden, program, rest},
    steps::{File, is_recorded, list, open_room},
};

const REPORT: &str = r#"{"Action":"ReportUser","userid":"bob","hostuserid":"alice"}"#;

#[tokio::test]
async fn a_broadcaster_is_reported() {
    let program = program().await;
    golden("report_user/ok.action.json", &action(&program, REPORT).await);
}

#[tokio::test]
async fn a_report_deletes_nothing() {
    let program = program().await;
    for user in ["alice", "bob"] {
        let stream = format!("8888_{user}");
        open_room(&program, user, "t").await;
        is_recorded(&program, File { stream: &stream, id: user, format: "flv", from: START - 100, to: START }).await;
    }
    action(&program, REPORT).await;
    for flag in [2, 4] {
        assert_eq!(list(&program, flag, 1, 10).await["totalcount"], 2, "flag {flag}");
    }
}

#[tokio::test]
async fn a_caller_of_the_rest_dialect_must_sign() {
    let program = program().await;
    let body = r#"{"userid":"bob","hostuserid":"alice"}"#;
    golden("report_user/unsigned.rest.json", &rest(&program, "report_user", body).await);
}

#[tokio::test]
async fn a_reporter_is_needed() {
    let program = program().await;
    let body = r#"{"Action":"ReportUser","hostuserid":"alice"}"#;
    golden("report_user/no_userid.action.json", &action(&program, body).await);
}

#[tokio::test]
async fn a_reported_is_needed() {
    let program = program().await;
    let body = r#"{"Action":"ReportUser","userid":"bob"}"#;
    golden("report_user/no_hostuserid.action.json", &action(&program, body).await);
}
