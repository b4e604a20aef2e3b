//! Counts instructions and allocations of one message by valgrind, and compares them with what is committed.
//!
//! `AMQTT_FLOORS=write cargo test -p amqtt-floors` commits to new ones.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

const FLOORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/floors.txt");

/// What the counted code is built by.
const BUILT_BY: &str = env!("BUILT_BY");

/// Of `src/main.rs`.
const OPERATIONS: u64 = 1_000;

/// How far a count may be from what is committed, in percent: code moves a little with every change around it.
const ROOM: u64 = 5;

/// The same where another compiler has built it: enough to notice what is lost for good.
const ROOM_OF_OTHER_COMPILERS: u64 = 30;

/// What one operation costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cost {
    /// In our code and the crates that it is compiled with. Those of libc depend on the CPU, which it looks at.
    instructions: u64,
    /// Calls of `malloc` and its like, in a thousand operations.
    allocations: u64,
}

#[test]
fn nothing_costs_more_than_it_did() {
    let counted: BTreeMap<String, Cost> = scenarios().into_iter().map(|name| (name.clone(), count(&name))).collect();
    if env::var("AMQTT_FLOORS").as_deref() == Ok("write") {
        fs::write(FLOORS, to_text(&counted)).expect("can be written");
    }
    let text = fs::read_to_string(FLOORS).expect("is committed");
    let is_same_compiler = text.lines().any(|line| line == format!("# {BUILT_BY}"));
    let room = if is_same_compiler { ROOM } else { ROOM_OF_OTHER_COMPILERS };
    let floors = from_text(&text);
    assert!(floors.keys().eq(counted.keys()), "other scenarios than in {FLOORS}: {:?}", counted.keys());
    let differences: Vec<String> =
        counted.iter().filter_map(|(name, cost)| difference(name, *cost, floors[name], room)).collect();
    let other =
        if is_same_compiler { "" } else { "they are of another compiler than this, with which more may differ\n" };
    assert!(
        differences.is_empty(),
        "{}\n\nin {FLOORS}:\n{text}\n{other}this is {BUILT_BY}:\n{}\nhint: if that is what it is to cost from now on, \
         `AMQTT_FLOORS=write cargo test -p amqtt-floors`, and commit the file with the reason",
        differences.join("\n"),
        to_text(&counted),
    );
}

/// What is to be said of a cost that is not what it was. What has become cheaper is to stay so.
fn difference(name: &str, cost: Cost, floor: Cost, room: u64) -> Option<String> {
    let said = |what: &str, now: u64, before: u64, room: u64| {
        let (more, less) = (now * 100 > before * (100 + room), now * 100 < before * (100 - room));
        let change = now.abs_diff(before) * 100 / before.max(1);
        match (more, less) {
            (true, _) => Some(format!("{name} costs {change} % more {what}: {now}, and {before} before")),
            (_, true) => Some(format!("{name} costs {change} % fewer {what}: {now}, and {before} before. Keep it so")),
            _ => None,
        }
    };
    said("instructions", cost.instructions, floor.instructions, room)
        .or_else(|| said("allocations", cost.allocations, floor.allocations, ROOM))
}

fn scenarios() -> Vec<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_floors")).output().expect("runs");
    String::from_utf8(output.stdout).expect("are words").lines().map(str::to_owned).collect()
}

fn count(scenario: &str) -> Cost {
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{scenario}.callgrind"));
    // The first part is what came before.
    let counted = out.with_extension("callgrind.2");
    let _ = fs::remove_file(&counted);
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--compress-strings=no", "--compress-pos=no"])
        .args(["--dump-before=*count_from_here*", "--dump-before=*count_to_here*"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .args([env!("CARGO_BIN_EXE_floors"), scenario])
        .output()
        .expect("runs; `.ci/prepare --tests` installs valgrind");
    assert!(output.status.success(), "{scenario}: {}", String::from_utf8_lossy(&output.stderr));
    let counts = fs::read_to_string(&counted).expect("valgrind has written it");
    let cost = read_counts(&counts);
    assert!(cost.instructions > 0, "{scenario}: nothing was counted");
    cost
}

/// Sums up what callgrind has counted, in its format: for each function a line that names its file, one with its name,
/// and one for each of its own lines; calls have a line of what they cost as well, which belongs to the other function.
fn read_counts(counts: &str) -> Cost {
    let (mut instructions, mut allocations) = (0, 0);
    let (mut is_ours, mut called) = (false, "");
    let mut lines = counts.lines();
    while let Some(line) = lines.next() {
        if let Some(object) = line.strip_prefix("ob=") {
            is_ours = object == env!("CARGO_BIN_EXE_floors");
        } else if let Some(name) = line.strip_prefix("cfn=") {
            called = name;
        } else if let Some(calls) = line.strip_prefix("calls=") {
            let count = calls.split(' ').next().and_then(|count| count.parse::<u64>().ok()).expect("a number");
            if matches!(called, "malloc" | "calloc" | "realloc" | "posix_memalign" | "aligned_alloc") {
                allocations += count;
            }
            lines.next();
        } else if is_ours && line.starts_with(|first: char| first.is_ascii_digit()) {
            let (_, count) = line.split_once(' ').expect("a line and its cost");
            instructions += count.parse::<u64>().expect("a number");
        }
    }
    Cost { instructions: instructions / OPERATIONS, allocations }
}

fn to_text(costs: &BTreeMap<String, Cost>) -> String {
    let mut text = format!(
        "# One operation: instructions outside of libc. A thousand: allocations. See tests/floors.rs.\n# {BUILT_BY}\n"
    );
    for (name, cost) in costs {
        let _ = writeln!(text, "{name:31} {:6} {:6}", cost.instructions, cost.allocations);
    }
    text
}

fn from_text(text: &str) -> BTreeMap<String, Cost> {
    let number = |word: &str| word.parse::<u64>().expect("a number");
    let rows = text.lines().filter(|line| !line.starts_with('#'));
    rows.map(|row| {
        let words: Vec<&str> = row.split_whitespace().collect();
        let [name, instructions, allocations] = words[..] else { unreachable!("a name and two numbers, not {row:?}") };
        (name.to_owned(), Cost { instructions: number(instructions), allocations: number(allocations) })
    })
    .collect()
}
