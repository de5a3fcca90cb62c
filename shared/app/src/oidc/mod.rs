//! Verifies the ID tokens of the customer's identity provider (OpenID Connect Core 1.0).
//!
//! The provider's keys are found by discovery and cached in the process. A token is checked by section 3.1.3.7 of Core
//! and by RFC 8725, except for `nonce`: only the app knows the nonce of its request, so the app must compare it.

use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};

use http::Request;
use jsonwebtoken::{
    Algorithm, DecodingKey, DecodingKeyKind, Header, Validation,
    crypto::{CryptoProvider, JwtVerifier, KeyUtils},
    decode, decode_header,
    errors::ErrorKind,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse},
    signature::{self, Verifier},
};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RsaParameters,
    RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value, value::RawValue};
use sha2::{Digest, Sha256};
use thiserror::Error as ThisError;

use crate::config::Oidc;
use protocol::{
    error::Chain,
    types::{UnixSeconds, UserId},
};

/// The longest token that is accepted. Tokens with a user's groups are shorter.
const MAX_TOKEN_BYTES: usize = 16 * 1024;
/// The longest value of the user claim, as Core defines for `sub`.
const MAX_SUBJECT_CHARS: usize = 255;
/// How far the provider's clock may differ from the server's.
const CLOCK_LEEWAY_SECONDS: f64 = 60.0;
/// How long cached keys are used before they are fetched again. A revoked key is accepted for as long.
const REFRESH_SECONDS: u64 = 3600;
/// How long cached keys are used while the provider cannot be reached.
const MAX_CACHE_SECONDS: u64 = 24 * 3600;
/// The pause after a successful fetch, even if tokens name unknown keys.
const MIN_REFETCH_SECONDS: u64 = 60;
/// The pause after a failed fetch: short, since logins fail meanwhile.
const RETRY_SECONDS: u64 = 5;

/// The user of a verified ID token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The id of the user on this server, see [`user_id`].
    pub user: UserId,
    /// The value of the user claim.
    pub subject: String,
    /// The claim `name`.
    pub name: Option<String>,
    /// The claim `picture`, the address of a portrait.
    pub picture: Option<String>,
}

/// Why an ID token could not be verified.
#[derive(Debug, ThisError)]
pub enum Error {
    /// The token is refused. The reason is logged and not sent.
    #[error("the ID token was refused: {0}")]
    Refused(&'static str),
    /// The provider's keys could not be fetched.
    #[error("the identity provider could not be asked")]
    Unreachable(#[source] Arc<Failure>),
}

impl From<Error> for protocol::error::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(why) => Self::BadIdToken(why),
            Error::Unreachable(failure) => Self::IdentityProvider(failure.into()),
        }
    }
}

