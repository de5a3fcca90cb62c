//! Each rule of decision 13, on both sides of its boundaries. Here: rules 1 to 3 and 6.

mod prune;
mod replays;

use super::*;

const GRACE: u64 = 60;

fn started(push: &str, at: u64) -> Evidence {
    Evidence::Started { user_stream: UserStream::Own, push: push.to_owned(), at: UnixSeconds(at) }
}

fn ended(push: &str, at: u64, seconds: u64) -> Evidence {
    ended_for(push, at, Some(seconds), None)
}

/// The end of a push without a duration.
fn ended_some_time(push: &str, at: u64) -> Evidence {
    ended_for(push, at, None, None)
}

/// The end of a push with a reason.
fn ended_for(push: &str, at: u64, seconds: Option<u64>, reason: Option<(u64, u64)>) -> Evidence {
    let reason = reason.map(|(code, detail)| Reason { code, detail, message: String::new() });
    Evidence::Ended { user_stream: UserStream::Own, push: push.to_owned(), at: UnixSeconds(at), seconds, reason }
}

fn requested(at: u64) -> Evidence {
    Evidence::StartRequested(UnixSeconds(at))
}

fn on(at: u64) -> Evidence {
    Evidence::On(UnixSeconds(at))
}

fn off(at: u64) -> Evidence {
    Evidence::Off(UnixSeconds(at), End::Left)
}

fn file(id: &str, format: &str, from: u64, to: u64) -> Evidence {
    file_of(UserStream::Own, id, format, from, to)
}

fn file_of(user_stream: UserStream, id: &str, format: &str, from: u64, to: u64) -> Evidence {
    let (file, url, format) = (FileId::parse(id).unwrap(), format!("http://vod/{id}"), format.to_owned());
    let (vod_file, start, end, version) = (String::new(), UnixSeconds(from), UnixSeconds(to), Version::default());
    Evidence::Recorded(Recording { user_stream, part: ReplayPart { file, vod_file, url, format, start, end, version } })
}

fn timeline_of(evidence: &[Evidence]) -> Timeline {
    let mut timeline = Timeline::default();
    for event in evidence {
        timeline.add(event.clone());
    }
    timeline
}

/// The start and the end of each live; `None` for one that goes on.
fn lives(evidence: &[Evidence]) -> Vec<(u64, Option<u64>)> {
    let lives = timeline_of(evidence).lives(GRACE);
    lives.iter().map(|live| (live.start.0, live.end.map(|(end, _)| end.0))).collect()
}

/// The broadcast of each live; 0 for none.
fn broadcasts(evidence: &[Evidence]) -> Vec<u64> {
    timeline_of(evidence).lives(GRACE).iter().map(|live| live.broadcast.unwrap_or_default().0).collect()
}

/// The start request with the title of each live; 0 for none.
fn titles(evidence: &[Evidence]) -> Vec<u64> {
    timeline_of(evidence).lives(GRACE).iter().map(|live| live.described_by.unwrap_or_default().0).collect()
}

fn last_broadcast(evidence: &[Evidence]) -> Option<u64> {
    timeline_of(evidence).broadcasts().last().map(|opened_at| opened_at.0)
}

fn replays(evidence: &[Evidence]) -> Vec<ReplayFiles> {
    let timeline = timeline_of(evidence);
    timeline.replays(&timeline.lives(GRACE))
}

/// The files of each replay: "a c" is one replay of two files.
fn files(evidence: &[Evidence]) -> Vec<String> {
    let files = |replay: ReplayFiles| {
        let mut files: Vec<String> = replay.parts.iter().map(|part| part.file.to_string()).collect();
        files.sort();
        files.join(" ")
    };
    let mut replays: Vec<String> = replays(evidence).into_iter().map(files).collect();
    replays.sort();
    replays
}

#[test]
fn a_push_starts_and_ends() {
    assert_eq!(lives(&[started("1", 10)]), [(10, None)]);
    assert_eq!(lives(&[started("1", 10), ended("1", 20, 10)]), [(10, Some(20))]);
    assert_eq!(lives(&[]), []);
}

