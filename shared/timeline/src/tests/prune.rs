//! What a timeline forgets, and what it keeps.

use super::*;
use crate::prune::MAX_START_REQUESTS;

/// A timeline of these events after pruning: the lives, the replays, and the timeline.
fn pruned(evidence: &[Evidence]) -> (Vec<Live>, Vec<ReplayFiles>, Timeline) {
    let mut timeline = timeline_of(evidence);
    timeline.prune(UnixSeconds(0), GRACE);
    let lives = timeline.lives(GRACE);
    (lives.clone(), timeline.replays(&lives), timeline)
}

/// Asserts that no event is new to a timeline, so that repeated notices change nothing.
#[track_caller]
fn assert_known(timeline: &Timeline, evidence: &[Evidence]) {
    let mut again = timeline.clone();
    for event in evidence {
        let is_forgotten = matches!(event, Evidence::Recorded(recording) if again.may_have_forgotten(recording));
        assert!(is_forgotten || !again.add(event.clone()), "{event:?}");
    }
    assert_eq!(again, *timeline);
}

#[test]
fn a_start_request_is_kept_while_events_of_its_broadcast_may_still_arrive() {
    let mut timeline = timeline_of(&[requested(1000), requested(2000)]);
    timeline.prune(UnixSeconds(900), GRACE);
    timeline.add(started("1", 1500));
    assert_eq!(timeline.lives(GRACE)[0].broadcast, Some(UnixSeconds(1000)));
    timeline.add(ended("1", 1600, 100));
    timeline.prune(UnixSeconds(2001), GRACE);
    assert_eq!((timeline.start_requests.len(), timeline.broadcasts().last()), (1, Some(UnixSeconds(2000))));
}

#[test]
fn repeated_start_requests_do_not_displace_the_one_that_began_the_broadcast() {
    let evidence = [requested(1), started("1", 10), ended("1", 20, 10), requested(30), started("2", 40)];
    let mut timeline = timeline_of(&evidence);
    for at in 100..1000 {
        timeline.add(requested(at));
        timeline.prune(UnixSeconds(0), GRACE);
    }
    assert_eq!(timeline.start_requests.len(), MAX_START_REQUESTS);
    let lives = timeline.lives(GRACE);
    let broadcasts: Vec<_> =
        lives.iter().map(|live| (live.broadcast.unwrap().0, live.described_by.unwrap().0)).collect();
    assert_eq!(broadcasts, [(1, 1), (30, 999)]);
    // The last request turns out to come after the end of the live.
    timeline.add(ended("2", 998, 958));
    assert_eq!(timeline.broadcasts().last(), Some(UnixSeconds(999)));
}

#[test]
fn beyond_the_limit_of_start_requests_the_oldest_broadcasts_are_forgotten() {
    let mut timeline = Timeline::default();
    for n in 0..300 {
        timeline.add(requested(100 * n));
        timeline.add(started(&n.to_string(), 100 * n + 10));
        timeline.add(ended(&n.to_string(), 100 * n + 20, 10));
    }
    timeline.prune(UnixSeconds(0), GRACE);
    let kept: Vec<u64> = timeline.start_requests.iter().map(|request| request.stamp.at.0).collect();
    assert_eq!((kept.len(), kept[0]), (MAX_START_REQUESTS, 4400));
    assert_eq!(timeline.broadcasts().last(), Some(UnixSeconds(29_900)));
}

#[test]
fn start_requests_keep_their_meaning_when_the_events_that_decided_it_are_forgotten() {
    let mut timeline = timeline_of(&[requested(1), started("1", 10), requested(20), requested(30), ended("1", 40, 30)]);
    timeline.prune(UnixSeconds(100), GRACE);
    assert_eq!(timeline.lives(GRACE), []);
    timeline.add(started("2", 200));
    let live = &timeline.lives(GRACE)[0];
    assert_eq!((live.broadcast, live.described_by), (Some(UnixSeconds(1)), Some(UnixSeconds(30))));
    assert_eq!(timeline.start_requests.len(), 2);
}

