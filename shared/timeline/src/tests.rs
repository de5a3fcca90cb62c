//! Each rule of decision 13, on both sides of its boundaries.

use std::collections::BTreeSet;

use super::{prune::MAX_START_REQUESTS, *};

const GRACE: u64 = 60;

fn started(push: &str, at: u64) -> Evidence {
    Evidence::Started { user_stream: UserStream::Own, push: push.to_owned(), at: UnixSeconds(at) }
}

fn ended(push: &str, at: u64, seconds: u64) -> Evidence {
    ended_for(push, at, Some(seconds), None)
}

/// An end that does not tell how long the push lasted.
fn ended_some_time(push: &str, at: u64) -> Evidence {
    ended_for(push, at, None, None)
}

/// An end for a reason of the cloud's table.
fn ended_for(push: &str, at: u64, seconds: Option<u64>, reason: Option<(u64, u64)>) -> Evidence {
    let reason = reason.map(|(code, detail)| Reason { code, detail, message: String::new() });
    Evidence::Ended { user_stream: UserStream::Own, push: push.to_owned(), at: UnixSeconds(at), seconds, reason }
}

fn opened(at: u64) -> Evidence {
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
    let url = Text::parse(&format!("http://vod/{id}")).unwrap();
    let (file, format) = (FileId::parse(id).unwrap(), Text::parse(format).unwrap());
    let (start, end, version) = (UnixSeconds(from), UnixSeconds(to), Version::default());
    Evidence::Recorded(Recording { user_stream, file, vod_file: Text::default(), url, format, start, end, version })
}

fn told(evidence: &[Evidence]) -> Timeline {
    let mut timeline = Timeline::default();
    for piece in evidence {
        timeline.add(piece.clone());
    }
    timeline
}

/// From when until when each live lasted; one that goes on has no end.
fn lives(evidence: &[Evidence]) -> Vec<(u64, Option<u64>)> {
    let lives = told(evidence).lives(GRACE);
    lives.iter().map(|live| (live.start.0, live.end.map(|(end, _)| end.0))).collect()
}

/// The show of each live; 0 if it is of none.
fn broadcasts(evidence: &[Evidence]) -> Vec<u64> {
    told(evidence).lives(GRACE).iter().map(|live| live.broadcast.unwrap_or_default().0).collect()
}

/// The openings by which the lives are called; 0 if there is none.
fn names(evidence: &[Evidence]) -> Vec<u64> {
    told(evidence).lives(GRACE).iter().map(|live| live.info_at.unwrap_or_default().0).collect()
}

/// The files of each replay.
fn files(evidence: &[Evidence]) -> BTreeSet<Vec<String>> {
    let timeline = told(evidence);
    let replays = timeline.replays(&timeline.lives(GRACE));
    let files = |replay: &ReplayFiles| {
        let mut files: Vec<String> = replay.parts.iter().map(|part| part.file.to_string()).collect();
        files.sort();
        files
    };
    replays.iter().map(files).collect()
}

fn sets<const N: usize>(of: [&[&str]; N]) -> BTreeSet<Vec<String>> {
    of.iter().map(|files| files.iter().map(|file| (*file).to_owned()).collect()).collect()
}

/// The one replay there is.
fn replay(evidence: &[Evidence]) -> ReplayFiles {
    let timeline = told(evidence);
    let mut replays = timeline.replays(&timeline.lives(GRACE));
    assert_eq!(replays.len(), 1, "{replays:?}");
    replays.remove(0)
}

#[test]
fn a_push_starts_and_ends() {
    assert_eq!(lives(&[started("1", 10)]), [(10, None)]);
    assert_eq!(lives(&[started("1", 10), ended("1", 20, 10)]), [(10, Some(20))]);
    assert_eq!(lives(&[]), []);
}

#[test]
fn a_notice_that_comes_twice_changes_nothing() {
    let mut timeline = told(&[started("1", 10), ended("1", 20, 10)]);
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
    let told_in_orders = [
        [started("1", 10), started("2", 30), ended("1", 31, 21)],
        [started("2", 30), ended("1", 31, 21), started("1", 10)],
        [ended("1", 31, 21), started("1", 10), started("2", 30)],
    ];
    for evidence in told_in_orders {
        assert_eq!(lives(&evidence), [(10, None)]);
    }
}

