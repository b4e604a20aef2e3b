//! The `amqtt` command.

mod command;
mod logging;

use std::process::ExitCode;

fn main() -> ExitCode {
    command::run()
}
