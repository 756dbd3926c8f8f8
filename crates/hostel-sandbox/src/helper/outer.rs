//! The first stage: namespaces.

use std::fs;
use std::process::{Child, Command, Stdio};

use nix::sched::{CloneFlags, unshare};
use rustix::process::{getegid, geteuid};
use rustix::thread::{
    CapabilitySet, capabilities, configure_capability_in_ambient_set, set_capabilities, set_no_new_privs,
    set_thread_groups,
};

use super::control::say;
use super::failed;
use crate::WORD;
use crate::order::Word;

/// Who the command is, in its own eyes.
pub(super) const USER: u32 = 1000;

pub(super) fn run() -> i32 {
    match start() {
        Ok(mut init) => match init.wait() {
            Ok(_) => 0,
            Err(_) => 1,
        },
        Err(why) => {
            say(&Word::Unavailable(why));
            1
        }
    }
}

fn start() -> Result<Child, String> {
    close_others();
    let own_network = std::env::args().nth(3).as_deref() != Some("shared");
    set_no_new_privs(true).map_err(failed("rights cannot be given up"))?;
    namespaces(own_network)?;
    keep_rights()?;
    let mut init = Command::new("/proc/self/exe");
    init.args([WORD, "init"]).env_clear().stdout(Stdio::null()).stderr(Stdio::null()).current_dir("/");
    init.spawn().map_err(failed("the second stage does not start"))
}

/// Descriptors that the server was given by whoever started it, and knows nothing of, are not for commands.
fn close_others() {
    let Ok(entries) = fs::read_dir("/proc/self/fd") else { return };
    let numbers: Vec<i32> = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    for number in numbers.into_iter().filter(|number| *number > 2) {
        let _ = nix::unistd::close(number);
    }
}

fn namespaces(own_network: bool) -> Result<(), String> {
    let (uid, gid) = (geteuid(), getegid());
    if uid.is_root() {
        // Groups like `docker` or `disk` open doors that no namespace closes. Only root can leave them, and only now.
        set_thread_groups(&[]).map_err(failed("the groups of this process cannot be left"))?;
    }
    let mut flags = CloneFlags::CLONE_NEWUSER
        | CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWCGROUP;
    flags.set(CloneFlags::CLONE_NEWNET, own_network);
    unshare(flags).map_err(|error| format!("this user may not make namespaces ({error}){}", hint()))?;
    let write = |file: &str, text: String| fs::write(format!("/proc/self/{file}"), text).map_err(failed(file));
    write("setgroups", "deny".to_owned())?;
    write("uid_map", format!("{USER} {} 1", uid.as_raw()))?;
    write("gid_map", format!("{USER} {} 1", gid.as_raw()))
}

/// What may forbid namespaces, as far as the machine says so.
fn hint() -> &'static str {
    let is = |file: &str, value: &str| fs::read_to_string(file).is_ok_and(|text| text.trim() == value);
    if is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1") {
        return ": AppArmor allows them to listed programs only; set kernel.apparmor_restrict_unprivileged_userns=0, or give the server a profile with `userns`";
    }
    if is("/proc/sys/kernel/unprivileged_userns_clone", "0") {
        return ": set kernel.unprivileged_userns_clone=1";
    }
    if is("/proc/sys/user/max_user_namespaces", "0") {
        return ": set user.max_user_namespaces to more than 0";
    }
    ": the container or service it runs in forbids them, or the kernel has none"
}

/// In the new namespaces this process has every right; a program it becomes would have none, unless they are marked to stay. The
/// second stage needs these, and gives them up.
fn keep_rights() -> Result<(), String> {
    let mut sets = capabilities(None).map_err(failed("rights cannot be read"))?;
    sets.inheritable = sets.permitted;
    set_capabilities(None, sets).map_err(failed("rights cannot be kept"))?;
    for right in [CapabilitySet::SYS_ADMIN, CapabilitySet::NET_ADMIN, CapabilitySet::SETPCAP] {
        configure_capability_in_ambient_set(right, true).map_err(failed("rights cannot be kept"))?;
    }
    Ok(())
}
