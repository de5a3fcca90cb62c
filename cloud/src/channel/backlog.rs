//! The last tags of a running stream: two seconds, and all since the last key frame, within bounds.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::{
    bounds::{BACKLOG_BYTES, BACKLOG_TAGS, MAX_BACKLOG_TAGS},
    flv::{Role, TagKind},
};

/// A tag as viewers receive it.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    /// The tag in FLV.
    pub(super) bytes: Bytes,
    pub(super) kind: TagKind,
    pub(super) role: Role,
}

/// The last tags of a stream, which are numbered from the start.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    packets: VecDeque<Packet>,
    bytes: usize,
    /// The number of the first tag that is kept.
    first: u64,
    /// The number of the last key frame, if that is kept.
    key: Option<u64>,
}

impl Backlog {
    /// The number of the first tag.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// The number of the last key frame, if that is kept.
    pub(super) fn key(&self) -> Option<u64> {
        self.key
    }

    /// The number of the next tag.
    pub(super) fn end(&self) -> u64 {
        self.first + self.packets.len() as u64
    }

    /// The number of the tag with which a new viewer begins.
    pub(super) fn entry(&self) -> u64 {
        self.key.unwrap_or_else(|| self.end())
    }

    pub(super) fn get(&self, number: u64) -> Option<&Packet> {
        self.packets.get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    /// Appends a tag, and drops the first ones that are too many.
    pub(super) fn push(&mut self, packet: Packet) {
        if packet.role == Role::KeyFrame {
            self.key = Some(self.end());
        }
        self.bytes += packet.bytes.len();
        self.packets.push_back(packet);
        loop {
            let is_needed = self.packets.len() <= BACKLOG_TAGS || self.key.is_some_and(|key| key <= self.first);
            if is_needed && self.packets.len() <= MAX_BACKLOG_TAGS && self.bytes <= BACKLOG_BYTES {
                return;
            }
            let Some(dropped) = self.packets.pop_front() else { return };
            self.bytes -= dropped.bytes.len();
            self.first += 1;
            self.key = self.key.filter(|key| *key >= self.first);
        }
    }
}
