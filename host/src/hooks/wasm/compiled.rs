use std::collections::HashMap;

use parking_lot::Mutex;
use wasmtime::component::Component;

use super::unusable::Unusable;

/// What was compiled from files for the last loading: a reload does not compile again what has not changed.
///
/// Compiling takes seconds of all cores where a plugin brings the interpreter of its language. What is kept is that of two
/// loadings at most: the last one that succeeded, and one that failed since.
#[derive(Default)]
pub(crate) struct Compiled {
    by_digest: Mutex<HashMap<[u8; 32], Kept>>,
}

struct Kept {
    component: Component,
    /// Whether the loading that is under way has asked for it.
    asked_for: bool,
    /// Whether the last loading that succeeded has asked for it.
    in_force: bool,
}

impl Compiled {
    /// The component of a file with this SHA-256: the one that is kept, or what `compile` makes.
    pub(super) fn component(
        &self,
        digest: [u8; 32],
        compile: impl FnOnce() -> Result<Component, Unusable>,
    ) -> Result<Component, Unusable> {
        if let Some(kept) = self.by_digest.lock().get_mut(&digest) {
            kept.asked_for = true;
            return Ok(kept.component.clone());
        }
        // Without the lock: others compile meanwhile.
        let component = compile()?;
        self.by_digest.lock().insert(digest, Kept { component: component.clone(), asked_for: true, in_force: false });
        Ok(component)
    }

    /// Ends a loading that succeeded: what it has not asked for is forgotten.
    pub(crate) fn loading_succeeded(&self) {
        self.by_digest.lock().retain(|_, kept| {
            kept.in_force = std::mem::take(&mut kept.asked_for);
            kept.in_force
        });
    }

    /// Ends a loading that failed, perhaps before it had asked for everything: what is in force is kept. So is what it has
    /// asked for, as it will be tried again, and what an earlier one that failed has left is forgotten.
    pub(crate) fn loading_failed(&self) {
        self.by_digest.lock().retain(|_, kept| std::mem::take(&mut kept.asked_for) || kept.in_force);
    }
}

#[cfg(test)]
mod tests {
    use wasmtime::Engine;

    use super::*;

    /// Asks for a file, and says whether it was compiled.
    fn ask(compiled: &Compiled, engine: &Engine, digest: u8) -> bool {
        let mut was_compiled = false;
        let component = compiled.component([digest; 32], || {
            was_compiled = true;
            Component::from_binary(engine, b"\0asm\x0d\0\x01\0").map_err(|error| Unusable::Invalid(error.to_string()))
        });
        assert!(component.is_ok());
        was_compiled
    }

    #[test]
    fn what_the_last_loading_asked_for_is_kept_and_nothing_else() {
        let (compiled, engine) = (Compiled::default(), Engine::default());
        assert!(ask(&compiled, &engine, 1) && ask(&compiled, &engine, 2));
        assert!(!ask(&compiled, &engine, 1), "within a loading");
        compiled.loading_succeeded();
        assert!(!ask(&compiled, &engine, 1), "a loading later");
        compiled.loading_succeeded();
        assert!(!ask(&compiled, &engine, 1) && ask(&compiled, &engine, 2), "the second was left out once");
    }

    #[test]
    fn a_loading_that_fails_costs_nothing_of_what_is_in_force() {
        let (compiled, engine) = (Compiled::default(), Engine::default());
        assert!(ask(&compiled, &engine, 1) && ask(&compiled, &engine, 2));
        compiled.loading_succeeded();
        // It fails before it has come to the second.
        assert!(!ask(&compiled, &engine, 1) && ask(&compiled, &engine, 3));
        compiled.loading_failed();
        compiled.loading_failed();
        assert!(!ask(&compiled, &engine, 1) && !ask(&compiled, &engine, 2));
    }

    #[test]
    fn of_loadings_that_fail_the_last_one_is_kept() {
        let (compiled, engine) = (Compiled::default(), Engine::default());
        assert!(ask(&compiled, &engine, 0));
        compiled.loading_succeeded();
        for digest in 1..=10 {
            assert!(!ask(&compiled, &engine, 0) && ask(&compiled, &engine, digest));
            compiled.loading_failed();
            assert!(!ask(&compiled, &engine, digest), "it is tried again");
            compiled.loading_failed();
            assert_eq!(compiled.by_digest.lock().len(), 2);
        }
    }

    #[test]
    fn a_file_that_does_not_compile_is_tried_again() {
        let (compiled, engine) = (Compiled::default(), Engine::default());
        assert!(compiled.component([1; 32], || Err(Unusable::NotWasm)).is_err());
        assert!(ask(&compiled, &engine, 1));
    }
}
