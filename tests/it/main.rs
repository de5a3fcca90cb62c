//! The protocol from outside: bytes in, bytes out, through the same entry as AWS.
//!
//! - [`harness`]: a fresh program on its own embedded table, with a clock that stands still
//! - [`steps`]: what users, operators and the cloud do, as verbs
//! - [`stand_in`]: a stand-in for the live cloud
//! - [`object_store`]: a stand-in for the object storage
//! - [`identity_provider`]: a stand-in for a customer's identity provider
//! - [`lambda_runtime_api`]: what a function's process talks to in the cloud
//! - [`scf_runtime_api`]: what an event function's process talks to in the other cloud
//! - [`guard`]: what lets a call ask of the table only what its function may in the cloud
//! - [`policy`]: what that is, by the template
//! - [`proxy`]: a table behind an address, for one function and what that may
//! - [`watch`]: what a program asks of its table, counted or held up
//! - [`injector`]: faults between a program and its table
//! - [`requests`]: one well-formed request for every command
//! - one module per command: what it answers in each dialect, and each refusal that it can give
//! - [`sessions`]: what a Gen-2 call must carry to be believed
//! - [`user_sig`]: what the Gen-1 door asks for with `ACTION_AUTH=user-sig`
//! - [`cloud`]: what the cloud is asked by its newer interface, and what becomes of its answers
//! - [`oidc`]: which ID tokens of an identity provider are believed
//! - [`lists`]: which rows the pages of the lists have, and what a page costs
//! - [`clock`]: clocks that are ahead for a while
//! - [`concurrency`]: calls that come at the same time
//! - [`unwritable`]: rows that the table does not take, or that nobody can understand, and so nobody writes
//! - [`damaged`]: such rows in lists and pages
//! - [`faults`]: requests to the table that fail
//! - [`defects`]: what was wrong with the Gen-2 original, and is not so here
//! - [`histories`]: made-up broadcasts by the hundred, told in many orders, against a model of decision 13
//! - [`mistakes`]: what people and apps get wrong about address, method and body, and what they hear
//! - [`hostile`]: what nobody should send, by the thousand
//! - [`runtime`]: every function's binary on a runtime loop, held to what the local server answers
//! - [`scf`]: the binaries for Tencent SCF, held to the same
//! - [`phone`]: days in the life of apps, wherever the commands run: the local server, functions, SCF, a deployed stack
//! - [`engine`]: the embedded table answers the same directly and over HTTP
//! - [`vectors`]: the formulas against vectors that nobody here made up
//! - [`template`]: what is deployed, and that it is the table of commands and nothing besides
//! - [`log`]: what the log tells of a call, and what it keeps to itself
//! - [`privileges`]: what functions may do to the table, and that they do all of it
//! - [`agreement`]: commands, binaries and documents name the same things, and boundaries hold
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed; clippy spares test functions only")]

mod agreement;
mod change_count;
mod change_status;
mod clock;
mod cloud;
mod concurrency;
mod covers;
mod damaged;
mod defects;
mod defects_gen1;
mod delete_replay;
mod engine;
mod enter_group;
mod faults;
mod fetch_group_member_list;
mod fetch_list;
mod forbid_live;
mod get_cos_grant;
mod get_cos_sign;
mod get_cos_sign_v4;
mod get_link_mic_play_url;
mod get_link_mic_push_url;
mod get_live_info;
mod get_push_url;
mod get_roomservice_sign;
mod get_ugc_list;
mod get_user_info;
mod get_vod_list;
mod get_vod_sign;
mod guard;
mod harness;
mod histories;
mod hostile;
mod identity_provider;
mod injector;
mod lambda_runtime_api;
mod list_notices;
mod lists;
mod live_callback;
mod log;
mod login;
mod logout;
mod merge_video_stream;
mod mistakes;
mod moderation;
mod object_store;
mod oidc;
mod phone;
mod policy;
mod privileges;
mod proxy;
mod quit_group;
mod rebuild_user;
mod refresh;
mod register;
mod repairs;
mod replay_notices;
mod report_user;
mod requests;
mod runtime;
mod scf;
mod scf_runtime_api;
mod secrets;
mod sessions;
mod show_notice;
mod stand_in;
mod steps;
mod sweep;
mod template;
mod unwritable;
mod update_replay;
mod upload_room;
mod upload_ugc;
mod upload_user_info;
mod user_sig;
mod vectors;
mod watch;
