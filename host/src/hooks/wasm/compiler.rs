//! Compiling plugins in processes of their own.
//!
//! No deadline covers the compiler, a thread of it cannot be stopped, and there are files of a few kilobytes that take it
//! minutes and gigabytes: a chain of components each of which instantiates the one before it twice, say. So the program
//! runs itself once more for each file, under limits that the system holds it to. That process gets the plugin on its standard
//! input, answers with code on its standard output, and takes nothing with it when it fails.

use std::io::{self, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{env, process, thread};

use wasmtime::{Engine, Error, OutOfMemory};

use super::engine::check_kind;
use super::engine_config::base_config;
use super::unusable::Unusable;
use crate::hooks::limits::{
    COMPILED_BYTES_BASE, COMPILED_BYTES_PER_BYTE, COMPILER_CPU_BASE, COMPILER_CPU_PER_MIB, COMPILER_MEMORY_BASE,
    COMPILER_MEMORY_PER_BYTE, COMPILER_THREADS_MAX, COMPONENT_BYTES_MAX,
};
use crate::hooks::priority;

/// The first argument of a process that compiles. It is no subcommand for people.
const ARGUMENT: &str = "compile-plugin";

/// What an answer begins with.
const CODE: u8 = 0;
const INVALID: u8 = 1;

/// Bytes of what a compiler says of its own end that are read.
const LAST_WORDS_BYTES_MAX: u64 = 4_096;

/// Set in a program that can be asked to compile.
static COMPILES_APART: AtomicBool = AtomicBool::new(false);

/// From now on this program compiles plugins in processes of their own. Call it first thing in `main`.
///
/// Such a process is this same program: in it, the call compiles what it is given and does not return. Without this
/// call plugins are compiled within the process, where nothing bounds the time and the memory that it takes.
pub fn compile_apart() {
    if env::args_os().nth(1).is_some_and(|argument| argument == ARGUMENT) {
        let ended = serve(io::stdin(), &mut io::stdout()).unwrap_or_else(|error| {
            let _ = writeln!(io::stderr(), "{error}");
            1
        });
        process::exit(ended);
    }
    COMPILES_APART.store(true, Ordering::Relaxed);
}

/// The code of a component, for [`load_compiled`](super::engine::load_compiled).
pub(super) fn compile(engine: &Engine, bytes: &[u8]) -> Result<Vec<u8>, Unusable> {
    check_kind(bytes)?;
    if COMPILES_APART.load(Ordering::Relaxed) {
        return apart(bytes);
    }
    engine.precompile_component(bytes).map_err(|error| Unusable::Invalid(format!("{error:#}")))
}

fn apart(bytes: &[u8]) -> Result<Vec<u8>, Unusable> {
    let mut process = command().and_then(|mut command| command.spawn()).map_err(Unusable::NoCompiler)?;
    let said = talk(&mut process, bytes);
    // It ends by itself: what it answers to is closed now.
    let status = process.wait().map_err(Unusable::NoCompiler)?;
    let (mut answer, last_words) = said.map_err(Unusable::NoCompiler)?;
    match answer.first() {
        Some(&CODE) if status.success() => Ok(answer.split_off(1)),
        Some(&INVALID) if status.success() => {
            Err(Unusable::Invalid(String::from_utf8_lossy(&answer[1..]).into_owned()))
        }
        _ => Err(why(status, &last_words, Bounds::of(bytes.len()))),
    }
}

fn command() -> io::Result<Command> {
    // What runs, whatever has become of its file since.
    let program = if cfg!(target_os = "linux") { "/proc/self/exe".into() } else { env::current_exe()? };
    let threads = thread::available_parallelism().map_or(1, usize::from).min(COMPILER_THREADS_MAX);
    let mut command = Command::new(program);
    command.arg(ARGUMENT).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // wasmtime compiles with as many threads of rayon.
    command.env("RAYON_NUM_THREADS", threads.to_string()).env_remove("RUST_BACKTRACE");
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        // The interrupt key of a terminal is meant for the broker, which then ends this one.
        command.arg0("amqtt").process_group(0);
    }
    Ok(command)
}

/// Gives the process its task. What it answers, and what it complains of.
fn talk(process: &mut Child, bytes: &[u8]) -> io::Result<(Vec<u8>, String)> {
    // Closed when this returns, and not before: by that it learns that nobody waits any more.
    let mut input = process.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let output = process.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let complaints = process.stderr.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let given = input.write_all(&(bytes.len() as u64).to_le_bytes()).and_then(|()| input.write_all(bytes));
    let (mut answer, mut last_words) = (Vec::new(), Vec::new());
    output.take(Bounds::of(bytes.len()).code_bytes + 2).read_to_end(&mut answer)?;
    complaints.take(LAST_WORDS_BYTES_MAX).read_to_end(&mut last_words)?;
    // If it has not read all, it has ended, and how says more.
    drop(given);
    Ok((answer, String::from_utf8_lossy(&last_words).into_owned()))
}

