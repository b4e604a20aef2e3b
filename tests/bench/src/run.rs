//! The driver: each case in rounds, one broker after the other in each round.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::broker::Broker;
use crate::events;
use crate::figures::Figures;
use crate::measure::{Size, measure};
use crate::peer::Peer;
use crate::results::Results;
use crate::scenario::{Case, Rate, Scenario};

/// Who is measured, and how.
#[derive(Debug)]
pub struct Plan {
    /// The first is compared with the others.
    pub peers: Vec<Peer>,
    /// How often each broker has its turn.
    pub rounds: usize,
    /// How much of everything.
    pub size: Size,
    /// The core of the broker and that of the load; none leaves it to the system.
    pub cores: Option<(usize, usize)>,
}

impl Plan {
    /// Runs `case` and adds its row to `results`. A broker that fails in one round has failed; why is printed.
    pub fn run(&self, case: &Case, results: &mut Results) -> Result<()> {
        let rate = match case.scenario {
            Scenario::Latency(rate) => self.rate(rate, results)?,
            _ => 0,
        };
        let peers: Vec<&Peer> = self.peers.iter().filter(|peer| peer.speaks(case.carrier)).collect();
        let mut runs: Vec<Vec<Figures>> = vec![Vec::new(); peers.len()];
        for _ in 0..self.rounds {
            for (peer, runs) in peers.iter().zip(&mut runs) {
                let figures = self.round(peer, case, rate).with_context(|| format!("{}: {case}", peer.name));
                match figures {
                    Ok(figures) => runs.push(figures),
                    Err(error) => eprintln!("{error:#}"),
                }
            }
        }
        for (peer, runs) in peers.iter().zip(&runs) {
            results.put(case, &peer.name, (runs.len() == self.rounds).then(|| Figures::median(runs)));
        }
        Ok(())
    }

    /// One broker's turn.
    fn round(&self, peer: &Peer, case: &Case, rate: u64) -> Result<Figures> {
        let broker = Broker::start(peer, case.version, case.carrier, self.cpus(case).as_deref())?;
        let run = || -> Result<Figures> {
            let mut figures = measure(case, &self.size, rate, &broker)?;
            if peer.tells_events() {
                figures.events_lost = Some(events::lost(&broker)?);
            }
            Ok(figures)
        };
        run().with_context(|| format!("the log's end: {}", broker.end_of_log()))
    }

    /// The cores of a broker in `case`, for `taskset`.
    fn cpus(&self, case: &Case) -> Option<String> {
        let (broker, load) = self.cores?;
        Some(if case.two_cores { format!("{broker},{load}") } else { broker.to_string() })
    }

    /// How many messages in a second `rate` means.
    fn rate(&self, rate: Rate, results: &Results) -> Result<u64> {
        let share = match rate {
            Rate::Fixed(rate) => return Ok(rate),
            Rate::OfPeer(share) => share,
        };
        let base = Case::all().into_iter().next().context("there are no cases")?;
        let peer =
            self.peers.iter().find(|peer| !peer.is_ours()).or(self.peers.first()).context("there are no brokers")?;
        let most = results.of(&base, &peer.name).map(|figures| figures.per_second).with_context(|| {
            format!("what {} does at most is not known\n  hint: measure the group `{}` first", peer.name, base.group)
        })?;
        Ok((most * share as f64 / 100.0) as u64)
    }
}

/// Keeps this process on one core.
pub fn pin(core: usize) -> Result<()> {
    let pid = std::process::id().to_string();
    let output =
        Command::new("taskset").args(["-p", "-c", &core.to_string(), &pid]).output().context("no `taskset`")?;
    ensure!(output.status.success(), "cannot pin: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}

/// Lets this process, and the brokers that it starts, have as many open files as it may.
pub fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // With less, the cases with many connections say so.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}
