//! Escapes, tried one by one, for a server that is root and for one that is an ordinary user. Rows 22 to 25 of the threat table.
//!
//! A line that gets out says `ESCAPED`. Each has to fail, and for the reason it is expected to fail for: a line that fails because of a
//! slip of the pen proves nothing.

use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

use super::scene::{Outcome, Scene, Who, mark, processes_with};

/// Runs `line` as both; `reason` must be in what was said, and `ESCAPED` must not.
fn refused(line: &str, reasons: &[&str]) {
    for who in [Who::Root, Who::Ordinary] {
        let Some(scene) = Scene::new(who) else { continue };
        judge(who, line, reasons, &scene.run(line));
    }
}

fn judge(who: Who, line: &str, reasons: &[&str], outcome: &Outcome) {
    let said = format!("{}{}{:?}", outcome.output, outcome.errors, outcome.ended);
    assert_eq!(outcome.error, None, "{who:?}: {line}");
    assert!(!said.contains("ESCAPED") && !said.contains("SECRET"), "{who:?} got out by {line}: {said}");
    assert!(reasons.iter().any(|reason| said.contains(reason)), "{who:?}: {line} failed for another reason: {said}");
}

const GONE: &[&str] = &["No such file or directory"];
const DENIED: &[&str] = &["Permission denied", "Operation not permitted", "denied"];
const READ_ONLY: &[&str] = &["Read-only file system"];

/// A line of Python that makes a system call by its number, and says `ESCAPED` if it was granted.
fn call(number: &str, arguments: &str) -> String {
    format!(
        "python3 -c 'import ctypes,os\nc=ctypes.CDLL(None,use_errno=True)\nr=c.syscall({number}{arguments})\n\
         print(\"ESCAPED\" if r!=-1 else os.strerror(ctypes.get_errno()))'"
    )
}