/// Why a process that did not answer has ended.
fn why(status: ExitStatus, last_words: &str, bounds: Bounds) -> Unusable {
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt;
        let signal = status.signal();
        if signal == Some(rustix::process::Signal::XCPU.as_raw()) {
            return Unusable::TooComplex(format!("{} s of CPU time", bounds.cpu.as_secs()));
        }
    }
    // What Rust's standard library says before it aborts, the system when it gives no more, and `serve`.
    let of_memory = ["memory allocation of", "Cannot allocate memory", OUT_OF_MEMORY];
    if of_memory.iter().any(|words| last_words.contains(words)) {
        return Unusable::TooComplex(format!("{} MiB of memory", bounds.memory_bytes >> 20));
    }
    if last_words.contains(TOO_MUCH_CODE) {
        return Unusable::TooComplex(format!("{} KiB for its code", bounds.code_bytes >> 10));
    }
    Unusable::CompilerFailed(format!("{status}: {last_words}"))
}

const TOO_MUCH_CODE: &str = "too much code";
const OUT_OF_MEMORY: &str = "out of memory";

/// What compiling a file may take.
#[derive(Clone, Copy)]
struct Bounds {
    cpu: Duration,
    memory_bytes: u64,
    code_bytes: u64,
}

impl Bounds {
    fn of(file_bytes: usize) -> Self {
        let file_bytes = file_bytes as u64;
        let mib = u32::try_from(file_bytes >> 20).unwrap_or(u32::MAX);
        Self {
            cpu: COMPILER_CPU_BASE + COMPILER_CPU_PER_MIB * mib,
            memory_bytes: COMPILER_MEMORY_BASE + COMPILER_MEMORY_PER_BYTE * file_bytes,
            code_bytes: COMPILED_BYTES_BASE + COMPILED_BYTES_PER_BYTE * file_bytes,
        }
    }

    /// Has the system hold this process to them. One that had less before keeps that.
    fn put_in_force(self) -> io::Result<()> {
        #[cfg(unix)]
        {
            use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
            let bounds =
                [(Resource::Cpu, self.cpu.as_secs()), (Resource::Data, self.memory_bytes), (Resource::Core, 0)];
            for (resource, bound) in bounds {
                let maximum = getrlimit(resource).maximum;
                let current = maximum.map_or(bound, |maximum| maximum.min(bound));
                setrlimit(resource, Rlimit { current: Some(current), maximum })?;
            }
        }
        // If the machine itself has no more memory, the system is to end this one rather than the broker.
        #[cfg(target_os = "linux")]
        let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
        Ok(())
    }
}

/// Compiles one plugin. The status to end with; an error is said on standard error.
fn serve(mut input: impl Read + Send + 'static, output: &mut impl Write) -> io::Result<i32> {
    // The threads of the compiler have it from this one.
    priority::lower();
    let mut length = [0; 8];
    input.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    if length > COMPONENT_BYTES_MAX {
        return Err(io::Error::other("too long"));
    }
    let mut bytes = Vec::new();
    input.by_ref().take(length).read_to_end(&mut bytes)?;
    let bounds = Bounds::of(bytes.len());
    bounds.put_in_force()?;
    // Nothing more comes, until whoever waits for the answer has it or is gone.
    thread::Builder::new().name("amqtt-orphan".into()).spawn(move || {
        let _ = input.read(&mut [0]);
        process::exit(1);
    })?;
    let engine = Engine::new(&base_config()).map_err(|error| io::Error::other(format!("{error:#}")))?;
    let (kind, answer) = match engine.precompile_component(&bytes) {
        Ok(code) if code.len() as u64 > bounds.code_bytes => return Err(io::Error::other(TOO_MUCH_CODE)),
        Ok(code) => (CODE, code),
        Err(error) if is_of_memory(&error) => return Err(io::Error::other(OUT_OF_MEMORY)),
        Err(error) => (INVALID, format!("{error:#}").into_bytes()),
    };
    output.write_all(&[kind])?;
    output.write_all(&answer)?;
    output.flush()?;
    Ok(0)
}

/// Whether it is memory that was missing, which says nothing against the component.
fn is_of_memory(error: &Error) -> bool {
    error.chain().any(|cause| {
        let of_system = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        cause.is::<OutOfMemory>() || of_system == Some(io::ErrorKind::OutOfMemory)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn want_of_memory_is_told_from_bytes_that_are_wrong() {
        let errors = [
            (Error::from(OutOfMemory::new(8)).context("compiling a function"), true),
            (Error::from(io::Error::from(io::ErrorKind::OutOfMemory)).context("a thread"), true),
            (Error::msg("unknown import `out of memory`"), false),
        ];
        for (error, expected) in errors {
            assert_eq!(is_of_memory(&error), expected, "{error:#}");
        }
    }

    /// A status that says nothing, as one has it who ends himself after a complaint.
    #[cfg(unix)]
    #[test]
    fn last_words_say_which_bound_was_met() {
        use std::os::unix::process::ExitStatusExt;
        let check = |last_words: &str, expected: &str| {
            let text = why(ExitStatus::from_raw(256), last_words, Bounds::of(0)).to_string();
            assert!(text.contains(expected), "{last_words}: {text}");
        };
        check("memory allocation of 5 bytes failed", "MiB of memory");
        check("Cannot allocate memory (os error 12)", "MiB of memory");
        check(OUT_OF_MEMORY, "MiB of memory");
        check(TOO_MUCH_CODE, "KiB for its code");
        check("a panic", "the compiler failed: exit status: 1: a panic");
    }
}
