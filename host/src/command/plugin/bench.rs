//! Times the calls of a plugin.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use amqtt::broker::resident_bytes;
use amqtt::config::LogLevel;
use amqtt::hooks::{Action, Credentials, TopicFacts};
use amqtt::testing::{Question, Trial, Unanswered};
use amqtt::types::{ClientId, ClientInfo, ConnectFacts, Identity, Peer, QoS};
use clap::Args;

use super::tried;
use crate::command::{Failure, print};
use crate::logging;

/// Time what a plugin does: each call that a broker would make, without anything remembered of it
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    tried: tried::Arguments,

    /// Cases, as for `test`, whose questions are put over and over; without them a CONNECT and the three actions on one
    /// topic, and ticks
    #[arg(long, value_name = "CASES", conflicts_with = "settings")]
    cases: Option<PathBuf>,

    /// How long to ask each question, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    time: u64,
}

/// Calls of one question that are timed: their times are kept.
const CALLS_MAX: usize = 1_000_000;

/// Calls before any is timed.
const WARM_UP: usize = 100;

/// Instances that are made to see what one takes.
const INSTANCES: usize = 32;

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let _ = logging::start(LogLevel::Error);
    let tried = &arguments.tried;
    let (read, mut trial) = match &arguments.cases {
        None => {
            let read = tried.read()?;
            let trial = tried.load(&read.spec)?;
            (read, trial)
        }
        Some(cases) => {
            let read = tried.read_cases(cases)?;
            let trial = tried.grants.load(&read.spec)?;
            (read, trial)
        }
    };
    let mut text = String::new();
    line(&mut text, "load", &[("compile", us(trial.compiled_in()))]);
    let (mut starts, before) = (Vec::new(), resident_bytes());
    let mut idle = Vec::new();
    for _ in 0..INSTANCES {
        let began = Instant::now();
        idle.push(trial.instances(1).map_err(|problem| format!("the plugin {problem}"))?);
        starts.push(began.elapsed());
    }
    // The first was made when the plugin was loaded.
    starts.remove(0);
    line(&mut text, "init", &percentiles(&mut starts, Duration::ZERO));
    if let (Some(before), Some(after)) = (before, resident_bytes()) {
        let each = after.saturating_sub(before) / (INSTANCES as u64 - 1);
        line(&mut text, "memory", &[("an instance", format!("{:.1} KiB", each as f64 / 1_024.0))]);
    }
    drop(idle);
    print(&text)?;
    let of_cases = !read.cases.is_empty();
    let questions: Vec<_> = match of_cases {
        false => usual(&trial),
        true => read.cases.into_iter().map(|case| case.question).collect(),
    };
    let clock = clock_cost();
    let (mut any_answered, mut last_problem) = (false, None);
    for question in &questions {
        match time(&mut trial, question, Duration::from_millis(arguments.time), clock) {
            Ok(text) => {
                any_answered = true;
                print(&text)?;
            }
            // Nobody has asked for this one.
            Err(Unanswered::NotAsked(_)) if !of_cases => {}
            Err(problem) => {
                print(&format!("{:<12} {question}: the plugin {problem}\n", question.hook()))?;
                last_problem = Some(problem);
            }
        }
    }
    match last_problem.filter(|_| !any_answered) {
        Some(problem) => Err(format!("every call failed: the plugin {problem}").into()),
        None => Ok(ExitCode::SUCCESS),
    }
}

/// What a broker asks a plugin most.
fn usual(trial: &Trial) -> Vec<Question> {
    let client = Arc::new(ClientInfo {
        client_id: ClientId::new("client-0123456789ab"),
        identity: Identity::User("alice".into()),
        peer: Peer::tcp(([192, 0, 2, 1], 49_152).into(), "default".into()),
        connect: ConnectFacts { protocol_level: 4, ..ConnectFacts::default() },
    });
    let mut questions = Vec::new();
    if trial.has("auth") {
        let credentials = Credentials { username: Some("alice".into()), password: Some("password".into()) };
        questions.push(Question::Connect(Arc::clone(&client), credentials));
    }
    if trial.has("topic-check") {
        let facts = TopicFacts::message(QoS::AtMostOnce, false, 64);
        let topic = "building/7/floor/3/room/12/temperature/now";
        questions.extend(
            [Action::Publish, Action::Subscribe, Action::Receive]
                .map(|action| Question::Topic(Arc::clone(&client), action, topic.to_owned(), facts)),
        );
    }
    if trial.has("ticks") {
        questions.push(Question::Tick);
    }
    questions
}

/// Puts a question over and over, and gives a line about the times that it took, with the last answer.
fn time(trial: &mut Trial, question: &Question, limit: Duration, clock: Duration) -> Result<String, Unanswered> {
    let mut last = question.put(trial)?;
    let began = Instant::now();
    let mut times = Vec::new();
    for call in 0.. {
        let start = Instant::now();
        let answer = question.put(trial);
        let took = start.elapsed();
        last = answer?;
        if call >= WARM_UP {
            times.push(took);
        }
        // What it publishes is not kept.
        if call % 100 == 0 {
            drop(trial.take_published());
        }
        if times.len() >= CALLS_MAX || (!times.is_empty() && began.elapsed() >= limit) {
            break;
        }
    }
    let (mut text, calls) = (String::new(), times.len());
    line(&mut text, question.hook(), &percentiles(&mut times, clock));
    text.truncate(text.trim_end().len());
    let _ = writeln!(text, "   {calls} calls, {question}: {last}");
    Ok(text)
}

/// What looking at the clock adds to a time.
fn clock_cost() -> Duration {
    let costs = (0..1_000).map(|_| {
        let start = Instant::now();
        start.elapsed()
    });
    costs.min().unwrap_or_default()
}

/// Sorts the times and gives those that matter.
fn percentiles(times: &mut [Duration], clock: Duration) -> [(&'static str, String); 3] {
    times.sort_unstable();
    let at = |percent: usize| {
        let time = times.get(times.len() * percent / 100).or(times.last()).copied().unwrap_or_default();
        us(time.saturating_sub(clock))
    };
    [("p50", at(50)), ("p99", at(99)), ("max", at(100))]
}

fn us(time: Duration) -> String {
    match time.as_millis() {
        0..10 => format!("{:.2} µs", time.as_secs_f64() * 1e6),
        _ => format!("{:.1} ms", time.as_secs_f64() * 1e3),
    }
}

fn line(text: &mut String, what: &str, values: &[(&str, String)]) {
    let values: Vec<_> = values.iter().map(|(name, value)| format!("{name} {value:>14}")).collect();
    // Writing to a string does not fail.
    let _ = writeln!(text, "{what:<12} {}", values.join("   "));
}