#[test]
fn the_end_of_the_new_push_ends_the_live_though_the_old_one_never_ended() {
    assert_eq!(lives(&[started("1", 10), started("2", 30), ended("2", 40, 10)]), [(10, Some(40))]);
}

#[test]
fn a_start_that_was_never_told_is_the_end_less_the_duration() {
    assert_eq!(lives(&[ended("1", 100, 40)]), [(60, Some(100))]);
    assert_eq!(lives(&[ended("1", 100, 1)]), [(99, Some(100))]);
    assert_eq!(lives(&[ended("1", 100, 40), started("1", 50)]), [(50, Some(100))], "what was told counts");
}

#[test]
fn a_push_that_lasted_no_second_leaves_only_its_end() {
    assert_eq!(lives(&[ended("1", 100, 0)]), []);
    assert_eq!(lives(&[started("1", 100), ended("1", 100, 0)]), []);
    assert_eq!(lives(&[started("1", 101), ended("1", 100, 0)]), [], "nor one that ended before it started");
    assert_eq!(lives(&[on(10), started("1", 100), ended("1", 100, 0)]), [(10, Some(100))]);
    assert_eq!(lives(&[started("1", 10), started("2", 40), ended("2", 40, 0)]), [(10, Some(40))]);
}

#[test]
fn the_end_of_a_push_that_was_refused_or_lasted_no_time_ends_no_other() {
    let untold = [
        (None, Some((18, 0))),
        (None, Some((18, 503))),
        (Some(2), Some((18, 601))),
        (None, Some((19, 0))),
        (Some(0), None),
        (Some(0), Some((1, 0))),
    ];
    for (seconds, reason) in untold {
        let refused = |at| ended_for("2", at, seconds, reason);
        assert_eq!(lives(&[started("1", 10), refused(12)]), [(10, None)], "{seconds:?} {reason:?}");
        assert_eq!(lives(&[on(10), refused(12)]), [(10, None)], "{seconds:?} {reason:?}: it says nothing of what runs");
        assert_eq!(lives(&[refused(12), started("1", 10), ended("1", 50, 40)]), [(10, Some(50))]);
        assert_eq!(lives(&[refused(12)]), []);
        // What started may have taken the place of what ran.
        assert_eq!(lives(&[started("1", 10), refused(12), started("2", 12)]), [(10, Some(12))]);
        assert_eq!(told(&[started("1", 10), refused(12)]).last_word(), UnixSeconds(10), "nor is it a sign of life");
    }
    for reason in [None, Some((1, 0)), Some((21, 100))] {
        assert_eq!(lives(&[started("1", 10), ended_for("2", 12, None, reason)]), [(10, Some(12))], "{reason:?}");
    }
}

#[test]
fn the_end_of_a_push_whose_place_a_newer_one_took_ends_no_other() {
    for detail in [102, 103] {
        let replaced = |seconds| ended_for("1", 31, seconds, Some((21, detail)));
        assert_eq!(lives(&[started("2", 30), replaced(None)]), [(30, None)]);
        assert_eq!(lives(&[started("2", 30), replaced(Some(21))]), [(10, None)], "and it was a part of the live");
        assert_eq!(lives(&[started("1", 10), replaced(Some(21))]), [(10, Some(31))], "it ends itself");
    }
}

#[test]
fn an_end_is_doubtful_while_the_push_that_ran_was_told_of_and_its_own_end_was_not() {
    let doubt = |evidence: &[Evidence]| told(evidence).unconfirmed_end();
    let by_another = [started("1", 10), ended_some_time("2", 40)];
    assert_eq!(doubt(&by_another), Some(UnixSeconds(40)));
    assert_eq!(doubt(&[started("1", 10), Evidence::Off(UnixSeconds(40), End::Stopped)]), Some(UnixSeconds(40)));
    assert_eq!(doubt(&[by_another.as_slice(), &[ended("1", 40, 30)]].concat()), None, "its own end was told");
    assert_eq!(doubt(&[by_another.as_slice(), &[started("2", 20)]].concat()), None, "the other one was told of");
    assert_eq!(doubt(&[started("1", 10), off(40)]), None, "the app knows what it does");
    assert_eq!(doubt(&[on(10), ended_some_time("2", 40)]), None);
    let goes_on = [by_another.as_slice(), &[on(40)]].concat();
    assert_eq!((doubt(&goes_on), lives(&goes_on)), (None, vec![(10, None)]));
    assert_eq!(lives(&[goes_on.as_slice(), &[ended("1", 90, 80)]].concat()), [(10, Some(90))]);
}

