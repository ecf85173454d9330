//! Generates the stub of MacService, as a program without the package does.

fn main() -> std::io::Result<()> {
    let proto = std::path::Path::new("../../../proto");
    tonic_prost_build::configure()
        .build_server(false)
        .compile_protos(&[proto.join("hmacd/v1/mac_service.proto")], &[proto.to_path_buf()])
}
