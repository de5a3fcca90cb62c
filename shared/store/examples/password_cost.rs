//! How long hashing a password takes here: the figures of decision 11.
//!
//! ```text
//! cargo run --release --package store --example password_cost
//! ```

use std::time::Instant;

use protocol::types::Password;
use store::password;

const TIMES: usize = 15;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let password = Password::parse("e352963bbbd32a45ce27c73b0666aabe").expect("a password");
    let mut took = Vec::new();
    for time in 0..TIMES {
        let start = Instant::now();
        let salt = [u8::try_from(time).expect("few"); 16];
        password::hash(password.clone(), salt).await.expect("nobody else waits");
        took.push(start.elapsed());
    }
    took.sort();
    println!("median {:?}, from {:?} to {:?}", took[TIMES / 2], took[0], took[TIMES - 1]);
}
