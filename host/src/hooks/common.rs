use std::io;
use std::sync::Arc;
use std::time::Instant;

use super::BrokerServices;
use super::limits::{EXCESS_LOOK, SUSPECT_LOOK};
use super::tally::Tally;
use super::teller::Starter;
use super::verdict_number::VerdictNumber;
use super::wasm::Runtime;

/// What all plugins share, also with those that a reload puts in their place.
pub(crate) struct Common {
    pub(crate) runtime: Runtime,
    pub(crate) broker: Arc<dyn BrokerServices>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) verdict_number: Arc<VerdictNumber>,
    pub(crate) starter: Starter,
}

impl Common {
    pub(crate) fn start(broker: Arc<dyn BrokerServices>) -> io::Result<Self> {
        let (verdict_number, tally) = (Arc::<VerdictNumber>::default(), Arc::<Tally>::default());
        let (settled, suspects) = (Arc::clone(&verdict_number), Arc::clone(&tally.suspects));
        // Not all of the tally, which may know of plugins: the thread ends with the last of them.
        let excesses = Arc::clone(&tally.excesses);
        let (mut forgot, mut told) = (Instant::now(), Instant::now());
        let runtime = Runtime::start(move || {
            let now = Instant::now();
            settled.settle(now);
            if now.saturating_duration_since(forgot) >= SUSPECT_LOOK {
                suspects.forget_old(now);
                forgot = now;
            }
            if now.saturating_duration_since(told) >= EXCESS_LOOK {
                excesses.tell_rest(now);
                told = now;
            }
        })?;
        Ok(Self { runtime, broker, tally, verdict_number, starter: Starter::new()? })
    }
}
