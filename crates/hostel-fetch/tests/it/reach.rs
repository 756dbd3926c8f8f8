//! What the client reaches and what it refuses, against real listeners.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body, extract::Path, response::Redirect, routing::get};
use futures_util::future::BoxFuture;
use hostel_fetch::{Fetch, FetchError, Lookup, Reach, Redirects, Settings, Url};
use tokio::net::TcpListener;

/// A server that counts who comes, and redirects to whatever its path says.
struct Bait {
    address: SocketAddr,
    hits: Arc<AtomicUsize>,
}

impl Bait {
    async fn at(address: &str) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let hits = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&hits);
        let hello = move || {
            count.fetch_add(1, Ordering::SeqCst);
            async { ([("connection", "close")], "hello") }
        };
        let to = |Path(to): Path<String>| async move { Redirect::temporary(&to) };
        let router = Router::new()
            .route("/", get(hello))
            .route("/to/{*to}", get(to))
            .route("/large", get(|| async { Body::from(vec![0; 100_000]) }))
            .route("/silent", get(std::future::pending::<&str>));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, hits }
    }

    fn url(&self, path: &str) -> Url {
        format!("http://{}{path}", self.address).parse().unwrap()
    }

    fn hits(&self) -> usize {
        self.hits.load(Ordering::SeqCst)
    }
}

fn fetch(reach: Reach) -> Fetch {
    Fetch::new(reach, &Settings::default()).unwrap()
}

async fn refusal(fetch: &Fetch, url: &str) -> Option<String> {
    match fetch.get(url.parse().unwrap(), 1 << 20).await {
        Err(FetchError::Refused { message, .. }) => Some(message),
        _ => None,
    }
}

/// Threat 26: addresses of our own networks, in every spelling. No name here is ever resolved by anybody but us.
#[tokio::test]
async fn threat_26_forty_urls_into_our_own_networks_are_refused() {
    let urls = [
        "http://127.0.0.1/",
        "http://127.0.0.1:8787/mcp",
        "http://127.1/",
        "http://127.0.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.1/",
        "http://017700000001/",
        "http://0177.0.0.1/",
        "http://127.255.255.254/",
        "http://0/",
        "http://0.0.0.0/",
        "http://0.1.2.3/",
        "http://10.0.0.1/",
        "http://10.255.255.255/",
        "http://167772161/",
        "http://172.16.0.1/",
        "http://172.31.255.255/",
        "http://192.168.0.1/",
        "http://0xc0a80001/",
        "http://100.64.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://2852039166/latest/meta-data/",
        "http://0xa9fea9fe/",
        "http://169.254.170.2/v2/credentials",
        "http://198.18.0.1/",
        "http://224.0.0.1/",
        "http://255.255.255.255/",
        "http://[::1]/",
        "http://[::]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[::ffff:169.254.169.254]/",
        "http://[::127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[2002:7f00:1::]/",
        "http://[fe80::1]/",
        "http://[fc00::1]/",
        "http://[fd00:ec2::254]/",
        "http://user:password@127.0.0.1/",
        "http://１２７.0.0.1/",
        "http://①②⑦.0.0.1/",
        "http://localhost/",
        "http://LOCALHOST./",
        "http://evil.localhost:8787/",
        "http://metadata/",
        "http://metadata.google.internal/",
        "http://printer.local/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/",
        "ftp://127.0.0.1/",
        "data:text/plain,hello",
    ];
    assert!(urls.len() >= 40);
    let fetch = fetch(Reach::public());
    for url in urls {
        assert!(refusal(&fetch, url).await.is_some(), "{url}");
    }
}

#[tokio::test]
async fn threat_26_redirects_are_checked_like_the_first_url() {
    let bait = Bait::at("127.0.0.1:0").await;
    let other = Bait::at("127.0.0.2:0").await;
    let fetch = fetch(Reach::public().allow(&bait.address.to_string()).unwrap());
    assert_eq!(fetch.get(bait.url("/"), 10).await.unwrap(), "hello");
    let hops = [
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "http://[::ffff:127.0.0.1]/".to_owned(),
        "http://localhost/".to_owned(),
        other.url("/").to_string(),
        bait.url(&format!("/to/{}", other.url("/"))).to_string(),
    ];
    for hop in hops {
        let refused = refusal(&fetch, bait.url(&format!("/to/{hop}")).as_str()).await;
        assert!(refused.is_some(), "{hop}");
    }
    assert_eq!(other.hits(), 0);
    assert!(fetch.get(bait.url("/to/file:///etc/passwd"), 10).await.is_err());
    let fine = bait.url(&format!("/to/{}", bait.url("/")));
    assert_eq!(fetch.get(fine, 10).await.unwrap(), "hello");
}

