//! The connections that are served at a time: how many there are, what each waits for, and which one is closed when
//! another has no place.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};

/// The places of a server.
pub(crate) struct Places {
    /// How many connections are served at a time.
    max: usize,
    /// How many of them one line may have.
    most_of_line: usize,
    /// How long a new connection has to send its first request, and an answer to be sent, before the connection is as
    /// good as any other to be closed for a new one.
    grace: Duration,
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
    /// When the grace of a new connection, or of one that sends an answer, is over.
    grace_until: Option<Instant>,
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
    /// Its answer is being sent.
    Answering,
    /// A call is carried out: it is never closed to make room.
    Calling,
    /// It is being closed to make room.
    Leaving,
}

impl Places {
    /// No connection yet.
    pub(crate) fn new(max: usize, most_of_line: usize, grace: Duration) -> Arc<Self> {
        Arc::new(Self { max, most_of_line, grace, state: Mutex::default(), changed: Notify::new() })
    }

    /// A place for a connection of this line. If there is none a connection of the line with the most connections is
    /// closed: new ones last, idle ones before those whose request is on the way, the one that has waited longest for
    /// its client first. `None` if all places of the line are taken by calls.
    pub(crate) async fn take(self: &Arc<Self>, line: Option<String>) -> Option<Place> {
        loop {
            {
                let mut state = self.state();
                let of_line = state.count(line.as_deref());
                if of_line >= self.most_of_line {
                    if !state.makes_room(|connection| connection.line == line) {
                        return None;
                    }
                } else if state.connections.len() < self.max {
                    return Some(self.place(&mut state, line));
                } else {
                    // If all are busy, the first that is done makes room.
                    state.makes_room(|_| true);
                }
            }
            // Or else the grace of a connection is over.
            drop(timeout(self.grace, self.changed.notified()).await);
        }
    }

    /// Has a connection closed that waits for its client, because the operating system gives no more of them.
    pub(crate) fn make_room(&self) {
        self.state().makes_room(|_| true);
    }

