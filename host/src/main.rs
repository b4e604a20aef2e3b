//! The `amqtt` command.

fn main() {}
