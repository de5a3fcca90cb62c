//! The public keys of the identity provider, and the verification of signatures by ring, which TLS uses already.

use jsonwebtoken::{
    Algorithm, DecodingKey, DecodingKeyKind,
    crypto::{CryptoProvider, JwtVerifier, KeyUtils},
    errors::ErrorKind,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse},
    signature::{self, Verifier},
};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RsaParameters,
    RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};

/// A public key of the provider.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) id: Option<String>,
    /// The algorithms of the key: its `alg`, or the accepted algorithms of its type.
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) public: DecodingKey,
}

impl Key {
    /// Reads a key of the provider's set; `None` if the key has another type or use, or is malformed.
    pub(super) fn read(text: &str) -> Option<Self> {
        let jwk: Jwk = serde_json::from_str(text).ok()?;
        let public = DecodingKey::from_jwk(&jwk).ok()?;
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
        let common = jwk.common;
        let for_signatures = common.public_key_use.is_none_or(|usage| usage == PublicKeyUse::Signature);
        let may_verify = common.key_operations.is_none_or(|all| all.contains(&KeyOperations::Verify));
        let own = |algorithm: &Algorithm| common.key_algorithm.is_none_or(|own| own == KeyAlgorithm::from(*algorithm));
        let algorithms: Vec<_> = accepted.iter().copied().filter(own).collect();
        let good = for_signatures && may_verify && !algorithms.is_empty();
        good.then_some(Self { id: common.key_id, algorithms, public })
    }
}

/// The accepted RSA algorithms. Their ring parameters require keys of at least 2048 bits.
const RSA: [(Algorithm, &RsaParameters); 2] =
    [(Algorithm::RS256, &RSA_PKCS1_2048_8192_SHA256), (Algorithm::PS256, &RSA_PSS_2048_8192_SHA256)];
/// The accepted elliptic-curve algorithms.
const CURVES: [(Algorithm, &dyn VerificationAlgorithm); 2] =
    [(Algorithm::ES256, &ECDSA_P256_SHA256_FIXED), (Algorithm::EdDSA, &ED25519)];

/// Whether an algorithm is accepted. Symmetric algorithms are not: with them the public key could be used to sign.
pub(super) fn is_accepted(algorithm: Algorithm) -> bool {
    RSA.iter().any(|(accepted, _)| *accepted == algorithm) || CURVES.iter().any(|(accepted, _)| *accepted == algorithm)
}

/// Lets the token library verify with ring. Signing is not supported.
pub(super) static RING: CryptoProvider = CryptoProvider {
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
    use serde_json::{Value, json};

    use super::*;
    use crate::{config::Oidc, oidc::Provider};

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
}
