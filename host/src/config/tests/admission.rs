//! Warnings about who gets in.

use super::*;

#[test]
fn who_gets_in_by_accident_is_warned_about() {
    let to_verify = "hint: to verify names, load `auth_file` and set `auth.password-file`";
    let open = "amqtt.yaml: every client may connect, and no user name is verified";
    check_warnings("plugins: [auth_anonymous]", &[&format!("{open}; {to_verify}")]);
    check_warnings(
        "plugins: [auth_anonymous, x]",
        &[&format!("{open}, unless another plugin refuses it; {to_verify}")],
    );
    check_warnings(
        "plugins: [auth_anonymous, topic_acl]",
        &[&format!("{open}: the rules of `topic_acl` hold for the names that clients claim; {to_verify}")],
    );
    check_warnings("plugins: [auth_anonymous, auth_file]\nauth: {password-file: p}", &[]);
    check_warnings("plugins: [auth_anonymous, auth_file: {password-file: p}]", &[]);
    check_warnings("plugins: [auth_file]\nauth: {password-file: p}", &[]);
    check_warnings("plugins: [auth_anonymous, auth_scram: {password-file: p}]", &[]);
    // Nobody proves anything there.
    check_warnings(
        "plugins: [auth_anonymous, auth_scram: {password-file: p}]\nauth: {plugins: [auth_anonymous]}",
        &[&format!("{open}; {to_verify}")],
    );
    // Loading the plugins tells of this one.
    check_warnings("auth: {plugins: []}\nplugins: [auth_anonymous]", &[]);
    let closed = "amqtt.yaml: no client can connect: there are no passwords, and anonymous clients are refused; hint: \
                  load `auth_file` and set `auth.password-file`, or load `auth_anonymous` with `allow-anonymous: true`";
    check_warnings("plugins: [auth_anonymous: {allow-anonymous: false}]", &[closed]);
    check_warnings("plugins: [auth_file]", &[closed]);
    check_warnings("plugins: [auth_file, x]", &[]);
}
