//! What most modules of the store use: items with their attributes, conditional writes, and the common types.

pub(crate) use crate::{
    Item, Result, Table,
    batch::Consistency,
    counter_in, invalid_attribute, keys, number, number_in, parsed,
    rules::Rules,
    table_error, text, text_in, unix_seconds, unix_seconds_in,
    update::{Attempts, Update, WriteOutcome},
};
pub(crate) use protocol::types::{FileId, Page, Text, UnixSeconds, UserId};
