//! `list_reports`.

use crate::support::{
    harness::golden,
    steps::{by_operator, done, fields, operated, parse},
};

#[tokio::test]
async fn reports_are_listed_newest_first_all_or_those_about_one_broadcaster() {
    let program = operated().await;
    for (reporter, host) in [("bob", "alice"), ("carol", "alice"), ("bob", "dave")] {
        done(&program, "ReportUser", fields!("userid": reporter, "hostuserid": host)).await;
        program.pass(10);
    }
    golden("list_reports/ok.rest.json", &by_operator(&program, "list_reports", fields!()).await);
    let about = by_operator(&program, "list_reports", fields!("hostuserid": "alice")).await;
    golden("list_reports/of_one.rest.json", &about);
}

#[tokio::test]
async fn reports_come_in_pages() {
    let program = operated().await;
    for n in 0..11 {
        done(&program, "ReportUser", fields!("userid": format!("bob{n}"), "hostuserid": "alice")).await;
        program.pass(1);
    }
    for host in [None, Some("alice")] {
        let page = async |index: u64| {
            parse(
                &by_operator(&program, "list_reports", fields!("hostuserid": host, "index": index, "count": 10)).await,
            )
        };
        let (first, second) = (page(1).await, page(2).await);
        assert_eq!((&first["data"]["list"][0]["userid"], &first["data"]["more"]), (&"bob10".into(), &1.into()));
        assert_eq!((&second["data"]["list"][0]["userid"], &second["data"]["more"]), (&"bob0".into(), &0.into()));
    }
}

#[tokio::test]
async fn reports_expire() {
    let program = operated().await;
    done(&program, "ReportUser", fields!("userid": "bob", "hostuserid": "alice")).await;
    program.pass(181 * 24 * 3600);
    let answer = parse(&by_operator(&program, "list_reports", fields!()).await);
    assert_eq!(answer["data"]["list"].as_array().unwrap().len(), 0);
}
