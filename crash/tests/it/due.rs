//! A real server is killed while runs are due: none is lost, turns run exactly once, and restarts double nothing.

use std::{
    net::{Ipv4Addr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
};

use hostel_client::{Call, Client, Options, Target};
use serde_json::{Value, json};

/// How often the server is killed.
const KILLS: u64 = 12;
/// Numbers ordered in one life of it.
const ORDERS: u64 = 8;

struct Server {
    child: Child,
    url: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn start(data: &Path) -> Self {
        // An address of our own: on the common one a client of somebody else might take the port in between.
        let [.., middle, low] = std::process::id().to_be_bytes();
        let address = Ipv4Addr::new(127, 77, middle, low.clamp(1, 254));
        let listen = TcpListener::bind((address, 0)).unwrap().local_addr().unwrap().to_string();
        let child = Command::new(env!("CARGO_BIN_EXE_hostel-crash-server"))
            .args(["--listen", &listen, "--data", data.to_str().unwrap()])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, url: format!("http://{listen}") }
    }

    /// A client, as soon as the server is up.
    async fn client(&mut self) -> Client {
        let target = Target::parse("bell-agent/a", &self.url).unwrap();
        loop {
            assert_eq!(self.child.try_wait().unwrap(), None, "it ended by itself");
            if let Ok(client) = Client::connect(&target, &Options::default()).await
                && client.identity().await.is_ok()
            {
                return client;
            }
            tokio::task::yield_now().await;
        }
    }
}

async fn report(client: &Client) -> Value {
    client.call(Call::new("report", Vec::new())).await.unwrap()
}

/// Numbers that were rung, and how often at most.
fn rung(report: &Value, how: &str) -> (usize, u64) {
    let counts = report[how].as_object().unwrap();
    (counts.len(), counts.values().map(|count| count.as_u64().unwrap()).max().unwrap_or_default())
}

#[tokio::test]
async fn no_run_is_lost_and_turns_run_exactly_once_however_often_the_server_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let mut ordered = 0;
    for kill in 0..KILLS {
        let mut server = Server::start(dir.path());
        let client = server.client().await;
        for _ in 0..ORDERS {
            let args = vec![json!(ordered), json!((kill * 7) % 40)];
            client.call(Call::new("order", args)).await.unwrap();
            ordered += 1;
        }
        // Whatever is under way now is cut off in the middle.
        drop(server);
    }
    let mut server = Server::start(dir.path());
    let client = server.client().await;
    let mut end = report(&client).await;
    while end["waiting"] != json!(0) {
        end = report(&client).await;
    }
    let numbers = usize::try_from(ordered * 2).unwrap();
    assert_eq!(rung(&end, "turns"), (numbers, 1), "each turn exactly once");
    assert_eq!(rung(&end, "waits").0, numbers, "each wait at least once");
    assert_eq!((&end["declared"], &end["givenUp"]), (&json!(1), &json!(0)), "{end}");
}
