//! Password hashing: argon2id.
//!
//! The password in a call is an unsalted, fast digest that the app makes of what the user typed. Whoever has the digest
//! can log in, so this server treats the digest as the password itself, and stores only a slow, salted hash of it.

use std::{
    num::NonZero,
    sync::{
        Arc, LazyLock, Mutex, PoisonError,
        mpsc::{self, SyncSender},
    },
};

use argon2::{
    Algorithm, Argon2, Block, Params, PasswordHash, Version,
    password_hash::phc::{Output, Salt},
};
use tokio::sync::oneshot;

use protocol::{
    error::Error,
    types::{Password, Secret},
};

// One of the parameter sets that OWASP's Password Storage Cheat Sheet calls equivalent. Decision 11 says why this one.
const MEMORY_KIB: u32 = 12 * 1024;
const PASSES: u32 = 3;
const LANES: u32 = 1;

/// The hash that a password is verified against if there is no account, so that the response takes as long as with one.
const DUMMY_HASH: &str =
    "$argon2id$v=19$m=12288,t=3,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The capacity of the queue of passwords: a few seconds of work. An app waits ten seconds for a response.
const QUEUE_CAPACITY: usize = 256;

/// A computation that uses the memory of its thread for the hash.
type Job = Box<dyn FnOnce(&mut Vec<Block>) + Send>;

/// The queue of the hash threads. There is one thread per processor, since more would not be faster, and each thread
/// keeps 12 MiB of memory. The threads start with the first password.
static HASH_THREADS: LazyLock<SyncSender<Job>> = LazyLock::new(|| {
    let (jobs, queue) = mpsc::sync_channel::<Job>(QUEUE_CAPACITY);
    let queue = Arc::new(Mutex::new(queue));
    for _ in 0..std::thread::available_parallelism().map_or(1, NonZero::get) {
        let queue = Arc::clone(&queue);
        std::thread::spawn(move || {
            let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let mut memory = Vec::new();
            while let Ok(job) = next() {
                job(&mut memory);
            }
        });
    }
    jobs
});

/// The error when the queue of passwords is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

impl From<Busy> for Error {
    fn from(Busy: Busy) -> Self {
        Self::TooMany
    }
}

/// Hashes a password for storage: a PHC string with the salt, the costs and the hash.
pub async fn hash(password: Password, salt: [u8; 16]) -> Result<Secret, Busy> {
    on_hash_thread(move |memory| {
        let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("costs within argon2's bounds");
        let hash = PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: (&params).try_into().expect("costs that can be written"),
            salt: Some(Salt::new(&salt).expect("a salt of the recommended length")),
            hash: digest(&password, &salt, params, memory),
        };
        Secret::new(hash.to_string())
    })
    .await
}

/// Whether a text is a hash that [`verify`] can use.
pub fn is_hash(text: &str) -> bool {
    PasswordHash::new(text).is_ok_and(|hash| hash.salt.is_some() && Params::try_from(&hash).is_ok())
}

/// Verifies a password against a stored hash. Without a hash the answer is `false`, after the same time.
pub async fn verify(password: Password, stored: Option<Secret>) -> Result<bool, Busy> {
    on_hash_thread(move |memory| {
        let hash = PasswordHash::new(stored.as_ref().map_or(DUMMY_HASH, Secret::expose)).ok();
        let Some(hash) = hash else { return false };
        let (Some(salt), Ok(params)) = (hash.salt, Params::try_from(&hash)) else { return false };
        let digest = digest(&password, salt.as_ref(), params, memory);
        // `Output` compares in constant time.
        digest.is_some() && digest == hash.hash && stored.is_some()
    })
    .await
}

/// The argon2id hash of a password; `None` if the salt is not valid for argon2.
fn digest(password: &Password, salt: &[u8], params: Params, memory: &mut Vec<Block>) -> Option<Output> {
    memory.resize(params.block_count(), Block::default());
    let mut digest = [0; Params::DEFAULT_OUTPUT_LEN];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password_into_with_memory(password.expose().as_bytes(), salt, &mut digest, memory).ok()?;
    Output::new(&digest).ok()
}

/// Runs a computation on a hash thread, so that it does not block the async runtime.
async fn on_hash_thread<T: Send + 'static>(
    work: impl FnOnce(&mut Vec<Block>) -> T + Send + 'static,
) -> Result<T, Busy> {
    let (sender, result) = oneshot::channel();
    // The receiver is gone if the call was cancelled.
    let job: Job = Box::new(move |memory| drop(sender.send(work(memory))));
    HASH_THREADS.try_send(job).map_err(|_| Busy)?;
    Ok(result.await.expect("a hash thread runs every job"))
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
        assert!(verify(password("secret123"), Some(kept.clone())).await.unwrap());
        assert!(!verify(password("secret124"), Some(kept)).await.unwrap());
        assert!(!verify(password("secret123"), None).await.unwrap());
        assert!(!verify(password("secret123"), Some(Secret::new(DUMMY_HASH))).await.unwrap());
    }

    #[tokio::test]
    async fn a_login_without_an_account_costs_as_much_as_with_one() {
        let kept = hash(password("secret123"), [7; 16]).await.unwrap();
        let costs = |hash: &str| hash.split('$').take(4).collect::<Vec<_>>().join("$");
        assert_eq!(costs(kept.expose()), costs(DUMMY_HASH));
        assert_eq!(kept.expose().len(), DUMMY_HASH.len());
        // The dummy hash must be valid: an invalid one would be refused without any computation.
        assert!(is_hash(DUMMY_HASH));
    }

    /// The test vector of RFC 9106, section 5.3, with a secret and associated data.
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
        assert_eq!(protocol::sign::hex(tag), "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659");
    }
}
