//! Servers whose every byte a test decides, over real sockets: plain, encrypted, and a forward proxy.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A connection that hangs does not hang its test.
const SOCKET_TIMEOUT: Duration = Duration::from_secs(60);

/// One request, as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    pub target: String,
    /// Names in lower case.
    headers: Vec<(String, String)>,
    pub body: String,
}

impl Asked {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Writes the whole answer, status line included.
pub type Answer = dyn Fn(&Asked, &mut dyn Write) -> io::Result<()> + Send + Sync;

/// An answer with a length.
pub fn reply(to: &mut dyn Write, status: &str, headers: &[(&str, &str)], body: &[u8]) -> io::Result<()> {
    write!(to, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n", body.len())?;
    for (name, value) in headers {
        write!(to, "{name}: {value}\r\n")?;
    }
    to.write_all(b"\r\n")?;
    to.write_all(body)
}

/// A server, seen from the wire: it closes each connection after its answer, until it is dropped.
pub struct Wire {
    pub address: SocketAddr,
    scheme: &'static str,
    asked: Arc<Mutex<Vec<Asked>>>,
    _listening: Listening,
}

impl Wire {
    pub fn start(answer: impl Fn(&Asked, &mut dyn Write) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self::serve(Ipv4Addr::LOCALHOST.into(), None, Arc::new(answer))
    }

    /// On another address of this machine.
    pub fn start_on(
        address: impl Into<IpAddr>,
        answer: impl Fn(&Asked, &mut dyn Write) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self::serve(address.into(), None, Arc::new(answer))
    }

    pub fn start_tls(
        tls: Arc<ServerConfig>,
        answer: impl Fn(&Asked, &mut dyn Write) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self::serve(Ipv4Addr::LOCALHOST.into(), Some(tls), Arc::new(answer))
    }

    fn serve(address: IpAddr, tls: Option<Arc<ServerConfig>>, answer: Arc<Answer>) -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let scheme = if tls.is_some() { "https" } else { "http" };
        let notes = Arc::clone(&asked);
        let listening = Listening::start(address, move |socket| {
            let note = |asked: &Asked| notes.lock().unwrap_or_else(PoisonError::into_inner).push(asked.clone());
            match &tls {
                None => exchange(socket, &*answer, &note),
                Some(tls) => {
                    let session = ServerConnection::new(Arc::clone(tls)).map_err(io::Error::other)?;
                    exchange(StreamOwned::new(session, socket), &*answer, &note)
                }
            }
        });
        Self { address: listening.address, scheme, asked, _listening: listening }
    }

    /// Its address, with the host it listens on.
    pub fn url(&self, path: &str) -> String {
        self.url_as(&self.address.ip().to_string(), path)
    }

    /// Its address under another name.
    pub fn url_as(&self, host: &str, path: &str) -> String {
        format!("{}://{host}:{}{path}", self.scheme, self.address.port())
    }

    /// Every request since the last call.
    pub fn take_asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn exchange(mut stream: impl Read + Write, answer: &Answer, note: &dyn Fn(&Asked)) -> io::Result<()> {
    let asked = read_request(&mut stream)?;
    note(&asked);
    answer(&asked, &mut stream)?;
    stream.flush()
}

fn read_request(stream: &mut impl Read) -> io::Result<Asked> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if method.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, value)| value.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body)?;
    Ok(Asked { method, target, headers, body: String::from_utf8_lossy(&body).into_owned() })
}

/// A forward proxy that leads every name to one server, as a proxy does that resolves names itself.
pub struct ForwardProxy {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    _listening: Listening,
}

impl ForwardProxy {
    pub fn start(to: SocketAddr) -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&asked);
        let listening = Listening::start(Ipv4Addr::LOCALHOST.into(), move |mut client| {
            // Read byte by byte, so that nothing behind the head is taken from the tunnel.
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                client.read_exact(&mut byte)?;
                head.push(byte[0]);
            }
            let request = read_request(&mut head.as_slice())?;
            notes.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
            let mut server = TcpStream::connect(to)?;
            if request.method == "CONNECT" {
                client.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
            } else {
                server.write_all(&head)?;
            }
            let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
            let up = std::thread::spawn(move || io::copy(&mut from_client, &mut to_server));
            io::copy(&mut server, &mut client)?;
            client.shutdown(std::net::Shutdown::Both)?;
            // The client may have closed first.
            let _ = up.join();
            Ok(())
        });
        Self { address: listening.address, asked, _listening: listening }
    }

    pub fn take_asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A listener and its thread; each connection has a thread of its own.
struct Listening {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Listening {
    fn start(address: IpAddr, serve: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((address, 0)).expect("a free port");
        let address = listener.local_addr().expect("its address");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let serve = Arc::new(serve);
        let thread = std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let serve = Arc::clone(&serve);
                std::thread::spawn(move || {
                    let _ = socket.set_read_timeout(Some(SOCKET_TIMEOUT));
                    let _ = socket.set_write_timeout(Some(SOCKET_TIMEOUT));
                    // Clients that go away in the middle are what many tests are about.
                    let _ = serve(socket);
                });
            }
        });
        Self { address, stop, thread: Some(thread) }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // The listener looks at `stop` when somebody knocks.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A certificate authority of the test's own.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "A company's own authority");
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("a certificate"))
    }

    /// Its certificate, as it stands in a CA file.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// What a server of this name shows.
    pub fn server(&self, name: &str) -> Arc<ServerConfig> {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("a certificate and its key");
        Arc::new(config)
    }
}
