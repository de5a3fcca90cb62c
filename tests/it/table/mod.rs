//! The table: what it keeps when requests fail, meet or come in another order, and what a page costs.
//!
//! - [`clock`]: clocks that are ahead for a while
//! - [`concurrency`]: calls that come at the same time
//! - [`damaged`]: such rows in lists and pages
//! - [`engine`]: the embedded table answers the same directly and over HTTP
//! - [`faults`]: requests to the table that fail
//! - [`histories`]: made-up broadcasts by the hundred, told in many orders, against a model of decision 13
//! - [`lists`]: which rows the pages of the lists have, and what a page costs
//! - [`unwritable`]: rows that the table does not take, or that nobody can understand, and so nobody writes

mod clock;
mod concurrency;
mod damaged;
mod engine;
mod faults;
mod histories;
mod lists;
mod repairs;
mod sweep;
mod unwritable;