#[tokio::test]
async fn a_chain_of_redirects_ends() {
    let bait = Bait::at("127.0.0.1:0").await;
    let fetch = fetch(Reach::public().allow(&bait.address.to_string()).unwrap());
    let chain = (0..7).fold(bait.url("/").to_string(), |to, _| bait.url(&format!("/to/{to}")).to_string());
    assert_eq!(refusal(&fetch, &chain).await.unwrap(), "The server redirects too often.");
}

#[tokio::test]
async fn secrets_in_headers_stay_with_the_origin_they_are_for() {
    let bait = Bait::at("127.0.0.1:0").await;
    let other = Bait::at("127.0.0.2:0").await;
    let reach = Reach::public().allow("127.0.0.0/8").unwrap();
    let settings = Settings { redirects: Redirects::SameOrigin, ..Settings::default() };
    let fetch = Fetch::new(reach, &settings).unwrap();
    let url = bait.url(&format!("/to/{}", other.url("/")));
    assert_eq!(refusal(&fetch, url.as_str()).await.unwrap(), "The server redirects to another host.");
    assert_eq!(other.hits(), 0);
}

/// Answers each question with the next address.
#[derive(Debug)]
struct Rebinding {
    answers: [IpAddr; 2],
    asked: AtomicUsize,
}

impl Lookup for Rebinding {
    fn lookup(&self, _: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let answer = self.answers[self.asked.fetch_add(1, Ordering::SeqCst) % 2];
        Box::pin(async move { Ok(vec![answer]) })
    }
}

/// Threat 26: what was checked is what is connected to. The name means a permitted address once, and this machine the next
/// time it is asked for.
#[tokio::test]
async fn threat_26_a_name_that_rebinds_is_asked_once_and_refused_the_next_time() {
    let fine = Bait::at("127.0.0.2:0").await;
    let secret = Bait::at(&format!("127.0.0.1:{}", fine.address.port())).await;
    let answers = ["127.0.0.2".parse().unwrap(), "127.0.0.1".parse().unwrap()];
    let lookup = Arc::new(Rebinding { answers, asked: AtomicUsize::new(0) });
    let reach = Reach::public().allow("127.0.0.2").unwrap();
    let fetch = Fetch::with_lookup(reach, &Settings::default(), Arc::<Rebinding>::clone(&lookup)).unwrap();
    let url = format!("http://rebind.test:{}/", fine.address.port());
    assert_eq!(fetch.get(url.parse().unwrap(), 10).await.unwrap(), "hello");
    assert_eq!((lookup.asked.load(Ordering::SeqCst), fine.hits(), secret.hits()), (1, 1, 0));
    assert!(refusal(&fetch, &url).await.unwrap().contains("this machine"));
    assert_eq!((fine.hits(), secret.hits()), (1, 0));
}

#[tokio::test]
async fn one_bad_address_among_good_ones_spoils_a_name() {
    #[derive(Debug)]
    struct Mixed;
    impl Lookup for Mixed {
        fn lookup(&self, _: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
            Box::pin(async { Ok(vec!["127.0.0.2".parse().unwrap(), "169.254.169.254".parse().unwrap()]) })
        }
    }
    let reach = Reach::public().allow("127.0.0.2").unwrap();
    let fetch = Fetch::with_lookup(reach, &Settings::default(), Arc::new(Mixed)).unwrap();
    assert!(refusal(&fetch, "http://mixed.test/").await.unwrap().contains("metadata"));
}

#[tokio::test]
async fn a_port_that_is_not_listed_is_not_reached_by_a_name_either() {
    let bait = Bait::at("127.0.0.1:0").await;
    let reach = Reach::public().allow("localhost:1").unwrap().allow("127.0.0.1:1").unwrap();
    let fetch = fetch(reach);
    assert!(refusal(&fetch, &format!("http://localhost:{}/", bait.address.port())).await.is_some());
    assert!(refusal(&fetch, bait.url("/").as_str()).await.is_some());
    assert_eq!(bait.hits(), 0);
}

#[tokio::test]
async fn large_and_silent_answers_are_cut() {
    let bait = Bait::at("127.0.0.1:0").await;
    let settings = Settings { silence: Some(Duration::from_millis(50)), ..Settings::default() };
    let reach = Reach::public().allow("127.0.0.1").unwrap();
    let fetch = Fetch::new(reach, &settings).unwrap();
    assert!(matches!(fetch.get(bait.url("/large"), 99_999).await, Err(FetchError::TooLarge { limit: 99_999 })));
    assert!(matches!(fetch.get(bait.url("/silent"), 10).await, Err(FetchError::Failed(_))));
}
