//! `live_callback`: the notices of the live cloud.

use http::Request;
use serde_json::Value;

use crate::support::{
    harness::{KEY, Program, START, golden, notice, post, program, program_over, program_with},
    steps::{
        File, acknowledged, by_operator, column, done, done_by, enter, fields, file, forged, go_offline, go_online,
        is_live, is_recorded, like, list, open_room, operated, parse, push_ends, push_starts, quit, registered, replay,
        replays, room, sign_of, stream_of, with_room,
    },
    watch::Watch,
};
use app::answer::{Entrypoint, answer};
use cli::engine::Engine;
use protocol::{
    sign::callback,
    types::{FileId, Secret, StreamId, UserId},
};

const STREAM: &str = "8888_alice";
const PUSH: &str = r#""event_type":1,"stream_id":"8888_alice","sequence":"1","event_time":1600000000"#;

/// Sends a notice that expires at `t`, rightly signed.
async fn expiring(program: &Program, t: u64, fields: &str) -> (u16, String) {
    forged(program, &t.to_string(), &sign_of(t), fields).await
}

#[tokio::test]
async fn the_start_of_a_push_puts_the_room_online() {
    let program = with_room().await;
    let answer = notice(&program, PUSH).await;
    assert_eq!(answer.status(), 200);
    golden("live_callback/ok.callback.json", answer.body());
    assert!(is_live(&program, "alice").await);
}

#[tokio::test]
async fn the_end_of_a_push_puts_the_room_offline() {
    let program = with_room().await;
    push_starts(&program, STREAM, "1").await;
    push_ends(&program, STREAM, "1").await;
    assert!(!is_live(&program, "alice").await);
}

