//! What clients send (RFC 5802, section 7).

use base64ct::{Base64, Encoding};

use crate::verifier::KEY_BYTES;

/// The first message of a client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ClientFirst<'a> {
    /// With both commas: it comes back in the last message.
    pub(crate) gs2_header: &'a str,
    /// The rest.
    pub(crate) bare: &'a str,
    pub(crate) username: String,
    pub(crate) nonce: &'a str,
}

impl<'a> ClientFirst<'a> {
    pub(crate) fn parse(text: &'a str) -> Result<Self, &'static str> {
        let mut fields = text.splitn(3, ',');
        let (flag, authzid, bare) = (fields.next(), fields.next(), fields.next());
        let (Some(flag), Some(authzid), Some(bare)) = (flag, authzid, bare) else {
            return Err("the first message has no GS2 header");
        };
        match flag {
            "n" | "y" => {}
            _ if flag.starts_with("p=") => return Err("channel binding is not offered"),
            _ => return Err("the GS2 header is malformed"),
        }
        let gs2_header = &text[..text.len() - bare.len()];
        let mut attributes = bare.split(',');
        let username = attributes.next().and_then(|text| text.strip_prefix("n="));
        let username = saslname(username.ok_or("the first message names no user, or asks for an extension")?)?;
        let nonce = attributes.next().and_then(|text| text.strip_prefix("r=")).filter(|nonce| is_printable(nonce));
        let nonce = nonce.ok_or("the first message has no nonce")?;
        if !authzid.is_empty() {
            let other = authzid.strip_prefix("a=").ok_or("the GS2 header is malformed")?;
            if saslname(other)? != username {
                return Err("nobody may act for another user");
            }
        }
        Ok(Self { gs2_header, bare, username, nonce })
    }
}

/// The last message of a client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ClientFinal<'a> {
    /// All but the proof.
    pub(crate) without_proof: &'a str,
    pub(crate) gs2_header: Vec<u8>,
    pub(crate) nonce: &'a str,
    pub(crate) proof: [u8; KEY_BYTES],
}

impl<'a> ClientFinal<'a> {
    pub(crate) fn parse(text: &'a str) -> Result<Self, &'static str> {
        let (without_proof, proof) = text.rsplit_once(",p=").ok_or("the last message has no proof")?;
        let mut attributes = without_proof.split(',');
        let binding = attributes.next().and_then(|text| text.strip_prefix("c="));
        let gs2_header = binding.and_then(|text| Base64::decode_vec(text).ok());
        let nonce = attributes.next().and_then(|text| text.strip_prefix("r="));
        let mut bytes = [0; KEY_BYTES];
        let proof = Base64::decode(proof, &mut bytes).is_ok_and(|proof| proof.len() == KEY_BYTES).then_some(bytes);
        match (gs2_header, nonce, proof) {
            (Some(gs2_header), Some(nonce), Some(proof)) => Ok(Self { without_proof, gs2_header, nonce, proof }),
            _ => Err("the last message is malformed"),
        }
    }
}

/// Undoes the escapes of a user name.
fn saslname(text: &str) -> Result<String, &'static str> {
    let mut parts = text.split('=');
    let mut name = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (escape, rest) = part.split_at_checked(2).unwrap_or_default();
        name.push(match escape {
            "2C" => ',',
            "3D" => '=',
            _ => return Err("the user name has a wrong escape"),
        });
        name.push_str(rest);
    }
    if name.is_empty() || name.contains(char::is_control) { Err("this is no user name") } else { Ok(name) }
}

/// What a nonce consists of, but for the comma.
fn is_printable(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_first(text: &str, expected: Result<(&str, &str), &str>) {
        let parsed = ClientFirst::parse(text);
        let parsed = parsed.as_ref().map(|first| (first.username.as_str(), first.nonce)).map_err(|error| *error);
        assert_eq!(parsed, expected, "{text:?}");
    }

    #[test]
    fn first_messages() {
        check_first("n,,n=user,r=abc", Ok(("user", "abc")));
        check_first("y,,n=user,r=abc,x=more", Ok(("user", "abc")));
        check_first("n,a=user,n=user,r=abc", Ok(("user", "abc")));
        check_first("n,,n=a=2Cb=3Dc,r=abc", Ok(("a,b=c", "abc")));
        check_first("n,,n=ünï,r=abc", Ok(("ünï", "abc")));
        check_first("n,a=root,n=user,r=abc", Err("nobody may act for another user"));
        check_first("n,root,n=user,r=abc", Err("the GS2 header is malformed"));
        check_first("p=tls-exporter,,n=user,r=abc", Err("channel binding is not offered"));
        check_first("x,,n=user,r=abc", Err("the GS2 header is malformed"));
        for text in ["", "n", "n,"] {
            check_first(text, Err("the first message has no GS2 header"));
        }
        for text in ["n,,", "n,,m=x,n=user,r=abc", "n,,r=abc"] {
            check_first(text, Err("the first message names no user, or asks for an extension"));
        }
        for text in ["n,,n=user", "n,,n=user,r=", "n,,n=user,r=a b", "n,,n=user,r=ü"] {
            check_first(text, Err("the first message has no nonce"));
        }
        for text in ["n,,n=a=,r=abc", "n,,n=a=2,r=abc", "n,,n=a=2c,r=abc", "n,,n=a=ü,r=abc"] {
            check_first(text, Err("the user name has a wrong escape"));
        }
        for text in ["n,,n=,r=abc", "n,,n=a\0,r=abc"] {
            check_first(text, Err("this is no user name"));
        }
    }

    #[test]
    fn last_messages() {
        let proof = Base64::encode_string(&[7; KEY_BYTES]);
        let text = format!("c=biws,r=abc,x=more,p={proof}");
        let parsed = ClientFinal::parse(&text).expect("well-formed");
        assert_eq!((parsed.without_proof, parsed.nonce), ("c=biws,r=abc,x=more", "abc"));
        assert_eq!((parsed.gs2_header, parsed.proof), (b"n,,".to_vec(), [7; KEY_BYTES]));
        for text in ["", "c=biws,r=abc", "c=biws,r=abc,p=", "c=biws,r=abc,p=AAAA", &format!("c=!,r=abc,p={proof}")] {
            assert!(ClientFinal::parse(text).is_err(), "{text:?}");
        }
    }
}
