//! The open connections of the server: their limits, their phases, and the choice of the connection that is closed
//! (evicted) when a new connection exceeds a limit.
//!
//! Connections are counted per client. A client is an IPv4 address or a /64 network of IPv6.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use thiserror::Error as ThisError;
use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};

/// The open connections of a server.
pub(crate) struct ClientConnections {
    /// The maximum number of connections.
    max: usize,
    /// The maximum number of connections of one client.
    max_per_client: usize,
    /// How long a new connection, and a connection with an answer being sent, is spared from eviction.
    grace: Duration,
    state: Mutex<State>,
    /// Notified when a connection ends or becomes evictable: then a waiting new connection may be added.
    changed: Notify,
}

#[derive(Default)]
struct State {
    /// A logical clock: the source of connection ids and of the order in which phases began.
    ticks: u64,
    connections: BTreeMap<u64, Entry>,
}

/// An open connection.
struct Entry {
    /// The client; `None` if the client's connections are not counted.
    client: Option<String>,
    phase: Phase,
    /// The tick at which the phase began.
    since: u64,
    /// When the grace of a new connection or of an answer being sent ends.
    grace_until: Option<Instant>,
    /// Notified when the connection is evicted.
    evicted: Arc<Notify>,
}

/// The phase of a connection. The order is the order of eviction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// The server waits for a request or for the rest of its head.
    Idle,
    /// The server waits for the body of a request.
    Reading,
    /// An answer is being sent.
    Responding,
    /// A call is being executed: the connection is never evicted.
    Executing,
    /// The connection is evicted and is being closed.
    Closing,
}

impl ClientConnections {
    /// No connections yet.
    pub(crate) fn new(max: usize, max_per_client: usize, grace: Duration) -> Arc<Self> {
        Arc::new(Self { max, max_per_client, grace, state: Mutex::default(), changed: Notify::new() })
    }

    /// Adds a connection of this client. At the limit of all connections, first evicts a connection of the client with
    /// the most connections; at the client's own limit, one of the client's. New connections are evicted last, idle
    /// ones before those that receive a request, and otherwise the longest-waiting first. `None` if the client is at
    /// its limit and all its connections execute calls.
    pub(crate) async fn add(self: &Arc<Self>, client: Option<String>) -> Option<ClientConnection> {
        loop {
            {
                let mut state = self.state();
                let count = state.count(client.as_deref());
                if count >= self.max_per_client {
                    if !state.evict(|connection| connection.client == client) {
                        return None;
                    }
                } else if state.connections.len() < self.max {
                    return Some(self.insert(&mut state, client));
                } else {
                    // If no connection can be evicted now, the loop waits for the first that can.
                    state.evict(|_| true);
                }
            }
            // Checks again after a change, or after the grace of a connection has ended.
            drop(timeout(self.grace, self.changed.notified()).await);
        }
    }

    /// Evicts one connection, because the operating system cannot open more.
    pub(crate) fn evict_one(&self) {
        self.state().evict(|_| true);
    }

    fn insert(self: &Arc<Self>, state: &mut State, client: Option<String>) -> ClientConnection {
        let evicted = Arc::new(Notify::new());
        let id = state.tick();
        let grace_until = Some(Instant::now() + self.grace);
        let connection = Entry { client, phase: Phase::Idle, since: id, grace_until, evicted: Arc::clone(&evicted) };
        state.connections.insert(id, connection);
        ClientConnection { id, connections: Arc::clone(self), evicted }
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

    /// The number of connections of a client; 0 if they are not counted.
    fn count(&self, client: Option<&str>) -> usize {
        let Some(client) = client else { return 0 };
        self.connections.values().filter(|connection| connection.client.as_deref() == Some(client)).count()
    }

    /// Evicts one of the matching connections, unless one of them is being closed already. Whether a matching
    /// connection is being closed now.
    fn evict(&mut self, matches: impl Fn(&Entry) -> bool) -> bool {
        let candidates = || self.connections.iter().filter(|(_, connection)| matches(connection));
        if candidates().any(|(_, connection)| connection.phase == Phase::Closing) {
            return true;
        }
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for client in self.connections.values().filter_map(|connection| connection.client.as_deref()) {
            *counts.entry(client).or_default() += 1;
        }
        let now = Instant::now();
        let has_grace = |connection: &Entry| connection.grace_until.is_some_and(|until| now < until);
        let evictable = candidates().filter(|(_, connection)| match connection.phase {
            Phase::Idle | Phase::Reading => true,
            Phase::Responding => !has_grace(connection),
            Phase::Executing | Phase::Closing => false,
        });
        // The number of the client's connections decides first: a client with many connections must not cause the
        // eviction of other clients' connections.
        let first = evictable.min_by_key(|(_, connection)| {
            let count = connection.client.as_deref().map_or(0, |client| counts[client]);
            (Reverse(count), has_grace(connection), connection.phase, connection.since)
        });
        let Some(id) = first.map(|(id, _)| *id) else { return false };
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.phase = Phase::Closing;
            connection.evicted.notify_one();
        }
        true
    }
}

