//! Generates the stubs from the contract. Requires protoc on PATH, or in PROTOC.

fn main() -> std::io::Result<()> {
    tonic_prost_build::configure()
        .build_server(false)
        .compile_protos(&["hmacd/v1/key_service.proto", "hmacd/v1/mac_service.proto"], &["../../proto"])
}
