//! A stand-in for the chat rooms of the instant-messaging service: what a member of a group sends, every member of the
//! group receives. A member enters with a UserSig of the business server, as in the service.
//!
//! A message is a JSON text. The client sends `kind` (`text`, `screen` for a text on the screen, `like`, or `link` for a
//! signal of a joint broadcast), `text`, and optionally `nickname`. Members receive it with the `userid` of the sender, and also the kinds `join` and `leave`:
//!
//! ```json
//! {"kind":"text","userid":"alice","nickname":"Alice","text":"hello"}
//! ```
//!
//! Nothing is stored: who enters later does not see earlier messages.

mod allowance;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{Sink, SinkExt, Stream, StreamExt};
use protocol::{
    sign::user_sig,
    types::{Secret, UnixSeconds},
};
use serde::{Deserialize, Serialize};
use tokio::{
    sync::broadcast::{self, error::RecvError},
    time::{Instant, timeout, timeout_at},
};
use tokio_tungstenite::tungstenite::{self, Message, protocol::CloseFrame, protocol::frame::coding::CloseCode};

use self::allowance::Allowance;
use crate::bounds::{CHAT_BACKLOG, MAX_MEMBERS, MAX_MEMBERSHIPS};

/// The longest text and the longest nickname. Longer ones are cut.
const MAX_TEXT_CHARS: usize = 500;
const MAX_NICKNAME_CHARS: usize = 40;
/// The longest id of a group.
const MAX_GROUP_BYTES: usize = 256;
/// How long a member may take to read a message.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a member whose connection is idle is probed. A member that answers no probe is gone.
const PING_INTERVAL: Duration = Duration::from_secs(30);

/// All groups.
#[derive(Debug)]
pub struct Chat {
    sdk_app_id: u64,
    key: Secret,
    groups: Mutex<Groups>,
}

/// The groups that have members, and how many times each user is one.
#[derive(Debug, Default)]
struct Groups {
    senders: HashMap<String, broadcast::Sender<Arc<str>>>,
    users: HashMap<String, usize>,
}

/// Why nobody enters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The UserSig is not valid, or another user's.
    #[error("usersig is not a valid UserSig of userid")]
    UserSig,
    /// The id of the group is missing or too long.
    #[error("group is missing, or has more than 256 bytes")]
    Group,
    /// There are too many members.
    #[error("there are too many members; try again later")]
    Full,
    /// The user is a member too many times.
    #[error("the user is in {MAX_MEMBERSHIPS} groups, or on as many devices; leave one first")]
    TooOften,
}

/// A member of a group, as long as the value lives.
#[derive(Debug)]
pub struct Member {
    chat: Arc<Chat>,
    group: String,
    user: String,
    sender: broadcast::Sender<Arc<str>>,
    receiver: broadcast::Receiver<Arc<str>>,
}

/// What a member sends.
#[derive(Deserialize)]
struct Sent {
    kind: Kind,
    #[serde(default)]
    text: String,
    #[serde(default)]
    nickname: String,
}

#[derive(Clone, Copy, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Text,
    Screen,
    Like,
    Link,
    #[serde(skip_deserializing)]
    Join,
    #[serde(skip_deserializing)]
    Leave,
}

/// What members receive.
#[derive(Serialize)]
struct Received<'a> {
    kind: Kind,
    userid: &'a str,
    nickname: &'a str,
    text: &'a str,
}

impl Received<'_> {
    fn json(&self) -> Arc<str> {
        protocol::json::to_text(self).into()
    }
}

impl Chat {
    /// The groups of an app of the instant-messaging service, without members.
    pub fn new(sdk_app_id: u64, key: Secret) -> Arc<Self> {
        Arc::new(Self { sdk_app_id, key, groups: Mutex::default() })
    }

    /// Lets a user enter a group.
    pub fn enter(
        self: &Arc<Self>,
        group: &str,
        user: &str,
        user_sig: &str,
        now: UnixSeconds,
    ) -> Result<Member, Refused> {
        if user_sig::verify(user_sig, self.sdk_app_id, &self.key, now).as_deref() != Some(user) {
            return Err(Refused::UserSig);
        }
        if group.is_empty() || group.len() > MAX_GROUP_BYTES {
            return Err(Refused::Group);
        }
        let mut groups = self.groups();
        if groups.users.values().sum::<usize>() >= MAX_MEMBERS {
            return Err(Refused::Full);
        }
        if groups.users.get(user).is_some_and(|times| *times >= MAX_MEMBERSHIPS) {
            return Err(Refused::TooOften);
        }
        *groups.users.entry(user.to_owned()).or_default() += 1;
        let sender =
            groups.senders.entry(group.to_owned()).or_insert_with(|| broadcast::channel(CHAT_BACKLOG).0).clone();
        drop(groups);
        let (group, user) = (group.to_owned(), user.to_owned());
        // A member also receives its own messages: that is how an app knows that a message was delivered.
        let receiver = sender.subscribe();
        let member = Member { chat: Arc::clone(self), group, user, sender, receiver };
        member.send(Kind::Join, "", "");
        Ok(member)
    }

