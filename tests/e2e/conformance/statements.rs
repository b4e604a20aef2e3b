//! Every normative statement of MQTT 3.1.1 (appendix B of the standard), and what would fail without it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

/// How many statements each section has.
///
/// The standard prints the fourth of 3.8.3 as `MQTT-3-8.3-4`, and a few others with a dot for the last dash.
const SECTIONS: &[(&str, u8)] = &[
    ("1.5.3", 3),
    ("2.2.2", 2),
    ("2.3.1", 7),
    ("3.1.0", 2),
    ("3.1.2", 24),
    ("3.1.3", 11),
    ("3.1.4", 5),
    ("3.2.0", 1),
    ("3.2.2", 6),
    ("3.3.1", 12),
    ("3.3.2", 3),
    ("3.3.4", 1),
    ("3.3.5", 2),
    ("3.6.1", 1),
    ("3.8.1", 1),
    ("3.8.3", 4),
    ("3.8.4", 6),
    ("3.9.3", 2),
    ("3.10.1", 1),
    ("3.10.3", 2),
    ("3.10.4", 6),
    ("3.12.4", 1),
    ("3.14.1", 1),
    ("3.14.4", 3),
    ("4.1.0", 2),
    ("4.3.1", 1),
    ("4.3.2", 2),
    ("4.3.3", 2),
    ("4.4.0", 1),
    ("4.5.0", 2),
    ("4.6.0", 6),
    ("4.7.1", 3),
    ("4.7.2", 1),
    ("4.7.3", 4),
    ("4.8.0", 2),
    ("6.0.0", 4),
    ("7.0.0", 2),
    ("7.1.1", 1),
    ("7.1.2", 1),
];

/// Where a test's module lies in the repository.
const FILES: &[(&str, &str)] = &[
    ("5.codec", "host/src/codec/tests_5_0.rs"),
    ("5.round_trips", "host/src/codec/round_trips.rs"),
    ("5.aliases", "tests/e2e/conformance_5_0/aliases.rs"),
    ("5.basics", "tests/e2e/conformance_5_0/basics.rs"),
    ("5.connect", "tests/e2e/conformance_5_0/connect.rs"),
    ("5.enhanced_auth", "tests/e2e/conformance_5_0/enhanced_auth.rs"),
    ("5.flow", "tests/e2e/conformance_5_0/flow.rs"),
    ("5.messages", "tests/e2e/conformance_5_0/messages.rs"),
    ("5.reasons", "tests/e2e/conformance_5_0/reasons.rs"),
    ("5.sessions", "tests/e2e/conformance_5_0/sessions.rs"),
    ("5.shared", "tests/e2e/conformance_5_0/shared.rs"),
    ("5.subscribe", "tests/e2e/conformance_5_0/subscribe.rs"),
    ("5.wills", "tests/e2e/conformance_5_0/wills.rs"),
    ("aliases", "host/src/protocol/aliases.rs"),
    ("auth", "tests/e2e/auth.rs"),
    ("bounds", "tests/e2e/bounds.rs"),
    ("codec", "host/src/codec/tests.rs"),
    ("connect", "tests/e2e/conformance/connect.rs"),
    ("faults", "tests/e2e/originals_faults.rs"),
    ("fields", "tests/e2e/conformance/fields.rs"),
    ("messages", "tests/e2e/messages.rs"),
    ("messages_queue", "host/src/queue/messages/tests.rs"),
    ("mosquitto", "tests/e2e/round/mosquitto.rs"),
    ("paho", "tests/e2e/round/paho.rs"),
    ("plugins", "tests/e2e/plugins.rs"),
    ("protocol", "host/src/protocol/tests.rs"),
    ("publish", "tests/e2e/conformance/publish.rs"),
    ("raw", "tests/e2e/protocol.rs"),
    ("retained", "host/src/routing/retained.rs"),
    ("sessions", "tests/e2e/conformance/sessions.rs"),
    ("sessions_of_rumqttc", "tests/e2e/sessions.rs"),
    ("subscribe", "tests/e2e/conformance/subscribe.rs"),
    ("topic", "host/src/types/topic.rs"),
    ("topics", "tests/e2e/conformance/topics.rs"),
    ("tree", "host/src/routing/tree.rs"),
];

