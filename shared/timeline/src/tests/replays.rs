//! Rules 4 and 5 of decision 13: replays.

use super::*;

/// The one replay there is.
fn replay(evidence: &[Evidence]) -> ReplayFiles {
    let mut replays = replays(evidence);
    assert_eq!(replays.len(), 1, "{replays:?}");
    replays.remove(0)
}

#[test]
fn the_files_of_a_live_are_one_replay() {
    let live = [started("1", 100), ended("1", 200, 100), started("2", 230), ended("2", 300, 70)];
    let recorded = [file("a", "flv", 100, 200), file("b", "flv", 230, 300), file("c", "mp4", 150, 160)];
    assert_eq!(files(&[live.as_slice(), &recorded].concat()), ["a b c"]);
}

#[test]
fn a_file_is_of_the_live_that_it_overlaps_most_or_of_the_earlier_of_two_alike() {
    let live = [started("1", 100), ended("1", 200, 100), started("2", 300), ended("2", 400, 100)];
    let recorded = [file("a", "flv", 100, 200), file("b", "flv", 300, 400)];
    let with = |from, to| files(&[live.as_slice(), &recorded, &[file("c", "flv", from, to)]].concat());
    assert_eq!(with(150, 350), ["a c", "b"], "as much of each");
    assert_eq!(with(150, 351), ["a", "b c"]);
    assert_eq!(with(199, 300), ["a c", "b"]);
    assert_eq!(with(200, 300), ["a", "b", "c"], "touching is not overlapping");
}

#[test]
fn files_of_no_live_are_one_replay_if_they_overlap_directly_or_through_others() {
    let (a, b, c) = (file("a", "flv", 100, 200), file("b", "flv", 190, 300), file("c", "flv", 299, 400));
    assert_eq!(files(&[a.clone(), c.clone()]), ["a", "c"]);
    assert_eq!(files(&[a.clone(), c, b]), ["a b c"]);
    assert_eq!(files(&[a.clone(), file("d", "flv", 200, 300)]), ["a", "d"], "touching is not overlapping");
    let of_room_service = file_of(UserStream::RoomService("1400_alice".to_owned()), "e", "flv", 100, 200);
    assert_eq!(files(&[a, of_room_service]), ["a", "e"], "another stream");
}

#[test]
fn a_replay_is_named_by_the_file_that_came_first_and_lasts_from_the_first_second_to_the_last() {
    let replay = replay(&[file("b", "flv", 190, 300), file("a", "flv", 100, 200), file("a", "flv", 1, 2)]);
    assert_eq!((replay.file.as_str(), replay.start.0, replay.end.0), ("b", 100, 300));
    assert_eq!(replay.parts.len(), 2);
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
