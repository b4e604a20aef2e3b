//! `limits`.

use super::*;

#[test]
fn every_limit_can_be_set() {
    let config = config(
        "\
limits:
  packet-bytes-max: 128
  topic_levels_max: 2
  client-id-bytes-max: 23
  subscriptions-max: 4
  inflight-max: 5
  queue-messages-max: 0
  queue-bytes-max: 7
  outgoing-bytes-max: 8
  connect-timeout-secs: 9
  retained-messages-max: 0
  retained-bytes-max: 11
  sessions-max: 12
  topic-bytes-max: 13
  queue-total-bytes-max: 14
  packet-timeout-secs: 15
  connect-rate-max: 16
  handshakes-max: 24
  session-expiry-secs: 0
  session-expiry-max-secs: 18
  receive-max: 19
  topic-alias-max: 0
  keep-alive-max-secs: 21
  user-properties-max: 22
  properties-bytes-max: 23
",
    );
    let expected = Limits {
        packet_bytes_max: 128,
        topic_levels_max: 2,
        client_id_bytes_max: 23,
        subscriptions_max: 4,
        inflight_max: 5,
        queue_messages_max: 0,
        queue_bytes_max: 7,
        outgoing_bytes_max: 8,
        connect_timeout_secs: 9,
        retained_messages_max: 0,
        retained_bytes_max: 11,
        sessions_max: 12,
        topic_bytes_max: 13,
        queue_total_bytes_max: 14,
        packet_timeout_secs: 15,
        connect_rate_max: 16,
        handshakes_max: 24,
        session_expiry_secs: 0,
        session_expiry_max_secs: 18,
        receive_max: 19,
        topic_alias_max: 0,
        keep_alive_max_secs: 21,
        user_properties_max: 22,
        properties_bytes_max: 23,
    };
    assert_eq!(config.limits, expected);
    assert_eq!(config.warnings, [""; 0]);
    check_error(
        "limits: {inflight-max: 0}",
        "amqtt.yaml:2:24: key `limits.inflight-max`: found `0`, wanted a whole number from 1 to 65535",
    );
    check_error(
        "limits: {sessions-max: many}",
        "amqtt.yaml:2:24: key `limits.sessions-max`: found `many`, wanted a whole number of at least 1",
    );
    check_error(
        "limits: [1]",
        "amqtt.yaml:2:9: key `limits`: found a list, wanted a mapping, `key: value` on lines of their own",
    );
}
