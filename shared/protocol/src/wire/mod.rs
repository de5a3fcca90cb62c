//! The wire formats: parses requests into typed parameters, and writes replies in the caller's dialect.
//!
//! There are three dialects. Each has an envelope (the JSON object around a reply's data) and a table of codes. A
//! dialect does not depend on the command.

mod action;
mod callback;
mod from_param;
mod message;
mod params;
mod rest;
mod shallow;

use serde::Serialize;

pub use self::{
    from_param::{FromParam, NonEmpty},
    params::{MAX_BODY_BYTES, Params},
};
use crate::{error::Error, types::ClientAddress};

/// The format of a caller's requests and replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Gen-1 apps: one path for all commands, the command's name in the field `Action`.
    Action,
    /// Gen-2 apps and new clients: one path per command.
    Rest,
    /// Callbacks of the live cloud, which send notices.
    Callback,
}

/// A reply: the HTTP status and a JSON body.
#[derive(PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The JSON text.
    pub body: String,
}

impl Dialect {
    /// The name of the dialect in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Action => "action",
            Self::Rest => "rest",
            Self::Callback => "callback",
        }
    }

    /// The code of a reply, for the log.
    pub fn code(self, outcome: Result<(), &Error>) -> u16 {
        match (self, outcome) {
            (Self::Action, outcome) => outcome.map_or_else(|error| action::code(error).0, |()| action::SUCCESS),
            (Self::Rest, outcome) => outcome.map_or_else(|error| rest::code(error).0, |()| rest::SUCCESS),
            (Self::Callback, outcome) => outcome.map_or_else(|error| callback::code(error).1, |()| callback::SUCCESS),
        }
    }

    /// The reply of a successful command.
    pub fn accept(self, data: &impl Serialize) -> Reply {
        let body = match self {
            Self::Action => action::accept(data),
            Self::Rest => rest::accept(data),
            Self::Callback => callback::accept(),
        };
        Reply { status: 200, body }
    }

    /// The reply of a failed command.
    pub fn refuse(self, error: &Error) -> Reply {
        // Apps always get status 200: old Android apps treat any other status as a network failure.
        match self {
            Self::Action => Reply { status: 200, body: action::refuse(error) },
            Self::Rest => Reply { status: 200, body: rest::refuse(error) },
            Self::Callback => callback::refuse(error),
        }
    }
}

/// One call of a command, parsed from a request.
pub struct Call {
    /// The dialect of the caller.
    pub dialect: Dialect,
    /// The parameters in the body.
    pub params: Params,
    /// The header `Liteav-Sig`.
    pub signature: Option<String>,
    /// The header `X-User-Sig`.
    pub user_sig: Option<String>,
    /// The header `X-Operator-Key`.
    pub operator_key: Option<String>,
    /// The address of the client, from the connection, the gateway or a trusted proxy.
    pub client_address: Option<ClientAddress>,
}
