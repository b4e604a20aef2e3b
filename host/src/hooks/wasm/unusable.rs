use semver::Version;

use super::instance::shorten;
use super::manifest::INTERFACE_VERSION;
use crate::hooks::grants_together;
use crate::hooks::limits::COMPONENT_BYTES_MAX;

/// Why a file is not a plugin that this broker can run. The text continues `plugin "x" (FILE) cannot be used: `.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unusable {
    /// The file cannot be read.
    #[error("{0}")]
    Unreadable(#[source] std::io::Error),
    /// The file is larger than the broker reads.
    #[error("it is larger than {} MiB", COMPONENT_BYTES_MAX >> 20)]
    TooLarge,
    /// The file is not the one that the configuration pins.
    #[error(
        "its sha256 is `{found}`, the configuration wants `{wanted}`\nhint: {}",
        if *built_in {
            "it comes with this version of amqtt and changes with it: put its sum into `sha256`, or leave that out"
        } else {
            "if nobody has changed the file, do not trust it; if you have, put its sum into `sha256`"
        }
    )]
    OtherFile {
        /// The digest of the configuration.
        wanted: String,
        /// The digest of the file.
        found: String,
        /// Whether it is part of the binary.
        built_in: bool,
    },
    /// The file is something else.
    #[error("it is not WebAssembly\nhint: a plugin is a component, a file that starts with the bytes 00 61 73 6d 0d")]
    NotWasm,
    /// The file is a core module.
    #[error(
        "it is a core WebAssembly module, not a component\n\
         hint: make it a component: `amqtt plugin pack MODULE.wasm -o PLUGIN.wasm`"
    )]
    CoreModule,
    /// The file is the beginning of a component.
    #[error("it is not whole: the file ends within a part of it\nhint: build it again, or copy it again")]
    NotWhole,
    /// The file does not compile.
    #[error("it is not a valid component: {}", shorten(.0))]
    Invalid(String),
    /// Compiling it takes more than a plugin of its size may take.
    #[error(
        "compiling it takes more than {0}\n\
         hint: ordinary plugins take a fraction of that; ask its author what this one has in it"
    )]
    TooComplex(String),
    /// There is no process that compiles it.
    #[error("the broker cannot run itself as a compiler: {0}")]
    NoCompiler(#[source] std::io::Error),
    /// The process that compiled it ended without an answer, or with one that is of no use.
    #[error("the compiler failed: {}", shorten(.0))]
    CompilerFailed(String),
    /// It was built for another version of the plugin interface.
    #[error(
        "it is made for version {} of the plugin interface (`{}`), this broker has {ours} and runs plugins of \
         {served}\nhint: build the plugin with the amqtt-plugin-sdk of this broker's version",
        shorten(wanted),
        shorten(interface)
    )]
    OtherVersion {
        /// The interface that shows it.
        interface: String,
        /// The version that the file wants.
        wanted: String,
        /// The version of this broker.
        ours: Version,
        /// The versions that it serves, for example `1.x`.
        served: String,
    },
    /// It wants a part of the system interface that is not there.
    #[error(
        "it imports `{}`: of WASI only version 0.2 is offered, without HTTP\n\
         hint: build the plugin for wasm32-wasip2, or for wasm32-unknown-unknown with amqtt-plugin-sdk",
        shorten(import)
    )]
    Wasi {
        /// The first such import.
        import: String,
    },
    /// It wants something that does not exist here.
    #[error("it imports `{}`, which this broker does not have\nhint: {}", shorten(import), made_for(import))]
    UnknownImport {
        /// The import.
        import: String,
    },
    /// It has a hook that this broker would never call.
    #[error("it exports `{}`, a hook that this broker does not have\nhint: {}", shorten(export), made_for(export))]
    UnknownHook {
        /// The export.
        export: String,
    },
    /// It wants something that the configuration does not grant.
    #[error(
        "it uses {}\nhint: if you trust the plugin with {}, add to its entry: {}",
        not_granted(capabilities),
        if capabilities.len() == 1 { "it" } else { "them" },
        grants_together(grants).unwrap_or_default()
    )]
    NotGranted {
        /// The capabilities.
        capabilities: Vec<&'static str>,
        /// What to write below `grants`, for each of them.
        grants: Vec<&'static str>,
    },
    /// It is some other component.
    #[error("it exports no `amqtt:plugin/lifecycle`\nhint: is it a plugin of this broker at all?")]
    NoLifecycle,
    /// It has a hook in two versions.
    #[error("it exports the hook `{hook}` twice, in two versions")]
    HookTwice {
        /// The hook.
        hook: String,
    },
    /// Its names are right and its functions have other types, or there are fewer here.
    #[error("it does not fit the plugin interface: {}{}", shorten(reason), later_hint(later.as_ref()))]
    Mismatch {
        /// What does not fit.
        reason: String,
        /// The version of the interface that it is made for, if that is later than this broker's.
        later: Option<Version>,
    },
}

fn not_granted(capabilities: &[&str]) -> String {
    match capabilities {
        [others @ .., last] if !others.is_empty() => {
            format!("`{}` and `{last}`, which are not granted", others.join("`, `"))
        }
        _ => format!("`{}`, which is not granted", capabilities.concat()),
    }
}

/// Who may have what this broker has not.
fn made_for(interface: &str) -> &'static str {
    if interface.starts_with(PACKAGE_PREFIX) {
        "it is made for a later broker or for another host"
    } else {
        "it is made for another host: here only `amqtt:plugin` and WASI 0.2 are offered"
    }
}

/// How the names of all interfaces of ours begin.
const PACKAGE_PREFIX: &str = "amqtt:plugin/";

fn later_hint(later: Option<&Version>) -> String {
    later.map_or_else(String::new, |later| {
        format!(
            "\nhint: it is made for version {later} of the interface, this broker has {INTERFACE_VERSION}: take a later \
             broker, or a build of the plugin for {INTERFACE_VERSION}"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_says_stays_one_line() {
        let import = format!("url=<\u{1b}[31m\nINFO - all is well>{}", "x".repeat(100_000));
        let text = Unusable::UnknownImport { import }.to_string();
        assert!(text.starts_with("it imports `url=<\\u{1b}[31m\\nINFO - all is well>xxx"), "{text}");
        let (text, _) = text.split_once("\nhint: ").expect("a hint");
        assert!(text.len() < 1_000 && !text.contains(char::is_control), "{text}");
        let invalid = Unusable::Invalid("at \u{1b}[2J".to_owned()).to_string();
        assert_eq!(invalid, "it is not a valid component: at \\u{1b}[2J");
    }
}