/// The handle of an open connection, dropped when the connection ends.
pub(crate) struct ClientConnection {
    id: u64,
    connections: Arc<ClientConnections>,
    evicted: Arc<Notify>,
}

/// The connection is being closed to make room for another.
#[derive(Debug, ThisError)]
#[error("closed to make room for another connection")]
pub(crate) struct Evicted;

impl ClientConnection {
    /// The server starts to read the body of a request.
    pub(crate) fn start_reading(&self) -> Result<(), Evicted> {
        self.enter(Phase::Reading)
    }

    /// The execution of a call starts.
    pub(crate) fn start_call(&self) -> Result<(), Evicted> {
        self.enter(Phase::Executing)
    }

    /// The call has ended, and the server starts to send the answer.
    pub(crate) fn start_response(&self) -> Result<(), Evicted> {
        self.enter(Phase::Responding)
    }

    /// The answer has been sent, if there was one: the connection is idle.
    pub(crate) fn finish_response(&self) {
        let mut state = self.connections.state();
        let since = state.tick();
        let connection = state.connections.get_mut(&self.id);
        if let Some(connection) = connection.filter(|connection| connection.phase == Phase::Responding) {
            (connection.phase, connection.since, connection.grace_until) = (Phase::Idle, since, None);
            self.connections.changed.notify_one();
        }
    }

    /// Completes when the connection is evicted.
    pub(crate) async fn evicted(&self) {
        self.evicted.notified().await;
    }

    fn enter(&self, phase: Phase) -> Result<(), Evicted> {
        let mut state = self.connections.state();
        let since = state.tick();
        let connection = state.connections.get_mut(&self.id).filter(|connection| connection.phase != Phase::Closing);
        let connection = connection.ok_or(Evicted)?;
        (connection.phase, connection.since) = (phase, since);
        connection.grace_until = (phase == Phase::Responding).then(|| Instant::now() + self.connections.grace);
        if phase == Phase::Reading {
            self.connections.changed.notify_one();
        }
        Ok(())
    }
}

