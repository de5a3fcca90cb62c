//! The protocol from outside: bytes in, bytes out, through the same entry as AWS.
//!
//! - [`harness`]: a fresh program on its own embedded table, with a clock that stands still
//! - [`steps`]: what users, operators and the cloud do, as verbs
//! - [`stand_in`]: a stand-in for the live cloud
//! - [`watch`]: what a program asks of its table, counted or held up
//! - one module per command: what it answers in each dialect, and each refusal that it can give
//! - [`agreement`]: commands, binaries, documents and template name the same things, and boundaries hold
//! - [`user_sig`]: what the Gen-1 door asks for with `ACTION_AUTH=user-sig`
//! - [`lists`]: which rows the pages of the lists have, and what a page costs
//! - [`concurrency`]: calls that come at the same time
//! - [`engine`]: the embedded table answers the same directly and over HTTP

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed; clippy spares test functions only")]

mod harness;
mod stand_in;
mod steps;
mod watch;

mod agreement;
mod change_count;
mod change_status;
mod concurrency;
mod engine;
mod enter_group;
mod fetch_group_member_list;
mod fetch_list;
mod forbid_live;
mod get_cos_sign;
mod get_cos_sign_v4;
mod get_link_mic_play_url;
mod get_link_mic_push_url;
mod get_live_info;
mod get_push_url;
mod get_vod_sign;
mod lists;
mod live_callback;
mod merge_video_stream;
mod quit_group;
mod report_user;
mod upload_ugc;
mod user_sig;
