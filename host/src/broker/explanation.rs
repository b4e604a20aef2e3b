//! What a plugin says of a refusal, or the settings of where to go, in the packets that tell it.

use bytes::BytesMut;

use crate::codec::Property;
use crate::hooks::Reason;
use crate::protocol::{ClientTerms, hears_reasons};

/// The reason string of a refusal, if there is one, and its user properties: the one that is kept longest comes first.
pub(super) fn properties(reason: &Reason) -> Vec<Property<'_>> {
    let user = reason.user_properties.iter().map(|user| Property::UserProperty(&user.name, &user.value));
    reason.text.as_deref().map(Property::ReasonString).into_iter().chain(user).collect()
}

/// The same for an acknowledgement, which has none that the client did not ask for `[MQTT-3.1.2-29]`.
pub(super) fn of_acknowledgement(reason: &Reason, terms: ClientTerms) -> Vec<Property<'_>> {
    let is_heard = hears_reasons(terms.version) && terms.problem_information;
    if is_heard { properties(reason) } else { Vec::new() }
}

/// As many properties as the client takes in a packet that `encode` makes of them: all, or the first alone, or none
/// `[MQTT-3.2.2-19]` `[MQTT-3.2.2-20]` `[MQTT-3.4.2-2]` `[MQTT-3.4.2-3]` `[MQTT-3.5.2-2]` `[MQTT-3.5.2-3]`
/// `[MQTT-3.9.2-1]` `[MQTT-3.9.2-2]` `[MQTT-3.14.2-3]` `[MQTT-3.14.2-4]`.
pub(super) fn fitting<'a, 'b>(
    properties: &'b [Property<'a>],
    terms: ClientTerms,
    encode: impl Fn(&mut BytesMut, &[Property<'a>]),
) -> &'b [Property<'a>] {
    let fits = |properties: &&[Property<'a>]| {
        let mut packet = BytesMut::new();
        encode(&mut packet, properties);
        packet.len() <= terms.packet_bytes_max as usize
    };
    match properties {
        [] => properties,
        [first, ..] => [properties, std::slice::from_ref(first)].into_iter().find(fits).unwrap_or_default(),
    }
}
