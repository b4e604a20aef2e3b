//! The command: chooses brokers, cases and lengths.

#[cfg(target_os = "linux")]
mod command;

#[cfg(target_os = "linux")]
fn main() -> anyhow::Result<()> {
    command::run()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("the benchmark needs Linux: epoll, and /proc for the CPU time of the brokers");
    std::process::exit(1);
}