macro_rules! escapes {
    ($($(#[$doc:meta])* $name:ident: $line:expr, $reasons:expr;)*) => {
        $($(#[$doc])* #[test] fn $name() { refused(&$line, $reasons); })*
    };
}

escapes! {
    // Files.
    the_secret_of_the_data_directory_is_not_there: "cat $DATA/secret && echo ESCAPED", GONE;
    a_symbolic_link_leads_to_nothing: "ln -s $DATA/secret link; cat link && echo ESCAPED", GONE;
    a_hard_link_cannot_be_made: "ln $DATA/secret link && echo ESCAPED", GONE;
    dots_lead_to_nothing: "cat ../secret || cat ../../data/secret || cat /proc/self/cwd/../secret && echo ESCAPED", GONE;
    another_workspace_is_not_there: "cat $DATA/other/file && echo ESCAPED", GONE;
    the_data_directory_has_only_the_workspace: "ls $DATA | grep -v '^w$' && echo ESCAPED; ls $DATA/secret", GONE;
    keys_of_users_are_not_there: "for home in ~root /home/*; do ls -A $home/.ssh && echo ESCAPED; done", GONE;
    passwords_are_not_there: "cat /etc/shadow && echo ESCAPED", GONE;
    keys_of_the_machine_are_not_there: "ls /etc/ssl/private /etc/ssh && echo ESCAPED", GONE;
    other_users_temporary_files_are_not_there: "ls -A /tmp | grep -v '^home$' && echo ESCAPED; ls /tmp/x", GONE;
    system_programs_cannot_be_changed: "touch /usr/bin/ls && echo ESCAPED", &["Read-only", "Permission denied"];
    the_root_cannot_be_written: "touch /new && echo ESCAPED", &["Read-only", "Permission denied"];
    the_user_list_cannot_be_written: "echo root2::0:0::/:/bin/sh >> /etc/passwd && echo ESCAPED", &["Read-only", "Permission denied"];
    disks_are_not_there: "cat /dev/vda /dev/sda /dev/nvme0n1 && echo ESCAPED", GONE;
    devices_cannot_be_made: "mknod disk b 254 0 && echo ESCAPED", DENIED;
    directories_cannot_be_entered_by_handle: call("303", ",-100,b\".\",0,0,0"), DENIED;

    // Other processes, and the server.
    the_environment_of_process_1_is_closed: "cat /proc/1/environ && echo ESCAPED", DENIED;
    the_root_of_process_1_is_closed: "ls /proc/1/root/ && echo ESCAPED", DENIED;
    the_descriptors_of_process_1_are_closed: "cat /proc/1/fd/* && echo ESCAPED; readlink /proc/1/fd/0 && echo ESCAPED; ls -l /proc/1/fd/0", DENIED;
    no_descriptor_of_the_server_is_inherited: "test -e /proc/$$/fd/9 && echo ESCAPED; cat <&9 && echo ESCAPED; echo none", &["none"];
    the_memory_of_process_1_is_closed: "cat /proc/1/mem && echo ESCAPED", DENIED;
    the_servers_program_cannot_be_overwritten: "exec 3>/proc/1/exe && echo ESCAPED", DENIED;
    processes_cannot_be_traced: call("101", ",16,1,0,0"), DENIED;
    memory_of_others_cannot_be_read: call("310", ",1,0,0,0,0,0"), DENIED;
    descriptors_of_others_cannot_be_taken: call("438", ",0,0,0"), DENIED;
    no_process_of_the_machine_is_seen: "for p in /proc/[0-9]*; do n=${p#/proc/}; [ $n -gt 300 ] && echo ESCAPED; done; kill -0 400", &["No such process"];

    // Secrets of the environment.
    the_servers_environment_is_not_inherited: "env | grep -i -E 'hostel|canary' && echo ESCAPED; test -z $HOSTEL_CANARY && echo none", &["none"];
    the_servers_environment_is_in_no_process: "cat /proc/[0-9]*/environ | grep -a CANARY && echo ESCAPED; echo none", &["none"];

    // Rights, namespaces, the kernel.
    mounting_is_refused: "mount -t tmpfs none /tmp && echo ESCAPED", &["superuser", "denied", "permitted"];
    mounting_by_number_is_refused: call("165", ",b\"none\",b\"/tmp\",b\"tmpfs\",0,0"), DENIED;
    system_directories_cannot_be_mounted_writable: "mount -o remount,rw /usr && echo ESCAPED", &["superuser", "denied", "permitted"];
    covers_cannot_be_taken_off: call("166", ",b\"/proc/kmsg\",2"), DENIED;
    another_user_namespace_is_refused: "unshare -Ur true && echo ESCAPED", DENIED;
    another_mount_namespace_is_refused: call("272", ",0x20000"), DENIED;
    clone3_is_not_there: call("435", ",0,0"), &["not implemented"];
    changing_the_root_is_refused: "chroot . true && echo ESCAPED", DENIED;
    kernel_settings_cannot_be_written: "echo x > /proc/sys/kernel/core_pattern && echo ESCAPED", READ_ONLY;
    the_kernels_messages_are_closed: "dmesg && echo ESCAPED", DENIED;
    programs_in_the_kernel_are_refused: call("321", ",0,0,0"), DENIED;
    keys_of_the_kernel_are_refused: call("250", ",0,-3"), DENIED;
    performance_counters_are_refused: call("298", ",0,0,-1,-1,0"), DENIED;
    io_uring_is_not_there: call("425", ",8,0"), &["not implemented"];
    the_short_pointer_form_of_calls_is_not_there: call("0x40000000|101", ",0,0,0,0"), &["not implemented"];
    faults_cannot_be_handled_by_users: call("323", ",0"), DENIED;
    other_users_rights_are_not_taken_over: "su -c 'echo ESCAPED' < /dev/null", &["su:", "Authentication", "must be run", "Cannot determine"];
    a_program_with_the_owners_rights_gains_nothing: "cp /bin/bash b; chmod 4755 b; ./b -p -c 'grep CapEff /proc/self/status; cat /etc/shadow' && echo ESCAPED", &["No such file"];
    limits_cannot_be_raised: "ulimit -n 1000000 && echo ESCAPED", &["cannot modify limit"];
    the_kernel_cannot_be_made_to_spare_it: "echo -1000 > /proc/self/oom_score_adj && echo ESCAPED", DENIED;

    // The network.
    the_world_is_not_reached: "exec 3<>/dev/tcp/192.0.2.1/80 && echo ESCAPED", &["Network is unreachable"];
    names_are_not_found: "getent hosts example.org && echo ESCAPED; echo not found", &["not found"];
    packets_cannot_be_made: "python3 -c 'import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW); print(\"ESCAPED\")'", DENIED;
    the_host_of_a_virtual_machine_is_not_reached: "python3 -c 'import socket; socket.socket(40, socket.SOCK_STREAM); print(\"ESCAPED\")'", DENIED;
    sockets_of_services_are_not_there: "for s in /run/docker.sock /var/run/docker.sock /run/dbus/system_bus_socket /run/systemd/private; do test -S $s && echo ESCAPED; done; ls /run/docker.sock", GONE;

    // Git.
    hooks_cannot_be_written: "mkdir -p r && cd r; cd $DATA/w && echo x > .git/hooks/pre-commit && echo ESCAPED; echo > .git/hooks/x", &["Read-only", "No such file"];
}

/// A workspace with a repository.
fn with_git(line: &str, reasons: &[&str]) {
    for who in [Who::Root, Who::Ordinary] {
        let Some(scene) = Scene::new(who) else { continue };
        let made =
            std::process::Command::new("git").args(["init", "-q"]).current_dir(scene.workspace()).status().unwrap();
        assert!(made.success());
        scene.give_away();
        let config = std::fs::read(scene.workspace().join(".git/config")).unwrap();
        judge(who, line, reasons, &scene.run(line));
        assert_eq!(std::fs::read(scene.workspace().join(".git/config")).unwrap(), config, "{line}");
        let hooks: Vec<_> = std::fs::read_dir(scene.workspace().join(".git/hooks")).unwrap().flatten().collect();
        assert!(hooks.iter().all(|hook| hook.file_name().to_string_lossy().ends_with(".sample")), "{hooks:?}");
    }
}

const BUSY: &[&str] = &["Device or resource busy"];

#[test]
fn a_hook_cannot_be_made() {
    with_git("printf '#!/bin/sh\\n' > .git/hooks/pre-commit && echo ESCAPED", &["Read-only", "Permission denied"]);
}

#[test]
fn gits_configuration_cannot_be_changed() {
    with_git("git config core.sshCommand evil && echo ESCAPED", &["Read-only", "Device or resource busy", "could not"]);
    with_git("echo '[core] sshCommand = evil' >> .git/config && echo ESCAPED", READ_ONLY);
    with_git("echo x > n; mv n .git/config && echo ESCAPED", BUSY);
    with_git("rm -f .git/config && echo ESCAPED", BUSY);
}

#[test]
fn gits_directory_cannot_be_swapped() {
    with_git("mv .git g && echo ESCAPED", BUSY);
    with_git(
        "cp -r .git g; rm -rf .git/hooks; mv g/hooks .git/hooks && echo ESCAPED",
        &["Device or resource busy", "Read-only"],
    );
}

#[test]
fn git_itself_works() {
    let Some(scene) = Scene::new(Who::Ordinary) else { return };
    std::process::Command::new("git").args(["init", "-q"]).current_dir(scene.workspace()).status().unwrap();
    scene.give_away();
    let line = "echo x > f; git add f; git -c user.name=a -c user.email=a@b commit -qm one; git log --oneline | wc -l";
    let outcome = scene.run(line);
    assert_eq!(outcome.output.trim(), "1", "{outcome:?}");
}

#[test]
fn a_link_in_place_of_gits_directory_is_refused_before_anything_runs() {
    let Some(scene) = Scene::new(Who::Ordinary) else { return };
    std::os::unix::fs::symlink("/var/tmp", scene.workspace().join(".git")).unwrap();
    let outcome = scene.run("echo ESCAPED");
    assert!(outcome.error.as_deref().is_some_and(|why| why.contains("`.git` is a link")), "{outcome:?}");
}

/// Row 25: the port of a server on the same machine.
#[test]
fn a_server_on_the_machines_loopback_is_not_reached() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    refused(&format!("exec 3<>/dev/tcp/127.0.0.1/{port} && echo ESCAPED"), &["Connection refused"]);
    assert!(listener.accept().is_err(), "somebody came");
}

#[test]
fn sockets_without_a_file_are_not_reached() {
    let name = format!("hostel-test-{}", std::process::id());
    let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    listener.set_nonblocking(true).unwrap();
    let line =
        format!("python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect(\"\\0{name}\"); print(\"ESCAPED\")'");
    refused(&line, &["Connection refused", "Operation not permitted"]);
    assert!(listener.accept().is_err(), "somebody came");
}

#[test]
fn sockets_with_a_file_are_not_reached() {
    for who in [Who::Root, Who::Ordinary] {
        let Some(scene) = Scene::new(who) else { continue };
        let _listener = UnixListener::bind(scene.dir.path().join("data/control.sock")).unwrap();
        let line = "python3 -c 'import socket,os; socket.socket(socket.AF_UNIX).connect(os.environ[\"DATA\"]+\"/control.sock\"); print(\"ESCAPED\")'";
        judge(who, line, GONE, &scene.run(line));
    }
}

#[test]
fn a_signal_for_the_server_finds_nobody() {
    for who in [Who::Root, Who::Ordinary] {
        let Some(scene) = Scene::new(who) else { continue };
        let mut victim = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let line = format!("kill -9 {} && echo ESCAPED", victim.id());
        judge(who, &line, &["No such process"], &scene.run(&line));
        assert_eq!(victim.try_wait().unwrap(), None, "it was hit");
        victim.kill().unwrap();
        victim.wait().unwrap();
    }
}

#[test]
fn signals_for_everybody_reach_only_the_commands_own() {
    for who in [Who::Root, Who::Ordinary] {
        let Some(scene) = Scene::new(who) else { continue };
        let outcome = scene.run("kill -9 1; kill -9 -1; echo still here");
        assert!(outcome.error.is_none() && outcome.ended == "Itself", "{outcome:?}");
    }
}

#[test]
fn no_daemon_outlives_its_command() {
    for (who, mark) in [(Who::Root, mark(981)), (Who::Ordinary, mark(982))] {
        let Some(scene) = Scene::new(who) else { continue };
        let line = format!(
            "setsid sleep {mark}1 & (nohup sleep {mark}2 > /dev/null 2>&1 &) ; \
             python3 -c 'import os,time\nif os.fork()==0:\n os.setsid()\n if os.fork()==0: os.execvp(\"sleep\",[\"sleep\",\"{mark}3\"])\n' ; sleep 0.3; echo done"
        );
        let outcome = scene.run(&line);
        assert!(outcome.output.contains("done"), "{outcome:?}");
        assert_eq!(processes_with(&mark), 0, "{who:?}: something is left");
    }
}

#[test]
fn a_fork_bomb_is_ended_and_nothing_is_left() {
    for (who, name) in [(Who::Root, "fork_bomb_a"), (Who::Ordinary, "fork_bomb_b")] {
        let mark = format!("{name}{}", std::process::id());
        let Some(scene) = Scene::new(who) else { continue };
        let outcome = scene.run(&format!("{mark}() {{ {mark} | {mark} & }}; {mark}; sleep 5; echo over"));
        let bounded = outcome.ended == "ProcessLimit" || outcome.errors.contains("Resource temporarily unavailable");
        assert!(bounded, "{who:?}: {:?} {}", outcome.ended, outcome.errors.len());
        assert_eq!(processes_with(&mark), 0, "{who:?}: something is left");
    }
}

#[test]
fn memory_is_bounded_for_one_process_and_for_many() {
    for who in [Who::Root, Who::Ordinary] {
        let Some(scene) = Scene::new(who) else { continue };
        let one = scene.run("python3 -c 'x = bytearray(400 << 20); print(\"ESCAPED\")'");
        judge(who, "one process", &["MemoryError", "MemoryLimit"], &one);
        let many = "for i in 1 2 3 4 5 6; do python3 -c 'import time; x = bytearray(b\"x\" * (60 << 20)); time.sleep(60)' & done; wait; echo ESCAPED";
        judge(who, "many processes", &["MemoryLimit"], &scene.run(many));
    }
}

#[test]
fn memory_without_a_process_is_bounded_too() {
    for who in [Who::Root, Who::Ordinary] {
        let Some(scene) = Scene::new(who) else { continue };
        let line =
            "head -c 100M /dev/zero > /dev/shm/x && echo ESCAPED; head -c 100M /dev/zero > /tmp/x && echo ESCAPED";
        judge(who, line, &["No space left", "File too large"], &scene.run(line));
        let line = call("319", ",b\"x\",0");
        judge(who, &line, &["not implemented"], &scene.run(&line));
    }
}

#[test]
fn a_file_does_not_fill_the_disk() {
    for who in [Who::Root, Who::Ordinary] {
        let Some(scene) = Scene::new(who) else { continue };
        let outcome = scene.run("head -c 200M /dev/zero > big && echo ESCAPED");
        let size = std::fs::metadata(scene.workspace().join("big")).unwrap().len();
        assert!(
            size <= scene.policy.limits.file_bytes && !outcome.output.contains("ESCAPED"),
            "{who:?}: {size} {outcome:?}"
        );
        let inodes = "cd /tmp; for i in $(seq 1 20000); do : > f$i || break; done 2>&1 | tail -1; ls /tmp | wc -l";
        let made: u64 = scene.run(inodes).output.lines().last().unwrap().trim().parse().unwrap();
        assert!(made < 20_000, "{who:?}: {made}");
    }
}

#[test]
fn output_without_end_is_ended() {
    for who in [Who::Root, Who::Ordinary] {
        let Some(scene) = Scene::new(who) else { continue };
        let outcome = scene.run("yes");
        assert_eq!(outcome.ended, "OutputLimit");
        assert!(outcome.output.len() as u64 <= scene.policy.limits.output_bytes);
    }
}

#[test]
fn a_command_that_does_not_end_is_ended_with_all_it_started() {
    for (who, mark) in [(Who::Root, mark(871)), (Who::Ordinary, mark(872))] {
        let Some(mut scene) = Scene::new(who) else { continue };
        scene.policy.limits.time = std::time::Duration::from_millis(500);
        let outcome = scene
            .run(&format!("trap '' TERM; (trap '' TERM; sleep {mark}; sleep {mark}) & sleep {mark}; sleep {mark}"));
        assert_eq!(outcome.ended, "TimeLimit", "{outcome:?}");
        assert_eq!(processes_with(&mark), 0);
    }
}

#[test]
fn nobody_types_into_a_terminal_for_its_user() {
    for who in [Who::Root, Who::Ordinary] {
        let Some(scene) = Scene::new(who) else { continue };
        let line = "python3 -c 'import fcntl; fcntl.ioctl(0, 0x5412, b\"x\"); print(\"ESCAPED\")'";
        judge(who, line, DENIED, &scene.run_as(line, true));
    }
}

/// The server dies: what it started dies with it.
#[test]
fn nothing_outlives_the_server() {
    use std::io::{Read, Write};
    for (who, mark) in [(Who::Root, mark(761)), (Who::Ordinary, mark(762))] {
        let Some(scene) = Scene::new(who) else { continue };
        let ready = scene.workspace().join("ready");
        let line = format!("mkfifo ready.pipe 2>/dev/null; setsid sleep {mark} & touch ready; sleep {mark}");
        let mut driver = scene.start();
        driver.stdin.take().unwrap().write_all(scene.order(&line, false).as_bytes()).unwrap();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while !ready.exists() {
            assert!(std::time::Instant::now() < deadline, "{who:?}: it does not start");
            std::thread::yield_now();
        }
        assert!(processes_with(&mark) > 0);
        driver.kill().unwrap();
        driver.wait().unwrap();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while processes_with(&mark) > 0 {
            assert!(std::time::Instant::now() < deadline, "{who:?}: something is left");
            std::thread::yield_now();
        }
        drop(driver.stdout.take().map(|mut out| out.read(&mut [0; 1])));
    }
}
