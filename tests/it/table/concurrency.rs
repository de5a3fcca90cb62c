//! Calls that come at the same time.

use std::sync::Arc;

use crate::support::{
    harness::{Program, START, action, notice, program, program_over},
    steps::{
        AT_ONCE, File, OPERATOR_KEY, acknowledged, at_once, column, enter, forbid, go_offline, go_online, is_recorded,
        like, list, members, open_room, push_starts, quit, replay, room, stream_of,
    },
    watch::Watch,
};
use cli::engine::Engine;
use protocol::types::UserId;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_user_who_opens_a_room_many_times_at_once_has_one_room() {
    let program = Arc::new(program().await);
    let urls = at_once(&program, |program, _| async move { open_room(&program, "alice", "t").await }).await;
    assert!(urls.iter().all(|url| stream_of(url) == "8888_alice"), "{urls:?}");
    let page = list(&program, 4, 1, 10).await;
    assert_eq!((column(&page, "userid"), page["totalcount"].as_u64()), (vec!["alice"], Some(1)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn users_who_race_for_one_stream_end_up_with_different_ones() {
    for _ in 0..5 {
        let program = Arc::new(program().await);
        let open = |program: Arc<Program>, n: usize| async move {
            let user: String = (0..5).map(|bit| if n >> bit & 1 == 0 { '-' } else { '_' }).collect();
            let first = stream_of(&open_room(&program, &user, "t").await);
            go_online(&program, &user).await;
            assert_eq!(stream_of(&open_room(&program, &user, "t").await), first, "and it stays");
            first
        };
        let mut streams = at_once(&program, open).await;
        streams.sort();
        streams.dedup();
        assert_eq!(streams.len(), AT_ONCE, "{streams:?}");
        assert_eq!(list(&program, 1, 1, 10).await["totalcount"], AT_ONCE);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn mp4_and_hls_that_come_at_the_same_time_are_one_replay_with_both_urls() {
    let program = Arc::new(program().await);
    open_room(&program, "alice", "t").await;
    for round in 0..20 {
        let to = START - 1000 * round;
        let record = |format: &'static str| {
            let program = Arc::clone(&program);
            tokio::spawn(async move {
                let id = format!("{format}-{round}");
                is_recorded(&program, File { stream: "8888_alice", id: &id, format, from: to - 100, to }).await;
            })
        };
        let (mp4, hls) = (record("mp4"), record("hls"));
        mp4.await.unwrap();
        hls.await.unwrap();
        assert_eq!(list(&program, 2, 1, 10).await["totalcount"], round + 1);
        for format in ["mp4", "hls"] {
            let row = replay(&program, "alice", &format!("{format}-{round}")).await;
            assert_eq!(row["playurl"], format!("http://vod/mp4-{round}.mp4"));
            assert_eq!(row["hls_play_url"], format!("http://vod/hls-{round}.hls"));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_copies_of_one_recording_at_once_are_one_replay() {
    let program = Arc::new(program().await);
    open_room(&program, "alice", "t").await;
    at_once(&program, |program, _| async move {
        let file = File { stream: "8888_alice", id: "v1", format: "flv", from: START - 100, to: START };
        is_recorded(&program, file).await;
    })
    .await;
    let page = list(&program, 2, 1, 10).await;
    assert_eq!((column(&page, "fileid"), page["totalcount"].as_u64()), (vec!["v1"], Some(1)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn different_recordings_of_one_user_at_once_are_all_kept() {
    let program = Arc::new(program().await);
    open_room(&program, "alice", "t").await;
    at_once(&program, |program, n| async move {
        let (id, to) = (format!("v{n}"), START - 1000 * n as u64);
        let file = File { stream: "8888_alice", id: &id, format: "flv", from: to - 100, to };
        is_recorded(&program, file).await;
    })
    .await;
    assert_eq!(list(&program, 2, 1, 10).await["totalcount"], AT_ONCE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn viewers_who_come_and_go_at_once_are_counted_rightly() {
    let program = Arc::new(program().await);
    open_room(&program, "alice", "t").await;
    at_once(&program, |program, n| async move {
        let viewer = format!("viewer-{n}");
        for _ in 0..5 {
            enter(&program, &viewer, "alice", "@alice").await;
            enter(&program, &viewer, "alice", "@alice").await;
            quit(&program, &viewer, "alice", "@alice").await;
        }
        if n % 2 == 0 {
            enter(&program, &viewer, "alice", "@alice").await;
        }
    })
    .await;
    assert_eq!(room(&program, "alice").await["viewercount"], AT_ONCE / 2);
    assert_eq!(members(&program, "alice", "@alice").await["totalcount"], AT_ONCE / 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_viewer_who_comes_and_goes_many_times_at_once_is_counted_rightly() {
    let program = Arc::new(program().await);
    open_room(&program, "alice", "t").await;
    at_once(&program, |program, n| async move {
        for _ in 0..5 {
            if n % 2 == 0 {
                enter(&program, "bob", "alice", "@alice").await;
            } else {
                quit(&program, "bob", "alice", "@alice").await;
            }
        }
    })
    .await;
    quit(&program, "bob", "alice", "@alice").await;
    assert_eq!(room(&program, "alice").await["viewercount"], 0);
    assert_eq!(members(&program, "alice", "@alice").await["totalcount"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_like_is_lost() {
    let program = Arc::new(program().await);
    open_room(&program, "alice", "t").await;
    at_once(&program, |program, _| async move {
        for _ in 0..50 {
            like(&program, "alice").await;
        }
    })
    .await;
    assert_eq!(room(&program, "alice").await["likecount"], 800);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rooms_that_go_on_and_off_at_once_are_counted_rightly() {
    let program = Arc::new(program().await);
    at_once(&program, |program, n| async move {
        let user = format!("user-{}", n / 4);
        open_room(&program, &user, "t").await;
        for round in 0..3 {
            let t = program.now() + 600;
            for event in [1, 0] {
                let fields = format!(
                    r#""event_type":{event},"stream_id":"8888_user_{}","sequence":"{n}-{round}","event_time":{t}"#,
                    n / 4
                );
                // The cloud sends again what was too much at once, but not for ever.
                let mut tries = 0;
                while notice(&program, &fields).await.status() != 200 {
                    tries += 1;
                    assert!(tries < 100, "{fields} is never taken");
                }
            }
        }
    })
    .await;
    let lives = list(&program, 1, 1, 10).await;
    assert_eq!(lives["totalcount"], column(&lives, "userid").len());
    assert_eq!(list(&program, 4, 1, 10).await["totalcount"], AT_ONCE / 4);
}

/// Two programs on one table; the requests of the first are watched.
async fn two_programs() -> (Program, Program, Watch) {
    let (engine, watch) = (Engine::in_memory().unwrap(), Watch::default());
    let operator = |name: &str| (name == "OPERATOR_KEY").then_some(OPERATOR_KEY);
    let first = program_over(watch.over(engine.http_client()), operator).await;
    (first, program_over(engine.http_client(), operator).await, watch)
}

#[tokio::test]
async fn a_ban_that_meets_a_room_opened_anew_counts_it_where_it_stands() {
    let (first, second, watch) = two_programs().await;
    open_room(&first, "alice", "t").await;
    go_online(&first, "alice").await;
    watch.interrupt("UpdateItem", 0, || async move {
        go_offline(&second, "alice").await;
        second.pass(100_000);
        open_room(&second, "alice", "anew").await;
        go_online(&second, "alice").await;
    });
    forbid(&first, "alice", 1).await;
    let lives = list(&first, 1, 1, 10).await;
    assert_eq!((column(&lives, "userid"), lives["totalcount"].as_u64()), (vec![], Some(0)));
}

#[tokio::test]
async fn a_viewer_who_leaves_while_still_coming_in_is_not_counted() {
    let (first, second, watch) = two_programs().await;
    open_room(&first, "alice", "t").await;
    watch.interrupt("UpdateItem", 1, || async move { quit(&second, "bob", "alice", "@alice").await });
    enter(&first, "bob", "alice", "@alice").await;
    quit(&first, "bob", "alice", "@alice").await;
    assert_eq!(room(&first, "alice").await["viewercount"], 0);
    assert_eq!(members(&first, "alice", "@alice").await["totalcount"], 0);
}

#[tokio::test]
async fn an_end_that_meets_a_room_opened_anew_is_judged_again() {
    let (first, second, watch) = two_programs().await;
    open_room(&first, "alice", "t").await;
    go_online(&first, "alice").await;
    watch.interrupt("UpdateItem", 0, || async move { go_offline(&second, "alice").await });
    action(&first, r#"{"Action":"StopLVB","userid":"alice"}"#).await;
    assert_eq!(list(&first, 1, 1, 10).await["totalcount"], 0);
    go_online(&first, "alice").await;
    assert_eq!(list(&first, 1, 1, 10).await["totalcount"], 1);
}

#[tokio::test]
async fn a_call_that_is_given_up_while_it_counts_takes_nothing_with_it() {
    let watch = Watch::default();
    let program = program_over(watch.over(Engine::in_memory().unwrap().http_client()), |_| None).await;
    let program = Arc::new(program);
    for user in ["alice", "bob"] {
        open_room(&program, user, "t").await;
    }
    let (counting, release) = (Arc::new(tokio::sync::Notify::new()), Arc::new(tokio::sync::Notify::new()));
    // The first write says what is to be done, the next moves the room, and the third counts it.
    watch.interrupt("UpdateItem", 2, {
        let (counting, release) = (Arc::clone(&counting), Arc::clone(&release));
        move || async move {
            counting.notify_one();
            release.notified().await;
        }
    });
    let alice = tokio::spawn({
        let program = Arc::clone(&program);
        async move { go_online(&program, "alice").await }
    });
    counting.notified().await;
    alice.abort();
    assert!(alice.await.unwrap_err().is_cancelled());
    let bob = tokio::spawn({
        let program = Arc::clone(&program);
        async move { go_online(&program, "bob").await }
    });
    release.notify_one();
    bob.await.unwrap();
    assert_eq!(list(&program, 1, 1, 10).await["totalcount"], 2);
}

#[tokio::test]
async fn a_start_that_meets_the_lifting_of_a_ban_is_judged_again() {
    let (first, second, watch) = two_programs().await;
    open_room(&first, "alice", "t").await;
    forbid(&first, "alice", 1).await;
    watch.interrupt("UpdateItem", 0, || async move { drop(forbid(&second, "alice", 0).await) });
    push_starts(&first, "8888_alice", "1").await;
    assert_eq!(list(&first, 1, 1, 10).await["totalcount"], 1);
}

#[tokio::test]
async fn an_earlier_start_that_is_told_while_a_later_one_is_written_leaves_one_live() {
    let start = |push: &str, seconds: u64| {
        format!(r#""event_type":1,"stream_id":"8888_alice","sequence":"{push}","event_time":{}"#, START + seconds)
    };
    for write in 0..10 {
        let (first, second, watch) = two_programs().await;
        open_room(&first, "alice", "t").await;
        let earlier = start("1", 10);
        watch.interrupt("UpdateItem", write, {
            let earlier = earlier.clone();
            || async move {
                notice(&second, &earlier).await;
            }
        });
        acknowledged(&notice(&first, &start("2", 30)).await);
        // Where there were not so many writes it has not been told yet.
        acknowledged(&notice(&first, &earlier).await);
        let lives = first.app.table.lives(&UserId::parse("alice").unwrap()).await.unwrap();
        let starts: Vec<u64> = lives.iter().map(|live| live.started_at.0 - START).collect();
        assert_eq!(starts, [10], "interrupted at write {write}");
    }
}

#[tokio::test]
async fn what_a_live_came_to_is_kept_when_another_notice_meets_its_late_end() {
    let push = |event: u8, seconds: u64| {
        let at = START + seconds;
        format!(r#""event_type":{event},"stream_id":"8888_alice","sequence":"1","event_time":{at}"#)
    };
    for write in 0..10 {
        let (first, second, watch) = two_programs().await;
        open_room(&first, "alice", "t").await;
        acknowledged(&notice(&first, &push(1, 10)).await);
        like(&first, "alice").await;
        for program in [&first, &second] {
            program.pass(60);
        }
        open_room(&first, "alice", "anew").await;
        watch.interrupt("UpdateItem", write, || async move {
            let file = File { stream: "8888_alice", id: "f1", format: "flv", from: START + 10, to: START + 50 };
            notice(&second, &file.fields()).await;
        });
        acknowledged(&notice(&first, &push(0, 50)).await);
        let lives = first.app.table.lives(&UserId::parse("alice").unwrap()).await.unwrap();
        assert_eq!(lives[0].totals.likes, 1, "interrupted at write {write}");
        assert_eq!(room(&first, "alice").await["likecount"], 0, "interrupted at write {write}");
    }
}
