use std::path::PathBuf;
use std::time::Duration;

use amqtt_bench::{Case, Peer, Plan, Results, Size, pin, raise_file_limit};
use anyhow::{Result, bail, ensure};
use clap::Parser;

/// Runs amqtt and other brokers under the same load, one after the other in rounds, and prints one table.
#[derive(Debug, Parser)]
#[command(name = "amqtt-bench")]
struct Options {
    /// The broker of this project.
    #[arg(long, value_name = "FILE", default_value = "target/release/amqtt")]
    amqtt: PathBuf,
    /// Another broker: `mosquitto=PATH`, `rumqttd=PATH`, `flashmq=PATH`, or any `NAME=COMMAND --port {port}`.
    #[arg(long = "peer", value_name = "NAME=COMMAND")]
    peers: Vec<String>,
    /// Do not look for mosquitto, rumqttd and flashmq.
    #[arg(long)]
    no_search: bool,
    /// Groups of cases; all without this.
    #[arg(long, value_name = "GROUP", value_delimiter = ',')]
    only: Vec<String>,
    /// Print the cases, and do nothing.
    #[arg(long)]
    list: bool,
    /// Small numbers, for a look: one short round, a tenth of all connections and subscriptions.
    #[arg(long)]
    quick: bool,
    /// How often each broker has its turn in each case.
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,
    /// How long messages are counted in each round.
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<f64>,
    /// Messages of one publisher that may be under way.
    #[arg(long, value_name = "N", default_value_t = 200)]
    window: u64,
    /// The core of the brokers, and that of the load.
    #[arg(long, value_name = "N", default_value_t = 0)]
    broker_core: usize,
    /// See `--broker-core`.
    #[arg(long, value_name = "N", default_value_t = 1)]
    load_core: usize,
    /// Results of earlier runs; those of this run are added, and the table is of all.
    #[arg(long, value_name = "FILE", default_value = "target/bench.json")]
    results: PathBuf,
}

pub(crate) fn run() -> Result<()> {
    let options = Options::parse();
    let cases = chosen(&options.only)?;
    if options.list {
        for case in cases {
            println!("{:14} {case}", case.group);
        }
        return Ok(());
    }
    ensure!(
        options.amqtt.is_file(),
        "`{}` is not there\n  hint: cargo build --release, or --amqtt FILE",
        options.amqtt.display()
    );
    raise_file_limit();
    pin(options.load_core)?;
    let plan = plan(&options)?;
    let mut results = Results::read(&options.results)?;
    for case in &cases {
        eprintln!("{case}");
        plan.run(case, &mut results)?;
        results.write(&options.results)?;
    }
    print!("{}", results.table());
    Ok(())
}

fn chosen(only: &[String]) -> Result<Vec<Case>> {
    let mut cases = Case::all();
    for group in only {
        if !cases.iter().any(|case| case.group == group) {
            bail!("there is no group `{group}`\n  hint: --list prints all");
        }
    }
    cases.retain(|case| only.is_empty() || only.iter().any(|group| group == case.group));
    Ok(cases)
}

fn plan(options: &Options) -> Result<Plan> {
    let mut peers = vec![Peer::amqtt(&options.amqtt), Peer::amqtt_with_plugins(&options.amqtt)];
    let named = options.peers.iter().map(|text| Peer::parse(text)).collect::<Result<Vec<_>>>()?;
    if !options.no_search {
        peers.extend(Peer::found().into_iter().filter(|found| named.iter().all(|peer| peer.name != found.name)));
    }
    peers.extend(named);
    let seconds = options.seconds.unwrap_or(if options.quick { 0.5 } else { 2.0 });
    let share = if options.quick { 10 } else { 1 };
    Ok(Plan {
        peers,
        rounds: options.rounds.unwrap_or(if options.quick { 1 } else { 5 }),
        size: Size {
            warm_up: Duration::from_secs_f64(seconds / 4.0),
            measured: Duration::from_secs_f64(seconds),
            window: options.window,
            connections: 10_000 / share,
            retained: 100_000 / share,
            most: 1_000_000 / share,
        },
        cores: Some((options.broker_core, options.load_core)),
    })
}
