//! A stand-in for a customer's identity provider at a loopback port, and the keys that sign its tokens.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http_body_util::Full;
use hyper::{Request, Response, body::Bytes, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use ring::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
        RsaEncoding, RsaKeyPair, RsaPublicKeyComponents,
    },
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::harness::START;
use app::config::Oidc;

/// The audience that we are.
pub(crate) const AUDIENCE: &str = "mini-lvb";
/// An RSA key of 2048 bits, which takes too long to make, and ring makes none.
const RSA_KEY: &[u8] = include_bytes!("../../oidc/rsa_2048.pkcs8.der");

/// A key that signs tokens.
pub(crate) struct SigningKey {
    /// Its public half, as the provider publishes it.
    pub(crate) public: Value,
    /// Its public half, as it is.
    pub(crate) public_bytes: Vec<u8>,
    sign: Sign,
}

/// Gives the signature of a text.
type Sign = Box<dyn Fn(&[u8]) -> Vec<u8> + Send + Sync>;

impl SigningKey {
    /// A new key for ES256.
    pub(crate) fn es256(id: &str) -> Self {
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.as_ref(), &random).unwrap();
        let public_bytes = key.public_key().as_ref().to_vec();
        let (x, y) = public_bytes[1..].split_at(32);
        Self {
            public: json!({
                "kty": "EC", "crv": "P-256", "x": base64(x), "y": base64(y), "kid": id, "use": "sig", "alg": "ES256"
            }),
            sign: Box::new(move |text| key.sign(&random, text).unwrap().as_ref().to_vec()),
            public_bytes,
        }
    }

    /// A new key for EdDSA.
    pub(crate) fn eddsa(id: &str) -> Self {
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let key = Ed25519KeyPair::from_pkcs8(key.as_ref()).unwrap();
        let public_bytes = key.public_key().as_ref().to_vec();
        Self {
            public: json!({
                "kty": "OKP", "crv": "Ed25519", "x": base64(&public_bytes), "kid": id, "use": "sig", "alg": "EdDSA"
            }),
            sign: Box::new(move |text| key.sign(text).as_ref().to_vec()),
            public_bytes,
        }
    }

    /// The RSA key, for RS256.
    pub(crate) fn rs256(id: &str) -> Self {
        Self::rsa(id, "RS256", &RSA_PKCS1_SHA256)
    }

    /// The RSA key, for PS256.
    pub(crate) fn ps256(id: &str) -> Self {
        Self::rsa(id, "PS256", &RSA_PSS_SHA256)
    }

    fn rsa(id: &str, algorithm: &str, encoding: &'static dyn RsaEncoding) -> Self {
        let key = RsaKeyPair::from_pkcs8(RSA_KEY).unwrap();
        let RsaPublicKeyComponents::<Vec<u8>> { n, e } = key.public().into();
        Self {
            public: json!({ "kty": "RSA", "n": base64(&n), "e": base64(&e), "kid": id, "use": "sig", "alg": algorithm }),
            public_bytes: key.public().as_ref().to_vec(),
            sign: Box::new(move |text| {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(encoding, &SystemRandom::new(), text, &mut signature).unwrap();
                signature
            }),
        }
    }

    /// The key with another member, or without one, in what is published of it.
    pub(crate) fn with(mut self, member: &str, value: Value) -> Self {
        merge(&mut self.public, json!({ member: value }));
        self
    }

    /// A header as this key's tokens have.
    pub(crate) fn header(&self) -> Value {
        json!({ "typ": "JWT", "alg": self.public["alg"], "kid": self.public["kid"] })
    }

    /// A token with this header and these claims, signed by this key.
    pub(crate) fn token(&self, header: &Value, claims: &Value) -> String {
        token(header, claims, &self.sign)
    }
}

/// A token with this header and these claims, signed as told.
pub(crate) fn token(header: &Value, claims: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let text = format!("{}.{}", base64(header.to_string().as_bytes()), base64(claims.to_string().as_bytes()));
    let signature = base64(&sign(text.as_bytes()));
    format!("{text}.{signature}")
}

fn base64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Takes over the members of `changes`; a member that becomes null goes.
fn merge(object: &mut Value, changes: Value) {
    let members = object.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap().clone() {
        if value.is_null() {
            members.remove(&name);
        } else {
            members.insert(name, value);
        }
    }
}

/// The stand-in; it lives as long as its test.
pub(crate) struct IdentityProvider {
    /// Its address, which is its issuer identifier.
    pub(crate) issuer: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    discovery: Value,
    keys: Vec<Value>,
    away: bool,
    asked: usize,
}

impl State {
    /// Whether it hangs up on who asks; then that was a question too.
    fn hangs_up(&mut self) -> bool {
        self.asked += usize::from(self.away);
        self.away
    }
}

impl IdentityProvider {
    /// A provider with these keys.
    pub(crate) async fn with(keys: &[&SigningKey]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let discovery = json!({ "issuer": issuer, "jwks_uri": format!("{issuer}/keys") });
        let state = Arc::new(Mutex::new(State { discovery, ..State::default() }));
        tokio::spawn(listen(listener, Arc::clone(&state)));
        let provider = Self { issuer, state };
        provider.publish(keys);
        provider
    }

    /// The settings with which it is ours.
    pub(crate) fn settings(&self) -> Oidc {
        Oidc { issuer: self.issuer.clone(), audience: AUDIENCE.to_owned(), user_claim: "sub".to_owned() }
    }

    /// From now on it has these keys.
    pub(crate) fn publish(&self, keys: &[&SigningKey]) {
        self.state.lock().unwrap().keys = keys.iter().map(|key| key.public.clone()).collect();
    }

    /// From now on its discovery document says this too.
    pub(crate) fn declare(&self, changes: Value) {
        merge(&mut self.state.lock().unwrap().discovery, changes);
    }

    /// From now on it hangs up on who asks, or answers again.
    pub(crate) fn be_away(&self, away: bool) {
        self.state.lock().unwrap().away = away;
    }

    /// How often it was asked for its discovery document so far.
    pub(crate) fn asked(&self) -> usize {
        self.state.lock().unwrap().asked
    }

    /// The claims of a good token, with these changes; a claim that becomes null goes.
    pub(crate) fn claims(&self, changes: Value) -> Value {
        let mut claims = json!({
            "iss": self.issuer, "aud": AUDIENCE, "sub": "alice_1", "iat": START, "exp": START + 300
        });
        merge(&mut claims, changes);
        claims
    }
}

async fn listen(listener: TcpListener, state: Arc<Mutex<State>>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        if state.lock().unwrap().hangs_up() {
            continue;
        }
        let state = Arc::clone(&state);
        let service = service_fn(move |request: Request<_>| {
            let answer = answer(&mut state.lock().unwrap(), request.uri().path());
            async move { Ok::<_, Infallible>(answer) }
        });
        // No connection outlives its request: who is away now would be reached by an old one.
        let mut server = http1::Builder::new();
        tokio::spawn(server.keep_alive(false).serve_connection(TokioIo::new(stream), service));
    }
}

fn answer(state: &mut State, path: &str) -> Response<Full<Bytes>> {
    let body = match path {
        "/.well-known/openid-configuration" => {
            state.asked += 1;
            state.discovery.to_string()
        }
        "/keys" => json!({ "keys": state.keys }).to_string(),
        _ => return Response::builder().status(404).body(Full::default()).unwrap(),
    };
    Response::new(Full::new(Bytes::from(body)))
}
