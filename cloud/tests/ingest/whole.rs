//! Pushes to a whole live cloud: what the business server is told, and the bounds that all pushes have together.

use std::{
    env, fs,
    path::PathBuf,
    process,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use cloud::{
    account::{Account, CLOSED, CLOSED_BY_PEER, FAILED, Settings},
    bounds::{MAX_NOTICES, MAX_PUSHES},
    chat::Chat,
    flv::TagKind,
    library::Library,
    live::LiveCloud,
    notices::Notice,
    object_storage::ObjectStorage,
    publish::{EndReason, Ingest, Push},
    rtmp::{SILENCE_TIMEOUT, serve},
};
use protocol::{
    sign::push_url::{Domains, Scheme},
    types::{Secret, StreamId, UnixSeconds},
};
use tokio::{
    io::duplex,
    join,
    sync::mpsc::Receiver,
    time::{Instant, sleep},
};

use crate::support::{PIPE_BYTES, Publisher, VIDEO, command, connect, handshake, message, publish, tag};

const NOW: UnixSeconds = UnixSeconds(1_600_000_000);
const HEADER: &[u8] = &[0x17, 0, 0, 0, 0, 1, 1, 0, 0x1f, 0xff, 0xe1, 0, 1, 0x67, 1, 0, 1, 0x68];
const PICTURE: &[u8] = &[0x17, 1, 0, 0, 0, 0, 0, 0, 1, 0x65];

/// A live cloud in a folder that is deleted with it, and its notices.
struct World {
    cloud: Arc<LiveCloud>,
    notices: Receiver<Notice>,
    domains: Domains,
    folder: PathBuf,
}

impl World {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = env::temp_dir().join(format!("whole-cloud-{}-{number}", process::id()));
        let domains = Domains {
            bizid: "8888".to_owned(),
            push: "8888.livepush.myqcloud.com".to_owned(),
            play: "8888.liveplay.myqcloud.com".to_owned(),
            play_scheme: Scheme::Http,
        };
        let key = || Secret::new("key");
        let settings = Settings {
            appid: "1250000000".to_owned(),
            domains: domains.clone(),
            push_key: key(),
            callback_key: key(),
            callback_path: "/callback".to_owned(),
            api_key: key(),
            secret_id: "AKID".to_owned(),
            secret_key: key(),
        };
        let library = Library::open(folder.join("recordings")).unwrap();
        let objects = ObjectStorage::new(folder.join("pictures"), "AKID".to_owned(), key());
        let (account, chat) = (Account::new(settings, "run-"), Chat::new(1_400_000_000, key()));
        let (cloud, notices) = LiveCloud::new(account, library, objects, chat, "http://cloud", || NOW);
        Self { cloud, notices, domains, folder }
    }

    /// The stream of a push URL, with its query.
    fn stream(&self, name: &str) -> String {
        let url = self.domains.push_url(&Secret::new("key"), &StreamId::parse(name).unwrap(), NOW.plus(60), None);
        url.rsplit_once('/').unwrap().1.to_owned()
    }

    /// The type and the error code of the next notice.
    async fn notice(&mut self) -> (u64, Option<u64>) {
        let notice = self.notices.recv().await.unwrap();
        (notice.fields["event_type"].as_u64().unwrap(), notice.fields["errcode"].as_u64())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.folder).unwrap();
    }
}

/// The bytes of a publisher that has begun to push.
fn begun(stream: &str) -> Vec<u8> {
    let create = command("createStream", 4.0, 0, &[cloud::rtmp::amf::Value::Null]);
    let tags = [message(VIDEO, 0, 1, HEADER), message(VIDEO, 0, 1, PICTURE)].concat();
    [handshake(), connect("live"), create, publish(stream), tags].concat()
}

#[tokio::test(start_paused = true)]
async fn the_business_server_is_told_at_once_of_a_publisher_that_was_killed_and_later_of_one_that_vanished() {
    for (is_killed, after, code) in [(true, Duration::ZERO, CLOSED_BY_PEER), (false, SILENCE_TIMEOUT, FAILED)] {
        let mut world = World::new();
        let stream = world.stream("8888_alice");
        let (client, server) = duplex(PIPE_BYTES);
        let (mut publisher, cloud) = (Publisher(client), Arc::clone(&world.cloud));
        let begin = Instant::now();
        let push = async {
            publisher.send(&begun(&stream)).await;
            // A stall of 6 s is survived.
            sleep(Duration::from_secs(6)).await;
            publisher.send(&message(VIDEO, 6000, 1, PICTURE)).await;
            sleep(Duration::from_secs(1)).await;
            // The kernel closes the connection of a killed process. Nothing comes from a machine without a network.
            let kept = if is_killed { None } else { Some(publisher) };
            (kept, Instant::now())
        };
        let told = async {
            assert_eq!(world.notice().await, (1, Some(0)));
            assert_eq!(world.notice().await, (0, Some(code)));
            Instant::now()
        };
        let (_, (_kept, gone), told) = join!(serve(server, None, &cloud), push, told);
        let since = if is_killed { gone } else { begin + Duration::from_secs(6) };
        assert_eq!(told - since, after);
        while world.cloud.is_busy() {
            std::thread::yield_now();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_push_whose_recording_fails_goes_on_and_its_end_is_told() {
    let mut world = World::new();
    let partial = world.folder.join("recordings/partial");
    fs::remove_dir(&partial).unwrap();
    // As good as a full disk: no file can be created.
    fs::write(&partial, "").unwrap();
    let stream = world.stream("8888_alice");
    let mut push = world.cloud.open("live", &stream, None).unwrap();
    for (time, body) in [(0, HEADER), (0, PICTURE), (1000, PICTURE)] {
        push.tag(tag(TagKind::Video, time, body));
    }
    push.end(EndReason::Closed);
    assert_eq!((world.notice().await, world.notice().await), ((1, Some(0)), (0, Some(CLOSED))));
    while world.cloud.is_busy() {
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn there_are_as_many_pushes_as_there_may_be_and_a_refusal_says_so() {
    let mut world = World::new();
    let open = |number: usize| {
        let stream = world.stream(&format!("8888_user{number}"));
        world.cloud.open("live", &stream, None)
    };
    let pushes: Vec<_> = (0..MAX_PUSHES).map(|number| open(number).unwrap()).collect();
    let refused = open(MAX_PUSHES).map(drop).unwrap_err();
    assert_eq!(refused.0, "too many streams are pushed at the same time; try again later");
    for push in pushes {
        push.end(EndReason::Closed);
    }
    while world.cloud.is_busy() {
        std::thread::yield_now();
    }
    open(0).unwrap().end(EndReason::Closed);
    while world.cloud.is_busy() {
        std::thread::yield_now();
    }
    // Each push has a notice of its start and of its end.
    let mut count = 0;
    while world.notices.try_recv().is_ok() {
        count += 1;
    }
    assert_eq!(count, 2 * (MAX_PUSHES + 1));
}

#[tokio::test]
async fn notices_that_nobody_takes_fill_no_memory() {
    let mut world = World::new();
    let stream = world.stream("8888_alice");
    for _ in 0..=MAX_NOTICES / 2 {
        world.cloud.open("live", &stream, None).unwrap().end(EndReason::Closed);
        while world.cloud.is_busy() {
            std::thread::yield_now();
        }
    }
    let mut count = 0;
    while world.notices.try_recv().is_ok() {
        count += 1;
    }
    assert_eq!(count, MAX_NOTICES);
}