#[test]
fn a_live_has_the_reason_of_the_push_with_which_it_ended() {
    let evidence = [started("1", 10), ended_for("2", 40, None, Some((18, 0))), ended_for("1", 40, None, Some((3, 0)))];
    let timeline = told(&evidence);
    assert_eq!(timeline.reason_of(&timeline.lives(GRACE)[0]).map(|reason| reason.code), Some(3));
    assert_eq!(told(&[started("1", 10)]).reason_of(&told(&[started("1", 10)]).lives(GRACE)[0]), None);
}

#[test]
fn the_end_of_a_push_whose_start_was_never_told_ends_whatever_runs() {
    // As recorded traffic has it, even if it lasted long enough to have started before what runs.
    assert_eq!(lives(&[started("2", 30), ended("1", 31, 2)]), [(29, Some(31))]);
    assert_eq!(
        lives(&[started("2", 30), started("1", 29), ended("1", 31, 2)]),
        [(29, None)],
        "unless its start is told"
    );
}

#[test]
fn marks_turn_on_what_is_off_and_off_what_is_on() {
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
    let reason = |evidence: &[Evidence]| told(evidence).lives(GRACE)[0].end.unwrap().1;
    let banned = Evidence::Off(UnixSeconds(15), End::Banned);
    assert_eq!(reason(&[started("1", 10), ended("1", 20, 10)]), End::Stopped);
    assert_eq!(reason(&[started("1", 10), off(15)]), End::Left);
    assert_eq!(reason(&[started("1", 10), banned.clone(), ended("1", 20, 10)]), End::Banned);
    assert_eq!(reason(&[started("1", 10), banned, started("2", 25), ended("2", 30, 5)]), End::Stopped);
}

#[test]
fn within_one_second_words_count_as_they_came() {
    assert_eq!(lives(&[off(10), on(10)]), [(10, None)]);
    assert_eq!(lives(&[on(10), off(10)]), [(10, Some(10))]);
    for evidence in [
        [started("1", 10), ended("1", 30, 20), started("2", 30)],
        [started("1", 10), started("2", 30), ended("1", 30, 20)],
    ] {
        assert_eq!(lives(&evidence), [(10, None)]);
    }
}

#[test]
fn a_gap_of_the_grace_is_in_one_live_and_a_second_more_is_not() {
    let with_gap = |gap| lives(&[started("1", 10), ended("1", 20, 10), started("2", 20 + gap)]);
    assert_eq!(with_gap(GRACE), [(10, None)]);
    assert_eq!(with_gap(GRACE + 1), [(10, Some(20)), (20 + GRACE + 1, None)]);
}

#[test]
fn an_opening_between_parts_what_the_grace_would_join() {
    let with_opening = |at| {
        let evidence = [opened(1), started("1", 10), ended("1", 20, 10), opened(at), started("2", 40)];
        (lives(&evidence).len(), broadcasts(&evidence))
    };
    assert_eq!(with_opening(12), (1, vec![12]), "two seconds after the start of the first it is the first one's");
    assert_eq!(with_opening(13), (2, vec![1, 13]));
    assert_eq!(with_opening(42), (2, vec![1, 42]), "the cloud's clock may be behind by two seconds");
    assert_eq!(with_opening(43), (1, vec![1]));
}

#[test]
fn a_live_goes_on_with_a_push_for_which_the_app_asked_while_the_last_one_was_on() {
    let evidence = [opened(1), started("1", 10), opened(20), started("2", 25), ended("1", 26, 16)];
    assert_eq!(lives(&evidence), [(10, None)]);
    assert_eq!((broadcasts(&evidence), names(&evidence)), (vec![1], vec![20]));
}

#[test]
fn an_opening_before_a_late_end_renews_the_show_and_one_after_it_begins_another() {
    let with_end = |at| {
        let evidence = [opened(1), started("1", 10), opened(60), started("2", 65), ended("1", at, at - 10)];
        (lives(&evidence), broadcasts(&evidence), names(&evidence))
    };
    assert_eq!(with_end(59), (vec![(10, Some(59)), (65, None)], vec![1, 60], vec![1, 60]));
    assert_eq!(with_end(60), (vec![(10, None)], vec![1], vec![60]), "within one second, as they came");
}

