//! Mail in and out, over real sockets: no relay, kept once, answered to the right agent, sent until it is taken.

use std::{
    io::{BufRead as _, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    sync::mpsc,
    time::Duration,
};

use hostel::{Email, Letter, SecretValue, SendMail as _, Webhook, mail, prelude::*};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::process::{DIRECTORY, Process, http};

#[derive(Default, Serialize, Deserialize)]
struct Helpdesk {
    seen: Vec<Seen>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Seen {
    from: String,
    to: String,
    subject: String,
    text: String,
    signed: bool,
    automatic: bool,
    files: Vec<String>,
}

#[agent]
impl Helpdesk {
    fn on_request(&self, cx: &Cx<Self>, request: Request) -> Result<Response> {
        let query = request.uri().query().unwrap_or_default();
        if query == "inject" {
            let letters = [
                Letter::to("a@example.org").subject("x\r\nBcc: victim@example.org"),
                Letter::to("a@example.org\r\nBcc: victim@example.org"),
                Letter::to("a@example.org").header("X-Own\r\nBcc", "victim@example.org"),
                Letter::to("a@example.org").header("X-Own", "a\nBcc: victim@example.org"),
                Letter::to("a@example.org").header("X-Agent-Sig", "forged"),
                Letter::to("no address"),
                Letter::to("a@example.org").attach("a\r\nBcc: victim@example.org", "text/plain", "x"),
                Letter::to("a@example.org").attach("a", "no media type", "x"),
                Letter::to("a@example.org").header("Bcc", "victim@example.org"),
            ];
            let codes = letters.map(|letter| match cx.mail().and_then(|mail| mail.send(letter)) {
                Ok(_) => "sent".to_owned(),
                Err(error) => error.label().unwrap_or_default().to_owned(),
            });
            return Ok(Response::new(Body::from(serde_json::to_string(&codes)?)));
        }
        if let Some(to) = query.strip_prefix("write=") {
            let letter = Letter::to(to).subject("Grüße").text("line one\nline two").html("<p>one</p>");
            cx.mail()?.send(letter.attach("Übersicht.bin", "application/octet-stream", [0, 255, 10, 13, 7]))?;
        }
        let letters: Vec<_> = cx.dead_letters()?.into_iter().map(|letter| letter.code).collect();
        Ok(Response::new(Body::from(serde_json::to_string(&(&self.seen, letters))?)))
    }

    #[task]
    fn on_email(&mut self, cx: &Cx<Self>, email: &Email) -> Result<()> {
        let subject = email.subject().unwrap_or_default();
        if subject.contains("please answer") {
            cx.mail()?.send(email.reply("here you are"))?;
        }
        self.seen.push(Seen {
            from: email.from.clone(),
            to: email.to.clone(),
            subject,
            text: email.text().unwrap_or_default(),
            signed: email.signed,
            automatic: email.is_automatic(),
            files: email.attachments().into_iter().filter_map(|file| file.name).collect(),
        });
        Ok(())
    }
}

/// An agent that takes no mail.
#[derive(Default, Serialize, Deserialize)]
struct Deaf;

#[agent]
impl Deaf {}

fn options(smtp: Option<u16>) -> mail::Options {
    mail::Options {
        listen: Some(([127, 0, 0, 1], 0).into()),
        domains: vec!["Agents.example".into()],
        default_agent: Some("helpdesk".into()),
        reply_key: Some(SecretValue::outright("reply key")),
        most_bytes: 100_000,
        smtp: smtp.map(|port| mail::Smtp {
            host: "127.0.0.1".into(),
            port: Some(port),
            tls: mail::SmtpTls::None,
            user: None,
            password: None,
            from: "Agents <agents@agents.example>".into(),
            timeout: Duration::from_secs(60),
        }),
        ..mail::Options::default()
    }
}

fn application(smtp: Option<u16>) -> App {
    App::new()
        .agent::<Helpdesk>()
        .agent::<Deaf>()
        .mail(options(smtp))
        .webhook("mail", Webhook::email(SecretValue::outright("posting key")))
}

/// An application in this process: where it speaks HTTP, and where it takes mail.
async fn here(smtp: Option<u16>) -> (SocketAddr, SocketAddr) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let home = application(smtp).in_memory().start().await.unwrap();
    let mail = home.mail_address().unwrap();
    tokio::spawn(home.serve(listener, CancellationToken::new()));
    (address, mail)
}

/// What a conversation goes over: TCP, or TLS.
trait Wire: Read + Write {}

impl<T: Read + Write> Wire for T {}

/// One side of a conversation in SMTP.
struct Talk {
    stream: BufReader<Box<dyn Wire>>,
    tcp: TcpStream,
}

impl Talk {
    fn open(address: SocketAddr) -> Self {
        let tcp = TcpStream::connect(address).unwrap();
        let mut talk = Self { stream: BufReader::new(Box::new(tcp.try_clone().unwrap())), tcp };
        assert!(talk.hear().starts_with("220 "));
        talk
    }

    /// Goes on in TLS with a client that trusts this certificate alone, and says what it made of it.
    fn seal(&mut self, trusted: &rustls::RootCertStore) -> rustls::ProtocolVersion {
        assert!(self.say("STARTTLS").starts_with("220"));
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.unwrap().with_root_certificates(trusted.clone()).with_no_client_auth();
        let name = "agents.example".try_into().unwrap();
        let mut session = rustls::ClientConnection::new(std::sync::Arc::new(config), name).unwrap();
        let mut tcp = self.tcp.try_clone().unwrap();
        while session.is_handshaking() {
            session.complete_io(&mut tcp).unwrap();
        }
        let version = session.protocol_version().unwrap();
        self.stream = BufReader::new(Box::new(rustls::StreamOwned::new(session, tcp)));
        version
    }

    fn hear(&mut self) -> String {
        let mut all = String::new();
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).unwrap();
            let last = line.as_bytes().get(3) != Some(&b'-');
            all += &line;
            if last {
                return all;
            }
        }
    }

    fn say(&mut self, line: &str) -> String {
        self.stream.get_mut().write_all(format!("{line}\r\n").as_bytes()).unwrap();
        self.hear()
    }

    /// A whole mail; the last reply.
    fn mail(&mut self, from: &str, to: &[&str], mail: &str) -> String {
        self.say("EHLO client.example");
        assert!(self.say(&format!("MAIL FROM:<{from}>")).starts_with("250"));
        for to in to {
            let reply = self.say(&format!("RCPT TO:<{to}>"));
            assert!(reply.starts_with("250"), "{reply}");
        }
        assert!(self.say("DATA").starts_with("354"));
        let stuffed = mail.replace("\n.", "\n..").replace('\n', "\r\n");
        self.say(&format!("{stuffed}\r\n."))
    }
}

