use super::{Action, EventKind};

/// What a plugin said at its start that it wants to be called for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Interests {
    /// The actions that it decides.
    pub(crate) actions: ActionSet,
    /// The event kinds that it is told of.
    pub(crate) events: EventSet,
    /// Whether it wants the payloads of messages with them.
    pub(crate) payloads: bool,
    /// Seconds between two ticks, 0 for none.
    pub(crate) tick_seconds: u32,
}

/// All that a plugin said at its start.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Registration {
    pub(crate) interests: Interests,
    /// The authentication methods that it serves.
    pub(crate) methods: Vec<Box<str>>,
}

/// A set of actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ActionSet(u8);

impl ActionSet {
    pub(crate) fn contains(self, action: Action) -> bool {
        self.0 & (1 << action as u8) != 0
    }

    pub(crate) fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn bits(self) -> u8 {
        self.0
    }

    pub(crate) fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    pub(crate) fn insert(&mut self, action: Action) {
        self.0 |= 1 << action as u8;
    }
}

/// A set of event kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct EventSet(u32);

impl EventSet {
    pub(crate) fn contains(self, kind: EventKind) -> bool {
        self.0 & (1 << kind as u8) != 0
    }

    pub(crate) fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn bits(self) -> u32 {
        self.0
    }

    pub(crate) fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    pub(crate) fn insert(&mut self, kind: EventKind) {
        self.0 |= 1 << kind as u8;
    }
}
