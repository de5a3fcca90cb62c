//! The address at which a server listens, and the addresses at which other machines reach it.

use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    str::FromStr,
};

use tokio::net::TcpListener;

/// The default port.
const PORT: u16 = 8080;

/// An address to listen at, from the command line: `address:port` or `name:port`. The text may lack the port, or be
/// only a port, which means a port of `127.0.0.1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen(String);

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let with_port =
            [text.to_owned(), format!("127.0.0.1:{text}"), format!("{text}:{PORT}"), format!("[{text}]:{PORT}")];
        if let Some(address) = with_port.iter().find_map(|text| text.parse::<SocketAddr>().ok()) {
            return Ok(Self(address.to_string()));
        }
        let (name, port) = match text.split_once(':') {
            Some((name, port)) => (name, port.parse::<u16>().ok()),
            None => (text, Some(PORT)),
        };
        let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c))
            && name.chars().any(|c| c.is_ascii_alphabetic());
        // Not resolved: the name may have the address ::1 first, to which the announced address would not lead.
        let name = if name.eq_ignore_ascii_case("localhost") { "127.0.0.1" } else { name };
        port.filter(|_| is_name).map(|port| Self(format!("{name}:{port}"))).ok_or_else(|| {
            "expected a port, or an address or a name with a port: 8080, 0.0.0.0:8080, localhost:8080, [::]:8080"
                .to_owned()
        })
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Listen {
    /// Whether the address is reached from this machine only.
    pub fn is_loopback(&self) -> bool {
        self.0.parse().is_ok_and(|address: SocketAddr| address.ip().is_loopback())
    }

    /// Starts to listen.
    pub async fn bind(&self) -> io::Result<TcpListener> {
        TcpListener::bind(&self.0).await
    }
}

/// The addresses at which other machines reach a server that listens at `listening`, the likeliest first: this address,
/// or each address of the machine if the server listens at all of them.
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

/// The address of this machine on the default route, which a phone of the same network reaches. The addresses of
/// virtual machines and containers are not on this route.
fn address_of_default_route() -> Option<IpAddr> {
    // An address for documentation (RFC 5737). Nothing is sent: connecting a UDP socket only selects the route.
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
    fn a_server_that_listens_everywhere_is_reached_at_the_addresses_of_the_network() {
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
