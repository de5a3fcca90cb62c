//! Verifies the ID tokens of the customer's identity provider (OpenID Connect Core 1.0).
//!
//! The provider's keys are found by discovery and cached in the process. A token is checked by section 3.1.3.7 of Core
//! and by RFC 8725, except for `nonce`: only the app knows the nonce of its request, so the app must compare it.

mod claims;
mod keys;

use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};

use http::Request;
use jsonwebtoken::{DecodingKey, Header, Validation, decode, decode_header, errors::ErrorKind};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use thiserror::Error as ThisError;

pub use self::claims::{Identity, user_id};
use self::{
    claims::Claims,
    keys::{Key, RING, is_accepted},
};
use crate::config::Oidc;
use protocol::{
    error::{Chain, Error},
    types::UnixSeconds,
};

/// The longest token that is accepted. Tokens with a user's groups are shorter.
const MAX_TOKEN_BYTES: usize = 16 * 1024;
/// How long cached keys are used before they are fetched again. A revoked key is accepted for as long.
const REFRESH_SECONDS: u64 = 3600;
/// How long cached keys are used while the provider cannot be reached.
const MAX_CACHE_SECONDS: u64 = 24 * 3600;
/// The pause after a successful fetch, even if tokens name unknown keys.
const MIN_REFETCH_SECONDS: u64 = 60;
/// The pause after a failed fetch: short, since logins fail meanwhile.
const RETRY_SECONDS: u64 = 5;

