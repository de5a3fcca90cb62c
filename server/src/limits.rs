//! The limits of the server: its times, and the numbers of its connections, long bodies and open files.

use std::time::Duration;

use protocol::wire::MAX_BODY_BYTES;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::Semaphore;

/// The longest body that is read without a permit of [`LONG_BODIES`]. Bodies of apps have some hundred bytes.
pub(crate) const SHORT_BODY_BYTES: usize = 64 * 1024;
/// Limits the number of longer bodies in memory. Without the limit all connections together could fill a gigabyte.
pub(crate) static LONG_BODIES: Semaphore = Semaphore::const_new(MAX_LONG_BODIES);
pub(crate) const MAX_LONG_BODIES: usize = 32;
/// How much of a too long body is read and discarded, so that the client gets to read the answer.
pub(crate) const DISCARDED_BYTES: usize = 8 * MAX_BODY_BYTES;
/// The limit of open files that the server requests: for a connection from each client, a connection to the table or
/// the cloud for each call, and the files of the embedded table.
const OPEN_FILES: u64 = 4096;

/// The time limits of connections, and their numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// The maximum number of connections; further connections wait to be accepted.
    pub(crate) connections: usize,
    /// The maximum number of connections of one client, so that one client cannot use up all connections.
    pub(crate) connections_per_client: usize,
    /// How long a new connection, and a connection with an answer being sent, is spared from eviction.
    pub(crate) grace: Duration,
    /// The time limit for the head of a request, from the start of the connection or from the last answer.
    pub(crate) head: Duration,
    /// The time limit for a short body.
    pub(crate) body: Duration,
    /// The minimum rate of a longer body, in bytes per second.
    pub(crate) min_body_bytes_per_second: u32,
    /// The time limit for a client to read an answer.
    pub(crate) answer: Duration,
    /// The time limit for running calls when the server stops.
    pub(crate) shutdown: Duration,
}

impl Limits {
    /// An app waits 10 seconds for an answer. The longest body takes 74 seconds at the minimum rate.
    pub(crate) const DEFAULT: Self = Self {
        connections: 1024,
        connections_per_client: 256,
        grace: Duration::from_secs(2),
        head: Duration::from_secs(10),
        body: Duration::from_secs(10),
        min_body_bytes_per_second: 16 * 1024,
        answer: Duration::from_secs(30),
        shutdown: Duration::from_secs(5),
    };

    /// These limits, reduced to the number of files that the process may open. Half of the files are for connections of
    /// clients.
    pub(crate) fn with_open_files(self, files: u64) -> Self {
        let connections = self.connections.min(usize::try_from(files / 2).unwrap_or(usize::MAX)).max(1);
        let connections_per_client = self.connections_per_client.min(connections.div_ceil(4));
        Self { connections, connections_per_client, ..self }
    }

    /// The time limit for a body, given the number of bytes received so far.
    pub(crate) fn body_timeout(&self, bytes: usize) -> Duration {
        let bytes = u32::try_from(bytes.min(MAX_BODY_BYTES)).unwrap_or(u32::MAX);
        self.body + Duration::from_secs(1) * bytes / self.min_body_bytes_per_second
    }
}

/// Raises the limit of open files to [`OPEN_FILES`] or as far as allowed. Returns the new limit.
pub(crate) fn raise_open_files_limit() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = OPEN_FILES.min(maximum.unwrap_or(OPEN_FILES));
    // `None` means that there is no limit.
    let Some(now) = current.filter(|now| *now < wanted) else { return current.unwrap_or(u64::MAX) };
    match setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }) {
        Ok(()) => wanted,
        Err(error) => {
            tracing::warn!(%error, "the limit of open files could not be raised and stays at {now}");
            now
        }
    }
}

#[test]
fn a_long_body_has_more_time_but_must_keep_the_minimum_rate() {
    let seconds = |bytes| Limits::DEFAULT.body_timeout(bytes).as_secs();
    assert_eq!((seconds(0), seconds(16 * 1024), seconds(900 * 1024)), (10, 11, 66));
    assert_eq!(seconds(MAX_BODY_BYTES), 74);
    assert_eq!(seconds(usize::MAX), 74, "discarded bytes do not extend the time limit");
}
