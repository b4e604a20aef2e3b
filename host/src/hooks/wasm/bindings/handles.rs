//! The handles of a call: its client, what it asks for, its event.

use wasmtime::Error;
use wasmtime::component::Resource;

use super::Current;
use super::amqtt::plugin::types;
use crate::hooks::capabilities::escape_within;
use crate::hooks::interests::Registration;
use crate::hooks::limits::{METHOD_BYTES_MAX, METHODS_MAX, REASON_PROPERTIES_MAX, REASON_TEXT_BYTES_MAX};
use crate::hooks::wasm::state::State;
use crate::hooks::{Event, EventKind, PacketFacts, Reason, TopicFacts};
use crate::types::{CertificateFacts, ClientInfo, TopicFilter, UserProperty};

impl State {
    fn current_client(&self) -> wasmtime::Result<&ClientInfo> {
        self.call.client.as_deref().ok_or_else(|| Error::msg("no client belongs to this call"))
    }

    fn current_certificate(&self) -> wasmtime::Result<Option<&CertificateFacts>> {
        Ok(self.current_client()?.peer.tls.as_ref().and_then(|tls| tls.certificate.as_ref()))
    }

    fn current_event(&self) -> wasmtime::Result<&Event> {
        self.call.event.as_deref().ok_or_else(|| Error::msg("no event belongs to this call"))
    }

    fn current_packet(&self) -> wasmtime::Result<Option<PacketFacts>> {
        Ok(self.current_event()?.packet)
    }

    fn current_topic(&self, item: u32) -> wasmtime::Result<TopicFacts> {
        let topics = &self.call.topics;
        let topic = usize::try_from(item).ok().and_then(|item| topics.get(item));
        topic.copied().ok_or_else(|| Error::msg(format!("there is no topic {item}: there are {}", topics.len())))
    }

    fn current_registration(&mut self) -> wasmtime::Result<&mut Registration> {
        self.registration.as_mut().ok_or_else(|| Error::msg("a plugin asks only in `init`"))
    }
}

impl types::Host for State {}

impl types::HostClient for State {
    fn client_id(&mut self, _: Resource<Current>) -> wasmtime::Result<String> {
        Ok(self.current_client()?.client_id.as_str().to_owned())
    }

    fn username(&mut self, _: Resource<Current>) -> wasmtime::Result<Option<String>> {
        Ok(self.current_client()?.username().map(str::to_owned))
    }

    fn remote_address(&mut self, _: Resource<Current>) -> wasmtime::Result<String> {
        Ok(self.current_client()?.peer.remote_address.to_string())
    }

    fn listener(&mut self, _: Resource<Current>) -> wasmtime::Result<String> {
        Ok(self.current_client()?.peer.listener.to_string())
    }

    fn transport(&mut self, _: Resource<Current>) -> wasmtime::Result<String> {
        Ok(self.current_client()?.peer.transport.name().to_owned())
    }

    fn protocol_level(&mut self, _: Resource<Current>) -> wasmtime::Result<u8> {
        Ok(self.current_client()?.connect.protocol_level)
    }

    fn clean_start(&mut self, _: Resource<Current>) -> wasmtime::Result<bool> {
        Ok(self.current_client()?.connect.clean_start)
    }

    fn keep_alive_seconds(&mut self, _: Resource<Current>) -> wasmtime::Result<u16> {
        Ok(self.current_client()?.connect.keep_alive_secs)
    }

    fn user_properties(&mut self, _: Resource<Current>) -> wasmtime::Result<Vec<types::UserProperty>> {
        Ok(user_properties(&self.current_client()?.connect.user_properties))
    }

    fn tls_version(&mut self, _: Resource<Current>) -> wasmtime::Result<Option<String>> {
        Ok(self.current_client()?.peer.tls.as_ref().map(|tls| tls.version.to_owned()))
    }

    fn certificate_subject(&mut self, _: Resource<Current>) -> wasmtime::Result<Option<String>> {
        Ok(self.current_certificate()?.map(|certificate| certificate.subject.to_string()))
    }

