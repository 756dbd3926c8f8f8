//! Keys that are elsewhere: fetched once, kept, asked for again when one is missing, and not more often than that.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use hostel_auth::{Auth, Issuer, KeySource};
use hostel_protocol::refusal::Code;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::Mutex,
};

use super::support::{Curve, ISSUER, built, claims, show};

/// Serves a key set, and counts how often.
struct KeyServer {
    url: http::Uri,
    keys: Arc<Mutex<Value>>,
    asked: Arc<AtomicUsize>,
}

impl KeyServer {
    async fn start(keys: Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap()).parse().unwrap();
        let (keys, asked) = (Arc::new(Mutex::new(keys)), Arc::new(AtomicUsize::new(0)));
        let (served, count) = (Arc::clone(&keys), Arc::clone(&asked));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let mut request = vec![0; 4096];
                let _read = stream.read(&mut request).await;
                let body = served.lock().await.to_string();
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
                let _written = stream.write_all((head + &body).as_bytes()).await;
            }
        });
        Self { url, keys, asked }
    }

    fn auth(&self) -> Auth {
        built(Auth::new().issuer(Issuer::new(ISSUER, KeySource::Url(self.url.clone())).audience("hostel")))
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn keys_are_fetched_when_first_needed_and_kept() {
    let curve = Curve::new();
    let server = KeyServer::start(json!({"keys": [curve.jwk("one")]})).await;
    let auth = server.auth();
    assert_eq!(server.asked(), 0);
    let token = curve.es256("one", &claims());
    let (first, second, third) = tokio::join!(show(&auth, &token), show(&auth, &token), show(&auth, &token));
    assert!(first.is_ok() && second.is_ok() && third.is_ok());
    assert!(show(&auth, &token).await.is_ok());
    assert_eq!(server.asked(), 1, "who comes meanwhile waits for the same answer");
}

#[tokio::test]
async fn made_up_keys_make_nobody_ask_again_and_again() {
    let curve = Curve::new();
    let server = KeyServer::start(json!({"keys": [curve.jwk("one")]})).await;
    let auth = server.auth();
    assert!(show(&auth, &curve.es256("one", &claims())).await.is_ok());
    for made_up in 0..100 {
        let refusal = show(&auth, &curve.es256(&format!("key-{made_up}"), &claims())).await.unwrap_err();
        assert_eq!(refusal.code, Code::TokenInvalid);
    }
    assert_eq!(server.asked(), 1);
}

/// Time passes, without a wait that would let what is under way run out of it.
async fn later(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

#[tokio::test]
async fn keys_that_change_are_asked_for_when_a_token_names_a_new_one_and_old_ones_go() {
    let (old, new) = (Curve::new(), Curve::new());
    let server = KeyServer::start(json!({"keys": [old.jwk("old")]})).await;
    let auth = server.auth();
    let (before, after) = (old.es256("old", &claims()), new.es256("new", &claims()));
    assert!(show(&auth, &before).await.is_ok());
    *server.keys.lock().await = json!({"keys": [old.jwk("old"), new.jwk("new")]});
    assert_eq!(show(&auth, &after).await.unwrap_err().code, Code::TokenInvalid, "it was asked a moment ago");
    later(Duration::from_secs(11)).await;
    assert!(show(&auth, &after).await.is_ok() && show(&auth, &before).await.is_ok());
    assert_eq!(server.asked(), 2);
    *server.keys.lock().await = json!({"keys": [new.jwk("new")]});
    assert!(show(&auth, &before).await.is_ok(), "for a while");
    later(Duration::from_secs(601)).await;
    assert_eq!(show(&auth, &before).await.unwrap_err().code, Code::TokenInvalid);
    assert!(show(&auth, &after).await.is_ok());
    assert_eq!(server.asked(), 3);
}

#[tokio::test]
async fn keys_that_cannot_be_had_are_no_fault_of_the_token() {
    let curve = Curve::new();
    let server = KeyServer::start(json!("no key set")).await;
    let auth = server.auth();
    let refusal = show(&auth, &curve.es256("one", &claims())).await.unwrap_err();
    assert_eq!(refusal.code, Code::AgentUnavailable, "{refusal:?}");
    *server.keys.lock().await = json!({"keys": []});
    assert_eq!(show(&auth, &curve.es256("one", &claims())).await.unwrap_err().code, Code::AgentUnavailable);
    assert_eq!(server.asked(), 1, "a failing issuer is left alone for a while");
}

#[tokio::test]
async fn a_file_of_keys_is_read_when_first_needed() {
    let dir = tempfile::tempdir().unwrap();
    let (path, old, new) = (dir.path().join("keys.json"), Curve::new(), Curve::new());
    let issuer = Issuer::new(ISSUER, KeySource::File(path.clone())).audience("hostel");
    let auth = built(Auth::new().issuer(issuer));
    assert!(show(&auth, &new.es256("new", &claims())).await.is_err(), "there is no file yet");
    std::fs::write(&path, json!({"keys": [old.jwk("old"), new.jwk("new")]}).to_string()).unwrap();
    let later = built(Auth::new().issuer(Issuer::new(ISSUER, KeySource::File(path)).audience("hostel")));
    assert!(show(&later, &new.es256("new", &claims())).await.is_ok());
    assert!(show(&later, &old.es256("old", &claims())).await.is_ok());
}
