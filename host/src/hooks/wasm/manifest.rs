//! What a component's type says about it: the hooks that it has and the capabilities that it wants.

use std::{fmt, mem};

use semver::Version;
use wasmtime::Engine;
use wasmtime::component::Component;

use super::unusable::Unusable;
use super::wasi;
use crate::hooks::Grants;

/// The version of the plugin interface of this broker: that of the package in `wit/`.
pub(crate) const INTERFACE_VERSION: Version = Version::new(1, 0, 0);

const PACKAGE: &str = "amqtt:plugin";

/// The hooks that a component exports besides `lifecycle`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Exports {
    pub(crate) auth: bool,
    pub(crate) enhanced_auth: bool,
    pub(crate) topic_check: bool,
    pub(crate) events: bool,
    pub(crate) ticks: bool,
}

/// Something of the broker that a component imports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Capability {
    Types,
    Log,
    Clock,
    Random,
    Files,
    Publisher,
    BrokerInfo,
    Sessions,
    Invalidate,
}

impl Capability {
    fn from_interface(interface: &str) -> Option<Self> {
        Some(match interface {
            "types" => Self::Types,
            "log" => Self::Log,
            "clock" => Self::Clock,
            "random" => Self::Random,
            "files" => Self::Files,
            "publisher" => Self::Publisher,
            "broker-info" => Self::BrokerInfo,
            "sessions" => Self::Sessions,
            "invalidate" => Self::Invalidate,
            _ => return None,
        })
    }

    /// Its name in the plugin interface.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Types => "types",
            Self::Log => "log",
            Self::Clock => "clock",
            Self::Random => "random",
            Self::Files => "files",
            Self::Publisher => "publisher",
            Self::BrokerInfo => "broker-info",
            Self::Sessions => "sessions",
            Self::Invalidate => "invalidate",
        }
    }

    /// What to write below `grants` in the configuration to grant it; none for what every plugin may use.
    fn grant(self) -> Option<&'static str> {
        self.missing_grant(&Grants::default())
    }

    fn missing_grant(self, grants: &Grants) -> Option<&'static str> {
        match self {
            Self::Files if grants.files.is_empty() => Some("files: [SETTINGS-KEY]"),
            Self::Publisher if grants.publish.is_empty() => Some("publish: [TOPIC-FILTER]"),
            Self::BrokerInfo if !grants.broker_info => Some("broker-info: true"),
            Self::Sessions if !grants.sessions => Some("sessions: true"),
            Self::Invalidate if !grants.invalidate => Some("invalidate: true"),
            _ => None,
        }
    }
}

/// What a component's type says.
#[derive(Debug)]
pub(crate) struct Manifest {
    pub(crate) exports: Exports,
    pub(crate) capabilities: Vec<Capability>,
    /// Whether it imports WASI.
    pub(crate) wasi: bool,
    /// The version of the plugin interface that it is made for, if that is later than ours.
    pub(crate) later: Option<Version>,
}

impl Manifest {
    /// Reads the type of a component, and refuses one that this broker cannot serve or that wants what is not granted.
    pub(super) fn read(engine: &Engine, component: &Component, grants: &Grants) -> Result<Self, Unusable> {
        let component_type = component.component_type();
        let imports: Vec<_> = component_type.imports(engine).map(|(name, _)| name.to_owned()).collect();
        let exports: Vec<_> = component_type.exports(engine).map(|(name, _)| name.to_owned()).collect();
        Self::from_names(&imports, &exports, Some(grants))
    }

    /// The same from the names alone; without `grants` everything is taken to be granted.
    pub(super) fn from_names(
        imports: &[String],
        exports: &[String],
        grants: Option<&Grants>,
    ) -> Result<Self, Unusable> {
        let (mut capabilities, mut wasi) = (Vec::new(), false);
        let (mut not_granted, mut missing_grants) = (Vec::new(), Vec::new());
        let mut latest = INTERFACE_VERSION;
        for import in imports {
            let capability = match Interface::parse(import) {
                Interface::Ours { name, version } => {
                    latest = latest.max(check_version(import, version)?);
                    Capability::from_interface(name)
                }
                Interface::Wasi { package, version } if wasi::offers(package, version) => {
                    wasi = true;
                    continue;
                }
                Interface::Wasi { .. } => return Err(Unusable::Wasi { import: import.clone() }),
                Interface::Other => None,
            };
            let capability = capability.ok_or_else(|| Unusable::UnknownImport { import: import.clone() })?;
            // An interface may be imported in two versions.
            if let Some(grant) = grants.and_then(|grants| capability.missing_grant(grants))
                && !missing_grants.contains(&grant)
            {
                not_granted.push(capability.name());
                missing_grants.push(grant);
            }
            capabilities.push(capability);
        }
        let (mut hooks, mut lifecycle) = (Exports::default(), false);
        for export in exports {
            let Interface::Ours { name, version } = Interface::parse(export) else {
                continue;
            };
            latest = latest.max(check_version(export, version)?);
            let hook = match name {
                "lifecycle" => &mut lifecycle,
                "auth" => &mut hooks.auth,
                "enhanced-auth" => &mut hooks.enhanced_auth,
                "topic-check" => &mut hooks.topic_check,
                "events" => &mut hooks.events,
                "ticks" => &mut hooks.ticks,
                _ => return Err(Unusable::UnknownHook { export: export.clone() }),
            };
            if mem::replace(hook, true) {
                return Err(Unusable::HookTwice { hook: name.to_owned() });
            }
        }
        if !lifecycle {
            return Err(Unusable::NoLifecycle);
        }
        // Last: what cannot be run needs no grants.
        if !missing_grants.is_empty() {
            return Err(Unusable::NotGranted { capabilities: not_granted, grants: missing_grants });
        }
        let later = (latest > INTERFACE_VERSION).then_some(latest);
        Ok(Self { exports: hooks, capabilities, wasi, later })
    }
}