#[test]
fn an_opening_that_came_when_the_stream_was_off_by_what_was_told_then_begins_a_show() {
    // The cloud's clock is ahead of ours.
    let evidence = [opened(1), started("1", 10), ended("1", 52, 42), opened(51), started("2", 55)];
    assert_eq!((lives(&evidence), broadcasts(&evidence)), (vec![(10, Some(52)), (55, None)], vec![1, 51]));
    let evidence = [opened(1), started("1", 12), opened(11)];
    assert_eq!((broadcasts(&evidence), names(&evidence)), (vec![1], vec![11]), "and was on");
}

#[test]
fn an_opening_that_turns_out_to_have_come_while_a_push_was_on_begins_no_show() {
    let with_start = |at| {
        let timeline = told(&[opened(1), opened(60), started("1", at)]);
        (timeline.broadcast(), timeline.broadcast_of(UnixSeconds(60)))
    };
    assert_eq!(with_start(57), (Some(UnixSeconds(1)), Some(UnixSeconds(1))));
    assert_eq!(with_start(58), (Some(UnixSeconds(60)), Some(UnixSeconds(60))), "it may have been opened for it");
}

#[test]
fn the_first_opening_begins_a_show_though_the_stream_is_on() {
    assert_eq!(told(&[started("1", 10), opened(60)]).broadcast(), Some(UnixSeconds(60)));
}

#[test]
fn a_show_that_was_opened_twice_in_one_second_is_one_also_if_it_ran_in_between() {
    assert_eq!(told(&[opened(10), on(10), opened(10)]).broadcast(), Some(UnixSeconds(10)));
    let evidence = [opened(1), on(5), opened(10), off(10), opened(10), on(11)];
    assert_eq!(broadcasts(&evidence), [1, 10], "but the second time it was off");
    let mut timeline = told(&[opened(10)]);
    assert!(!timeline.add(opened(10)), "nothing was told in between");
}

#[test]
fn a_live_is_called_as_was_said_last_before_it_ended() {
    let mut evidence = vec![opened(1), started("1", 10), opened(20), opened(30), ended("1", 40, 30)];
    assert_eq!(names(&evidence), [30]);
    evidence.extend([started("2", 200), opened(300)]);
    assert_eq!((broadcasts(&evidence), names(&evidence)), (vec![1, 1], vec![30, 300]));
    let timeline = told(&[evidence.as_slice(), &[file("a", "flv", 15, 40), file("b", "flv", 120, 180)]].concat());
    let replays = timeline.replays(&timeline.lives(GRACE));
    let named: Vec<_> = replays.iter().map(|replay| replay.info_at.unwrap().0).collect();
    assert_eq!((named, timeline.last_start_request()), (vec![30, 30], Some(UnixSeconds(300))));
}

#[test]
fn an_app_that_asks_again_and_again_does_not_push_out_what_begins_a_show() {
    let mut timeline = told(&[opened(1), started("1", 10), ended("1", 20, 10), opened(30), started("2", 40)]);
    for at in 100..1000 {
        timeline.prune(UnixSeconds(0), GRACE);
        timeline.add(opened(at));
    }
    timeline.prune(UnixSeconds(0), GRACE);
    assert_eq!(timeline.start_requests.len(), MAX_START_REQUESTS);
    let broadcasts: Vec<_> =
        timeline.lives(GRACE).iter().map(|live| (live.broadcast.unwrap().0, live.info_at.unwrap().0)).collect();
    assert_eq!(broadcasts, [(1, 1), (30, 999)]);
    // And if it asked for the last time after the end.
    timeline.add(ended("2", 998, 958));
    assert_eq!(timeline.broadcast(), Some(UnixSeconds(999)));
}

#[test]
fn of_more_openings_than_are_kept_the_oldest_shows_go() {
    let mut timeline = Timeline::default();
    for n in 0..300 {
        timeline.add(opened(100 * n));
        timeline.add(started(&n.to_string(), 100 * n + 10));
        timeline.add(ended(&n.to_string(), 100 * n + 20, 10));
    }
    timeline.prune(UnixSeconds(0), GRACE);
    let broadcasts: Vec<u64> = timeline.broadcasts().iter().map(|broadcast| broadcast.opened_at().0).collect();
    assert_eq!(
        (broadcasts.len(), broadcasts.first(), broadcasts.last()),
        (MAX_START_REQUESTS, Some(&4400), Some(&29_900))
    );
}

