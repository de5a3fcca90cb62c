//! Where the server listens, and at which addresses others find it.

use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs, UdpSocket},
    str::FromStr,
};

use tokio::net::TcpListener;

/// The port where none is named.
const PORT: u16 = 8080;

/// An address to listen at, as it is written on the command line: a port, an address, a name, or one of these with a
/// port. A port alone is one of this machine only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    host: Host,
    port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    Address(IpAddr),
    Name(String),
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let at = |address, port| Self { host: Host::Address(address), port };
        if let Ok(port) = text.parse() {
            return Ok(at(Ipv4Addr::LOCALHOST.into(), port));
        }
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(at(address.ip(), address.port()));
        }
        if let Ok(address) = text.trim_start_matches('[').trim_end_matches(']').parse() {
            return Ok(at(address, PORT));
        }
        let (name, port) = match text.split_once(':') {
            Some((name, port)) => (name, port.parse().ok()),
            None => (text, Some(PORT)),
        };
        let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c))
            && name.chars().any(|c| c.is_ascii_alphabetic());
        match port.filter(|_| is_name) {
            // The name may have an IPv6 address first, which the phone that is told of the other does not reach.
            Some(port) if name.eq_ignore_ascii_case("localhost") => Ok(at(Ipv4Addr::LOCALHOST.into(), port)),
            Some(port) => Ok(Self { host: Host::Name(name.to_owned()), port }),
            None => Err("expected a port, or an address or a name with a port: 8080, 0.0.0.0:8080, localhost:8080, \
                         [::]:8080"
                .to_owned()),
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Address(address) => SocketAddr::new(*address, self.port).fmt(f),
            Host::Name(name) => write!(f, "{name}:{}", self.port),
        }
    }
}

impl Listen {
    /// Whether only this machine reaches it.
    pub fn is_loopback(&self) -> bool {
        matches!(self.host, Host::Address(address) if address.is_loopback())
    }

    /// Begins to listen.
    pub async fn bind(&self) -> io::Result<TcpListener> {
        let addresses = match &self.host {
            Host::Address(address) => vec![SocketAddr::new(*address, self.port)],
            Host::Name(name) => (name.as_str(), self.port).to_socket_addrs()?.collect(),
        };
        TcpListener::bind(addresses.as_slice()).await
    }
}

/// The addresses at which others find a server that listens here, the likeliest first: this one, or every one of the
/// machine if it listens at all of them.
pub fn reachable(listening: SocketAddr) -> Vec<SocketAddr> {
    let mut addresses = vec![listening.ip()];
    if listening.ip().is_unspecified() {
        let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
        addresses = interfaces.iter().filter(|interface| interface.is_oper_up()).map(if_addrs::Interface::ip).collect();
        addresses.retain(|address| !address.is_loopback() && (listening.is_ipv6() || address.is_ipv4()));
        let of_route = address_of_default_route();
        addresses.sort_by_key(|address| (Some(*address) != of_route, address.is_ipv6()));
    }
    addresses.into_iter().map(|address| SocketAddr::new(address, listening.port())).collect()
}

/// The address with which this machine calls others: of many, those of virtual machines and containers among them, the
/// one that a phone in the same network finds.
fn address_of_default_route() -> Option<IpAddr> {
    // An address for documentation (RFC 5737). Nothing is sent: connecting a UDP socket only picks the route.
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_to_listen_at_is_written_in_many_ways() {
        for (text, meant) in [
            ("41201", "127.0.0.1:41201"),
            ("localhost:41201", "127.0.0.1:41201"),
            ("localhost", "127.0.0.1:8080"),
            ("0.0.0.0", "0.0.0.0:8080"),
            ("0.0.0.0:80", "0.0.0.0:80"),
            ("::", "[::]:8080"),
            ("[::1]", "[::1]:8080"),
            ("[::]:80", "[::]:80"),
            ("studio.local:80", "studio.local:80"),
        ] {
            assert_eq!(text.parse::<Listen>().unwrap().to_string(), meant, "{text}");
        }
        for text in
            ["", ":", ":80", "80 81", "65536", "localhost:", "localhost:x", "localhost:65536", "http://a:80", "1.2.3"]
        {
            assert!(text.parse::<Listen>().unwrap_err().contains("localhost:8080"), "{text}");
        }
    }

    #[test]
    fn a_server_is_found_where_it_listens() {
        let one: SocketAddr = "127.0.0.1:80".parse().unwrap();
        assert_eq!(reachable(one), [one]);
        for every in ["0.0.0.0:80", "[::]:80"] {
            let every: SocketAddr = every.parse().unwrap();
            let addresses = reachable(every);
            let is_good = |address: &SocketAddr| {
                let ip = address.ip();
                address.port() == 80 && !ip.is_loopback() && !ip.is_unspecified() && (every.is_ipv6() || ip.is_ipv4())
            };
            assert!(addresses.iter().all(is_good), "{addresses:?}");
        }
    }
}
