//! Secrets that a command knows.

use std::{collections::BTreeMap, time::Duration};

use hostel_core::Scrub as _;
use hostel_vault::{Environment, Options, SecretName, Vault, VaultError};

fn vault(command: &[&str], command_timeout: Duration) -> Vault {
    let command = command.iter().map(|word| (*word).to_owned()).collect();
    let commands = BTreeMap::from([(name(), command)]);
    Vault::open(None, &Environment::default(), Options { commands, command_timeout, ..Options::default() }).unwrap()
}

fn name() -> SecretName {
    SecretName::node("TOKEN").unwrap()
}

#[tokio::test]
async fn what_a_command_prints_is_the_secret_and_masked_from_then_on() {
    let vault = vault(&["printf", "correct horse\n"], Duration::from_secs(60));
    assert!(vault.mask("a correct horse").is_none());
    assert_eq!(vault.reveal(&name()).await.unwrap().expose(), "correct horse");
    assert_eq!(vault.mask("a correct horse").unwrap().text, "a [masked]");
}

#[test]
fn a_command_that_does_not_end_is_ended() {
    let vault = vault(&["sleep", "1000"], Duration::from_millis(1));
    assert!(matches!(vault.reveal_blocking(&name()), Err(VaultError::Timeout { .. })));
}

#[test]
fn a_command_that_fails_is_named_and_what_it_printed_is_not() {
    let vault = vault(&["sh", "-c", "echo canary; exit 3"], Duration::from_secs(60));
    let error = vault.reveal_blocking(&name()).err().unwrap().to_string();
    assert!(error.contains("TOKEN") && error.contains('3') && !error.contains("canary"), "{error}");
}
