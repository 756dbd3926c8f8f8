//! Keys of issuers, the tokens they make, and an authenticator that is shown one.

use data_encoding::BASE64URL_NOPAD;
use hostel_auth::{Auth, Builder};
use hostel_core::Identity;
use hostel_edge::Authenticator;
use hostel_protocol::refusal::Refusal;
use ring::{
    hmac,
    rand::SystemRandom,
    rsa,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256},
};
use serde_json::{Value, json};

pub(crate) const ISSUER: &str = "https://id.example";
pub(crate) const SECRET: &[u8] = b"a shared secret of 32 bytes or so";

pub(crate) fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// Claims that are in order.
pub(crate) fn claims() -> Value {
    json!({"iss": ISSUER, "aud": "hostel", "sub": "ada", "exp": now() + 300, "roles": ["editor"]})
}

pub(crate) fn changed(name: &str, value: Value) -> Value {
    let mut claims = claims();
    match value {
        Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
        value => claims[name] = value,
    }
    claims
}

fn encoded(value: &Value) -> String {
    BASE64URL_NOPAD.encode(value.to_string().as_bytes())
}

/// A token with this head, signed by `sign`.
pub(crate) fn token(head: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let signed = format!("{}.{}", encoded(head), encoded(claims));
    let signature = BASE64URL_NOPAD.encode(&sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

pub(crate) fn hs256(claims: &Value) -> String {
    token(&json!({"alg": "HS256", "typ": "JWT"}), claims, |text| hmac_of(SECRET, text))
}

pub(crate) fn hmac_of(secret: &[u8], text: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), text).as_ref().to_vec()
}

/// An RSA key; made for these tests, and for nothing else.
pub(crate) fn rsa() -> rsa::KeyPair {
    rsa::KeyPair::from_pkcs8(include_bytes!("rsa-2048.pk8")).unwrap()
}

pub(crate) fn rs256(id: &str, claims: &Value) -> String {
    let key = rsa();
    token(&json!({"alg": "RS256", "kid": id}), claims, |text| {
        let mut signature = vec![0; key.public().modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text, &mut signature).unwrap();
        signature
    })
}

pub(crate) fn rsa_public() -> rsa::PublicKeyComponents<Vec<u8>> {
    rsa::PublicKeyComponents::from(rsa().public())
}

pub(crate) fn rsa_jwk(id: &str) -> Value {
    let number = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
    let public = rsa_public();
    let (n, e) = (number(&public.n), number(&public.e));
    json!({"kty": "RSA", "use": "sig", "alg": "RS256", "kid": id, "n": n, "e": e})
}

/// A key on P-256.
pub(crate) struct Curve(EcdsaKeyPair);

impl Curve {
    pub(crate) fn new() -> Self {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        Self(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap())
    }

    pub(crate) fn es256(&self, id: &str, claims: &Value) -> String {
        let sign = |text: &[u8]| self.0.sign(&SystemRandom::new(), text).unwrap().as_ref().to_vec();
        token(&json!({"alg": "ES256", "kid": id}), claims, sign)
    }

    pub(crate) fn jwk(&self, id: &str) -> Value {
        let point = &self.0.public_key().as_ref()[1..];
        let (x, y) = point.split_at(32);
        json!({"kty": "EC", "crv": "P-256", "kid": id, "x": BASE64URL_NOPAD.encode(x), "y": BASE64URL_NOPAD.encode(y)})
    }
}

/// Shows a token to an authenticator.
pub(crate) async fn show(auth: &Auth, token: &str) -> Result<Option<Identity>, Refusal> {
    let request = http::Request::builder().uri("/").header("authorization", format!("Bearer {token}"));
    let (mut head, ()) = request.body(()).unwrap().into_parts();
    let decision = auth.authenticate(&mut head).await;
    assert!(!format!("{head:?}").contains(token), "the token is still there");
    decision
}

pub(crate) fn built(builder: Builder) -> Auth {
    builder.build().unwrap()
}