    fn place(self: &Arc<Self>, state: &mut State, line: Option<String>) -> Place {
        let evicted = Arc::new(Notify::new());
        let id = state.tick();
        let grace_until = Some(Instant::now() + self.grace);
        let connection = Connection { line, doing: Doing::Idle, since: id, grace_until, evicted: Arc::clone(&evicted) };
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
        let now = Instant::now();
        let has_grace = |connection: &Connection| connection.grace_until.is_some_and(|until| now < until);
        let waiting = meant().filter(|(_, connection)| match connection.doing {
            Doing::Idle | Doing::Reading => true,
            Doing::Answering => !has_grace(connection),
            Doing::Calling | Doing::Leaving => false,
        });
        // The line decides first: what somebody with many connections does must not cost anybody else theirs.
        let first = waiting.min_by_key(|(_, connection)| {
            let of_line = connection.line.as_deref().map_or(0, |line| of_lines[line]);
            (Reverse(of_line), has_grace(connection), connection.doing, connection.since)
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

    /// The call is done, and its answer is being sent.
    pub(crate) fn answers(&self) -> Result<(), Evicted> {
        self.does(Doing::Answering)
    }

    /// All that was to be sent is sent. After an answer the connection waits for its client again.
    pub(crate) fn has_sent(&self) {
        let mut state = self.places.state();
        let since = state.tick();
        let connection = state.connections.get_mut(&self.id);
        if let Some(connection) = connection.filter(|connection| connection.doing == Doing::Answering) {
            (connection.doing, connection.since, connection.grace_until) = (Doing::Idle, since, None);
            self.places.changed.notify_one();
        }
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
        connection.grace_until = (doing == Doing::Answering).then(|| Instant::now() + self.places.grace);
        if doing == Doing::Reading {
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
    use futures_util::FutureExt;

    use super::*;

    /// A grace that no test outlives.
    const LONG: Duration = Duration::from_secs(3600);

    fn line(name: &str) -> Option<String> {
        Some(name.to_owned())
    }

    /// What becomes of a connection whose call is answered.
    fn is_answered(place: &Place) {
        place.answers().unwrap();
        place.has_sent();
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
        let places = Places::new(4, 4, LONG);
        let lone = places.take(line("lone")).await.unwrap();
        let many = [places.take(line("many")).await.unwrap(), places.take(line("many")).await.unwrap()];
        let [first, second] = many;
        let third = places.take(line("many")).await.unwrap();
        // The first has been heard of last.
        for place in [&second, &third, &first] {
            is_answered(place);
        }
        let newcomer = take_from(&places, "new", second).await;
        assert!(third.evicted().now_or_never().is_none() && lone.evicted().now_or_never().is_none());
        let _others = (first, newcomer);
    }

    #[tokio::test]
    async fn an_idle_connection_makes_room_before_one_that_reads_and_a_call_never_does() {
        let places = Places::new(3, 3, LONG);
        let take = async || places.take(line("many")).await.unwrap();
        let (calling, reading, idle) = (take().await, take().await, take().await);
        calling.calls().unwrap();
        reading.reads().unwrap();
        is_answered(&idle);
        let other = take_from(&places, "a", idle).await;
        other.calls().unwrap();
        let third = take_from(&places, "b", reading).await;
        third.calls().unwrap();
        let mut newcomer = Box::pin(places.take(line("c")));
        assert!(newcomer.as_mut().now_or_never().is_none(), "all are busy");
        // The first whose answer is sent makes room.
        is_answered(&other);
        assert!(newcomer.as_mut().now_or_never().is_none());
        assert!(other.evicted().now_or_never().is_some());
        assert!(other.reads().is_err(), "it does not begin anything any more");
        drop(other);
        assert!(newcomer.now_or_never().unwrap().is_some());
        assert!(calling.evicted().now_or_never().is_none() && third.evicted().now_or_never().is_none());
    }

    #[tokio::test]
    async fn somebody_with_many_half_requests_does_not_cost_a_phone_its_new_connection() {
        let places = Places::new(4, 3, LONG);
        let half = async |name| {
            let place = places.take(line(name)).await.unwrap();
            place.reads().unwrap();
            place
        };
        let (first, second, third) = (half("attacker").await, half("attacker").await, half("attacker").await);
        // It has sent nothing yet.
        let phone = places.take(line("phone")).await.unwrap();
        let other = take_from(&places, "another phone", first).await;
        // Its next request is not there yet.
        is_answered(&phone);
        let newcomer = take_from(&places, "attacker", second).await;
        assert!(phone.evicted().now_or_never().is_none() && other.evicted().now_or_never().is_none());
        drop((third, newcomer));
    }

    #[tokio::test]
    async fn a_new_connection_is_closed_after_those_that_had_their_time() {
        let places = Places::new(2, 2, LONG);
        let (phone, other) = (places.take(line("phone")).await.unwrap(), places.take(line("other")).await.unwrap());
        other.reads().unwrap();
        let newcomer = take_from(&places, "newcomer", other).await;
        assert!(phone.evicted().now_or_never().is_none());
        // Where all are new the oldest goes, so that nobody fills the server with connections that say nothing.
        let last = take_from(&places, "last", phone).await;
        drop((newcomer, last));
        // Once its time is over it is as idle as any.
        let places = Places::new(2, 2, Duration::from_millis(1));
        let (phone, other) = (places.take(line("phone")).await.unwrap(), places.take(line("other")).await.unwrap());
        while phone.places.state().connections[&phone.id].grace_until.unwrap() > Instant::now() {
            tokio::task::yield_now().await;
        }
        other.reads().unwrap();
        drop(take_from(&places, "newcomer", phone).await);
    }

    #[tokio::test]
    async fn an_answer_that_is_being_sent_is_not_cut_off() {
        let places = Places::new(2, 2, LONG);
        let (answering, calling) = (places.take(line("a")).await.unwrap(), places.take(line("b")).await.unwrap());
        answering.calls().unwrap();
        calling.calls().unwrap();
        let mut newcomer = Box::pin(places.take(line("c")));
        assert!(newcomer.as_mut().now_or_never().is_none());
        answering.answers().unwrap();
        let other_newcomer = places.take(line("d")).now_or_never();
        assert!(newcomer.as_mut().now_or_never().is_none() && other_newcomer.is_none());
        assert!(answering.evicted().now_or_never().is_none());
        answering.has_sent();
        assert!(newcomer.as_mut().now_or_never().is_none());
        assert!(answering.evicted().now_or_never().is_some());
        drop(answering);
        assert!(newcomer.now_or_never().unwrap().is_some());
    }

    #[tokio::test]
    async fn a_line_at_its_bound_makes_room_itself_and_is_refused_while_all_its_places_are_calls() {
        let places = Places::new(8, 2, LONG);
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
        let places = Places::new(3, 1, LONG);
        let kept = [places.take(None).await.unwrap(), places.take(None).await.unwrap()];
        assert!(places.take(None).await.is_some());
        drop(kept);
    }
}