#[test]
fn a_notice_that_comes_twice_changes_nothing() {
    let mut timeline = timeline_of(&[started("1", 10), ended("1", 20, 10)]);
    let before = timeline.clone();
    for again in [started("1", 10), ended("1", 20, 10), started("1", 30)] {
        assert!(!timeline.add(again));
    }
    assert_eq!(timeline, before);
}

#[test]
fn an_end_that_comes_before_its_start_holds() {
    assert_eq!(lives(&[ended("1", 20, 0), started("1", 10)]), [(10, Some(20))]);
}

#[test]
fn after_a_reconnect_the_end_of_the_old_push_changes_nothing() {
    let mut evidence = [started("1", 10), started("2", 30), ended("1", 31, 21)];
    for _ in 0..3 {
        evidence.rotate_left(1);
        assert_eq!(lives(&evidence), [(10, None)], "in whatever order they arrive");
    }
    assert_eq!(lives(&[started("1", 10), started("2", 30), ended("2", 40, 10)]), [(10, Some(40))], "of the new push");
}

#[test]
fn a_start_that_was_never_reported_is_the_end_minus_the_duration() {
    assert_eq!(lives(&[ended("1", 100, 40)]), [(60, Some(100))]);
    assert_eq!(lives(&[ended("1", 100, 1)]), [(99, Some(100))]);
    assert_eq!(lives(&[ended("1", 100, 40), started("1", 50)]), [(50, Some(100))], "a reported start counts");
}

#[test]
fn a_push_that_lasted_no_second_counts_only_as_an_end() {
    assert_eq!(lives(&[ended("1", 100, 0)]), []);
    assert_eq!(lives(&[started("1", 100), ended("1", 100, 0)]), []);
    assert_eq!(lives(&[started("1", 101), ended("1", 100, 0)]), [], "nor one that ended before it started");
    assert_eq!(lives(&[on(10), started("1", 100), ended("1", 100, 0)]), [(10, Some(100))]);
    assert_eq!(lives(&[started("1", 10), started("2", 40), ended("2", 40, 0)]), [(10, Some(40))]);
}

#[test]
fn the_end_of_a_push_that_was_refused_or_lasted_no_time_ends_no_other() {
    let refusals = [
        (None, Some((18, 0))),
        (None, Some((18, 503))),
        (Some(2), Some((18, 601))),
        (None, Some((19, 0))),
        (Some(0), None),
        (Some(0), Some((1, 0))),
    ];
    for (seconds, reason) in refusals {
        let refused = |at| ended_for("2", at, seconds, reason);
        assert_eq!(lives(&[started("1", 10), refused(12)]), [(10, None)], "{seconds:?} {reason:?}");
        assert_eq!(lives(&[on(10), refused(12)]), [(10, None)], "{seconds:?} {reason:?}: it says nothing of what runs");
        assert_eq!(lives(&[refused(12), started("1", 10), ended("1", 50, 40)]), [(10, Some(50))]);
        assert_eq!(lives(&[refused(12)]), []);
        // What started may have taken the place of what ran.
        assert_eq!(lives(&[started("1", 10), refused(12), started("2", 12)]), [(10, Some(12))]);
        assert_eq!(timeline_of(&[started("1", 10), refused(12)]).last_event_at(), UnixSeconds(10));
    }
    for reason in [None, Some((1, 0)), Some((21, 100))] {
        assert_eq!(lives(&[started("1", 10), ended_for("2", 12, None, reason)]), [(10, Some(12))], "{reason:?}");
    }
}

#[test]
fn the_end_of_a_push_that_a_newer_one_replaced_ends_no_other() {
    for detail in [102, 103] {
        let replaced = |seconds| ended_for("1", 31, seconds, Some((21, detail)));
        assert_eq!(lives(&[started("2", 30), replaced(None)]), [(30, None)]);
        assert_eq!(lives(&[started("2", 30), replaced(Some(21))]), [(10, None)], "and it was a part of the live");
        assert_eq!(lives(&[started("1", 10), replaced(Some(21))]), [(10, Some(31))], "it ends itself");
    }
}