#[tokio::test]
async fn every_address_of_the_callback_takes_every_notice() {
    let followed = app::answer::CALLBACKS.map(|path| format!("{path}/x"));
    for path in app::answer::CALLBACKS.map(str::to_owned).iter().chain(&followed) {
        let program = with_room().await;
        let t = program.now() + 600;
        acknowledged(&post(&program, path, format!(r#"{{"t":{t},"sign":{},{PUSH}}}"#, sign_of(t))).await);
        assert!(is_live(&program, "alice").await, "{path}");
    }
}

#[tokio::test]
async fn the_expiry_may_be_a_text() {
    let program = with_room().await;
    let t = program.now() + 600;
    let answer = forged(&program, &format!("\"{t}\""), &sign_of(t), PUSH).await;
    assert_eq!(answer, (200, r#"{"code":0}"#.to_owned()));
}

#[tokio::test]
async fn a_body_that_is_no_json_is_refused() {
    let program = with_room().await;
    let answer = post(&program, "/callback/Live_callback.php", "t=1").await;
    assert_eq!(answer.status(), 200);
    golden("live_callback/no_json.callback.json", answer.body());
}

#[tokio::test]
async fn a_notice_that_lacks_a_field_is_refused() {
    let program = with_room().await;
    let answer = notice(&program, r#""event_type":1"#).await;
    assert_eq!(answer.status(), 200);
    golden("live_callback/no_stream.callback.json", answer.body());
}

/// As the console sends them where it has no key.
#[tokio::test]
async fn a_notice_without_a_signature_comes_again_until_the_console_has_the_key() {
    let program = with_room().await;
    for signature in [r#""sign":"x","#, r#""t":1,"#, ""] {
        let body = format!(r#"{{{signature}"event_type":1,"stream_id":"8888_alice"}}"#);
        let answer = post(&program, "/callback/Live_callback.php", body).await;
        assert_eq!(answer.status(), 403);
        golden("live_callback/wrong_sign.callback.json", answer.body());
    }
}

#[tokio::test]
async fn a_notice_that_is_damaged_or_too_long_comes_again() {
    let program = with_room().await;
    let t = program.now() + 600;
    let whole = |filler: &str| format!(r#"{{"t":{t},"sign":{},{PUSH},"filler":"{filler}"}}"#, sign_of(t));
    let notice = whole("");
    for length in [1, notice.len() / 2, notice.len() - 1] {
        let answer = post(&program, "/callback/Live_callback.php", &notice[..length]).await;
        assert_eq!((answer.status().as_u16(), answer.body().as_str()), (400, r#"{"code":4001}"#), "{length}");
    }
    for bytes in [128 * 1024, 1024 * 1024] {
        let answer = post(&program, "/callback/Live_callback.php", whole(&"x".repeat(bytes))).await;
        assert_eq!((answer.status().as_u16(), answer.body().as_str()), (413, r#"{"code":4001}"#), "{bytes}");
    }
    assert!(!is_live(&program, "alice").await);
    let mut bytes = whole("?").into_bytes();
    let at = bytes.iter().rposition(|byte| *byte == b'?').unwrap();
    bytes[at] = 0xff;
    acknowledged(&post(&program, "/callback/Live_callback.php", bytes).await);
    assert!(is_live(&program, "alice").await, "bytes that are no text do not lose a notice");
}

#[tokio::test]
async fn a_notice_at_an_address_that_takes_none_comes_again_until_the_callback_url_is_right() {
    let program = with_room().await;
    let t = program.now() + 600;
    let body = format!(r#"{{"t":{t},"sign":{},{PUSH}}}"#, sign_of(t));
    for path in ["/", "/interface.php", "/index.php", "/callback/live_callback.php", "/nothing"] {
        let answer = post(&program, path, body.as_str()).await;
        assert_eq!((answer.status().as_u16(), answer.body().as_str()), (403, r#"{"code":4003}"#), "{path}");
    }
    assert!(!is_live(&program, "alice").await);
}

#[tokio::test]
async fn a_recording_that_lacks_a_field_is_refused() {
    let program = with_room().await;
    let whole = file("v1", "flv", START - 100, START).fields();
    for field in ["video_id", "video_url", "start_time", "end_time", "file_format"] {
        let answer = notice(&program, &whole.replace(field, "other")).await;
        golden("live_callback/no_stream.callback.json", answer.body());
    }
    assert_eq!(replays(&program).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_wrong_sign_is_forbidden_and_nothing_is_stored() {
    let program = with_room().await;
    let t = (program.now() + 600).to_string();
    let wrong = format!("\"{}\"", callback::sign(&Secret::new("another-key"), &t));
    for fields in [PUSH, &file("v1", "flv", START - 100, START).fields()] {
        let (status, body) = forged(&program, &t, &wrong, fields).await;
        assert_eq!(status, 403);
        golden("live_callback/wrong_sign.callback.json", &body);
    }
    assert!(!is_live(&program, "alice").await);
    assert_eq!(replays(&program).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_sign_that_php_would_take_for_equal_is_forbidden() {
    let program = with_room().await;
    let t = (program.now() + 600).to_string();
    for sign in ["true", "1", "\"0\"", "\"0e1234\""] {
        assert_eq!(forged(&program, &t, sign, PUSH).await.0, 403, "{sign}");
    }
    assert!(!is_live(&program, "alice").await);
}

#[tokio::test]
async fn a_sign_in_capitals_is_forbidden() {
    let program = with_room().await;
    let t = program.now() + 600;
    assert_eq!(forged(&program, &t.to_string(), &sign_of(t).to_uppercase(), PUSH).await.0, 403);
}

#[tokio::test]
async fn a_notice_is_taken_until_an_hour_after_its_expiry() {
    let program = with_room().await;
    let ends = PUSH.replace(":1,", ":0,");
    assert_eq!(expiring(&program, START - 3600, &ends).await.0, 200);
    let (status, body) = expiring(&program, START - 3601, &ends).await;
    assert_eq!(status, 403);
    golden("live_callback/stale.callback.json", &body);
}

#[tokio::test]
async fn a_notice_that_expires_too_far_ahead_is_refused() {
    let program = with_room().await;
    assert_eq!(expiring(&program, START + 3601, PUSH).await.0, 403);
    assert!(!is_live(&program, "alice").await);
    assert_eq!(expiring(&program, START + 3600, PUSH).await.0, 200);
}

#[tokio::test]
async fn a_start_that_comes_after_its_expiry_is_ignored() {
    let program = with_room().await;
    assert_eq!(expiring(&program, START - 1, PUSH).await, (200, r#"{"code":0}"#.to_owned()));
    assert!(!is_live(&program, "alice").await);
}

#[tokio::test]
async fn a_start_that_came_late_and_comes_again_in_time_counts() {
    let program = with_room().await;
    expiring(&program, START - 1, PUSH).await;
    expiring(&program, START, PUSH).await;
    assert!(is_live(&program, "alice").await);
}

#[tokio::test]
async fn an_end_that_comes_after_its_expiry_is_applied() {
    let program = with_room().await;
    push_starts(&program, STREAM, "1").await;
    expiring(&program, START - 1, &PUSH.replace(":1,", ":0,")).await;
    assert!(!is_live(&program, "alice").await);
}

#[tokio::test]
async fn a_recording_that_comes_after_its_expiry_is_kept() {
    let program = with_room().await;
    expiring(&program, START - 1, &file("v1", "flv", START - 100, START).fields()).await;
    assert_eq!(replays(&program).await, ["v1"]);
}

#[tokio::test]
async fn the_next_key_is_accepted_while_keys_are_changed() {
    let program = program_with(|name| (name == "CALLBACK_KEY_NEXT").then_some("the-next-key")).await;
    let t = (program.now() + 600).to_string();
    let next = format!("\"{}\"", callback::sign(&Secret::new("the-next-key"), &t));
    assert_eq!(forged(&program, &t, &next, PUSH).await.0, 200);
    assert_eq!(expiring(&program, START + 600, PUSH).await.0, 200, "and the one before");
}

#[tokio::test]
async fn with_a_key_in_its_path_no_other_address_takes_notices() {
    let program = program_with(|name| (name == "CALLBACK_PATH_KEY").then_some("nobody-knows-it")).await;
    let t = program.now() + 600;
    let body = format!(r#"{{"t":{t},"sign":"{}",{PUSH}}}"#, callback::sign(&Secret::new(KEY), &t.to_string()));
    for (path, is_taken) in [
        ("/nobody-knows-it/callback/Live_callback.php", true),
        ("//nobody-knows-it/live_callback/", true),
        ("/callback/Live_callback.php", false),
        ("/nobody-knows/callback/Live_callback.php", false),
        ("/nobody-knows-it/fetch_list", false),
    ] {
        let answer = post(&program, path, body.as_str()).await;
        assert_eq!(answer.body() == r#"{"code":0}"#, is_taken, "{path}: {}", answer.body());
        assert_eq!(answer.status(), if is_taken { 200 } else { 403 }, "the cloud is to send it again: {path}");
    }
    // As it is deployed, where every path leads to the function.
    for (path, status) in [("/nobody-knows-it", 200), ("/nobody-knows-it/any", 200), ("/", 403), ("/any", 403)] {
        let request = Request::post(path).body(body.clone().into_bytes()).unwrap();
        assert_eq!(answer(&program.app, Entrypoint::Callback, request).await.status(), status, "{path}");
    }
}

#[tokio::test]
async fn a_notice_that_nothing_follows_from_goes_into_the_ledger_and_no_further() {
    let (engine, watch) = (Engine::in_memory().unwrap(), Watch::default());
    let program = program_over(watch.over(engine.http_client()), |_| None).await;
    open_room(&program, "alice", "t").await;
    watch.take();
    acknowledged(&notice(&program, r#""event_type":321,"stream_id":"8888_alice""#).await);
    let operations: Vec<String> = watch.take().into_iter().map(|asked| asked.operation).collect();
    assert_eq!(operations, ["UpdateItem", "UpdateItem"]);
    let notices = program.app.table.notice_summaries(&StreamId::parse("8888_alice").unwrap()).await.unwrap();
    assert!(notices.iter().any(|entry| entry.notice.id.starts_with("321 ") && entry.status.name() == "dropped"));
}

#[tokio::test]
async fn a_stream_that_nobody_owns_is_acknowledged() {
    let program = with_room().await;
    push_starts(&program, "8888_nobody", "1").await;
    is_recorded(&program, File { stream: "8888_nobody", ..file("v1", "flv", START - 100, START) }).await;
    assert_eq!(replays(&program).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_recording_of_the_room_service_is_that_of_the_user_whom_its_stream_names() {
    let program = program().await;
    for user in ["alice", "bob_the_2nd"] {
        let phone = registered(&program, user).await;
        done_by(&program, &phone, "upload_room", fields!("title": user)).await;
    }
    for (n, (stream, user)) in [
        ("1400_alice", "alice"),
        ("_alice", "alice"),
        ("1400_alice_main", "alice"),
        ("1400_alice_5f5e_main", "alice"),
        ("1400_bob_the_2nd", "bob_the_2nd"),
        ("1400_bob_the_2nd_main", "bob_the_2nd"),
    ]
    .into_iter()
    .enumerate()
    {
        let (id, to) = (format!("v{n}"), START - 1000 * n as u64);
        is_recorded(&program, File { stream, id: &id, format: "mp4", from: to - 100, to }).await;
        assert_eq!(replay(&program, user, &id).await["title"], user, "{stream}");
    }
}

#[tokio::test]
async fn a_recording_that_could_be_of_several_users_is_that_of_the_longest_name() {
    let program = program().await;
    for user in ["alice", "alice_main"] {
        open_room(&program, user, user).await;
    }
    is_recorded(&program, File { stream: "1400_alice_main", ..file("v1", "mp4", START - 100, START) }).await;
    assert_eq!(replay(&program, "alice_main", "v1").await["title"], "alice_main");
}

#[tokio::test]
async fn a_recording_of_the_room_service_of_nobody_who_has_a_room_is_acknowledged() {
    let program = with_room().await;
    registered(&program, "erin").await;
    for stream in ["1400_erin", "1400_ghost_user", "nounderscore", "", "1400_second_", "x_ALICE", "alice' or '1'='1"] {
        is_recorded(&program, File { stream, ..file("v1", "mp4", START - 100, START) }).await;
    }
    assert_eq!(replays(&program).await, Vec::<String>::new());
}

#[tokio::test]
async fn the_pushes_of_the_room_service_change_nothing() {
    let program = with_room().await;
    push_starts(&program, "1400_alice", "1").await;
    assert!(!is_live(&program, "alice").await);
    go_online(&program, "alice").await;
    push_ends(&program, "1400_alice", "1").await;
    assert!(is_live(&program, "alice").await);
}

#[tokio::test]
async fn a_recording_of_a_guest_is_not_that_of_their_own_room() {
    let program = with_room().await;
    let answer = done(&program, "RequestLVBAddrForLinkMic", fields!("userid": "alice", "title": "t")).await;
    let stream = stream_of(answer["pushurl"].as_str().unwrap());
    is_recorded(&program, File { stream: &stream, ..file("v1", "mp4", START - 100, START) }).await;
    assert_eq!(replays(&program).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_recording_of_a_room_with_the_longest_title_is_kept_and_so_is_one_with_a_quote() {
    let program = program().await;
    let alice = registered(&program, "alice").await;
    let long = "t".repeat(255);
    for (n, title) in [long.as_str(), "it's", r"a\b', (select 1)) -- "].into_iter().enumerate() {
        done_by(
            &program,
            &alice,
            "upload_room",
            fields!("title": title, "location": title.get(..100).unwrap_or(title)),
        )
        .await;
        let (id, to) = (format!("v{n}"), START - 1000 * n as u64);
        is_recorded(&program, File { stream: "1400_alice", id: &id, format: "mp4", from: to - 100, to }).await;
        assert_eq!(replay(&program, "alice", &id).await["title"], title.trim());
    }
}

#[tokio::test]
async fn the_times_of_a_recording_may_have_fractions_or_exponents() {
    let program = with_room().await;
    for (id, from, to) in [("v1", "1599999000.5", "1599999900.5"), ("v2", "\"1.5999e9\"", "\"1.5999009e9\"")] {
        let fields = format!(
            r#""event_type":100,"stream_id":"8888_alice","video_id":"{id}","file_format":"mp4",
            "video_url":"http://vod/{id}.mp4","start_time":{from},"end_time":{to}"#
        );
        acknowledged(&notice(&program, &fields).await);
    }
    assert_eq!(replay(&program, "alice", "v1").await["timestamp"], 1_599_999_900);
    assert_eq!(replay(&program, "alice", "v2").await["timestamp"], 1_599_900_900);
}

#[tokio::test]
async fn a_recording_of_no_format_plays_as_a_file_and_one_of_no_address_is_dropped() {
    let program = with_room().await;
    let whole = file("v1", "mp4", START - 100, START).fields();
    acknowledged(&notice(&program, &whole.replace(r#""file_format":"mp4""#, r#""file_format":null"#)).await);
    let row = replay(&program, "alice", "v1").await;
    assert_eq!((&row["playurl"], &row["hls_play_url"]), (&"http://vod/v1.mp4".into(), &"".into()));
    let whole = file("v2", "mp4", START - 1100, START - 1000).fields();
    acknowledged(&notice(&program, &whole.replace("http://vod/v2.mp4", "")).await);
    assert_eq!(replays(&program).await, ["v1"]);
}

#[tokio::test]
async fn the_answer_is_json() {
    let program = with_room().await;
    for fields in [PUSH, r#""event_type":1"#] {
        assert_eq!(notice(&program, fields).await.headers()["content-type"], "application/json");
    }
}

#[tokio::test]
async fn an_event_that_is_not_known_is_acknowledged() {
    let program = with_room().await;
    for event in ["200", "321", "332", "999", "\"text\"", "true", "[]"] {
        acknowledged(&notice(&program, &format!(r#""event_type":{event},"stream_id":"8888_alice""#)).await);
    }
    assert_eq!(replays(&program).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_moderation_verdict_may_spell_its_stream_in_camel_case() {
    let program = with_room().await;
    acknowledged(&notice(&program, r#""event_type":317,"streamId":"8888_alice","suggestion":"Block""#).await);
}

#[tokio::test]
async fn an_event_type_of_null_does_not_put_the_room_offline() {
    let program = with_room().await;
    go_online(&program, "alice").await;
    acknowledged(&notice(&program, r#""event_type":null,"stream_id":"8888_alice""#).await);
    assert!(is_live(&program, "alice").await);
}

#[tokio::test]
async fn an_event_type_of_true_is_not_a_recording() {
    let program = with_room().await;
    let fields = file("v1", "flv", START - 100, START).fields().replace("\"event_type\":100", "\"event_type\":true");
    acknowledged(&notice(&program, &fields).await);
    assert_eq!(replays(&program).await, Vec::<String>::new());
}

#[tokio::test]
async fn the_end_of_the_push_before_a_reconnect_changes_nothing() {
    let program = with_room().await;
    push_starts(&program, STREAM, "1").await;
    program.pass(10);
    push_starts(&program, STREAM, "2").await;
    program.pass(1);
    push_ends(&program, STREAM, "1").await;
    assert!(is_live(&program, "alice").await);
}

#[tokio::test]
async fn the_end_of_one_of_two_pushes_that_start_in_the_same_second_does_not_end_the_other() {
    for (first, second, ended) in [("1", "2", "1"), ("2", "1", "2"), ("1", "2", "2"), ("2", "1", "1")] {
        for (more, seconds) in [("", 0), (r#","errcode":21"#, 20), (r#","push_duration":"20000""#, 400)] {
            let program = with_room().await;
            push_starts(&program, STREAM, first).await;
            push_starts(&program, STREAM, second).await;
            program.pass(seconds);
            let at = START + seconds.min(20);
            acknowledged(&notice(&program, &interrupted(ended, &format!(r#""event_time":{at}{more}"#))).await);
            let case = format!("{first}, then {second}, and the end of {ended} after {seconds} s {more}");
            assert!(is_live(&program, "alice").await, "{case}");
            program.pass(20);
            push_ends(&program, STREAM, if ended == "1" { "2" } else { "1" }).await;
            assert!(!is_live(&program, "alice").await, "{case}: the other one ends, too");
        }
    }
}

/// The members of a notice that a push of alice's stream ended, without its time.
fn interrupted(sequence: &str, more: &str) -> String {
    format!(r#""event_type":0,"stream_id":"{STREAM}","sequence":"{sequence}",{more}"#)
}

#[tokio::test]
async fn a_push_that_was_refused_ends_no_other() {
    for more in [
        r#""errcode":18,"errmsg":"push auth failed""#,
        r#""errcode":"18","sub_errcode":601"#,
        r#""errcode":19,"push_duration":"2000""#,
        r#""errcode":1,"push_duration":"900""#,
    ] {
        let program = with_room().await;
        push_starts(&program, STREAM, "1").await;
        program.pass(2);
        acknowledged(&notice(&program, &interrupted("2", more)).await);
        assert!(is_live(&program, "alice").await, "{more}");
        program.pass(2);
        push_ends(&program, STREAM, "1").await;
        assert!(!is_live(&program, "alice").await, "{more}");
    }
}

#[tokio::test]
async fn a_picture_brings_back_a_live_that_the_end_of_another_push_ended() {
    let program = operated().await;
    open_room(&program, "alice", "the show").await;
    push_starts(&program, STREAM, "1").await;
    program.pass(10);
    push_ends(&program, STREAM, "2").await;
    assert!(!is_live(&program, "alice").await, "nothing says that it was not its end");
    for (second, expected) in [(9, false), (100, true)] {
        program.pass(50);
        let at = START + second;
        let picture = format!(r#""event_type":200,"stream_id":"{STREAM}","pic_url":"/{at}","create_time":{at}"#);
        acknowledged(&notice(&program, &picture).await);
        assert_eq!(is_live(&program, "alice").await, expected, "{second}");
    }
    assert_eq!(lives(&program).await, [(0, None, 0, "the show".to_owned(), 0)], "as one live");
    program.pass(10);
    push_ends(&program, STREAM, "1").await;
    assert!(!is_live(&program, "alice").await);
}

#[tokio::test]
async fn operators_see_why_a_push_ended() {
    let program = operated().await;
    open_room(&program, "alice", "the show").await;
    push_starts(&program, STREAM, "1").await;
    program.pass(10);
    let more = r#""errcode":3,"errmsg":"tcp closed by peer""#;
    acknowledged(&notice(&program, &interrupted("1", more)).await);
    acknowledged(&notice(&program, &interrupted("2", r#""errcode":18,"sub_errcode":503"#)).await);
    let answer = parse(&by_operator(&program, "rebuild_user", fields!("userid": "alice", "dry_run": 1)).await);
    let live = &answer["data"]["lives"][0];
    assert_eq!((&live["errcode"], &live["errmsg"]), (&3.into(), &"tcp closed by peer".into()), "{answer}");
    let rows = parse(&by_operator(&program, "list_notices", fields!("userid": "alice")).await);
    let list = rows["data"]["list"].as_array().unwrap();
    let row = |id: &str| list.iter().find(|row| row["id"] == id).unwrap();
    assert_eq!((&row("0 2")["errcode"], &row("0 2")["sub_errcode"]), (&18.into(), &503.into()), "{rows}");
    assert_eq!(row("1 1").get("errcode"), None, "{rows}");
    let shown = parse(&by_operator(&program, "show_notice", fields!("streamid": STREAM, "id": "0 1")).await);
    assert_eq!((&shown["data"]["errcode"], &shown["data"]["errmsg"]), (&3.into(), &"tcp closed by peer".into()));
}

#[tokio::test]
async fn a_notice_that_comes_twice_changes_nothing() {
    let program = with_room().await;
    push_starts(&program, STREAM, "1").await;
    push_ends(&program, STREAM, "1").await;
    push_starts(&program, STREAM, "1").await;
    assert!(!is_live(&program, "alice").await);
}

#[tokio::test]
async fn only_hls_goes_to_the_hls_url_whatever_its_case() {
    let program = with_room().await;
    for (n, (format, play, hls)) in
        [("mp4", true, false), ("FLV", true, false), ("flv", true, false), ("hls", false, true), ("HLS", false, true)]
            .into_iter()
            .enumerate()
    {
        let (id, to) = (format!("v{n}"), START - 1000 * n as u64);
        is_recorded(&program, file(&id, format, to - 100, to)).await;
        let row = replay(&program, "alice", &id).await;
        assert_eq!((row["playurl"] != "", row["hls_play_url"] != ""), (play, hls), "{format}");
    }
}

#[tokio::test]
async fn two_formats_of_one_live_are_one_replay_under_the_file_that_came_first() {
    let program = with_room().await;
    is_recorded(&program, file("v1", "hls", START - 100, START)).await;
    is_recorded(&program, file("v2", "mp4", START - 99, START - 1)).await;
    assert_eq!(replays(&program).await, ["v1"]);
    for known_as in ["v1", "v2"] {
        let row = replay(&program, "alice", known_as).await;
        assert_eq!((&row["playurl"], &row["hls_play_url"]), (&"http://vod/v2.mp4".into(), &"http://vod/v1.hls".into()));
        assert_eq!(row["fileid"], "v1");
    }
}

#[tokio::test]
async fn the_second_format_does_not_move_the_replay() {
    let program = with_room().await;
    is_recorded(&program, file("v1", "hls", START - 100, START)).await;
    program.pass(5000);
    is_recorded(&program, file("v2", "mp4", START - 100, START)).await;
    assert_eq!(replay(&program, "alice", "v1").await["timestamp"], START);
}

#[tokio::test]
async fn recordings_that_only_touch_are_two_replays() {
    let program = with_room().await;
    is_recorded(&program, file("v1", "flv", START - 200, START - 100)).await;
    is_recorded(&program, file("v2", "flv", START - 100, START)).await;
    assert_eq!(replays(&program).await, ["v2", "v1"]);
}

#[tokio::test]
async fn a_recording_that_overlaps_two_replays_makes_one_of_them_however_often_it_comes() {
    let program = with_room().await;
    is_recorded(&program, file("v1", "flv", START - 300, START - 200)).await;
    is_recorded(&program, file("v2", "flv", START - 150, START - 50)).await;
    for _ in 0..3 {
        is_recorded(&program, file("v3", "flv", START - 300, START)).await;
        assert_eq!(replays(&program).await, ["v1"]);
    }
    for id in ["v1", "v2", "v3"] {
        assert_eq!(replay(&program, "alice", id).await["playurl"], "http://vod/v3.flv", "the one that is the whole");
    }
}

#[tokio::test]
async fn a_recording_that_comes_again_changes_nothing() {
    let program = with_room().await;
    for _ in 0..3 {
        is_recorded(&program, file("v1", "flv", START - 100, START)).await;
    }
    like(&program, "alice").await;
    assert_eq!(replays(&program).await, ["v1"]);
}

#[tokio::test]
async fn a_newer_notice_about_a_file_replaces_its_address_and_an_old_one_that_comes_again_does_not() {
    let program = operated().await;
    open_room(&program, "alice", "the show").await;
    program.pass(200);
    let told = |address: &str| {
        format!(
            r#""event_type":100,"stream_id":"{STREAM}","video_id":"v1","file_format":"flv","video_url":"{address}",
            "start_time":{START},"end_time":{}"#,
            START + 100
        )
    };
    let url = async || replay(&program, "alice", "v1").await["playurl"].as_str().unwrap().to_owned();
    let first = program.now() + 600;
    for (t, address, expected) in [
        (first, "http://vod/1.flv", "http://vod/1.flv"),
        (first, "http://vod/2.flv", "http://vod/2.flv"),
        (first, "http://vod/1.flv", "http://vod/2.flv"),
        (first + 60, "http://vod/1.flv", "http://vod/2.flv"),
        (first - 60, "http://vod/0.flv", "http://vod/2.flv"),
        (first + 90, "http://vod/3.flv", "http://vod/3.flv"),
    ] {
        assert_eq!(expiring(&program, t, &told(address)).await.0, 200);
        assert_eq!(url().await, expected, "{address}");
    }
    assert_eq!(lives(&program).await, [], "and nothing differs from the evidence");
    by_operator(&program, "replay_notices", fields!("streamid": STREAM)).await;
    assert_eq!(url().await, "http://vod/3.flv");
    assert_eq!(replays(&program).await, ["v1"]);
}

#[tokio::test]
async fn the_address_of_a_file_is_replaced_also_when_the_timeline_has_forgotten_the_file() {
    let program = operated().await;
    open_room(&program, "alice", "the show").await;
    program.pass(400);
    let told = |file: &str, format: &str, address: &str| {
        format!(
            r#""event_type":100,"stream_id":"{STREAM}","video_id":"{file}","file_format":"{format}",
            "video_url":"{address}","start_time":{START},"end_time":{}"#,
            START + 100
        )
    };
    let urls = async || {
        let row = replay(&program, "alice", "v1").await;
        [&row["playurl"], &row["hls_play_url"]].map(|url| url.as_str().unwrap().to_owned())
    };
    for (file, format) in [("v1", "flv"), ("h1", "hls")] {
        let address = format!("http://vod/0.{format}");
        assert_eq!(expiring(&program, program.now() + 600, &told(file, format, &address)).await.0, 200);
    }
    program.pass(9 * 24 * 3600);
    let first = program.now() + 600;
    for (t, file, format, address, expected) in [
        (first, "v1", "flv", "http://vod/1.flv", ["http://vod/1.flv", "http://vod/0.hls"]),
        (first, "h1", "hls", "http://vod/2.hls", ["http://vod/1.flv", "http://vod/2.hls"]),
        (first - 60, "v1", "flv", "http://vod/3.flv", ["http://vod/1.flv", "http://vod/2.hls"]),
        (first + 60, "v1", "flv", "http://vod/4.flv", ["http://vod/4.flv", "http://vod/2.hls"]),
    ] {
        assert_eq!(expiring(&program, t, &told(file, format, address)).await.0, 200);
        assert_eq!(urls().await, expected, "{address}");
    }
    by_operator(&program, "replay_notices", fields!("streamid": STREAM)).await;
    assert_eq!(urls().await, ["http://vod/4.flv", "http://vod/2.hls"], "an address that was replaced stays so");
}

#[tokio::test]
async fn a_recording_that_comes_again_after_others_does_not_write_over_them() {
    let program = with_room().await;
    let first = file("v1", "flv", START - 1000, START - 900);
    is_recorded(&program, first).await;
    is_recorded(&program, file("v2", "mp4", START - 1000, START - 900)).await;
    is_recorded(&program, file("v3", "flv", START - 100, START)).await;
    is_recorded(&program, first).await;
    assert_eq!(replays(&program).await, ["v3", "v1"]);
    assert_eq!(replay(&program, "alice", "v1").await["playurl"], "http://vod/v2.mp4");
}

#[tokio::test]
async fn parts_that_overlap_are_one_replay_which_plays_from_the_first() {
    let program = with_room().await;
    for n in 0..4 {
        let start = START - 40_000 + 7200 * n;
        is_recorded(&program, file(&format!("v{n}"), "flv", start, start + 7201)).await;
    }
    assert_eq!(replays(&program).await, ["v0"]);
    for n in 0..4 {
        assert_eq!(replay(&program, "alice", &format!("v{n}")).await["playurl"], "http://vod/v0.flv");
    }
}

#[tokio::test]
async fn the_time_of_a_push_that_cannot_be_does_not_make_every_later_notice_an_old_one() {
    let program = with_room().await;
    let push = |event: u8, name: &str, at: u64| {
        format!(r#""event_type":{event},"stream_id":"8888_alice","sequence":"{name}","event_time":{at}"#)
    };
    for fields in [push(1, "1", START + 1_000_000_000), push(1, "2", START + 10), push(0, "2", START + 20)] {
        acknowledged(&notice(&program, &fields).await);
    }
    assert_eq!(room(&program, "alice").await["status"], "0");
}

#[tokio::test]
async fn a_replay_of_a_minute_is_not_listed_and_one_of_a_second_more_is() {
    let program = with_room().await;
    is_recorded(&program, file("v1", "flv", START - 160, START - 100)).await;
    assert_eq!(replays(&program).await, Vec::<String>::new());
    is_recorded(&program, file("v2", "flv", START - 61, START)).await;
    assert_eq!(replays(&program).await, ["v2"]);
}

#[tokio::test]
async fn a_recording_that_ends_before_it_starts_is_dropped() {
    let program = with_room().await;
    is_recorded(&program, file("v1", "flv", START, START - 1000)).await;
    assert_eq!(replays(&program).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_recording_from_the_future_does_not_stay_on_top_of_the_list() {
    let program = with_room().await;
    is_recorded(&program, file("v1", "flv", START, START + 3601)).await;
    assert_eq!(replays(&program).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_recording_longer_than_any_push_is_dropped() {
    let program = with_room().await;
    is_recorded(&program, file("v1", "flv", START - 604_801, START)).await;
    is_recorded(&program, file("v2", "flv", START - 604_800, START)).await;
    assert_eq!(replays(&program).await, ["v2"]);
}

#[tokio::test]
async fn a_title_with_a_quote_does_not_lose_the_recording() {
    let program = program().await;
    open_room(&program, "alice", r#"it\'s "x", \"#).await;
    is_recorded(&program, file("v1", "flv", START - 100, START)).await;
    assert_eq!(replay(&program, "alice", "v1").await["title"], r#"it\'s "x", \"#);
}

#[tokio::test]
async fn the_url_of_a_recording_is_stored_as_it_is_without_blanks_around_it() {
    let program = with_room().await;
    let url = r"http://v/f.flv?a=1&b='x'\\y ";
    let fields = file("v1", "flv", START - 100, START).fields().replace("http://vod/v1.flv", url);
    acknowledged(&notice(&program, &fields).await);
    assert_eq!(replay(&program, "alice", "v1").await["playurl"], r"http://v/f.flv?a=1&b='x'\y");
}

#[tokio::test]
async fn a_replay_keeps_the_title_that_the_room_had_when_it_was_recorded() {
    let program = with_room().await;
    is_recorded(&program, file("v1", "flv", START - 100, START)).await;
    program.pass(10);
    open_room(&program, "alice", "another show").await;
    assert_eq!(replay(&program, "alice", "v1").await["title"], "the show");
}

#[tokio::test]
async fn a_file_that_was_taken_for_a_part_of_a_live_is_a_replay_of_its_own_once_the_live_ended_before_it() {
    let program = with_room().await;
    push_starts(&program, STREAM, "1").await;
    program.pass(1000);
    is_recorded(&program, file("v1", "flv", START, START + 100)).await;
    is_recorded(&program, file("v2", "hls", START + 200, START + 300)).await;
    assert_eq!(replay(&program, "alice", "v2").await["fileid"], "v1");
    let end = format!(r#""event_type":0,"stream_id":"{STREAM}","sequence":"1","event_time":{}"#, START + 150);
    acknowledged(&notice(&program, &end).await);
    assert_eq!(replays(&program).await, ["v2", "v1"]);
    let user = UserId::parse("alice").unwrap();
    let row = program.app.table.replay(&user, &FileId::parse("v1").unwrap()).await.unwrap().unwrap();
    assert_eq!(row.parts.len(), 1);
}

#[tokio::test]
async fn what_a_live_came_to_stays_when_its_start_is_told_after_the_next_show_was_opened() {
    let program = with_room().await;
    program.pass(100);
    go_online(&program, "alice").await;
    like(&program, "alice").await;
    program.pass(100);
    go_offline(&program, "alice").await;
    program.pass(100);
    open_room(&program, "alice", "another show").await;
    let start = format!(r#""event_type":1,"stream_id":"{STREAM}","sequence":"1","event_time":{}"#, START + 90);
    acknowledged(&notice(&program, &start).await);
    let lives = program.app.table.lives(&UserId::parse("alice").unwrap()).await.unwrap();
    let shown: Vec<_> = lives.iter().map(|live| (live.started_at.0, live.totals.likes)).collect();
    assert_eq!(shown, [(START + 90, 1)]);
}

/// What the cloud tells of alice's pushes: one that ended at 50, and the next one, which started at 65.
fn of_two_pushes(piece: &str) -> String {
    let (event, sequence, at) = match piece {
        "start" => (1, "1", START + 10),
        "end" => (0, "1", START + 50),
        _ => (1, "2", START + 65),
    };
    format!(r#""event_type":{event},"stream_id":"{STREAM}","sequence":"{sequence}","event_time":{at}"#)
}

/// The lives of alice: from when until when, of which show, what that was called, and how many likes it got.
async fn lives(program: &Program) -> Vec<(u64, Option<u64>, u64, String, u64)> {
    let answer = parse(&by_operator(program, "rebuild_user", fields!("userid": "alice", "dry_run": 1)).await);
    assert_eq!(answer["data"]["differences"].as_array().map(Vec::len), Some(0), "{answer}");
    let second = |live: &Value, name: &str| live[name].as_u64().map(|at| at - START);
    let live = |live: &Value| {
        let title = live["title"].as_str().unwrap().to_owned();
        let start = second(live, "started_at").unwrap();
        (start, second(live, "ended_at"), second(live, "show").unwrap(), title, live["likes"].as_u64().unwrap())
    };
    answer["data"]["lives"].as_array().unwrap().iter().map(live).collect()
}

#[tokio::test]
async fn a_late_end_an_opening_and_the_next_start_are_two_lives_with_two_titles_in_whatever_order() {
    let orders = [
        ["start", "end", "open", "next"],
        ["start", "open", "end", "next"],
        ["start", "open", "next", "end"],
        ["end", "open", "start", "next"],
        ["end", "open", "next", "start"],
        ["open", "start", "end", "next"],
        ["open", "end", "start", "next"],
        ["open", "end", "next", "start"],
        ["open", "start", "next", "end"],
        ["open", "next", "start", "end"],
        ["open", "next", "end", "start"],
    ];
    for order in orders {
        let program = operated().await;
        open_room(&program, "alice", "the show").await;
        program.pass(60);
        for piece in order {
            match piece {
                "open" => drop(open_room(&program, "alice", "another show").await),
                piece => acknowledged(&notice(&program, &of_two_pushes(piece)).await),
            }
            // The app pushes after it asked; what comes of an end alone is not known before its start.
            program.pass(1);
        }
        let row = room(&program, "alice").await;
        assert_eq!((&row["title"], &row["status"]), (&"another show".into(), &"1".into()), "{order:?}");
        let opened = row["timestamp"].as_u64().unwrap() - START;
        for (id, from) in [("v1", 20), ("v2", 70)] {
            is_recorded(&program, file(id, "flv", START + from, START + from + 30)).await;
        }
        let titles = [replay(&program, "alice", "v1").await, replay(&program, "alice", "v2").await];
        assert_eq!(titles.each_ref().map(|row| &row["title"]), ["the show", "another show"], "{order:?}");
        let expected = [(10, Some(50), 0, "the show".to_owned(), 0), (65, None, opened, "another show".to_owned(), 0)];
        assert_eq!(lives(&program).await, expected, "{order:?}");
    }
}

#[tokio::test]
async fn an_opening_during_a_live_that_ended_later_is_of_that_live() {
    let program = operated().await;
    open_room(&program, "alice", "the show").await;
    program.pass(10);
    acknowledged(&notice(&program, &of_two_pushes("start")).await);
    program.pass(30);
    open_room(&program, "alice", "the show, renamed").await;
    is_recorded(&program, file("v1", "flv", START + 10, START + 40)).await;
    program.pass(20);
    acknowledged(&notice(&program, &of_two_pushes("end")).await);
    acknowledged(&notice(&program, &of_two_pushes("next")).await);
    assert_eq!(lives(&program).await, [(10, None, 0, "the show, renamed".to_owned(), 0)]);
    assert_eq!(room(&program, "alice").await["timestamp"], START);
}

#[tokio::test]
async fn a_replay_is_called_as_the_show_that_it_turns_out_to_be_of() {
    let program = with_room().await;
    push_starts(&program, STREAM, "1").await;
    program.pass(60);
    open_room(&program, "alice", "another show").await;
    is_recorded(&program, file("v1", "flv", START, START + 50)).await;
    assert_eq!(replay(&program, "alice", "v1").await["title"], "another show");
    let end = format!(r#""event_type":0,"stream_id":"{STREAM}","sequence":"1","event_time":{}"#, START + 50);
    acknowledged(&notice(&program, &end).await);
    assert_eq!(replay(&program, "alice", "v1").await["title"], "the show");
}

#[tokio::test]
async fn a_live_that_goes_on_is_not_called_as_an_opening_said_that_turns_out_to_be_of_another_show() {
    let program = with_room().await;
    let told = async |event: u8, stream: &str, at: u64| {
        let fields = format!(r#""event_type":{event},"stream_id":"{stream}","sequence":"1","event_time":{at}"#);
        acknowledged(&notice(&program, &fields).await);
    };
    let opening = async || program.app.table.lives(&UserId::parse("alice").unwrap()).await.unwrap()[0].described_by.0;
    told(1, STREAM, START).await;
    program.pass(60);
    open_room(&program, "alice", "another show").await;
    // Whether another opening begins a show, the user's own stream says; the one of the room service goes on.
    told(1, "1400_alice", START - 1).await;
    is_recorded(&program, File { stream: "1400_alice", ..file("v1", "flv", START, START + 50) }).await;
    assert_eq!(replay(&program, "alice", "v1").await["title"], "another show");
    assert_eq!(opening().await, START + 60);
    told(0, STREAM, START + 50).await;
    assert_eq!(replay(&program, "alice", "v1").await["title"], "the show");
    assert_eq!(opening().await, START);
}

#[tokio::test]
async fn what_was_counted_until_a_late_end_is_told_stays_with_its_live_and_the_next_one_counts_anew() {
    let program = operated().await;
    open_room(&program, "alice", "the show").await;
    program.pass(10);
    acknowledged(&notice(&program, &of_two_pushes("start")).await);
    for viewer in ["bob", "carol"] {
        enter(&program, viewer, "alice", "@alice").await;
    }
    like(&program, "alice").await;
    program.pass(50);
    open_room(&program, "alice", "another show").await;
    like(&program, "alice").await;
    assert_eq!(room(&program, "alice").await["likecount"], 2, "it seems to go on");
    acknowledged(&notice(&program, &of_two_pushes("end")).await);
    let row = room(&program, "alice").await;
    assert_eq!((&row["likecount"], &row["viewercount"], &row["status"]), (&0.into(), &0.into(), &"0".into()));
    assert_eq!(row["timestamp"], START + 60);
    quit(&program, "bob", "alice", "@alice").await;
    program.pass(5);
    acknowledged(&notice(&program, &of_two_pushes("next")).await);
    enter(&program, "carol", "alice", "@alice").await;
    like(&program, "alice").await;
    let row = room(&program, "alice").await;
    assert_eq!((&row["likecount"], &row["viewercount"]), (&1.into(), &1.into()));
    let counted: Vec<_> = lives(&program).await.into_iter().map(|(start, .., likes)| (start, likes)).collect();
    assert_eq!(counted, [(10, 2), (65, 0)]);
    let page = list(&program, 1, 1, 10).await;
    assert_eq!((column(&page, "title"), page["totalcount"].as_u64()), (vec!["another show"], Some(1)));
}

#[tokio::test]
async fn a_live_that_goes_on_again_by_a_late_start_keeps_what_was_counted_before_the_next_start_request() {
    let program = operated().await;
    let push = async |event: u8, push: &str, at: u64| {
        let fields = format!(r#""event_type":{event},"stream_id":"{STREAM}","sequence":"{push}","event_time":{at}"#);
        acknowledged(&notice(&program, &fields).await);
    };
    open_room(&program, "alice", "the show").await;
    enter(&program, "bob", "alice", "@alice").await;
    like(&program, "alice").await;
    program.pass(30);
    push(1, "3", START + 20).await;
    // The end of a push whose start is not known yet: the stream seems to be off.
    push(0, "2", START + 25).await;
    program.pass(150);
    open_room(&program, "alice", "another show").await;
    // With its start, of before the other push's, that end means nothing: the live goes on, and starts earlier.
    push(1, "2", START + 10).await;
    program.pass(20);
    push(0, "3", START + 80).await;
    let counted: Vec<_> = lives(&program).await.into_iter().map(|(start, .., likes)| (start, likes)).collect();
    assert_eq!(counted, [(10, 1)]);
    let rows = program.app.table.lives(&UserId::parse("alice").unwrap()).await.unwrap();
    assert_eq!((rows[0].totals.peak, rows[0].totals.visits), (1, 1));
}

#[tokio::test]
async fn a_live_keeps_what_was_counted_since_a_start_request_that_turns_out_to_continue_its_broadcast() {
    let program = operated().await;
    let push = async |event: u8, push: &str, at: u64| {
        let fields = format!(r#""event_type":{event},"stream_id":"{STREAM}","sequence":"{push}","event_time":{at}"#);
        acknowledged(&notice(&program, &fields).await);
    };
    open_room(&program, "alice", "the show").await;
    program.pass(30);
    push(1, "3", START + 20).await;
    // The end of a push whose start is not known yet: the stream seems to be off.
    push(0, "2", START + 25).await;
    program.pass(150);
    open_room(&program, "alice", "the show again").await;
    push(1, "4", START + 180).await;
    enter(&program, "bob", "alice", "@alice").await;
    like(&program, "alice").await;
    program.pass(20);
    push(0, "4", START + 200).await;
    program.pass(100);
    open_room(&program, "alice", "another show").await;
    // With its start, of before the other push's, that end means nothing: the two lives are one.
    push(1, "2", START + 10).await;
    let rows = program.app.table.lives(&UserId::parse("alice").unwrap()).await.unwrap();
    let counted: Vec<_> =
        rows.iter().map(|row| (row.started_at.0, row.totals.peak, row.totals.visits, row.totals.likes)).collect();
    assert_eq!(counted, [(START + 10, 1, 1, 1)]);
}

#[tokio::test]
async fn a_room_that_was_opened_again_while_a_late_start_was_on_its_way_counts_on() {
    let program = operated().await;
    open_room(&program, "alice", "the show").await;
    program.pass(60);
    open_room(&program, "alice", "the show again").await;
    enter(&program, "bob", "alice", "@alice").await;
    like(&program, "alice").await;
    acknowledged(&notice(&program, &of_two_pushes("start")).await);
    let row = room(&program, "alice").await;
    assert_eq!((&row["timestamp"], &row["title"]), (&START.into(), &"the show again".into()));
    assert_eq!((&row["likecount"], &row["viewercount"]), (&1.into(), &1.into()));
    enter(&program, "bob", "alice", "@alice").await;
    enter(&program, "carol", "alice", "@alice").await;
    quit(&program, "bob", "alice", "@alice").await;
    assert_eq!(room(&program, "alice").await["viewercount"], 1);
    program.pass(10);
    push_ends(&program, STREAM, "1").await;
    assert_eq!(lives(&program).await, [(10, Some(70), 0, "the show again".to_owned(), 1)]);
}

#[tokio::test]
async fn what_was_counted_since_an_opening_is_of_its_show_and_not_of_the_live_before_it_too() {
    let program = operated().await;
    open_room(&program, "alice", "the show").await;
    like(&program, "alice").await;
    program.pass(10);
    let push = |event: u8, sequence: &str, at: u64| {
        let more = r#""push_duration":"4000""#;
        let at = START + at;
        format!(r#""event_type":{event},"stream_id":"{STREAM}","sequence":"{sequence}","event_time":{at},{more}"#)
    };
    acknowledged(&notice(&program, &push(0, "1", 10)).await);
    program.pass(50);
    open_room(&program, "alice", "another show").await;
    acknowledged(&notice(&program, &push(1, "2", 57)).await);
    assert_eq!(room(&program, "alice").await["timestamp"], START, "it seems to have been on already");
    like(&program, "alice").await;
    like(&program, "alice").await;
    program.pass(100);
    // It lasted no second, so nothing ran when the room was opened.
    acknowledged(&notice(&program, &push(0, "2", 57)).await);
    let row = room(&program, "alice").await;
    assert_eq!((&row["timestamp"], &row["likecount"]), (&(START + 60).into(), &2.into()));
    assert_eq!(lives(&program).await, [(6, Some(10), 0, "the show".to_owned(), 1)]);
}

#[tokio::test]
async fn a_recording_of_a_user_with_a_dash_is_theirs() {
    let program = program().await;
    open_room(&program, "a_b", "not this").await;
    let url = open_room(&program, "a-b", "this").await;
    let stream = stream_of(&url);
    is_recorded(&program, File { stream: &stream, ..file("v1", "flv", START - 100, START) }).await;
    assert_eq!(
        done(&program, "GetUserInfo", fields!("userid": "a-b", "type": 1, "fileid": "v1")).await["title"],
        "this"
    );
}

#[tokio::test]
async fn a_notice_is_late_from_the_second_after_its_expiry_on() {
    let program = program().await;
    let start = r#""event_type":1,"stream_id":"8888_alice","sequence":"1""#;
    for (passed, status) in [(601, "0"), (600, "1")] {
        open_room(&program, "alice", "t").await;
        let t = program.now() + 600;
        program.pass(passed);
        assert_eq!(forged(&program, &t.to_string(), &sign_of(t), start).await, (200, r#"{"code":0}"#.to_owned()));
        assert_eq!(room(&program, "alice").await["status"], status, "{passed}");
    }
}

/// Strangers push alice's stream, and the cloud takes none of it: so many ends, all of this second.
async fn strangers_are_refused(program: &Program, many: usize, at: u64) {
    for n in 0..many {
        let refused = interrupted(&format!("x{n}"), &format!(r#""errcode":18,"event_time":{at}"#));
        acknowledged(&notice(program, &refused).await);
    }
}

#[tokio::test]
async fn pushes_that_the_cloud_refused_do_not_make_a_live_be_forgotten() {
    let program = with_room().await;
    push_starts(&program, STREAM, "1").await;
    program.pass(200);
    push_ends(&program, STREAM, "1").await;
    program.pass(100);
    push_starts(&program, STREAM, "2").await;
    strangers_are_refused(&program, 262, program.now()).await;
    for (id, from) in [("v1", START), ("v2", START + 100)] {
        is_recorded(&program, file(id, "flv", from, from + 100)).await;
    }
    assert_eq!(replays(&program).await, ["v1"], "both files are of one live");
}

#[tokio::test]
async fn pushes_that_the_cloud_refused_do_not_make_a_start_be_taken_for_a_forgotten_one() {
    let program = with_room().await;
    program.pass(100);
    strangers_are_refused(&program, 260, program.now()).await;
    let at = program.now() - 4;
    let fields = format!(r#""event_type":1,"stream_id":"{STREAM}","sequence":"1","event_time":{at}"#);
    acknowledged(&notice(&program, &fields).await);
    assert!(is_live(&program, "alice").await);
}