impl Drop for ClientConnection {
    fn drop(&mut self) {
        self.connections.state().connections.remove(&self.id);
        self.connections.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    /// A grace that no test outlives.
    const LONG: Duration = Duration::from_secs(3600);

    fn client(name: &str) -> Option<String> {
        Some(name.to_owned())
    }

    /// Sends the whole answer of a call on a connection.
    fn send_answer(connection: &ClientConnection) {
        connection.start_response().unwrap();
        connection.finish_response();
    }

    /// Adds a connection while another one closes when it is evicted.
    async fn add_instead_of(
        connections: &Arc<ClientConnections>,
        name: &str,
        leaving: ClientConnection,
    ) -> ClientConnection {
        let leave = async {
            leaving.evicted().await;
            drop(leaving);
        };
        let (connection, ()) =
            timeout(Duration::from_secs(10), async { tokio::join!(connections.add(client(name)), leave) })
                .await
                .expect("the evicted connection makes room");
        connection.unwrap()
    }

    #[tokio::test]
    async fn the_client_with_the_most_connections_makes_room_with_the_one_that_has_waited_longest() {
        let connections = ClientConnections::new(4, 4, LONG);
        let lone = connections.add(client("lone")).await.unwrap();
        let many = [connections.add(client("many")).await.unwrap(), connections.add(client("many")).await.unwrap()];
        let [first, second] = many;
        let third = connections.add(client("many")).await.unwrap();
        // The first connection has become idle last.
        for connection in [&second, &third, &first] {
            send_answer(connection);
        }
        let newcomer = add_instead_of(&connections, "new", second).await;
        assert!(third.evicted().now_or_never().is_none() && lone.evicted().now_or_never().is_none());
        let _others = (first, newcomer);
    }

    #[tokio::test]
    async fn an_idle_connection_makes_room_before_one_that_reads_and_a_call_never_does() {
        let connections = ClientConnections::new(3, 3, LONG);
        let take = async || connections.add(client("many")).await.unwrap();
        let (calling, reading, idle) = (take().await, take().await, take().await);
        calling.start_call().unwrap();
        reading.start_reading().unwrap();
        send_answer(&idle);
        let other = add_instead_of(&connections, "a", idle).await;
        other.start_call().unwrap();
        let third = add_instead_of(&connections, "b", reading).await;
        third.start_call().unwrap();
        let mut newcomer = Box::pin(connections.add(client("c")));
        assert!(newcomer.as_mut().now_or_never().is_none(), "all connections execute calls");
        // The first connection whose answer has been sent is evicted.
        send_answer(&other);
        assert!(newcomer.as_mut().now_or_never().is_none());
        assert!(other.evicted().now_or_never().is_some());
        assert!(other.start_reading().is_err(), "an evicted connection starts nothing");
        drop(other);
        assert!(newcomer.now_or_never().unwrap().is_some());
        assert!(calling.evicted().now_or_never().is_none() && third.evicted().now_or_never().is_none());
    }

    #[tokio::test]
    async fn a_client_with_many_half_requests_does_not_evict_a_phones_new_connection() {
        let connections = ClientConnections::new(4, 3, LONG);
        let half = async |name| {
            let connection = connections.add(client(name)).await.unwrap();
            connection.start_reading().unwrap();
            connection
        };
        let (first, second, third) = (half("attacker").await, half("attacker").await, half("attacker").await);
        // The phone has sent nothing yet.
        let phone = connections.add(client("phone")).await.unwrap();
        let other = add_instead_of(&connections, "another phone", first).await;
        // The phone's next request has not arrived yet.
        send_answer(&phone);
        let newcomer = add_instead_of(&connections, "attacker", second).await;
        assert!(phone.evicted().now_or_never().is_none() && other.evicted().now_or_never().is_none());
        drop((third, newcomer));
    }

    #[tokio::test]
    async fn a_new_connection_is_evicted_after_those_whose_grace_has_ended() {
        let connections = ClientConnections::new(2, 2, LONG);
        let (phone, other) =
            (connections.add(client("phone")).await.unwrap(), connections.add(client("other")).await.unwrap());
        other.start_reading().unwrap();
        let newcomer = add_instead_of(&connections, "newcomer", other).await;
        assert!(phone.evicted().now_or_never().is_none());
        // If all connections are new the oldest is evicted, so that silent connections cannot fill the server.
        let last = add_instead_of(&connections, "last", phone).await;
        drop((newcomer, last));
        // After its grace a new connection is as evictable as any.
        let connections = ClientConnections::new(2, 2, Duration::from_millis(1));
        let (phone, other) =
            (connections.add(client("phone")).await.unwrap(), connections.add(client("other")).await.unwrap());
        while phone.connections.state().connections[&phone.id].grace_until.unwrap() > Instant::now() {
            tokio::task::yield_now().await;
        }
        other.start_reading().unwrap();
        drop(add_instead_of(&connections, "newcomer", phone).await);
    }

    #[tokio::test]
    async fn a_connection_with_an_answer_being_sent_is_not_evicted() {
        let connections = ClientConnections::new(2, 2, LONG);
        let (answering, calling) =
            (connections.add(client("a")).await.unwrap(), connections.add(client("b")).await.unwrap());
        answering.start_call().unwrap();
        calling.start_call().unwrap();
        let mut newcomer = Box::pin(connections.add(client("c")));
        assert!(newcomer.as_mut().now_or_never().is_none());
        answering.start_response().unwrap();
        let other_newcomer = connections.add(client("d")).now_or_never();
        assert!(newcomer.as_mut().now_or_never().is_none() && other_newcomer.is_none());
        assert!(answering.evicted().now_or_never().is_none());
        answering.finish_response();
        assert!(newcomer.as_mut().now_or_never().is_none());
        assert!(answering.evicted().now_or_never().is_some());
        drop(answering);
        assert!(newcomer.now_or_never().unwrap().is_some());
    }

    #[tokio::test]
    async fn a_client_at_its_limit_makes_room_itself_and_is_refused_while_all_its_connections_execute_calls() {
        let connections = ClientConnections::new(8, 2, LONG);
        let take = async |name| connections.add(client(name)).await;
        let (one, two, other) = (take("a").await.unwrap(), take("a").await.unwrap(), take("b").await.unwrap());
        one.start_call().unwrap();
        let three = add_instead_of(&connections, "a", two).await;
        assert!(other.evicted().now_or_never().is_none(), "connections of other clients are not evicted");
        three.start_call().unwrap();
        assert!(take("a").await.is_none());
        drop((one, three, other));
        assert!(connections.state().connections.is_empty(), "nothing is kept of closed connections");
    }

    #[tokio::test]
    async fn connections_that_are_not_counted_have_no_limit_per_client() {
        let connections = ClientConnections::new(3, 1, LONG);
        let kept = [connections.add(None).await.unwrap(), connections.add(None).await.unwrap()];
        assert!(connections.add(None).await.is_some());
        drop(kept);
    }
}