#[test]
fn openings_mean_what_they_meant_when_what_they_were_judged_by_is_forgotten() {
    let mut timeline = told(&[opened(1), started("1", 10), opened(20), opened(30), ended("1", 40, 30)]);
    timeline.prune(UnixSeconds(100), GRACE);
    assert_eq!(timeline.lives(GRACE), []);
    timeline.add(started("2", 200));
    let lives = timeline.lives(GRACE);
    let live = lives.first().unwrap();
    assert_eq!((live.broadcast, live.info_at), (Some(UnixSeconds(1)), Some(UnixSeconds(30))));
    assert_eq!(timeline.start_requests.len(), 2);
}

#[test]
fn a_live_is_of_the_last_show_opened_until_two_seconds_after_its_start() {
    assert_eq!(broadcasts(&[opened(1), opened(12), opened(13), started("1", 10)]), [12]);
    assert_eq!(broadcasts(&[opened(50), opened(60), started("1", 10)]), [0], "or of none");
}

#[test]
fn a_stream_of_the_room_service_has_lives_of_its_own_and_does_not_turn_the_room_on() {
    let user_stream = UserStream::RoomService("1400_alice".to_owned());
    let start = Evidence::Started { user_stream: user_stream.clone(), push: "1".to_owned(), at: UnixSeconds(10) };
    let timeline = told(&[start.clone(), started("1", 15), off(20)]);
    let lives = timeline.lives(GRACE);
    let ends: Vec<_> = lives.iter().map(|live| (&live.user_stream, live.end.map(|(end, _)| end.0))).collect();
    assert_eq!(ends, [(&UserStream::Own, Some(20)), (&user_stream, None)]);
    assert!(!timeline.is_on());
    let evidence = [start, started("1", 15), file("a", "mp4", 20, 90), file_of(user_stream, "b", "mp4", 20, 90)];
    assert_eq!(files(&evidence), sets([&["a"], &["b"]]));
}

#[test]
fn the_files_of_a_live_are_one_replay() {
    let live = [started("1", 100), ended("1", 200, 100), started("2", 230), ended("2", 300, 70)];
    let recorded = [file("a", "flv", 100, 200), file("b", "flv", 230, 300), file("c", "mp4", 150, 160)];
    assert_eq!(files(&[live.as_slice(), &recorded].concat()), sets([&["a", "b", "c"]]));
}

#[test]
fn a_file_is_of_the_live_that_it_overlaps_most_or_of_the_earlier_of_two_alike() {
    let live = [started("1", 100), ended("1", 200, 100), started("2", 300), ended("2", 400, 100)];
    let recorded = [file("a", "flv", 100, 200), file("b", "flv", 300, 400)];
    let with = |from, to| files(&[live.as_slice(), &recorded, &[file("c", "flv", from, to)]].concat());
    assert_eq!(with(150, 350), sets([&["a", "c"], &["b"]]), "as much of each");
    assert_eq!(with(150, 351), sets([&["a"], &["b", "c"]]));
    assert_eq!(with(199, 300), sets([&["a", "c"], &["b"]]));
    assert_eq!(with(200, 300), sets([&["a"], &["b"], &["c"]]), "touching is not overlapping");
}

#[test]
fn files_of_no_live_are_one_replay_if_they_overlap_directly_or_through_others() {
    let (a, b, c) = (file("a", "flv", 100, 200), file("b", "flv", 190, 300), file("c", "flv", 299, 400));
    assert_eq!(files(&[a.clone(), c.clone()]), sets([&["a"], &["c"]]));
    assert_eq!(files(&[a.clone(), c, b]), sets([&["a", "b", "c"]]));
    assert_eq!(files(&[a, file("d", "flv", 200, 300)]), sets([&["a"], &["d"]]), "touching is not overlapping");
}

#[test]
fn a_replay_is_named_by_the_file_that_came_first_and_lasts_from_the_first_second_to_the_last() {
    let replay = replay(&[file("b", "flv", 190, 300), file("a", "flv", 100, 200), file("a", "flv", 1, 2)]);
    assert_eq!((replay.file.as_str(), replay.start.0, replay.end.0), ("b", 100, 300));
    assert_eq!(replay.parts.len(), 2);
}

