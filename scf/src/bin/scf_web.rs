//! Every command as a web function of Tencent SCF: see [`scf::web`].

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), scf::Error> {
    scf::web::serve().await
}