/// A statement a line: its number, what it asks for in our words, and the tests that would fail without it.
///
/// `client: ` instead of tests: it binds clients only. `none: ` gives another reason why there is no test.
const STATEMENTS: &str = "
1.5.3-1 | ill-formed UTF-8 closes | fields::ill_formed_utf8_closes_the_connection codec::malformed_packets_are_told_apart
1.5.3-2 | U+0000 closes | fields::u0000_closes_the_connection
1.5.3-3 | a byte order mark is a character | fields::a_byte_order_mark_is_a_character
2.2.2-1 | reserved flags are sent as listed | codec::what_is_encoded_is_what_the_standard_shows publish::a_qos_2_message_is_kept_until_its_pubcomp
2.2.2-2 | wrong flags close | fields::reserved_flags_close_the_connection codec::malformed_packets_are_told_apart
2.3.1-1 | identifiers are not 0 | fields::packet_identifier_0_closes_the_connection protocol::identifiers_are_used_again_after_65535_messages
2.3.1-2 | a new packet has an unused identifier | client: the server's part is 2.3.1-4
2.3.1-3 | sent again with the same identifier | client: the server's part is 2.3.1-4
2.3.1-4 | both of that for the server's PUBLISH | protocol::a_message_that_is_never_acknowledged_keeps_its_identifier sessions::what_is_not_acknowledged_is_sent_again_in_order
2.3.1-5 | no identifier at QoS 0 | publish::qos_0_is_sent_once_and_not_answered
2.3.1-6 | acknowledgements carry the PUBLISH's identifier | fields::answers_carry_the_identifier
2.3.1-7 | so do SUBACK and UNSUBACK | fields::answers_carry_the_identifier
3.1.0-1 | the first packet is a CONNECT | connect::the_first_packet_is_a_connect protocol::packets_come_in_the_order_that_the_standard_asks_for
3.1.0-2 | a second CONNECT is a violation | connect::a_second_connect_is_a_violation protocol::packets_come_in_the_order_that_the_standard_asks_for
3.1.2-1 | another protocol name is not served | connect::another_protocol_name_is_closed_without_an_answer
3.1.2-2 | an unknown level gets code 1 | connect::an_unknown_protocol_level_is_answered_with_code_1
3.1.2-3 | the reserved connect flag is 0 | connect::a_connect_that_does_not_conform_gets_no_connack codec::connects_that_contradict_themselves_are_refused
3.1.2-4 | a session is resumed, or made | sessions::a_session_that_is_kept_collects_messages connect::the_client_identifier_names_the_session
3.1.2-5 | QoS 1 and 2 wait for the client | sessions::a_session_that_is_kept_collects_messages
3.1.2-6 | a clean session begins and ends empty | connect::a_clean_session_discards_the_one_before
3.1.2-7 | retained messages outlive sessions | sessions::retained_messages_outlive_the_session
3.1.2-8 | the will is sent when the connection ends | sessions::a_will_is_sent_as_the_connect_says
3.1.2-9 | the will flag needs topic and message | connect::a_connect_that_does_not_conform_gets_no_connack sessions::a_will_is_sent_as_the_connect_says
3.1.2-10 | a will is gone once sent, or after DISCONNECT | sessions::a_will_is_sent_once_and_not_after_a_disconnect
3.1.2-11 | no will fields without the flag | connect::a_connect_that_does_not_conform_gets_no_connack
3.1.2-12 | no will without the flag | sessions::a_will_is_sent_once_and_not_after_a_disconnect
3.1.2-13 | no will QoS without the flag | connect::a_connect_that_does_not_conform_gets_no_connack codec::connects_that_contradict_themselves_are_refused
3.1.2-14 | will QoS is not 3 | connect::a_connect_that_does_not_conform_gets_no_connack codec::connects_that_contradict_themselves_are_refused
3.1.2-15 | no will RETAIN without the flag | connect::a_connect_that_does_not_conform_gets_no_connack codec::connects_that_contradict_themselves_are_refused
3.1.2-16 | a will without RETAIN is not kept | sessions::a_will_is_sent_as_the_connect_says
3.1.2-17 | a will with RETAIN is kept | sessions::a_will_is_sent_as_the_connect_says
3.1.2-18 | no user name without its flag | connect::a_connect_that_does_not_conform_gets_no_connack
3.1.2-19 | a user name with its flag | connect::a_connect_that_does_not_conform_gets_no_connack codec::connects_that_contradict_themselves_are_refused
3.1.2-20 | no password without its flag | connect::a_connect_that_does_not_conform_gets_no_connack
3.1.2-21 | a password with its flag | connect::a_connect_that_does_not_conform_gets_no_connack
3.1.2-22 | no password without a user name | connect::a_connect_that_does_not_conform_gets_no_connack codec::connects_that_contradict_themselves_are_refused
3.1.2-23 | something is sent within the keep-alive | client: the server's part is 3.1.2-24
3.1.2-24 | silence for 1.5 keep-alives is a lost connection | connect::silence_past_the_keep_alive_sends_the_will protocol::silence_is_measured_against_the_keep_alive
3.1.3-1 | order of the payload's fields | connect::fields_are_read_in_order codec::a_connect_has_its_fields_in_order
3.1.3-2 | the client identifier names the session | connect::the_client_identifier_names_the_session
3.1.3-3 | the client identifier is there, and first | connect::a_connect_that_does_not_conform_gets_no_connack codec::a_connect_has_its_fields_in_order
3.1.3-4 | the client identifier is UTF-8 | fields::ill_formed_utf8_closes_the_connection
3.1.3-5 | 1 to 23 letters and digits are accepted | connect::client_identifiers_of_1_to_23_characters_are_accepted
3.1.3-6 | an empty client identifier is replaced by one of its own | connect::clients_without_a_name_are_given_one_each
3.1.3-7 | an empty client identifier needs a clean session | client: the server's part is 3.1.3-8
3.1.3-8 | else it gets code 2 | connect::a_client_identifier_that_is_refused_is_answered_with_code_2 protocol::client_identifiers_are_judged_by_version
3.1.3-9 | so does any other that is refused | connect::a_client_identifier_that_is_refused_is_answered_with_code_2 protocol::client_identifiers_are_judged_by_version
3.1.3-10 | the will topic is UTF-8 | fields::ill_formed_utf8_closes_the_connection
3.1.3-11 | the user name is UTF-8 | fields::ill_formed_utf8_closes_the_connection
3.1.4-1 | a CONNECT that does not conform gets no CONNACK | connect::a_connect_that_does_not_conform_gets_no_connack
3.1.4-2 | the same client again closes the old connection | connect::a_client_that_connects_twice_is_closed_once
3.1.4-3 | then its session is looked at | connect::a_clean_session_discards_the_one_before connect::the_client_identifier_names_the_session
3.1.4-4 | then comes a CONNACK with code 0 | connect::the_first_packet_from_the_broker_is_a_connack
3.1.4-5 | what follows a refused CONNECT is ignored | connect::nothing_is_done_for_a_client_that_is_refused
3.2.0-1 | the server's first packet is the CONNACK | connect::the_first_packet_from_the_broker_is_a_connack
3.2.2-1 | no session present for a clean session | connect::a_clean_session_discards_the_one_before
3.2.2-2 | session present if there was one | connect::the_client_identifier_names_the_session
3.2.2-3 | and not if there was none | connect::the_client_identifier_names_the_session
3.2.2-4 | nor in a refusal | connect::a_refusal_tells_nothing_of_the_session connect::a_client_identifier_that_is_refused_is_answered_with_code_2
3.2.2-5 | a refusal closes | connect::an_unknown_protocol_level_is_answered_with_code_1 connect::a_client_identifier_that_is_refused_is_answered_with_code_2
3.2.2-6 | without a fitting code it closes without a CONNACK | connect::another_protocol_name_is_closed_without_an_answer
3.3.1-1 | DUP when sent again | publish::a_qos_1_message_is_kept_until_its_puback protocol::unacknowledged_messages_are_sent_again_in_order
3.3.1-2 | no DUP at QoS 0 | publish::a_malformed_publish_closes_the_connection codec::malformed_packets_are_told_apart
3.3.1-3 | the publisher's DUP is not passed on | publish::dup_is_not_passed_on
3.3.1-4 | QoS 3 closes | publish::a_malformed_publish_closes_the_connection codec::malformed_packets_are_told_apart
3.3.1-5 | RETAIN keeps the message and its QoS | publish::the_last_retained_message_is_sent_to_new_subscribers
3.3.1-6 | new subscriptions get the last retained message | publish::the_last_retained_message_is_sent_to_new_subscribers
3.3.1-7 | RETAIN at QoS 0 replaces too | publish::the_last_retained_message_is_sent_to_new_subscribers
3.3.1-8 | sent with RETAIN for a new subscription | publish::the_last_retained_message_is_sent_to_new_subscribers
3.3.1-9 | and without for an old one | publish::an_empty_retained_message_deletes_and_is_passed_on messages::retained_messages_are_kept_replaced_and_deleted
3.3.1-10 | an empty one is passed on and deletes | publish::an_empty_retained_message_deletes_and_is_passed_on
3.3.1-11 | an empty one is not kept | publish::an_empty_retained_message_deletes_and_is_passed_on
3.3.1-12 | without RETAIN nothing is kept or replaced | publish::an_empty_retained_message_deletes_and_is_passed_on
3.3.2-1 | the topic is first, and UTF-8 | publish::a_malformed_publish_closes_the_connection fields::ill_formed_utf8_closes_the_connection
3.3.2-2 | no wildcards in a topic name | publish::a_malformed_publish_closes_the_connection topic::topic_names_have_no_wildcards
3.3.2-3 | what is sent matches the filter | topics::wildcards_match_levels tree::the_tree_agrees_with_matching_one_filter_at_a_time
3.3.4-1 | the answer to a PUBLISH depends on its QoS | publish::qos_0_is_sent_once_and_not_answered publish::a_qos_1_identifier_is_free_after_the_puback publish::a_qos_2_message_is_received_once
3.3.5-1 | overlapping subscriptions: the highest QoS | messages::overlapping_subscriptions_give_one_message messages::overlapping_subscriptions_give_one_message_each
3.3.5-2 | not allowed: acknowledged all the same, or closed | publish::a_publish_that_is_not_allowed_is_acknowledged
3.6.1-1 | flags of PUBREL | fields::reserved_flags_close_the_connection codec::malformed_packets_are_told_apart
3.8.1-1 | flags of SUBSCRIBE | fields::reserved_flags_close_the_connection codec::malformed_packets_are_told_apart
3.8.3-1 | filters of SUBSCRIBE are UTF-8 | fields::ill_formed_utf8_closes_the_connection
3.8.3-2 | who has no wildcards refuses them | none: the broker has wildcards
3.8.3-3 | a SUBSCRIBE has a filter | subscribe::a_malformed_subscribe_or_unsubscribe_closes_the_connection codec::malformed_packets_are_told_apart
3.8.3-4 | requested QoS is 0, 1 or 2 | subscribe::a_malformed_subscribe_or_unsubscribe_closes_the_connection codec::malformed_packets_are_told_apart
3.8.4-1 | SUBSCRIBE is answered | subscribe::many_filters_are_as_many_subscribes_with_one_answer
3.8.4-2 | with its identifier | fields::answers_carry_the_identifier
3.8.4-3 | the same filter again replaces, and sends retained messages again | subscribe::the_same_filter_again_replaces_the_subscription messages::subscribing_again_sends_retained_messages_again
3.8.4-4 | many filters are many requests with one answer | subscribe::many_filters_are_as_many_subscribes_with_one_answer
3.8.4-5 | a code for each filter | subscribe::many_filters_are_as_many_subscribes_with_one_answer
3.8.4-6 | the lower of published and granted QoS | subscribe::the_lower_qos_is_used protocol::a_message_is_sent_at_the_lower_qos
3.9.3-1 | codes in the order of filters | subscribe::many_filters_are_as_many_subscribes_with_one_answer codec::filters_come_in_the_order_of_the_packet
3.9.3-2 | codes are 0, 1, 2 and 0x80 | subscribe::many_filters_are_as_many_subscribes_with_one_answer codec::what_is_encoded_is_what_the_standard_shows
3.10.1-1 | flags of UNSUBSCRIBE | fields::reserved_flags_close_the_connection codec::malformed_packets_are_told_apart
3.10.3-1 | filters of UNSUBSCRIBE are UTF-8, without gaps | fields::ill_formed_utf8_closes_the_connection subscribe::a_malformed_subscribe_or_unsubscribe_closes_the_connection
3.10.3-2 | an UNSUBSCRIBE has a filter | subscribe::a_malformed_subscribe_or_unsubscribe_closes_the_connection codec::malformed_packets_are_told_apart
3.10.4-1 | the same filter, byte for byte, is deleted | subscribe::unsubscribing_takes_back_the_same_filter_only
3.10.4-2 | nothing new is added for it | subscribe::unsubscribing_takes_back_the_same_filter_only
3.10.4-3 | what was begun at QoS 1 and 2 is completed | subscribe::what_was_sent_before_unsubscribing_is_seen_through
3.10.4-4 | UNSUBSCRIBE is answered with its identifier | fields::answers_carry_the_identifier
3.10.4-5 | also if nothing was deleted | subscribe::unsubscribing_takes_back_the_same_filter_only
3.10.4-6 | many filters are many requests with one answer | subscribe::many_filters_are_as_many_unsubscribes_with_one_answer
3.12.4-1 | PINGREQ is answered | subscribe::every_pingreq_is_answered
3.14.1-1 | reserved bits of DISCONNECT are 0 | fields::a_disconnect_with_reserved_flags_is_a_violation
3.14.4-1 | the connection is closed after DISCONNECT | client: that the broker closes it as well is in sessions.rs
3.14.4-2 | nothing is sent after DISCONNECT | client: that the broker ignores it is in sessions.rs
3.14.4-3 | DISCONNECT discards the will | sessions::a_will_is_sent_once_and_not_after_a_disconnect
4.1.0-1 | session state is kept as long as the session | sessions::a_session_that_is_kept_collects_messages publish::a_qos_2_message_is_received_once
4.1.0-2 | a session lasts as long as its connection | sessions::a_clean_session_lasts_as_long_as_its_connection
4.3.1-1 | QoS 0 is sent with QoS 0 and no DUP | publish::qos_0_is_sent_once_and_not_answered
4.3.2-1 | QoS 1 sender: own identifier, no DUP, kept until PUBACK | publish::a_qos_1_message_is_kept_until_its_puback
4.3.2-2 | QoS 1 receiver: PUBACK, then the identifier is free | publish::a_qos_1_identifier_is_free_after_the_puback
4.3.3-1 | QoS 2 sender: kept until PUBREC, then PUBREL until PUBCOMP | publish::a_qos_2_message_is_kept_until_its_pubcomp protocol::a_released_message_is_not_sent_again
4.3.3-2 | QoS 2 receiver: passed on once until PUBREL | publish::a_qos_2_message_is_received_once protocol::a_qos_2_message_that_comes_twice_is_passed_on_once
4.4.0-1 | what is not acknowledged is sent again with its identifier | sessions::what_is_not_acknowledged_is_sent_again_in_order publish::a_qos_2_message_is_kept_until_its_pubcomp
4.5.0-1 | a message goes to every session that subscribed to it | sessions::a_session_that_is_kept_collects_messages topics::wildcards_match_levels
4.5.0-2 | every PUBLISH is acknowledged | client: the server's part is 4.3.2-2 and 4.3.3-2
4.6.0-1 | sent again in the order of the first time | sessions::what_is_not_acknowledged_is_sent_again_in_order protocol::unacknowledged_messages_are_sent_again_in_order
4.6.0-2 | PUBACKs in order | sessions::messages_of_one_client_are_sent_in_their_order
4.6.0-3 | PUBRECs in order | sessions::qos_2_is_answered_in_order
4.6.0-4 | PUBRELs in order | sessions::qos_2_is_answered_in_order
4.6.0-5 | topics are ordered by default | sessions::messages_of_one_client_are_sent_in_their_order
4.6.0-6 | for each subscriber, topic and QoS | sessions::messages_of_one_client_are_sent_in_their_order messages::messages_of_one_publisher_stay_in_order
4.7.1-1 | no wildcards in a topic name | publish::a_malformed_publish_closes_the_connection topic::topic_names_have_no_wildcards
4.7.1-2 | # alone in the last level | subscribe::a_malformed_subscribe_or_unsubscribe_closes_the_connection topic::wildcards_stand_alone_in_their_level
4.7.1-3 | + alone in its level | subscribe::a_malformed_subscribe_or_unsubscribe_closes_the_connection topic::wildcards_stand_alone_in_their_level
4.7.2-1 | leading wildcards do not match $-topics | topics::leading_wildcards_do_not_match_dollar_topics tree::leading_wildcards_pass_dollar_topics_by
4.7.3-1 | topics have a character | publish::a_malformed_publish_closes_the_connection subscribe::a_malformed_subscribe_or_unsubscribe_closes_the_connection
4.7.3-2 | no U+0000 in topics | fields::u0000_closes_the_connection
4.7.3-3 | at most 65,535 bytes | topics::a_topic_of_65535_bytes_passes topic::topic_names_have_no_wildcards
4.7.3-4 | nothing is normalized | topics::nothing_is_normalized
4.8.0-1 | a violation closes the connection | raw::violations_close_the_connection publish::a_malformed_publish_closes_the_connection
4.8.0-2 | a transient error closes the connection | none: no packet that conforms fails for a passing reason
6.0.0-1 | WebSocket: binary frames only | none: the broker has no WebSocket listener yet
6.0.0-2 | WebSocket: frames are no packets | none: the broker has no WebSocket listener yet
6.0.0-3 | WebSocket: mqtt is offered | client: the server's part is 6.0.0-4
6.0.0-4 | WebSocket: mqtt is selected | none: the broker has no WebSocket listener yet
7.0.0-1 | who connects to other servers is a client too | none: the broker connects to no other server
7.0.0-2 | no extension is needed to interoperate | mosquitto::mosquitto_clients_talk_to_each_other paho::paho_does_the_round
7.1.1-1 | a transport that is ordered and lossless | raw::packets_may_come_in_any_pieces messages::large_and_empty_payloads_arrive_whole
7.1.2-1 | the same for clients | client: the server's part is 7.1.1-1
";

