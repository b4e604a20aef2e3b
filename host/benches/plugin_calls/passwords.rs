//! What verifying a password costs, in the program itself and in `auth_file`, which uses the same crate.

use std::fs;
use std::hint::black_box;
use std::sync::Arc;

use amqtt::hooks::{AuthOutcome, Credentials, HookSpec, Hooks};
use amqtt::types::ConnectFacts;
use criterion::Criterion;
use serde_json::json;
use sha_crypt::{PasswordVerifier, ShaCrypt};

use crate::stand_in::{Broker, client, plugin};
use crate::{CLIENT_ID, USERNAME};

/// The hash of the broker's documentation, of as many rounds as one has that does not say how many: 5,000.
const HASH: &str =
    "$6$l4zQEHEcowc1Pnv4$HHrh8xnsZoLItQ8BmpFHM4r6q5UqK3DnXp2GaTm5zp5buQ7NheY3Xt9f6godVKbEtA.hOC7IEDwnok3pbAOip.";
const PASSWORD: &str = "test";

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sha-512 crypt of 5,000 rounds");
    group.bench_function("native", |bencher| {
        bencher.iter(|| ShaCrypt::SHA512.verify_password(black_box(PASSWORD.as_bytes()), HASH).unwrap());
    });

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("passwords");
    fs::write(&file, format!("{USERNAME}:{HASH}\n")).unwrap();
    let spec = HookSpec { plugins: vec![plugin("auth_file", json!({ "password-file": file }))], ..HookSpec::default() };
    let hooks = Hooks::load(&spec, Arc::<Broker>::default()).unwrap();
    let client = client(CLIENT_ID, USERNAME, ConnectFacts::default());
    let credentials = Credentials { username: Some(USERNAME.into()), password: Some(PASSWORD.into()) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    group.bench_function("auth_file on a thread of auth", |bencher| {
        bencher.iter(|| {
            let asked = hooks.authenticate(Arc::clone(&client), credentials.clone());
            assert_eq!(runtime.block_on(asked), AuthOutcome::Allowed);
        });
    });
}
