//! Connections for their own sake: many that come and go, and many that stay.

use std::time::Instant;

use anyhow::{Context, Result};

use crate::broker::Broker;
use crate::figures::Figures;
use crate::link::{Link, READ_BYTES};
use crate::load::thread_cpu;
use crate::measure::Size;
use crate::packets::{self, kind};
use crate::scenario::Case;

/// Connections that are being made at once.
const AT_ONCE: usize = 100;

/// Connects, waits for each CONNACK, and closes: counted are the connections.
pub(crate) fn storm(case: &Case, size: &Size, broker: &Broker) -> Result<Figures> {
    let mut buffer = vec![0; READ_BYTES];
    let (cpu, own, start) = (broker.cpu()?, thread_cpu(), Instant::now());
    let mut made = 0;
    while made < size.connections {
        let batch = AT_ONCE.min(size.connections - made);
        let mut links = (made..made + batch)
            .map(|at| Link::open(&broker.address, case.version, &format!("storm-{at}")))
            .collect::<Result<Vec<_>>>()?;
        for link in &mut links {
            link.wait_for(kind::CONNACK, case.version, &mut buffer).context("in the storm")?;
        }
        links.into_iter().for_each(Link::close);
        made += batch;
    }
    let elapsed = start.elapsed();
    let (cpu, own) = (broker.settled()? - cpu, thread_cpu() - own);
    Ok(Figures {
        per_second: made as f64 / elapsed.as_secs_f64(),
        broker_us: cpu.as_secs_f64() * 1e6 / made as f64,
        load_us: own.as_secs_f64() * 1e6 / made as f64,
        resident_bytes: broker.resident_bytes()?,
        ..Figures::default()
    })
}

/// Connects clients with one subscription each, and leaves them alone: counted is the broker's memory.
pub(crate) fn idle(case: &Case, size: &Size, broker: &Broker) -> Result<Figures> {
    let mut buffer = vec![0; READ_BYTES];
    let (memory, cpu, own, start) = (broker.resident_bytes()?, broker.cpu()?, thread_cpu(), Instant::now());
    let mut links = Vec::with_capacity(size.connections);
    for at in 0..size.connections {
        let mut link = Link::open(&broker.address, case.version, &format!("idle-{at}"))?;
        link.wait_for(kind::CONNACK, case.version, &mut buffer).context("an idle client")?;
        link.out.extend(packets::subscribe(case.version, 1, &[format!("calendar/idle/{at}")], 1));
        link.wait_for(kind::SUBACK, case.version, &mut buffer).context("an idle client")?;
        links.push(link);
    }
    let made = links.len() as f64;
    let elapsed = start.elapsed();
    let cpu = broker.settled()? - cpu;
    let resident_bytes = broker.resident_bytes()?;
    let figures = Figures {
        per_second: made / elapsed.as_secs_f64(),
        broker_us: cpu.as_secs_f64() * 1e6 / made,
        load_us: (thread_cpu() - own).as_secs_f64() * 1e6 / made,
        resident_bytes,
        bytes_per_connection: Some(resident_bytes.saturating_sub(memory) as f64 / made),
        ..Figures::default()
    };
    links.into_iter().for_each(Link::close);
    Ok(figures)
}
