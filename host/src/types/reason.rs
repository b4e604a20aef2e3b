/// What an answer or a farewell says (MQTT 5.0, table 2-6). From 0x80 on it is a failure.
///
/// Earlier versions have fewer words for it, which the codec chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs, reason = "the names are the standard's")]
pub enum ReasonCode {
    /// Also: normal disconnection, granted QoS 0.
    Success = 0x00,
    GrantedQoS1 = 0x01,
    GrantedQoS2 = 0x02,
    DisconnectWithWill = 0x04,
    NoMatchingSubscribers = 0x10,
    NoSubscriptionExisted = 0x11,
    ContinueAuthentication = 0x18,
    ReAuthenticate = 0x19,
    UnspecifiedError = 0x80,
    MalformedPacket = 0x81,
    ProtocolError = 0x82,
    ImplementationSpecificError = 0x83,
    UnsupportedProtocolVersion = 0x84,
    ClientIdentifierNotValid = 0x85,
    BadUserNameOrPassword = 0x86,
    NotAuthorized = 0x87,
    ServerUnavailable = 0x88,
    ServerBusy = 0x89,
    Banned = 0x8a,
    ServerShuttingDown = 0x8b,
    BadAuthenticationMethod = 0x8c,
    KeepAliveTimeout = 0x8d,
    SessionTakenOver = 0x8e,
    TopicFilterInvalid = 0x8f,
    TopicNameInvalid = 0x90,
    PacketIdentifierInUse = 0x91,
    PacketIdentifierNotFound = 0x92,
    ReceiveMaximumExceeded = 0x93,
    TopicAliasInvalid = 0x94,
    PacketTooLarge = 0x95,
    MessageRateTooHigh = 0x96,
    QuotaExceeded = 0x97,
    AdministrativeAction = 0x98,
    PayloadFormatInvalid = 0x99,
    RetainNotSupported = 0x9a,
    QoSNotSupported = 0x9b,
    UseAnotherServer = 0x9c,
    ServerMoved = 0x9d,
    SharedSubscriptionsNotSupported = 0x9e,
    ConnectionRateExceeded = 0x9f,
    MaximumConnectTime = 0xa0,
    SubscriptionIdentifiersNotSupported = 0xa1,
    WildcardSubscriptionsNotSupported = 0xa2,
}

impl ReasonCode {
    /// All of them, in the order of their values.
    pub const ALL: [Self; 43] = [
        Self::Success,
        Self::GrantedQoS1,
        Self::GrantedQoS2,
        Self::DisconnectWithWill,
        Self::NoMatchingSubscribers,
        Self::NoSubscriptionExisted,
        Self::ContinueAuthentication,
        Self::ReAuthenticate,
        Self::UnspecifiedError,
        Self::MalformedPacket,
        Self::ProtocolError,
        Self::ImplementationSpecificError,
        Self::UnsupportedProtocolVersion,
        Self::ClientIdentifierNotValid,
        Self::BadUserNameOrPassword,
        Self::NotAuthorized,
        Self::ServerUnavailable,
        Self::ServerBusy,
        Self::Banned,
        Self::ServerShuttingDown,
        Self::BadAuthenticationMethod,
        Self::KeepAliveTimeout,
        Self::SessionTakenOver,
        Self::TopicFilterInvalid,
        Self::TopicNameInvalid,
        Self::PacketIdentifierInUse,
        Self::PacketIdentifierNotFound,
        Self::ReceiveMaximumExceeded,
        Self::TopicAliasInvalid,
        Self::PacketTooLarge,
        Self::MessageRateTooHigh,
        Self::QuotaExceeded,
        Self::AdministrativeAction,
        Self::PayloadFormatInvalid,
        Self::RetainNotSupported,
        Self::QoSNotSupported,
        Self::UseAnotherServer,
        Self::ServerMoved,
        Self::SharedSubscriptionsNotSupported,
        Self::ConnectionRateExceeded,
        Self::MaximumConnectTime,
        Self::SubscriptionIdentifiersNotSupported,
        Self::WildcardSubscriptionsNotSupported,
    ];

