//! Passwords at rest: argon2id.
//!
//! The password that arrives is a fast digest that the app made of what the user typed, with nothing secret in it. So
//! it is treated as the password itself, and only a slow, salted hash of it is kept.

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

// One of the settings that OWASP's password storage sheet holds to be equally strong; decision 11 says why this one.
const MEMORY_KIB: u32 = 12 * 1024;
const PASSES: u32 = 3;
const LANES: u32 = 1;

/// What a password is compared with when there is no account, so that this takes as long as when there is one.
const DUMMY_HASH: &str =
    "$argon2id$v=19$m=12288,t=3,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// How many passwords wait at a time: some seconds' work, and an app waits ten.
const QUEUE: usize = 256;

/// Some work with the memory that a hash takes.
type Job = Box<dyn FnOnce(&mut Vec<Block>) + Send>;

/// Threads that do nothing else, as many as there are processors: more would be no faster, and each keeps its memory.
/// They begin with the first password.
static THREADS: LazyLock<SyncSender<Job>> = LazyLock::new(|| {
    let (jobs, queue) = mpsc::sync_channel::<Job>(QUEUE);
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

/// More passwords wait to be hashed than an app would wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

impl From<Busy> for Error {
    fn from(Busy: Busy) -> Self {
        Self::TooMany
    }
}

/// What is kept of a password: a hash with its salt and costs, as a PHC string.
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

/// Whether a text is a hash that passwords can be compared with.
pub fn is_hash(text: &str) -> bool {
    PasswordHash::new(text).is_ok_and(|hash| hash.salt.is_some() && Params::try_from(&hash).is_ok())
}

/// Whether a password is the one that `kept` was made of. Without a `kept` it is not, which takes as long to say.
pub async fn verify(password: Password, kept: Option<Secret>) -> Result<bool, Busy> {
    on_hash_thread(move |memory| {
        let hash = PasswordHash::new(kept.as_ref().map_or(DUMMY_HASH, Secret::expose)).ok();
        let Some(hash) = hash else { return false };
        let (Some(salt), Ok(params)) = (hash.salt, Params::try_from(&hash)) else { return false };
        let digest = digest(&password, salt.as_ref(), params, memory);
        // Compared in constant time.
        digest.is_some() && digest == hash.hash && kept.is_some()
    })
    .await
}

/// Argon2id of a password; `None` for a salt that it does not take.
fn digest(password: &Password, salt: &[u8], params: Params, memory: &mut Vec<Block>) -> Option<Output> {
    memory.resize(params.block_count(), Block::default());
    let mut digest = [0; Params::DEFAULT_OUTPUT_LEN];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password_into_with_memory(password.expose().as_bytes(), salt, &mut digest, memory).ok()?;
    Output::new(&digest).ok()
}

/// Does work on a thread where it keeps nobody else waiting.
async fn on_hash_thread<T: Send + 'static>(
    work: impl FnOnce(&mut Vec<Block>) -> T + Send + 'static,
) -> Result<T, Busy> {
    let (answer, answered) = oneshot::channel();
    // Who asked may have given up meanwhile.
    let job: Job = Box::new(move |memory| drop(answer.send(work(memory))));
    THREADS.try_send(job).map_err(|_| Busy)?;
    Ok(answered.await.expect("a thread does what it was given"))
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
    async fn nobodys_password_costs_what_everybodys_does() {
        let kept = hash(password("secret123"), [7; 16]).await.unwrap();
        let costs = |hash: &str| hash.split('$').take(4).collect::<Vec<_>>().join("$");
        assert_eq!(costs(kept.expose()), costs(DUMMY_HASH));
        assert_eq!(kept.expose().len(), DUMMY_HASH.len());
        // And it is one that can be computed at all, not refused at sight.
        assert!(is_hash(DUMMY_HASH));
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
        assert_eq!(protocol::sign::hex(tag), "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659");
    }
}
