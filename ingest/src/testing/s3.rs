//! [`S3Server`]: SeaweedFS, a real object store with an S3 door, on this machine.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use object_store::aws::AmazonS3Builder;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStoreExt, PutPayload};
use tempfile::TempDir;

use super::process::{Peer, PeerError};
use super::python;

/// How long it may take from the open port until an object can be written.
const READY_TIME_MAX: Duration = Duration::from_secs(120);
/// The only identity that it knows.
const KEY: &str = "shortlist-test";
const SECRET: &str = "not-a-secret-but-never-to-be-printed";
/// Every identity may do everything; others, and those without a signature, nothing.
const IDENTITIES: &str = r#"{"identities": [{"name": "test", "actions": ["Admin", "Read", "Write", "List"],
    "credentials": [{"accessKey": "shortlist-test", "secretKey": "not-a-secret-but-never-to-be-printed"}]}]}"#;

/// The server, until it is dropped. Buckets are made by the first write.
#[derive(Debug)]
pub struct S3Server {
    peer: Peer,
    _config: TempDir,
}

impl S3Server {
    /// Starts it, fetching it first when it is not below `assets` yet, and waits until an object can be written.
    ///
    /// # Errors
    /// [`PeerError`] when it cannot be fetched, does not start, or takes no object.
    pub fn start(assets: &Path, requirements: &Path) -> Result<Self, PeerError> {
        let program = python(assets, requirements)?.with_file_name("weed");
        let config = tempfile::tempdir().map_err(|error| PeerError::io("create", &std::env::temp_dir(), error))?;
        let identities = config.path().join("identities.json");
        fs::write(&identities, IDENTITIES).map_err(|error| PeerError::io("write", &identities, error))?;
        let peer = Peer::listening(|port| command(&program, &identities, config.path(), port))?;
        let server = Self { peer, _config: config };
        server.wait_until_ready()?;
        Ok(server)
    }

    /// What a program needs in its environment to reach it.
    pub fn variables(&self) -> Vec<(String, String)> {
        let endpoint = self.peer.base_url();
        [
            ("AWS_ENDPOINT_URL", endpoint.as_str()),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", KEY),
            ("AWS_SECRET_ACCESS_KEY", SECRET),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }

    /// Writes an object past everything that the product does.
    ///
    /// # Errors
    /// What the client says.
    pub fn put(&self, bucket: &str, object: &str, bytes: Vec<u8>) -> Result<(), object_store::Error> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = AmazonS3Builder::new()
            .with_endpoint(self.peer.base_url())
            .with_allow_http(true)
            .with_bucket_name(bucket)
            .with_access_key_id(KEY)
            .with_secret_access_key(SECRET)
            .build()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| object_store::Error::Generic { store: "test", source: error.into() })?;
        runtime.block_on(client.put(&ObjectPath::from(object), PutPayload::from(bytes))).map(drop)
    }

    fn wait_until_ready(&self) -> Result<(), PeerError> {
        let began = Instant::now();
        // The port is open before the volumes are there.
        while let Err(error) = self.put("ready", "ready", b"ready".to_vec()) {
            if began.elapsed() > READY_TIME_MAX {
                let output = error.to_string();
                return Err(PeerError::Slow { command: "weed server".to_owned(), time: READY_TIME_MAX, output });
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }
}

/// All of it in one process, on ports of its own, with nothing told to anybody.
fn command(program: &Path, identities: &Path, data: &Path, port: u16) -> Command {
    let mut command = Command::new(program);
    command.args(["-logtostderr", "server", "-ip", "127.0.0.1", "-ip.bind", "127.0.0.1", "-filer", "-s3"]);
    command.args(["-master.telemetry=false", "-master.volumeSizeLimitMB", "64", "-volume.max", "16"]);
    command.args(["-volume.preStopSeconds", "0", "-s3.port.iceberg", "0", "-s3.port.lance", "0"]);
    command.arg("-s3.port").arg(port.to_string()).arg("-s3.config").arg(identities).arg("-dir").arg(data);
    command.arg("-filer.localSocket").arg(socket(data, "filer")).arg("-s3.localSocket").arg(socket(data, "s3"));
    let ports = [
        "-master.port",
        "-master.port.grpc",
        "-volume.port",
        "-volume.port.grpc",
        "-filer.port",
        "-filer.port.grpc",
        "-s3.port.grpc",
    ];
    // Held together, so that no two are the same.
    let free: Vec<_> = ports
        .iter()
        .map(|_| TcpListener::bind("127.0.0.1:0").and_then(|port| Ok((port.local_addr()?, port))))
        .collect();
    for (name, free) in ports.iter().zip(&free) {
        let port = free.as_ref().map_or(0, |(address, _)| address.port());
        command.arg(name).arg(port.to_string());
    }
    command
}

fn socket(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.sock"))
}
