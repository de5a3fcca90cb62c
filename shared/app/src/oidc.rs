//! The customer's own accounts: who a user is, by an ID token of their identity provider (OpenID Connect Core 1.0).
//!
//! The provider's keys are found by discovery and kept in the process. A token is judged as section 3.1.3.7 of Core and
//! RFC 8725 say, but for `nonce`: only the app knows which one it asked for, so the app compares it.

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

/// The longest token that is read. Providers that put a user's groups into it stay below.
const MAX_TOKEN_BYTES: usize = 16 * 1024;
/// The longest value of the claim that says who the user is, as Core says of `sub`.
const MAX_SUBJECT_CHARS: usize = 255;
/// How far the provider's clock may be from ours.
const LEEWAY_SECONDS: f64 = 60.0;
/// How long keys are used before the provider is asked again: so long a key that it took back is still believed.
const FRESH_SECONDS: u64 = 3600;
/// How long they are used while it cannot be reached.
const USABLE_SECONDS: u64 = 24 * 3600;
/// How long the provider is left alone once it answered, whatever keys tokens name.
const PAUSE_SECONDS: u64 = 60;
/// How long it is left alone once it could not be reached: nobody should wait a minute for the end of a hiccup.
const FAILURE_PAUSE_SECONDS: u64 = 5;

/// Who a user is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Our id of the user, see [`user_id`].
    pub user: UserId,
    /// The value of the claim that says who the user is.
    pub subject: String,
    /// The claim `name`.
    pub name: Option<String>,
    /// The claim `picture`, the address of a portrait.
    pub picture: Option<String>,
}