#[test]
fn an_end_is_unconfirmed_while_the_start_of_the_running_push_is_known_and_its_own_end_is_not() {
    let doubt = |evidence: &[Evidence]| timeline_of(evidence).unconfirmed_end().map(|end| end.0);
    let by_another = [started("1", 10), ended_some_time("2", 40)];
    let and = |event| [by_another.as_slice(), &[event]].concat();
    assert_eq!(doubt(&by_another), Some(40));
    assert_eq!(doubt(&[started("1", 10), Evidence::Off(UnixSeconds(40), End::Stopped)]), Some(40));
    assert_eq!(doubt(&and(ended("1", 40, 30))), None, "its own end is reported");
    assert_eq!(doubt(&and(started("2", 20))), None, "the start of the other push is reported");
    assert_eq!(doubt(&[started("1", 10), off(40)]), None, "the app knows what it does");
    assert_eq!(doubt(&[on(10), ended_some_time("2", 40)]), None);
    let goes_on = and(on(40));
    assert_eq!((doubt(&goes_on), lives(&goes_on)), (None, vec![(10, None)]));
    assert_eq!(lives(&[goes_on.as_slice(), &[ended("1", 90, 80)]].concat()), [(10, Some(90))]);
}

#[test]
fn the_end_of_a_push_of_unknown_start_ends_the_running_push() {
    // As recorded traffic has it, even if it lasted long enough to have started before what runs.
    assert_eq!(lives(&[started("2", 30), ended("1", 31, 2)]), [(29, Some(31))]);
    let with_start = [started("2", 30), started("1", 29), ended("1", 31, 2)];
    assert_eq!(lives(&with_start), [(29, None)], "unless its start is reported");
}

#[test]
fn status_reports_turn_an_idle_stream_on_and_a_running_stream_off() {
    assert_eq!(lives(&[on(10)]), [(10, None)]);
    assert_eq!(lives(&[on(10), off(20)]), [(10, Some(20))]);
    assert_eq!(lives(&[off(20)]), []);
    assert_eq!(lives(&[started("1", 10), on(15), ended("1", 20, 10)]), [(10, Some(20))]);
    assert_eq!(lives(&[started("1", 10), off(15), ended("1", 20, 10)]), [(10, Some(15))]);
    assert_eq!(lives(&[on(5), started("1", 10), ended("1", 20, 10)]), [(5, Some(20))]);
    assert_eq!(lives(&[on(5), ended("0", 9, 2)]), [(5, Some(9))], "of no push: any end ends it");
}

#[test]
fn the_reason_is_that_of_what_turned_it_off() {
    let reason = |evidence: &[Evidence]| timeline_of(evidence).lives(GRACE)[0].end.unwrap().1;
    let banned = Evidence::Off(UnixSeconds(15), End::Banned);
    assert_eq!(reason(&[started("1", 10), ended("1", 20, 10)]), End::Stopped);
    assert_eq!(reason(&[started("1", 10), off(15)]), End::Left);
    assert_eq!(reason(&[started("1", 10), banned.clone(), ended("1", 20, 10)]), End::Banned);
    assert_eq!(reason(&[started("1", 10), banned, started("2", 25), ended("2", 30, 5)]), End::Stopped);
}

#[test]
fn events_of_one_second_count_in_the_order_of_arrival() {
    assert_eq!(lives(&[off(10), on(10)]), [(10, None)]);
    assert_eq!(lives(&[on(10), off(10)]), [(10, Some(10))]);
    assert_eq!(lives(&[started("1", 10), ended("1", 30, 20), started("2", 30)]), [(10, None)]);
    assert_eq!(lives(&[started("1", 10), started("2", 30), ended("1", 30, 20)]), [(10, None)]);
}

