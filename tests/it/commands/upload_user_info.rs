//! `upload_user_info`: what of an account its user can change.

use serde_json::{Value, json};

use crate::support::{
    harness::{Program, golden, program},
    steps::{Phone, done_by, fields, list, registered, rest_code, signed},
};

async fn upload(program: &Program, phone: &Phone, fields: Value) -> u64 {
    rest_code(&signed(program, phone, "upload_user_info", fields).await)
}

#[tokio::test]
async fn values_that_are_as_they_were_are_no_error() {
    let program = program().await;
    let alice = registered(&program, "alice").await;
    let profile = fields!("nickname": "Al", "avatar": "http://h/a.png", "sex": 1, "frontcover": "");
    golden("upload_user_info/ok.rest.json", &signed(&program, &alice, "upload_user_info", profile.clone()).await);
    assert_eq!(upload(&program, &alice, profile).await, 200);
}

#[tokio::test]
async fn a_field_that_is_missing_or_null_keeps_its_value_and_an_empty_one_loses_it() {
    let program = program().await;
    let alice = registered(&program, "alice").await;
    let profile = fields!("nickname": "Al", "avatar": "http://h/a.png", "sex": 1, "frontcover": "http://h/c.png");
    done_by(&program, &alice, "upload_user_info", profile).await;
    let now = async || done_by(&program, &alice, "get_user_info", fields!()).await;
    for kept in [fields!("sex": 0), fields!("nickname": null, "avatar": null, "frontcover": null, "sex": 0)] {
        done_by(&program, &alice, "upload_user_info", kept).await;
        let expected = json!({
            "userid": "alice", "nickname": "Al", "avatar": "http://h/a.png", "sex": 0, "frontcover": "http://h/c.png",
        });
        assert_eq!(now().await, expected);
    }
    let emptied = fields!("nickname": "", "avatar": "", "frontcover": "", "sex": -1);
    done_by(&program, &alice, "upload_user_info", emptied).await;
    let expected = json!({"userid": "alice", "nickname": "", "avatar": "", "sex": -1, "frontcover": ""});
    assert_eq!(now().await, expected);
}

#[tokio::test]
async fn a_value_that_breaks_its_rule_is_refused_and_nothing_is_changed() {
    let program = program().await;
    let alice = registered(&program, "alice").await;
    golden("upload_user_info/bad.rest.json", &signed(&program, &alice, "upload_user_info", fields!("sex": 2)).await);
    for (name, value) in [
        ("sex", json!("a")),
        ("sex", json!(null)),
        ("sex", json!([])),
        ("sex", json!({"a": 1})),
        ("sex", json!(2_147_483_648_u64)),
        ("nickname", json!(["a"])),
        ("nickname", json!({"a": 1})),
        ("nickname", json!("n".repeat(101))),
        ("avatar", json!("a".repeat(255))),
        ("avatar", json!("javascript:alert(1)")),
        ("avatar", json!(" JAVASCRIPT:alert(1)")),
        ("avatar", json!("java\tscript:alert(1)")),
        ("avatar", json!("data:text/html,x")),
        ("frontcover", json!("f".repeat(256))),
        ("frontcover", json!("vbscript:x")),
    ] {
        let mut fields = fields!("nickname": "changed", "sex": 1);
        fields[name] = value;
        assert_eq!(upload(&program, &alice, fields.clone()).await, 602, "{fields}");
    }
    let unchanged = done_by(&program, &alice, "get_user_info", fields!()).await;
    assert_eq!(unchanged["nickname"], "");
}

#[tokio::test]
async fn the_longest_values_and_those_of_other_types_are_taken_as_the_original_took_them() {
    let program = program().await;
    let alice = registered(&program, "alice").await;
    for (sent, kept) in [
        (json!("播".repeat(100)), "播".repeat(100)),
        (json!("  x  "), "x".to_owned()),
        (json!(12345), "12345".to_owned()),
        (json!(false), String::new()),
        (json!(true), "1".to_owned()),
        (json!("a\tb\nc\u{1}d"), "a\tb\nc\u{1}d".to_owned()),
        (json!("<b>&amp;</b>O'Neil \"x\" \\"), "<b>&amp;</b>O'Neil \"x\" \\".to_owned()),
    ] {
        let long = (format!("http://h/{}", "a".repeat(245)), format!("https://h/{}", "c".repeat(245)));
        let fields = fields!("nickname": sent, "avatar": long.0.clone(), "sex": "1", "frontcover": long.1.clone());
        assert_eq!(upload(&program, &alice, fields).await, 200);
        let now = done_by(&program, &alice, "get_user_info", fields!()).await;
        assert_eq!(now, json!({"userid": "alice", "nickname": kept, "avatar": long.0, "sex": 1, "frontcover": long.1}));
    }
}

#[tokio::test]
async fn nobody_changes_another_s_account() {
    let program = program().await;
    let alice = registered(&program, "alice").await;
    let mallory = registered(&program, "mallory").await;
    let forged = Phone { user: "alice".to_owned(), ..mallory };
    golden(
        "upload_user_info/unsigned.rest.json",
        &signed(&program, &forged, "upload_user_info", fields!("nickname": "owned", "sex": 1)).await,
    );
    assert_eq!(done_by(&program, &alice, "get_user_info", fields!()).await["nickname"], "");
}

#[tokio::test]
async fn a_profile_opens_no_room() {
    let program = program().await;
    let alice = registered(&program, "alice").await;
    let fields = fields!("nickname": "Al", "avatar": "", "sex": 0, "frontcover": "", "title": "t", "location": "l");
    done_by(&program, &alice, "upload_user_info", fields).await;
    assert_eq!(list(&program, 4, 1, 10).await["totalcount"], 0);
}