fn look(address: SocketAddr, path: &str) -> Value {
    let (status, body) = http(address, "GET", &format!("/agents/{path}"), &[], "");
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

fn until_seen(address: SocketAddr, name: &str, count: usize) -> Value {
    loop {
        let seen = look(address, &format!("helpdesk/{name}"))[0].clone();
        if seen.as_array().unwrap().len() >= count {
            return seen;
        }
    }
}

/// A mail server that answers each mail's end as told, and shows what it got.
fn fake_server(replies: &'static [&'static str]) -> (u16, mpsc::Receiver<(Vec<String>, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, hear) = mpsc::channel();
    std::thread::spawn(move || {
        let mut replies = replies.iter();
        while let Ok((stream, _)) = listener.accept() {
            let mut writer = stream.try_clone().unwrap();
            let (mut envelope, mut mail, mut in_mail) = (Vec::new(), String::new(), false);
            writer.write_all(b"220 fake\r\n").unwrap();
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                let reply = match (&*line, in_mail) {
                    (".", true) => {
                        in_mail = false;
                        let _test_is_over = tell.send((std::mem::take(&mut envelope), std::mem::take(&mut mail)));
                        replies.next().copied().unwrap_or("250 ok")
                    }
                    (line, true) => {
                        mail += line;
                        mail += "\n";
                        continue;
                    }
                    ("DATA", _) => {
                        in_mail = true;
                        "354 go"
                    }
                    (line, _) => {
                        envelope.push(line.to_owned());
                        "250 ok"
                    }
                };
                if writer.write_all(format!("{reply}\r\n").as_bytes()).is_err() {
                    break;
                }
            }
        }
    });
    (port, hear)
}

/// As the child of the tests below: serves until it is killed. A file says which mail server there is, if there is one.
#[test]
fn child() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let smtp = std::fs::read_to_string(PathBuf::from(&directory).join("smtp")).ok().map(|port| port.parse().unwrap());
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let home = application(smtp).data(PathBuf::from(directory)).start().await.unwrap();
        println!("\nat {address}\nat {}", home.mail_address().unwrap());
        home.serve(listener, CancellationToken::new()).await.unwrap();
    });
}

