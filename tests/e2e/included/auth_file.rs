use rumqttc::ConnectReturnCode;
use rumqttc::QoS::AtLeastOnce;

use super::connect_as;
use crate::broker::{Broker, Setup};

/// The password of all of these is `secret`.
const SHA512: &str =
    "$6$rounds=1000$xy$c9aXEsVGfLfUXt7tNYgM8d4iUrfqossx9C6Q0lksBwt04R/fUyK79e5lpuuHo8JyyXN8zM.pcrz3C2PpYGRDA/";
const SHA256: &str = "$5$saltstring$C3o4O1TC6aRHF4FI.QSZMXtHbaj2gSXr4sUc/3NcUi.";

const REFUSED: Option<ConnectReturnCode> = Some(ConnectReturnCode::BadUserNamePassword);

fn start(passwords: &str) -> Broker {
    Setup::new("auth:\n  password-file: passwords\nplugins: [auth.file]\n").file("passwords", passwords).start()
}

/// Tries a login more often than there are threads that answer auth, each of which has an instance of its own.
fn refusal(broker: &Broker, username: &str, password: &str) -> Option<ConnectReturnCode> {
    let outcomes: Vec<_> = (0..8).map(|_| connect_as(broker, username, password).err()).collect();
    assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]), "{username}: {outcomes:?}");
    outcomes[0]
}

#[test]
fn every_kind_of_hash_of_the_readme_is_verified() {
    let mut broker = start(&format!("# users\n\nsha512:{SHA512}\nsha256:{SHA256}\nbroken:{}\n", &SHA512[..40]));
    broker.wait_for_log("password file line 5 is left out");
    for username in ["sha512", "sha256"] {
        assert_eq!(refusal(&broker, username, "secret"), None, "{username}");
        assert_eq!(refusal(&broker, username, "Secret"), REFUSED, "{username}");
    }
    assert_eq!(refusal(&broker, "broken", "secret"), REFUSED);
    assert_eq!(refusal(&broker, "nobody", "secret"), REFUSED);
}

#[test]
fn a_changed_file_counts_at_once_for_whoever_connects() {
    let mut broker = start(&format!("alice:{SHA512}\n"));
    let mut alice = connect_as(&broker, "alice", "secret").expect("she has a password");
    assert_eq!(refusal(&broker, "bob", "secret"), REFUSED);
    broker.replace_file("passwords", format!("bob:{SHA256}\n"));
    broker.wait_for_log("`password-file` has changed and is in force");
    assert_eq!(refusal(&broker, "bob", "secret"), None);
    assert_eq!(refusal(&broker, "alice", "secret"), REFUSED);
    // Whoever is connected stays so.
    alice.publish("a", AtLeastOnce, false, "still here");
}

#[test]
fn a_broken_new_file_leaves_the_old_one_in_force() {
    let mut broker = start(&format!("alice:{SHA512}\n"));
    for broken in ["", "no users at all\n", "# only a comment\n"] {
        broker.replace_file("passwords", broken);
        let line = broker.wait_for_next_log("`password-file` has changed and is not used");
        assert!(line.contains("ERROR") && line.contains("no user"), "{line}");
        assert_eq!(refusal(&broker, "alice", "secret"), None, "{broken:?}");
        assert_eq!(refusal(&broker, "bob", "secret"), REFUSED, "{broken:?}");
    }
    std::fs::remove_file(broker.path("passwords")).expect("can remove");
    broker.wait_for_next_log("`password-file` has changed and is not used");
    assert_eq!(refusal(&broker, "alice", "secret"), None);
    broker.replace_file("passwords", format!("bob:{SHA256}\n"));
    broker.wait_for_next_log("`password-file` has changed and is in force");
    assert_eq!(refusal(&broker, "alice", "secret"), REFUSED);
    assert_eq!(refusal(&broker, "bob", "secret"), None);
}