/// Why the provider's keys could not be fetched.
#[derive(Debug, ThisError)]
pub enum Failure {
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
            return Err(Error::Refused("it is longer than 16 KiB"));
        }
        // The library refuses the algorithm `none` and unknown algorithms.
        let header =
            decode_header(id_token).map_err(|_| Error::Refused("it is not a JWT signed with a known algorithm"))?;
        if !is_accepted(header.alg) {
            return Err(Error::Refused("its algorithm is not accepted"));
        }
        if header.crit.is_some() {
            return Err(Error::Refused("its header has critical extensions"));
        }
        // An access token for the same audience has the type `at+jwt`.
        if header.typ.as_ref().is_some_and(|typ| !typ.eq_ignore_ascii_case("JWT")) {
            return Err(Error::Refused("its type is not JWT"));
        }
        let key = self.key(&header, now).await?;
        // The library checks the form and the signature. `Claims::check` checks the claims by the clock of the call.
        let mut rules = Validation::new(header.alg);
        rules.required_spec_claims.clear();
        (rules.validate_exp, rules.validate_aud) = (false, false);
        let token = decode::<Claims>(id_token, &key, &rules).map_err(|error| {
            let is_forged = matches!(error.kind(), ErrorKind::InvalidSignature);
            Error::Refused(if is_forged { "its signature is wrong" } else { "a claim is missing or of the wrong type" })
        })?;
        token.claims.check(&self.settings, now).map_err(Error::Refused)
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
            self.cache()
                .update(answer.unwrap_or(Err(Failure::Call(http_client::Error::Timeout(http_client::TIMEOUT)))), now);
        }
        let cache = self.cache();
        cache.key(header, now, MAX_CACHE_SECONDS).ok_or_else(|| match &cache.failure {
            Some(failure) => Error::Unreachable(Arc::clone(failure)),
            None => Error::Refused("the provider has no key for it"),
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

/// A public key of the provider.
#[derive(Debug)]
struct Key {
    id: Option<String>,
    /// The algorithms of the key: its `alg`, or the accepted algorithms of its type.
    algorithms: Vec<Algorithm>,
    public: DecodingKey,
}

impl Key {
    /// Reads a key of the provider's set; `None` if the key has another type or use, or is malformed.
    fn read(text: &str) -> Option<Self> {
        let jwk: Jwk = serde_json::from_str(text).ok()?;
        let accepted: &[Algorithm] = if let AlgorithmParameters::RSA(_) = &jwk.algorithm {
            &[Algorithm::RS256, Algorithm::PS256]
        } else if let AlgorithmParameters::EllipticCurve(point) = &jwk.algorithm
            && point.curve == EllipticCurve::P256
        {
            &[Algorithm::ES256]
        } else if let AlgorithmParameters::OctetKeyPair(point) = &jwk.algorithm
            && point.curve == EllipticCurve::Ed25519
        {
            &[Algorithm::EdDSA]
        } else {
            return None;
        };
        let common = &jwk.common;
        let for_signatures = common.public_key_use.as_ref().is_none_or(|usage| *usage == PublicKeyUse::Signature);
        let may_verify = common.key_operations.as_ref().is_none_or(|all| all.contains(&KeyOperations::Verify));
        let own = |algorithm: &Algorithm| common.key_algorithm.is_none_or(|own| own == KeyAlgorithm::from(*algorithm));
        let algorithms: Vec<_> = accepted.iter().copied().filter(own).collect();
        let public = DecodingKey::from_jwk(&jwk).ok()?;
        let good = for_signatures && may_verify && !algorithms.is_empty();
        good.then_some(Self { id: jwk.common.key_id, algorithms, public })
    }
}

/// The claims of an ID token.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: Audience,
    azp: Option<String>,
    exp: f64,
    iat: f64,
    nbf: Option<f64>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Claims {
    /// Checks the claims and returns the user, or the reason of the refusal.
    fn check(self, settings: &Oidc, UnixSeconds(now): UnixSeconds) -> Result<Identity, &'static str> {
        let ours = &settings.audience;
        let audiences = match &self.aud {
            Audience::One(audience) => std::slice::from_ref(audience),
            Audience::Several(audiences) => audiences,
        };
        if self.iss != settings.issuer {
            return Err("its issuer is not OIDC_ISSUER");
        }
        if !audiences.contains(ours) {
            return Err("its audience is not OIDC_AUDIENCE");
        }
        // With a single audience, `azp` may differ: it names the app that requested the token for this server.
        if audiences.len() > 1 && self.azp.as_ref() != Some(ours) {
            return Err("it has several audiences, and azp is not OIDC_AUDIENCE");
        }
        #[expect(clippy::cast_precision_loss, reason = "exact for the next 285 million years")]
        let now = now as f64;
        if self.exp + CLOCK_LEEWAY_SECONDS <= now {
            return Err("it has expired");
        }
        if self.nbf.into_iter().chain([self.iat]).any(|from| now + CLOCK_LEEWAY_SECONDS < from) {
            return Err("its iat or nbf is in the future");
        }
        let text = |name: &str| self.others.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let claim = settings.user_claim.as_str();
        let subject = text(claim).ok_or("the claim OIDC_USER_CLAIM is missing, empty or not a text")?;
        if subject.chars().count() > MAX_SUBJECT_CHARS {
            return Err("the claim OIDC_USER_CLAIM is longer than 255 characters");
        }
        // At many providers a user can enter any address, so only a verified address identifies a user.
        let is_unverified = ["email", "phone_number"].contains(&claim)
            && self.others.get(&format!("{claim}_verified")).and_then(Value::as_bool) != Some(true);
        if is_unverified {
            return Err("the provider has not verified the address in the claim OIDC_USER_CLAIM");
        }
        Ok(Identity {
            user: user_id(&settings.issuer, subject),
            subject: subject.to_owned(),
            name: text("name").map(str::to_owned),
            picture: text("picture").map(str::to_owned),
        })
    }
}

/// The id of the user `subject` of `issuer` on this server. A subject that has the form of an account name and does not
/// begin with `u_` is the id itself. For any other subject the id is derived from issuer and subject:
///
/// ```text
/// "u_" + the first 22 characters (110 bits) of lowercase(base32(SHA-256(issuer + "\n" + subject)))
/// ```
///
/// ```
/// use app::oidc::user_id;
/// assert_eq!(user_id("https://id.example.com", "alice_1").as_str(), "alice_1");
/// assert_eq!(user_id("https://id.example.com", "auth0|42").as_str(), "u_xmsy2k6ewk5sn7ubyqwasn");
/// ```
pub fn user_id(issuer: &str, subject: &str) -> UserId {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let is_word = subject.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let is_ours = is_word && subject.starts_with(|first: char| first.is_ascii_alphabetic());
    let name = if is_ours && (4..=24).contains(&subject.len()) && !subject.starts_with("u_") {
        subject.to_owned()
    } else {
        let digest = Sha256::digest(format!("{issuer}\n{subject}"));
        let bits = digest.iter().take(14).fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte)) >> 2;
        let places = (0..22).rev().map(|place| usize::try_from(bits >> (5 * place) & 31).expect("five bits"));
        format!("u_{}", places.map(|five| char::from(ALPHABET[five])).collect::<String>())
    };
    UserId::parse(&name).expect("4 to 24 letters, digits and underscores")
}

