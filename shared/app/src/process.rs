//! The environment, the clock and the random numbers of this process: the only place of the libraries that reads them.

use protocol::types::{RequestId, UnixSeconds};

/// A variable of the process's environment.
pub fn environment(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "the one place of the libraries that reads the environment")]
    std::env::var(name).ok()
}

/// Now, by the machine's clock.
pub fn now() -> UnixSeconds {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    UnixSeconds(since.expect("the clock is past 1970").as_secs())
}

/// A number that nobody can foresee, by the operating system.
pub fn getrandom_u32() -> u32 {
    getrandom::u32().expect("the operating system gives random numbers")
}

/// A request id that no other call has.
pub(crate) fn request_id() -> RequestId {
    RequestId::from_random(std::array::from_fn(|_| getrandom_u32()))
}