#[test]
fn threat_28_a_mail_that_is_sent_again_after_kill_9_is_handled_once() {
    let directory = tempfile::tempdir().unwrap();
    for round in 1..=3 {
        let mail = format!("From: a@example.org\nSubject: number {round}\n\nhello");
        let process = Process::start("it::mail::child", directory.path(), 2);
        let reply = Talk::open(process.addresses[1]).mail("a@example.org", &["info@agents.example"], &mail);
        assert!(reply.starts_with("250"), "{reply}");
        process.kill();
        let process = Process::start("it::mail::child", directory.path(), 2);
        let reply = Talk::open(process.addresses[1]).mail("a@example.org", &["info@agents.example"], &mail);
        assert!(reply.starts_with("250"), "{reply}");
        let seen = until_seen(process.addresses[0], "info", round);
        assert_eq!(seen.as_array().unwrap().len(), round);
        process.kill();
    }
}

/// A mail server that takes a mail, and says so when it is told to.
fn slow_server() -> (u16, mpsc::Receiver<String>, mpsc::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let ((tell, taken), (say, told)) = (mpsc::channel(), mpsc::channel());
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            let mut reply = |text: &str| stream.write_all(format!("{text}\r\n").as_bytes()).is_ok();
            let mut goes_on = reply("220 slow");
            while let Some(line) = lines.next().filter(|_| goes_on) {
                goes_on = reply(if line == "DATA" { "354 go" } else { "250 ok" });
                if line == "DATA" {
                    let mail: Vec<_> = lines.by_ref().take_while(|line| line != ".").collect();
                    if tell.send(mail.join("\n")).is_err() || told.recv().is_err() {
                        return;
                    }
                    goes_on = reply("250 taken");
                }
            }
        }
    });
    (port, taken, say)
}