    fn groups(&self) -> MutexGuard<'_, Groups> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Member {
    /// Exchanges messages over a WebSocket until either side closes it.
    pub async fn talk<S>(mut self, socket: S) -> Result<(), tungstenite::Error>
    where
        S: Stream<Item = Result<Message, tungstenite::Error>> + Sink<Message, Error = tungstenite::Error> + Unpin,
    {
        let (mut write, mut read) = socket.split();
        let mut allowance = Allowance::new(Instant::now());
        let (mut probe_at, mut is_probed) = (Instant::now() + PING_INTERVAL, false);
        loop {
            let next = tokio::select! {
                message = timeout_at(probe_at, read.next()) => match message {
                    Ok(Some(message)) => {
                        (probe_at, is_probed) = (Instant::now() + PING_INTERVAL, false);
                        match message? {
                            Message::Text(text) => match allowance.take(Instant::now()) {
                                true => { self.receive(&text); None }
                                false => None,
                            },
                            Message::Close(_) => return Ok(()),
                            Message::Binary(_) => Some(Message::Close(Some(CloseFrame {
                                code: CloseCode::Unsupported,
                                reason: "a message is a JSON text".into(),
                            }))),
                            // Pings are answered by the library.
                            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => None,
                        }
                    }
                    Ok(None) => return Ok(()),
                    Err(_) if is_probed => return Ok(()),
                    Err(_) => {
                        (probe_at, is_probed) = (Instant::now() + PING_INTERVAL, true);
                        Some(Message::Ping(Default::default()))
                    }
                },
                message = self.receiver.recv() => match message {
                    Ok(message) => Some(Message::Text((&*message).into())),
                    Err(RecvError::Lagged(_)) => None,
                    Err(RecvError::Closed) => return Ok(()),
                },
            };
            let Some(next) = next else { continue };
            let is_close = next.is_close();
            match timeout(WRITE_TIMEOUT, write.send(next)).await {
                Ok(sent) => sent?,
                Err(_) => return Ok(()),
            }
            if is_close {
                return Ok(());
            }
        }
    }

    /// Receives a message of this member. A text that is no message is ignored.
    fn receive(&self, message: &str) {
        if let Ok(Sent { kind, text, nickname }) = serde_json::from_str(message) {
            self.send(kind, first_chars(&nickname, MAX_NICKNAME_CHARS), first_chars(&text, MAX_TEXT_CHARS));
        }
    }

    fn send(&self, kind: Kind, nickname: &str, text: &str) {
        let message = Received { kind, userid: &self.user, nickname, text }.json();
        // An error means that nobody is there to receive the message.
        drop(self.sender.send(message));
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.send(Kind::Leave, "", "");
        let mut groups = self.chat.groups();
        // This member still counts as one.
        if groups.senders.get(&self.group).is_some_and(|sender| sender.receiver_count() <= 1) {
            groups.senders.remove(&self.group);
        }
        if let Some(times) = groups.users.get_mut(&self.user) {
            *times -= 1;
            if *times == 0 {
                groups.users.remove(&self.user);
            }
        }
    }
}

