use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};

use socket2::{Domain, Protocol, Socket, Type};

/// Connections that the kernel keeps ready for a listener.
const BACKLOG: i32 = 4_096;

/// The first port that everybody may listen on, unless the system is told otherwise.
const PORT_UNPRIVILEGED_MIN: u16 = 1_024;

/// Where a listener listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindAddress {
    /// An IPv4 or IPv6 address or a host name; none for every address of the machine.
    pub host: Option<String>,
    /// The port; 0 lets the system choose.
    pub port: u16,
}

/// Why a listener cannot listen.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on `{address}`: {source}{}", self.hint_line())]
pub struct BindError {
    address: BindAddress,
    /// Whether the host's addresses are known: it failed after that.
    is_resolved: bool,
    source: io::Error,
}

impl BindAddress {
    /// Opens a listening socket for each address that the host name stands for.
    pub fn listen(&self) -> Result<Vec<std::net::TcpListener>, BindError> {
        let failed = |is_resolved| move |source| BindError { address: self.clone(), is_resolved, source };
        let Some(host) = &self.host else {
            return listen_everywhere(self.port).map(|socket| vec![socket]).map_err(failed(true));
        };
        let addresses = (host.as_str(), self.port).to_socket_addrs().map_err(failed(false))?;
        let mut addresses: Vec<SocketAddr> = addresses.collect();
        addresses.sort_unstable();
        addresses.dedup();
        addresses.into_iter().map(|address| listen_on(address, true).map_err(failed(true))).collect()
    }
}

impl BindError {
    /// What can be done about it.
    fn hint(&self) -> Option<&'static str> {
        Some(match self.source.kind() {
            _ if !self.is_resolved => "write the name as this machine knows it (see `/etc/hosts`), or an address",
            io::ErrorKind::AddrInUse => {
                "another program listens there, or another listener: end it, or choose another port; `ss -ltnp` lists them"
            }
            io::ErrorKind::AddrNotAvailable => {
                "this machine has no such address: `ip address` lists those that it has; without a host, all of them are meant"
            }
            io::ErrorKind::PermissionDenied if self.address.port < PORT_UNPRIVILEGED_MIN => {
                "a port below 1024 takes a privilege: `AmbientCapabilities=CAP_NET_BIND_SERVICE` in a unit of systemd, \
                 `setcap cap_net_bind_service=+ep` for the command, or a lower `sysctl net.ipv4.ip_unprivileged_port_start`"
            }
            _ => return None,
        })
    }

    fn hint_line(&self) -> String {
        self.hint().map_or_else(String::new, |hint| format!("\nhint: {hint}"))
    }
}

impl fmt::Display for BindAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Some(host) if host.contains(':') => write!(f, "[{host}]:{}", self.port),
            Some(host) => write!(f, "{host}:{}", self.port),
            None => write!(f, ":{}", self.port),
        }
    }
}

/// IPv6 and IPv4 by one socket where the system can, else IPv4.
fn listen_everywhere(port: u16) -> io::Result<std::net::TcpListener> {
    listen_on((Ipv6Addr::UNSPECIFIED, port).into(), false).or_else(|error| match error.kind() {
        io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied => Err(error),
        _ => listen_on((Ipv4Addr::UNSPECIFIED, port).into(), false),
    })
}

fn listen_on(address: SocketAddr, only_v6: bool) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(only_v6)?;
    }
    // A restart must not wait for connections of the last run to time out.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    // Without it, acknowledgements wait for each other. Connections have it from their listener.
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_an_error_that_names_it() {
        let address = BindAddress { host: Some("127.0.0.1".into()), port: 0 };
        let sockets = address.listen().expect("a free port");
        let taken = sockets[0].local_addr().expect("has an address").port();
        let error = BindAddress { port: taken, ..address }.listen().expect_err("the port is taken").to_string();
        assert!(error.starts_with(&format!("cannot listen on `127.0.0.1:{taken}`: ")), "{error}");
        assert!(error.contains("\nhint: another program listens there"), "{error}");
    }

    #[test]
    fn what_can_be_done_is_told() {
        let check = |port: u16, is_resolved: bool, kind: io::ErrorKind, expected: &str| {
            let address = BindAddress { host: Some("host".into()), port };
            let error = BindError { address, is_resolved, source: kind.into() }.to_string();
            assert!(error.starts_with(&format!("cannot listen on `host:{port}`: ")), "{error}");
            let (_, hint) = error.split_once("\nhint: ").unwrap_or_default();
            assert!(hint.starts_with(expected) && hint.is_empty() == expected.is_empty(), "{error}");
        };
        check(1_883, true, io::ErrorKind::AddrInUse, "another program");
        check(1_883, true, io::ErrorKind::AddrNotAvailable, "this machine has no such address");
        check(883, true, io::ErrorKind::PermissionDenied, "a port below 1024");
        check(1_883, true, io::ErrorKind::PermissionDenied, "");
        check(1_883, false, io::ErrorKind::Other, "write the name");
    }

    #[test]
    fn without_a_host_every_address_is_listened_on() {
        let sockets = BindAddress { host: None, port: 0 }.listen().expect("a free port");
        let port = sockets[0].local_addr().expect("has an address").port();
        std::net::TcpStream::connect(("127.0.0.1", port)).expect("reaches it by IPv4");
    }

    #[test]
    fn what_is_written_to_a_connection_leaves_at_once() {
        let listener = &BindAddress { host: Some("127.0.0.1".into()), port: 0 }.listen().expect("a free port")[0];
        let _client = std::net::TcpStream::connect(listener.local_addr().expect("has one")).expect("is accepted");
        listener.set_nonblocking(false).expect("can set");
        assert!(listener.accept().expect("comes").0.nodelay().expect("is known"));
    }
}