#[test]
fn a_newer_notice_about_a_file_replaces_its_address_and_an_older_one_does_not() {
    let at = |address: &str, version| {
        let Evidence::Recorded(recording) = file("a", "flv", 100, 200) else { unreachable!() };
        Evidence::Recorded(Recording { url: Text::parse(address).unwrap(), version, ..recording })
    };
    let first = Version(1000, false);
    let mut timeline = told(&[at("http://vod/1", first)]);
    let url = |timeline: &Timeline| timeline.replays(&[])[0].play_url().unwrap().to_owned();
    for (address, version, expected) in [
        ("http://vod/0", Version(999, true), "http://vod/1"),
        ("http://vod/2", Version(1000, true), "http://vod/2"),
        ("http://vod/1", first, "http://vod/2"),
        ("http://vod/3", Version(1001, true), "http://vod/3"),
    ] {
        assert_eq!(timeline.add(at(address, version)), address == expected);
        assert_eq!(url(&timeline), expected, "{address}");
    }
}

#[test]
fn an_address_is_that_of_a_file_of_nine_tenths_or_else_of_the_first() {
    let url = |evidence: &[Evidence]| replay(evidence).play_url().map(str::to_owned).unwrap();
    let part = file("a", "flv", 0, 150);
    assert_eq!(url(&[part.clone(), file("b", "flv", 100, 1000)]), "http://vod/b");
    assert_eq!(url(&[part.clone(), file("b", "flv", 101, 1000)]), "http://vod/a");
    assert_eq!(url(&[file("a", "flv", 0, 950), file("b", "flv", 0, 1000)]), "http://vod/b", "the longest");
    assert_eq!(url(&[file("a", "flv", 0, 1000), file("b", "mp4", 50, 1000)]), "http://vod/b", "mp4 plays everywhere");
    assert_eq!(url(&[file("a", "flv", 0, 500), file("b", "mp4", 0, 400), file("c", "mp4", 300, 1000)]), "http://vod/b");
    assert_eq!(url(&[file("a", "flv", 0, 500), file("b", "mp4", 1, 500), file("c", "mp4", 300, 1000)]), "http://vod/a");
}

#[test]
fn hls_and_other_files_have_addresses_of_their_own() {
    let both = replay(&[file("a", "hls", 0, 100), file("b", "flv", 0, 100)]);
    assert_eq!((both.hls_url(), both.play_url()), (Some("http://vod/a"), Some("http://vod/b")));
    let hls = replay(&[file("a", "hls", 0, 100)]);
    assert_eq!((hls.hls_url(), hls.play_url()), (Some("http://vod/a"), None));
}

#[test]
fn an_opening_is_kept_while_something_of_it_may_still_be_told() {
    let mut timeline = told(&[opened(1000), opened(2000)]);
    timeline.prune(UnixSeconds(900), GRACE);
    timeline.add(started("1", 1500));
    assert_eq!(timeline.lives(GRACE)[0].broadcast, Some(UnixSeconds(1000)));
    timeline.add(ended("1", 1600, 100));
    timeline.prune(UnixSeconds(2001), GRACE);
    assert_eq!((timeline.start_requests.len(), timeline.broadcast()), (1, Some(UnixSeconds(2000))));
}

#[test]
fn what_is_of_a_time_to_come_counts_as_of_now_and_guesses_of_it_do_not_count() {
    let now = UnixSeconds(1_600_000_000);
    let ahead = now.0 + 2 * 24 * 3600;
    let capped = |evidence: &[Evidence]| {
        let mut timeline = told(evidence);
        assert!(timeline.cap(now) && !timeline.cap(now));
        timeline
    };
    let mut timeline = capped(&[opened(10), opened(ahead), off(ahead)]);
    assert_eq!(
        (timeline.broadcast(), timeline.last_start_request()),
        (Some(now), Some(UnixSeconds(ahead))),
        "kept as it was said"
    );
    timeline.add(opened(now.0));
    timeline.add(started("1", now.0));
    assert!(timeline.is_on());
    assert_eq!(timeline.lives(GRACE)[0].info_at, Some(now), "but what was said last counts");
    let again: Timeline = serde_json::from_str(&serde_json::to_string(&timeline).unwrap()).unwrap();
    assert_eq!(again, timeline);
    let guesses = [End::Vanished, End::Silent].map(|end| Evidence::Off(UnixSeconds(ahead), end));
    assert_eq!(capped(&[[started("1", 10)].as_slice(), &guesses].concat()).lives(GRACE)[0].end, None);
    let ends = |evidence: &[Evidence]| capped(evidence).lives(GRACE)[0].end.map(|(end, _)| end);
    assert_eq!(ends(&[started("1", 10), off(ahead)]), Some(now), "the app knows what it does");
    assert_eq!(ends(&[started("1", 10), ended("1", ahead, 60)]), Some(now));
    assert!(!told(&[started("1", 10), ended("1", now.0 + 30, 20)]).cap(now), "clocks differ a little");
    assert!(!told(&[started("1", now.0)]).cap(UnixSeconds(1000)), "a clock that was never set says nothing");
}