/// The accepted RSA algorithms. Their ring parameters require keys of at least 2048 bits.
const RSA: [(Algorithm, &RsaParameters); 2] =
    [(Algorithm::RS256, &RSA_PKCS1_2048_8192_SHA256), (Algorithm::PS256, &RSA_PSS_2048_8192_SHA256)];
/// The accepted elliptic-curve algorithms.
const CURVES: [(Algorithm, &dyn VerificationAlgorithm); 2] =
    [(Algorithm::ES256, &ECDSA_P256_SHA256_FIXED), (Algorithm::EdDSA, &ED25519)];

/// Whether an algorithm is accepted. Symmetric algorithms are not: with them the public key could be used to sign.
fn is_accepted(algorithm: Algorithm) -> bool {
    RSA.iter().any(|(accepted, _)| *accepted == algorithm) || CURVES.iter().any(|(accepted, _)| *accepted == algorithm)
}

/// Lets the token library verify with ring, which TLS uses already. Signing is not supported.
static RING: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| Err(ErrorKind::UnsupportedAlgorithm.into()),
    verifier_factory: |algorithm, key| Ok(Box::new(RingVerifier { algorithm: *algorithm, key: key.clone() })),
    key_utils: KeyUtils::new_unimplemented(),
};

struct RingVerifier {
    algorithm: Algorithm,
    key: DecodingKey,
}

impl Verifier<Vec<u8>> for RingVerifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        let verified = match self.key.kind() {
            DecodingKeyKind::RsaModulusExponent { n, e } => {
                let accepted = RSA.iter().find(|(algorithm, _)| *algorithm == self.algorithm);
                accepted.map(|(_, rsa)| RsaPublicKeyComponents { n, e }.verify(rsa, message, signature))
            }
            DecodingKeyKind::SecretOrDer(point) => {
                let accepted = CURVES.iter().find(|(algorithm, _)| *algorithm == self.algorithm);
                accepted.map(|(_, curve)| UnparsedPublicKey::new(*curve, point).verify(message, signature))
            }
        };
        verified.and_then(Result::ok).ok_or_else(signature::Error::new)
    }
}

impl JwtVerifier for RingVerifier {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use jsonwebtoken::crypto::verify;
    use ring::signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY;
    use serde_json::json;

    use super::*;

    const PAYLOAD: &str =
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

