//! Every normative statement of MQTT 5.0 (appendix B of the standard), and what would fail without it.

use crate::conformance::statements::{check_kept, check_numbers};

/// How many statements each section has. The first of 2.2.1 is 2.2.1-2.
const SECTIONS: &[(&str, u8)] = &[
    ("1.5.4", 3),
    ("1.5.5", 1),
    ("1.5.7", 1),
    ("2.1.3", 1),
    ("2.2.1", 6),
    ("2.2.2", 1),
    ("3.1.0", 2),
    ("3.1.2", 30),
    ("3.1.3", 12),
    ("3.1.4", 6),
    ("3.2.0", 2),
    ("3.2.2", 22),
    ("3.3.1", 13),
    ("3.3.2", 20),
    ("3.3.4", 10),
    ("3.4.2", 3),
    ("3.5.2", 3),
    ("3.6.1", 1),
    ("3.6.2", 3),
    ("3.7.2", 3),
    ("3.8.1", 1),
    ("3.8.3", 5),
    ("3.8.4", 8),
    ("3.9.2", 2),
    ("3.9.3", 2),
    ("3.10.1", 1),
    ("3.10.3", 2),
    ("3.10.4", 6),
    ("3.11.2", 2),
    ("3.11.3", 2),
    ("3.12.4", 1),
    ("3.14.0", 1),
    ("3.14.1", 1),
    ("3.14.2", 4),
    ("3.14.4", 3),
    ("3.15.1", 1),
    ("3.15.2", 3),
    ("4.1.0", 2),
    ("4.2.0", 1),
    ("4.3.1", 1),
    ("4.3.2", 5),
    ("4.3.3", 13),
    ("4.4.0", 2),
    ("4.5.0", 2),
    ("4.6.0", 6),
    ("4.7.0", 1),
    ("4.7.1", 2),
    ("4.7.2", 1),
    ("4.7.3", 4),
    ("4.8.2", 6),
    ("4.9.0", 3),
    ("4.12.0", 7),
    ("4.12.1", 2),
    ("4.13.1", 1),
    ("4.13.2", 1),
];

