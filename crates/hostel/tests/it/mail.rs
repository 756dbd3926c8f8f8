//! Mail in and out, over real sockets: no relay, kept once, answered to the right agent, sent until it is taken.

use std::{
    io::{BufRead as _, BufReader, Write as _},
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
                Letter::to("a@example.org").header("Bcc", "victim@example.org"),
            ];
            let codes = letters.map(|letter| match cx.mail().and_then(|mail| mail.send(letter)) {
                Ok(_) => "sent".to_owned(),
                Err(error) => error.label().unwrap_or_default().to_owned(),
            });
            return Ok(Response::new(Body::from(serde_json::to_string(&codes)?)));
        }
        if let Some(to) = query.strip_prefix("write=") {
            cx.mail()?.send(Letter::to(to).subject("Grüße").text("line one\nline two").html("<p>one</p>"))?;
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

/// One side of a conversation in SMTP.
struct Talk {
    stream: BufReader<TcpStream>,
}

impl Talk {
    fn open(address: SocketAddr) -> Self {
        let mut talk = Self { stream: BufReader::new(TcpStream::connect(address).unwrap()) };
        assert!(talk.hear().starts_with("220 "));
        talk
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

/// As the child of the test below: serves until it is killed.
#[test]
fn child() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let home = application(None).data(PathBuf::from(directory)).start().await.unwrap();
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
    assert_eq!(codes, json!(vec!["mail_invalid"; 7]));
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
