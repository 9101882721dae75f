//! TLS in front of a test server, with a certificate made on the spot.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::{fs, mem};

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A certificate that vouches for itself, and its key.
pub(crate) struct Identity {
    pem: String,
    config: Arc<ServerConfig>,
}

impl Identity {
    /// One that is good for this host, for a long time.
    pub(crate) fn of(host: &str) -> Self {
        Self::made(host, |_| ())
    }

    /// One that was good for this host once.
    pub(crate) fn expired(host: &str) -> Self {
        Self::made(host, |params| params.not_after = date_time_ymd(2001, 1, 1))
    }

    fn made(host: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = CertificateParams::new([host.to_owned()]).expect("a host");
        params.not_before = date_time_ymd(2000, 1, 1);
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        let der = PrivateKeyDer::try_from(key.serialize_der()).expect("the key");
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], der)
            .expect("certificate and key");
        Self {
            pem: certificate.pem(),
            config: Arc::new(config),
        }
    }

    /// Writes the certificate where a client can be told to trust it.
    pub(crate) fn save(&self, path: &Path) {
        fs::write(path, &self.pem).expect("write a certificate");
    }
}

/// Speaks TLS and passes what comes on to a test server, one request on each connection.
pub(crate) struct Front {
    address: SocketAddr,
    stopping: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
}

impl Front {
    /// Before the server at `url`, whose responses say `Connection: close`.
    pub(crate) fn start(identity: &Identity, url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind a free port");
        let address = listener.local_addr().expect("the port that was bound");
        let stopping = Arc::new(AtomicBool::new(false));
        let (stop, config) = (Arc::clone(&stopping), Arc::clone(&identity.config));
        let upstream = url.trim_start_matches("http://").to_owned();
        let acceptor = thread::spawn(move || {
            let open = Mutex::new(Vec::new());
            thread::scope(|scope| {
                for client in listener.incoming().flatten() {
                    if stop.load(Ordering::SeqCst) {
                        break;
                    }
                    let mut sockets = open.lock().unwrap_or_else(PoisonError::into_inner);
                    sockets.extend(client.try_clone());
                    let (config, upstream) = (Arc::clone(&config), &upstream);
                    // What goes wrong here is what the client under test is to see.
                    scope.spawn(move || drop(pass_on(client, config, upstream)));
                }
                for socket in mem::take(&mut *open.lock().unwrap_or_else(PoisonError::into_inner)) {
                    let _ = socket.shutdown(Shutdown::Both);
                }
            });
        });
        Self {
            address,
            stopping,
            acceptor: Some(acceptor),
        }
    }

    /// `https://127.0.0.1:PORT`, without a slash at the end.
    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.address)
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        // Wakes the acceptor.
        if TcpStream::connect(self.address).is_ok()
            && let Some(acceptor) = self.acceptor.take()
        {
            let _ = acceptor.join();
        }
    }
}

fn pass_on(client: TcpStream, config: Arc<ServerConfig>, upstream: &str) -> io::Result<()> {
    let connection = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut tls = StreamOwned::new(connection, client);
    let mut server = TcpStream::connect(upstream)?;
    let mut lines = BufReader::new(&mut tls);
    let mut line = Vec::new();
    while line != b"\r\n" {
        line.clear();
        if lines.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        server.write_all(&line)?;
    }
    let mut response = Vec::new();
    server.read_to_end(&mut response)?;
    tls.write_all(&response)?;
    tls.conn.send_close_notify();
    tls.flush()
}
