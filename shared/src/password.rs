//! Passwords at rest: argon2id.
//!
//! The password that arrives is a fast digest that the app made of what the user typed, with nothing secret in it. So
//! it is treated as the password itself, and only a slow, salted hash of it is kept.

use std::sync::LazyLock;

use argon2::{Algorithm, Argon2, Params, PasswordHash, PasswordHasher, PasswordVerifier, Version};
use tokio::{sync::Semaphore, task::spawn_blocking};

use crate::types::{Password, Secret};

// One of the settings that OWASP's password storage sheet holds to be equally strong; decision 11 says why this one.
const MEMORY_KIB: u32 = 12 * 1024;
const PASSES: u32 = 3;
const LANES: u32 = 1;

/// What a password is compared with when there is no account, so that this takes as long as when there is one.
const NOBODYS: &str =
    "$argon2id$v=19$m=12288,t=3,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// As many at a time as there are processors: more would be no faster, and each takes its memory.
static PLACES: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(std::thread::available_parallelism().map_or(1, std::num::NonZero::get)));

/// As many wait for that at a time: some seconds' work, and an app waits ten.
static QUEUE: Semaphore = Semaphore::const_new(256);

/// More passwords wait to be hashed than an app would wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

/// What is kept of a password: a hash with its salt and costs, as a PHC string.
pub async fn hash(password: Password, salt: [u8; 16]) -> Result<Secret, Busy> {
    slowly(move || {
        let hash = argon2().hash_password_with_salt(password.expose().as_bytes(), &salt);
        Secret::new(hash.expect("the costs are good, and the salt long enough").to_string())
    })
    .await
}

/// Whether a text is a hash that passwords can be compared with.
pub fn is_hash(text: &str) -> bool {
    PasswordHash::new(text).is_ok()
}

/// Whether a password is the one that `kept` was made of. Without a `kept` it is not, which takes as long to say.
pub async fn is_right(password: Password, kept: Option<Secret>) -> Result<bool, Busy> {
    slowly(move || {
        let hash = kept.as_ref().map_or(NOBODYS, Secret::expose);
        argon2().verify_password(password.expose().as_bytes(), hash).is_ok() && kept.is_some()
    })
    .await
}

fn argon2() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("costs within argon2's bounds");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// Does work on a thread where it keeps nobody else waiting.
async fn slowly<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Busy> {
    let _waiting = QUEUE.try_acquire().map_err(|_| Busy)?;
    let _place = PLACES.acquire().await.expect("it is never closed");
    Ok(spawn_blocking(work).await.expect("it does not panic"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::parse(text).unwrap()
    }

    #[tokio::test]
    async fn only_the_same_password_is_right() {
        let kept = hash(password("secret123"), [7; 16]).await.unwrap();
        assert!(is_right(password("secret123"), Some(kept.clone())).await.unwrap());
        assert!(!is_right(password("secret124"), Some(kept)).await.unwrap());
        assert!(!is_right(password("secret123"), None).await.unwrap());
        assert!(!is_right(password("secret123"), Some(Secret::new(NOBODYS))).await.unwrap());
    }

    #[tokio::test]
    async fn nobodys_password_costs_what_everybodys_does() {
        let kept = hash(password("secret123"), [7; 16]).await.unwrap();
        let costs = |hash: &str| hash.split('$').take(4).collect::<Vec<_>>().join("$");
        assert_eq!(costs(kept.expose()), costs(NOBODYS));
        assert_eq!(kept.expose().len(), NOBODYS.len());
        // And it is one that can be computed at all, not refused at sight.
        assert!(is_hash(NOBODYS));
    }

    /// RFC 9106, 5.3: argon2id itself, with its secret and associated data.
    #[test]
    fn argon2id_known_answer() {
        let params = argon2::ParamsBuilder::new()
            .m_cost(32)
            .t_cost(3)
            .p_cost(4)
            .data(argon2::AssociatedData::new(&[4; 12]).unwrap())
            .build();
        let argon2 = Argon2::new_with_secret(&[3; 8], Algorithm::Argon2id, Version::V0x13, params.unwrap()).unwrap();
        let mut tag = [0; 32];
        argon2.hash_password_into(&[1; 32], &[2; 16], &mut tag).unwrap();
        assert_eq!(crate::sign::hex(&tag), "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659");
    }
}
