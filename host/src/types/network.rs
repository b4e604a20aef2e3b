use std::net::{IpAddr, Ipv6Addr};

/// The network of an address: what one peer can choose freely counts as one, of IPv6 the first 64 bits.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        assert_eq!(network(address(text)), address(expected), "{text}");
    }

    #[test]
    fn addresses_of_one_ipv6_network_are_one() {
        check("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::");
        check("::ffff:192.0.2.1", "192.0.2.1");
        check("192.0.2.1", "192.0.2.1");
    }
}