#[test]
fn a_live_is_forgotten_as_a_whole() {
    let pushes = [requested(50), started("1", 100), ended("1", 200, 100), started("2", 220), ended("2", 300, 80)];
    let files = [file("a", "flv", 100, 200), file("b", "flv", 220, 300)];
    let mut timeline = timeline_of(&[pushes.as_slice(), &files].concat());
    let lives = timeline.lives(GRACE);
    timeline.prune(UnixSeconds(300), GRACE);
    assert_eq!(timeline.lives(GRACE), lives);
    assert!(timeline.has_file(&FileId::parse("a").unwrap()));
    timeline.prune(UnixSeconds(301), GRACE);
    assert_eq!(timeline.lives(GRACE), []);
    assert!(!timeline.has_file(&FileId::parse("b").unwrap()));
}

#[test]
fn beyond_the_limits_the_oldest_lives_are_forgotten_with_their_replays_and_their_events_are_not_new_when_repeated() {
    let live = |n: u64| {
        let at = 1000 * n;
        let (push, flv, hls) = (n.to_string(), format!("flv{n}"), format!("hls{n}"));
        let files = [file(&flv, "flv", at, at + 100), file(&hls, "hls", at, at + 103)];
        [started(&push, at), ended(&push, at + 100, 100)].into_iter().chain(files)
    };
    let evidence: Vec<Evidence> = (1..=300).flat_map(live).collect();
    let (lives, replays, mut timeline) = pruned(&evidence);
    assert_eq!((lives.len(), lives[0].start), (200, UnixSeconds(101_000)));
    assert_eq!(replays.len(), 200);
    assert!(replays.iter().all(|replay| replay.parts.len() == 2 && replay.live.is_some()));
    assert_known(&timeline, &evidence);
    // An unknown event is new if it is not before the horizon.
    assert!(!timeline.add(started("late", 99_500)));
    assert!(timeline.add(started("late", 101_500)));
    assert!(timeline.add(ended("late", 99_500, 10)), "of a push that is known");
}

#[test]
fn one_live_beyond_the_limits_keeps_its_start_and_its_rows() {
    let mut evidence = vec![requested(1)];
    for n in 0..500 {
        let (at, push) = (100 + 20 * n, n.to_string());
        evidence.extend([started(&push, at), ended(&push, at + 15, 15)]);
        evidence.push(file(&format!("f{n}"), if n == 0 { "hls" } else { "flv" }, at, at + 15));
    }
    let (lives, kept, timeline) = pruned(&evidence);
    assert_eq!(lives, timeline_of(&evidence).lives(GRACE));
    let shown = |replay: &ReplayFiles| {
        let urls = [replay.play_url(), replay.hls_url()].map(|url| url.map(str::to_owned));
        (replay.file.clone(), replay.start, replay.end, urls)
    };
    assert!(kept.iter().map(shown).eq(replays(&evidence).iter().map(shown)));
    assert_eq!((timeline.pushes.len(), timeline.files.len()), (256, 400));
    assert_known(&timeline, &evidence[1..]);
}

#[test]
fn a_timeline_is_bounded_in_bytes_for_the_longest_names_and_streams() {
    let four = |count: usize| "\u{2070e}".repeat(count);
    let mut timeline = Timeline::default();
    for user_stream in [UserStream::Own, UserStream::RoomService(four(255))] {
        for n in 0..160 {
            let (push, at) = (format!("{}{n}", four(120)), UnixSeconds(20 * n));
            timeline.add(Evidence::Started { user_stream: user_stream.clone(), push, at });
            let part = ReplayPart {
                file: FileId::parse(&format!("{}{n}", four(190))).unwrap(),
                vod_file: four(200),
                url: format!("http://{}", four(1000)),
                format: "mp4".to_owned(),
                start: at,
                end: at.plus(20),
                version: Version::default(),
            };
            timeline.add(Evidence::Recorded(Recording { user_stream: user_stream.clone(), part }));
            if n % 20 == 19 {
                timeline.prune(UnixSeconds(0), GRACE);
            }
        }
    }
    let bytes = protocol::json::bytes_of(&timeline);
    assert!((100_000..=240_000).contains(&bytes), "{bytes} bytes");
    assert_eq!(timeline.lives(GRACE)[0].start, UnixSeconds(0), "the live that goes on starts when it did");
}

#[test]
fn a_timeline_pruned_by_a_clock_far_ahead_accepts_events_once_the_clock_is_right() {
    let now = UnixSeconds(1_600_000_000);
    let mut timeline = timeline_of(&[requested(now.0 - 100)]);
    timeline.prune(now.plus(5 * 24 * 3600), GRACE);
    timeline.cap(now);
    assert!(timeline.add(started("push", now.0 - 5)));
    assert!(timeline.is_on());
}
