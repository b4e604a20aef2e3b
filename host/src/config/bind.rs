use std::net::Ipv6Addr;

use crate::net::BindAddress;

/// What an address to listen on looks like.
pub(super) const WANTED: &str = "`host:port`, `:port`, `port` or `host`";

/// What to do about an address that YAML takes for a list.
pub(super) const QUOTE_BRACKETS: &str = "quote an address in brackets: `bind: \"[::1]:1883\"`";

/// Why a text is no address to listen on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadBind {
    pub(super) hint: String,
}

/// Reads `host:port`, `:port`, `port` or `host`; an IPv6 address may stand in brackets, and has to before a port that
/// could be a part of it.
pub(super) fn parse(text: &str, default_port: u16) -> Result<BindAddress, BadBind> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(BindAddress { host: None, port: port(text)? });
    }
    let (host, port_text) = split(text)?;
    if let Some(host) = host {
        check_host(host)?;
    }
    Ok(BindAddress { host: host.map(ToOwned::to_owned), port: port_text.map_or(Ok(default_port), port)? })
}

/// The host without brackets and the port.
fn split(text: &str) -> Result<(Option<&str>, Option<&str>), BadBind> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, after) =
            rest.split_once(']').ok_or_else(|| bad("the `[` before an IPv6 address wants a `]` after it"))?;
        if !is_ipv6(host) {
            return Err(bad(format!("`{host}` is not an IPv6 address")));
        }
        return match after.strip_prefix(':') {
            Some(port) => Ok((Some(host), Some(port))),
            None if after.is_empty() => Ok((Some(host), None)),
            None => Err(bad("after the `]` comes `:` and the port")),
        };
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        return Ok((Some(text), None));
    };
    match (is_ipv6(text), is_ipv6(host)) {
        (true, true) => {
            Err(bad(format!("either `[{host}]:{port}` or `[{text}]` could be meant: write one of them, with quotes")))
        }
        (true, false) => Ok((Some(text), None)),
        (false, true) => Ok((Some(host), Some(port))),
        (false, false) if host.is_empty() => Ok((None, Some(port))),
        (false, false) => Ok((Some(host), Some(port))),
    }
}

/// An IPv6 address, with or without the zone of a link-local one.
fn is_ipv6(text: &str) -> bool {
    let address = text.split_once('%').map_or(text, |(address, _zone)| address);
    address.parse::<Ipv6Addr>().is_ok()
}

fn check_host(host: &str) -> Result<(), BadBind> {
    let name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if is_ipv6(host) || host.bytes().all(name) {
        return Ok(());
    }
    Err(bad(format!("`{host}` is neither an address nor a host name")))
}

fn port(text: &str) -> Result<u16, BadBind> {
    // `parse` would accept `+1883`.
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits && text.len() > 1 && text.starts_with('0') {
        // 0100 is 64 to some readers of YAML.
        return Err(bad("a port has no zeros in front"));
    }
    match text.parse() {
        Ok(port) if digits => Ok(port),
        _ => Err(bad(format!("a port is a number from 0 to 65535, not `{text}`"))),
    }
}

fn bad(hint: impl Into<String>) -> BadBind {
    BadBind { hint: hint.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read() {
        let check = |text: &str, host: Option<&str>, port: u16| {
            let expected = BindAddress { host: host.map(ToOwned::to_owned), port };
            assert_eq!(parse(text, 1883), Ok(expected), "{text}");
        };
        check("0.0.0.0:1883", Some("0.0.0.0"), 1883);
        check("127.0.0.1", Some("127.0.0.1"), 1883);
        check(":1884", None, 1884);
        check("1884", None, 1884);
        check("localhost:0", Some("localhost"), 0);
        check("mqtt-1.example.org", Some("mqtt-1.example.org"), 1883);
        check("[::1]:1884", Some("::1"), 1884);
        check("[::1]", Some("::1"), 1883);
        check("[2001:db8::1:1884]", Some("2001:db8::1:1884"), 1883);
        check("::", Some("::"), 1883);
        check("::1", Some("::1"), 1883);
        check(":::1884", Some("::"), 1884);
        check("1:2:3:4:5:6:7:8", Some("1:2:3:4:5:6:7:8"), 1883);
        check("1:2:3:4:5:6:7:8:1884", Some("1:2:3:4:5:6:7:8"), 1884);
        check("[fe80::1%eth0]:1884", Some("fe80::1%eth0"), 1884);
    }

    #[test]
    fn what_is_no_address_is_refused_with_a_reason() {
        let check = |text: &str, hint: &str| {
            let BadBind { hint: found } = parse(text, 1883).expect_err(text);
            assert!(found.contains(hint), "{text}: {found}");
        };
        check("127.0.0.1:65536", "not `65536`");
        check("127.0.0.1:", "not ``");
        check("host:+1", "not `+1`");
        check("70000", "not `70000`");
        check("a b:1883", "`a b` is neither");
        check("tcp://0.0.0.0:1883", "`tcp://0.0.0.0` is neither");
        check("*:1883", "`*` is neither");
        check("::1:1883", "`[::1]:1883` or `[::1:1883]`");
        check("[::1", "wants a `]`");
        check("[::1]1883", "after the `]`");
        check("[localhost]:1883", "not an IPv6 address");
    }
}
