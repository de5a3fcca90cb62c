//! The address of a call, which a trusted proxy in front of the server reports in a header.

use std::net::IpAddr;

use hyper::Request;
use protocol::types::ClientAddress;

/// The proxy in front of the server, which is trusted to report the address of a call.
#[derive(Clone, Copy, Debug)]
pub enum TrustedProxy {
    /// No proxy: the address of a call is that of its connection.
    None,
    /// A proxy at this address: its header `X-Forwarded-For` has the address of a call. Connections from other
    /// addresses bypass the proxy, and their header is ignored.
    Address(IpAddr),
    /// A platform that cannot be bypassed: this header, which callers cannot set, has the address of a call. Each
    /// connection is for one call, since the platform may suspend the process between calls for longer than a
    /// connection lasts.
    Platform(&'static str),
}

impl TrustedProxy {
    /// The header with the address of a call, on a connection from this address that carries the calls of others.
    fn header(self, from: IpAddr) -> Option<&'static str> {
        match self {
            Self::Address(address) if address == from => Some("x-forwarded-for"),
            Self::Platform(header) => Some(header),
            Self::None | Self::Address(_) => None,
        }
    }

    /// The client by which the connections from this address are counted; `None` if they are not counted.
    pub(crate) fn client(self, from: IpAddr) -> Option<String> {
        if self.header(from).is_some() { None } else { ClientAddress(from).network() }
    }

    /// The address of a call on a connection from this address; `None` if it is unknown.
    pub(crate) fn client_address<T>(self, from: IpAddr, request: &Request<T>) -> Option<ClientAddress> {
        let header = self.header(from).map(|header| request.headers().get_all(header));
        // The proxy has added the last address; earlier addresses may be made up by the caller.
        let last = header.and_then(|values| ClientAddress::last_of(values.iter().next_back()?.to_str().ok()?));
        // The address of a platform's connection is that of the platform.
        if matches!(self, Self::Platform(_)) { last } else { last.or(Some(ClientAddress(from))) }
    }
}

#[test]
fn only_the_last_address_in_the_header_of_the_trusted_proxy_is_the_address_of_a_call() {
    let peer: IpAddr = "198.51.100.1".parse().unwrap();
    let (proxy, other) = (TrustedProxy::Address(peer), TrustedProxy::Address("198.51.100.2".parse().unwrap()));
    let platform = TrustedProxy::Platform("x-scf-remote-addr");
    let forwarded = |value| ("x-forwarded-for", value);
    let both = [forwarded("203.0.113.7"), ("x-scf-remote-addr", "203.0.113.8")];
    for (proxy, headers, expected) in [
        (proxy, &[forwarded("6.6.6.6, 203.0.113.7")][..], Some("203.0.113.7")),
        (proxy, &[forwarded("6.6.6.6"), forwarded("2001:db8::7")], Some("2001:db8::7")),
        // The address of the connection, which is that of the proxy itself.
        (proxy, &[forwarded("203.0.113.7, nonsense")], Some("198.51.100.1")),
        (proxy, &[], Some("198.51.100.1")),
        // Connections that bypass the proxy.
        (TrustedProxy::None, &both, Some("198.51.100.1")),
        (other, &both, Some("198.51.100.1")),
        (platform, &both, Some("203.0.113.8")),
        // Not the address of the platform itself.
        (platform, &both[..1], None),
    ] {
        let request = headers.iter().fold(Request::builder(), |request, (name, value)| request.header(*name, *value));
        let address = proxy.client_address(peer, &request.body(()).unwrap());
        assert_eq!(address.map(|address| address.0.to_string()).as_deref(), expected, "{proxy:?} {headers:?}");
    }
}
