//! Functions are given the secrets that they read, and no others: without one, who needs it fails.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
};

use http::Request;

use crate::{
    deploy::privileges::{CALLS, Way, World},
    deploy::template,
    support::{
        guard::function_of,
        harness::{KEY, Program, notice, swept},
        steps::{File, push_starts, verdict},
    },
};
use app::{
    answer::{Entrypoint, answer},
    config::SETTINGS,
};
use cli::engine::Engine;
use protocol::{
    sign::callback::sign,
    types::{Secret, StreamId},
};

/// The ways to call everything, each with a cloud of its own that does not answer.
const WAYS: [(Way, &str); 3] =
    [(Way::Interface, "http://127.0.0.1:9/"), (Way::ItsOwn, "http://127.0.0.1:9/"), (Way::ItsOwn, "none")];

/// What the cloud tells of a file that it has recorded and keeps.
fn recorded(user: &str, id: &str, now: u64) -> String {
    let file = File { stream: &format!("8888_{user}"), id, format: "flv", from: now - 100, to: now };
    format!(r#"{},"file_id":"vod{id}""#, file.fields())
}

/// Whether a function fails for want of a secret.
async fn wants(program: &Program, entrypoint: Entrypoint, request: Request<Vec<u8>>) -> bool {
    is_stopped(program.guard.serve(function_of(entrypoint), answer(&program.app, entrypoint, request))).await
}

/// Whether something panics.
async fn is_stopped(doing: impl Future) -> bool {
    let mut doing = pin!(doing);
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| doing.as_mut().poll(context))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(_)) => Poll::Ready(false),
        Err(_) => Poll::Ready(true),
    })
    .await
}

/// The functions that fail without a secret.
async fn who_needs(secret: &str) -> BTreeSet<&'static str> {
    let mut found = BTreeSet::new();
    for (way, cloud) in WAYS {
        let settings = |name: &str| (name == "CLOUD_API_URL").then_some(cloud);
        let table = Engine::in_memory().unwrap();
        let mut rich = World::with(&table, way, settings).await;
        for user in ["alice", "bobby", "carol"] {
            rich.log_in(user).await;
        }
        for user in ["alice", "grace", "henry"] {
            rich.open(user).await;
            push_starts(&rich.program, &format!("8888_{user}"), "1").await;
        }
        let now = rich.program.now();
        for fields in [recorded("alice", "f1", now), verdict("8888_grace", "Block")] {
            notice(&rich.program, &fields).await;
        }
        let without = |name: &str| if name == secret { Some(Secret::WITHHELD) } else { settings(name) };
        let poor = World::with(&table, way, without).await.program;

        let told = rich.program.app.table.notice_summaries(&StreamId::parse("8888_grace").unwrap()).await.unwrap();
        let judged = told.iter().find(|head| head.notice.id.starts_with("317")).unwrap();
        let again = format!(r#""streamid":"8888_grace","id":"{}""#, judged.notice.id);
        for (name, calls) in CALLS.into_iter().chain([("replay_notices", [again.as_str()].as_slice())]) {
            for fields in calls {
                let call = || rich.written(way, name, fields);
                let entrypoint = Entrypoint::at(&call().path).unwrap();
                let mut forged = call();
                if let Some(signature) = &mut forged.signature {
                    *signature = "00112233445566778899aabbccddeeff".to_owned();
                    if wants(&poor, entrypoint, forged.request()).await {
                        found.insert(function_of(entrypoint));
                    }
                }
                if wants(&poor, entrypoint, call().request()).await {
                    found.insert(function_of(entrypoint));
                    answer(&rich.program.app, entrypoint, call().request()).await;
                }
            }
        }
        let t = now + 600;
        let right = sign(&Secret::new(KEY), &t.to_string());
        for fields in [recorded("alice", "f2", now), verdict("8888_henry", "Block")] {
            for sign in [right.as_str(), "wrong"] {
                let body = format!(r#"{{"t":{t},"sign":"{sign}",{fields}}}"#);
                if wants(&poor, Entrypoint::Callback, Request::post("/").body(body.into()).unwrap()).await {
                    found.insert("live_callback");
                }
            }
        }
        for _ in 0..2 {
            poor.pass(10_000);
            if is_stopped(swept(&poor)).await {
                found.insert("sweep");
            }
        }
    }
    found
}

#[tokio::test]
async fn a_function_is_given_the_secrets_that_it_needs_and_no_others() {
    let (mut needed, mut given) = (BTreeMap::new(), BTreeMap::new());
    for secret in SETTINGS.iter().filter(|setting| setting.is_secret()).map(|setting| setting.name) {
        needed.insert(secret, who_needs(secret).await);
        let has = |function: &&str| template::secrets(function).contains(secret);
        given.insert(secret, template::functions().keys().map(String::as_str).filter(has).collect::<BTreeSet<_>>());
    }
    assert_eq!(given, needed);
}