/// The three fields of each line of a table.
fn statements(table: &'static str) -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    table.trim().lines().map(|line| {
        let mut fields = line.split(" | ");
        let mut field = || fields.next().unwrap_or_else(|| panic!("a field is missing: {line}"));
        let statement = (field(), field(), field());
        assert_eq!(fields.next(), None, "{line}");
        statement
    })
}

/// Checks that a table has the statements of these sections, so many in all, and each of them once.
pub(crate) fn check_numbers(table: &'static str, sections: &[(&str, u8)], count: usize) {
    let mut expected = BTreeSet::new();
    for (section, count) in sections {
        expected.extend((1..=*count).map(|number| format!("{section}-{number}")));
    }
    let mut found = BTreeSet::new();
    for (number, words, _) in statements(table) {
        assert!(found.insert(number.to_owned()), "{number} is there twice");
        assert!(!words.is_empty(), "{number} says nothing");
    }
    assert_eq!(expected.symmetric_difference(&found).collect::<Vec<_>>(), Vec::<&String>::new());
    assert_eq!(found.len(), count);
}

#[test]
fn no_statement_is_missing() {
    check_numbers(STATEMENTS, SECTIONS, 141);
}

/// Whether `name` is a test in this source, and not only a function.
fn has_test(source: &str, name: &str) -> bool {
    source.split("#[test]\n").skip(1).any(|rest| rest.trim_start().starts_with(&format!("fn {name}()")))
}

