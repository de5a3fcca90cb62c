//! Validated types: user ids, stream ids, times, secrets. Each has one constructor, which checks the rule in its
//! documentation.

mod text;
mod time;

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

pub use self::{
    text::{
        AccountName, FileId, GroupId, Link, Nickname, NoticeId, Password, RequestId, Secret, StreamId, Text, UserId,
    },
    time::{CLOCK_TOLERANCE_SECONDS, Timestamp, UnixSeconds},
};

/// The sex that a user states, with its number on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sex {
    /// Not stated.
    #[default]
    Unknown = -1,
    /// Male.
    Male = 0,
    /// Female.
    Female = 1,
}

impl Sex {
    /// The sex with this number.
    pub fn from_number(number: i64) -> Option<Self> {
        [Self::Unknown, Self::Male, Self::Female].into_iter().find(|sex| i64::from(sex.number()) == number)
    }

    /// The number.
    pub fn number(self) -> i8 {
        self as i8
    }
}

/// A request for a page of a list. Page numbers start at 1; page 0 is page 1.
///
/// ```
/// use protocol::types::Page;
/// assert_eq!(Page::new(3, 20), Page { offset: 40, size: 20 });
/// assert_eq!(Page::new(0, 20), Page::new(1, 20));
/// assert_eq!(Page::new(1, 9).size, 10, "at least 10, as the original");
/// assert_eq!(Page::new(1, 101).size, 100, "at most 100");
/// assert_eq!(Page::new(u64::MAX, 20).offset, u64::MAX, "a page after the end of any list");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// The number of rows before the page.
    pub offset: u64,
    /// The maximum number of rows on the page: 10 to 100.
    pub size: u64,
}

impl Page {
    /// The page with this number, with `size` rows per page.
    pub fn new(number: u64, size: u64) -> Self {
        // The minimum is the original's: common/GlobalFunctions.php. For a size above 100 the original used 10,
        // which cut the lists of an Android app that asks for 200.
        let size = size.clamp(10, 100);
        Self { offset: number.saturating_sub(1).saturating_mul(size), size }
    }

    /// The rows of the page, from all rows of the list.
    pub fn of<T>(self, rows: &[T]) -> impl Iterator<Item = &T> {
        let [offset, size] = [self.offset, self.size].map(|number| usize::try_from(number).unwrap_or(usize::MAX));
        rows.iter().skip(offset).take(size)
    }
}

/// The IP address of the client that makes a call. The server or adapter that receives the request puts the address
/// into the request's extensions.
#[derive(Clone, Copy, Debug)]
pub struct ClientAddress(pub IpAddr);

impl ClientAddress {
    /// The last address of a list like `X-Forwarded-For`: the one that the nearest proxy has added. The client can
    /// forge the addresses before it.
    ///
    /// ```
    /// use protocol::types::ClientAddress;
    /// let last = |list| ClientAddress::last_of(list).map(|ClientAddress(address)| address.to_string());
    /// assert_eq!(last("203.0.113.7").as_deref(), Some("203.0.113.7"));
    /// assert_eq!(last("6.6.6.6, 203.0.113.7:41000").as_deref(), Some("203.0.113.7"));
    /// assert_eq!(last("[2001:db8::7]:41000").as_deref(), Some("2001:db8::7"));
    /// assert_eq!(last("::ffff:203.0.113.7").as_deref(), Some("203.0.113.7"));
    /// assert_eq!(last("203.0.113.7, nonsense"), None);
    /// assert_eq!(last(""), None);
    /// ```
    pub fn last_of(list: &str) -> Option<Self> {
        let last = list.rsplit(',').next()?.trim();
        let address = last.parse().or_else(|_| last.parse().map(|with_port: SocketAddr| with_port.ip()));
        address.ok().map(|address: IpAddr| Self(address.to_canonical()))
    }

    /// The network that limits per client are counted by: the IPv4 address, or the /64 network of an IPv6 address,
    /// since one client has all addresses of that network. `None` for a loopback address: a developer, or a proxy for
    /// many clients.
    pub fn network(self) -> Option<String> {
        match self.0.to_canonical() {
            address if address.is_loopback() => None,
            IpAddr::V4(address) => Some(address.to_string()),
            IpAddr::V6(address) => Some(format!("{}/64", Ipv6Addr::from_bits(address.to_bits() >> 64 << 64))),
        }
    }
}