impl Manifest {
    /// The names of the hooks besides `lifecycle`.
    pub(crate) fn hooks(&self) -> Vec<&'static str> {
        let Exports { auth, enhanced_auth, topic_check, events, ticks } = self.exports;
        let hooks = [
            (auth, "auth"),
            (enhanced_auth, "enhanced-auth"),
            (topic_check, "topic-check"),
            (events, "events"),
            (ticks, "ticks"),
        ];
        hooks.into_iter().filter(|(exported, _)| *exported).map(|(_, name)| name).collect()
    }

    /// What to write below `grants` in the configuration to grant what it uses.
    pub(crate) fn grants(&self) -> Vec<&'static str> {
        self.capabilities.iter().filter_map(|capability| capability.grant()).collect()
    }

    /// The keys of `grants` that grant what it does not use.
    pub(crate) fn unused(&self, grants: &Grants) -> Vec<&'static str> {
        let granted = [
            (!grants.files.is_empty(), Capability::Files, "files"),
            (!grants.publish.is_empty(), Capability::Publisher, "publish"),
            (grants.broker_info, Capability::BrokerInfo, "broker-info"),
            (grants.sessions, Capability::Sessions, "sessions"),
            (grants.invalidate, Capability::Invalidate, "invalidate"),
        ];
        let unused = granted.into_iter().filter(|(granted, used, _)| *granted && !self.capabilities.contains(used));
        unused.map(|(.., key)| key).collect()
    }

    /// The version of the plugin interface that the names are of.
    pub(super) fn interface_version(imports: &[String], exports: &[String]) -> Option<String> {
        exports.iter().chain(imports).find_map(|name| match Interface::parse(name) {
            Interface::Ours { version, .. } => version.map(str::to_owned),
            _ => None,
        })
    }
}

/// For the log, for example `hooks auth; uses log, files`.
impl fmt::Display for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let used = self.capabilities.iter().filter(|capability| **capability != Capability::Types);
        let used: Vec<_> = used.map(|capability| capability.name()).chain(self.wasi.then_some("WASI")).collect();
        let or_none = |list: Vec<&str>| {
            if list.is_empty() { "none".to_owned() } else { list.join(", ") }
        };
        write!(f, "hooks {}; uses {}", or_none(self.hooks()), or_none(used))
    }
}

/// An import or export by its name, for example `amqtt:plugin/log@1.0.0`.
enum Interface<'a> {
    Ours { name: &'a str, version: Option<&'a str> },
    Wasi { package: &'a str, version: Option<&'a str> },
    Other,
}

impl<'a> Interface<'a> {
    fn parse(full: &'a str) -> Self {
        let (path, version) = match full.split_once('@') {
            Some((path, version)) => (path, Some(version)),
            None => (full, None),
        };
        match path.split_once('/') {
            Some((PACKAGE, name)) => Self::Ours { name, version },
            Some((package, _)) if package.starts_with("wasi:") => Self::Wasi { package, version },
            _ => Self::Other,
        }
    }
}

/// Accepts versions that link with ours: up to 1.0.0 those of the same minor, from then on those of the same major.
fn check_version(interface: &str, version: Option<&str>) -> Result<Version, Unusable> {
    let links = |version: &Version| {
        version.pre.is_empty()
            && version.major == INTERFACE_VERSION.major
            && (version.major > 0 || version.minor == INTERFACE_VERSION.minor)
    };
    let linked = version.and_then(|version| Version::parse(version).ok()).filter(links);
    linked.ok_or_else(|| Unusable::OtherVersion {
        interface: interface.to_owned(),
        wanted: version.unwrap_or("no version").to_owned(),
        ours: INTERFACE_VERSION,
        served: served(),
    })
}

