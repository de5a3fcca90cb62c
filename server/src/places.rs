//! The connections that are served at a time: how many there are, what each waits for, and which one is closed when
//! another has no place.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

/// The places of a server.
pub(crate) struct Places {
    /// How many connections are served at a time.
    most: usize,
    /// How many of them one line may have.
    most_of_line: usize,
    state: Mutex<State>,
    /// Notified when a connection goes, or begins to wait for its client: then somebody may get its place.
    changed: Notify,
}

#[derive(Default)]
struct State {
    /// Counts what happens: the name of the next connection, and when a connection began to wait.
    ticks: u64,
    connections: BTreeMap<u64, Connection>,
}

struct Connection {
    /// The line that it comes from; `None` if the connections of that are not counted.
    line: Option<String>,
    doing: Doing,
    /// The tick at which it began to do that.
    since: u64,
    /// Notified when it is to make room.
    evicted: Arc<Notify>,
}

/// What a connection does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Doing {
    /// It waits for a request, or for the rest of the head of one.
    Idle,
    /// It waits for the body of a request.
    Reading,
    /// A call is carried out: it is never closed to make room.
    Calling,
    /// It is being closed to make room.
    Leaving,
}

impl Places {
    /// No connection yet.
    pub(crate) fn new(most: usize, most_of_line: usize) -> Arc<Self> {
        Arc::new(Self { most, most_of_line, state: Mutex::default(), changed: Notify::new() })
    }

    /// A place for a connection of this line. If there is none the connection that has waited longest for its client,
    /// of the line with the most connections, is closed; idle ones first. `None` if all places of the line are taken
    /// by calls.
    pub(crate) async fn take(self: &Arc<Self>, line: Option<String>) -> Option<Place> {
        loop {
            {
                let mut state = self.state();
                let of_line = state.count(line.as_deref());
                if of_line >= self.most_of_line {
                    if !state.makes_room(|connection| connection.line == line) {
                        return None;
                    }
                } else if state.connections.len() < self.most {
                    return Some(self.place(&mut state, line));
                } else {
                    // If all are busy, the first that is done makes room.
                    state.makes_room(|_| true);
                }
            }
            self.changed.notified().await;
        }
    }

    fn place(self: &Arc<Self>, state: &mut State, line: Option<String>) -> Place {
        let evicted = Arc::new(Notify::new());
        let id = state.tick();
        let connection = Connection { line, doing: Doing::Idle, since: id, evicted: Arc::clone(&evicted) };
        state.connections.insert(id, connection);
        Place { id, places: Arc::clone(self), evicted }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn tick(&mut self) -> u64 {
        self.ticks += 1;
        self.ticks
    }

    /// How many connections a line has; 0 where they are not counted.
    fn count(&self, line: Option<&str>) -> usize {
        let Some(line) = line else { return 0 };
        self.connections.values().filter(|connection| connection.line.as_deref() == Some(line)).count()
    }

    /// Has a connection of those closed, unless one is being closed already; whether there is one.
    fn makes_room(&mut self, is_meant: impl Fn(&Connection) -> bool) -> bool {
        let meant = || self.connections.iter().filter(|(_, connection)| is_meant(connection));
        if meant().any(|(_, connection)| connection.doing == Doing::Leaving) {
            return true;
        }
        let mut of_lines: HashMap<&str, usize> = HashMap::new();
        for line in self.connections.values().filter_map(|connection| connection.line.as_deref()) {
            *of_lines.entry(line).or_default() += 1;
        }
        let waiting = meant().filter(|(_, connection)| connection.doing < Doing::Calling);
        let first = waiting.min_by_key(|(_, Connection { line, doing, since, .. })| {
            let of_line = line.as_deref().map_or(0, |line| of_lines[line]);
            (*doing, Reverse(of_line), *since)
        });
        let Some(id) = first.map(|(id, _)| *id) else { return false };
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.doing = Doing::Leaving;
            connection.evicted.notify_one();
        }
        true
    }
}

/// The place of a connection, for as long as it is there.
pub(crate) struct Place {
    id: u64,
    places: Arc<Places>,
    evicted: Arc<Notify>,
}

/// The connection is being closed, to make room for another.
#[derive(Debug)]
pub(crate) struct Evicted;

impl std::fmt::Display for Evicted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("closed to make room for another connection")
    }
}

impl std::error::Error for Evicted {}

