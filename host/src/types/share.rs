/// Which member of a shared subscription gets a message (MQTT 5.0, 4.8.2). Those that are connected come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShareStrategy {
    /// One after the other.
    RoundRobin,
    /// Any.
    Random,
    /// The same one, until it is gone.
    Sticky,
    /// The one that has the fewest messages in flight and waiting.
    LeastQueued,
}