    fn certificate_common_name(&mut self, _: Resource<Current>) -> wasmtime::Result<Option<String>> {
        Ok(self.current_certificate()?.and_then(|certificate| certificate.common_name.as_deref()).map(str::to_owned))
    }

    fn certificate_serial(&mut self, _: Resource<Current>) -> wasmtime::Result<Option<String>> {
        Ok(self.current_certificate()?.map(|certificate| certificate.serial.to_string()))
    }

    fn certificate_sha256(&mut self, _: Resource<Current>) -> wasmtime::Result<Option<String>> {
        let hex = |digest: [u8; 32]| digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(self.current_certificate()?.map(|certificate| hex(certificate.sha256)))
    }

    fn drop(&mut self, _: Resource<Current>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl types::HostAuthRequest for State {
    fn set_reason_code(&mut self, _: Resource<Current>, code: u8) -> wasmtime::Result<()> {
        self.call.reason(0).code = Some(code);
        Ok(())
    }

    fn set_reason_string(&mut self, _: Resource<Current>, text: String) -> wasmtime::Result<()> {
        self.call.reason(0).text = Some(fit(&text));
        Ok(())
    }

    fn add_user_property(&mut self, _: Resource<Current>, name: String, value: String) -> wasmtime::Result<()> {
        self.call.reason(0).add_property(&name, &value);
        Ok(())
    }

    fn drop(&mut self, _: Resource<Current>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl types::HostTopicRequest for State {
    fn qos(&mut self, _: Resource<Current>, item: u32) -> wasmtime::Result<types::Qos> {
        Ok(self.current_topic(item)?.qos.into())
    }

    fn retain(&mut self, _: Resource<Current>, item: u32) -> wasmtime::Result<bool> {
        Ok(self.current_topic(item)?.retain)
    }

    fn payload_length(&mut self, _: Resource<Current>, item: u32) -> wasmtime::Result<Option<u64>> {
        Ok(self.current_topic(item)?.payload_len.map(|len| len as u64))
    }

    fn set_reason_code(&mut self, _: Resource<Current>, item: u32, code: u8) -> wasmtime::Result<()> {
        self.current_topic(item)?;
        self.call.reason(item).code = Some(code);
        Ok(())
    }

    fn set_reason_string(&mut self, _: Resource<Current>, item: u32, text: String) -> wasmtime::Result<()> {
        self.current_topic(item)?;
        self.call.reason(item).text = Some(fit(&text));
        Ok(())
    }

    fn add_user_property(
        &mut self,
        _: Resource<Current>,
        item: u32,
        name: String,
        value: String,
    ) -> wasmtime::Result<()> {
        self.current_topic(item)?;
        self.call.reason(item).add_property(&name, &value);
        Ok(())
    }

    fn extend_to(&mut self, _: Resource<Current>, item: u32, filter: String) -> wasmtime::Result<()> {
        self.current_topic(item)?;
        let filter = TopicFilter::new(&filter)
            .map_err(|error| Error::msg(format!("an answer is extended to {filter:?}, but {error}")))?;
        self.call.extend(item, filter);
        Ok(())
    }

    fn drop(&mut self, _: Resource<Current>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl types::HostEvent for State {
    fn topic(&mut self, _: Resource<Current>) -> wasmtime::Result<Option<String>> {
        Ok(self.current_event()?.topic.as_deref().map(str::to_owned))
    }

    fn qos(&mut self, _: Resource<Current>) -> wasmtime::Result<Option<types::Qos>> {
        Ok(self.current_event()?.qos.map(types::Qos::from))
    }

    fn retain(&mut self, _: Resource<Current>) -> wasmtime::Result<Option<bool>> {
        Ok(self.current_event()?.retain)
    }

    fn payload_length(&mut self, _: Resource<Current>) -> wasmtime::Result<Option<u64>> {
        Ok(self.current_event()?.payload_len.map(|len| len as u64))
    }

    fn payload(&mut self, _: Resource<Current>) -> wasmtime::Result<Option<Vec<u8>>> {
        // Another plugin may have asked for it.
        Ok(self.current_event()?.payload.as_ref().filter(|_| self.payloads).map(|payload| payload.to_vec()))
    }

    fn packet_type(&mut self, _: Resource<Current>) -> wasmtime::Result<Option<u8>> {
        Ok(self.current_packet()?.map(|packet| packet.packet_type))
    }

    fn packet_flags(&mut self, _: Resource<Current>) -> wasmtime::Result<Option<u8>> {
        Ok(self.current_packet()?.map(|packet| packet.flags))
    }

    fn packet_id(&mut self, _: Resource<Current>) -> wasmtime::Result<Option<u16>> {
        Ok(self.current_packet()?.and_then(|packet| packet.packet_id))
    }

    fn packet_length(&mut self, _: Resource<Current>) -> wasmtime::Result<Option<u32>> {
        Ok(self.current_packet()?.map(|packet| packet.len))
    }

    fn reason_code(&mut self, _: Resource<Current>) -> wasmtime::Result<Option<u8>> {
        Ok(self.current_event()?.reason_code)
    }

    fn reason(&mut self, _: Resource<Current>) -> wasmtime::Result<Option<String>> {
        Ok(self.current_event()?.reason.as_deref().map(str::to_owned))
    }

    fn user_properties(&mut self, _: Resource<Current>) -> wasmtime::Result<Vec<types::UserProperty>> {
        Ok(user_properties(&self.current_event()?.user_properties))
    }

    fn drop(&mut self, _: Resource<Current>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl types::HostRegistration for State {
    fn decide(&mut self, _: Resource<Current>, action: types::Action) -> wasmtime::Result<()> {
        self.current_registration()?.interests.actions.insert(action.into());
        Ok(())
    }

    fn observe(&mut self, _: Resource<Current>, kind: String) -> wasmtime::Result<()> {
        let unknown =
            || Error::msg(format!("it asked for events of the kind `{kind}`, which this broker does not have"));
        let kind = EventKind::from_name(&kind).ok_or_else(unknown)?;
        self.current_registration()?.interests.events.insert(kind);
        Ok(())
    }

    fn observe_payloads(&mut self, _: Resource<Current>) -> wasmtime::Result<()> {
        self.current_registration()?.interests.payloads = true;
        Ok(())
    }

    fn tick_every(&mut self, _: Resource<Current>, seconds: u32) -> wasmtime::Result<()> {
        self.current_registration()?.interests.tick_seconds = seconds;
        Ok(())
    }

    fn serve_method(&mut self, _: Resource<Current>, method: String) -> wasmtime::Result<()> {
        let methods = &mut self.current_registration()?.methods;
        if method.is_empty() || method.len() > METHOD_BYTES_MAX || methods.len() >= METHODS_MAX {
            return Err(Error::msg(format!(
                "it serves more than {METHODS_MAX} authentication methods, or one that has not 1 to {METHOD_BYTES_MAX} bytes"
            )));
        }
        methods.push(method.into());
        Ok(())
    }

    fn drop(&mut self, _: Resource<Current>) -> wasmtime::Result<()> {
        Ok(())
    }
}

fn user_properties(properties: &[UserProperty]) -> Vec<types::UserProperty> {
    let copy = |it: &UserProperty| types::UserProperty { name: it.name.to_string(), value: it.value.to_string() };
    properties.iter().map(copy).collect()
}

impl Reason {
    fn add_property(&mut self, name: &str, value: &str) {
        if self.user_properties.len() < REASON_PROPERTIES_MAX {
            self.user_properties.push(UserProperty { name: fit(name), value: fit(value) });
        }
    }
}

/// Makes text of a plugin fit to be sent to a client.
fn fit(text: &str) -> Box<str> {
    escape_within(text, REASON_TEXT_BYTES_MAX).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bound is on what is sent, which an escape makes longer.
    #[test]
    fn text_for_a_client_is_within_its_bound_whatever_is_in_it() {
        for text in ["x", "é", "\n", "\0", "\u{2028}"] {
            let fitted = fit(&text.repeat(REASON_TEXT_BYTES_MAX));
            assert!((REASON_TEXT_BYTES_MAX - 8..=REASON_TEXT_BYTES_MAX).contains(&fitted.len()), "{text:?}");
        }
        assert_eq!(&*fit("no\0"), "no\\u{0}");
    }
}