/// Why the provider's keys could not be fetched.
#[derive(Debug, ThisError)]
enum Failure {
    /// The provider did not answer.
    #[error(transparent)]
    Call(#[from] http_client::Error),
    /// The provider's answer is not usable, for this reason.
    #[error("{0}")]
    Answer(&'static str),
}

/// The identity provider of the settings, with a cache of its keys.
#[derive(Debug)]
pub struct Provider {
    settings: Oidc,
    http: http_client::Client,
    cache: Mutex<CachedKeys>,
    /// Held during a fetch, so that there is only one at a time.
    fetch_lock: tokio::sync::Mutex<()>,
}

/// The cache of the provider's keys.
#[derive(Debug)]
struct CachedKeys {
    keys: Vec<Key>,
    /// When the keys were fetched.
    fetched_at: UnixSeconds,
    /// When the keys may be fetched again at the earliest.
    next_fetch: UnixSeconds,
    /// The error of the last fetch, if it failed.
    failure: Option<Arc<Failure>>,
}

impl Provider {
    /// The provider of these settings. The keys are not fetched yet.
    pub fn new(settings: &Oidc) -> Self {
        static INSTALLED: Once = Once::new();
        INSTALLED.call_once(|| RING.install_default().expect("no other code installs a CryptoProvider"));
        let never = UnixSeconds(0);
        Self {
            settings: settings.clone(),
            http: http_client::Client::unconnected(),
            cache: Mutex::new(CachedKeys { keys: Vec::new(), fetched_at: never, next_fetch: never, failure: None }),
            fetch_lock: tokio::sync::Mutex::default(),
        }
    }

    /// Verifies an ID token and returns its user.
    ///
    /// A token can be used again until it expires. To prevent that, configure the provider to issue tokens with a short
    /// lifetime.
    pub async fn identify(&self, id_token: &str, now: UnixSeconds) -> Result<Identity, Error> {
        if id_token.len() > MAX_TOKEN_BYTES {
            return Err(Error::BadIdToken("it is longer than 16 KiB"));
        }
        // The library refuses the algorithm `none` and unknown algorithms.
        let header =
            decode_header(id_token).map_err(|_| Error::BadIdToken("it is not a JWT signed with a known algorithm"))?;
        if !is_accepted(header.alg) {
            return Err(Error::BadIdToken("its algorithm is not accepted"));
        }
        if header.crit.is_some() {
            return Err(Error::BadIdToken("its header has critical extensions"));
        }
        // An access token for the same audience has the type `at+jwt`.
        if header.typ.as_ref().is_some_and(|typ| !typ.eq_ignore_ascii_case("JWT")) {
            return Err(Error::BadIdToken("its type is not JWT"));
        }
        let key = self.key(&header, now).await?;
        // The library checks the form and the signature. `Claims::check` checks the claims by the clock of the call.
        let mut rules = Validation::new(header.alg);
        rules.required_spec_claims.clear();
        (rules.validate_exp, rules.validate_aud) = (false, false);
        let token = decode::<Claims>(id_token, &key, &rules).map_err(|error| {
            let is_forged = matches!(error.kind(), ErrorKind::InvalidSignature);
            Error::BadIdToken(if is_forged {
                "its signature is wrong"
            } else {
                "a claim is missing or of the wrong type"
            })
        })?;
        token.claims.check(&self.settings, now).map_err(Error::BadIdToken)
    }

    /// The key for a token with this header, from the cache or from the provider.
    async fn key(&self, header: &Header, now: UnixSeconds) -> Result<DecodingKey, Error> {
        if let Some(key) = self.cache().key(header, now, REFRESH_SECONDS) {
            return Ok(key);
        }
        let usable = self.cache().key(header, now, MAX_CACHE_SECONDS).is_some();
        // A call with a usable cached key does not wait for another call's fetch.
        let turn = if usable { self.fetch_lock.try_lock().ok() } else { Some(self.fetch_lock.lock().await) };
        // Another call may have fetched the keys while this one waited for the lock.
        if turn.is_some() && self.cache().next_fetch <= now {
            let answer = tokio::time::timeout(http_client::TIMEOUT, self.fetch_keys()).await;
            let timeout = http_client::Error::Timeout(http_client::TIMEOUT);
            self.cache().update(answer.unwrap_or(Err(timeout.into())), now);
        }
        let cache = self.cache();
        cache.key(header, now, MAX_CACHE_SECONDS).ok_or_else(|| match &cache.failure {
            Some(failure) => Error::IdentityProvider(Arc::clone(failure).into()),
            None => Error::BadIdToken("the provider has no key for it"),
        })
    }

    /// Fetches the discovery document and then the keys.
    async fn fetch_keys(&self) -> Result<Vec<Key>, Failure> {
        #[derive(Deserialize)]
        struct Discovery {
            issuer: String,
            jwks_uri: String,
        }
        #[derive(Deserialize)]
        struct KeySet {
            keys: Vec<Box<RawValue>>,
        }
        let issuer = &self.settings.issuer;
        let address = format!("{}/.well-known/openid-configuration", issuer.strip_suffix('/').unwrap_or(issuer));
        let discovery: Discovery = self.get(address, "its discovery document is malformed").await?;
        if discovery.issuer != *issuer {
            return Err(Failure::Answer("its discovery document names another issuer"));
        }
        if !http_client::is_secure(&discovery.jwks_uri) {
            return Err(Failure::Answer("its jwks_uri is not a secure address"));
        }
        let set: KeySet = self.get(discovery.jwks_uri, "its key set is malformed").await?;
        Ok(set.keys.iter().filter_map(|key| Key::read(key.get())).collect())
    }

    async fn get<T: DeserializeOwned>(&self, address: String, wrong: &'static str) -> Result<T, Failure> {
        let request = Request::get(address).body(String::new()).map_err(http_client::Error::from)?;
        let answer = self.http.send(request).await?;
        serde_json::from_str(&answer).map_err(|_| Failure::Answer(wrong))
    }

    fn cache(&self) -> MutexGuard<'_, CachedKeys> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CachedKeys {
    /// The key for a token with this header, if the keys are not older than `seconds`: the key that the header names,
    /// or, if the header names none, the only key that fits.
    fn key(&self, header: &Header, now: UnixSeconds, seconds: u64) -> Option<DecodingKey> {
        let mut fitting = self.keys.iter().filter(|key| {
            let named = header.kid.is_none() || header.kid == key.id;
            named && key.algorithms.contains(&header.alg)
        });
        let key = fitting.next().filter(|_| now < self.fetched_at.plus(seconds))?;
        let only = header.kid.is_some() || fitting.next().is_none();
        only.then(|| key.public.clone())
    }

    /// Stores the outcome of a fetch.
    fn update(&mut self, answer: Result<Vec<Key>, Failure>, now: UnixSeconds) {
        match answer {
            Ok(keys) => {
                *self = Self { keys, fetched_at: now, next_fetch: now.plus(MIN_REFETCH_SECONDS), failure: None };
            }
            Err(failure) => {
                if !self.keys.is_empty() {
                    tracing::warn!(error = %Chain(&failure), "the keys of the identity provider could not be fetched again; the cached keys are used");
                }
                self.next_fetch = now.plus(RETRY_SECONDS);
                self.failure = Some(Arc::new(failure));
            }
        }
    }
}
