//! Running: output as it comes, input, terminals, the end, jobs in the background.

use std::time::Duration;

use hostel_sandbox::{Command, Ended, Error, Jobs, Policy, Sandbox, Source, State, Terminal};

use super::scene::{HELPER, mark, processes_with};

struct Place {
    dir: tempfile::TempDir,
    sandbox: Sandbox,
    policy: Policy,
}

fn place() -> Place {
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let policy = Policy::new(dir.path());
    Place { dir, sandbox: Sandbox::with_helper(HELPER), policy }
}

impl Place {
    async fn start(&self, command: &Command) -> hostel_sandbox::Job {
        self.sandbox.start(&self.policy, command).await.unwrap()
    }

    async fn said(&self, command: &Command) -> String {
        let mut job = self.start(command).await;
        let mut said = Vec::new();
        while let Some(piece) = job.next().await {
            said.extend(piece.bytes);
        }
        String::from_utf8(said).unwrap()
    }
}

#[tokio::test]
async fn output_and_errors_come_apart_and_the_code_last() {
    let place = place();
    let mut job = place.start(&Command::shell("echo out; echo err >&2; exit 3")).await;
    let (mut out, mut err) = (Vec::new(), Vec::new());
    while let Some(piece) = job.next().await {
        if piece.source == Source::Output { out.extend(piece.bytes) } else { err.extend(piece.bytes) }
    }
    assert_eq!((&*out, &*err), (&b"out\n"[..], &b"err\n"[..]));
    let exit = job.wait().await.unwrap();
    assert_eq!((exit.code, exit.signal, exit.ended, exit.success()), (Some(3), None, Ended::Itself, false));
}

/// The second half of the output waits for input that is given when the first half was seen.
#[tokio::test]
async fn output_comes_while_the_command_runs_and_input_goes_in() {
    let place = place();
    let mut job = place.start(&Command::shell("echo ready; read line; echo \"got $line\"; cat; echo end")).await;
    assert_eq!(job.next().await.unwrap().bytes, b"ready\n");
    job.write(b"hello\n").await.unwrap();
    assert_eq!(job.next().await.unwrap().bytes, b"got hello\n");
    job.write(b"more").await.unwrap();
    job.close_input().await.unwrap();
    let mut rest = Vec::new();
    while let Some(piece) = job.next().await {
        rest.extend(piece.bytes);
    }
    assert_eq!(rest, b"moreend\n");
    assert!(job.wait().await.unwrap().success());
}

#[tokio::test]
async fn a_terminal_is_a_terminal_with_a_size_that_changes() {
    let place = place();
    let command = Command::shell("test -t 0 && test -t 1 && stty size; echo $TERM; read x; stty size; echo > /dev/tty")
        .terminal(Terminal { rows: 30, columns: 90 });
    let mut job = place.start(&command).await;
    let mut said = String::new();
    while !said.contains("xterm") {
        said.push_str(&String::from_utf8(job.next().await.unwrap().bytes).unwrap());
    }
    assert!(said.contains("30 90"), "{said:?}");
    job.resize(Terminal { rows: 40, columns: 120 }).unwrap();
    job.write(b"\n").await.unwrap();
    while let Some(piece) = job.next().await {
        assert_eq!(piece.source, Source::Terminal);
        said.push_str(&String::from_utf8(piece.bytes).unwrap());
    }
    assert!(said.contains("40 120"), "{said:?}");
    assert!(job.wait().await.unwrap().success());
}

#[tokio::test]
async fn control_c_reaches_the_command_through_its_terminal() {
    let place = place();
    let mut job = place
        .start(
            // Without a program in between: a shell drops the signal if its child ends by itself in the same moment.
            &Command::shell("trap 'echo caught; exit 5' INT; echo ready; while :; do :; done")
                .terminal(Terminal::default()),
        )
        .await;
    let mut said = String::new();
    while !said.contains("ready") {
        said.push_str(&String::from_utf8(job.next().await.unwrap().bytes).unwrap());
    }
    job.write(&[3]).await.unwrap();
    while let Some(piece) = job.next().await {
        said.push_str(&String::from_utf8(piece.bytes).unwrap());
    }
    assert!(said.contains("caught"), "{said:?}");
    assert_eq!(job.wait().await.unwrap().code, Some(5));
}

/// What holds none of its streams is not heard ending.
#[tokio::test]
async fn a_command_is_over_when_everything_it_started_is() {
    let place = place();
    let mark = mark(983);
    let line = format!("for n in 1 2 3 4 5 6 7 8; do setsid sleep {mark}$n < /dev/null > /dev/null 2>&1 & done");
    for _ in 0..20 {
        assert!(place.start(&Command::shell(line.clone())).await.wait().await.unwrap().success());
        assert_eq!(processes_with(&mark), 0);
    }
}

#[tokio::test]
async fn a_program_that_is_not_there_ends_with_127_and_a_sentence() {
    let place = place();
    let mut job = place.start(&Command::new(["no-such-program"])).await;
    let said = job.next().await.unwrap();
    assert!(String::from_utf8_lossy(&said.bytes).contains("no-such-program does not start"));
    assert_eq!(job.wait().await.unwrap().code, Some(127));
}

