//! One well-formed request for every command, and one notice of every kind, for tests that go through them all.

use serde_json::{Value, json};

use crate::support::harness::KEY;
use app::commands::{self, CommandEntry};
use protocol::{sign::callback::sign, types::Secret};

/// The fields of a well-formed call of a command, without `Action`; a command that is not here fails its tests.
pub(crate) fn fields(entry: &CommandEntry) -> Value {
    let userinfo = json!({
        "nickname": "Al", "headpic": "http://h/a.png", "frontcover": "http://h/c.png", "location": "深圳", "desc": "d",
    });
    match entry.names.action.unwrap_or(entry.names.name) {
        "RequestLVBAddr" => json!({"userid": "alice", "groupid": "g1", "title": "hello", "userinfo": userinfo}),
        "ChangeStatus" => json!({"userid": "alice", "status": 0}),
        "StopLVB" | "GetCOSSign" | "GetCOSSignV2" | "GetVodSignature" | "GetVodSignatureV2" => {
            json!({"userid": "alice"})
        }
        "register" | "login" => json!({"userid": "bobby", "password": "e352963bbbd32a45ce27c73b0666aabe"}),
        "refresh" => json!({"userid": "carol", "refresh_token": "5e55.0.e352963bbbd32a45ce27c73b0666aabe"}),
        "logout" => json!({"userid": "carol"}),
        "get_user_info" => json!({"userid": "alice"}),
        "upload_user_info" => json!({
            "userid": "alice", "nickname": "Al", "avatar": "http://h/a.png", "sex": 1, "frontcover": "http://h/c.png",
        }),
        "get_cos_grant" => json!({"userid": "alice", "size": 12_345, "type": "image/jpeg"}),
        "ChangeCount" => json!({"userid": "alice", "type": 1, "optype": 0, "flag": 0, "fileid": "f1"}),
        "FetchList" => json!({"userid": "vera", "flag": 4, "pageno": 1, "pagesize": 20}),
        "GetUserInfo" => json!({"userid": "alice", "type": 0, "fileid": "f1"}),
        "EnterGroup" => json!({
            "userid": "vera", "liveuserid": "alice", "groupid": "g1", "nickname": "V", "headpic": "http://h/v.png",
            "flag": 0,
        }),
        "QuitGroup" => json!({"userid": "vera", "liveuserid": "alice", "groupid": "g1", "flag": 0}),
        "FetchGroupMemberList" => {
            json!({"userid": "vera", "liveuserid": "alice", "groupid": "g1", "pageno": 1, "pagesize": 20})
        }
        "UploadUGCVideo" => json!({
            "userid": "alice", "file_id": "v1", "title": "clip", "play_url": "http://h/v1.mp4", "userinfo": userinfo,
        }),
        "RequestLVBAddrForLinkMic" => json!({"userid": "alice", "title": "hello", "userinfo": userinfo}),
        "RequestPlayUrlWithSignForLinkMic" => {
            json!({"userid": "alice", "originStreamUrl": "rtmp://8888.liveplay.myqcloud.com/live/8888_alice"})
        }
        "MergeVideoStream" => {
            let para = json!({"output_stream_id": "8888_alice", "mix_stream_session_id": "8888_alice"});
            json!({"userid": "alice", "mergeparams": {"interface": {"para": para}}})
        }
        "ReportUser" => json!({"userid": "vera", "hostuserid": "alice"}),
        "upload_room" => {
            json!({"userid": "alice", "title": "hello", "frontcover": "http://h/c.png", "location": "深圳"})
        }
        "get_vod_list" | "get_ugc_list" => json!({"userid": "alice", "index": 1, "count": 20}),
        "update_replay" => json!({"userid": "alice", "file_id": "f1", "title": "t", "hidden": 0}),
        "delete_replay" => json!({"userid": "alice", "file_id": "f1"}),
        "get_roomservice_sign" => json!({"userid": "alice"}),
        "list_rooms" | "list_bans" | "list_reports" | "list_verdicts" => json!({}),
        "list_replays" => json!({"userid": "alice"}),
        "list_notices" | "replay_notices" => json!({"streamid": "8888_alice"}),
        "show_notice" => json!({"streamid": "8888_alice", "id": "100 f1"}),
        "rebuild_user" => json!({"userid": "alice", "dry_run": 1}),
        "ForbidLive" => json!({"userid": "alice", "forbidflag": 0}),
        other => panic!("{other} has no well-formed request"),
    }
}

/// The body of a well-formed call of a command through the Gen-1 entrypoint.
pub(crate) fn action_body(entry: &CommandEntry) -> String {
    let mut body = fields(entry);
    body["Action"] = json!(entry.names.action);
    body.to_string()
}

/// The Gen-1 call that opens the room of all these requests.
pub(crate) fn opening() -> String {
    call_of("RequestLVBAddr")
}

/// The Gen-1 call that takes it online.
pub(crate) fn going_online() -> String {
    call_of("ChangeStatus")
}

fn call_of(action: &str) -> String {
    action_body(commands::all().iter().find(|entry| entry.names.action == Some(action)).expect("a command"))
}

/// The fields of a notice of every kind that the cloud sends, without `t` and `sign`.
pub(crate) fn notices(now: u64) -> [Value; 5] {
    let stream = "8888_alice";
    [
        json!({"event_type": 1, "stream_id": stream, "channel_id": stream, "sequence": "1", "event_time": now}),
        json!({"event_type": 0, "stream_id": stream, "channel_id": stream, "sequence": "1", "event_time": now + 60}),
        json!({
            "event_type": 100, "stream_id": stream, "video_id": "f1", "video_url": "http://h/f1.flv",
            "file_format": "flv", "start_time": now - 600, "end_time": now,
        }),
        json!({"event_type": 200, "stream_id": stream, "pic_url": "/1.jpg", "create_time": now}),
        json!({"event_type": 317, "streamId": stream, "type": 1}),
    ]
}

/// The body of a notice, signed so that it expires in ten minutes.
pub(crate) fn signed(mut notice: Value, now: u64) -> String {
    let t = now + 600;
    notice["t"] = json!(t);
    notice["sign"] = json!(sign(&Secret::new(KEY), &t.to_string()));
    notice.to_string()
}
