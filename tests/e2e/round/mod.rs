//! Clients that people have: mosquitto's commands, paho and rumqttc. Each does the same round: QoS 0, 1 and 2; a retained
//! message that is set, replaced and deleted; a will; a persistent session that messages wait in; 10 MiB in one message;
//! many clients at once.

mod mosquitto;
mod paho;
mod rumqttc;
mod with_5_0;

/// Clients that are connected at the same time. Of mosquitto's commands, each of which is a process, it is a few dozen.
const MANY: usize = 1_000;

/// Bytes of a large payload.
const LARGE_BYTES: usize = 10 << 20;

pub(crate) const TOOLS_HINT: &str =
    "install the clients with `.ci/prepare --tests true`, or run the tests with `.ci/prepare --tests`";

const FILES_HINT: &str =
    "a thousand clients need as many open files: run the tests with `.ci/prepare`, or `ulimit -n 4096`";
