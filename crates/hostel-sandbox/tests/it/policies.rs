//! What a policy opens, and what no policy can.

use std::net::TcpListener;

use hostel_sandbox::{Command, Error, Network, Policy, Sandbox};

use super::scene::{HELPER, Scene, Who};

#[test]
fn further_directories_are_read_or_written_as_the_policy_says() {
    let Some(mut scene) = Scene::new(Who::Ordinary) else { return };
    let (read, write) = (scene.dir.path().join("read"), scene.dir.path().join("data/write"));
    std::fs::create_dir(&read).unwrap();
    std::fs::create_dir(&write).unwrap();
    std::fs::write(read.join("f"), "readable").unwrap();
    scene.give_away();
    scene.policy.read = vec![read.clone()];
    scene.policy.write = vec![write.clone()];
    let line = format!(
        "cat {0}/f; echo x > {0}/g || echo refused; echo y > {1}/g && echo written",
        read.display(),
        write.display()
    );
    let outcome = scene.run(&line);
    assert_eq!(outcome.output, "readablerefused\nwritten\n", "{outcome:?}");
    assert_eq!(std::fs::read_to_string(write.join("g")).unwrap(), "y\n");
}

#[test]
fn a_home_stays_between_commands_and_without_one_it_is_forgotten() {
    let Some(mut scene) = Scene::new(Who::Ordinary) else { return };
    scene.run("echo 1 > ~/kept");
    assert_eq!(scene.run("cat ~/kept || echo gone").output, "gone\n");
    let home = scene.dir.path().join("data/home");
    std::fs::create_dir(&home).unwrap();
    scene.give_away();
    scene.policy.home = Some(home);
    scene.run("echo 1 > ~/kept");
    assert_eq!(scene.run("cat ~/kept || echo gone").output, "1\n");
}

#[test]
fn some_ports_can_be_opened_and_all_others_stay_closed() {
    let (open, closed) = (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    let (open, closed) =
        (open.local_addr().map(|a| (open, a)).unwrap(), closed.local_addr().map(|a| (closed, a)).unwrap());
    for who in [Who::Root, Who::Ordinary] {
        let Some(mut scene) = Scene::new(who) else { continue };
        scene.policy.network = Network::Ports(vec![open.1.port()]);
        let outcome = scene.run(&format!(
            "exec 3<>/dev/tcp/127.0.0.1/{} && echo open; exec 4<>/dev/tcp/127.0.0.1/{} && echo ESCAPED",
            open.1.port(),
            closed.1.port()
        ));
        if outcome.errors.contains("this kernel cannot bound the network") {
            eprintln!("SKIPPED: {}", outcome.errors);
            continue;
        }
        assert!(outcome.output == "open\n" && outcome.errors.contains("Permission denied"), "{outcome:?}");
        // Ways to a TCP server that are not connecting by TCP.
        for way in [
            "socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262).connect(at)",
            "socket.socket().sendto(b\"x\", 0x20000000, at)",
        ] {
            let line = format!(
                "python3 -c 'import socket; at=(\"127.0.0.1\",{}); {way}; print(\"ESCAPED\")'",
                closed.1.port()
            );
            let outcome = scene.run(&line);
            assert!(
                !outcome.output.contains("ESCAPED") && outcome.errors.contains("Operation not permitted"),
                "{who:?}: {outcome:?}"
            );
        }
        let serve = "python3 -c 'import socket; s=socket.socket(); s.bind((\"127.0.0.1\",0)); print(\"ESCAPED\")'";
        assert!(scene.run(serve).errors.contains("Permission"), "a port was taken");
    }
}

/// A secret within a directory of programs, which is shown: it is covered.
#[test]
fn what_is_hidden_is_covered_where_it_would_be_shown() {
    let Some(mut scene) = Scene::new(Who::Ordinary) else { return };
    scene.policy.hide.push("/usr/share/zoneinfo".into());
    scene.policy.hide.push("/usr/share/common-licenses/BSD".into());
    let outcome = scene.run("ls /usr/share/zoneinfo | wc -l; wc -c < /usr/share/common-licenses/BSD; touch /usr/share/zoneinfo/x || echo no");
    assert_eq!(outcome.output, "0\n0\nno\n", "{outcome:?}");
}

async fn start(policy: &Policy, command: &Command) -> Result<(), Error> {
    Sandbox::with_helper(HELPER).start(policy, command).await.map(drop)
}

#[tokio::test]
async fn a_policy_that_would_show_what_is_hidden_is_refused() {
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let data = dir.path().join("data");
    std::fs::create_dir_all(data.join("w")).unwrap();
    let policy = Policy { hide: vec![data.clone()], ..Policy::new(data.join("w")) };
    let command = Command::new(["true"]);
    assert!(start(&policy, &command).await.is_ok());
    for read in [data.clone(), data.join("w"), dir.path().to_owned(), "/".into()] {
        let policy = Policy { read: vec![read.clone()], ..policy.clone() };
        assert!(matches!(start(&policy, &command).await, Err(Error::Refused(_))), "{}", read.display());
    }
    for write in [data.clone(), dir.path().to_owned(), "/usr/share".into(), "/etc".into(), "/".into(), "/var".into()] {
        let policy = Policy { write: vec![write.clone()], ..policy.clone() };
        assert!(matches!(start(&policy, &command).await, Err(Error::Refused(_))), "{}", write.display());
    }
    std::os::unix::fs::symlink(&data, dir.path().join("link")).unwrap();
    let policy = Policy { read: vec![dir.path().join("link")], ..policy.clone() };
    assert!(matches!(start(&policy, &command).await, Err(Error::Refused(_))), "through a link");
}

#[tokio::test]
async fn a_command_that_cannot_be_is_refused() {
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let policy = Policy::new(dir.path());
    for command in [
        Command::new(["true"]).dir("../x"),
        Command::new(["true"]).dir("/etc"),
        Command::new(["true"]).env("LD_PRELOAD", "x"),
        Command::new(["true"]).env("A=B", "x"),
        Command::new(["true".to_owned(), "x".repeat(200 << 10)]),
        Command::new(["tr\0ue"]),
    ] {
        assert!(matches!(start(&policy, &command).await, Err(Error::Refused(_))), "{command:?}");
    }
}

#[tokio::test]
async fn a_machine_that_cannot_sandbox_says_why() {
    // A program that is no helper stands for one that cannot do its work.
    let error = Sandbox::with_helper("/bin/true").probe().await.unwrap_err();
    assert!(matches!(error, Error::Lost | Error::Io { .. }), "{error}");
    let report = Sandbox::with_helper(HELPER).probe().await.unwrap();
    assert!(["full", "partial", "none"].contains(&&*report.landlock));
}

#[test]
fn a_command_gets_every_signal_also_where_the_server_was_started_without_some() {
    let Some(scene) = Scene::new(Who::Ordinary) else { return };
    let outcome = scene.run("grep SigIgn /proc/self/status; trap 'echo caught' INT; kill -INT $$");
    let (ignored, caught) = outcome.output.trim_start_matches("SigIgn:").split_once('\n').unwrap();
    // The two above 31 belong to the C library.
    assert_eq!(u64::from_str_radix(ignored.trim(), 16).unwrap() & 0x7fff_ffff, 0, "{outcome:?}");
    assert_eq!(caught, "caught\n");
}