#[test]
fn a_live_is_forgotten_as_a_whole() {
    let evidence = [opened(50), started("1", 100), ended("1", 200, 100), started("2", 220), ended("2", 300, 80)];
    let mut timeline = told(&[evidence.as_slice(), &[file("a", "flv", 100, 200), file("b", "flv", 220, 300)]].concat());
    let before = timeline.clone();
    timeline.prune(UnixSeconds(300), GRACE);
    assert_eq!(timeline.lives(GRACE), before.lives(GRACE));
    assert!(timeline.has_file(&FileId::parse("a").unwrap()));
    timeline.prune(UnixSeconds(301), GRACE);
    assert_eq!(timeline.lives(GRACE), []);
    assert!(!timeline.has_file(&FileId::parse("b").unwrap()));
}

#[test]
fn the_order_of_telling_changes_only_names() {
    let evidence = [
        opened(5),
        started("1", 10),
        ended("1", 31, 21),
        started("2", 30),
        ended("2", 100, 70),
        on(35),
        off(130),
        opened(140),
        started("3", 150),
        file("a", "flv", 10, 30),
        file("b", "mp4", 95, 160),
    ];
    let projection = |timeline: &Timeline| {
        let lives = timeline.lives(GRACE);
        let mut replays: Vec<_> =
            timeline.replays(&lives).into_iter().map(|replay| (replay.parts, replay.info_at)).collect();
        replays.sort_by_key(|(parts, _)| parts[0].start);
        (lives, replays)
    };
    let expected = projection(&told(&evidence));
    let is_opening = |piece: &Evidence| matches!(piece, Evidence::StartRequested(_));
    for shift in 0..evidence.len() {
        for step in [1, 3, 7] {
            let order = (0..evidence.len()).map(|n| evidence[(n * step + shift) % evidence.len()].clone());
            let mut order: Vec<Evidence> = order.collect();
            // An opening is told when it comes: nothing of a later second is told before it.
            for start_request in evidence.iter().filter(|piece| is_opening(piece)) {
                let place = order.iter().position(|piece| piece == start_request).unwrap();
                let is_later = |n: usize, piece: &Evidence| n < place && piece.at() > start_request.at();
                let mut numbers = 0..;
                let (later, mut told): (Vec<_>, Vec<_>) =
                    order.into_iter().partition(|piece| is_later(numbers.next().unwrap(), piece));
                let place = told.iter().position(|piece| piece == start_request).unwrap();
                told.splice(place + 1..place + 1, later);
                order = told;
            }
            assert_eq!(projection(&told(&order)), expected, "{shift} {step}");
        }
    }
}

/// What a timeline with this evidence means once it has forgotten what it has no room for, and it.
fn pruned(evidence: &[Evidence]) -> (Vec<Live>, Vec<ReplayFiles>, Timeline) {
    let mut timeline = told(evidence);
    timeline.prune(UnixSeconds(0), GRACE);
    let lives = timeline.lives(GRACE);
    (lives.clone(), timeline.replays(&lives), timeline)
}

/// That none of this is new to a timeline, so that to be told of it again changes nothing.
#[track_caller]
fn assert_known(timeline: &Timeline, evidence: &[Evidence]) {
    let mut again = timeline.clone();
    for piece in evidence {
        let is_forgotten = matches!(piece, Evidence::Recorded(recording) if again.may_have_forgotten(recording));
        let is_known = is_forgotten || !again.add(piece.clone());
        assert!(is_known, "{piece:?}");
    }
    assert_eq!(again, *timeline);
}