    fn verified(key: &Value, algorithm: Algorithm, message: &str, signature: &str) -> bool {
        let settings = Oidc { issuer: String::new(), audience: String::new(), user_claim: String::new() };
        let _installs_ring = Provider::new(&settings);
        let key = Key::read(&key.to_string()).unwrap();
        assert!(key.algorithms.contains(&algorithm));
        verify(signature, message.as_bytes(), &key.public, algorithm).unwrap()
    }

    fn assert_vector(key: &Value, algorithm: Algorithm, message: &str, signature: &str) {
        assert!(verified(key, algorithm, message, signature));
        assert!(!verified(key, algorithm, &message.replacen('e', "f", 1), signature));
    }

    /// RFC 7515, appendix A.2.
    #[test]
    fn rs256_known_answer() {
        let n = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4\
            QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdb\
            BYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-D\
            WNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
        let signature = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5ju\
            jGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07\
            Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipU\
            TI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
        let key = json!({ "kty": "RSA", "n": n, "e": "AQAB" });
        assert_vector(&key, Algorithm::RS256, &format!("eyJhbGciOiJSUzI1NiJ9.{PAYLOAD}"), signature);
    }

    /// RFC 7515, appendix A.3.
    #[test]
    fn es256_known_answer() {
        let key = json!({
            "kty": "EC",
            "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
        });
        let signature = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
        assert_vector(&key, Algorithm::ES256, &format!("eyJhbGciOiJFUzI1NiJ9.{PAYLOAD}"), signature);
    }

    /// RFC 8037, appendices A.2 and A.4.
    #[test]
    fn eddsa_known_answer() {
        let key = json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" });
        let message = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        let signature = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
        assert_vector(&key, Algorithm::EdDSA, message, signature);
    }

    /// A key and a signature that OpenSSL made.
    #[test]
    fn an_rsa_key_of_1024_bits_verifies_nothing_though_its_signature_is_right() {
        let n = "6-jAZp36p2ixuFxJWTHEoHtnBFwL4wQZqC2e_-dmBx7lV7-HsNAzSdcvXcCOSTci-fJCesHCueGhFhwQDwBAlCdZsODULa\
            WkKPI4xztGptx_lf0ny5-bF4EFXZmsc5jwXFsdctZqrFD9Cs4lDwlW9sK-yIhiW6IYPuY-86aM1ns";
        let signature = "2qrDBwt5-GUwXSWq87xtQseEG3f736Bk3pBY1ozmUxRHZljt3eo4Pugc7iD0vIE46lma9l5D3LlqLSmQ2qdAF3luHXXFXm\
            avekP9Dx_cELa5ec5HyENLNO8yroZ4H6zbCdlHw6O8fNF9P4xt--tABs-yT9rK-QQNXJ086C5_ELs";
        let key = json!({ "kty": "RSA", "n": n, "e": "AQAB" });
        assert!(!verified(&key, Algorithm::RS256, "a message", signature));
        let [n, signature] = [n, signature].map(|text| URL_SAFE_NO_PAD.decode(text).unwrap());
        let weak = &RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY;
        RsaPublicKeyComponents { n, e: vec![1, 0, 1] }.verify(weak, b"a message", &signature).unwrap();
    }

    #[test]
    fn a_subject_with_the_form_of_an_account_name_is_the_id() {
        for subject in ["abcd", "A_1_", &"a".repeat(24), "U_234"] {
            assert_eq!(user_id("https://i", subject).as_str(), subject);
        }
        for subject in ["abc", "1bcd", "_bcd", "a-bcd", "a.bcd", "ab cd", "äbcd", "u_23", "", &"a".repeat(25)] {
            let id = user_id("https://i", subject);
            assert!(id.as_str().starts_with("u_") && id.as_str().len() == 24, "{subject}: {id}");
            assert!(id.as_str().bytes().skip(2).all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7')), "{id}");
        }
    }

    #[test]
    fn two_subjects_never_share_an_id() {
        let derived = user_id("https://i", "auth0|1");
        assert_ne!(user_id("https://i", "auth0|2"), derived);
        assert_ne!(user_id("https://j", "auth0|1"), derived);
        assert_ne!(
            user_id("https://i", derived.as_str()),
            derived,
            "not even a subject that equals the id of the other"
        );
    }
}