#[test]
fn a_mail_that_kill_9_finds_on_its_way_is_sent_again_under_the_same_id() {
    let directory = tempfile::tempdir().unwrap();
    let (port, taken, say) = slow_server();
    std::fs::write(directory.path().join("smtp"), port.to_string()).unwrap();
    let id = |mail: &str| mail.lines().find(|line| line.starts_with("Message-ID: ")).unwrap().to_owned();
    let process = Process::start("it::mail::child", directory.path(), 2);
    look(process.addresses[0], "helpdesk/bob?write=ann@example.org");
    let first = id(&taken.recv_timeout(Duration::from_secs(60)).unwrap());
    // The server has it, and its word for that reaches nobody.
    process.kill();
    say.send(()).unwrap();
    let process = Process::start("it::mail::child", directory.path(), 2);
    assert_eq!(
        id(&taken.recv_timeout(Duration::from_secs(60)).unwrap()),
        first,
        "by this the receiver tells a repetition"
    );
    say.send(()).unwrap();
    look(process.addresses[0], "helpdesk/bob?write=ann@example.org");
    let second = id(&taken.recv_timeout(Duration::from_secs(60)).unwrap());
    assert_ne!(second, first, "the first was done with");
    say.send(()).unwrap();
    process.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_comes_over_tls_and_nothing_said_before_it_counts() {
    let pair = rcgen::generate_simple_self_signed(["agents.example".to_owned()]).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let (cert, key) = (directory.path().join("cert.pem"), directory.path().join("key.pem"));
    std::fs::write(&cert, pair.cert.pem()).unwrap();
    std::fs::write(&key, pair.signing_key.serialize_pem()).unwrap();
    let tls = hostel::Tls::from_pem_files(&cert, &key).unwrap();
    let unsealed = mail::Options { require_tls: true, ..options(None) };
    let refused = App::new().agent::<Helpdesk>().mail(unsealed).in_memory().start().await.unwrap_err();
    assert!(format!("{refused:?}").contains("require_tls needs a certificate"), "{refused:?}");
    let sealed = mail::Options { tls: Some(tls), require_tls: true, ..options(None) };
    let home = App::new().agent::<Helpdesk>().mail(sealed).in_memory().start().await.unwrap();
    let smtp = home.mail_address().unwrap();
    let stop = CancellationToken::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let web = listener.local_addr().unwrap();
    tokio::spawn(home.serve(listener, stop));
    let mut trusted = rustls::RootCertStore::empty();
    trusted.add(pair.cert.der().clone()).unwrap();
    let work = move || {
        let mut talk = Talk::open(smtp);
        assert!(talk.say("EHLO client.example").contains("STARTTLS"));
        assert!(talk.say("MAIL FROM:<ann@example.org>").starts_with("530 5.7.0"));
        assert!(talk.say("AUTH PLAIN AGEAYg==").starts_with("502"), "nobody is known by a password here");
        assert_eq!(talk.seal(&trusted), rustls::ProtocolVersion::TLSv1_3);
        assert!(talk.say("MAIL FROM:<ann@example.org>").starts_with("503"), "it has to greet again");
        assert!(!talk.say("EHLO client.example").contains("STARTTLS"));
        assert!(talk.say("STARTTLS").starts_with("503"));
        let mail = "From: ann@example.org\nSubject: sealed\n\nhello";
        assert!(talk.mail("ann@example.org", &["helpdesk+ann@agents.example"], mail).starts_with("250"));
        assert_eq!(until_seen(web, "ann", 1)[0]["subject"], "sealed");
        // What somebody in between puts behind STARTTLS is not taken for what was said in TLS.
        let mut talk = Talk::open(smtp);
        talk.say("EHLO client.example");
        assert!(talk.say("STARTTLS\r\nMAIL FROM:<eve@example.org>").starts_with("554"));
        assert_eq!(talk.stream.read(&mut [0]).unwrap(), 0, "and that is the end");
    };
    tokio::task::spawn_blocking(work).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_reaches_the_agent_of_its_address_with_all_that_is_in_it() {
    let (web, smtp) = here(None).await;
    let work = move || {
        let mail = "From: =?utf-8?q?J=C3=BCrgen?= <j@example.org>\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\nMIME-Version: 1.0\n\
                    Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\nfirst\n.\n..second\n--b\n\
                    Content-Type: text/x-log; name=a.log\nContent-Disposition: attachment; filename=a.log\n\nlog\n--b--\n";
        let mut talk = Talk::open(smtp);
        assert!(
            talk.mail("j@example.org", &["helpdesk+ann@agents.example", "info@AGENTS.example"], mail)
                .starts_with("250")
        );
        let list = "From: l@example.org\nList-Id: <l.example.org>\nSubject: list\n\nx";
        assert!(
            talk.mail("", &["helpdesk+ann@agents.example"], list).starts_with("250"),
            "two mails in one conversation"
        );
        assert!(talk.say("QUIT").starts_with("221"));
        let seen = until_seen(web, "ann", 2);
        let first = json!({
            "from": "j@example.org", "to": "helpdesk+ann@agents.example", "subject": "Grüße", "text": "first\n.\n..second",
            "signed": false, "automatic": false, "files": ["a.log"],
        });
        let mut got = seen[0].clone();
        got["text"] = json!(got["text"].as_str().unwrap().replace("\r\n", "\n").trim_end());
        assert_eq!(got, first);
        assert_eq!((&seen[1]["subject"], &seen[1]["automatic"]), (&json!("list"), &json!(true)));
        assert_eq!(until_seen(web, "info", 1)[0]["to"], "info@AGENTS.example");
    };
    tokio::task::spawn_blocking(work).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_for_us_is_refused_with_a_reason_and_nobody_is_a_relay() {
    let (_, smtp) = here(None).await;
    let work = move || {
        let mut talk = Talk::open(smtp);
        assert!(talk.say("MAIL FROM:<a@example.org>").starts_with("503"), "manners first");
        assert!(talk.say("EHLO x").contains("SIZE 100000"));
        assert!(talk.say("RCPT TO:<info@agents.example>").starts_with("503"));
        assert!(talk.say("MAIL FROM:<a@example.org> SIZE=100001").starts_with("552"));
        assert!(talk.say("MAIL FROM:<a@example.org>").starts_with("250"));
        for (to, why) in [
            ("victim@example.org", "that domain is not taken"),
            ("nobody+x@agents.example", "no agent of that name"),
            ("deaf+x@agents.example", "takes no mail"),
            ("victim%example.org@elsewhere.example", "that domain is not taken"),
        ] {
            let reply = talk.say(&format!("RCPT TO:<{to}>"));
            assert!(
                reply.starts_with("550 5.1.1") && reply.contains(why) && reply.contains("mail_unroutable"),
                "{reply}"
            );
        }
        assert!(talk.say("DATA").starts_with("503"), "without a recipient there is no mail");
        assert!(talk.say("RCPT TO:<info@agents.example>").starts_with("250"));
        assert!(talk.say("DATA").starts_with("354"));
        let large = "x".repeat(70).repeat(1500);
        assert!(talk.say(&format!("Subject: large\r\n\r\n{large}\r\n.")).starts_with("552"));
        let mut last = String::new();
        while !last.starts_with("421") {
            last = talk.say("NONSENSE");
            assert!(!last.is_empty());
        }
    };
    tokio::task::spawn_blocking(work).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_is_sent_until_it_is_taken_with_one_id_and_an_answer_finds_its_agent() {
    let (port, sent) = fake_server(&["451 later", "250 ok"]);
    let (web, smtp) = here(Some(port)).await;
    let work = move || {
        let mail = "From: Ann <ann@example.org>\nSubject: please answer\nMessage-ID: <1@example.org>\n\nwell?";
        assert!(Talk::open(smtp).mail("ann@example.org", &["helpdesk+bob@agents.example"], mail).starts_with("250"));
        let (_, first) = sent.recv().unwrap();
        let (envelope, second) = sent.recv().unwrap();
        let header = |mail: &str, name: &str| {
            let line = mail.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))).map(str::to_owned);
            line.unwrap_or_else(|| panic!("no {name} in {mail}"))
        };
        assert_eq!(header(&first, "Message-ID"), header(&second, "Message-ID"));
        assert_eq!(header(&second, "In-Reply-To"), "<1@example.org>");
        assert_eq!(header(&second, "Subject"), "Re: please answer");
        assert_eq!(header(&second, "Reply-To"), "helpdesk+bob@agents.example");
        assert!(envelope.iter().any(|line| line.starts_with("RCPT TO:<ann@example.org>")), "{envelope:?}");
        let signature = ["X-Agent-Name", "X-Agent-ID", "X-Agent-Sig", "X-Agent-Sig-Ts"];
        let carried: Vec<_> = signature.iter().map(|name| format!("{name}: {}\n", header(&second, name))).collect();
        let answer = format!("From: ann@example.org\nSubject: thanks\n{}\nbye", carried.concat());
        // The address is another's: the signature decides.
        assert!(Talk::open(smtp).mail("ann@example.org", &["info@agents.example"], &answer).starts_with("250"));
        let seen = until_seen(web, "bob", 2);
        assert_eq!((&seen[1]["subject"], &seen[1]["signed"]), (&json!("thanks"), &json!(true)));
        let forged = answer.replace("X-Agent-ID: bob", "X-Agent-ID: carol");
        let reply = Talk::open(smtp).mail("ann@example.org", &["info@agents.example"], &forged);
        assert!(reply.starts_with("550") && reply.contains("signature"), "{reply}");
    };
    tokio::task::spawn_blocking(work).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_refuses_for_good_is_given_up_at_once_with_a_code() {
    let (port, sent) = fake_server(&["554 never"]);
    let (web, _) = here(Some(port)).await;
    let work = move || {
        look(web, "helpdesk/bob?write=ann@example.org");
        let (_, mail) = sent.recv().unwrap();
        assert!(mail.contains("line one"), "{mail}");
        assert!(mail.contains("application/octet-stream") && mail.contains("AP8KDQc="), "{mail}");
        loop {
            let letters = look(web, "helpdesk/bob")[1].clone();
            if letters != json!([]) {
                return assert_eq!(letters, json!(["mail_refused"]));
            }
        }
    };
    tokio::task::spawn_blocking(work).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_text_of_a_stranger_becomes_a_header() {
    let (port, _sent) = fake_server(&[]);
    let (web, _) = here(Some(port)).await;
    let codes = tokio::task::spawn_blocking(move || look(web, "helpdesk/bob?inject")).await.unwrap();
    assert_eq!(codes, json!(vec!["mail_invalid"; 9]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_can_be_posted_by_who_has_the_secret() {
    let (web, _) = here(None).await;
    let work = move || {
        let mail = "From: a@example.org\r\nSubject: posted\r\n\r\nhello";
        let path = "/hooks/mail?from=a%40example.org&to=helpdesk%2Bann%40agents.example";
        assert_eq!(http(web, "POST", path, &[], mail).0, 401);
        let key = [("Authorization", "Bearer posting key")];
        assert_eq!(http(web, "POST", path, &key, mail).0, 202);
        assert_eq!(http(web, "POST", path, &key, mail).0, 202);
        assert_eq!(http(web, "POST", "/hooks/mail?to=a%40elsewhere.example", &key, mail).0, 404);
        assert_eq!(until_seen(web, "ann", 1).as_array().unwrap().len(), 1);
    };
    tokio::task::spawn_blocking(work).await.unwrap();
}
