//! The open connections of the server: their limits, their phases, and the choice of the connection that is closed
//! (evicted) when a new connection exceeds a limit.
//!
//! Connections are counted per client. A client is an IPv4 address or a /64 network of IPv6.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};

use crate::limits::Limits;

/// The reason for which an evicted connection is closed.
pub(crate) const EVICTED: &str = "closed to make room for another connection";

/// The open connections of a server.
pub(crate) struct ClientConnections {
    limits: Limits,
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
pub(crate) enum Phase {
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
    pub(crate) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, state: Mutex::default(), changed: Notify::new() })
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
                if count >= self.limits.connections_per_client {
                    if !state.evict(|connection| connection.client == client) {
                        return None;
                    }
                } else if state.connections.len() < self.limits.connections {
                    return Some(self.insert(&mut state, client));
                } else {
                    // If no connection can be evicted now, the loop waits for the first that can.
                    state.evict(|_| true);
                }
            }
            // Checks again after a change, or after the grace of a connection has ended.
            drop(timeout(self.limits.grace, self.changed.notified()).await);
        }
    }

    /// Evicts one connection, because the operating system cannot open more.
    pub(crate) fn evict_one(&self) {
        self.state().evict(|_| true);
    }

    fn insert(self: &Arc<Self>, state: &mut State, client: Option<String>) -> ClientConnection {
        let evicted = Arc::new(Notify::new());
        let id = state.tick();
        let grace_until = Some(Instant::now() + self.limits.grace);
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

impl ClientConnection {
    /// The next phase of a request begins. An evicted connection begins none.
    pub(crate) fn enter(&self, phase: Phase) -> Result<(), &'static str> {
        let mut state = self.connections.state();
        let since = state.tick();
        let connection = state.connections.get_mut(&self.id).filter(|connection| connection.phase != Phase::Closing);
        let connection = connection.ok_or(EVICTED)?;
        (connection.phase, connection.since) = (phase, since);
        connection.grace_until = (phase == Phase::Responding).then(|| Instant::now() + self.connections.limits.grace);
        if phase == Phase::Reading {
            self.connections.changed.notify_one();
        }
        Ok(())
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
}

impl Drop for ClientConnection {
    fn drop(&mut self) {
        self.connections.state().connections.remove(&self.id);
        self.connections.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;

    use super::*;

    /// A grace that no test outlives.
    const LONG: Duration = Duration::from_secs(3600);

    fn limited_to(max: usize, max_per_client: usize, grace: Duration) -> Arc<ClientConnections> {
        let limits = Limits { connections: max, connections_per_client: max_per_client, grace, ..Limits::DEFAULT };
        ClientConnections::new(limits)
    }

    fn client(name: &str) -> Option<String> {
        Some(name.to_owned())
    }

    async fn add(connections: &Arc<ClientConnections>, name: &str) -> ClientConnection {
        connections.add(client(name)).await.unwrap()
    }

    /// Sends the whole answer of a call on a connection.
    fn send_answer(connection: &ClientConnection) {
        connection.enter(Phase::Responding).unwrap();
        connection.finish_response();
    }

    /// Whether a connection has been evicted since this was last called.
    fn is_evicted(connection: &ClientConnection) -> bool {
        connection.evicted().now_or_never().is_some()
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
        let both = timeout(Duration::from_secs(10), async { tokio::join!(add(connections, name), leave) });
        both.await.expect("the evicted connection makes room").0
    }

    #[tokio::test]
    async fn the_client_with_the_most_connections_makes_room_with_the_one_that_has_waited_longest() {
        let connections = limited_to(4, 4, LONG);
        let lone = add(&connections, "lone").await;
        let many = async || add(&connections, "many").await;
        let (first, second, third) = (many().await, many().await, many().await);
        // The first connection has become idle last.
        for connection in [&second, &third, &first] {
            send_answer(connection);
        }
        let newcomer = add_instead_of(&connections, "new", second).await;
        assert!(!is_evicted(&third) && !is_evicted(&lone));
        drop((first, newcomer));
    }

    #[tokio::test]
    async fn an_idle_connection_makes_room_before_one_that_reads_and_a_call_never_does() {
        let connections = limited_to(3, 3, LONG);
        let many = async || add(&connections, "many").await;
        let (calling, reading, idle) = (many().await, many().await, many().await);
        calling.enter(Phase::Executing).unwrap();
        reading.enter(Phase::Reading).unwrap();
        send_answer(&idle);
        let other = add_instead_of(&connections, "a", idle).await;
        other.enter(Phase::Executing).unwrap();
        let third = add_instead_of(&connections, "b", reading).await;
        third.enter(Phase::Executing).unwrap();
        let mut newcomer = Box::pin(connections.add(client("c")));
        assert!(newcomer.as_mut().now_or_never().is_none(), "all connections execute calls");
        // The first connection whose answer has been sent is evicted.
        send_answer(&other);
        assert!(newcomer.as_mut().now_or_never().is_none());
        assert!(is_evicted(&other));
        assert!(other.enter(Phase::Reading).is_err(), "an evicted connection starts nothing");
        drop(other);
        assert!(newcomer.now_or_never().unwrap().is_some());
        assert!(!is_evicted(&calling) && !is_evicted(&third));
    }

    #[tokio::test]
    async fn a_client_with_many_half_requests_does_not_evict_a_phones_new_connection() {
        let connections = limited_to(4, 3, LONG);
        let half = async || {
            let connection = add(&connections, "attacker").await;
            connection.enter(Phase::Reading).unwrap();
            connection
        };
        let (first, second, third) = (half().await, half().await, half().await);
        // The phone has sent nothing yet.
        let phone = add(&connections, "phone").await;
        let other = add_instead_of(&connections, "another phone", first).await;
        // The phone's next request has not arrived yet.
        send_answer(&phone);
        let newcomer = add_instead_of(&connections, "attacker", second).await;
        assert!(!is_evicted(&phone) && !is_evicted(&other));
        drop((third, newcomer));
    }

    #[tokio::test]
    async fn a_new_connection_is_evicted_after_those_whose_grace_has_ended() {
        let connections = limited_to(2, 2, LONG);
        let (phone, other) = (add(&connections, "phone").await, add(&connections, "other").await);
        other.enter(Phase::Reading).unwrap();
        let newcomer = add_instead_of(&connections, "newcomer", other).await;
        assert!(!is_evicted(&phone));
        // If all connections are new the oldest is evicted, so that silent connections cannot fill the server.
        let last = add_instead_of(&connections, "last", phone).await;
        drop((newcomer, last));
        // After its grace a new connection is as evictable as any.
        let connections = limited_to(2, 2, Duration::from_millis(1));
        let (phone, other) = (add(&connections, "phone").await, add(&connections, "other").await);
        while phone.connections.state().connections[&phone.id].grace_until.unwrap() > Instant::now() {
            tokio::task::yield_now().await;
        }
        other.enter(Phase::Reading).unwrap();
        drop(add_instead_of(&connections, "newcomer", phone).await);
    }

    #[tokio::test]
    async fn a_connection_with_an_answer_being_sent_is_not_evicted() {
        let connections = limited_to(2, 2, LONG);
        let (answering, calling) = (add(&connections, "a").await, add(&connections, "b").await);
        answering.enter(Phase::Executing).unwrap();
        calling.enter(Phase::Executing).unwrap();
        let mut newcomer = Box::pin(connections.add(client("c")));
        assert!(newcomer.as_mut().now_or_never().is_none());
        answering.enter(Phase::Responding).unwrap();
        let other_newcomer = connections.add(client("d")).now_or_never();
        assert!(newcomer.as_mut().now_or_never().is_none() && other_newcomer.is_none());
        assert!(!is_evicted(&answering));
        answering.finish_response();
        assert!(newcomer.as_mut().now_or_never().is_none());
        assert!(is_evicted(&answering));
        drop(answering);
        assert!(newcomer.now_or_never().unwrap().is_some());
    }

    #[tokio::test]
    async fn a_client_at_its_limit_makes_room_itself_and_is_refused_while_all_its_connections_execute_calls() {
        let connections = limited_to(8, 2, LONG);
        let (one, two) = (add(&connections, "a").await, add(&connections, "a").await);
        let other = add(&connections, "b").await;
        one.enter(Phase::Executing).unwrap();
        let three = add_instead_of(&connections, "a", two).await;
        assert!(!is_evicted(&other), "connections of other clients are not evicted");
        three.enter(Phase::Executing).unwrap();
        assert!(connections.add(client("a")).await.is_none());
        drop((one, three, other));
        assert!(connections.state().connections.is_empty(), "nothing is kept of closed connections");
    }

    #[tokio::test]
    async fn connections_that_are_not_counted_have_no_limit_per_client() {
        let connections = limited_to(3, 1, LONG);
        let kept = [connections.add(None).await.unwrap(), connections.add(None).await.unwrap()];
        assert!(connections.add(None).await.is_some());
        drop(kept);
    }
}