    /// The reason code with this value on the wire.
    pub fn from_value(value: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.value() == value)
    }

    /// What a SUBACK says of a subscription that stands.
    pub const fn granted(qos: super::QoS) -> Self {
        match qos {
            super::QoS::AtMostOnce => Self::Success,
            super::QoS::AtLeastOnce => Self::GrantedQoS1,
            super::QoS::ExactlyOnce => Self::GrantedQoS2,
        }
    }

    /// What a CONNACK says of a refusal for which somebody has chosen this code: one that a CONNACK does not have is
    /// replaced by Not authorized `[MQTT-3.2.2-8]`.
    pub fn of_connack(code: Option<u8>) -> Self {
        Self::chosen(code, |value| matches!(value, 0x80..=0x8a | 0x8c | 0x90 | 0x95 | 0x97 | 0x99..=0x9d | 0x9f))
    }

    /// The same of a PUBACK or PUBREC `[MQTT-3.4.2-1]` `[MQTT-3.5.2-1]`.
    pub fn of_publish(code: Option<u8>) -> Self {
        Self::chosen(code, |value| matches!(value, 0x80 | 0x83 | 0x87 | 0x90 | 0x91 | 0x97 | 0x99))
    }

    /// The same of one filter in a SUBACK `[MQTT-3.9.3-2]`.
    pub fn of_suback(code: Option<u8>) -> Self {
        Self::chosen(code, |value| matches!(value, 0x80 | 0x83 | 0x87 | 0x8f | 0x91 | 0x97 | 0x9e | 0xa1 | 0xa2))
    }

    fn chosen(code: Option<u8>, packet_has: impl Fn(u8) -> bool) -> Self {
        code.filter(|code| packet_has(*code)).and_then(Self::from_value).unwrap_or(Self::NotAuthorized)
    }

    /// The same for a DISCONNECT `[MQTT-3.14.2-1]`.
    pub fn of_disconnect(code: Option<u8>) -> Self {
        let has = |value| matches!(value, 0x80..=0x83 | 0x87 | 0x89 | 0x8b | 0x8d..=0x90 | 0x93..=0xa2);
        Self::chosen(code, has)
    }

    /// Its value on the wire.
    pub const fn value(self) -> u8 {
        self as u8
    }

    /// Whether what it answers was refused, or what it ends has failed.
    pub const fn is_failure(self) -> bool {
        self.value() >= 0x80
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Table 3-1 of MQTT 5.0.
    #[test]
    fn a_connack_has_codes_of_its_own() {
        for (code, expected) in [(0x8a, 0x8a), (0x97, 0x97), (0x8b, 0x87), (0x8d, 0x87), (0x00, 0x87), (0xff, 0x87)] {
            assert_eq!(ReasonCode::of_connack(Some(code)).value(), expected, "{code:#04x}");
        }
        assert_eq!(ReasonCode::of_connack(None), ReasonCode::NotAuthorized);
    }

    /// Table 3-10 of MQTT 5.0.
    #[test]
    fn a_disconnect_has_codes_of_its_own() {
        for (code, expected) in [(0x89, 0x89), (0x9d, 0x9d), (0xa2, 0xa2), (0x8c, 0x87), (0x86, 0x87), (0x91, 0x87)] {
            assert_eq!(ReasonCode::of_disconnect(Some(code)).value(), expected, "{code:#04x}");
        }
    }

    /// Tables 3-4, 3-5 and 3-8 of MQTT 5.0.
    #[test]
    fn acknowledgements_have_codes_of_their_own() {
        let refusals = |of: fn(Option<u8>) -> ReasonCode| -> Vec<u8> {
            (0..=u8::MAX).filter(|code| of(Some(*code)).value() == *code).collect()
        };
        assert_eq!(refusals(ReasonCode::of_publish), [0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]);
        assert_eq!(refusals(ReasonCode::of_suback), [0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2]);
        for of in [ReasonCode::of_publish, ReasonCode::of_suback] {
            assert_eq!([of(None), of(Some(0x00)), of(Some(0x96))], [ReasonCode::NotAuthorized; 3]);
        }
    }

    #[test]
    fn values_are_read_as_they_are_written() {
        assert!(ReasonCode::ALL.is_sorted_by_key(|code| code.value()));
        let read = (0..=u8::MAX).filter_map(ReasonCode::from_value);
        assert!(read.eq(ReasonCode::ALL));
    }
}