#[test]
fn a_gap_of_the_grace_is_in_one_live_and_a_second_more_is_not() {
    let with_gap = |gap| lives(&[started("1", 10), ended("1", 20, 10), started("2", 20 + gap)]);
    assert_eq!(with_gap(GRACE), [(10, None)]);
    assert_eq!(with_gap(GRACE + 1), [(10, Some(20)), (20 + GRACE + 1, None)]);
}

#[test]
fn a_start_request_in_a_gap_separates_lives_that_the_grace_would_join() {
    let with_request = |at| {
        let evidence = [requested(1), started("1", 10), ended("1", 20, 10), requested(at), started("2", 40)];
        (lives(&evidence).len(), broadcasts(&evidence))
    };
    assert_eq!(with_request(12), (1, vec![12]), "two seconds after the start of the first it is the first one's");
    assert_eq!(with_request(13), (2, vec![1, 13]));
    assert_eq!(with_request(42), (2, vec![1, 42]), "the cloud's clock may be behind by two seconds");
    assert_eq!(with_request(43), (1, vec![1]));
}

#[test]
fn a_live_goes_on_with_a_push_that_was_requested_during_the_last_one() {
    let evidence = [requested(1), started("1", 10), requested(20), started("2", 25), ended("1", 26, 16)];
    assert_eq!(lives(&evidence), [(10, None)]);
    assert_eq!((broadcasts(&evidence), titles(&evidence)), (vec![1], vec![20]));
}

#[test]
fn a_start_request_before_a_late_end_renews_the_broadcast_and_one_after_it_begins_another() {
    let with_end = |at| {
        let evidence = [requested(1), started("1", 10), requested(60), started("2", 65), ended("1", at, at - 10)];
        (lives(&evidence), broadcasts(&evidence), titles(&evidence))
    };
    assert_eq!(with_end(59), (vec![(10, Some(59)), (65, None)], vec![1, 60], vec![1, 60]));
    assert_eq!(with_end(60), (vec![(10, None)], vec![1], vec![60]), "within one second, as they came");
}

#[test]
fn a_start_request_that_arrives_while_the_stream_is_known_to_be_off_begins_a_broadcast() {
    // The cloud's clock is ahead of ours.
    let evidence = [requested(1), started("1", 10), ended("1", 52, 42), requested(51), started("2", 55)];
    assert_eq!((lives(&evidence), broadcasts(&evidence)), (vec![(10, Some(52)), (55, None)], vec![1, 51]));
    let evidence = [requested(1), started("1", 12), requested(11)];
    assert_eq!((broadcasts(&evidence), titles(&evidence)), (vec![1], vec![11]), "and was on");
}

#[test]
fn a_start_request_that_turns_out_to_be_during_a_push_begins_no_broadcast() {
    let with_start = |at| {
        let broadcasts = timeline_of(&[requested(1), requested(60), started("1", at)]).broadcasts();
        (broadcasts.last(), broadcasts.of(UnixSeconds(60)))
    };
    assert_eq!(with_start(57), (Some(UnixSeconds(1)), Some(UnixSeconds(1))));
    assert_eq!(with_start(58), (Some(UnixSeconds(60)), Some(UnixSeconds(60))), "the request may be for this push");
}

#[test]
fn the_first_start_request_begins_a_broadcast_also_while_the_stream_is_on() {
    assert_eq!(last_broadcast(&[started("1", 10), requested(60)]), Some(60));
}

#[test]
fn two_start_requests_in_one_second_are_one_broadcast_also_if_the_stream_ran_in_between() {
    assert_eq!(last_broadcast(&[requested(10), on(10), requested(10)]), Some(10));
    let evidence = [requested(1), on(5), requested(10), off(10), requested(10), on(11)];
    assert_eq!(broadcasts(&evidence), [1, 10], "but the second time it was off");
    let mut timeline = timeline_of(&[requested(10)]);
    assert!(!timeline.add(requested(10)), "no event in between");
}

