//! The environment variables, the clock and the random numbers of this process. No other module of the libraries reads
//! them.

use protocol::types::{RequestId, UnixSeconds};

/// An environment variable of the process.
pub fn environment(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "no other module of the libraries reads the environment")]
    std::env::var(name).ok()
}

/// The current time of the machine's clock.
pub fn now() -> UnixSeconds {
    #[expect(clippy::disallowed_methods, reason = "no other module reads the clock")]
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    UnixSeconds(since.expect("the clock is past 1970").as_secs())
}

/// A cryptographically secure random number from the operating system.
pub fn random_u32() -> u32 {
    getrandom::u32().expect("the operating system has random numbers")
}

/// A new, unique request id.
pub(crate) fn request_id() -> RequestId {
    RequestId::from_random(std::array::from_fn(|_| random_u32()))
}