#[tokio::test]
async fn a_cancelled_command_may_clean_up_and_then_is_over() {
    let place = place();
    let mut job =
        place.start(&Command::shell("trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.05; done")).await;
    assert_eq!(job.next().await.unwrap().bytes, b"ready\n");
    let canceller = job.canceller();
    canceller.cancel();
    let mut said = Vec::new();
    while let Some(piece) = job.next().await {
        // Beside it the shell may name the `sleep` that was ended with it.
        if piece.source == Source::Output {
            said.extend(piece.bytes);
        }
    }
    assert_eq!(String::from_utf8_lossy(&said), "bye\n");
    let exit = job.wait().await.unwrap();
    assert_eq!((exit.code, exit.ended), (Some(0), Ended::Cancelled));
    canceller.cancel();
}

#[tokio::test]
async fn of_the_end_is_told_when_nothing_is_left_whether_it_was_waited_for_or_not() {
    let place = place();
    for is_dropped in [true, false] {
        let mark = mark(67);
        let line = if is_dropped { format!("echo ready; sleep {mark}; sleep {mark}") } else { "echo ready".to_owned() };
        let (tell, told) = tokio::sync::oneshot::channel();
        let look = move |ended| tell.send((ended, processes_with(&mark))).unwrap();
        let mut job = place.start(&Command::shell(line)).await.at_end(look);
        assert_eq!(job.next().await.unwrap().bytes, b"ready\n");
        let ended = if is_dropped {
            drop(job);
            Ended::Cancelled
        } else {
            job.wait().await.unwrap().ended
        };
        assert_eq!(told.await.unwrap(), (Some(ended), 0));
    }
}

#[tokio::test]
async fn a_dropped_job_is_ended_at_once() {
    let place = place();
    let mark = mark(65);
    let mut job = place.start(&Command::shell(format!("trap '' TERM; echo ready; sleep {mark}; sleep {mark}"))).await;
    assert_eq!(job.next().await.unwrap().bytes, b"ready\n");
    drop(job);
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while processes_with(&mark) > 0 {
        assert!(std::time::Instant::now() < deadline, "it is left");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_directory_and_variables_are_those_of_the_command() {
    let place = place();
    std::fs::create_dir(place.dir.path().join("sub")).unwrap();
    let command = Command::shell("pwd; echo $COLOUR $HOME $USER; id -u").dir("sub").env("COLOUR", "blue");
    let expected = format!("{}/sub\nblue /tmp/home agent\n1000\n", place.dir.path().display());
    assert_eq!(place.said(&command).await, expected);
}

/// Servers that a test suite starts for itself.
#[tokio::test]
async fn the_commands_own_loopback_works() {
    let place = place();
    let line = "python3 -c '
import socket, threading
s = socket.socket(); s.bind((\"127.0.0.1\", 0)); s.listen()
threading.Thread(target=lambda: s.accept()[0].send(b\"hello\")).start()
print(socket.create_connection(s.getsockname()).recv(5).decode())'";
    assert_eq!(place.said(&Command::shell(line)).await, "hello\n");
}

#[tokio::test]
async fn jobs_run_in_the_background_and_can_be_looked_at_later() {
    let place = place();
    let jobs = Jobs::new(2, 64);
    let echo =
        jobs.start(&place.sandbox, &place.policy, &Command::shell("read x; echo \"<$x>\"; seq 1 1000")).await.unwrap();
    let sleeper = jobs.start(&place.sandbox, &place.policy, &Command::shell("sleep 54321")).await.unwrap();
    let third = jobs.start(&place.sandbox, &place.policy, &Command::shell("true")).await;
    assert!(matches!(third, Err(Error::Refused(_))));
    jobs.write(echo, Some(b"in\n".to_vec())).unwrap();
    let State::Over(exit) = jobs.wait(echo).await.unwrap() else { panic!("it is over") };
    assert!(exit.success());
    let tail = jobs.tail(echo, 0).unwrap();
    assert!(tail.bytes.ends_with(b"999\n1000\n") && tail.bytes.len() == 64 && tail.from == tail.next - 64);
    assert_eq!(jobs.tail(echo, tail.next).unwrap().bytes, b"");
    assert_eq!(jobs.tail(sleeper, 0).unwrap().state, State::Running);
    jobs.cancel(sleeper).unwrap();
    let State::Over(exit) = jobs.wait(sleeper).await.unwrap() else { panic!("it is over") };
    assert_eq!(exit.ended, Ended::Cancelled);
    assert_eq!(jobs.list().len(), 2);
    jobs.forget(echo).unwrap();
    assert!(jobs.tail(echo, 0).is_err());
}

#[tokio::test]
async fn many_commands_run_side_by_side() {
    let place = place();
    let commands = (0..8).map(|n| place.said_of(n));
    let said = futures(commands).await;
    assert_eq!(said, (0..8).map(|n| format!("{n}\n")).collect::<Vec<_>>());
}

impl Place {
    async fn said_of(&self, number: usize) -> String {
        self.said(&Command::shell(format!("echo {number}"))).await
    }
}

/// All of them, started before the first is waited for.
async fn futures<F: Future<Output = String>>(all: impl Iterator<Item = F>) -> Vec<String> {
    let mut all: Vec<_> = all.map(|one| (Box::pin(one), None)).collect();
    std::future::poll_fn(|cx| {
        for (future, said) in all.iter_mut().filter(|(_, said)| said.is_none()) {
            if let std::task::Poll::Ready(text) = future.as_mut().poll(cx) {
                *said = Some(text);
            }
        }
        if all.iter().all(|(_, said)| said.is_some()) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    all.into_iter().filter_map(|(_, said)| said).collect()
}