/// The source of each module that a table may name.
fn sources() -> BTreeMap<&'static str, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("is in the workspace");
    let read = |file: &str| fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    FILES.iter().map(|(module, file)| (*module, read(file))).collect()
}

/// Checks that the tests exist that stand beside a number of a table, one or more; returns them.
pub(crate) fn check_tests(number: &str, names: &'static str) -> Vec<&'static str> {
    static SOURCES: LazyLock<BTreeMap<&str, String>> = LazyLock::new(sources);
    let tests: Vec<&str> = names.split(' ').collect();
    for test in &tests {
        let (module, name) = test.split_once("::").unwrap_or_else(|| panic!("{number}: {test:?} is no test"));
        let source = SOURCES.get(module).unwrap_or_else(|| panic!("{number}: no module {module:?}"));
        assert!(has_test(source, name), "{number}: there is no test {test}");
    }
    tests
}

/// Checks that every test exists that a table names, and that there is a reason where it names none.
pub(crate) fn check_kept(table: &'static str) {
    let (mut tested, mut client, mut none, mut tests) = (0, 0, 0, BTreeSet::new());
    for (number, _, kept_by) in statements(table) {
        if let Some(reason) = kept_by.strip_prefix("client: ") {
            assert!(!reason.is_empty(), "{number} has no reason");
            client += 1;
        } else if let Some(reason) = kept_by.strip_prefix("none: ") {
            assert!(!reason.is_empty(), "{number} has no reason");
            none += 1;
        } else {
            tests.extend(check_tests(number, kept_by));
            tested += 1;
        }
    }
    println!("{tested} statements have tests, {} in all; {client} bind clients only; {none} have none", tests.len());
}

#[test]
fn every_named_test_exists() {
    check_kept(STATEMENTS);
    assert!(!has_test(&sources()["codec"], "check"), "a helper passes for a test");
}
