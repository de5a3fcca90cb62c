//! What every kind of ingest has in common: the decision about a push, the path of its tags, and how it ends.

use std::{
    borrow::Cow,
    fmt,
    future::{Future, pending},
    net::IpAddr,
};

use futures_util::future::Either;

use crate::flv::Tag;

/// The side of the live cloud that receives pushes: it accepts or refuses each one.
pub trait Ingest {
    /// An accepted push.
    type Push: Push;

    /// Decides about a push. `app` is the name of the app without slashes and query, as `live`. `stream` is the stream
    /// id with its query, as `8888_host?txSecret=..&txTime=..`. `from` is the address of the publisher, if known.
    fn open(&self, app: &str, stream: &str, from: Option<IpAddr>) -> Result<Self::Push, Refused>;
}

/// A push that was accepted.
///
/// The ingest of this crate calls [`Push::end`] exactly once for each push. It keeps a push only in a guard that calls
/// `end` with [`EndReason::Left`] when the guard is dropped, so the call is also made if the task of the connection is
/// aborted or panics. An implementation needs no `Drop` of its own.
pub trait Push: Send {
    /// Receives the next tag.
    fn tag(&mut self, tag: Tag);

    /// Completes when the live cloud cuts the push, at once if it has been cut already. The future is dropped and asked
    /// for again after every read of the connection.
    fn cut(&self) -> impl Future<Output = CutReason> + Send;

    /// The push has ended.
    fn end(self, reason: EndReason);
}

/// Why a push was refused, in words that the publisher is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused(pub Cow<'static, str>);

/// Why a push was cut, in words that the publisher is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CutReason(pub Cow<'static, str>);

/// How a push ended, or a connection before its push began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// The publisher ended it, as the protocol has it.
    Closed,
    /// The connection was lost or closed without a word, or its task was aborted.
    Left,
    /// The publisher sent nothing, or read nothing, for too long.
    Silent,
    /// The live cloud cut the push.
    Cut,
    /// The publisher broke the protocol: in what way.
    Broken(String),
}

/// How the connection of a publisher ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// No push began.
    BeforePush(EndReason),
    /// The push was refused.
    Refused(Refused),
    /// The push was accepted, and ended for this reason.
    Push(EndReason),
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the publisher ended the push"),
            Self::Left => f.write_str("the connection of the publisher was lost"),
            Self::Silent => f.write_str("the publisher was silent for too long"),
            Self::Cut => f.write_str("the push was cut"),
            Self::Broken(error) => write!(f, "the publisher broke the protocol: {error}"),
        }
    }
}

/// The guard of an accepted push: see [`Push`].
pub(crate) struct OpenPush<P: Push>(Option<P>);

impl<P: Push> OpenPush<P> {
    pub(crate) fn new(push: P) -> Self {
        Self(Some(push))
    }

    pub(crate) fn tag(&mut self, tag: Tag) {
        if let Some(push) = &mut self.0 {
            push.tag(tag);
        }
    }

    /// Completes when the live cloud cuts the push.
    pub(crate) fn cut(&self) -> impl Future<Output = CutReason> + Send {
        match &self.0 {
            Some(push) => Either::Left(push.cut()),
            None => Either::Right(pending()),
        }
    }

    pub(crate) fn end(mut self, reason: EndReason) {
        if let Some(push) = self.0.take() {
            push.end(reason);
        }
    }
}

impl<P: Push> Drop for OpenPush<P> {
    fn drop(&mut self) {
        if let Some(push) = self.0.take() {
            push.end(EndReason::Left);
        }
    }
}
