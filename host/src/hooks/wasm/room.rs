use wasmtime::{Error, ResourceLimiter, Result, StoreLimits, StoreLimitsBuilder};

use crate::hooks::limits::{CORE_INSTANCES_MAX, MEMORIES_MAX, TABLE_ELEMENTS_MAX, TABLES_MAX};

/// How much room an instance may take.
pub(super) struct Limits {
    memory_bytes: usize,
    /// What all memories of the instance have.
    memory_taken: usize,
    others: StoreLimits,
}

impl Limits {
    /// With so many bytes for all memories together.
    pub(super) fn new(memory_bytes: usize) -> Self {
        let others = StoreLimitsBuilder::new()
            .memories(MEMORIES_MAX)
            .tables(TABLES_MAX)
            .table_elements(TABLE_ELEMENTS_MAX)
            .instances(CORE_INSTANCES_MAX)
            .trap_on_grow_failure(true)
            .build();
        Self { memory_bytes, memory_taken: 0, others }
    }
}

impl ResourceLimiter for Limits {
    /// An error is a trap. A guest that merely gets no memory aborts somewhere else: better to say what happened.
    fn memory_growing(&mut self, current: usize, wanted: usize, maximum: Option<usize>) -> Result<bool> {
        // More than it has declared itself to have at most: it is told that it gets none.
        if maximum.is_some_and(|maximum| wanted > maximum) {
            return Ok(false);
        }
        let wanted = self.memory_taken.saturating_sub(current).saturating_add(wanted);
        if wanted > self.memory_bytes {
            return Err(Error::new(OutOfMemory { wanted, limit: self.memory_bytes }));
        }
        self.memory_taken = wanted;
        Ok(true)
    }

    /// The system has none, although it was counted above.
    fn memory_grow_failed(&mut self, error: Error) -> Result<()> {
        Err(error)
    }

    fn table_growing(&mut self, current: usize, wanted: usize, maximum: Option<usize>) -> Result<bool> {
        self.others.table_growing(current, wanted, maximum)
    }

    fn instances(&self) -> usize {
        self.others.instances()
    }

    fn tables(&self) -> usize {
        self.others.tables()
    }

    fn memories(&self) -> usize {
        self.others.memories()
    }
}

/// The error that interrupts a call that asks for more memory than there is for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it wanted {}, and its `memory` is {}", in_units(*wanted), in_units(*limit))]
pub(crate) struct OutOfMemory {
    wanted: usize,
    limit: usize,
}

fn in_units(bytes: usize) -> String {
    match bytes {
        ..0x10_0000 => format!("{} KiB", bytes >> 10),
        _ => format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_share_what_there_is() {
        let mut limits = Limits::new(100);
        assert!(limits.memory_growing(0, 60, None).is_ok());
        assert!(limits.memory_growing(60, 70, None).is_ok(), "the same one");
        assert!(limits.memory_growing(0, 31, None).is_err(), "another one");
        assert!(limits.memory_growing(0, 30, None).is_ok());
        assert!(limits.memory_growing(70, usize::MAX, None).is_err());
        let refused = (0..100).all(|_| limits.memory_growing(10, 20, Some(15)).is_ok_and(|grows| !grows));
        assert!(refused && limits.memory_taken == 100, "what does not grow takes nothing");
    }
}
