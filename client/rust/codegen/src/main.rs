//! Generates `src/generated` of the crate hmacd from the contract: `hmacd-codegen [--check]`
//!
//! With `--check`, it writes nothing, and fails if a file differs. Requires protoc on PATH, or in PROTOC.

use std::path::Path;
use std::process::ExitCode;
use std::{env, error::Error, fs};

const FILES: [&str; 5] = [
    "hmacd/v1/access_key_service.proto",
    "hmacd/v1/error_reason.proto",
    "hmacd/v1/key_service.proto",
    "hmacd/v1/mac_service.proto",
    "hmacd/v1/random_service.proto",
];

const OUTPUT: &str = "hmacd.v1.rs";

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let check = match env::args().nth(1).as_deref() {
        None => false,
        Some("--check") => true,
        Some(_) => return Err("usage: hmacd-codegen [--check]".into()),
    };
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let committed = package.join("src/generated").join(OUTPUT);
    let folder = tempfile::tempdir()?;
    generate(&package.join("../../proto"), folder.path())?;
    let generated = fs::read_to_string(folder.path().join(OUTPUT))?;
    if !check {
        fs::write(committed, generated)?;
    } else if fs::read_to_string(committed)? != generated {
        eprintln!("src/generated/{OUTPUT} is not that of proto/: run cargo run -p hmacd-codegen");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn generate(proto: &Path, folder: &Path) -> std::io::Result<()> {
    tonic_prost_build::configure()
        .build_client(false)
        .build_transport(false)
        .server_mod_attribute(".", "#[cfg(feature = \"testing\")]")
        .out_dir(folder)
        .compile_protos(&FILES.map(|file| proto.join(file)), &[proto.to_path_buf()])
}