impl Place {
    /// The connection waits for the body of a request.
    pub(crate) fn reads(&self) -> Result<(), Evicted> {
        self.does(Doing::Reading)
    }

    /// A call begins.
    pub(crate) fn calls(&self) -> Result<(), Evicted> {
        self.does(Doing::Calling)
    }

    /// The call is done, and the connection waits for its client again.
    pub(crate) fn idles(&self) -> Result<(), Evicted> {
        self.does(Doing::Idle)
    }

    /// Done when the connection is to make room.
    pub(crate) async fn evicted(&self) {
        self.evicted.notified().await;
    }

    fn does(&self, doing: Doing) -> Result<(), Evicted> {
        let mut state = self.places.state();
        let since = state.tick();
        let connection = state.connections.get_mut(&self.id).filter(|connection| connection.doing != Doing::Leaving);
        let connection = connection.ok_or(Evicted)?;
        (connection.doing, connection.since) = (doing, since);
        if doing < Doing::Calling {
            self.places.changed.notify_one();
        }
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.state().connections.remove(&self.id);
        self.places.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;
    use tokio::time::timeout;

    use super::*;

    fn line(name: &str) -> Option<String> {
        Some(name.to_owned())
    }

    /// Takes a place while a connection makes room as it is told to.
    async fn take_from(places: &Arc<Places>, name: &str, leaving: Place) -> Place {
        let leave = async {
            leaving.evicted().await;
            drop(leaving);
        };
        let (place, ()) = timeout(Duration::from_secs(10), async { tokio::join!(places.take(line(name)), leave) })
            .await
            .expect("it makes room");
        place.unwrap()
    }

    #[tokio::test]
    async fn the_line_with_the_most_connections_makes_room_with_the_one_that_has_waited_longest() {
        let places = Places::new(4, 4);
        let lone = places.take(line("lone")).await.unwrap();
        let many = [places.take(line("many")).await.unwrap(), places.take(line("many")).await.unwrap()];
        let [first, second] = many;
        let third = places.take(line("many")).await.unwrap();
        // The first has been heard of last.
        first.idles().unwrap();
        let newcomer = take_from(&places, "new", second).await;
        assert!(third.evicted().now_or_never().is_none() && lone.evicted().now_or_never().is_none());
        let _others = (first, newcomer);
    }

    #[tokio::test]
    async fn an_idle_connection_makes_room_before_one_that_reads_and_a_call_never_does() {
        let places = Places::new(3, 3);
        let take = async || places.take(line("many")).await.unwrap();
        let (calling, reading, idle) = (take().await, take().await, take().await);
        calling.calls().unwrap();
        reading.reads().unwrap();
        let other = take_from(&places, "a", idle).await;
        other.calls().unwrap();
        let third = take_from(&places, "b", reading).await;
        third.calls().unwrap();
        let mut newcomer = Box::pin(places.take(line("c")));
        assert!(newcomer.as_mut().now_or_never().is_none(), "all are busy");
        // The first that is done makes room.
        other.idles().unwrap();
        assert!(newcomer.as_mut().now_or_never().is_none());
        assert!(other.evicted().now_or_never().is_some());
        assert!(other.reads().is_err(), "it does not begin anything any more");
        drop(other);
        assert!(newcomer.now_or_never().unwrap().is_some());
        assert!(calling.evicted().now_or_never().is_none() && third.evicted().now_or_never().is_none());
    }

    #[tokio::test]
    async fn a_line_at_its_bound_makes_room_itself_and_is_refused_while_all_its_places_are_calls() {
        let places = Places::new(8, 2);
        let take = async |name| places.take(line(name)).await;
        let (one, two, other) = (take("a").await.unwrap(), take("a").await.unwrap(), take("b").await.unwrap());
        one.calls().unwrap();
        let three = take_from(&places, "a", two).await;
        assert!(other.evicted().now_or_never().is_none(), "others do not make room for it");
        three.calls().unwrap();
        assert!(take("a").await.is_none());
        drop((one, three, other));
        assert!(places.state().connections.is_empty(), "nothing is kept of who is gone");
    }

    #[tokio::test]
    async fn connections_that_are_not_counted_have_no_bound_of_their_own() {
        let places = Places::new(3, 1);
        let kept = [places.take(None).await.unwrap(), places.take(None).await.unwrap()];
        assert!(places.take(None).await.is_some());
        drop(kept);
    }
}