#[test]
fn a_live_has_the_title_of_the_last_start_request_before_its_end() {
    let mut evidence = vec![requested(1), started("1", 10), requested(20), requested(30), ended("1", 40, 30)];
    assert_eq!(titles(&evidence), [30]);
    evidence.extend([started("2", 200), requested(300)]);
    assert_eq!((broadcasts(&evidence), titles(&evidence)), (vec![1, 1], vec![30, 300]));
    assert_eq!(timeline_of(&evidence).last_start_request(), Some(UnixSeconds(300)));
    evidence.extend([file("a", "flv", 15, 40), file("b", "flv", 120, 180)]);
    let of_replays: Vec<_> = replays(&evidence).iter().map(|replay| replay.described_by.unwrap().0).collect();
    assert_eq!(of_replays, [30, 30]);
}

#[test]
fn a_live_belongs_to_the_last_broadcast_until_two_seconds_after_its_start() {
    assert_eq!(broadcasts(&[requested(1), requested(12), requested(13), started("1", 10)]), [12]);
    assert_eq!(broadcasts(&[requested(50), requested(60), started("1", 10)]), [0], "or of none");
}

#[test]
fn a_stream_of_the_room_service_has_lives_of_its_own_and_does_not_turn_the_room_on() {
    let user_stream = UserStream::RoomService("1400_alice".to_owned());
    let start = Evidence::Started { user_stream: user_stream.clone(), push: "1".to_owned(), at: UnixSeconds(10) };
    let timeline = timeline_of(&[start.clone(), started("1", 15), off(20)]);
    let lives = timeline.lives(GRACE);
    let ends: Vec<_> = lives.iter().map(|live| (&live.user_stream, live.end.map(|(end, _)| end.0))).collect();
    assert_eq!(ends, [(&UserStream::Own, Some(20)), (&user_stream, None)]);
    assert!(!timeline.is_on());
    let evidence = [start, started("1", 15), file("a", "mp4", 20, 90), file_of(user_stream, "b", "mp4", 20, 90)];
    assert_eq!(files(&evidence), ["a", "b"]);
}

#[test]
fn events_ahead_of_now_count_as_of_now_and_guessed_ends_ahead_of_now_are_dropped() {
    let now = UnixSeconds(1_600_000_000);
    let ahead = now.0 + 2 * 24 * 3600;
    let capped = |evidence: &[Evidence]| {
        let mut timeline = timeline_of(evidence);
        assert!(timeline.cap(now) && !timeline.cap(now));
        timeline
    };
    let mut timeline = capped(&[requested(10), requested(ahead), off(ahead)]);
    assert_eq!(timeline.broadcasts().last(), Some(now));
    assert_eq!(timeline.last_start_request(), Some(UnixSeconds(ahead)), "the key of the title stays");
    timeline.add(requested(now.0));
    timeline.add(started("1", now.0));
    assert!(timeline.is_on());
    assert_eq!(timeline.lives(GRACE)[0].described_by, Some(now), "the last start request counts");
    let again: Timeline = serde_json::from_str(&serde_json::to_string(&timeline).unwrap()).unwrap();
    assert_eq!(again, timeline);
    let guesses = [End::Vanished, End::Silent].map(|end| Evidence::Off(UnixSeconds(ahead), end));
    assert_eq!(capped(&[[started("1", 10)].as_slice(), &guesses].concat()).lives(GRACE)[0].end, None);
    let ends = |evidence: &[Evidence]| capped(evidence).lives(GRACE)[0].end.map(|(end, _)| end);
    assert_eq!(ends(&[started("1", 10), off(ahead)]), Some(now), "the app knows what it does");
    assert_eq!(ends(&[started("1", 10), ended("1", ahead, 60)]), Some(now));
    assert!(!timeline_of(&[started("1", 10), ended("1", now.0 + 30, 20)]).cap(now), "clocks differ a little");
    assert!(!timeline_of(&[started("1", now.0)]).cap(UnixSeconds(1000)), "a clock that was never set says nothing");
}