/// A statement a line, as in the table of MQTT 3.1.1.
const STATEMENTS: &str = "
1.5.4-1 | ill-formed UTF-8 is malformed | 5.basics::ill_formed_strings_are_malformed
1.5.4-2 | U+0000 is malformed | 5.basics::ill_formed_strings_are_malformed
1.5.4-3 | a byte order mark is a character | 5.basics::ill_formed_strings_are_malformed
1.5.5-1 | a variable byte integer is written in as few bytes as can be | 5.round_trips::what_is_encoded_is_decoded_as_it_was 5.codec::property_lengths_add_up
1.5.7-1 | both strings of a pair are UTF-8 | 5.basics::ill_formed_strings_are_malformed 5.codec::property_lengths_add_up
2.1.3-1 | reserved flags are as listed | 5.basics::reserved_flags_are_malformed
2.2.1-1 | not there | none: the standard has no statement of this number
2.2.1-2 | no identifier at QoS 0 | 5.round_trips::what_is_encoded_is_decoded_as_it_was
2.2.1-3 | a client's new packet has an unused identifier that is not 0 | 5.basics::answers_carry_the_identifier
2.2.1-4 | so has the server's PUBLISH | protocol::a_message_that_is_never_acknowledged_keeps_its_identifier
2.2.1-5 | acknowledgements carry the PUBLISH's identifier | 5.basics::answers_carry_the_identifier
2.2.1-6 | so do SUBACK and UNSUBACK | 5.basics::answers_carry_the_identifier
2.2.2-1 | without properties their length is 0 | 5.round_trips::what_is_encoded_is_decoded_as_it_was
3.1.0-1 | the first packet is a CONNECT | connect::the_first_packet_is_a_connect
3.1.0-2 | a second CONNECT is a protocol error | 5.connect::a_violation_is_told_its_reason
3.1.2-1 | another protocol name is not served | connect::another_protocol_name_is_closed_without_an_answer
3.1.2-2 | nor another version | 5.connect::a_later_version_is_refused
3.1.2-3 | the reserved connect flag is 0 | 5.connect::a_malformed_connect_is_told_so
3.1.2-4 | a clean start discards the session | 5.sessions::a_clean_start_begins_a_session_that_may_last
3.1.2-5 | else it is resumed | 5.sessions::a_session_lasts_as_long_as_it_was_asked_to
3.1.2-6 | or made | 5.sessions::a_session_lasts_as_long_as_it_was_asked_to
3.1.2-7 | a will is kept | 5.wills::a_will_is_sent_with_its_properties
3.1.2-8 | and sent when its time has come | 5.wills::a_will_waits_for_its_delay 5.wills::a_will_is_sent_with_its_properties
3.1.2-9 | the will flag needs its fields | codec::connects_that_contradict_themselves_are_refused
3.1.2-10 | a will is gone once sent, or after DISCONNECT | 5.wills::a_farewell_may_ask_for_the_will
3.1.2-11 | no will QoS without the flag | codec::connects_that_contradict_themselves_are_refused
3.1.2-12 | will QoS is not 3 | 5.connect::a_malformed_connect_is_told_so
3.1.2-13 | no will RETAIN without the flag | codec::connects_that_contradict_themselves_are_refused
3.1.2-14 | a will without RETAIN is not kept | sessions::a_will_is_sent_as_the_connect_says
3.1.2-15 | a will with RETAIN is kept | sessions::a_will_is_sent_as_the_connect_says
3.1.2-16 | no user name without its flag | 5.round_trips::what_is_encoded_is_decoded_as_it_was 5.connect::a_malformed_connect_is_told_so
3.1.2-17 | a user name with its flag | 5.round_trips::packets_may_be_cut_anywhere
3.1.2-18 | no password without its flag | 5.round_trips::what_is_encoded_is_decoded_as_it_was 5.connect::a_malformed_connect_is_told_so
3.1.2-19 | a password with its flag | 5.codec::a_password_may_stand_alone 5.round_trips::packets_may_be_cut_anywhere
3.1.2-20 | something is sent within the keep-alive | client: the server's part is 3.1.2-22
3.1.2-21 | the server's keep-alive is used | client: that it is held to it is in 3.1.2-22
3.1.2-22 | silence for 1.5 keep-alives closes | 5.connect::the_server_keep_alive_counts protocol::silence_is_measured_against_the_keep_alive
3.1.2-23 | a session is kept that has an expiry interval | 5.sessions::a_session_lasts_as_long_as_it_was_asked_to
3.1.2-24 | nothing larger than the client takes is sent | 5.connect::a_connack_may_be_too_large_for_the_client 5.flow::a_message_too_large_for_a_client_is_left_out 5.flow::an_answer_too_large_for_a_client_closes
3.1.2-25 | a message that is counts as sent | 5.flow::a_message_too_large_for_a_client_is_left_out
3.1.2-26 | no alias above what the client takes | 5.aliases::the_broker_uses_aliases_that_the_client_takes aliases::a_client_that_takes_none_is_given_none
3.1.2-27 | and none if it says nothing | 5.aliases::the_broker_uses_aliases_that_the_client_takes
3.1.2-28 | no response information that was not asked for | 5.reasons::response_information_is_given_to_who_asks
3.1.2-29 | no reasons and user properties beside acknowledgements that were not asked for | 5.basics::answers_carry_the_identifier 5.reasons::without_problem_information_there_are_codes_only
3.1.2-30 | only AUTH and DISCONNECT while it authenticates | 5.enhanced_auth::nothing_else_may_come_in_between
3.1.3-1 | order of the payload's fields | 5.round_trips::what_is_encoded_is_decoded_as_it_was
3.1.3-2 | the client identifier names the session | 5.sessions::a_session_lasts_as_long_as_it_was_asked_to
3.1.3-3 | the client identifier is there, and first | 5.round_trips::what_is_encoded_is_decoded_as_it_was
3.1.3-4 | the client identifier is UTF-8 | 5.basics::ill_formed_strings_are_malformed
3.1.3-5 | 1 to 23 letters and digits are accepted | connect::client_identifiers_of_1_to_23_characters_are_accepted
3.1.3-6 | an empty client identifier is replaced | 5.connect::a_client_without_a_name_is_told_the_one_it_is_given
3.1.3-7 | as if the client had sent it, and it is told | 5.connect::a_client_without_a_name_is_told_the_one_it_is_given
3.1.3-8 | one that is refused closes | protocol::client_identifiers_are_judged_by_version connect::a_client_identifier_that_is_refused_is_answered_with_code_2
3.1.3-9 | a client that is back in time has no will | 5.wills::a_client_that_comes_back_in_time_has_no_will
3.1.3-10 | user properties of a will keep their order | 5.wills::a_will_is_sent_with_its_properties
3.1.3-11 | the will topic is UTF-8 | 5.basics::ill_formed_strings_are_malformed
3.1.3-12 | the user name is UTF-8 | 5.basics::ill_formed_strings_are_malformed
3.1.4-1 | a CONNECT that does not conform closes | 5.connect::a_malformed_connect_is_told_so
3.1.4-2 | so does one that fails other checks | 5.connect::a_refused_login_has_its_reason
3.1.4-3 | the connection that loses its session is told | 5.sessions::a_session_that_is_taken_over_is_told
3.1.4-4 | then the clean start is done | 5.sessions::a_clean_start_begins_a_session_that_may_last
3.1.4-5 | then comes a CONNACK of success | 5.connect::a_connack_tells_what_there_is
3.1.4-6 | what follows a refused CONNECT is ignored | connect::nothing_is_done_for_a_client_that_is_refused
3.2.0-1 | the CONNACK is the first packet | 5.sessions::a_session_lasts_as_long_as_it_was_asked_to
3.2.0-2 | and there is one | 5.connect::a_violation_is_told_its_reason
3.2.2-1 | reserved flags of CONNACK are 0 | 5.connect::a_connack_tells_what_there_is
3.2.2-2 | no session present after a clean start | 5.sessions::a_clean_start_begins_a_session_that_may_last
3.2.2-3 | session present if there is one | 5.sessions::a_session_lasts_as_long_as_it_was_asked_to
3.2.2-4 | a session that the client does not know | client: the broker tells what it has
3.2.2-5 | a session that the broker does not know | client: the broker tells what it has
3.2.2-6 | nor in a refusal | 5.connect::a_malformed_connect_is_told_so
3.2.2-7 | a refusal closes | 5.connect::a_malformed_connect_is_told_so
3.2.2-8 | CONNACK has a reason code of its own | 5.connect::a_refused_login_has_its_reason 5.connect::more_than_there_is_is_refused
3.2.2-9 | a maximum QoS is told | 5.connect::a_connack_tells_what_there_is
3.2.2-10 | a SUBSCRIBE above it is accepted | 5.connect::more_than_there_is_is_refused
3.2.2-11 | nothing is published above it | 5.connect::more_than_there_is_is_refused
3.2.2-12 | nor a will | 5.connect::more_than_there_is_is_refused
3.2.2-13 | nor a retained will where nothing is retained | 5.connect::more_than_there_is_is_refused
3.2.2-14 | nor a retained message | 5.connect::more_than_there_is_is_refused
3.2.2-15 | nor a packet larger than the maximum | 5.connect::a_violation_is_told_its_reason
3.2.2-16 | the identifier that was given is told | 5.connect::a_client_without_a_name_is_told_the_one_it_is_given
3.2.2-17 | no alias above the maximum | 5.aliases::an_alias_out_of_range_is_refused
3.2.2-18 | none where there is no maximum | client: an alias above the maximum is refused, 0 included
3.2.2-19 | a reason string that makes CONNACK too large is left out | 5.connect::a_plugin_may_say_why_it_refuses
3.2.2-20 | so are user properties | 5.connect::a_plugin_may_say_why_it_refuses
3.2.2-21 | the server's keep-alive is used | 5.connect::the_server_keep_alive_counts
3.2.2-22 | without one, the client's | 5.connect::the_server_keep_alive_counts
3.3.1-1 | DUP when sent again | 5.basics::qos_1_is_kept_until_its_puback 5.basics::qos_2_is_done_once
3.3.1-2 | no DUP at QoS 0 | codec::malformed_packets_are_told_apart
3.3.1-3 | the publisher's DUP is not passed on | 5.basics::qos_1_is_kept_until_its_puback publish::dup_is_not_passed_on
3.3.1-4 | QoS 3 is malformed | 5.connect::a_violation_is_told_its_reason
3.3.1-5 | RETAIN replaces the retained message | 5.basics::the_last_retained_message_is_kept
3.3.1-6 | an empty one is delivered and deletes | 5.basics::the_last_retained_message_is_kept
3.3.1-7 | and is not kept | 5.basics::the_last_retained_message_is_kept
3.3.1-8 | without RETAIN nothing is kept or replaced | 5.basics::the_last_retained_message_is_kept
3.3.1-9 | retain handling 0 sends retained messages | 5.subscribe::retain_handling_says_when_retained_messages_are_sent
3.3.1-10 | 1 for new subscriptions | 5.subscribe::retain_handling_says_when_retained_messages_are_sent
3.3.1-11 | 2 never | 5.subscribe::retain_handling_says_when_retained_messages_are_sent
3.3.1-12 | without retain as published RETAIN is 0 | 5.subscribe::retain_as_published_keeps_the_flag
3.3.1-13 | with it, as it was | 5.subscribe::retain_as_published_keeps_the_flag
3.3.2-1 | the topic comes first and is UTF-8 | 5.basics::ill_formed_strings_are_malformed 5.round_trips::what_is_encoded_is_decoded_as_it_was
3.3.2-2 | it has no wildcards | 5.connect::a_violation_is_told_its_reason
3.3.2-3 | it matches the subscription | 5.basics::filters_match_levels
3.3.2-4 | the payload format is passed on | 5.messages::properties_are_passed_on_unaltered
3.3.2-5 | what has expired is not sent | 5.messages::messages_expire_while_they_wait messages_queue::expired_messages_make_room
3.3.2-6 | the time that is left is sent | 5.messages::messages_expire_while_they_wait
3.3.2-7 | aliases end with the connection | 5.aliases::a_client_may_use_aliases 5.aliases::the_broker_uses_aliases_that_the_client_takes
3.3.2-8 | no alias is 0 | 5.aliases::an_alias_out_of_range_is_refused
3.3.2-9 | none above the server's maximum | 5.aliases::an_alias_out_of_range_is_refused
3.3.2-10 | a client takes all up to its maximum | client: the server's part is 3.3.2-12
3.3.2-11 | none above the client's maximum | 5.aliases::the_broker_uses_aliases_that_the_client_takes aliases::a_client_that_takes_none_is_given_none
3.3.2-12 | the server takes all up to its maximum | 5.aliases::a_client_may_use_aliases
3.3.2-13 | the response topic is UTF-8 | 5.round_trips::what_is_encoded_is_decoded_as_it_was
3.3.2-14 | it has no wildcards | 5.connect::a_violation_is_told_its_reason 5.codec::values_that_a_property_may_not_have_are_protocol_errors
3.3.2-15 | it is passed on | 5.messages::properties_are_passed_on_unaltered
3.3.2-16 | so is correlation data | 5.messages::properties_are_passed_on_unaltered
3.3.2-17 | so are user properties | 5.messages::properties_are_passed_on_unaltered
3.3.2-18 | in their order | 5.messages::properties_are_passed_on_unaltered
3.3.2-19 | the content type is UTF-8 | 5.basics::ill_formed_strings_are_malformed
3.3.2-20 | it is passed on | 5.messages::properties_are_passed_on_unaltered
3.3.4-1 | a PUBLISH is answered by its QoS | 5.basics::answers_carry_the_identifier
3.3.4-2 | the highest QoS of subscriptions that overlap | 5.subscribe::a_message_has_the_identifiers_of_all_subscriptions_that_match
3.3.4-3 | identifiers go with the message | 5.subscribe::a_message_has_the_identifiers_of_all_subscriptions_that_match
3.3.4-4 | all of them with one copy | 5.subscribe::a_message_has_the_identifiers_of_all_subscriptions_that_match
3.3.4-5 | or each with its own | 5.subscribe::with_one_message_for_each_subscription_each_has_its_identifier
3.3.4-6 | none from a client | 5.connect::a_violation_is_told_its_reason
3.3.4-7 | a client keeps to the receive maximum | 5.flow::the_receive_maximum_of_the_broker_is_held_to
3.3.4-8 | and sends other packets meanwhile | 5.flow::the_receive_maximum_of_the_broker_is_held_to
3.3.4-9 | so does the server | 5.flow::the_receive_maximum_of_a_client_is_kept
3.3.4-10 | and sends other packets meanwhile | 5.flow::the_receive_maximum_of_a_client_is_kept
3.4.2-1 | reason codes of PUBACK | 5.codec::reason_codes_are_those_of_the_packet 5.messages::a_publisher_is_told_what_became_of_its_message 5.reasons::a_refused_message_is_told_why
3.4.2-2 | a reason string that makes it too large is left out | 5.reasons::words_that_a_client_does_not_take_are_left_out
3.4.2-3 | so are user properties | 5.reasons::words_that_a_client_does_not_take_are_left_out
3.5.2-1 | reason codes of PUBREC | 5.codec::reason_codes_are_those_of_the_packet 5.messages::a_publisher_is_told_what_became_of_its_message 5.reasons::a_refused_message_is_told_why
3.5.2-2 | a reason string that makes it too large is left out | 5.reasons::words_that_a_client_does_not_take_are_left_out
3.5.2-3 | so are user properties | 5.reasons::words_that_a_client_does_not_take_are_left_out
3.6.1-1 | flags of PUBREL | 5.basics::reserved_flags_are_malformed
3.6.2-1 | reason codes of PUBREL | 5.codec::reason_codes_are_those_of_the_packet 5.messages::a_refused_qos_2_message_leaves_its_identifier_free
3.6.2-2 | a reason string that makes it too large is left out | none: the broker has nothing to say with it
3.6.2-3 | so are user properties | none: the broker has nothing to say with it
3.7.2-1 | reason codes of PUBCOMP | 5.codec::reason_codes_are_those_of_the_packet 5.messages::a_refused_qos_2_message_leaves_its_identifier_free
3.7.2-2 | a reason string that makes it too large is left out | none: the broker has nothing to say with it
3.7.2-3 | so are user properties | none: the broker has nothing to say with it
3.8.1-1 | flags of SUBSCRIBE | 5.basics::reserved_flags_are_malformed
3.8.3-1 | filters of SUBSCRIBE are UTF-8 | 5.basics::ill_formed_strings_are_malformed
3.8.3-2 | a SUBSCRIBE has a filter | 5.codec::subscription_options_are_checked
3.8.3-3 | No Local leaves own messages out | 5.subscribe::no_local_leaves_ones_own_messages_out 5.subscribe::no_local_is_about_one_subscription 5.subscribe::no_local_leaves_ones_own_retained_messages_out
3.8.3-4 | not for shared subscriptions | 5.connect::a_violation_is_told_its_reason
3.8.3-5 | reserved options are malformed | 5.codec::subscription_options_are_checked 5.connect::a_violation_is_told_its_reason
3.8.4-1 | SUBSCRIBE is answered | 5.subscribe::each_filter_has_its_reason
3.8.4-2 | with its identifier | 5.basics::answers_carry_the_identifier
3.8.4-3 | the same filter again replaces | 5.subscribe::a_subscription_is_replaced_with_all_that_belongs_to_it
3.8.4-4 | and sends retained messages again, if it says so | 5.subscribe::retain_handling_says_when_retained_messages_are_sent
3.8.4-5 | many filters are many requests with one answer | 5.subscribe::each_filter_has_its_reason
3.8.4-6 | a reason for each filter | 5.subscribe::each_filter_has_its_reason
3.8.4-7 | the QoS that was granted, or a failure | 5.subscribe::each_filter_has_its_reason
3.8.4-8 | the lower of published and granted QoS | 5.basics::messages_keep_their_order_and_the_lower_qos
3.9.2-1 | a reason string that makes SUBACK too large is left out | 5.reasons::words_that_a_client_does_not_take_are_left_out
3.9.2-2 | so are user properties | 5.reasons::words_that_a_client_does_not_take_are_left_out
3.9.3-1 | reasons in the order of filters | 5.subscribe::each_filter_has_its_reason
3.9.3-2 | reason codes of SUBACK | 5.subscribe::each_filter_has_its_reason 5.reasons::a_refused_subscription_is_told_why
3.10.1-1 | flags of UNSUBSCRIBE | 5.basics::reserved_flags_are_malformed
3.10.3-1 | filters of UNSUBSCRIBE are UTF-8 | 5.basics::ill_formed_strings_are_malformed
3.10.3-2 | an UNSUBSCRIBE has a filter | 5.codec::subscription_options_are_checked
3.10.4-1 | the same filter, byte for byte, is deleted | 5.basics::unsubscribing_ends_what_comes_and_not_what_was_begun
3.10.4-2 | nothing new is added for it | 5.basics::unsubscribing_ends_what_comes_and_not_what_was_begun
3.10.4-3 | what was begun at QoS 1 and 2 is completed | 5.basics::unsubscribing_ends_what_comes_and_not_what_was_begun
3.10.4-4 | UNSUBSCRIBE is answered | 5.subscribe::each_filter_has_its_reason
3.10.4-5 | with its identifier, also if nothing was deleted | 5.basics::answers_carry_the_identifier 5.subscribe::each_filter_has_its_reason
3.10.4-6 | many filters are many requests with one answer | 5.basics::unsubscribing_ends_what_comes_and_not_what_was_begun
3.11.2-1 | a reason string that makes UNSUBACK too large is left out | none: nobody refuses the end of a subscription
3.11.2-2 | so are user properties | none: nobody refuses the end of a subscription
3.11.3-1 | reasons in the order of filters | 5.subscribe::each_filter_has_its_reason
3.11.3-2 | reason codes of UNSUBACK | 5.subscribe::each_filter_has_its_reason
3.12.4-1 | PINGREQ is answered | 5.basics::answers_carry_the_identifier
3.14.0-1 | no DISCONNECT before the CONNACK | 5.connect::a_malformed_connect_is_told_so connect::the_first_packet_is_a_connect
3.14.1-1 | reserved flags of DISCONNECT are 0 | 5.basics::reserved_flags_are_malformed
3.14.2-1 | reason codes of DISCONNECT | 5.codec::reason_codes_are_those_of_the_packet 5.connect::a_violation_is_told_its_reason
3.14.2-2 | the server sends no session expiry with it | 5.connect::a_shutdown_is_told
3.14.2-3 | a reason string that makes it too large is left out | none: a DISCONNECT has a server reference or nothing
3.14.2-4 | so are user properties | none: a DISCONNECT has a server reference or nothing
3.14.4-1 | nothing is sent after DISCONNECT | 5.connect::a_violation_is_told_its_reason
3.14.4-2 | the connection is closed after it | 5.connect::a_violation_is_told_its_reason
3.14.4-3 | DISCONNECT discards the will | 5.wills::a_farewell_may_ask_for_the_will
3.15.1-1 | flags of AUTH | 5.basics::reserved_flags_are_malformed
3.15.2-1 | reason codes of AUTH | 5.codec::reason_codes_are_those_of_the_packet
3.15.2-2 | a reason string that makes it too large is left out | none: no AUTH has a reason string
3.15.2-3 | so are user properties | none: no AUTH has user properties
4.1.0-1 | session state is kept as long as the connection | 5.basics::qos_2_is_done_once
4.1.0-2 | and until the session expires | 5.sessions::a_session_expires_at_its_time
4.2.0-1 | a transport that is ordered and lossless | raw::packets_may_come_in_any_pieces
4.3.1-1 | QoS 0 is sent with QoS 0 and no DUP | 5.basics::messages_keep_their_order_and_the_lower_qos
4.3.2-1 | QoS 1 sender: an identifier of its own | 5.basics::qos_1_is_kept_until_its_puback
4.3.2-2 | no DUP the first time | 5.basics::qos_1_is_kept_until_its_puback
4.3.2-3 | kept until its PUBACK | 5.basics::qos_1_is_kept_until_its_puback
4.3.2-4 | QoS 1 receiver: PUBACK when it is accepted | 5.basics::answers_carry_the_identifier
4.3.2-5 | then the identifier is free | 5.basics::qos_1_is_kept_until_its_puback
4.3.3-1 | QoS 2 sender: an identifier of its own | 5.basics::qos_2_is_done_once
4.3.3-2 | no DUP the first time | 5.basics::qos_2_is_done_once
4.3.3-3 | kept until its PUBREC | 5.basics::qos_2_is_done_once
4.3.3-4 | PUBREC is answered with PUBREL, but for a failure | 5.basics::qos_2_is_done_once 5.flow::a_failed_pubrec_makes_room
4.3.3-5 | which is kept until its PUBCOMP | 5.basics::qos_2_is_done_once
4.3.3-6 | the PUBLISH is not sent again after it | 5.basics::qos_2_is_done_once
4.3.3-7 | nor does it expire once sent | 5.messages::what_was_sent_does_not_expire
4.3.3-8 | QoS 2 receiver: PUBREC when it is accepted | 5.basics::qos_2_is_done_once
4.3.3-9 | after a failure the identifier is free | 5.messages::a_refused_qos_2_message_leaves_its_identifier_free
4.3.3-10 | until PUBREL the same identifier is the same message | 5.basics::qos_2_is_done_once
4.3.3-11 | PUBREL is answered with PUBCOMP | 5.basics::qos_2_is_done_once
4.3.3-12 | then the identifier is free | 5.basics::qos_2_is_done_once
4.3.3-13 | also for a message that has expired | 5.basics::qos_2_is_done_once
4.4.0-1 | what is not acknowledged is sent again, on a new connection only | 5.sessions::what_is_not_acknowledged_is_sent_again 5.basics::qos_2_is_done_once
4.4.0-2 | a failure acknowledges too | 5.flow::a_failed_pubrec_makes_room 5.shared::what_a_member_refuses_goes_to_nobody_else
4.5.0-1 | a message goes to every session that subscribed to it | 5.basics::messages_keep_their_order_and_the_lower_qos
4.5.0-2 | every PUBLISH is acknowledged | client: the server's part is 3.3.4-1
4.6.0-1 | sent again in the order of the first time | 5.flow::the_receive_maximum_of_a_client_is_kept protocol::unacknowledged_messages_are_sent_again_in_order
4.6.0-2 | PUBACKs in order | client: the server answers each packet before the next
4.6.0-3 | PUBRECs in order | client: the server answers each packet before the next
4.6.0-4 | PUBRELs in order | sessions::qos_2_is_answered_in_order
4.6.0-5 | topics are ordered | 5.basics::messages_keep_their_order_and_the_lower_qos
4.6.0-6 | all of them | 5.basics::messages_keep_their_order_and_the_lower_qos
4.7.0-1 | wildcards are for filters only | 5.connect::a_violation_is_told_its_reason
4.7.1-1 | # alone in the last level | 5.basics::filters_match_levels
4.7.1-2 | + alone in its level | 5.basics::filters_match_levels
4.7.2-1 | leading wildcards do not match $-topics | 5.basics::filters_match_levels
4.7.3-1 | topics have a character | 5.basics::filters_match_levels 5.connect::a_violation_is_told_its_reason
4.7.3-2 | no U+0000 in topics | 5.basics::ill_formed_strings_are_malformed
4.7.3-3 | at most 65,535 bytes | topics::a_topic_of_65535_bytes_passes
4.7.3-4 | nothing is normalized | 5.basics::filters_match_levels topics::nothing_is_normalized
4.8.2-1 | a shared subscription has a group | 5.shared::a_shared_subscription_has_a_group_and_a_filter
4.8.2-2 | whose name has no wildcards, and a filter | 5.shared::a_shared_subscription_has_a_group_and_a_filter
4.8.2-3 | each member has its own QoS | 5.shared::each_message_goes_to_one_member
4.8.2-4 | what was begun at QoS 2 waits for its member | 5.shared::what_a_member_leaves_goes_to_others
4.8.2-5 | and goes to nobody else | 5.shared::what_a_member_leaves_goes_to_others
4.8.2-6 | nor does what a member refuses | 5.shared::what_a_member_refuses_goes_to_nobody_else
4.9.0-1 | the quota is the receive maximum at most | 5.flow::the_receive_maximum_of_a_client_is_kept
4.9.0-2 | at 0 nothing more is sent above QoS 0 | 5.flow::the_receive_maximum_of_a_client_is_kept
4.9.0-3 | other packets are answered | 5.flow::the_receive_maximum_of_a_client_is_kept
4.12.0-1 | an authentication method that is not supported is refused | 5.enhanced_auth::a_method_that_nobody_serves_is_refused
4.12.0-2 | the server's AUTH goes on | 5.enhanced_auth::an_exchange_goes_on_until_the_plugin_is_content
4.12.0-3 | the client's too | 5.enhanced_auth::nothing_else_may_come_in_between
4.12.0-4 | a failure at any step closes | 5.enhanced_auth::a_failure_at_any_step_ends_the_connection
4.12.0-5 | the method stays the same | 5.enhanced_auth::nothing_else_may_come_in_between
4.12.0-6 | without a method the server sends none | 5.connect::a_connack_tells_what_there_is
4.12.0-7 | nor does the client | 5.connect::an_authentication_method_is_refused
4.12.1-1 | it authenticates again with the same method | 5.enhanced_auth::who_does_not_prove_it_again_is_disconnected
4.12.1-2 | a failure closes | 5.enhanced_auth::who_does_not_prove_it_again_is_disconnected
4.13.1-1 | a violation closes, with its reason | 5.connect::a_violation_is_told_its_reason
4.13.2-1 | a CONNACK or DISCONNECT of failure closes | 5.connect::a_violation_is_told_its_reason 5.connect::a_malformed_connect_is_told_so
";

#[test]
fn no_statement_is_missing() {
    check_numbers(STATEMENTS, SECTIONS, 248);
}

#[test]
fn every_named_test_exists() {
    check_kept(STATEMENTS);
}