#[test]
fn of_more_than_there_is_room_for_the_oldest_lives_go_with_their_replays_and_are_not_new_when_they_are_told_again() {
    let live = |n: u64| {
        let at = 1000 * n;
        let (push, flv, hls) = (n.to_string(), format!("flv{n}"), format!("hls{n}"));
        [
            started(&push, at),
            ended(&push, at + 100, 100),
            file(&flv, "flv", at, at + 100),
            file(&hls, "hls", at, at + 103),
        ]
    };
    let evidence: Vec<Evidence> = (1..=300).flat_map(live).collect();
    let (lives, replays, timeline) = pruned(&evidence);
    assert_eq!((lives.len(), lives[0].start), (200, UnixSeconds(101_000)));
    assert_eq!(replays.len(), 200);
    assert!(replays.iter().all(|replay| replay.parts.len() == 2 && replay.live.is_some()));
    assert_known(&timeline, &evidence);
    // What nobody was told of yet is new, if it is of a second of which nothing is forgotten.
    let mut timeline = timeline;
    assert!(!timeline.add(started("late", 99_500)));
    assert!(timeline.add(started("late", 101_500)));
    assert!(timeline.add(ended("late", 99_500, 10)), "of a push that is known");
}

#[test]
fn one_live_of_more_than_there_is_room_for_starts_and_shows_as_before() {
    let mut evidence = vec![opened(1)];
    for n in 0..500 {
        let (at, push) = (100 + 20 * n, n.to_string());
        evidence.extend([started(&push, at), ended(&push, at + 15, 15)]);
        evidence.push(file(&format!("f{n}"), if n == 0 { "hls" } else { "flv" }, at, at + 15));
    }
    let before = told(&evidence);
    let before = (before.lives(GRACE), before.replays(&before.lives(GRACE)));
    let (lives, replays, timeline) = pruned(&evidence);
    assert_eq!(lives, before.0);
    let shown = |replay: &ReplayFiles| {
        let urls = (replay.play_url().map(str::to_owned), replay.hls_url().map(str::to_owned));
        (replay.file.clone(), replay.start, replay.end, urls)
    };
    assert_eq!(replays.iter().map(shown).collect::<Vec<_>>(), before.1.iter().map(shown).collect::<Vec<_>>());
    assert_eq!((timeline.pushes.len(), timeline.files.len()), (256, 400));
    assert_known(&timeline, &evidence[1..]);
}

#[test]
fn what_is_kept_is_bounded_in_bytes_whatever_the_names_and_streams_are() {
    let four = |count: usize| "\u{2070e}".repeat(count);
    let mut timeline = Timeline::default();
    for user_stream in [UserStream::Own, UserStream::RoomService(four(255))] {
        for n in 0..160 {
            let (push, at) = (format!("{}{n}", four(120)), UnixSeconds(20 * n));
            timeline.add(Evidence::Started { user_stream: user_stream.clone(), push, at });
            let file = Recording {
                user_stream: user_stream.clone(),
                file: FileId::parse(&format!("{}{n}", four(190))).unwrap(),
                vod_file: Text::parse(&four(200)).unwrap(),
                url: Text::parse(&format!("http://{}", four(1000))).unwrap(),
                format: Text::parse("mp4").unwrap(),
                start: at,
                end: at.plus(20),
                version: Version::default(),
            };
            timeline.add(Evidence::Recorded(file));
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
fn a_timeline_that_a_clock_far_ahead_has_pruned_takes_what_is_told_once_the_clock_is_right() {
    let now = UnixSeconds(1_600_000_000);
    let mut timeline = told(&[opened(now.0 - 100)]);
    timeline.prune(now.plus(5 * 24 * 3600), GRACE);
    timeline.cap(now);
    assert!(timeline.add(started("push", now.0 - 5)));
    assert!(timeline.is_on());
}

#[test]
fn refused_pushes_do_not_move_the_start_of_a_live_that_has_more_pushes_than_there_is_room_for() {
    let mut evidence = vec![opened(1), started("first", 100)];
    for n in 0..300 {
        let (push, at) = (format!("refused {n}"), UnixSeconds(200 + n));
        evidence.push(Evidence::Ended { user_stream: UserStream::Own, push, at, seconds: Some(0), reason: None });
    }
    let (lives, _, timeline) = pruned(&evidence);
    assert_eq!((lives.len(), lives[0].start, lives[0].end), (1, UnixSeconds(100), None));
    assert!(timeline.pushes.len() <= 256);
}