/// The first characters of a text.
fn first_chars(text: &str, max: usize) -> &str {
    text.char_indices().nth(max).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tokio::io::{DuplexStream, duplex};
    use tokio_tungstenite::{WebSocketStream, tungstenite::protocol::Role};

    use super::{allowance::INTERVAL, *};

    const NOW: UnixSeconds = UnixSeconds(1_600_000_000);
    const APP: u64 = 1_400_000_000;

    fn key() -> Secret {
        Secret::new("imsecret")
    }

    struct Client(WebSocketStream<DuplexStream>);

    impl Client {
        async fn enter(chat: &Arc<Chat>, group: &str, user: &str) -> Self {
            let sig = user_sig::sign(user, APP, &key(), NOW, 60);
            let member = chat.enter(group, user, &sig, NOW).unwrap();
            let (ours, theirs) = duplex(64 * 1024);
            let server = WebSocketStream::from_raw_socket(ours, Role::Server, None).await;
            tokio::spawn(member.talk(server));
            Self(WebSocketStream::from_raw_socket(theirs, Role::Client, None).await)
        }

        async fn send(&mut self, message: Value) {
            self.0.send(Message::Text(message.to_string().into())).await.unwrap();
        }

        /// The next message as `kind userid nickname text`.
        async fn next(&mut self) -> String {
            let mut message = self.0.next().await.unwrap().unwrap();
            while message.is_ping() {
                message = self.0.next().await.unwrap().unwrap();
            }
            let message: Value = serde_json::from_str(message.to_text().unwrap()).unwrap();
            ["kind", "userid", "nickname", "text"].map(|name| message[name].as_str().unwrap()).join(" ")
        }
    }

    #[tokio::test(start_paused = true)]
    async fn every_member_of_the_group_receives_a_message_and_nobody_else() {
        let chat = Chat::new(APP, key());
        let mut alice = Client::enter(&chat, "g1", "alice").await;
        assert_eq!(alice.next().await, "join alice  ");
        let mut other = Client::enter(&chat, "g2", "carol").await;
        assert_eq!(other.next().await, "join carol  ");
        let mut bob = Client::enter(&chat, "g1", "bob1").await;
        assert_eq!((alice.next().await, bob.next().await), ("join bob1  ".to_owned(), "join bob1  ".to_owned()));
        bob.send(json!({ "kind": "text", "nickname": "Bob", "text": "hi <b>", "userid": "alice" })).await;
        assert_eq!(
            (alice.next().await, bob.next().await),
            ("text bob1 Bob hi <b>".into(), "text bob1 Bob hi <b>".into())
        );
        drop(bob);
        assert_eq!(alice.next().await, "leave bob1  ");
        other.send(json!({ "kind": "link" })).await;
        other.send(json!({ "kind": "like" })).await;
        assert_eq!(other.next().await, "link carol  ", "and nothing of the other group before");
        assert_eq!(other.next().await, "like carol  ");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_no_message_is_ignored_and_what_is_long_is_cut() {
        let chat = Chat::new(APP, key());
        let mut alice = Client::enter(&chat, "g1", "alice").await;
        alice.next().await;
        for message in [json!(7), json!({}), json!({ "kind": "leave" }), json!({ "kind": "other", "text": "x" })] {
            alice.send(message).await;
        }
        alice.send(json!({ "kind": "screen", "text": "中".repeat(501), "nickname": "n".repeat(41) })).await;
        assert_eq!(alice.next().await, format!("screen alice {} {}", "n".repeat(40), "中".repeat(500)));
        alice.0.send(Message::Binary(vec![1].into())).await.unwrap();
        let Message::Close(Some(close)) = alice.0.next().await.unwrap().unwrap() else { panic!("it is not closed") };
        assert_eq!(close.code, CloseCode::Unsupported);
    }

    #[tokio::test(start_paused = true)]
    async fn a_member_who_sends_too_much_is_not_heard_for_a_while() {
        let chat = Chat::new(APP, key());
        let mut alice = Client::enter(&chat, "g1", "alice").await;
        alice.next().await;
        for number in 0..20 {
            alice.send(json!({ "kind": "text", "text": number.to_string() })).await;
        }
        for number in 0..10 {
            assert_eq!(alice.next().await, format!("text alice  {number}"));
        }
        tokio::time::advance(INTERVAL).await;
        alice.send(json!({ "kind": "text", "text": "later" })).await;
        assert_eq!(alice.next().await, "text alice  later");
    }

    #[tokio::test(start_paused = true)]
    async fn a_member_whose_phone_is_gone_leaves() {
        let chat = Chat::new(APP, key());
        let mut alice = Client::enter(&chat, "g1", "alice").await;
        // Nobody reads this connection, so that no probe is answered.
        let gone = Client::enter(&chat, "g1", "gone").await;
        assert_eq!(alice.next().await, "join alice  ");
        assert_eq!(alice.next().await, "join gone  ");
        assert_eq!(alice.next().await, "leave gone  ");
        drop(gone);
    }

    #[tokio::test]
    async fn a_user_enters_with_their_own_user_sig_only() {
        let chat = Chat::new(APP, key());
        let enter = |group: &str, user, sig: &str, now| chat.enter(group, user, sig, now).map(drop);
        let sig = user_sig::sign("alice", APP, &key(), NOW, 60);
        assert_eq!(enter("g1", "alice", &sig, NOW), Ok(()));
        assert_eq!(enter("g1", "bob1", &sig, NOW), Err(Refused::UserSig));
        assert_eq!(enter("g1", "alice", "", NOW), Err(Refused::UserSig));
        assert_eq!(enter("g1", "alice", &sig, NOW.plus(61)), Err(Refused::UserSig), "expired");
        assert_eq!(enter("", "alice", &sig, NOW), Err(Refused::Group));
        assert_eq!(enter(&"g".repeat(257), "alice", &sig, NOW), Err(Refused::Group));
        let is_empty = |groups: &Groups| groups.senders.is_empty() && groups.users.is_empty();
        assert!(is_empty(&chat.groups()), "a group without members is forgotten");
    }

    #[tokio::test]
    async fn the_chat_has_a_bound_of_members_and_each_user_of_memberships() {
        let chat = Chat::new(APP, key());
        let enter = |user: &str| chat.enter("g1", user, &user_sig::sign(user, APP, &key(), NOW, 60), NOW);
        let mut members: Vec<_> = (0..MAX_MEMBERSHIPS).map(|_| enter("alice").unwrap()).collect();
        assert_eq!(enter("alice").map(drop), Err(Refused::TooOften));
        members.pop();
        members.extend(enter("alice"));
        let users: Vec<String> = (1..MAX_MEMBERS / MAX_MEMBERSHIPS).map(|number| format!("user{number}")).collect();
        members.extend(users.iter().flat_map(|user| (0..MAX_MEMBERSHIPS).map(|_| enter(user).unwrap())));
        assert_eq!((members.len(), enter("bob1").map(drop)), (MAX_MEMBERS, Err(Refused::Full)));
        members.clear();
        assert_eq!(enter("bob1").map(drop), Ok(()));
    }
}
