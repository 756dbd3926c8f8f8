//! Which pages may talk to us: cross-site sockets and rebound host names are refused, with the setting that lets them in.

use hostel::{Admission, App, StartError};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{agents::CoderAgent, support::Server};

const PATH: &str = "/agents/coder-agent/default";

#[tokio::test]
async fn threat_1_a_page_of_another_site_is_refused_over_http_and_sockets() {
    let server = Server::start(App::new().agent::<CoderAgent>().in_memory()).await;
    let port = server.address.port();
    let foreign = [
        "https://evil.test".to_owned(),
        "null".to_owned(),
        "http://localhost.evil.test".to_owned(),
        format!("http://127.0.0.1:{port}.evil.test"),
        format!("http://127.0.0.1:{}", port ^ 1),
        format!("http://evil.test@127.0.0.1:{port}"),
        format!("ftp://127.0.0.1:{port}"),
    ];
    for (stranger, origin) in foreign.iter().enumerate() {
        let header = [("Origin", origin.as_str())];
        let answer = server.get_with(PATH, &header).await;
        assert_eq!((answer.status, answer.code().as_str()), (403, "origin_refused"), "{origin}");
        assert!(answer.json()["fix"].as_str().unwrap().contains("--allow-origin"), "{answer:?}");
        let stream = server.connect_from(stranger as u16).await;
        let mut client = super::support::Client::open(stream, server.upgrade(PATH, &header)).await;
        assert_eq!(client.refusal().await, ("origin_refused".into(), 4403), "{origin}");
    }
}

#[tokio::test]
async fn threat_1_a_name_that_is_pointed_at_this_machine_is_refused() {
    let server = Server::start(App::new().agent::<CoderAgent>().in_memory()).await;
    let rebound = format!("evil.test:{}", server.address.port());
    let origin = format!("http://{rebound}");
    let headers = [("Host", rebound.as_str()), ("Origin", origin.as_str())];
    let answer = server.get_with(PATH, &headers).await;
    assert_eq!((answer.status, answer.code().as_str()), (403, "host_refused"));
    assert_eq!(server.socket_with(PATH, &headers).await.refusal().await, ("host_refused".into(), 4403));
}

#[tokio::test]
async fn pages_of_the_same_or_a_listed_site_and_programs_come_in() {
    let admission = Admission::default().allow_origin("https://app.example");
    let server = Server::start(App::new().agent::<CoderAgent>().in_memory().admission(admission)).await;
    let same = format!("http://{}", server.address);
    for headers in [&[][..], &[("Origin", same.as_str())], &[("Origin", "https://app.example")]] {
        assert_eq!(server.get_with(PATH, headers).await.status, 200, "{headers:?}");
        server.socket_with(PATH, headers).await.greeted().await;
    }
}

#[tokio::test]
async fn threat_3_an_address_beyond_loopback_is_refused_unless_asked_for_by_name() {
    let app = || App::new().agent::<CoderAgent>().in_memory();
    let stop = CancellationToken::new();
    stop.cancel();
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let refused = app().start().await.unwrap().serve(listener, stop.clone()).await.unwrap_err();
    assert!(matches!(refused, StartError::Public(_)), "{refused:?}");
    let sentence = refused.to_string();
    for part in ["0.0.0.0", "127.0.0.1", "insecure_without_auth"] {
        assert!(sentence.contains(part), "{part} is missing: {sentence}");
    }
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    app().insecure_without_auth().start().await.unwrap().serve(listener, stop).await.unwrap();
}
