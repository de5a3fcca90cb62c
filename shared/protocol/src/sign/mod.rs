//! Signatures: of calls by apps, of callbacks and APIs of the live cloud, and of uploads by phones. Each module has one
//! formula, as pure functions: no clock, no settings, no I/O.
//!
//! The protocols of the apps and of the cloud require MD5 and SHA-1. No signature that this server defines uses them.

pub mod callback;
pub mod cos;
pub mod push_url;
pub mod roomservice;
pub mod session;
pub mod tc3;
pub mod user_sig;
pub mod vod;

pub use ::hex::encode as hex;
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use sha1::Sha1;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::types::Secret;

/// The MD5 of the concatenated parts, as 32 hexadecimal digits.
pub fn md5_hex(parts: &[impl AsRef<[u8]>]) -> String {
    hex(parts.iter().fold(Md5::new(), Digest::chain_update).finalize())
}

/// The SHA-1 of `text`, as 40 hexadecimal digits.
fn sha1_hex(text: &str) -> String {
    hex(Sha1::digest(text))
}

/// The SHA-256 of `text`, as 64 hexadecimal digits.
fn sha256_hex(text: &str) -> String {
    hex(Sha256::digest(text))
}

/// HMAC-SHA1 of `text`.
fn hmac_sha1(key: &Secret, text: &str) -> [u8; 20] {
    let mac = Hmac::<Sha1>::new_from_slice(key.expose().as_bytes()).expect("HMAC takes a key of any length");
    mac.chain_update(text).finalize().into_bytes().into()
}

/// HMAC-SHA256 of `text`.
pub(crate) fn hmac_sha256(key: &Secret, text: &str) -> [u8; 32] {
    hmac_sha256_bytes(key.expose().as_bytes(), text)
}

/// HMAC-SHA256 of `text` with a key of any bytes.
fn hmac_sha256_bytes(key: &[u8], text: &str) -> [u8; 32] {
    let mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.chain_update(text).finalize().into_bytes().into()
}

/// `base64(HMAC-SHA1(key, text) ++ text)`: the signature of COS v4 and of VOD, which includes the signed text.
fn signed_text(key: &Secret, text: &str) -> String {
    BASE64.encode([&hmac_sha1(key, text), text.as_bytes()].concat())
}

/// Compares a received signature or key with the expected one, in constant time.
pub fn constant_time_eq(expected: &str, received: &str) -> bool {
    expected.as_bytes().ct_eq(received.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_examples_of_the_digests_come_out() {
        let (key, text) = (Secret::new("Jefe"), "what do ya want for nothing?");
        // RFC 2202, test case 2; RFC 4231, test case 2.
        assert_eq!(hex(hmac_sha1(&key, text)), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
        let sha256 = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(hex(hmac_sha256(&key, text)), sha256);
        // RFC 1321, appendix A.5; FIPS 180, the first examples.
        assert_eq!(md5_hex(&["message", " digest"]), "f96b697d7cb7938d525a2f31aaf161d0");
        assert_eq!(sha1_hex("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn only_the_same_text_matches() {
        assert!(constant_time_eq("abc", "abc"));
        assert!(!constant_time_eq("abc", "abd"));
        assert!(!constant_time_eq("abc", "ab"));
        assert!(!constant_time_eq("", "a"));
    }
}
