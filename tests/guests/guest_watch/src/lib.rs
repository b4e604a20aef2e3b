//! Follows a file in its ticks. Panics as it reads a change, as long as another file says `trap`.

use std::cell::Cell;

use amqtt_plugin_sdk::{Interests, Plugin, Ticks, Watched, files, plugin};
use serde::Deserialize;

thread_local! {
    static TRAPS: Cell<bool> = const { Cell::new(false) };
}

struct Watch(Watched<String>);

/// The files that they name are read by their keys.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Settings {
    #[serde(rename = "file")]
    _file: String,
    #[serde(rename = "trap-file")]
    _trap_file: String,
}

impl Plugin for Watch {
    type Settings = Settings;

    fn new(_: Settings) -> Result<Self, String> {
        Watched::open("file", text).map(Watch)
    }

    fn interests(&self) -> Interests {
        Interests { tick_seconds: 1, ..Interests::default() }
    }
}

#[expect(clippy::panic, reason = "what it is for")]
fn text(content: &[u8], _: Option<&String>) -> Result<String, String> {
    if TRAPS.get() {
        panic!("on purpose");
    }
    String::from_utf8(content.to_vec()).map_err(|error| error.to_string())
}

impl Ticks for Watch {
    fn tick(&mut self) {
        // Not while it starts.
        TRAPS.set(files::read("trap-file").is_ok_and(|content| content == b"trap"));
        self.0.look_and_log(String::clone);
    }
}

plugin!(Watch: Ticks);
