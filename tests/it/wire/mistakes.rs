//! What people and apps get wrong about the address, the method and the body: the answer says what it is.

use http::{Method, Request};

use crate::support::{
    harness::{action, post, program, rest, send},
    requests::opening,
    steps::{parse, registered},
};
use app::answer::INTERFACE;
use protocol::wire::MAX_BODY_BYTES;

/// What a command of Gen 2 says that cannot be called so.
fn refused(why: &str) -> String {
    format!(r#"{{"code":602,"message":"Invalid Param | {why}","data":{{}}}}"#)
}

#[tokio::test]
async fn a_form_on_the_path_of_a_command_hears_that_it_is_no_json() {
    let program = program().await;
    let why = "the body must be a JSON object; this one is no JSON";
    for command in ["login", "get_roomservice_sign", "forbid_live"] {
        assert_eq!(rest(&program, command, "userid=alice&password=x").await, refused(why));
        assert_eq!(rest(&program, command, r#"{"userid":"alice""#).await, refused(why));
        assert_eq!(rest(&program, command, r#"["alice"]"#).await, refused("the body must be a JSON object"));
    }
}

#[tokio::test]
async fn a_get_of_the_path_of_a_command_hears_that_it_must_post() {
    let program = program().await;
    for method in [Method::GET, Method::PUT] {
        let request = Request::builder().method(method).uri("/login?userid=alice").body(Vec::new()).unwrap();
        let answer = send(&program, request).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(*answer.body(), refused("a command is called by POST, with a JSON object as the body"));
    }
}

#[tokio::test]
async fn a_body_over_the_limit_hears_the_limit() {
    let program = program().await;
    let body = format!(r#"{{"Action":"GetCOSSign","userid":"{}"}}"#, "x".repeat(MAX_BODY_BYTES));
    let why = "the body is longer than 1 MiB";
    let expected = format!(r#"{{"returnValue":4001,"returnMsg":"json format error | {why}","returnData":[]}}"#);
    assert_eq!(action(&program, &body).await, expected);
    let expected = format!(r#"{{"code":400,"message":"Bad Request | {why}","data":[]}}"#);
    assert_eq!(rest(&program, "login", &body).await, expected);
}

#[tokio::test]
async fn a_slash_behind_a_command_changes_nothing() {
    let program = program().await;
    registered(&program, "alice").await;
    let body = r#"{"userid":"alice","password":"wrong"}"#;
    let expected = rest(&program, "login", body).await;
    assert_eq!(parse(&expected)["code"], 621);
    for path in ["/login/", "/interface.php/login/"] {
        assert_eq!(*post(&program, path, body).await.body(), expected, "{path}");
    }
    assert_eq!(parse(post(&program, "/lo/gin", body).await.body())["code"], 400);
}

#[tokio::test]
async fn a_gen_1_app_that_has_only_the_host_for_an_address_works() {
    let program = program().await;
    for path in ["/", "/index.php", INTERFACE] {
        let answer = post(&program, path, opening()).await;
        assert!(answer.body().contains(r#""pushurl":"rtmp://"#), "{path}: {} {}", answer.status(), answer.body());
    }
    let visit = send(&program, Request::get("/").body(Vec::new()).unwrap()).await;
    assert_eq!((visit.status().as_u16(), visit.headers()["location"].to_str().unwrap()), (302, INTERFACE));
}

#[tokio::test]
async fn nobody_is_connected_to_anything() {
    let program = program().await;
    let request = Request::builder().method(Method::CONNECT).uri("example.com:443").body(Vec::new()).unwrap();
    let answer = send(&program, request).await;
    assert_eq!((answer.status().as_u16(), &answer.headers()["allow"]), (405, &"POST".parse().unwrap()));
}