/// Why nobody knows who the user is.
#[derive(Debug, ThisError)]
pub enum Error {
    /// The token is not good; why, for the log.
    #[error("the ID token was refused: {0}")]
    Refused(&'static str),
    /// The provider's keys are not to be had, which is not the user's fault.
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

/// Why the provider's keys are not to be had.
#[derive(Debug, ThisError)]
pub enum Failure {
    /// No answer.
    #[error(transparent)]
    Call(#[from] http_client::Error),
    /// An answer that does not hold what it should; what is wrong.
    #[error("{0}")]
    Answer(&'static str),
}

/// The identity provider of the settings, with the keys that it was last seen to have.
#[derive(Debug)]
pub struct Provider {
    settings: Oidc,
    http: http_client::Client,
    kept: Mutex<Kept>,
    /// Held by who asks the provider, so that one asks for all.
    asking: tokio::sync::Mutex<()>,
}

/// What is known of the provider.
#[derive(Debug)]
struct Kept {
    keys: Vec<Key>,
    /// When it answered last.
    answered: UnixSeconds,
    /// From when on it may be asked again.
    ask_from: UnixSeconds,
    /// Why it did not answer, if it did not when it was asked last.
    failure: Option<Arc<Failure>>,
}

impl Provider {
    /// The provider of these settings. Nothing is asked yet.
    pub fn new(settings: &Oidc) -> Self {
        static INSTALLED: Once = Once::new();
        INSTALLED.call_once(|| RING.install_default().expect("nobody else chooses how tokens are verified"));
        let never = UnixSeconds(0);
        Self {
            settings: settings.clone(),
            http: http_client::Client::unconnected(),
            kept: Mutex::new(Kept { keys: Vec::new(), answered: never, ask_from: never, failure: None }),
            asking: tokio::sync::Mutex::default(),
        }
    }

    /// Who the user is that this ID token was given to.
    ///
    /// The token may be shown again until it expires: who must prevent that gives the app tokens of a short life.
    pub async fn identify(&self, id_token: &str, now: UnixSeconds) -> Result<Identity, Error> {
        if id_token.len() > MAX_TOKEN_BYTES {
            return Err(Error::Refused("it is too long"));
        }
        // `none` and all that is unknown to the library are no algorithms here.
        let header =
            decode_header(id_token).map_err(|_| Error::Refused("it is no token signed by a known algorithm"))?;
        if !verifies(header.alg) {
            return Err(Error::Refused("its algorithm is not accepted"));
        }
        if header.crit.is_some() {
            return Err(Error::Refused("its header asks for an extension"));
        }
        // An access token of the same provider for the same audience says `at+jwt`.
        if header.typ.as_ref().is_some_and(|typ| !typ.eq_ignore_ascii_case("JWT")) {
            return Err(Error::Refused("it is a token of another kind"));
        }
        let key = self.key(&header, now).await?;
        // The library judges the form and the signature. The claims are judged below, where the clock is ours.
        let mut rules = Validation::new(header.alg);
        rules.required_spec_claims.clear();
        (rules.validate_exp, rules.validate_aud) = (false, false);
        let token = decode::<Claims>(id_token, &key, &rules).map_err(|error| {
            let forged = matches!(error.kind(), ErrorKind::InvalidSignature);
            Error::Refused(if forged { "its signature is wrong" } else { "a claim is missing or of the wrong type" })
        })?;
        token.claims.judge(&self.settings, now).map_err(Error::Refused)
    }

    /// The key that verifies a token with this header.
    async fn key(&self, header: &Header, now: UnixSeconds) -> Result<DecodingKey, Error> {
        if let Some(key) = self.kept().key(header, now, FRESH_SECONDS) {
            return Ok(key);
        }
        let usable = self.kept().key(header, now, USABLE_SECONDS).is_some();
        // Who has a key does not wait for others to ask.
        let turn = if usable { self.asking.try_lock().ok() } else { Some(self.asking.lock().await) };
        // Another may have asked while this one waited.
        if turn.is_some() && self.kept().ask_from <= now {
            let answer = tokio::time::timeout(http_client::TIMEOUT, self.ask()).await;
            self.kept()
                .take(answer.unwrap_or(Err(Failure::Call(http_client::Error::Timeout(http_client::TIMEOUT)))), now);
        }
        let kept = self.kept();
        kept.key(header, now, USABLE_SECONDS).ok_or_else(|| match &kept.failure {
            Some(failure) => Error::Unreachable(Arc::clone(failure)),
            None => Error::Refused("no key of the provider fits it"),
        })
    }

    /// Asks the provider for its keys: where they are, then for themselves.
    async fn ask(&self) -> Result<Vec<Key>, Failure> {
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
        let discovery: Discovery = self.get(address, "its discovery document cannot be understood").await?;
        if discovery.issuer != *issuer {
            return Err(Failure::Answer("its discovery document names another issuer"));
        }
        if !http_client::is_secure(&discovery.jwks_uri) {
            return Err(Failure::Answer("the address of its keys is not secure"));
        }
        let set: KeySet = self.get(discovery.jwks_uri, "its keys cannot be understood").await?;
        Ok(set.keys.iter().filter_map(|key| Key::read(key.get())).collect())
    }

    async fn get<T: DeserializeOwned>(&self, address: String, wrong: &'static str) -> Result<T, Failure> {
        let request = Request::get(address).body(String::new()).map_err(http_client::Error::from)?;
        let answer = self.http.send(request).await?;
        serde_json::from_str(&answer).map_err(|_| Failure::Answer(wrong))
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// The key for this header, of an answer that is not older than `seconds`: the one that it names and, if it names
    /// none, the only one that fits.
    fn key(&self, header: &Header, now: UnixSeconds, seconds: u64) -> Option<DecodingKey> {
        let mut fitting = self.keys.iter().filter(|key| {
            let named = header.kid.is_none() || header.kid == key.id;
            named && key.algorithms.contains(&header.alg)
        });
        let key = fitting.next().filter(|_| now < self.answered.plus(seconds))?;
        let only = header.kid.is_some() || fitting.next().is_none();
        only.then(|| key.public.clone())
    }

    /// Takes what the provider said when it was asked.
    fn take(&mut self, answer: Result<Vec<Key>, Failure>, now: UnixSeconds) {
        match answer {
            Ok(keys) => {
                *self = Self { keys, answered: now, ask_from: now.plus(PAUSE_SECONDS), failure: None };
            }
            Err(failure) => {
                if !self.keys.is_empty() {
                    tracing::warn!(error = %Chain(&failure), "the identity provider's keys could not be asked for again");
                }
                self.ask_from = now.plus(FAILURE_PAUSE_SECONDS);
                self.failure = Some(Arc::new(failure));
            }
        }
    }
}

/// A key that verifies tokens.
#[derive(Debug)]
struct Key {
    id: Option<String>,
    /// What it may be used with: its own `alg`, or what is accepted of its type.
    algorithms: Vec<Algorithm>,
    public: DecodingKey,
}

impl Key {
    /// Reads a key of the provider's set; `None` for one that can verify nothing here: of another type, for another
    /// use, or one that nobody understands.
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
    /// Who the user is, or why the token does not say that to us.
    fn judge(self, settings: &Oidc, UnixSeconds(now): UnixSeconds) -> Result<Identity, &'static str> {
        let ours = &settings.audience;
        let audiences = match &self.aud {
            Audience::One(audience) => std::slice::from_ref(audience),
            Audience::Several(audiences) => audiences,
        };
        if self.iss != settings.issuer {
            return Err("it is of another issuer");
        }
        if !audiences.contains(ours) {
            return Err("it is meant for another audience");
        }
        // Alone, `azp` may name another client: the app that asked for a token that is meant for its server.
        if audiences.len() > 1 && self.azp.as_ref() != Some(ours) {
            return Err("it is meant for several audiences and was given to another");
        }
        #[expect(clippy::cast_precision_loss, reason = "exact for the next 285 million years")]
        let now = now as f64;
        if self.exp + LEEWAY_SECONDS <= now {
            return Err("it has expired");
        }
        if self.nbf.into_iter().chain([self.iat]).any(|from| now + LEEWAY_SECONDS < from) {
            return Err("it is from the future");
        }
        let text = |name: &str| self.others.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let claim = settings.user_claim.as_str();
        let subject = text(claim).ok_or("the claim that says who the user is is missing, or no text")?;
        if subject.chars().count() > MAX_SUBJECT_CHARS {
            return Err("the claim that says who the user is is too long");
        }
        // At many providers anybody can write any address into their profile.
        let unproven = ["email", "phone_number"].contains(&claim)
            && self.others.get(&format!("{claim}_verified")).and_then(Value::as_bool) != Some(true);
        if unproven {
            return Err("the address that says who the user is was not verified");
        }
        Ok(Identity {
            user: user_id(&settings.issuer, subject),
            subject: subject.to_owned(),
            name: text("name").map(str::to_owned),
            picture: text("picture").map(str::to_owned),
        })
    }
}

/// Our id of the user whom `issuer` calls `subject`: the same name if it could be one of an account of our own and does
/// not begin with `u_`, and else a name derived from both.
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

/// The RSA algorithms that are accepted. The smallest key is part of how ring names them: 2048 bits.
const RSA: [(Algorithm, &RsaParameters); 2] =
    [(Algorithm::RS256, &RSA_PKCS1_2048_8192_SHA256), (Algorithm::PS256, &RSA_PSS_2048_8192_SHA256)];
/// The others, whose keys are points of a curve.
const CURVES: [(Algorithm, &dyn VerificationAlgorithm); 2] =
    [(Algorithm::ES256, &ECDSA_P256_SHA256_FIXED), (Algorithm::EdDSA, &ED25519)];

/// Whether an algorithm is accepted. None that takes a shared key is: who knows a public key could sign.
fn verifies(algorithm: Algorithm) -> bool {
    RSA.iter().any(|(accepted, _)| *accepted == algorithm) || CURVES.iter().any(|(accepted, _)| *accepted == algorithm)
}

/// How the token library verifies: by ring, which TLS has brought already. It is not asked to sign.
static RING: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| Err(ErrorKind::UnsupportedAlgorithm.into()),
    verifier_factory: |algorithm, key| Ok(Box::new(ByRing { algorithm: *algorithm, key: key.clone() })),
    key_utils: KeyUtils::new_unimplemented(),
};

struct ByRing {
    algorithm: Algorithm,
    key: DecodingKey,
}

impl Verifier<Vec<u8>> for ByRing {
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

impl JwtVerifier for ByRing {
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
    fn a_subject_that_could_be_an_account_of_ours_is_the_id() {
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
        assert_ne!(user_id("https://i", derived.as_str()), derived, "not even one that is called as the other's id");
    }
}
