//! Every command, and the sweep, as an event function of Tencent SCF: see [`scf::event`].

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), scf::Error> {
    scf::event::serve().await
}
