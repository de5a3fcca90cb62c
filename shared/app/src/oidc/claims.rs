//! The claims of an ID token, and the user that they identify.

use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::config::Oidc;
use protocol::types::{UnixSeconds, UserId};

/// The longest value of the user claim, as Core defines for `sub`.
const MAX_SUBJECT_CHARS: usize = 255;
/// How far the provider's clock may differ from the server's.
const CLOCK_LEEWAY_SECONDS: f64 = 60.0;
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

/// The claims of an ID token.
#[derive(Deserialize)]
pub(super) struct Claims {
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
    pub(super) fn check(self, settings: &Oidc, UnixSeconds(now): UnixSeconds) -> Result<Identity, &'static str> {
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

#[cfg(test)]
mod tests {
    use super::*;

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
        // Not even a subject that equals the id of the other.
        assert_ne!(user_id("https://i", derived.as_str()), derived);
    }
}
