//! Sub-agents and `kill -9`, with real processes: a deletion that was decided is carried out to its end.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use hostel::prelude::*;
use tokio_util::sync::CancellationToken;

use super::process::{DIRECTORY, Process, http};

/// Rooms of a lobby: enough that a kill finds some of them gone and some not.
const ROOMS: usize = 24;

#[derive(Default, Serialize, Deserialize)]
struct Hall {}

#[agent]
impl Hall {
    async fn on_request(cx: &Cx<Self>, request: Request) -> Result<Response> {
        let said = match request.uri().query() {
            Some("open") => {
                for number in 0..ROOMS {
                    cx.sub_agent::<Booth>(&number.to_string())?.say("x".repeat(5000)).await?;
                }
                "open".to_owned()
            }
            Some("close") => {
                cx.update(|_| (0..ROOMS).try_for_each(|number| Self::shut(cx, number)))??;
                "closed".to_owned()
            }
            Some("end") => {
                cx.destroy();
                "ended".to_owned()
            }
            _ => cx.list_sub_agents()?.len().to_string(),
        };
        Ok(Response::new(Body::from(said)))
    }
}

impl Hall {
    fn shut(cx: &Cx<Self>, number: usize) -> Result<()> {
        cx.delete_sub_agent::<Booth>(&number.to_string()).map(drop)
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Booth {
    said: Vec<String>,
}

#[agent]
impl Booth {
    #[callable]
    fn say(&mut self, text: String) {
        self.said.push(text);
    }
}

/// As the child of the test below: serves until it is killed.
#[test]
fn child() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = App::new().agent::<Hall>().sub_agent::<Booth>();
        let home = app.data(PathBuf::from(directory)).start().await.unwrap();
        println!("\nat {address}");
        home.serve(listener, CancellationToken::new()).await.unwrap();
    });
}

/// How many databases of this class there are.
fn databases(directory: &Path, class: &str) -> usize {
    let shelves = std::fs::read_dir(directory.join("agents").join(class)).into_iter().flatten().flatten();
    let files = shelves.flat_map(|shelf| std::fs::read_dir(shelf.path()).into_iter().flatten().flatten());
    files.filter(|file| file.path().extension().is_some_and(|end| end == "db")).count()
}

#[test]
fn a_deletion_of_sub_agents_that_kill_9_interrupts_is_carried_out_after_it() {
    let class = "sub_booth";
    for (ask, left) in [("close", 1), ("end", 0), ("close", 1)] {
        let directory = tempfile::tempdir().unwrap();
        let process = Process::start("it::family::child", directory.path(), 1);
        let go = |process: &Process, query: &str| {
            http(process.addresses[0], "GET", &format!("/agents/hall/a?{query}"), &[], "")
        };
        assert_eq!(go(&process, "open"), (200, "open".to_owned()));
        assert_eq!(databases(directory.path(), class), ROOMS);
        assert_eq!(go(&process, ask).0, 200);
        // What was answered is decided; how many are gone by now is up to the disk.
        process.kill();
        let process = Process::start("it::family::child", directory.path(), 1);
        let deadline = Instant::now() + Duration::from_secs(60);
        while databases(directory.path(), class) + databases(directory.path(), "hall") > left {
            assert!(Instant::now() < deadline, "the deletion was not carried out");
            std::thread::sleep(Duration::from_millis(20));
        }
        if left == 1 {
            assert_eq!(go(&process, "list"), (200, "0".to_owned()));
        }
        process.kill();
    }
}