/// The versions that link with ours.
fn served() -> String {
    let Version { major, minor, .. } = INTERFACE_VERSION;
    if major > 0 { format!("{major}.x") } else { format!("{major}.{minor}.x") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::TopicFilter;

    fn read(imports: &[&str], exports: &[&str], grants: &Grants) -> Result<Manifest, String> {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        Manifest::from_names(&owned(imports), &owned(exports), Some(grants)).map_err(|error| error.to_string())
    }

    const LIFECYCLE: &str = "amqtt:plugin/lifecycle@1.0.0";

    #[test]
    fn hooks_and_capabilities_are_read_from_the_type() {
        let manifest = read(
            &["amqtt:plugin/types@1.0.0", "amqtt:plugin/log@1.2.3", "amqtt:plugin/clock@1.0.0"],
            &[LIFECYCLE, "amqtt:plugin/auth@1.0.0", "cabi-extra"],
            &Grants::default(),
        )
        .expect("a usable plugin");
        assert_eq!(manifest.exports, Exports { auth: true, ..Exports::default() });
        assert_eq!(manifest.capabilities, [Capability::Types, Capability::Log, Capability::Clock]);
    }

    #[test]
    fn what_is_not_granted_is_refused() {
        let grants = Grants {
            files: vec!["password-file".into()],
            publish: vec![TopicFilter::new("a").expect("valid")],
            broker_info: true,
            sessions: true,
            invalidate: true,
        };
        for (import, grant) in [
            ("amqtt:plugin/files@1.0.0", "files: [SETTINGS-KEY]"),
            ("amqtt:plugin/publisher@1.0.0", "publish: [TOPIC-FILTER]"),
            ("amqtt:plugin/broker-info@1.0.0", "broker-info: true"),
            ("amqtt:plugin/sessions@1.0.0", "sessions: true"),
            ("amqtt:plugin/invalidate@1.0.0", "invalidate: true"),
        ] {
            let error = read(&[import], &[LIFECYCLE], &Grants::default()).expect_err(import);
            assert!(error.contains(grant), "{error}");
            assert!(read(&[import], &[LIFECYCLE], &grants).is_ok(), "{import}");
        }
    }

    #[test]
    fn all_that_is_not_granted_is_told_at_once() {
        let check = |imports: &[&str], grants: &Grants, expected: &str| {
            assert_eq!(read(imports, &[LIFECYCLE], grants).map(drop).expect_err(expected), expected);
        };
        let imports = [
            "amqtt:plugin/files@1.0.0",
            "amqtt:plugin/log@1.0.0",
            "amqtt:plugin/publisher@1.0.0",
            "amqtt:plugin/sessions@1.0.0",
            "amqtt:plugin/files@1.0.1",
        ];
        check(
            &imports,
            &Grants::default(),
            "it uses `files`, `publisher` and `sessions`, which are not granted\nhint: if you trust the plugin with them, \
             add to its entry: grants: {files: [SETTINGS-KEY], publish: [TOPIC-FILTER], sessions: true}",
        );
        let grants = Grants { files: vec!["file".into()], sessions: true, ..Grants::default() };
        check(
            &imports,
            &grants,
            "it uses `publisher`, which is not granted\nhint: if you trust the plugin with it, add to its entry: grants: \
             {publish: [TOPIC-FILTER]}",
        );
    }

    #[test]
    fn what_this_broker_cannot_serve_is_refused() {
        let check = |imports: &[&str], exports: &[&str], expected: &str| {
            let error = read(imports, exports, &Grants::default()).expect_err(expected);
            assert!(error.starts_with(expected), "{error}");
        };
        check(&[], &[], "it exports no `amqtt:plugin/lifecycle`");
        check(&["wasi:http/handler@0.2.0"], &[LIFECYCLE], "it imports `wasi:http/handler@0.2.0`");
        check(&["wasi:cli/environment@0.3.0"], &[LIFECYCLE], "it imports `wasi:cli/environment@0.3.0`");
        check(
            &["acme:x/y"],
            &[LIFECYCLE],
            "it imports `acme:x/y`, which this broker does not have\nhint: it is made for another host: here only \
             `amqtt:plugin` and WASI 0.2 are offered",
        );
        check(
            &["amqtt:plugin/sockets@1.0.0"],
            &[LIFECYCLE],
            "it imports `amqtt:plugin/sockets@1.0.0`, which this broker does not have\nhint: it is made for a later broker or \
             for another host",
        );
        check(
            &[],
            &[LIFECYCLE, "amqtt:plugin/veto@1.0.0"],
            "it exports `amqtt:plugin/veto@1.0.0`, a hook that this broker does not have\nhint: it is made for a later \
             broker or for another host",
        );
        let twice = ["amqtt:plugin/ticks@1.0.0", "amqtt:plugin/ticks@1.0.1", LIFECYCLE];
        check(&[], &twice, "it exports the hook `ticks` twice");
        for version in ["0.1.0", "0.2.0", "2.0.0", "1.0.0-rc.1"] {
            let export = format!("amqtt:plugin/lifecycle@{version}");
            let expected = format!("it is made for version {version} of the plugin interface (`{export}`)");
            check(&[], &[&export], &expected);
        }
    }
}
