//! JWTs: what is taken, and each thing that may be wrong with one.

use std::time::Duration;

use hostel_auth::{Algorithm, Auth, BadAuth, Issuer, KeySource};
use hostel_protocol::refusal::Code;
use serde_json::json;

use super::support::{
    Curve, ISSUER, SECRET, built, changed, claims, hmac_of, hs256, now, rs256, rsa_jwk, rsa_public, show, token,
};

fn shared() -> Issuer {
    Issuer::new(ISSUER, KeySource::Secret(SECRET.to_vec())).audience("hostel").leeway(Duration::from_secs(5))
}

fn auth() -> Auth {
    built(Auth::new().issuer(shared().operator_role("admin")))
}

#[tokio::test]
async fn a_good_token_says_who_it_is_with_roles_claims_and_end() {
    let ada = show(&auth(), &hs256(&claims())).await.unwrap().unwrap();
    assert_eq!((ada.subject(), ada.issuer()), ("ada", Some(ISSUER)));
    assert!(ada.has_role("editor") && !ada.is_operator());
    assert_eq!(ada.claim("aud"), Some(&json!("hostel")));
    assert!((now() + 300..now() + 310).contains(&ada.expires().unwrap().as_second()));
    let admin = show(&auth(), &hs256(&changed("roles", json!(["admin"])))).await.unwrap().unwrap();
    assert!(admin.is_operator());
    let scopes = built(Auth::new().issuer(shared().roles_claim("realm.scope").subject_prefix("id:")));
    let nested = show(&scopes, &hs256(&changed("realm", json!({"scope": "read write"})))).await.unwrap().unwrap();
    assert!(nested.has_role("write") && nested.subject() == "id:ada");
}

#[tokio::test]
async fn each_thing_that_is_wrong_with_a_token_is_said() {
    let auth = auth();
    let cases = [
        (hs256(&changed("exp", json!(now() - 60))), Code::TokenExpired, "has expired"),
        (hs256(&changed("nbf", json!(now() + 60))), Code::TokenInvalid, "only later"),
        (hs256(&changed("aud", json!("others"))), Code::TokenInvalid, "another audience"),
        (hs256(&changed("iss", json!("https://evil.test"))), Code::TokenInvalid, "not trusted"),
        (hs256(&changed("exp", json!(null))), Code::TokenInvalid, "lacks one of the claims"),
        (hs256(&changed("aud", json!(null))), Code::TokenInvalid, "lacks one of the claims"),
        (hs256(&changed("sub", json!(""))), Code::TokenInvalid, "subject"),
        (hs256(&changed("sub", json!("a\u{1b}[2J"))), Code::TokenInvalid, "subject"),
        ("a.b.c".to_owned(), Code::TokenInvalid, "cannot be read"),
        ("nothing like it".to_owned(), Code::TokenInvalid, "not known here"),
    ];
    for (token, code, part) in cases {
        let refusal = show(&auth, &token).await.unwrap_err();
        assert_eq!(refusal.code, code, "{refusal:?}");
        assert!(refusal.message.contains(part), "{refusal:?}");
        assert!(!format!("{refusal:?}").contains(&token), "{refusal:?}");
    }
}

#[tokio::test]
async fn clocks_may_differ_a_little() {
    let auth = auth();
    assert!(show(&auth, &hs256(&changed("exp", json!(now() - 2)))).await.is_ok());
    assert!(show(&auth, &hs256(&changed("nbf", json!(now() + 2)))).await.is_ok());
}

#[tokio::test]
async fn every_changed_character_of_a_token_spoils_it() {
    let auth = auth();
    let good = hs256(&claims());
    for at in (0..good.len()).step_by(7) {
        let mut changed = good.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'Q' } else { b'A' };
        assert!(show(&auth, &String::from_utf8(changed).unwrap()).await.is_err(), "{at}");
    }
}

/// The classic: a public key taken for a shared secret, or no signature at all.
#[tokio::test]
async fn a_token_cannot_choose_how_it_is_checked() {
    let dir = tempfile::tempdir().unwrap();
    let (path, curve) = (dir.path().join("keys.json"), Curve::new());
    std::fs::write(&path, json!({"keys": [rsa_jwk("rsa"), curve.jwk("ec")]}).to_string()).unwrap();
    let issuer = Issuer::new(ISSUER, KeySource::File(path)).audience("hostel");
    let auth = built(Auth::new().issuer(issuer.clone()));
    assert!(show(&auth, &rs256("rsa", &claims())).await.is_ok());
    assert!(show(&auth, &curve.es256("ec", &claims())).await.is_ok());
    let modulus = rsa_public().n;
    let confused = token(&json!({"alg": "HS256", "kid": "rsa"}), &claims(), |text| hmac_of(&modulus, text));
    let unsigned = token(&json!({"alg": "none", "kid": "rsa"}), &claims(), |_| Vec::new());
    let swapped = curve.es256("rsa", &claims());
    for bad in [confused, unsigned, swapped, rs256("ec", &claims()), Curve::new().es256("ec", &claims())] {
        assert_eq!(show(&auth, &bad).await.unwrap_err().code, Code::TokenInvalid);
    }
    let only_curves = built(Auth::new().issuer(issuer.algorithms(&[Algorithm::Es256])));
    assert!(show(&only_curves, &rs256("rsa", &claims())).await.is_err());
}

#[test]
fn what_would_let_the_wrong_ones_in_is_no_authenticator() {
    let url = |text: &str| KeySource::Url(text.parse().unwrap());
    let bad =
        |issuers: Vec<Issuer>| issuers.into_iter().fold(Auth::new(), hostel_auth::Builder::issuer).build().unwrap_err();
    let short = Issuer::new(ISSUER, KeySource::Secret(b"short".to_vec())).audience("hostel");
    assert_eq!(bad(vec![short]), BadAuth::ShortSecret(ISSUER.into()));
    let anybodys = Issuer::new(ISSUER, KeySource::Secret(SECRET.to_vec()));
    assert_eq!(bad(vec![anybodys]), BadAuth::NoAudience(ISSUER.into()));
    let plain = Issuer::new(ISSUER, url("http://id.example/keys")).audience("hostel");
    assert!(matches!(bad(vec![plain]), BadAuth::PlainKeys { .. }));
    let other = Issuer::new("https://other.example", url("https://other.example/keys")).audience("hostel");
    assert!(matches!(bad(vec![shared(), other.clone()]), BadAuth::SamePrefix { .. }));
    let with = |first: &str, second: &str| vec![shared().subject_prefix(first), other.clone().subject_prefix(second)];
    assert!(matches!(bad(with("", "other:")), BadAuth::SamePrefix { .. }), "its `other:ada` would be theirs");
    assert!(matches!(bad(with("ab", "a")), BadAuth::SamePrefix { .. }));
    let apart = with("ours:", "other:").into_iter().fold(Auth::new(), hostel_auth::Builder::issuer);
    assert!(apart.build().is_ok());
    let confused = other.algorithms(&[Algorithm::Hs256]);
    assert!(matches!(bad(vec![confused]), BadAuth::Algorithm(..)));
}
