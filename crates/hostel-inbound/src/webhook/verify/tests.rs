//! Signatures, with the senders' own examples where they publish one.

use http::HeaderValue;

use super::*;

fn check(scheme: &Scheme, secret: &str, headers: &[(&'static str, &str)], body: &str, now: i64) -> Option<Code> {
    let headers = headers
        .iter()
        .map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()));
    let signed = Signed {
        headers: &headers.collect(),
        body: body.as_bytes(),
        now: Timestamp::from_second(now).unwrap(),
        tolerance: Duration::from_secs(300),
    };
    scheme.verify(secret, signed).err().map(|refusal| refusal.code)
}

#[test]
fn githubs_own_example_is_accepted_and_anything_else_is_not() {
    // From GitHub's "Validating webhook deliveries".
    let (secret, body) = ("It's a Secret to Everybody", "Hello, World!");
    let tag = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let ask = |secret, tag, body| check(&Scheme::GitHub, secret, &[("x-hub-signature-256", tag)], body, 0);
    assert_eq!(ask(secret, tag, body), None);
    assert_eq!(ask(secret, tag, "Hello, World?"), Some(Code::HookSignature));
    assert_eq!(ask("another", tag, body), Some(Code::HookSignature));
    for tag in ["", "sha256=", "sha256=zz", &tag[..50], &tag.replace("sha256", "sha1")] {
        assert_eq!(ask(secret, tag, body), Some(Code::HookSignature), "{tag}");
    }
    assert_eq!(check(&Scheme::GitHub, secret, &[], body, 0), Some(Code::HookSignature));
}

#[test]
fn stripes_signature_counts_only_for_a_while_and_old_and_new_key_may_both_sign() {
    // Computed apart, by the steps of Stripe's "Verify manually".
    let (secret, body) = ("whsec_test_secret", r#"{"id":"evt_1","object":"event"}"#);
    let good = "v1=654b43d3508ecadb3f8cefc4bc7d3d2bdc5ba9e03bf2c89b2d0657a8e24e4543";
    let ask = |header: &str, now| check(&Scheme::Stripe, secret, &[("stripe-signature", header)], body, now);
    let at = 1_492_774_577;
    assert_eq!(ask(&format!("t={at},{good}"), at), None);
    assert_eq!(ask(&format!("t={at},v1={},{good},v0=6ffb", "00".repeat(32)), at + 299), None);
    assert_eq!(ask(&format!("t={at},{good}"), at + 301), Some(Code::HookStale), "a replay");
    assert_eq!(ask(&format!("t={at},{good}"), at - 301), Some(Code::HookStale));
    assert_eq!(ask(&format!("t={},{good}", at + 300), at + 301), Some(Code::HookSignature), "the time is signed");
    assert_eq!(ask(&format!("t={at}"), at), Some(Code::HookSignature));
    assert_eq!(ask(good, at), Some(Code::HookSignature));
}

#[test]
fn slacks_signature_covers_time_and_body() {
    let body = "token=xyzz0WbapA4vBCDEFa0zw&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    let headers = [
        ("x-slack-request-timestamp", "1531420618"),
        ("x-slack-signature", "v0=06e1a2e9af66ceef5e7f1f599aa04deb2b9b601e2974de2a414d96936562923f"),
    ];
    let ask = |body, now| check(&Scheme::Slack, "8f742231b10e8888abcd99yyyzzz85a5", &headers, body, now);
    assert_eq!(ask(body, 1_531_420_618), None);
    assert_eq!(ask(body, 1_531_420_618 + 301), Some(Code::HookStale));
    assert_eq!(ask("token=other", 1_531_420_618), Some(Code::HookSignature));
}

#[test]
fn the_example_of_standard_webhooks_is_accepted() {
    // From the specification's own example.
    let (secret, body) = ("whsec_plJ3nmyCDGBKInavdOK15jsl", r#"{"event_type":"ping","data":{"success":true}}"#);
    let ask = |id: &str, now| {
        let headers = [
            ("webhook-id", id),
            ("webhook-timestamp", "1731705121"),
            ("webhook-signature", "v1a,xyz v1,AAAA v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0="),
        ];
        check(&Scheme::Standard, secret, &headers, body, now)
    };
    assert_eq!(ask("msg_loFOjxBNrRLzqYUf", 1_731_705_121), None);
    assert_eq!(ask("msg_other", 1_731_705_121), Some(Code::HookSignature), "the id is signed");
    assert_eq!(ask("msg_loFOjxBNrRLzqYUf", 1_731_706_121), Some(Code::HookStale));
}

#[test]
fn a_generic_hmac_has_header_hash_and_writing_of_ones_choice() {
    let scheme = |algorithm, encoding, prefix: &str| {
        let (header, prefix) = ("x-sig".to_owned(), prefix.to_owned());
        Scheme::Hmac(Hmac { header, prefix, algorithm, encoding, id_header: None })
    };
    let body = "The quick brown fox jumps over the lazy dog";
    let ask = |scheme, tag: &str| check(&scheme, "key", &[("x-sig", tag)], body, 0);
    // The examples of Wikipedia's "HMAC".
    let sha1 = "de7c9b85b8b78aa6bc8a7a36f70a90701c9db4d9";
    assert_eq!(ask(scheme(Algorithm::Sha1, Encoding::Hex, ""), sha1), None);
    let sha256 = "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8";
    assert_eq!(ask(scheme(Algorithm::Sha256, Encoding::Hex, "h="), &format!("h={}", sha256.to_uppercase())), None);
    let base64 = BASE64.encode(&unhex(sha256).unwrap());
    assert_eq!(ask(scheme(Algorithm::Sha256, Encoding::Base64, ""), &base64), None);
    assert_eq!(ask(scheme(Algorithm::Sha512, Encoding::Hex, ""), sha256), Some(Code::HookSignature));
}

#[test]
fn a_token_is_the_secret_itself() {
    let ask = |given| check(&Scheme::Token, "correct horse", &[("authorization", given)], "", 0);
    assert_eq!(ask("Bearer correct horse"), None);
    for wrong in ["correct horse", "Bearer ", "Bearer correct hors", "Bearer correct horse ", "Basic x"] {
        assert_eq!(ask(wrong), Some(Code::HookSignature), "{wrong}");
    }
}
