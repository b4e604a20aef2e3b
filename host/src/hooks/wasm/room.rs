use wasmtime::{Error, ResourceLimiter, Result, StoreLimits, StoreLimitsBuilder};

use crate::hooks::limits::{CORE_INSTANCES_MAX, MEMORIES_MAX, TABLE_ELEMENTS_MAX, TABLES_MAX};

/// How much room an instance may take.
pub(super) struct Limits {
    memory_bytes: usize,
    others: StoreLimits,
}

impl Limits {
    /// With so many bytes for each memory.
    pub(super) fn new(memory_bytes: usize) -> Self {
        let others = StoreLimitsBuilder::new()
            .memories(MEMORIES_MAX)
            .tables(TABLES_MAX)
            .table_elements(TABLE_ELEMENTS_MAX)
            .instances(CORE_INSTANCES_MAX)
            .trap_on_grow_failure(true)
            .build();
        Self { memory_bytes, others }
    }
}

impl ResourceLimiter for Limits {
    /// An error is a trap. A guest that merely gets no memory aborts somewhere else: better to say what happened.
    fn memory_growing(&mut self, _: usize, wanted: usize, _: Option<usize>) -> Result<bool> {
        if wanted > self.memory_bytes {
            return Err(Error::new(OutOfMemory { wanted, limit: self.memory_bytes }));
        }
        Ok(true)
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
#[error("it wanted {:.1} MiB, and its `memory` is {:.1} MiB", mebibytes(*wanted), mebibytes(*limit))]
pub(crate) struct OutOfMemory {
    wanted: usize,
    limit: usize,
}

fn mebibytes(bytes: usize) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
