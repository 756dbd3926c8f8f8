//! The keys of one issuer: read or fetched when first needed, kept, and asked for again when a token names one that is not
//! among them.

use std::{sync::Arc, time::Duration};

use jsonwebtoken::{
    DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse},
};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::{
    fetch,
    issuer::{Algorithm, KeySource},
};

/// How long keys are used before they are asked for again.
const FRESH: Duration = Duration::from_secs(600);
/// Between two askings there is at least this: a token with a made-up key must not make us ask.
const PAUSE: Duration = Duration::from_secs(10);

/// One key, with the only algorithm it is for.
#[derive(Clone)]
pub(super) struct Key {
    id: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
}

type Set = Arc<[Key]>;

pub(super) struct Keys {
    source: KeySource,
    kept: Mutex<Kept>,
    /// Held while the keys are asked for: who comes meanwhile waits for the same answer.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Kept {
    keys: Option<Set>,
    asked: Option<Instant>,
}

impl Keys {
    pub(super) fn new(source: KeySource) -> Self {
        let keys = match &source {
            KeySource::Secret(secret) => Some(secret_key(secret)),
            KeySource::File(_) | KeySource::Url(_) => None,
        };
        Self { source, kept: Mutex::new(Kept { keys, asked: None }), asking: tokio::sync::Mutex::default() }
    }

    /// The key that a token names; without a name, the only one there is. `None` when there is no such key, or no keys.
    pub(super) async fn find(&self, id: Option<&str>) -> Option<Key> {
        let (kept, asked) = self.kept();
        let found = kept.as_deref().and_then(|keys| pick(keys, id));
        if matches!(self.source, KeySource::Secret(_))
            || found.is_some() && asked.is_some_and(|at| at.elapsed() < FRESH)
        {
            return found;
        }
        // Keys that were good a while ago are better than none.
        let fresh = self.ask_again(asked).await;
        fresh.as_deref().and_then(|keys| pick(keys, id)).or(found.filter(|_| fresh.is_none()))
    }

    /// Whether there are any keys at all.
    pub(super) fn are_there(&self) -> bool {
        self.kept.lock().keys.is_some()
    }

    fn kept(&self) -> (Option<Set>, Option<Instant>) {
        let kept = self.kept.lock();
        (kept.keys.clone(), kept.asked)
    }

    /// The keys as they are now, or `None` if they cannot be had.
    async fn ask_again(&self, seen: Option<Instant>) -> Option<Set> {
        let _asking = self.asking.lock().await;
        let (kept, asked) = self.kept();
        let others_asked = asked != seen;
        if others_asked || asked.is_some_and(|at| at.elapsed() < PAUSE) {
            return kept;
        }
        let answer = load(&self.source).await;
        let mut kept = self.kept.lock();
        kept.asked = Some(Instant::now());
        match answer {
            Ok(keys) => kept.keys = Some(keys),
            Err(error) => {
                tracing::error!(source = ?self.source, error, "the keys of an issuer cannot be had");
                return None;
            }
        }
        kept.keys.clone()
    }
}

fn pick(keys: &[Key], id: Option<&str>) -> Option<Key> {
    match (id, keys) {
        (None, [only]) => Some(only.clone()),
        // A shared secret has no name, and tokens made with it may have one.
        (Some(_), [only]) if only.algorithm == Algorithm::Hs256 => Some(only.clone()),
        (Some(id), keys) => keys.iter().find(|key| key.id.as_deref() == Some(id)).cloned(),
        (None, _) => None,
    }
}

fn secret_key(secret: &[u8]) -> Set {
    Arc::new([Key { id: None, algorithm: Algorithm::Hs256, key: DecodingKey::from_secret(secret) }])
}

async fn load(source: &KeySource) -> Result<Set, String> {
    let text = match source {
        KeySource::Secret(secret) => return Ok(secret_key(secret)),
        KeySource::File(path) => tokio::fs::read(path).await.map_err(|error| error.to_string())?,
        KeySource::Url(url) => fetch::get(url).await.map_err(|error| error.to_string())?.to_vec(),
    };
    let set: JwkSet = serde_json::from_slice(&text).map_err(|error| format!("no JSON Web Key Set: {error}"))?;
    Ok(set.keys.iter().filter_map(usable).collect())
}

/// A key that signatures can be checked with, and what for.
fn usable(jwk: &Jwk) -> Option<Key> {
    let signs = jwk.common.public_key_use.as_ref().is_none_or(|purpose| *purpose == PublicKeyUse::Signature);
    let algorithm = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => Algorithm::Rs256,
        AlgorithmParameters::EllipticCurve(curve) if curve.curve == EllipticCurve::P256 => Algorithm::Es256,
        _ => return None,
    };
    let fits = jwk.common.key_algorithm.is_none_or(|named| named.to_string() == algorithm.name());
    let key = (signs && fits).then(|| DecodingKey::from_jwk(jwk).ok()).flatten()?;
    Some(Key { id: jwk.common.key_id.clone(), algorithm, key })
}
