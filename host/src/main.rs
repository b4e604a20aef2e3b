//! The `amqtt` command.

mod command;
mod logging;

use std::process::ExitCode;

fn main() -> ExitCode {
    amqtt::hooks::compile_apart();
    command::run()
}
