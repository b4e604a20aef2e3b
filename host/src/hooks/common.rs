use std::io;
use std::sync::Arc;
use std::time::Instant;

use super::BrokerServices;
use super::tally::Tally;
use super::verdict_number::VerdictNumber;
use super::wasm::Runtime;

/// What all plugins share, also with those that a reload puts in their place.
pub(crate) struct Common {
    pub(crate) runtime: Runtime,
    pub(crate) broker: Arc<dyn BrokerServices>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) verdict_number: Arc<VerdictNumber>,
}

impl Common {
    pub(crate) fn start(broker: Arc<dyn BrokerServices>) -> io::Result<Self> {
        let verdict_number = Arc::<VerdictNumber>::default();
        let settled = Arc::clone(&verdict_number);
        let runtime = Runtime::start(move || settled.settle(Instant::now()))?;
        Ok(Self { runtime, broker, tally: Arc::default(), verdict_number })
    }
}
